// Layers whose parameters are a few numbers for each channel.
import { Conv1dError, optionError, pickOptions } from '../common/errors.js';
import { type LoadOptions, readNamed } from '../layer/named-parameters.js';
import { Tensor } from '../layer/tensor.js';
import type { TrainedParameter } from '../layer/trained-parameter.js';
import type { LoadedRuntime } from '../runtime/runtime.js';

interface Parameter {
  readonly name: string;
  readonly initial: Float64Array;
  values: Float64Array;
}

/** What `BatchNorm1d`, `LayerNorm`, `GroupNorm`, `InstanceNorm1d` and `PReLU` have in common. */
export abstract class ChannelLayer {
  readonly #parameters: readonly Parameter[];
  readonly #others: readonly string[];
  #version = 0;

  /** @internal @param others names that a dictionary may have and nobody reads. */
  protected constructor(parameters: Readonly<Record<string, Float64Array>>, others: readonly string[] = []) {
    this.#parameters = Object.entries(parameters).map(([name, initial]) => ({ name, initial, values: initial }));
    this.#others = others;
  }

  /** @internal Whether `value` is one, not a proxy of one. */
  static owns(value: unknown): value is ChannelLayer {
    return typeof value === 'object' && value !== null && #parameters in value;
  }

  /** @internal The operation that it is, see cpp/operations/. */
  abstract readonly operation: string;
  /** @internal What it takes of the operand's channels, or null where any number will do. */
  abstract readonly channels: number | null;
  /** @internal The operation's numbers for `channels` channels. */
  abstract numbers(channels: number): number[];

  /** @internal It holds nothing that could be disposed. */
  requireLive(): void {
    // always
  }

  /** @internal */
  get version(): number {
    return this.#version;
  }

  /** @internal Takes what training moved beside parameters, if it does; `read` gives that many of the operation's numbers. */
  learn?(read: (count: number) => Float64Array): void;

  /** @internal To be called by those that took something. */
  protected take(name: string, numbers: Float64Array): void {
    const found = this.#parameters.find((parameter) => parameter.name === name);
    if (found) found.values = numbers;
    ++this.#version;
  }

  /** @internal The values of a parameter, or `channels` times `otherwise` where there is none. */
  protected values(name: string, channels: number, otherwise: number): number[] {
    const found = this.#parameters.find((parameter) => parameter.name === name);
    return found ? [...found.values] : Array.from({ length: channels }, () => otherwise);
  }

  /** @internal What training changes, in the order in which C++ has it. */
  get trained(): readonly TrainedParameter[] {
    let at = 0;
    return this.#parameters.flatMap(({ name, values: { length } }) =>
      name === 'weight' || name === 'bias' ? [{ name, shape: [length], at: (at += length) - length }] : [],
    );
  }

  /** @internal Lets `change` write a parameter as floats at `scratch`, in the memory of `runtime`. */
  updateTrained(
    { name }: TrainedParameter,
    change: (address: number) => void,
    runtime: LoadedRuntime,
    scratch: number,
  ): void {
    const { values } = this.#parameters.find((parameter) => parameter.name === name) ?? { values: zeros(0) };
    runtime.floats.set(values, scratch / 4);
    change(scratch);
    values.set(runtime.floats.subarray(scratch / 4, scratch / 4 + values.length));
    ++this.#version;
  }

  /** As at first: weights and variances 1, biases and means 0. */
  resetParameters(): void {
    for (const parameter of this.#parameters) parameter.values = parameter.initial;
    ++this.#version;
  }

  /** Copies of the parameters by PyTorch's names. */
  stateDict(): Record<string, Tensor> {
    const entries = this.#parameters.map(({ name, values }) => [name, new Tensor(values, [values.length])] as const);
    return Object.fromEntries(entries);
  }

  /**
   * Takes the parameters from `dict`, under names that start with `prefix` (default none). With `strict` (default true) a
   * missing name, or another one that starts with the prefix, is an error. All or nothing is loaded.
   *
   * @throws Conv1dError ERR_STATE_DICT, ERR_OPTION.
   */
  loadStateDict(dict: Record<string, Tensor>, options: LoadOptions = {}): void {
    const parameters = this.#parameters.map((own) => ({ name: own.name, shape: [own.values.length], own }));
    for (const [{ own }, numbers] of readNamed(dict, options, parameters, this.#others)) {
      own.values = numbers;
    }
    ++this.#version;
  }
}

function checkCount(field: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) < 2 ** 28) return value as number;
  throw optionError(field, 'an integer from 1 to 2^28 - 1', value);
}

function checkEps(eps: unknown): number {
  if (Number.isFinite(eps) && (eps as number) >= 0) return eps as number;
  throw optionError('eps', 'a number >= 0', eps);
}

function checkBoolean(field: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw optionError(field, 'a boolean', value);
}

const ones = (count: number) => new Float64Array(count).fill(1);
const zeros = (count: number) => new Float64Array(count);

/** Weight and bias of a normalisation, or none. */
const affineOf = (affine: unknown, channels: number): Record<string, Float64Array> =>
  checkBoolean('affine', affine) ? { weight: ones(channels), bias: zeros(channels) } : {};

