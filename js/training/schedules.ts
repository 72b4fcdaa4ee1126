// By what a learning rate is multiplied, from count 0 on: of steps or of epochs, as their user counts.
import { pickOptions } from '../common/errors.js';
import { checkCount, checkNotNegative, checkNumber, checkPositive } from './checks.js';

/** The factor of a learning rate after `count` steps, or epochs. Schedules may be multiplied. */
export type Schedule = (count: number) => number;

/**
 * Half a cosine from 1 down to `least`: least + (1 - least) (1 + cos(pi count / steps)) / 2, as PyTorch's
 * `CosineAnnealingLR`; beyond `steps` it rises again.
 *
 * @param options `steps` >= 1; `least` >= 0, default 0.
 * @throws Conv1dError ERR_OPTION.
 */
export function cosine(options: { steps: number; least?: number }): Schedule {
  const { steps: given, least: lowest = 0 } = pickOptions(options, ['steps', 'least']);
  const steps = checkCount('steps', given);
  const least = checkNotNegative('least', lowest);
  return (count) => least + ((1 - least) * (1 + Math.cos((Math.PI * count) / steps))) / 2;
}

/**
 * `gamma` once more after every `size`: gamma^floor(count / size), as PyTorch's `StepLR`.
 *
 * @param options `size` >= 1; `gamma` > 0, default 0.1.
 * @throws Conv1dError ERR_OPTION.
 */
export function stepDecay(options: { size: number; gamma?: number }): Schedule {
  const { size: given, gamma: factor = 0.1 } = pickOptions(options, ['size', 'gamma']);
  const size = checkCount('size', given);
  const gamma = checkPositive('gamma', factor);
  return (count) => gamma ** Math.floor(count / size);
}

/**
 * A line from `start` up to 1, then 1: start + (1 - start) min(count / steps, 1), as PyTorch's `LinearLR`.
 *
 * @param options `steps` >= 1, default 5; `start` from 0 to 1, default 1/3.
 * @throws Conv1dError ERR_OPTION.
 */
export function warmUp(options: { steps?: number; start?: number } = {}): Schedule {
  const { steps: given = 5, start: first = 1 / 3 } = pickOptions(options, ['steps', 'start']);
  const steps = checkCount('steps', given);
  const start = checkNumber('start', first, 'a number from 0 to 1', (number) => number >= 0 && number <= 1);
  return (count) => start + (1 - start) * Math.min(count / steps, 1);
}
