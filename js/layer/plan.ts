import type { Background, LayerCopy } from '../background/background.js';
import type { PlanCopy } from '../background/plan-copy.js';
import { Conv1dError } from '../common/errors.js';
import type { CoreOptions, Explanation } from '../runtime/core.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { DType } from './dtype.js';

/** A layer as C++ has it, and its copy in the runtime's worker. */
export class Plan {
  /** 0 when it is disposed. */
  #handle: number;
  /** The layer in the worker, if its weights of now were sent there. */
  #copy: LayerCopy | null = null;
  // The input shape that it is prepared for.
  #batch = -1;
  #length = -1;
  #outLength = 0;

  constructor(
    readonly runtime: LoadedRuntime,
    readonly options: CoreOptions,
    given: object,
  ) {
    this.#handle = runtime.guard((core) => core.createPlan(this.coreOptions));
    if (this.#handle === 0) throw this.failure(given);
  }

  /** As C++ got them. */
  get coreOptions(): CoreOptions {
    const { runtime, options } = this;
    return runtime.deterministic && options.algorithm === 'auto' ? { ...options, algorithm: 'direct' } : options;
  }

  get dtype(): DType {
    return this.options.dtype as DType;
  }

  /** What C++ refused, with the caller's value of the field at fault. */
  failure(given: object): Conv1dError {
    const { code, field, message } = this.runtime.lastError(undefined);
    return new Conv1dError(code, field, message, (given as Record<string, unknown>)[field]);
  }

  /** Throws ERR_DISPOSED, or what brought the runtime down. */
  requireLive(): void {
    if (this.#handle === 0) throw new Conv1dError('ERR_DISPOSED', 'layer', 'this layer is disposed');
    this.runtime.requireLive();
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

  /** Of the shape that it is prepared for. */
  explain(): Explanation {
    return this.runtime.guard((core) => core.explain(this.handle));
  }

  /** The layer in the worker, sent there unless it is there. */
  copyIn(background: Background, make: () => PlanCopy): LayerCopy {
    if (this.#copy?.background !== background) this.#copy = background.addLayer(make());
    return this.#copy;
  }

  /** To be called when weights change: the worker has others. */
  forgetCopy(): void {
    this.#copy?.free();
    this.#copy = null;
  }

  /** May be called twice. */
  free(): void {
    const handle = this.#handle;
    if (handle === 0) return;
    this.forgetCopy();
    this.runtime.free((core) => {
      core.destroyPlan(handle);
    });
    this.#handle = 0;
  }
}
