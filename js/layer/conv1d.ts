import { pickOptions } from '../common/errors.js';
import { requireRuntime } from '../runtime/default.js';
import type { Runtime } from '../runtime/runtime.js';
import { configOf, type Conv1dConfig, optionsOf } from './config.js';
import { Convolution, type GivenParameters, splitParameters } from './convolution.js';
import { type Conv1dOptions, coreOptionsOf, otherOptions, tensorOptions } from './options.js';

/** A 1-D convolution layer. Weights start random (MegEngine's rule), see `resetParameters`, unless they are given. */
export class Conv1d extends Convolution {
  /**
   * @throws Conv1dError ERR_OPTION, ERR_UNSUPPORTED (see `algorithm`), ERR_NOT_INITIALIZED, ERR_OUT_OF_MEMORY; ERR_SHAPE
   *   and ERR_DTYPE for a weight or bias that does not fit.
   */
  constructor(options: Omit<Conv1dOptions, 'bias'> & GivenParameters & { runtime?: Runtime }) {
    const { runtime, ...all } = pickOptions(options, [...tensorOptions, ...otherOptions, 'weight']);
    const [given, parameters] = splitParameters(all);
    const loaded = requireRuntime(runtime);
    const defaults = loaded.guard((core) => core.defaultOptions());
    const own = coreOptionsOf(given, defaults, loaded.activations);
    const { groups, outChannels, inChannels, kernelSize } = own;
    const shape = [outChannels, inChannels / groups, kernelSize];
    const grouped = [groups, outChannels / groups, inChannels / groups, kernelSize];
    const bias = [[1, outChannels, 1], [outChannels]];
    super(loaded, own, { weight: groups === 1 ? [shape] : [grouped, shape], bias }, given, parameters);
  }

  /**
   * A layer of the options that PyTorch's or MegEngine's constructor takes, by their own names, such as those of a
   * model's JSON; see `Conv1dConfig`.
   *
   * @throws Conv1dError as the constructor; ERR_OPTION for an unknown key.
   */
  static fromConfig(config: Conv1dConfig, options: { runtime?: Runtime } = {}): Conv1d {
    return new Conv1d({ ...optionsOf(config), runtime: pickOptions(options, ['runtime']).runtime });
  }

  /**
   * What `fromConfig` makes such a layer of, without the weights: PyTorch's arguments, and others only where they differ
   * from their default. Fit for JSON.
   *
   * @throws Conv1dError ERR_DISPOSED.
   */
  toConfig(): Conv1dConfig {
    return configOf(this.coreOptions, this.parts.runtime.activations);
  }
}
