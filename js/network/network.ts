import type { LayerCopy, NetworkCopy } from '../background/network-copy.js';
import { whenCollected } from '../common/collected.js';
import {
  classError,
  Conv1dError,
  dtypeError,
  optionError,
  pickOptions,
  reading,
  show,
  stateDictError,
} from '../common/errors.js';
import { checkSeed, drawSeed } from '../common/random.js';
import type { LoadStateDictOptions } from '../files/state-dict.js';
import { readActivation } from '../layer/activation.js';
import type { ForwardAsyncOptions } from '../layer/async-options.js';
import { Convolution } from '../layer/convolution.js';
import type { DType } from '../layer/dtype.js';
import { forward, forwardAsync, outputShape } from '../layer/forward.js';
import { Graph } from '../layer/graph.js';
import type { ForwardOptions } from '../layer/output.js';
import type { ResetOptions } from '../layer/parameters.js';
import { Recurrent } from '../layer/recurrent.js';
import { checkShape, splitShape, type Tensor } from '../layer/tensor.js';
import type { UpdatedParameter } from '../layer/trained-parameter.js';
import { requireRuntime } from '../runtime/default.js';
import type { LoadedRuntime, Runtime } from '../runtime/runtime.js';
import { ChannelLayer } from './norm.js';
import type { StepParts } from './parts.js';
import { type ParameterPlace, readMemory, Recording, type RecordOptions } from './recording.js';
import { describeGraph } from './steps.js';
import { Conv1dStream, type StreamOptions } from './stream.js';
import { summarize } from './summary.js';
import { type Layer, NetworkValue, type Step } from './value.js';

type Build = (input: NetworkValue) => NetworkValue;

/** What a network is beside its steps. */
export interface NetworkOptions {
  /**
   * The names that its layers have in state dictionaries. Default: none, or in a list their places; `Network.sequential` gives
   * them itself.
   */
  layers?: Readonly<Record<string, Layer>>;
  /** Default: that of its layers, or the one that `init` made. */
  runtime?: Runtime;
  /** Of a network without convolutions, default `'float32'`; the others have that of their layers. */
  dtype?: DType;
}

/** A step of `Network.sequential`: a layer, a function of the value before it, or a network. */
export type SequentialItem = Layer | Network | ((input: NetworkValue) => NetworkValue);

/** `NetworkOptions` without names, and channels of the input where the first step does not tell. */
export type SequentialOptions = Omit<NetworkOptions, 'layers'> & { inChannels?: number };

// Frees what is collected without having been disposed.
const registry = whenCollected<Graph>((graph) => {
  graph.free();
});

const versionOf = (layer: Layer): number => (ChannelLayer.owns(layer) ? layer.version : layer.parts.version);

