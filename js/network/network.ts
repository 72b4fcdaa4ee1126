import type { NetworkCopy } from '../background/network-copy.js';
import { whenCollected } from '../common/collected.js';
import { classError, Conv1dError, dtypeError, optionError, reading, shapeError, show } from '../common/errors.js';
import { Conv1d } from '../layer/conv1d.js';
import { type ActivationOption, readActivation } from '../layer/activation.js';
import type { ForwardAsyncOptions } from '../layer/async-options.js';
import type { DType } from '../layer/dtype.js';
import { forward, forwardAsync, outputShape } from '../layer/forward.js';
import { Graph } from '../layer/graph.js';
import type { ForwardOptions } from '../layer/output.js';
import type { Tensor } from '../layer/tensor.js';
import { elementwiseKinds } from '../runtime/core.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import { stepRecord, withRecords } from './steps.js';
import { Conv1dStream, type StreamOptions } from './stream.js';

type ElementwiseKind = (typeof elementwiseKinds)[number];

interface Step {
  input: number;
  other: number;
  channels: number;
  layer?: Conv1d;
  kind: ElementwiseKind;
  activation: unknown;
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

  #append(step: Partial<Step> & { channels: number }): NetworkValue {
    this.#steps.push({ input: this.#index, other: this.#index, kind: 'add', activation: 'none', ...step });
    return new NetworkValue(this.#steps, this.#steps.length, step.channels);
  }

  /** @internal The place of `value` in the network that has these steps, or -1. */
  static indexIn(steps: readonly Step[], value: unknown): number {
    return NetworkValue.owns(value) && value.#steps === steps ? value.#index : -1;
  }

  #pair(kind: 'add' | 'multiply', other: NetworkValue): NetworkValue {
    if (NetworkValue.indexIn(this.#steps, other) < 0) {
      throw optionError('other', 'a value of the same network', other);
    }
    if (other.channels !== this.channels) {
      const text = `both operands must have the same channels, got ${String(this.channels)} and ${String(other.channels)}`;
      throw shapeError('other', text, other.channels);
    }
    return this.#append({ kind, other: other.#index, channels: this.channels });
  }

  /**
   * `layer.forward` of this value.
   *
   * @throws Conv1dError ERR_OPTION (no Conv1d), ERR_SHAPE (channels that do not fit), ERR_DISPOSED.
   */
  conv(layer: Conv1d): NetworkValue {
    if (!Conv1d.owns(layer)) {
      throw classError('ERR_OPTION', 'layer', 'Conv1d', layer);
    }
    const { inChannels, outChannels } = layer.parts;
    if (inChannels !== this.channels) {
      const text = `the layer has inChannels ${String(inChannels)}, the value has ${String(this.channels)} channels`;
      throw shapeError('layer', text, inChannels);
    }
    return this.#append({ layer, channels: outChannels });
  }

  /**
   * The sum with a value of the same shape: a residual or skip connection.
   *
   * @throws Conv1dError ERR_OPTION (a value of another network), ERR_SHAPE (other channels).
   */
  add(other: NetworkValue): NetworkValue {
    return this.#pair('add', other);
  }

  /**
   * The product with a value of the same shape, element by element.
   *
   * @throws Conv1dError as `add`.
   */
  multiply(other: NetworkValue): NetworkValue {
    return this.#pair('multiply', other);
  }

  /**
   * tanh of the first half of the channels times sigmoid of the second: WaveNet's gated activation unit.
   *
   * @throws Conv1dError ERR_SHAPE (an odd number of channels).
   */
  gate(): NetworkValue {
    if (this.channels % 2 !== 0) {
      throw shapeError(
        'channels',
        `a gate needs an even number of channels, got ${String(this.channels)}`,
        this.channels,
      );
    }
    return this.#append({ kind: 'gate', channels: this.channels / 2 });
  }

  /** An activation that no layer can apply to its output, such as that of a sum. As in Conv1dOptions. */
  activation(activation: ActivationOption): NetworkValue {
    return this.#append({ kind: 'activation', activation, channels: this.channels });
  }
}

interface CheckedStep extends Step {
  /** Of a step without a layer. */
  record: Int32Array;
}

// Frees what is collected without having been disposed.
const registry = whenCollected<Graph>((graph) => {
  graph.free();
});

/**
 * Layers put together, to be streamed in one call or run over a whole signal: a list of them one after the other, or
 * whatever a function makes of the input.
 *
 * ```js
 * const block = new Network(16, (x) => x.add(x.conv(dilated).gate().conv(mix)));
 * ```
 */
export class Network {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly dtype: DType;
  readonly #runtime: LoadedRuntime;
  readonly #steps: readonly CheckedStep[];
  readonly #layers: readonly Conv1d[];
  /** Made when it is first needed. */
  #graph: Graph | null = null;
  #disposed = false;

