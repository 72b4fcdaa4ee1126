import type { LoadedRuntime } from '../runtime/runtime.js';
import { Tensor } from './tensor.js';

const arrays = ['input', 'output', 'inputGradients', 'outputGradients'] as const;

type ArrayName = (typeof arrays)[number];

/** What a recording is made for. */
export interface RecordingSpec {
  readonly batch: number;
  readonly length: number;
  readonly lowMemory: boolean;
}

/** A run of a graph that keeps what the run backward needs, as C++ has it. All its arrays are float32. */
export class GraphRecording {
  /** 0 when it is gone. */
  #handle: number;
  readonly outLength: number;

  /** Throws what C++ refuses. */
  constructor(
    readonly runtime: LoadedRuntime,
    graph: number,
    readonly spec: RecordingSpec,
    shape: readonly number[],
  ) {
    const { batch, length, lowMemory } = spec;
    this.#handle = runtime.guard((core) => core.createRecording(graph, batch, length, lowMemory));
    if (this.#handle === 0) throw runtime.lastError(shape);
    this.outLength = runtime.guard((core) => core.recordingLength(this.#handle));
  }

  fits(batch: number, length: number, lowMemory: boolean): boolean {
    const { spec } = this;
    return spec.batch === batch && spec.length === length && spec.lowMemory === lowMemory;
  }

  #pointer(array: ArrayName): number {
    return this.runtime.guard((core) => core.recordingArray(this.#handle, arrays.indexOf(array)));
  }

  write(array: ArrayName, tensor: Tensor): void {
    tensor.copyTo(this.runtime, this.#pointer(array));
  }

  read(array: ArrayName, shape: readonly number[], placement: 'js' | 'wasm'): Tensor {
    return Tensor.copyOf(this.runtime, this.#pointer(array), shape, placement);
  }

  /** The gradients of parameters of a step of `graph`, which was recorded, from element `at` on. */
  readParameter(graph: number, step: number, at: number, shape: readonly number[], placement: 'js' | 'wasm'): Tensor {
    const pointer = this.runtime.guard((core) => core.parameterGradients(this.#handle, graph, step));
    return Tensor.copyOf(this.runtime, pointer + 4 * at, shape, placement);
  }

  /** @param training whether dropout drops and batch norms take the batch's statistics; what is dropped depends on `seed`. */
  run(training: boolean, seed: number): void {
    const isRun = this.runtime.guard((core) => core.runRecording(this.#handle, training, seed));
    if (!isRun) throw this.runtime.lastError(undefined);
  }

  runBackward(needs: { readonly input: boolean; readonly weights: boolean; readonly biases: boolean }): void {
    this.runtime.guard((core) => {
      core.runBackward(this.#handle, needs.input, needs.weights, needs.biases);
    });
  }

  /** May be called twice. */
  free(): void {
    const handle = this.#handle;
    if (handle === 0) return;
    this.#handle = 0;
    this.runtime.free((core) => {
      core.destroyRecording(handle);
    });
  }
}