/**
 * Layers and operations put together, to be streamed in one call or run over a whole signal: a list of layers one after
 * the other, or whatever a function makes of the input.
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
  readonly #steps: readonly Step[];
  readonly #layers: readonly Layer[];
  readonly #names: ReadonlyMap<string, Layer>;
  /** Made when it is first needed, and again when the numbers of an operation changed. */
  #graph: Graph | null = null;
  #numbersVersion = 0;
  #disposed = false;

  /**
   * @param layers one after the other, at least one.
   * @throws Conv1dError ERR_OPTION, ERR_SHAPE (channels that do not fit), ERR_DTYPE, ERR_DISPOSED, ERR_NOT_INITIALIZED.
   */
  constructor(layers: readonly Convolution[]);
  /**
   * @param inChannels channels of the input.
   * @param build gives the network's output, made of its argument by the operations of `NetworkValue`.
   * @throws Conv1dError as above.
   */
  constructor(inChannels: number, build: (input: NetworkValue) => NetworkValue, options?: NetworkOptions);
  constructor(first: readonly Convolution[] | number, build?: Build, options: NetworkOptions = {}) {
    const given = pickOptions(options, ['layers', 'runtime', 'dtype']);
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
    if (last === 0) throw new Conv1dError('ERR_OPTION', 'build', 'a network needs at least one step');
    const layers = [...new Set(steps.flatMap(({ layer }) => layer ?? []))];
    const convolutions = layers.filter((layer) => Convolution.owns(layer));
    const owners = layers.flatMap((layer) => (ChannelLayer.owns(layer) ? [] : [layer.parts]));
    const runtime = owners[0]?.runtime ?? requireRuntime(given.runtime);
    const dtype = convolutions[0]?.parts.dtype ?? given.dtype ?? 'float32';
    if (dtype !== 'float32' && dtype !== 'float16') throw optionError('dtype', "'float32' or 'float16'", dtype);
    for (const parts of owners) {
      if (parts.runtime !== runtime || (given.runtime !== undefined && given.runtime !== parts.runtime)) {
        throw new Conv1dError('ERR_OPTION', 'layers', 'the layers of a network must be of one runtime');
      }
      if (parts.dtype !== null && parts.dtype !== (given.dtype ?? dtype)) {
        const text = `the layers of a network must have one dtype, got ${given.dtype ?? dtype} and ${parts.dtype}`;
        throw dtypeError('layers', text, parts.dtype);
      }
    }
    this.#runtime = runtime;
    this.dtype = dtype;
    this.inChannels = inChannels;
    this.outChannels = output.channels;
    this.#steps = withActivations(neededSteps(steps, last), runtime);
    this.#layers = [...new Set(this.#steps.flatMap(({ layer }) => layer ?? []))];
    this.#names = new Map(
      Object.entries(given.layers ?? (Array.isArray(first) ? Object.fromEntries(first.entries()) : {})),
    );
    for (const [name, layer] of this.#names) {
      if (!this.#layers.includes(layer)) {
        throw optionError(`layers.${name}`, 'a layer that the network has', layer);
      }
    }
  }

  /**
   * Steps one after the other, as PyTorch's `nn.Sequential`: in state dictionaries a layer's names begin with its place, or
   * with its key where an object is given, and a dot. Functions count as places too, as PyTorch's modules without
   * parameters do.
   *
   * ```js
   * const net = Network.sequential([conv, (x) => x.activation('relu'), (x) => x.maxPool(2), linear]);
   * net.loadStateDict(readSafetensors(file)); // '0.weight', '0.bias', '3.weight', '3.bias'
   * ```
   *
   * @throws Conv1dError as the constructor.
   */
  static sequential(
    items: readonly SequentialItem[] | Readonly<Record<string, SequentialItem>>,
    options: SequentialOptions = {},
  ): Network {
    const { inChannels, ...given } = pickOptions(options, ['inChannels', 'runtime', 'dtype']);
    const entries = Object.entries(items);
    const layers: Record<string, Layer> = {};
    for (const [name, item] of entries) {
      if (Network.owns(item)) {
        for (const [inner, layer] of item.#names) layers[`${name}.${inner}`] = layer;
      } else if (isLayer(item)) {
        layers[name] = item;
      } else if (typeof item !== 'function') {
        throw optionError(`items[${name}]`, 'a layer, a Network or a function', item);
      }
    }
    const first = entries[0]?.[1];
    const known = first === undefined || typeof first === 'function' ? undefined : channelsOf(first);
    const build: Build = (input) =>
      entries.reduce((value, [, item]) => {
        if (Network.owns(item)) return value.follow(item.#steps, item.inChannels);
        return isLayer(item) ? value.apply(item) : item(value);
      }, input);
    return new Network(inChannels ?? known ?? NaN, build, { ...given, layers });
  }

  /** @internal Whether it is one, not a proxy of one. */
  static owns(value: unknown): value is Network {
    return typeof value === 'object' && value !== null && #steps in value;
  }

  /**
   * Fed piece by piece; a push is one call into wasm.
   *
   * @throws Conv1dError as `Conv1d.stream`; ERR_SHAPE when the operands of a step differ in length; ERR_UNSUPPORTED for
   *   steps that need the whole signal.
   */
  stream(options: StreamOptions): Conv1dStream {
    const { inChannels, outChannels, dtype } = this;
    return new Conv1dStream({ runtime: this.#runtime, dtype, inChannels, outChannels, steps: this.#parts() }, options);
  }

  /** The steps as C++ is told them. */
  #parts(): StepParts[] {
    return this.#steps.map(({ operands, kind, numbers, layer, cell = 0, channels }) => {
      if (Convolution.owns(layer)) return { operands, kind, numbers, layer: layer.parts.plan };
      layer?.requireLive();
      return { operands, kind, numbers: ChannelLayer.owns(layer) ? layer.numbers(channels) : numbers, layer: cell };
    });
  }

  /** @internal For another thread. */
  copyNetwork(): NetworkCopy {
    const { inChannels, outChannels, dtype } = this;
    const copies = new Map<number, LayerCopy>();
    for (const layer of this.#layers) {
      if (Recurrent.owns(layer)) layer.copies().forEach((copy, handle) => copies.set(handle, copy));
      else if (Convolution.owns(layer)) {
        for (const copy of layer.copyNetwork().layers) copies.set(layer.parts.plan, copy);
      }
    }
    const handles = [...copies.keys()];
    const steps = this.#parts().map((step) => ({ ...step, layer: handles.indexOf(step.layer) }));
    return { inChannels, outChannels, dtype, steps, layers: [...copies.values()] };
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
   * The output for a whole input (N, inChannels, L) or (inChannels, L), living where the input lives. Step by step, on
   * all threads. The network keeps memory for the signals between its steps until it is disposed or collected.
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
    return forwardAsync(graph, input, options, this.#version(), () => this.copyNetwork());
  }

  /**
   * As `forward`, keeping what the gradient of the network needs:
   *
   * ```js
   * const recording = network.record(input);
   * const { value, gradient } = loss.of(recording.output, target);
   * const { parameters } = recording.backward(gradient); // { '0.weight': Tensor, ... }
   * recording.dispose();
   * ```
   *
   * @throws Conv1dError as `forward`; ERR_OPTION, ERR_UNSUPPORTED for float16, ERR_OUT_OF_MEMORY.
   */
  record(input: Tensor, options: RecordOptions = {}): Recording {
    const graph = this.#live();
    const learned = () => {
      this.#learn(graph);
    };
    return Recording.make(graph, input, options, { places: this.#places(), version: () => this.#version(), learned });
  }

  /**
   * Bytes of wasm memory in which `record` keeps signals and gradients of an input of `inputShape`; kernels need some more.
   *
   * @throws Conv1dError ERR_SHAPE, ERR_OPTION, ERR_DISPOSED.
   */
  recordingBytes(inputShape: readonly number[], options: Pick<RecordOptions, 'memory'> = {}): number {
    const lowMemory = readMemory(pickOptions(options, ['memory']).memory) === 'low';
    const graph = this.#live();
    const shape = checkShape('input', inputShape);
    const [batch, length] = splitShape('input', shape, this.inChannels, 'network');
    return graph.recordingBytes(batch, length, lowMemory, shape);
  }

  /** @internal The named parameters that training changes, and whose memory they lie in. */
  trained(): { runtime: LoadedRuntime; parameters: Map<string, UpdatedParameter> } {
    const runtime = this.#runtime;
    const entries = this.#trainedLayers().flatMap(([name, layer]) =>
      layer.trained.map((parameter): [string, UpdatedParameter] => {
        const update: UpdatedParameter['update'] = (change, scratch) =>
          layer.updateTrained(parameter, change, runtime, scratch);
        return [`${name}.${parameter.name}`, { shape: parameter.shape, update }];
      }),
    );
    return { runtime, parameters: new Map(entries) };
  }

  /** The layers that have names, each once: by the first, as in PyTorch's named_parameters. */
  #trainedLayers(): [string, Layer][] {
    const entries = [...this.#names];
    return entries.filter(([, layer], i) => entries.findIndex(([, other]) => other === layer) === i);
  }

  /** Where the gradients of all named parameters are. */
  #places(): ParameterPlace[] {
    return this.#trainedLayers().flatMap(([name, layer]) =>
      layer.trained.map((parameter) => {
        const { cell, shape, at } = parameter;
        const isOwn = (step: Step) => step.layer === layer && (cell === undefined || step.cell === cell);
        const steps = this.#steps.flatMap((step, i) => (isOwn(step) ? [i] : []));
        // C++ adds those of steps that share its layer or cell.
        const own = ChannelLayer.owns(layer) ? steps : steps.slice(0, 1);
        return { name: `${name}.${parameter.name}`, shape, at, steps: own };
      }),
    );
  }

  /**
   * Copies of the parameters of all layers that have names, each with its layer's and a dot in front.
   *
   * @throws Conv1dError ERR_DISPOSED.
   */
  stateDict(): Record<string, Tensor> {
    const dict: Record<string, Tensor> = {};
    for (const [name, layer] of this.#names) {
      for (const [key, value] of Object.entries(layer.stateDict())) dict[`${name}.${key}`] = value;
    }
    return dict;
  }

  /**
   * Takes the parameters of all layers that have names, see `stateDict`, as each layer's `loadStateDict` does. Streams
   * have new weights of convolutions and recurrent layers from their next push on; they keep the norms that they began with.
   *
   * With `strict` (default true) missing and unexpected names are an error that lists them. All or nothing is loaded.
   *
   * @throws Conv1dError ERR_STATE_DICT, ERR_OPTION (no layer has a name), ERR_DISPOSED.
   */
  loadStateDict(
    dict: Record<string, Tensor>,
    options: Pick<LoadStateDictOptions, 'strict' | 'prefix' | 'layout'> = {},
  ): void {
    const { strict = true, prefix = '', layout } = pickOptions(options, ['strict', 'prefix', 'layout']);
    if (typeof prefix !== 'string') throw optionError('prefix', 'a string', prefix);
    if (this.#names.size === 0) {
      const text = 'no layer of this network has a name: make it with Network.sequential, or with the option layers';
      throw new Conv1dError('ERR_OPTION', 'layers', text);
    }
    const problems: Error[] = [];
    const before = [...this.#names.values()].map((layer) => [layer, layer.stateDict()] as const);
    const prefixes = [...this.#names.keys()].map((name) => `${prefix}${name}.`);
    for (const [name, layer] of this.#names) {
      try {
        const own = { strict, prefix: `${prefix}${name}.` };
        if (Convolution.owns(layer)) layer.loadStateDict(dict, layout === undefined ? own : { ...own, layout });
        else layer.loadStateDict(dict, own);
      } catch (error) {
        problems.push(error as Error);
      }
    }
    const isExpected = (key: string) => !key.startsWith(prefix) || prefixes.some((own) => key.startsWith(own));
    const unexpected = strict ? Object.keys(dict).filter((key) => !isExpected(key)) : [];
    if (unexpected.length > 0) {
      problems.push(stateDictError('dict', `no layer has the names ${show(unexpected)}`, unexpected));
    }
    const [problem] = problems;
    if (!problem) return;
    for (const [layer, own] of before) layer.loadStateDict(own);
    if (problems.length === 1 || !(problem instanceof Conv1dError)) throw problem;
    const text = problems.map(({ message }) => message).join('; ');
    throw stateDictError(problem.field, text, problem.got, problem);
  }

  /** Grows with each change of a layer's parameters, as their own versions do. */
  #version(): number {
    return this.#layers.reduce((sum, layer) => sum + versionOf(layer), 0);
  }

  /**
   * Draws new parameters for all layers that have names, as each layer's `resetParameters` does.
   *
   * @param options `scheme` is that of convolutions. `seed`: an integer from 0 to 2^32 - 1, of the first layer; each takes
   *   the next.
   * @throws Conv1dError ERR_OPTION, ERR_DISPOSED.
   */
  resetParameters(options: ResetOptions = {}): void {
    const { scheme, seed = drawSeed() } = pickOptions(options, ['scheme', 'seed']);
    checkSeed(seed);
    [...this.#names.values()].forEach((layer, i) => {
      const own = (seed + i) % 2 ** 32;
      if (ChannelLayer.owns(layer)) layer.resetParameters();
      else if (Recurrent.owns(layer)) layer.resetParameters({ seed: own });
      else layer.resetParameters(scheme === undefined ? { seed: own } : { scheme, seed: own });
    });
  }

  /** C++'s network. Throws ERR_DISPOSED when it or one of its layers is disposed. */
  #live(): Graph {
    if (this.#disposed) throw new Conv1dError('ERR_DISPOSED', 'network', 'this network is disposed');
    let version = 0;
    for (const layer of this.#layers) {
      if (ChannelLayer.owns(layer)) version += layer.version;
      else layer.requireLive();
    }
    if (this.#graph) {
      if (version !== this.#numbersVersion) this.#renew(this.#graph);
      this.#numbersVersion = version;
      return this.#graph;
    }
    const { inChannels, outChannels, dtype } = this;
    const runtime = this.#runtime;
    describeGraph(runtime, { dtype, inChannels, steps: this.#parts() });
    const handle = runtime.guard((core) => core.createNetwork());
    this.#numbersVersion = version;
    this.#graph = new Graph(runtime, { what: 'network', inChannels, outChannels, dtype }, handle);
    registry.register(this, this.#graph, this);
    return this.#graph;
  }

  /** Gives C++'s network the numbers of now. */
  #renew({ runtime, handle }: Graph): void {
    this.#steps.forEach(({ layer, channels }, step) => {
      if (!ChannelLayer.owns(layer)) return;
      const numbers = Float64Array.from(layer.numbers(channels));
      runtime.withCopy(numbers, (pointer) => {
        runtime.guard((core) => {
          core.renewOperation(handle, step, pointer, numbers.length);
        });
      });
    });
  }

  /** Gives layers the numbers that training moved in C++'s network. */
  #learn({ runtime, handle }: Graph): void {
    this.#steps.forEach(({ layer }, step) => {
      if (!ChannelLayer.owns(layer)) return;
      layer.learn?.((count) => {
        const begin = runtime.guard((core) => core.operationNumbers(handle, step)) / 4;
        return new Float64Array(runtime.floats.slice(begin, begin + 2 * count).buffer);
      });
    });
  }

  #free(): void {
    registry.unregister(this);
    this.#graph?.free();
    this.#graph = null;
  }

  /**
   * A table of the steps for an input of `inputShape`, for people: output shape, parameters, operations (2 for each
   * product of a convolution), receptive field and latency in samples of the input.
   *
   * @throws Conv1dError ERR_SHAPE, ERR_DISPOSED.
   */
  summary(inputShape: readonly number[]): string {
    this.outputShape(inputShape);
    const { inChannels, dtype } = this;
    return summarize(this.#runtime, { inChannels, dtype, steps: this.#parts() }, this.#steps, inputShape);
  }

  /** Frees what the network takes beside its layers, which stay. Its streams stay too. May be called twice. */
  dispose(): void {
    this.#disposed = true;
    this.#free();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The network in one line a step. */
  toString(): string {
    const name = (index: number) => (index === 0 ? 'input' : `v${String(index)}`);
    const lines = this.#steps.map(({ operands, text }, i) => {
      const left = [...operands];
      return `  ${name(i + 1)} = ${text.replace(/%/g, () => name(left.shift() ?? 0))}`;
    });
    return `Network(\n${lines.join('\n')}\n)`;
  }
}