  /**
   * @param layers one after the other, at least one.
   * @throws Conv1dError ERR_OPTION, ERR_SHAPE (channels that do not fit), ERR_DTYPE, ERR_DISPOSED.
   */
  constructor(layers: readonly Conv1d[]);
  /**
   * @param inChannels channels of the input.
   * @param build gives the network's output, made of its argument by the operations of `NetworkValue`.
   * @throws Conv1dError as above.
   */
  constructor(inChannels: number, build: (input: NetworkValue) => NetworkValue);
  constructor(first: readonly Conv1d[] | number, build?: (input: NetworkValue) => NetworkValue) {
    const [inChannels, describe] = readDescription(first, build);
    const steps: Step[] = [];
    const output = describe(new NetworkValue(steps, 0, inChannels));
    const last = NetworkValue.indexIn(steps, output);
    if (last < 0) {
      throw new Conv1dError(
        'ERR_OPTION',
        'build',
        `build must return a value made of its argument, got ${show(output)}`,
      );
    }
    const layers = steps.flatMap(({ layer }) => layer ?? []);
    const [one] = layers;
    if (!one) throw new Conv1dError('ERR_OPTION', 'layers', 'a network needs at least one layer');
    const { runtime, dtype } = one.parts;
    for (const layer of layers) {
      if (layer.parts.runtime !== runtime) {
        throw new Conv1dError('ERR_OPTION', 'layers', 'the layers of a network must be of one runtime');
      }
      if (layer.parts.dtype !== dtype) {
        const text = `the layers of a network must have one dtype, got ${dtype} and ${layer.parts.dtype}`;
        throw dtypeError('layers', text, layer.parts.dtype);
      }
    }
    this.#runtime = runtime;
    this.dtype = dtype;
    this.inChannels = inChannels;
    this.outChannels = output.channels;
    this.#steps = checkSteps(neededSteps(steps, last), runtime);
    this.#layers = [...new Set(this.#steps.flatMap(({ layer }) => layer ?? []))];
  }

  /** @internal Whether it is one, not a proxy of one. */
  static owns(value: unknown): value is Network {
    return typeof value === 'object' && value !== null && #steps in value;
  }

