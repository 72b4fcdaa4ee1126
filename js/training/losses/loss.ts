import type { Tensor } from '../../api.js';
import { shapeError, show } from '../../common/errors.js';
import { checkTensor } from '../checks.js';

/** What a loss says of an output. */
export interface LossValue {
  /** The mean over all that the loss compares. */
  readonly value: number;
  /**
   * Of the value with respect to each element of the output: float32, of the output's shape, living where it lives. A new
   * tensor, which the caller disposes.
   */
  readonly gradient: Tensor;
}

/** How far an output is from its target. Any object of this form is one. */
export interface Loss {
  /** For people. */
  readonly name: string;
  of(output: Tensor, target: Tensor): LossValue;
}

/** An output that a loss can be taken of: it has elements. */
export function checkOutput(output: unknown): Tensor {
  const tensor = checkTensor('output', output);
  if (tensor.size > 0) return tensor;
  throw shapeError('output', `output has no elements (shape ${show(tensor.shape)})`, tensor.shape);
}

/** The elements of an output and of a target of its shape, in float64. */
export function readPair(output: unknown, target: unknown): { output: Tensor; x: Float64Array; y: Float64Array } {
  const given = checkOutput(output);
  const { shape } = checkTensor('target', target);
  if (shape.length !== given.shape.length || shape.some((extent, i) => extent !== given.shape[i])) {
    throw shapeError('target', `target must have the output's shape ${show(given.shape)}, got ${show(shape)}`, shape);
  }
  return { output: given, x: given.numbers(), y: (target as Tensor).numbers() };
}

/** A signal's images, channels and samples. */
export function readSignal({ shape }: Tensor): { images: number; channels: number; length: number } {
  const [images, channels, length] = shape.length === 2 ? [1, ...shape] : shape;
  if ((shape.length === 2 || shape.length === 3) && length !== undefined) {
    return { images: images ?? 0, channels: channels ?? 0, length };
  }
  throw shapeError('output', `output must be (N, C, L) or (C, L), got shape ${show(shape)}`, shape);
}

/** The gradient of a loss by `output`. */
export const asGradient = (output: Tensor, numbers: Float64Array): Tensor => output.like(new Float32Array(numbers));
