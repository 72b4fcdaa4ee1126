import { Conv1dError, pickOptions, shapeError, show } from '../common/errors.js';
import type { Runtime } from '../runtime/runtime.js';
import { Conv1d } from './conv1d.js';
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
    return layer.forward(input, out ? { out } : undefined);
  } finally {
    layer.dispose();
  }
}
