// A layer's options: their types, and how they become those that C++ takes.
import { optionError, reading } from '../common/errors.js';
import type { CoreOptions } from '../runtime/core.js';
import { type ActivationInfo, type ActivationOption, readActivation } from './activation.js';
import type { DType } from './dtype.js';

/** The options of a layer: PyTorch's and MegEngine's, in camel case. */
export interface Conv1dOptions {
  /** Channels of the input, >= 1. */
  inChannels: number;
  /** Channels of the output, >= 1. */
  outChannels: number;
  /** Taps of each kernel, >= 1. */
  kernelSize: number;
  /** Input samples from one output to the next, >= 1. Default 1. */
  stride?: number;
  /**
   * Samples added at the ends: a number for both, `[left, right]`, `'valid'` (none), `'same'` (ceil(L / stride)
   * outputs, the odd sample on the right) or `'causal'` (dilation * (kernelSize - 1) on the left). Default 0.
   */
  padding?: number | readonly [left: number, right: number] | 'valid' | 'same' | 'causal';
  /** Input samples from one tap to the next, >= 1. Default 1. */
  dilation?: number;
  /** Divides both channel counts; equal to `inChannels` it is depthwise. Default 1. */
  groups?: number;
  /** Whether a learned bias is added. Default true. */
  bias?: boolean;
  /** Only `'cross_correlation'`, the default, as in every deep-learning framework: kernels are not reversed. */
  convMode?: 'cross_correlation';
  /** `'float32'` promises float32 sums for float16 tensors; `'default'` (default) promises the dtype's own precision. */
  computeMode?: 'default' | 'float32';
  /** What the added samples are. Default `'zeros'`. */
  paddingMode?: 'zeros' | 'reflect' | 'replicate' | 'circular';
  /** Of input, weight, bias and output. Default `'float32'`. */
  dtype?: DType;
  /** Applied to each output. Default `'none'`. */
  activation?: ActivationOption;
  /**
   * How sums are formed. `'direct'`: by the definition, in one order; the error of K products is at most (K + 2) * 2^-24 *
   * (sum |w||x| + |b|). `'toom_cook'`: four neighbouring outputs with fewer products; the error is at most 2^-18 times that
   * sum, with each |x| the largest that the tile meets in its channel. `'fft'`: see the README. `'auto'` (default): the one
   * that is estimated to be fastest for the layer and the input's length, of those that keep 2^-20 * (sum |w||x| + |b|)
   * with noise; `'direct'` in a deterministic runtime. A NaN, an infinity or a sample that stands out reaches exactly the
   * outputs whose window holds it, by every algorithm. `'toom_cook'` needs kernelSize > stride / gcd(stride, dilation), else
   * it is ERR_UNSUPPORTED; so is `'fft'`, from `explain` and `forward` on, when the spectra of the weights have more than
   * 2^30 - 1 elements.
   */
  algorithm?: 'auto' | 'direct' | 'toom_cook' | 'fft';
}

// The names of a layer's options: those that its weight and bias tell, and the others.
export const tensorOptions = ['inChannels', 'outChannels', 'kernelSize', 'bias', 'dtype'] as const;
export const otherOptions = [
  ...(['stride', 'padding', 'dilation', 'groups', 'activation', 'algorithm'] as const),
  ...(['paddingMode', 'convMode', 'computeMode'] as const),
  'runtime',
] as const;

/** Options of C++, whose values nobody has looked at. */
type Unchecked = { [Key in keyof CoreOptions]?: unknown };

function readPadding(padding: unknown): Unchecked {
  // 'explicit' is what C++ calls numbers.
  if (typeof padding === 'string' && padding !== 'explicit') return { paddingRule: padding };
  if (typeof padding === 'number') return { padLeft: padding, padRight: padding };
  const [padLeft, padRight] = reading('ERR_OPTION', 'padding', padding, () =>
    Array.isArray(padding) && padding.length === 2 ? ([padding[0], padding[1]] as unknown[]) : [],
  );
  if (typeof padLeft === 'number' && typeof padRight === 'number') return { padLeft, padRight };
  throw optionError('padding', "an integer >= 0, [left, right], 'valid', 'same' or 'causal'", padding);
}

/** The options as C++ takes them: `defaults` with what the caller gave. Checks JavaScript's types; C++ checks values. */
export function coreOptionsOf(
  given: Conv1dOptions,
  defaults: Omit<CoreOptions, 'parameters'>,
  activations: readonly ActivationInfo[],
): CoreOptions {
  const options: Record<string, unknown> = { ...defaults, parameters: [] };
  for (const required of ['inChannels', 'outChannels', 'kernelSize']) options[required] = undefined;
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (key === 'padding') Object.assign(options, readPadding(value));
    else if (key === 'activation') Object.assign(options, readActivation(value, activations));
    else options[key] = value;
  }
  for (const [key, value] of Object.entries(defaults)) {
    if (typeof options[key] !== typeof value) throw optionError(key, `a ${typeof value}`, options[key]);
  }
  return options as unknown as CoreOptions;
}
