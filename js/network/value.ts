import { classError, Conv1dError, optionError, pickOptions, reading, shapeError, show } from '../common/errors.js';
import type { ActivationOption, PerChannel } from '../layer/activation.js';
import { Convolution } from '../layer/convolution.js';
import { Recurrent } from '../layer/recurrent.js';
import { Tensor } from '../layer/tensor.js';
import { ChannelLayer } from './norm.js';

/** A layer with parameters of its own. */
export type Layer = Convolution | Recurrent | ChannelLayer;

/** One step of a network that is being described. */
export interface Step {
  readonly operands: readonly number[];
  readonly channels: number;
  /** In one line, `%` standing for each operand. */
  readonly text: string;
  /** 'convolution', 'recurrent', or an operation of cpp/operations/. */
  readonly kind: string;
  /** The operation's, which those of a layer are asked for when the network is made ready. */
  readonly numbers: readonly number[];
  readonly activation?: unknown;
  readonly layer?: Layer;
  /** Of a recurrent layer: C++'s handle of this direction of this layer of it. */
  readonly cell?: number;
}

/** The window of a pooling: a number is its kernel size. */
export type PoolOptions =
  | number
  | {
      /** Samples of a window, >= 1. */
      kernelSize: number;
      /** Samples from one window to the next, >= 1. Default: kernelSize. */
      stride?: number;
      /** Samples added at either end, at most half of the kernel size; they have no part in a maximum. Default 0. */
      padding?: number;
      /** Samples from one of a window to the next, >= 1. Default 1. */
      dilation?: number;
      /** Whether the last window may reach beyond the end. Default false. */
      ceilMode?: boolean;
    };

/** As those of `maxPool` but for the dilation, and whether padding counts, default true. */
export type AveragePoolOptions =
  number | (Omit<Exclude<PoolOptions, number>, 'dilation'> & { countIncludePad?: boolean });

type AllPoolOptions = Exclude<PoolOptions, number> & Exclude<AveragePoolOptions, number>;

/** Weight and bias of each channel, default 1 and 0, and what is added to variances, default 1e-5. */
export interface NormOptions {
  weight?: PerChannel | Tensor;
  bias?: PerChannel | Tensor;
  eps?: number;
}

const mostOperands = 16;

function integer(field: string, value: unknown, least: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= 2147483647) return value as number;
  throw optionError(field, `an integer >= ${String(least)}`, value);
}

function finite(field: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(Math.fround(value))) return value;
  throw optionError(field, 'a finite float32 number', value);
}

/** One finite number for each channel. @param or what else `value` may be. */
function perChannel(field: string, value: unknown, channels: number, or = ''): number[] {
  return reading('ERR_OPTION', field, value, () => {
    const values: unknown = Tensor.owns(value) ? value.numbers() : value;
    if (typeof values === 'number') return Array.from({ length: channels }, () => finite(field, values));
    const isList = Array.isArray(values) || ArrayBuffer.isView(values);
    if (!isList || (values as ArrayLike<unknown>).length !== channels) {
      throw optionError(field, `${or}a number or a list of one for each of ${String(channels)} channels`, value);
    }
    return Array.from(values as ArrayLike<unknown>, (number, i) => finite(`${field}[${String(i)}]`, number));
  });
}

/** A signal inside a network that is being described: its input, or what some operation makes of others. */
export class NetworkValue {
  /** Rows of the signal. */
  readonly channels: number;
  readonly #steps: Step[];
  readonly #index: number;

  /** @internal */
  constructor(steps: Step[], index: number, channels: number) {
    this.#steps = steps;
    this.#index = index;
    this.channels = channels;
  }

  /** @internal Whether `value` is one, not a proxy of one. */
  static owns(value: unknown): value is NetworkValue {
    return typeof value === 'object' && value !== null && #steps in value;
  }

  /** @internal The place of `value` in the network that has these steps, or -1. */
  static indexIn(steps: readonly Step[], value: unknown): number {
    return NetworkValue.owns(value) && value.#steps === steps ? value.#index : -1;
  }

