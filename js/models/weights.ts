import { Conv1d, type Lstm, type Runtime, Tensor } from '../api.js';
import { type Conv1dError, stateDictError } from '../common/errors.js';
import type { Field } from './field.js';
import type { Operation } from './model.js';

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

type Layer = Conv1d | Lstm;

/** Makes the layers of a network and keeps count of them. */
export class Workshop {
  readonly #runtime: Runtime | undefined;
  /** Those that were made, by their place among them. */
  readonly layers: Record<string, Layer> = {};

  constructor(runtime: Runtime | undefined) {
    this.#runtime = runtime;
  }

  /** The layer that `make` makes in the runtime that it is given. */
  make<Made extends Layer>(make: (runtime: Runtime | undefined) => Made): Made {
    const layer = make(this.#runtime);
    this.layers[String(Object.keys(this.layers).length)] = layer;
    return layer;
  }

  dispose(): void {
    for (const layer of Object.values(this.layers)) layer.dispose();
  }
}

/** A model's weights, one after the other: all are counted and checked before the first layer is made. */
export class Weights {
  #count = 0;
  #numbers = new Float32Array(0);
  readonly #writers: ((numbers: Float32Array) => void)[] = [];
  readonly #field: Field;
  readonly #given: readonly unknown[];
  readonly workshop: Workshop;

  constructor(field: Field, workshop: Workshop) {
    if (!Array.isArray(field.value)) throw field.error('a list of numbers');
    this.#field = field;
    this.#given = field.value;
    this.workshop = workshop;
  }

  /** The list of the file. */
  get given(): readonly unknown[] {
    return this.#given;
  }

  /** `write` puts what has been trained since where the numbers came from. */
  onWrite(write: (numbers: Float32Array) => void): void {
    this.#writers.push(write);
  }

  /** The numbers as they are now. */
  write(): number[] {
    const numbers = this.#numbers.slice();
    for (const write of this.#writers) write(numbers);
    return Array.from(numbers);
  }

  /** Where the next ones begin. */
  get position(): number {
    return this.#count;
  }

  /** The next `count`, to be asked for after `read`. */
  take(count: number): () => Float32Array<ArrayBuffer> {
    const begin = this.#count;
    this.#count += count;
    if (this.#count > this.#given.length) throw this.#countError(`at least ${String(this.#count)}`);
    return () => this.#numbers.subarray(begin, begin + count);
  }

  #countError(wanted: string): Conv1dError {
    const { path } = this.#field;
    const { length } = this.#given;
    const text = `${path} must be ${wanted} numbers, as the configuration says, got ${String(length)}`;
    return stateDictError(path, text, length);
  }

  /** The last of all, to be asked for after `read`. */
  get last(): number {
    return this.#numbers.at(-1) ?? NaN;
  }

  /** A convolution of the next weights: (outChannels, inChannels / groups, kernelSize), then the bias. */
  conv(sizes: ConvSizes, { path }: Field): Operation {
    const { inChannels, outChannels, kernelSize = 1, dilation = 1, groups = 1, bias = true } = sizes;
    const { scale = () => 1 } = sizes;
    const isScaled = sizes.scale !== undefined;
    for (const channels of [inChannels, outChannels]) {
      if (channels % groups === 0) continue;
      const text = `${path}: ${String(groups)} groups must divide the channels, got ${String(channels)}`;
      throw stateDictError(path, text, groups);
    }
    const begin = this.position;
    const weight = this.take(outChannels * (inChannels / groups) * kernelSize);
    const shift = bias ? this.take(outChannels) : null;
    return (x) => {
      const factor = scale();
      const scaled = (numbers: Float32Array, shape: number[]) =>
        new Tensor(
          numbers.map((number) => number * factor),
          shape,
        );
      const parameters = {
        weight: scaled(weight(), [outChannels, inChannels / groups, kernelSize]),
        bias: shift ? scaled(shift(), [outChannels]) : false,
      };
      const options = {
        inChannels,
        outChannels,
        kernelSize,
        dilation,
        groups,
        padding: 'causal',
        ...parameters,
      } as const;
      const layer = this.workshop.make((runtime) => new Conv1d({ ...options, runtime }));
      this.onWrite((numbers) => {
        const { weight: trained, bias: shifts } = layer;
        numbers.set(trained.numbers(), begin);
        if (shifts) numbers.set(shifts.numbers(), begin + trained.size);
        if (isScaled) numbers.set([1], numbers.length - 1); // what it was scaled by is in its weights
      });
      return x.conv(layer);
    };
  }

  /** Reads all that were taken, which must be all that there are, each finite in float32. */
  read(): void {
    if (this.#count !== this.#given.length) throw this.#countError(String(this.#count));
    const isFit = (number: unknown) => typeof number === 'number' && Number.isFinite(Math.fround(number));
    const wrong = this.#given.findIndex((number) => !isFit(number));
    if (wrong >= 0) throw this.#field.item(wrong).error('a number that is finite in float32');
    this.#numbers = Float32Array.from(this.#given as number[]);
  }
}
