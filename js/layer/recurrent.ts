// LSTM and GRU, with PyTorch's names and order of weights.
import type { RecurrentCopy } from '../background/network-copy.js';
import { whenCollected } from '../common/collected.js';
import { Conv1dError, optionError, pickOptions, shapeError } from '../common/errors.js';
import { drawSeed, makeRandom } from '../common/random.js';
import { requireRuntime } from '../runtime/default.js';
import type { LoadedRuntime, Runtime } from '../runtime/runtime.js';
import { type LoadOptions, readNamed } from './named-parameters.js';
import type { TrainedParameter } from './trained-parameter.js';
import { Tensor } from './tensor.js';

/** The options of an LSTM or a GRU: PyTorch's, in camel case. */
export interface RecurrentOptions {
  /** Channels of the input, >= 1. */
  inputSize: number;
  /** Channels of the state, and of the output of each direction, >= 1. */
  hiddenSize: number;
  /** Layers, each of which reads the output of the one before, >= 1. Default 1. */
  numLayers?: number;
  /** Whether there are biases. Default true. */
  bias?: boolean;
  /** Whether a second one reads the signal backwards; the output has the channels of both. Not in streams. Default false. */
  bidirectional?: boolean;
}

interface Part {
  readonly name: string;
  readonly shape: readonly number[];
  /** Where it begins, in floats. */
  readonly at: number;
}

/** One direction of one layer as C++ has it. */
interface Cell {
  readonly handle: number;
  readonly inputSize: number;
  readonly parts: readonly Part[];
}

interface Owned {
  readonly runtime: LoadedRuntime;
  readonly cells: Cell[];
}

function destroy({ runtime, cells }: Owned): void {
  for (const { handle } of cells.splice(0)) {
    runtime.free((core) => {
      core.destroyRecurrent(handle);
    });
  }
}

// Frees what is collected without having been disposed.
const registry = whenCollected<Owned>(destroy);

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

/** What `Lstm` and `Gru` have in common. */
export abstract class Recurrent {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bidirectional: boolean;
  readonly #cell: 'lstm' | 'gru';
  readonly #owned: Owned;
  #version = 0;