  /**
   * Fed piece by piece; a push is one call into wasm.
   *
   * @throws Conv1dError as `Conv1d.stream`, and ERR_SHAPE when the operands of a sum or product differ in length.
   */
  stream(options: StreamOptions): Conv1dStream {
    const { inChannels, outChannels, dtype } = this;
    const records = this.#records((layer) => layer.parts.plan);
    return new Conv1dStream({ runtime: this.#runtime, dtype, inChannels, outChannels, records }, options);
  }

  #records(planOf: (layer: Conv1d) => number): Int32Array[] {
    return this.#steps.map(({ input, layer, record }) => (layer ? stepRecord({ input, plan: planOf(layer) }) : record));
  }

  /** @internal For another thread. */
  copyNetwork(): NetworkCopy {
    const { inChannels, outChannels, dtype } = this;
    const layers = this.#layers;
    const records = this.#records((layer) => layers.indexOf(layer) + 1);
    return { inChannels, outChannels, dtype, records, layers: layers.flatMap((layer) => layer.copyNetwork().layers) };
  }

  /**
   * The shape that `forward` gives for an input of `inputShape`.
   *
   * @throws Conv1dError ERR_SHAPE, ERR_DISPOSED (one of the layers).
   */
  outputShape(inputShape: readonly number[]): number[] {
    return outputShape(this.#live(), inputShape);
  }

  /**
   * The output for a whole input (N, inChannels, L) or (inChannels, L), living where the input lives. Layer by layer, on
   * all threads. The network keeps memory for the signals between its layers until it is disposed or collected.
   *
   * @param options `out` takes the output: a tensor of its shape, dtype and placement that is not the input.
   * @throws Conv1dError as `Conv1d.forward`.
   */
  forward(input: Tensor, options?: ForwardOptions): Tensor {
    return forward(this.#live(), input, options);
  }

  /**
   * As `forward`, but in the runtime's worker, as `Conv1d.forwardAsync` is: this thread stays free, and the bits are the
   * same. The input and the weights are those of the time of the call.
   *
   * @throws Conv1dError (rejects) as `Conv1d.forwardAsync`.
   */
  async forwardAsync(input: Tensor, options: ForwardAsyncOptions = {}): Promise<Tensor> {
    const graph = this.#live();
    // Versions only grow, so that their sum tells whether one of them did.
    const version = this.#layers.reduce((sum, layer) => sum + layer.parts.version, 0);
    return forwardAsync(graph, input, options, version, () => this.copyNetwork());
  }

  /** C++'s network. Throws ERR_DISPOSED when it or one of its layers is disposed. */
  #live(): Graph {
    if (this.#disposed) throw new Conv1dError('ERR_DISPOSED', 'network', 'this network is disposed');
    for (const layer of this.#layers) layer.requireLive();
    if (this.#graph) return this.#graph;
    const { inChannels, outChannels, dtype } = this;
    const runtime = this.#runtime;
    const handle = withRecords(
      runtime,
      this.#records((layer) => layer.parts.plan),
      (at, count) => runtime.guard((core) => core.createNetwork(at, count, dtype === 'float16', inChannels)),
    );
    this.#graph = new Graph(runtime, { what: 'network', inChannels, outChannels, dtype }, handle);
    registry.register(this, this.#graph, this);
    return this.#graph;
  }

  /** Frees what the network takes beside its layers, which stay. Its streams stay too. May be called twice. */
  dispose(): void {
    this.#disposed = true;
    registry.unregister(this);
    this.#graph?.free();
    this.#graph = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The network in one line a step. */
  toString(): string {
    const name = (index: number) => (index === 0 ? 'input' : `v${String(index)}`);
    const lines = this.#steps.map(({ layer, kind, input, other, activation }, i) => {
      const what = layer
        ? `${layer.toString()} of ${name(input)}`
        : kind === 'activation'
          ? `${show(activation)} of ${name(input)}`
          : kind === 'gate'
            ? `gate of ${name(input)}`
            : `${name(input)} ${kind === 'add' ? '+' : '*'} ${name(other)}`;
      return `  ${name(i + 1)} = ${what}`;
    });
    return `Network(\n${lines.join('\n')}\n)`;
  }
}

function itemAt<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new RangeError(`there is no item ${String(index)}`);
  return item;
}

/** A list of layers, or null for what is no list. */
function readLayers(list: unknown): Conv1d[] | null {
  if (!Array.isArray(list)) return null;
  const layers: Conv1d[] = [];
  for (let i = 0; i < Math.max(list.length, 1); ++i) {
    const layer: unknown = list[i];
    if (list.length === 0) throw optionError('layers', 'a list of at least one Conv1d', list);
    if (!Conv1d.owns(layer)) throw classError('ERR_OPTION', `layers[${String(i)}]`, 'Conv1d', layer);
    layers.push(layer);
  }
  return layers;
}

function readDescription(
  first: readonly Conv1d[] | number,
  build: ((input: NetworkValue) => NetworkValue) | undefined,
): [number, (input: NetworkValue) => NetworkValue] {
  const layers = reading('ERR_OPTION', 'layers', first, () => readLayers(first));
  const [one] = layers ?? [];
  if (layers && one) {
    return [one.parts.inChannels, (input) => layers.reduce((value, layer) => value.conv(layer), input)];
  }
  if (!Number.isInteger(first) || (first as number) < 1) {
    throw optionError('inChannels', 'an integer >= 1', first);
  }
  if (typeof build !== 'function') {
    throw optionError('build', 'a function', build);
  }
  return [first as number, build];
}

/** The steps that value `last` depends on, numbered anew. */
function neededSteps(steps: readonly Step[], last: number): Step[] {
  const needed = new Set([last]);
  for (let value = last; value > 0; --value) {
    const { input, other } = itemAt(steps, value - 1);
    if (needed.has(value)) needed.add(input).add(other);
  }
  const kept = [...needed].filter((value) => value > 0).sort((a, b) => a - b);
  const renumbered = new Map([[0, 0], ...kept.map((value, i) => [value, i + 1] as const)]);
  return kept.map((value) => {
    const step = itemAt(steps, value - 1);
    return { ...step, input: renumbered.get(step.input) ?? 0, other: renumbered.get(step.other) ?? 0 };
  });
}

function checkSteps(steps: readonly Step[], runtime: LoadedRuntime): CheckedStep[] {
  return steps.map((step) => {
    const { input, other, kind, channels } = step;
    const { activation, parameters } = readActivation(step.activation, runtime.activations);
    const index = runtime.withCopy(Float64Array.from(parameters), (pointer) =>
      runtime.guard((core) => core.activationIndex(activation, pointer, parameters.length, channels)),
    );
    if (index < 0) throw runtime.lastError(step.activation);
    const isList = runtime.activations[index]?.perChannel === true && parameters.length > 1;
    const record = stepRecord({
      ...{ input, other, kind: elementwiseKinds.indexOf(kind), activation: index },
      ...(isList ? { channels: parameters } : { parameters }),
    });
    return { ...step, record };
  });
}
