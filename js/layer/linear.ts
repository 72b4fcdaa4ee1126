import { optionError, pickOptions } from '../common/errors.js';
import { requireRuntime } from '../runtime/default.js';
import type { Runtime } from '../runtime/runtime.js';
import type { ActivationOption } from './activation.js';
import { Convolution, type GivenParameters, splitParameters } from './convolution.js';
import type { DType } from './dtype.js';
import { coreOptionsOf } from './options.js';

/** The options of a linear layer: PyTorch's, in camel case, and some of `Conv1d`'s. */
export interface LinearOptions extends GivenParameters {
  /** Numbers that one output is made of: the channels of the input, times `flatten`. >= 1. */
  inFeatures: number;
  /** Channels of the output, >= 1. */
  outFeatures: number;
  /**
   * Samples of every channel that one output is made of, in the order of PyTorch's `flatten`: the first channel's, then
   * the second's. An input of just as many gives one output; in a longer one the window slides. Default 1.
   */
  flatten?: number;
  /** Of input, weight, bias and output. Default `'float32'`. */
  dtype?: DType;
  /** Applied to each output. Default `'none'`. */
  activation?: ActivationOption;
}

/**
 * A linear layer over the channels at each time, or over those of a whole window: y = W x + b, as PyTorch's `Linear` with
 * a weight (outFeatures, inFeatures). Signals have their channels first, as everywhere here.
 */
export class Linear extends Convolution {
  /**
   * @throws Conv1dError ERR_OPTION, ERR_NOT_INITIALIZED, ERR_OUT_OF_MEMORY; ERR_SHAPE and ERR_DTYPE for a weight or bias
   *   that does not fit.
   */
  constructor(options: LinearOptions & { runtime?: Runtime }) {
    const names = ['inFeatures', 'outFeatures', 'flatten', 'bias', 'weight', 'dtype', 'activation', 'runtime'] as const;
    const { runtime, ...all } = pickOptions(options, names);
    const [given, parameters] = splitParameters(all);
    const { inFeatures, outFeatures, flatten = 1, ...others } = given;
    for (const [name, value] of Object.entries({ inFeatures, outFeatures, flatten })) {
      if (!(Number.isInteger(value) && value >= 1)) throw optionError(name, 'an integer >= 1', value);
    }
    if (inFeatures % flatten !== 0) {
      throw optionError('inFeatures', `a multiple of flatten (${String(flatten)})`, inFeatures);
    }
    const loaded = requireRuntime(runtime);
    const defaults = loaded.guard((core) => core.defaultOptions());
    const sizes = { inChannels: inFeatures / flatten, outChannels: outFeatures, kernelSize: flatten };
    const own = coreOptionsOf({ ...others, ...sizes }, defaults, loaded.activations);
    const weight = [
      [outFeatures, inFeatures],
      [outFeatures, inFeatures / flatten, flatten],
    ];
    super(loaded, own, { weight, bias: [[outFeatures], [1, outFeatures, 1]] }, given, parameters);
  }

  /** The layer in one line, as PyTorch prints it. */
  override toString(): string {
    const { inChannels, outChannels, kernelSize, bias } = this.coreOptions;
    const flatten = kernelSize === 1 ? '' : `, flatten=${String(kernelSize)}`;
    return `Linear(inFeatures=${String(inChannels * kernelSize)}, outFeatures=${String(outChannels)}${flatten}${bias ? '' : ', bias=false'})`;
  }
}
