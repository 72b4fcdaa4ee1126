import { type NestedNumbers, Tensor } from '../../api.js';
import { optionError, shapeError, show } from '../../common/errors.js';
import { checkTensor } from '../checks.js';
import { asGradient, checkOutput, type Loss, type LossValue, readSignal } from './loss.js';

/** A loss against the numbers of classes, which may be lists as well. */
export interface ClassLoss extends Loss {
  of(output: Tensor, target: Tensor | NestedNumbers): LossValue;
}

/** The class of each output (N, L), or (N) where there is one output for each image, or (L) of an unbatched one. */
function readClasses(output: Tensor, target: unknown): Float64Array {
  const { images, channels, length } = readSignal(output);
  const given = Array.isArray(target) ? new Tensor(target as NestedNumbers[]) : checkTensor('target', target);
  const { shape } = given;
  const whole = output.shape.length === 2 ? [length] : [images, length];
  const isFit = (wanted: readonly number[]) => show(wanted) === show(shape);
  if (!isFit(whole) && !(length === 1 && isFit([images]))) {
    const text = `target must have shape ${show(whole)}, a class for each output at each time, got ${show(shape)}`;
    throw shapeError('target', text, shape);
  }
  const classes = given.numbers();
  const at = classes.findIndex((own) => !(Number.isInteger(own) && own >= 0 && own < channels));
  if (at < 0) return classes;
  throw optionError(`target[${String(at)}]`, `a class from 0 to ${String(channels - 1)}`, classes[at]);
}

/**
 * As PyTorch's `CrossEntropyLoss`: -log of the softmax, over the channels, at the right class; the mean over images and
 * times.
 *
 * The output (N, C, L), or (C, L), holds logits, not probabilities. The target holds integers from 0 to C - 1, in a Tensor
 * or a list: (N, L), or (N) where L is 1; (L) of an unbatched output.
 *
 * @throws Conv1dError (its `of`) ERR_SHAPE, ERR_DTYPE, ERR_OPTION (no such class), ERR_DISPOSED.
 */
export const crossEntropy = (): ClassLoss => ({
  name: 'crossEntropy',
  of(given, target) {
    const output = checkOutput(given);
    const classes = readClasses(output, target);
    const { channels, length } = readSignal(output);
    const logits = output.numbers();
    const gradient = new Float64Array(logits.length);
    let sum = 0;
    classes.forEach((right, i) => {
      const first = Math.floor(i / length) * channels * length + (i % length);
      const at = (channel: number) => first + channel * length;
      let most = -Infinity;
      for (let c = 0; c < channels; ++c) most = Math.max(most, logits[at(c)] ?? 0);
      let total = 0;
      for (let c = 0; c < channels; ++c) total += gradient[at(c)] = Math.exp((logits[at(c)] ?? 0) - most);
      for (let c = 0; c < channels; ++c) {
        const probability = (gradient[at(c)] ?? 0) / total;
        gradient[at(c)] = (probability - (c === right ? 1 : 0)) / classes.length;
      }
      sum += Math.log(total) + most - (logits[at(right)] ?? 0);
    });
    return { value: sum / classes.length, gradient: asGradient(output, gradient) };
  },
});