  /** @internal */
  protected constructor(cell: 'lstm' | 'gru', options: RecurrentOptions & { runtime?: Runtime }) {
    const names = ['inputSize', 'hiddenSize', 'numLayers', 'bias', 'bidirectional', 'runtime'] as const;
    const given = pickOptions(options, names);
    const { inputSize, hiddenSize, numLayers = 1, bias = true, bidirectional = false } = given;
    for (const [name, value] of Object.entries({ inputSize, hiddenSize, numLayers })) {
      const isFit = Number.isInteger(value) && value >= 1 && value < 2 ** 20;
      if (!isFit) throw optionError(name, 'an integer from 1 to 2^20 - 1', value);
    }
    for (const [name, value] of Object.entries({ bias, bidirectional })) {
      if (typeof value !== 'boolean') throw optionError(name, 'a boolean', value);
    }
    this.#cell = cell;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.bidirectional = bidirectional;
    const runtime = requireRuntime(given.runtime);
    this.#owned = { runtime, cells: [] };
    registry.register(this, this.#owned, this);
    try {
      for (let layer = 0; layer < numLayers; ++layer) {
        const own = layer === 0 ? inputSize : hiddenSize * (bidirectional ? 2 : 1);
        for (const suffix of bidirectional ? ['', '_reverse'] : ['']) {
          this.#owned.cells.push(this.#makeCell(`l${String(layer)}${suffix}`, own, bias));
        }
      }
      this.resetParameters();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  #makeCell(suffix: string, inputSize: number, bias: boolean): Cell {
    const { runtime } = this.#owned;
    const rows = this.hiddenSize * this.gates;
    const handle = runtime.guard((core) => core.createRecurrent(this.#cell, inputSize, this.hiddenSize));
    if (handle === 0) throw runtime.lastError(undefined);
    const shapes: Record<string, number[]> = { weight_ih: [rows, inputSize], weight_hh: [rows, this.hiddenSize] };
    if (bias) Object.assign(shapes, { bias_ih: [rows], bias_hh: [rows] });
    let at = 0;
    const parts = Object.entries(shapes).map(([name, shape]) => {
      const part = { name: `${name}_${suffix}`, shape, at };
      at += sizeOf(shape);
      return part;
    });
    return { handle, inputSize, parts };
  }

  /** @internal Whether `value` is one, not a proxy of one. */
  static owns(value: unknown): value is Recurrent {
    return typeof value === 'object' && value !== null && #owned in value;
  }

  get #cells(): readonly Cell[] {
    this.requireLive();
    return this.#owned.cells;
  }

  /** @internal Throws ERR_DISPOSED. */
  requireLive(): void {
    if (this.#owned.cells.length === 0) throw new Conv1dError('ERR_DISPOSED', 'layer', 'this layer is disposed');
    this.#owned.runtime.requireLive();
  }

  /** @internal Rows of a weight for each channel of the state. */
  get gates(): number {
    return this.#cell === 'lstm' ? 4 : 3;
  }

  /** @internal What networks are made of: the cells of each layer. */
  get parts() {
    const directions = this.bidirectional ? 2 : 1;
    const handles = this.#cells.map(({ handle }) => handle);
    const layers = Array.from({ length: this.numLayers }, (_, i) =>
      handles.slice(i * directions, (i + 1) * directions),
    );
    const { runtime } = this.#owned;
    return { kind: 'recurrent', runtime, dtype: null, version: this.#version, layers } as const;
  }

  /** @internal What training changes, in the order in which C++ has it in each cell. */
  get trained(): readonly TrainedParameter[] {
    return this.#cells.flatMap(({ handle, parts }) => parts.map((part) => ({ ...part, cell: handle })));
  }

  /** @internal For another thread, by handle. */
  copies(): Map<number, RecurrentCopy> {
    const { hiddenSize } = this;
    return new Map(
      this.#cells.map((cell) => {
        const options = { cell: this.#cell, inputSize: cell.inputSize, hiddenSize };
        const rows = hiddenSize * this.gates;
        const weights = this.#read(cell, 0, rows * (cell.inputSize + hiddenSize + 2)).buffer;
        return [cell.handle, { options, weights }] as const;
      }),
    );
  }

  #read({ handle }: Cell, at: number, count: number): Float32Array<ArrayBuffer> {
    const { runtime } = this.#owned;
    const begin = runtime.guard((core) => core.recurrentWeights(handle)) / 4 + at;
    return new Float32Array(runtime.floats.subarray(begin, begin + count));
  }

  #update(handle: number, at: number, change: (address: number) => void): void {
    const { runtime } = this.#owned;
    change(runtime.guard((core) => core.recurrentWeights(handle)) + 4 * at);
    runtime.guard((core) => {
      core.recurrentChanged(handle);
    });
    ++this.#version;
  }

  #write({ handle }: Cell, at: number, values: Float32Array): void {
    this.#update(handle, at, (address) => this.#owned.runtime.floats.set(values, address / 4));
  }

  /** @internal Lets `change` write a parameter at its address. */
  updateTrained({ cell = 0, at }: TrainedParameter, change: (address: number) => void): void {
    this.#update(cell, at, change);
  }

  /**
   * Copies of the weights by PyTorch's names: `weight_ih_l0` (gates * hiddenSize, inputSize), `weight_hh_l0`, `bias_ih_l0`,
   * `bias_hh_l0` and so on for each layer, with `_reverse` behind those of the second direction.
   *
   * @throws Conv1dError ERR_DISPOSED.
   */
  stateDict(): Record<string, Tensor> {
    const entries = this.#cells.flatMap((cell) =>
      cell.parts.map(({ name, shape, at }) => [name, new Tensor(this.#read(cell, at, sizeOf(shape)), shape)] as const),
    );
    return Object.fromEntries(entries);
  }

  /**
   * Takes the weights from `dict`, under names that start with `prefix` (default none). With `strict` (default true) a
   * missing name, or another one that starts with the prefix, is an error. All or nothing is loaded.
   *
   * @throws Conv1dError ERR_STATE_DICT, ERR_OPTION, ERR_DISPOSED.
   */
  loadStateDict(dict: Record<string, Tensor>, options: LoadOptions = {}): void {
    const parameters = this.#cells.flatMap((cell) => cell.parts.map((part) => ({ ...part, cell })));
    for (const [{ cell, at }, numbers] of readNamed(dict, options, parameters, [])) {
      this.#write(cell, at, Float32Array.from(numbers));
    }
  }

  /**
   * Draws new weights: all uniform in +-1 / sqrt(hiddenSize), PyTorch's rule.
   *
   * @param options `seed`: an integer from 0 to 2^32 - 1 that makes the draw repeatable. Default: another one each time.
   * @throws Conv1dError ERR_OPTION, ERR_DISPOSED.
   */
  resetParameters(options: { seed?: number } = {}): void {
    const { seed = drawSeed() } = pickOptions(options, ['seed']);
    const uniform = makeRandom(seed);
    const limit = 1 / Math.sqrt(this.hiddenSize);
    for (const cell of this.#cells) {
      for (const { shape, at } of cell.parts) {
        this.#write(
          cell,
          at,
          Float32Array.from({ length: sizeOf(shape) }, () => limit * (2 * uniform() - 1)),
        );
      }
    }
  }

  /** Frees the layer's memory; networks and streams that have it keep theirs. May be called twice. */
  dispose(): void {
    registry.unregister(this);
    destroy(this.#owned);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The layer in one line, as PyTorch prints it. */
  toString(): string {
    const { inputSize, hiddenSize, numLayers, bidirectional } = this;
    const layers = numLayers === 1 ? '' : `, numLayers=${String(numLayers)}`;
    const name = this.#cell === 'lstm' ? 'Lstm' : 'Gru';
    return `${name}(${String(inputSize)}, ${String(hiddenSize)}${layers}${bidirectional ? ', bidirectional=true' : ''})`;
  }

  /** @internal Throws ERR_SHAPE. */
  checkChannels(channels: number): void {
    if (channels === this.inputSize) return;
    const text = `the layer has inputSize ${String(this.inputSize)}, the value has ${String(channels)} channels`;
    throw shapeError('layer', text, this.inputSize);
  }
}

/** An LSTM over time, as PyTorch's `LSTM`; its states begin with 0. It is a step of networks, see `NetworkValue.apply`. */
export class Lstm extends Recurrent {
  /** @throws Conv1dError ERR_OPTION, ERR_NOT_INITIALIZED, ERR_OUT_OF_MEMORY. */
  constructor(options: RecurrentOptions & { runtime?: Runtime }) {
    super('lstm', options);
  }
}

/** A GRU over time, as PyTorch's `GRU`; its state begins with 0. It is a step of networks, see `NetworkValue.apply`. */
export class Gru extends Recurrent {
  /** @throws Conv1dError ERR_OPTION, ERR_NOT_INITIALIZED, ERR_OUT_OF_MEMORY. */
  constructor(options: RecurrentOptions & { runtime?: Runtime }) {
    super('gru', options);
  }
}
