import type { Background, GraphCopy } from '../background/background.js';
import type { NetworkCopy } from '../background/network-copy.js';
import { Conv1dError } from '../common/errors.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { DType } from './dtype.js';
import { GraphRecording } from './graph-recording.js';

/** What is known of a layer or a network without asking C++. */
export interface GraphSpec {
  readonly what: 'layer' | 'network';
  readonly inChannels: number;
  readonly outChannels: number;
  readonly dtype: DType;
}

/** A layer or a network as C++ runs it over whole inputs, and its copy in the runtime's worker. */
export class Graph {
  /** 0 when it is disposed. */
  #handle: number;
  /** The one in the worker, as it was at `#copyVersion`. */
  #copy: GraphCopy | null = null;
  #copyVersion = -1;
  // The input shape that it is prepared for.
  #batch = -1;
  #length = -1;
  #outLength = 0;
  /** One that is not in use. */
  #spare: GraphRecording | null = null;

  /** @param handle what C++ knows it by, or 0 where it refused. */
  constructor(
    readonly runtime: LoadedRuntime,
    readonly spec: GraphSpec,
    handle: number,
  ) {
    this.#handle = handle;
  }

  /** Throws ERR_DISPOSED, or what brought the runtime down. */
  requireLive(): void {
    const { what } = this.spec;
    if (this.#handle === 0) throw new Conv1dError('ERR_DISPOSED', what, `this ${what} is disposed`);
    this.runtime.requireLive();
  }

  get isMade(): boolean {
    return this.#handle !== 0;
  }

  /** What C++ knows it by. */
  get handle(): number {
    this.requireLive();
    return this.#handle;
  }

  /** Makes it ready for (batch, inChannels, length); gives the output's length. On failure what was prepared stays. */
  prepare(batch: number, length: number, shape: readonly number[]): number {
    if (batch === this.#batch && length === this.#length) return this.#outLength;
    const outLength = this.runtime.guard((core) => core.prepare(this.handle, batch, length));
    if (outLength === 0) throw this.runtime.lastError(shape);
    this.#batch = batch;
    this.#length = length;
    return (this.#outLength = outLength);
  }

  outputLength(batch: number, length: number, shape: readonly number[]): number {
    const outLength = this.runtime.guard((core) => core.outputLength(this.handle, batch, length));
    if (outLength === 0) throw this.runtime.lastError(shape);
    return outLength;
  }

  /** A recording for inputs (batch, inChannels, length), to be given back when it is not used any more. */
  takeRecording(batch: number, length: number, lowMemory: boolean, shape: readonly number[]): GraphRecording {
    const spare = this.#spare;
    this.#spare = null;
    if (spare?.fits(batch, length, lowMemory)) return spare;
    spare?.free();
    return new GraphRecording(this.runtime, this.handle, { batch, length, lowMemory }, shape);
  }

  /** Bytes that such a recording keeps signals and gradients in. */
  recordingBytes(batch: number, length: number, lowMemory: boolean, shape: readonly number[]): number {
    const bytes = this.runtime.guard((core) => core.recordingBytes(this.handle, batch, length, lowMemory));
    if (bytes < 0) throw this.runtime.lastError(shape);
    return bytes;
  }

  giveBack(recording: GraphRecording): void {
    this.#spare?.free();
    this.#spare = this.isMade ? recording : null;
    if (!this.isMade) recording.free();
  }

  /** The one in the worker with the weights of `version`, sent there unless it is there. */
  copyIn(background: Background, version: number, make: () => NetworkCopy): GraphCopy {
    if (this.#copy?.background === background && this.#copyVersion === version) return this.#copy;
    this.forgetCopy();
    this.#copyVersion = version;
    return (this.#copy = background.addGraph(make()));
  }

  /** The worker has no use for its copy any more. */
  forgetCopy(): void {
    this.#copy?.free();
    this.#copy = null;
  }

  /** May be called twice. */
  free(): void {
    const handle = this.#handle;
    if (handle === 0) return;
    this.forgetCopy();
    this.#spare?.free();
    this.#spare = null;
    this.runtime.free((core) => {
      core.destroyGraph(handle);
    });
    this.#handle = 0;
  }
}
