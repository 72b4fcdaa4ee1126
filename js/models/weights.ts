import { Conv1d, type Conv1dOptions, type NetworkValue, type Runtime, Tensor } from '../api.js';
import { show, stateDictError } from '../common/errors.js';
import type { Field } from './field.js';

/** What a part of a model makes of a signal. Makes its layers. */
export type Operation = (x: NetworkValue) => NetworkValue;

/** A causal convolution. */
export interface ConvSizes {
  inChannels: number;
  outChannels: number;
  /** Default 1. */
  kernelSize?: number;
  /** Default 1. */
  dilation?: number;
  /** Default 1. */
  groups?: number;
  /** Default true. */
  bias?: boolean;
  /** What the output is multiplied by, asked for when the layer is made. Default 1. */
  scale?: () => number;
}

/** Makes the layers of a network and keeps count of them. */
export class Workshop {
  readonly #runtime: Runtime | undefined;
  readonly #layers: Conv1d[] = [];

  constructor(runtime: Runtime | undefined) {
    this.#runtime = runtime;
  }

  conv(
    x: NetworkValue,
    options: Omit<Conv1dOptions, 'inChannels'>,
    weight: Float32Array,
    bias?: Float32Array,
  ): NetworkValue {
    const inChannels = x.channels;
    const layer = new Conv1d({
      ...options,
      inChannels,
      padding: 'causal',
      bias: bias !== undefined,
      runtime: this.#runtime,
    });
    this.#layers.push(layer);
    const { outChannels, kernelSize, groups = 1 } = options;
    layer.weight = new Tensor(weight, [outChannels, inChannels / groups, kernelSize]);
    if (bias) layer.bias = new Tensor(bias, [outChannels]);
    return x.conv(layer);
  }

  /** Channels `begin` to `end`. */
  slice(x: NetworkValue, begin: number, end: number): NetworkValue {
    const outChannels = end - begin;
    const weight = new Float32Array(outChannels * x.channels);
    for (let o = 0; o < outChannels; ++o) weight[o * x.channels + begin + o] = 1;
    return this.conv(x, { outChannels, kernelSize: 1 }, weight);
  }

  /** scale * x + shift. */
  affine(x: NetworkValue, scale: number, shift: number): NetworkValue {
    const { channels } = x;
    const filled = (value: number) => new Float32Array(channels).fill(value);
    return this.conv(x, { outChannels: channels, kernelSize: 1, groups: channels }, filled(scale), filled(shift));
  }

  dispose(): void {
    for (const layer of this.#layers) layer.dispose();
  }
}

/** A model's weights, one after the other: all are counted and checked before the first layer is made. */
export class Weights {
  #count = 0;
  #numbers = new Float32Array(0);
  readonly #field: Field;
  readonly workshop: Workshop;

  constructor(field: Field, workshop: Workshop) {
    this.#field = field;
    this.workshop = workshop;
  }

  /** The next `count`, to be asked for after `read`. */
  take(count: number): () => Float32Array<ArrayBuffer> {
    const begin = this.#count;
    this.#count += count;
    return () => this.#numbers.subarray(begin, begin + count);
  }

  /** The last of all, to be asked for after `read`. */
  get last(): number {
    return this.#numbers.at(-1) ?? NaN;
  }

  /** A convolution of the next weights: (outChannels, inChannels / groups, kernelSize), then the bias. */
  conv(sizes: ConvSizes, { path }: Field): Operation {
    const { inChannels, outChannels, kernelSize = 1, dilation = 1, groups = 1, bias = true, scale = () => 1 } = sizes;
    for (const channels of [inChannels, outChannels]) {
      if (channels % groups === 0) continue;
      const text = `${path}: ${String(groups)} groups must divide the channels, got ${String(channels)}`;
      throw stateDictError(path, text, groups);
    }
    const weight = this.take(outChannels * (inChannels / groups) * kernelSize);
    const shift = bias ? this.take(outChannels) : null;
    return (x) => {
      const factor = scale();
      const scaled = (numbers: Float32Array) => numbers.map((number) => number * factor);
      const options = { outChannels, kernelSize, dilation, groups };
      return this.workshop.conv(x, options, scaled(weight()), shift ? scaled(shift()) : undefined);
    };
  }

  /** Reads all that were taken, of which the file must have as many, each finite in float32. */
  read(): void {
    const { value, path } = this.#field;
    if (!Array.isArray(value)) throw this.#field.error('a list of numbers');
    if (value.length !== this.#count) {
      const text = `${path} must be ${String(this.#count)} numbers, as the configuration says, got ${String(value.length)}`;
      throw stateDictError(path, text, value.length);
    }
    const wrong = value.findIndex((number) => typeof number !== 'number' || !Number.isFinite(Math.fround(number)));
    if (wrong >= 0) {
      const name = `${path}[${String(wrong)}]`;
      throw stateDictError(
        name,
        `${name} must be a number that is finite in float32, got ${show(value[wrong])}`,
        value[wrong],
      );
    }
    this.#numbers = Float32Array.from(value as number[]);
  }
}
