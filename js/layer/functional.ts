import { Conv1dError, pickOptions, shapeError, show } from '../common/errors.js';
import type { Runtime } from '../runtime/runtime.js';
import { Conv1d } from './conv1d.js';
import type { GradientName, Gradients } from './gradient.js';
import { type Conv1dOptions, otherOptions } from './options.js';
import type { ForwardOptions } from './output.js';
import { checkIsTensor, type Tensor } from './tensor.js';

/** Options of `conv1d`: those of a layer that its weight does not already tell. */
export type FunctionalOptions = Omit<Conv1dOptions, 'inChannels' | 'outChannels' | 'kernelSize' | 'bias' | 'dtype'> &
  ForwardOptions & { runtime?: Runtime };

/**
 * One convolution without a layer: PyTorch's and MegEngine's `functional.conv1d`. Weights are packed on each call; for
 * repeated calls make a `Conv1d`.
 *
 * @param input (N, inChannels, L) or (inChannels, L).
 * @param weight (outChannels, inChannels / groups, kernelSize), or with groups in front
 *   (groups, outChannels / groups, inChannels / groups, kernelSize).
 * @param bias (outChannels) or (1, outChannels, 1); none by default.
 * @throws Conv1dError as `Conv1d` does.
 */
export function conv1d(input: Tensor, weight: Tensor, bias?: Tensor | null, options: FunctionalOptions = {}): Tensor {
  const { out, ...given } = pickOptions(options, [...otherOptions, 'out']);
  return withLayer(weight, bias, given, (layer) => layer.forward(input, out ? { out } : undefined));
}

/** Options of `conv1dGrad`. */
export type GradOptions = Omit<FunctionalOptions, 'out'> & {
  /** The bias that the sums had, which counts where there is an activation. Default: none, and no gradient of it. */
  bias?: Tensor | null;
  /** Which gradients to compute. Default: all. */
  needs?: readonly GradientName[];
};

/**
 * The gradients of a loss with respect to the arguments of `conv1d`, given those with respect to its result; see
 * `Conv1d.backward`.
 *
 * @param input as that of `conv1d`.
 * @param weight as that of `conv1d`.
 * @param gradOutput of the shape of what `conv1d` gives.
 * @throws Conv1dError as `conv1d` and `Conv1d.backward` do.
 */
export function conv1dGrad(input: Tensor, weight: Tensor, gradOutput: Tensor, options: GradOptions = {}): Gradients {
  const { bias, needs, ...given } = pickOptions(options, [...otherOptions, 'bias', 'needs']);
  return withLayer(weight, bias, given, (layer) =>
    layer.backward(gradOutput, needs === undefined ? { input } : { input, needs }),
  );
}

/** What `use` makes of a layer of that weight and bias. */
function withLayer<Result>(
  weight: Tensor,
  bias: Tensor | null | undefined,
  given: Omit<FunctionalOptions, 'out'>,
  use: (layer: Conv1d) => Result,
): Result {
  const { shape } = checkIsTensor('weight', weight);
  const { groups: wanted = 1 } = given;
  // A wrong one is for the layer to refuse.
  const groups = Number.isInteger(wanted) && wanted > 0 ? wanted : 1;
  const [outChannels, groupIn, kernelSize] =
    shape.length === 4 ? [(shape[0] ?? 0) * (shape[1] ?? 0), shape[2], shape[3]] : shape;
  if (
    (shape.length !== 3 && shape.length !== 4) ||
    outChannels === undefined ||
    groupIn === undefined ||
    kernelSize === undefined
  ) {
    const text = `weight must be (outChannels, inChannels / groups, kernelSize), got shape ${show(shape)}`;
    throw shapeError('weight', text, shape);
  }
  if (shape.length === 4 && given.groups === undefined) {
    const text = `groups is missing: a weight of shape ${show(shape)} has ${String(shape[0])} groups, pass { groups: ${String(shape[0])} }`;
    throw new Conv1dError('ERR_OPTION', 'groups', text, undefined);
  }
  const layer = new Conv1d({
    ...given,
    inChannels: groupIn * groups,
    outChannels,
    kernelSize,
    bias: bias !== undefined && bias !== null,
    dtype: weight.dtype,
  });
  try {
    layer.weight = weight;
    if (bias) layer.bias = bias;
    return use(layer);
  } finally {
    layer.dispose();
  }
}