  #append(step: Partial<Step> & Pick<Step, 'kind'>): NetworkValue {
    const channels = step.channels ?? this.channels;
    this.#steps.push({ operands: [this.#index], text: `${step.kind} of %`, numbers: [], ...step, channels });
    return new NetworkValue(this.#steps, this.#steps.length, channels);
  }

  /** @internal What the steps of a network make of this value. @throws Conv1dError ERR_SHAPE. */
  follow(steps: readonly Step[], inChannels: number): NetworkValue {
    if (inChannels !== this.channels) {
      const text = `the network has inChannels ${String(inChannels)}, the value has ${String(this.channels)} channels`;
      throw shapeError('network', text, inChannels);
    }
    const indices = [this.#index];
    return steps.reduce<NetworkValue>((value, step) => {
      const next = value.#append({ ...step, operands: step.operands.map((operand) => indices[operand] ?? 0) });
      indices.push(next.#index);
      return next;
    }, this);
  }

  #indexOf(field: string, other: unknown): number {
    const index = NetworkValue.indexIn(this.#steps, other);
    if (index < 0) throw optionError(field, 'a value of the same network', other);
    return index;
  }

  #checkEven(): void {
    if (this.channels % 2 === 0) return;
    throw shapeError('channels', `channels must be even, got ${String(this.channels)}`, this.channels);
  }

  /**
   * `layer.forward` of this value: a `Conv1d`, `ConvTranspose1d` or `Linear`.
   *
   * @throws Conv1dError ERR_OPTION (no such layer), ERR_SHAPE (channels that do not fit), ERR_DISPOSED.
   */
  conv(layer: Convolution): NetworkValue {
    if (!Convolution.owns(layer)) throw classError('ERR_OPTION', 'layer', 'Conv1d', layer, ' or another layer');
    const { inChannels, outChannels } = layer.parts;
    if (inChannels !== this.channels) {
      const text = `the layer has inChannels ${String(inChannels)}, the value has ${String(this.channels)} channels`;
      throw shapeError('layer', text, inChannels);
    }
    return this.#append({ kind: 'convolution', layer, channels: outChannels, text: `${layer.toString()} of %` });
  }

  /**
   * Any layer of this value: one that `conv` takes, an `Lstm` or `Gru`, a `BatchNorm1d`, `LayerNorm`, `GroupNorm` or
   * `InstanceNorm1d`.
   *
   * @throws Conv1dError as `conv`.
   */
  apply(layer: Layer): NetworkValue {
    if (Recurrent.owns(layer)) return this.#recurrent(layer);
    if (!ChannelLayer.owns(layer)) return this.conv(layer);
    const { channels, operation } = layer;
    if (channels !== null && channels !== this.channels) {
      const text = `the layer is of ${String(channels)} channels, the value has ${String(this.channels)}`;
      throw shapeError('layer', text, channels);
    }
    return this.#append({ kind: operation, layer, text: `${layer.constructor.name} of %` });
  }

  #recurrent(layer: Recurrent): NetworkValue {
    layer.checkChannels(this.channels);
    const text = `${layer.toString()} of %`;
    let value: NetworkValue = this; // eslint-disable-line @typescript-eslint/no-this-alias
    for (const [forwards = 0, backwards] of layer.parts.layers) {
      const step = { kind: 'recurrent', layer, channels: layer.hiddenSize, text };
      const first = value.#append({ ...step, cell: forwards });
      if (backwards === undefined) {
        value = first;
        continue;
      }
      const reversed = value.#append({ kind: 'reverse' });
      value = first.concat(reversed.#append({ ...step, cell: backwards }).#append({ kind: 'reverse' }));
    }
    return value;
  }

  #arithmetic(kind: 'add' | 'subtract' | 'multiply' | 'divide', sign: string, other: unknown): NetworkValue {
    if (NetworkValue.owns(other)) {
      const index = this.#indexOf('other', other);
      if (other.channels !== this.channels) {
        const text = `both operands must have the same channels, got ${String(this.channels)} and ${String(other.channels)}`;
        throw shapeError('other', text, other.channels);
      }
      return this.#append({ kind, operands: [this.#index, index], text: `% ${sign} %` });
    }
    const numbers = perChannel('other', other, this.channels, 'a value of the same network, ');
    return this.#append({ kind, numbers, text: `% ${sign} ${show(other)}` });
  }