const isLayer = (item: unknown): item is Layer =>
  Convolution.owns(item) || Recurrent.owns(item) || ChannelLayer.owns(item);

function channelsOf(item: Layer | Network): number | undefined {
  if (Network.owns(item)) return item.inChannels;
  if (Recurrent.owns(item)) return item.inputSize;
  return ChannelLayer.owns(item) ? (item.channels ?? undefined) : item.parts.inChannels;
}

function itemAt<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new RangeError(`there is no item ${String(index)}`);
  return item;
}

/** A list of layers, or null for what is no list. */
function readLayers(list: unknown): Convolution[] | null {
  if (!Array.isArray(list)) return null;
  const layers: Convolution[] = [];
  for (let i = 0; i < Math.max(list.length, 1); ++i) {
    const layer: unknown = list[i];
    if (list.length === 0) throw optionError('layers', 'a list of at least one Conv1d', list);
    if (!Convolution.owns(layer)) throw classError('ERR_OPTION', `layers[${String(i)}]`, 'Conv1d', layer);
    layers.push(layer);
  }
  return layers;
}

function readDescription(first: readonly Convolution[] | number, build: Build | undefined): [number, Build] {
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
    if (needed.has(value)) for (const operand of itemAt(steps, value - 1).operands) needed.add(operand);
  }
  const kept = [...needed].filter((value) => value > 0).sort((a, b) => a - b);
  const renumbered = new Map([[0, 0], ...kept.map((value, i) => [value, i + 1] as const)]);
  return kept.map((value) => {
    const step = itemAt(steps, value - 1);
    return { ...step, operands: step.operands.map((operand) => renumbered.get(operand) ?? 0) };
  });
}

/** The steps with the numbers of their activations, which C++ checks. */
function withActivations(steps: readonly Step[], runtime: LoadedRuntime): Step[] {
  return steps.map((step) => {
    if (step.kind !== 'activation') return step;
    const { activation, parameters } = readActivation(step.activation, runtime.activations);
    const index = runtime.withCopy(Float64Array.from(parameters), (pointer) =>
      runtime.guard((core) => core.activationIndex(activation, pointer, parameters.length, step.channels)),
    );
    if (index < 0) throw runtime.lastError(step.activation);
    return { ...step, numbers: [index, ...parameters] };
  });
}