/**
 * PyTorch's `BatchNorm1d`: (x - running_mean) / sqrt(running_var + eps) * weight + bias for each channel. `Network.record` in
 * training takes the batch's mean and variance, over time and all signals, instead, and moves the running ones towards
 * them: (1 - momentum) * running + momentum * batch. Where it follows a convolution directly, `loadStateDict`'s `batchNorm`
 * folds it into that one instead.
 */
export class BatchNorm1d extends ChannelLayer {
  /** @internal */
  readonly operation = 'batchNorm';
  readonly channels: number;
  readonly eps: number;
  readonly momentum: number;

  /**
   * @param options `eps` (default 1e-5) is added to variances; `momentum` (from 0 to 1, default 0.1) is the share of each
   * batch in the running numbers; without `affine` (default true) it has neither weight nor bias.
   * @throws Conv1dError ERR_OPTION.
   */
  constructor(options: { numFeatures: number; eps?: number; momentum?: number; affine?: boolean }) {
    const names = ['numFeatures', 'eps', 'momentum', 'affine'] as const;
    const { numFeatures, eps = 1e-5, momentum = 0.1, affine = true } = pickOptions(options, names);
    const channels = checkCount('numFeatures', numFeatures);
    if (!(Number.isFinite(momentum) && momentum >= 0 && momentum <= 1))
      throw optionError('momentum', 'a number from 0 to 1', momentum);
    const parameters = { ...affineOf(affine, channels), running_mean: zeros(channels), running_var: ones(channels) };
    super(parameters, ['num_batches_tracked']);
    this.channels = channels;
    this.eps = checkEps(eps);
    this.momentum = momentum;
  }

  /** @internal */
  numbers(channels: number): number[] {
    const variance = this.values('running_var', channels, 1);
    const wrong = variance.findIndex((value) => !(value + this.eps > 0));
    if (wrong >= 0) {
      const spread = (variance[wrong] ?? 0) + this.eps;
      const text = `running_var[${String(wrong)}] + eps must be > 0, got ${String(spread)}`;
      throw new Conv1dError('ERR_OPTION', 'running_var', text, spread);
    }
    const own = ['weight', 'bias', 'running_mean'].map((name) =>
      this.values(name, channels, Number(name === 'weight')),
    );
    return [this.eps, this.momentum, ...own.flat(), ...variance];
  }

  /** @internal */
  override learn(read: (count: number) => Float64Array): void {
    const { channels } = this;
    const numbers = read(2 + 4 * channels);
    this.take('running_mean', numbers.slice(2 + 2 * channels, 2 + 3 * channels));
    this.take('running_var', numbers.slice(2 + 3 * channels));
  }
}

/** PyTorch's `LayerNorm` over the channels at each time. */
export class LayerNorm extends ChannelLayer {
  /** @internal */
  readonly operation = 'layerNorm';
  readonly channels: number;
  readonly eps: number;

  /** @throws Conv1dError ERR_OPTION. */
  constructor(options: { channels: number; eps?: number; affine?: boolean }) {
    const { channels, eps = 1e-5, affine = true } = pickOptions(options, ['channels', 'eps', 'affine']);
    super(affineOf(affine, checkCount('channels', channels)));
    this.channels = channels;
    this.eps = checkEps(eps);
  }

  /** @internal */
  numbers(channels: number): number[] {
    return [this.eps, ...this.values('weight', channels, 1), ...this.values('bias', channels, 0)];
  }
}

/** PyTorch's `GroupNorm`: over time and the channels of each group, so not in streams. */
export class GroupNorm extends ChannelLayer {
  /** @internal */
  readonly operation: string = 'groupNorm';
  readonly channels: number;
  readonly groups: number;
  readonly eps: number;

  /** @throws Conv1dError ERR_OPTION. */
  constructor(options: { numGroups: number; numChannels: number; eps?: number; affine?: boolean }) {
    const names = ['numGroups', 'numChannels', 'eps', 'affine'] as const;
    const { numGroups, numChannels, eps = 1e-5, affine = true } = pickOptions(options, names);
    super(affineOf(affine, checkCount('numChannels', numChannels)));
    if (numChannels % checkCount('numGroups', numGroups) !== 0) {
      throw optionError('numGroups', `a divisor of numChannels (${String(numChannels)})`, numGroups);
    }
    this.channels = numChannels;
    this.groups = numGroups;
    this.eps = checkEps(eps);
  }

  /** @internal */
  numbers(channels: number): number[] {
    return [this.groups, this.eps, ...this.values('weight', channels, 1), ...this.values('bias', channels, 0)];
  }
}

/** PyTorch's `InstanceNorm1d` without running statistics: over time, so not in streams. */
export class InstanceNorm1d extends GroupNorm {
  /** @internal */
  override readonly operation = 'instanceNorm';

  /** @throws Conv1dError ERR_OPTION. */
  constructor(options: { numFeatures: number; eps?: number; affine?: boolean }) {
    const { numFeatures, affine = false, ...others } = pickOptions(options, ['numFeatures', 'eps', 'affine']);
    checkCount('numFeatures', numFeatures);
    super({ ...others, affine, numGroups: numFeatures, numChannels: numFeatures });
  }
}
