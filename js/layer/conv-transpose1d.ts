import { pickOptions } from '../common/errors.js';
import { requireRuntime } from '../runtime/default.js';
import type { Runtime } from '../runtime/runtime.js';
import { Convolution, type GivenParameters, splitParameters } from './convolution.js';
import { type Conv1dOptions, coreOptionsOf, tensorOptions } from './options.js';

/** The options of a transposed convolution: PyTorch's, in camel case, and those of `Conv1d`. */
export interface ConvTranspose1dOptions
  extends
    Omit<Conv1dOptions, 'padding' | 'paddingMode' | 'convMode' | 'stride' | 'dilation' | 'bias'>,
    GivenParameters {
  /** Outputs from one input sample to the next, >= 1. Default 1. */
  stride?: number;
  /** Outputs that are cut off at the ends: a number for both, or `[left, right]`. Default 0. */
  padding?: number | readonly [left: number, right: number];
  /** Outputs that are added on the right, less than stride or dilation. Default 0. */
  outputPadding?: number;
  /** Outputs from one tap to the next, >= 1. Default 1. */
  dilation?: number;
  /** Only `'zeros'`, as in PyTorch: what is cut off depends on no sample. */
  paddingMode?: 'zeros';
}

/**
 * A transposed 1-D convolution, as PyTorch's `ConvTranspose1d`: sample q of the input adds `weight[i][o][k]` times itself
 * to output q * stride + k * dilation - padding. The output has (L - 1) * stride - 2 * padding + dilation * (kernelSize -
 * 1) + outputPadding + 1 samples, and the weight the shape (inChannels, outChannels / groups, kernelSize). Never computed
 * by filling in zeros: the outputs of each phase of the stride are a convolution of their own.
 */
export class ConvTranspose1d extends Convolution {
  /**
   * @throws Conv1dError ERR_OPTION, ERR_UNSUPPORTED (see `algorithm`), ERR_NOT_INITIALIZED, ERR_OUT_OF_MEMORY; ERR_SHAPE
   *   and ERR_DTYPE for a weight or bias that does not fit.
   */
  constructor(options: ConvTranspose1dOptions & { runtime?: Runtime }) {
    const names = [
      ...tensorOptions,
      ...(['weight', 'stride', 'padding', 'outputPadding', 'dilation', 'groups'] as const),
      ...(['activation', 'algorithm', 'paddingMode', 'computeMode', 'runtime'] as const),
    ] as const;
    const { runtime, ...all } = pickOptions(options, names);
    const [given, parameters] = splitParameters(all);
    const loaded = requireRuntime(runtime);
    const defaults = { ...loaded.guard((core) => core.defaultOptions()), transposed: true };
    const own = coreOptionsOf(given, defaults, loaded.activations);
    const { groups, outChannels, inChannels, kernelSize } = own;
    const weight = [[inChannels, outChannels / groups, kernelSize]];
    super(loaded, own, { weight, bias: [[1, outChannels, 1], [outChannels]] }, given, parameters);
  }
}