  /**
   * The sum with a value of the same shape (a residual or skip connection), a number, or one for each channel.
   *
   * @throws Conv1dError ERR_OPTION (a value of another network), ERR_SHAPE (other channels).
   */
  add(other: NetworkValue | PerChannel): NetworkValue {
    return this.#arithmetic('add', '+', other);
  }

  /** This value less another, as `add`. */
  subtract(other: NetworkValue | PerChannel): NetworkValue {
    return this.#arithmetic('subtract', '-', other);
  }

  /** The product with another, element by element, as `add`. */
  multiply(other: NetworkValue | PerChannel): NetworkValue {
    return this.#arithmetic('multiply', '*', other);
  }

  /** This value divided by another, element by element, as `add`. */
  divide(other: NetworkValue | PerChannel): NetworkValue {
    return this.#arithmetic('divide', '/', other);
  }

  /** scale * x + shift, each a number or one for each channel. */
  affine(scale: PerChannel, shift: PerChannel): NetworkValue {
    const numbers = [...perChannel('scale', scale, this.channels), ...perChannel('shift', shift, this.channels)];
    return this.#append({ kind: 'affine', numbers });
  }

  /**
   * tanh of the first half of the channels times sigmoid of the second: WaveNet's gated activation unit.
   *
   * @throws Conv1dError ERR_SHAPE (an odd number of channels).
   */
  gate(): NetworkValue {
    this.#checkEven();
    return this.#append({ kind: 'gate', channels: this.channels / 2 });
  }

  /** The first half of the channels times sigmoid of the second: PyTorch's `GLU`. As `gate`. */
  glu(): NetworkValue {
    this.#checkEven();
    return this.#append({ kind: 'glu', channels: this.channels / 2 });
  }

  /** sqrt(a^2 + b^2) of the two halves of the channels, such as real and imaginary parts. As `gate`. */
  magnitude(): NetworkValue {
    this.#checkEven();
    return this.#append({ kind: 'magnitude', channels: this.channels / 2 });
  }

  /** An activation that no layer can apply to its output, such as that of a sum. As in Conv1dOptions. */
  activation(activation: ActivationOption): NetworkValue {
    return this.#append({ kind: 'activation', activation, text: `${show(activation)} of %` });
  }

  /**
   * In training (`Network.record`), 0 in place of each element with probability `p`, from 0 to below 1, and the others
   * divided by 1 - p; else the value as it is. PyTorch's `Dropout`.
   *
   * @throws Conv1dError ERR_OPTION.
   */
  dropout(p = 0.5): NetworkValue {
    if (!(finite('p', p) >= 0 && p < 1)) throw optionError('p', 'a number >= 0 and < 1', p);
    return this.#append({ kind: 'dropout', numbers: [p] });
  }

  /** The square of each element. */
  square(): NetworkValue {
    return this.#append({ kind: 'square' });
  }

  /** The square root of each element; NaN of negative ones. */
  sqrt(): NetworkValue {
    return this.#append({ kind: 'sqrt' });
  }

  /** The magnitude of each element. */
  abs(): NetworkValue {
    return this.#append({ kind: 'abs' });
  }

  /** e to the power of each element. */
  exp(): NetworkValue {
    return this.#append({ kind: 'exp' });
  }

  /** The natural logarithm of each element. */
  log(): NetworkValue {
    return this.#append({ kind: 'log' });
  }

  /** Each element, but at least `min` and at most `max`. */
  clip(min: number, max: number): NetworkValue {
    if (!(finite('min', min) <= finite('max', max))) throw optionError('max', `a number >= min (${String(min)})`, max);
    return this.#append({ kind: 'clip', numbers: [min, max] });
  }

