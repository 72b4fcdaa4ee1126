import { whenCollected } from '../common/collected.js';
import { Conv1dError, optionError, pickOptions } from '../common/errors.js';
import type { Graph } from '../layer/graph.js';
import type { GraphRecording } from '../layer/graph-recording.js';
import { checkFit, checkTensor, splitShape, Tensor } from '../layer/tensor.js';

/** How `Network.record` runs. */
export interface RecordOptions {
  /**
   * Whether dropout drops and `BatchNorm1d` takes the statistics of the batch, moving its running ones. Default true;
   * false computes what `forward` does.
   */
  training?: boolean;
  /** Integer from 0 to 2^53 - 1 that makes what dropout drops repeatable. Default: another one each time. */
  seed?: number;
  /**
   * `'high'` (default) keeps all values. `'low'` keeps those between segments of steps and computes the others again
   * in `backward`: about the square root of the memory for a third more time. The bits are the same.
   */
  memory?: 'high' | 'low';
}

/** What a network has gradients of. */
export type NetworkGradientName = 'input' | 'parameters';

/** What `Recording.backward` gives. */
export interface NetworkGradients {
  /**
   * Of every parameter of the layers that have names, in its shape and by its name in the network's state dict, the first if a
   * layer has several.
   */
  readonly parameters: Record<string, Tensor>;
  /** Of the input, in its shape; null where it was not asked for. */
  readonly input: Tensor | null;
}

/** Where the gradients of a named parameter are: in one step, or in several that are to be added. */
export interface ParameterPlace {
  readonly name: string;
  readonly shape: readonly number[];
  readonly at: number;
  readonly steps: readonly number[];
}

/** What a recording asks its network for. */
export interface RecordedNetwork {
  readonly places: readonly ParameterPlace[];
  /** Another number after each change of its parameters. */
  readonly version: () => number;
  /** To be called after a run in training. */
  readonly learned: () => void;
}

interface Recorded extends RecordedNetwork {
  readonly graph: Graph;
  readonly recording: GraphRecording;
}

// Frees what is collected without having been disposed.
const registry = whenCollected<GraphRecording>((recording) => {
  recording.free();
});

const names: readonly NetworkGradientName[] = ['parameters', 'input'];

/** How much a recording keeps, `'high'` unless it is given. */
export function readMemory(memory: unknown = 'high'): 'high' | 'low' {
  if (memory === 'high' || memory === 'low') return memory;
  throw optionError('memory', "'high' or 'low'", memory);
}

/** A run of a network that kept what its gradient needs; see `Network.record`. */
export class Recording {
  /** What `forward` gives, living where the input lives. */
  readonly output: Tensor;
  readonly #inputShape: readonly number[];
  readonly #placement: 'js' | 'wasm';
  readonly #version: number;
  #recorded: Recorded | null;

  private constructor(recorded: Recorded, input: Tensor, output: Tensor) {
    this.#recorded = recorded;
    this.#inputShape = input.shape;
    this.#placement = input.placement;
    this.#version = recorded.version();
    this.output = output;
    registry.register(this, recorded.recording, this);
  }

  /** @internal */
  static make(graph: Graph, input: Tensor, options: RecordOptions, network: RecordedNetwork): Recording {
    const given = pickOptions(options, ['training', 'seed', 'memory']);
    const { training = true, seed = Math.floor(Math.random() * 2 ** 53) } = given;
    const lowMemory = readMemory(given.memory) === 'low';
    if (typeof training !== 'boolean') throw optionError('training', 'a boolean', training);
    if (!(Number.isSafeInteger(seed) && seed >= 0)) throw optionError('seed', 'an integer from 0 to 2^53 - 1', seed);
    const { runtime, spec } = graph;
    const { placement } = checkTensor('input', input, spec.dtype);
    input.pointerIn(runtime, 'input');
    const [batch, length] = splitShape('input', input.shape, spec.inChannels, spec.what);
    const recording = graph.takeRecording(batch, length, lowMemory, input.shape);
    try {
      recording.write('input', input);
      recording.run(training, seed);
      if (training) network.learned();
      const shape = [...input.shape.slice(0, -2), spec.outChannels, recording.outLength];
      const output = recording.read('output', shape, placement);
      return new Recording({ graph, recording, ...network }, input, output);
    } catch (error) {
      graph.giveBack(recording);
      throw error;
    }
  }

  /**
   * The gradients of a loss with respect to parameters and input, given those with respect to the output.
   *
   * @param gradOutput of the output's shape.
   * @param options `needs`: which gradients to compute, default `['parameters', 'input']`.
   * @throws Conv1dError ERR_SHAPE, ERR_DTYPE, ERR_OPTION; ERR_UNSUPPORTED when the network's parameters changed since it
   *   was recorded; ERR_DISPOSED.
   */
  backward(gradOutput: Tensor, options: { needs?: readonly NetworkGradientName[] } = {}): NetworkGradients {
    const { needs = names } = pickOptions(options, ['needs']);
    const isList = Array.isArray(needs) && needs.every((name: unknown) => (names as readonly unknown[]).includes(name));
    if (!isList) throw optionError('needs', "a list of 'parameters' and 'input'", needs);
    if (!this.#recorded) throw new Conv1dError('ERR_DISPOSED', 'recording', 'this recording is disposed');
    const { graph, recording, places, version } = this.#recorded;
    checkFit('gradOutput', checkTensor('gradOutput', gradOutput, 'float32'), [this.output.shape]);
    gradOutput.pointerIn(graph.runtime, 'gradOutput');
    if (version() !== this.#version) {
      const text = "the network's parameters changed since it was recorded: record it again for their gradients";
      throw new Conv1dError('ERR_UNSUPPORTED', 'recording', text);
    }
    const wanted = { parameters: needs.includes('parameters'), input: needs.includes('input') };
    recording.write('outputGradients', gradOutput);
    recording.runBackward({ input: wanted.input, weights: wanted.parameters, biases: wanted.parameters });
    const entries = wanted.parameters
      ? places.map((place) => [place.name, this.#readParameter(graph.handle, recording, place)] as const)
      : [];
    return {
      parameters: Object.fromEntries(entries),
      input: wanted.input ? recording.read('inputGradients', this.#inputShape, this.#placement) : null,
    };
  }

  #readParameter(graph: number, recording: GraphRecording, { steps, at, shape }: ParameterPlace): Tensor {
    const [first = 0, ...others] = steps;
    if (others.length === 0) return recording.readParameter(graph, first, at, shape, this.#placement);
    const parts = steps.map((step) => recording.readParameter(graph, step, at, shape, 'js').numbers());
    const sum = new Tensor(
      Float32Array.from(parts[0] ?? [], (_, i) => parts.reduce((all, part) => all + (part[i] ?? 0), 0)),
      shape,
    );
    return this.#placement === 'wasm' ? sum.toWasm(recording.runtime) : sum;
  }

  /** Gives the memory back to the network, which keeps it for its next recording. The output stays. May be called twice. */
  dispose(): void {
    if (!this.#recorded) return;
    registry.unregister(this);
    this.#recorded.graph.giveBack(this.#recorded.recording);
    this.#recorded = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
