// Losses that are a mean over the elements, as PyTorch's with reduction 'mean'.
import { pickOptions } from '../../common/errors.js';
import { checkPositive } from '../checks.js';
import { asGradient, type Loss, readPair } from './loss.js';

type OfElement = (x: number, y: number) => number;

/** The mean of `term`, which has the derivative `slope` by its first argument. */
const elementwise = (name: string, term: OfElement, slope: OfElement): Loss => ({
  name,
  of(given, target) {
    const { output, x, y } = readPair(given, target);
    const gradient = new Float64Array(x.length);
    let sum = 0;
    for (let i = 0; i < x.length; ++i) {
      const value = x[i] ?? 0;
      const wanted = y[i] ?? 0;
      sum += term(value, wanted);
      gradient[i] = slope(value, wanted) / x.length;
    }
    return { value: sum / x.length, gradient: asGradient(output, gradient) };
  },
});

/**
 * The mean squared error: (x - y)^2, as PyTorch's `MSELoss`. Output and target have the same shape.
 *
 * @throws Conv1dError (its `of`) ERR_SHAPE, ERR_DTYPE, ERR_DISPOSED, as of all losses.
 */
export const mse = (): Loss =>
  elementwise(
    'mse',
    (x, y) => (x - y) ** 2,
    (x, y) => 2 * (x - y),
  );

/** The mean absolute error: |x - y|, as PyTorch's `L1Loss`; its derivative at 0 is 0. Output and target have the same shape. */
export const mae = (): Loss =>
  elementwise(
    'mae',
    (x, y) => Math.abs(x - y),
    (x, y) => Math.sign(x - y),
  );

/**
 * As PyTorch's `HuberLoss`: (x - y)^2 / 2 where |x - y| <= delta, and delta (|x - y| - delta / 2) beyond. Output and
 * target have the same shape.
 *
 * @param options `delta` > 0, default 1.
 * @throws Conv1dError ERR_OPTION.
 */
export function huber(options: { delta?: number } = {}): Loss {
  const { delta: given = 1 } = pickOptions(options, ['delta']);
  const delta = checkPositive('delta', given);
  return elementwise(
    'huber',
    (x, y) => {
      const off = Math.abs(x - y);
      return off <= delta ? off ** 2 / 2 : delta * (off - delta / 2);
    },
    (x, y) => Math.min(Math.max(x - y, -delta), delta),
  );
}

/**
 * As PyTorch's `BCEWithLogitsLoss`: -(y log p + (1 - y) log(1 - p)) with p = 1 / (1 + exp(-x)), which is
 * max(x, 0) - x y + log(1 + exp(-|x|)). The output holds logits, not probabilities; the target, of its shape, numbers
 * from 0 to 1.
 */
export const binaryCrossEntropy = (): Loss =>
  elementwise(
    'binaryCrossEntropy',
    (x, y) => Math.max(x, 0) - x * y + Math.log1p(Math.exp(-Math.abs(x))),
    (x, y) => 1 / (1 + Math.exp(-x)) - y,
  );