  /**
   * The channels of this value, then those of the others, which have the same length.
   *
   * @throws Conv1dError ERR_OPTION (no value of this network).
   */
  concat(...others: readonly NetworkValue[]): NetworkValue {
    let value: NetworkValue = this; // eslint-disable-line @typescript-eslint/no-this-alias
    for (let i = 0; i < others.length; i += mostOperands - 1) {
      const some = others.slice(i, i + mostOperands - 1);
      const operands = [value.#index, ...some.map((other, j) => this.#indexOf(`others[${String(i + j)}]`, other))];
      const channels = some.reduce((sum, other) => sum + other.channels, value.channels);
      value = value.#append({
        kind: 'concat',
        operands,
        channels,
        text: `concat of ${operands.map(() => '%').join(', ')}`,
      });
    }
    return value;
  }

  /**
   * Channels `begin`, `begin + step` and so on before `end`.
   *
   * @throws Conv1dError ERR_OPTION (not 0 <= begin < end <= channels, step >= 1).
   */
  slice(begin: number, end: number, step = 1): NetworkValue {
    integer('begin', begin, 0);
    if (!(Number.isInteger(end) && end > begin && end <= this.channels)) {
      const rule = `an integer > begin (${String(begin)}) and <= channels (${String(this.channels)})`;
      throw optionError('end', rule, end);
    }
    const channels = Math.ceil((end - begin) / integer('step', step, 1));
    const text = `channels ${String(begin)} to ${String(end)} of %`;
    return this.#append({ kind: 'slice', numbers: [begin, channels, step], channels, text });
  }

  /**
   * As many channels as each of `sizes` says, or `sizes` a piece, one after the other.
   *
   * @throws Conv1dError ERR_OPTION (sizes that are not those of all channels together).
   */
  split(sizes: number | readonly number[]): NetworkValue[] {
    const size = Array.isArray(sizes) ? 0 : integer('sizes', sizes, 1);
    const all = Array.isArray(sizes)
      ? Array.from(sizes as readonly number[], (one) => integer('sizes', one, 1))
      : Array.from({ length: Math.ceil(this.channels / size) }, (_, i) => Math.min(size, this.channels - i * size));
    if (all.reduce((sum, one) => sum + one, 0) !== this.channels) {
      throw optionError('sizes', `numbers whose sum is the number of channels (${String(this.channels)})`, sizes);
    }
    let begin = 0;
    return all.map((one) => this.slice(begin, (begin += one)));
  }

  /** `left` and `right` samples of `value` (default 0) at the ends. @throws Conv1dError ERR_OPTION. */
  pad(left: number, right: number, value = 0): NetworkValue {
    const numbers = [integer('left', left, 0), integer('right', right, 0), finite('value', value)];
    return this.#append({ kind: 'pad', numbers });
  }

  /** Without the first `left` and the last `right` samples. @throws Conv1dError ERR_OPTION. */
  crop(left: number, right: number): NetworkValue {
    const numbers = [-integer('left', left, 0), -integer('right', right, 0), 0];
    return this.#append({ kind: 'crop', numbers });
  }

  /**
   * `factor` samples for each: copies of it, or on straight lines from one to the next, as PyTorch's `Upsample` with modes
   * 'nearest' and 'linear' (without align_corners).
   *
   * @throws Conv1dError ERR_OPTION.
   */
  upsample(factor: number, mode: 'nearest' | 'linear' = 'nearest'): NetworkValue {
    if (!(integer('factor', factor, 1) <= 1024)) throw optionError('factor', 'at most 1024', factor);
    if (mode !== 'nearest' && mode !== 'linear') throw optionError('mode', "'nearest' or 'linear'", mode);
    return this.#append({ kind: 'upsample', numbers: [factor, Number(mode === 'linear')] });
  }

  #pool(kind: 'maxPool' | 'averagePool', own: keyof AllPoolOptions, options: number | AllPoolOptions): NetworkValue {
    const names = ['kernelSize', 'stride', 'padding', 'ceilMode', own] as const;
    const given: AllPoolOptions = typeof options === 'number' ? { kernelSize: options } : pickOptions(options, names);
    const { kernelSize, stride = kernelSize, padding = 0, dilation = 1 } = given;
    const { ceilMode = false, countIncludePad = true } = given;
    integer('kernelSize', kernelSize, 1);
    if (integer('padding', padding, 0) > kernelSize / 2) {
      throw optionError('padding', `at most half of kernelSize (${String(kernelSize)})`, padding);
    }
    for (const [name, value] of Object.entries({ ceilMode, countIncludePad })) {
      if (typeof value !== 'boolean') throw optionError(name, 'a boolean', value);
    }
    const numbers = [kernelSize, integer('stride', stride, 1), padding, integer('dilation', dilation, 1)];
    return this.#append({ kind, numbers: [...numbers, Number(ceilMode), Number(countIncludePad)] });
  }

  /**
   * The largest sample of each window, as PyTorch's `MaxPool1d`; NaN where a window has one.
   *
   * @throws Conv1dError ERR_OPTION.
   */
  maxPool(options: PoolOptions): NetworkValue {
    return this.#pool('maxPool', 'dilation', options);
  }

  /**
   * The mean of each window, as PyTorch's `AvgPool1d`.
   *
   * @throws Conv1dError ERR_OPTION.
   */
  averagePool(options: AveragePoolOptions): NetworkValue {
    return this.#pool('averagePool', 'countIncludePad', options);
  }

  /** The largest sample of the whole signal: one. A stream gives it at the flush. */
  globalMaxPool(): NetworkValue {
    return this.#append({ kind: 'globalMaxPool' });
  }

  /** The mean of the whole signal: one sample. A stream gives it at the flush. */
  globalAveragePool(): NetworkValue {
    return this.#append({ kind: 'globalAveragePool' });
  }

  /** Over the channels at each time: exp(x) / the sum of exp. */
  softmax(): NetworkValue {
    return this.#append({ kind: 'softmax' });
  }

  /** The logarithm of `softmax`. */
  logSoftmax(): NetworkValue {
    return this.#append({ kind: 'logSoftmax' });
  }

  #norm(kind: string, first: readonly number[], options: NormOptions): NetworkValue {
    const { weight = 1, bias = 0, eps = 1e-5 } = pickOptions(options, ['weight', 'bias', 'eps']);
    if (!(finite('eps', eps) >= 0)) throw optionError('eps', 'a number >= 0', eps);
    const affine = [...perChannel('weight', weight, this.channels), ...perChannel('bias', bias, this.channels)];
    return this.#append({ kind, numbers: [...first, eps, ...affine] });
  }

  /** Normalised over the channels at each time, as PyTorch's `LayerNorm`. @throws Conv1dError ERR_OPTION. */
  layerNorm(options: NormOptions = {}): NetworkValue {
    return this.#norm('layerNorm', [], options);
  }

  /**
   * Normalised over time and the channels of each of `groups` groups, as PyTorch's `GroupNorm`. Not in streams.
   *
   * @throws Conv1dError ERR_OPTION.
   */
  groupNorm(groups: number, options: NormOptions = {}): NetworkValue {
    if (this.channels % integer('groups', groups, 1) !== 0) {
      throw optionError('groups', `a divisor of the number of channels (${String(this.channels)})`, groups);
    }
    return this.#norm('groupNorm', [groups], options);
  }

  /** Each channel normalised over time, as PyTorch's `InstanceNorm1d`. Not in streams. @throws Conv1dError ERR_OPTION. */
  instanceNorm(options: NormOptions = {}): NetworkValue {
    return this.#norm('instanceNorm', [this.channels], options);
  }
}

type Method = (this: NetworkValue, ...args: unknown[]) => unknown;

let depth = 0;

/** `method`, whose errors say what it is called, unless another one called it. */
const named = (name: string, method: Method): Method =>
  function (...args) {
    ++depth;
    try {
      return method.apply(this, args);
    } catch (error) {
      if (depth > 1 || !(error instanceof Conv1dError)) throw error;
      const { code, field, message, got, cause } = error;
      throw new Conv1dError(code, field, `${name}: ${message}`, got, cause);
    } finally {
      --depth;
    }
  };

for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors<object>(NetworkValue.prototype))) {
  if (name !== 'constructor')
    Object.defineProperty(NetworkValue.prototype, name, { value: named(name, value as Method) });
}
