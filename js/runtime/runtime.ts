// For those who compile with the declarations and have an older `lib`.
/// <reference lib="esnext.disposable" preserve="true" />
import { Background } from '../background/background.js';
import { whenCollected } from '../common/collected.js';
import { Conv1dError, type ErrorCode } from '../common/errors.js';
import type { ActivationInfo } from '../layer/activation.js';
import type { Core, WorkerPool } from './core.js';
import type { RuntimeOptions, Variant } from './runtime-options.js';

/** One loaded instance with its own memory. */
export interface Runtime {
  readonly variant: Variant;
  /** Threads that compute, the calling one included. */
  readonly threads: number;
  /** Why `threads` is not more, in one sentence, or null when nothing held it back. */
  readonly threadsReason: string | null;
  /** The activations that layers and networks can apply. */
  readonly activations: readonly ActivationInfo[];
  /** Bytes in use and bytes of the whole memory. */
  readonly memory: { readonly used: number; readonly total: number };
  /** Frees the memory and ends the threads; its layers and tensors are disposed with it. May be called twice. */
  dispose(): void;
}

const keptStagingBytes = 2 ** 20;

// The workers of a runtime that was forgotten have nobody left to work for, and keep its memory as long as they run.
const workerRegistry = whenCollected<Background>((background) => {
  background.end(disposedError());
});
const threadRegistry = whenCollected<WorkerPool>((pool) => {
  pool.terminateAllThreads();
});

function disposedError(): Conv1dError {
  return new Conv1dError('ERR_DISPOSED', 'runtime', 'this runtime is disposed; make a new one');
}

function noRoom(bytes: number, what: string): Conv1dError {
  const text = `no room for ${String(bytes)} bytes of ${what} in wasm memory`;
  return new Conv1dError('ERR_OUT_OF_MEMORY', 'runtime', text, bytes);
}

/** The loaded instance behind a Runtime, for the modules of this package. */
export class LoadedRuntime implements Runtime {
  readonly #options: RuntimeOptions;
  #background: Background | null = null;
  #memory: WebAssembly.Memory | null;
  #core: Core | null;
  #broken: Conv1dError | null = null;
  #floats: Float32Array;
  #halves: Uint16Array;
  #staging = 0;
  #stagingBytes = 0;
  #activations: readonly ActivationInfo[] | null = null;

  constructor(core: Core, memory: WebAssembly.Memory, options: RuntimeOptions) {
    this.#core = core;
    this.#memory = memory;
    this.#options = options;
    this.#floats = new Float32Array(memory.buffer);
    this.#halves = new Uint16Array(memory.buffer);
    if (core.PThread) threadRegistry.register(this, core.PThread, this);
  }

  /** Whether `value` is one, not a proxy of one. */
  static owns(value: unknown): value is LoadedRuntime {
    return typeof value === 'object' && value !== null && #options in value;
  }

  get variant(): Variant {
    return this.#options.variant;
  }

  get deterministic(): boolean {
    return this.#options.deterministic;
  }

  get threads(): number {
    return this.#options.threads;
  }

  get threadsReason(): string | null {
    return this.#options.threadsReason;
  }

  /** The worker that computes beside this thread, started when it is first asked for, and again after it went down. */
  get background(): Background {
    if (this.#background === null || this.#background.ended) {
      this.#background = new Background(this.#options);
      workerRegistry.register(this, this.#background);
    }
    return this.#background;
  }

  /** The functions of C++. Throws when the runtime is disposed or an earlier call brought the instance down. */
  requireLive(): Core {
    if (this.#broken) throw this.#broken;
    if (!this.#core) throw disposedError();
    return this.#core;
  }

  get #buffer(): ArrayBufferLike {
    return this.#memory?.buffer ?? new ArrayBuffer(0);
  }

  /** Neither disposed nor brought down. */
  get usable(): boolean {
    return this.#core !== null && this.#broken === null;
  }

  get disposed(): boolean {
    return this.#core === null;
  }

  /** Frees what `free` does, unless all is gone with the instance anyway. */
  free(free: (core: Core) => void): void {
    if (this.usable) this.guard(free);
  }

  get memory(): { readonly used: number; readonly total: number } {
    return { used: this.guard((core) => core.usedBytes()), total: this.#buffer.byteLength };
  }

  get activations(): readonly ActivationInfo[] {
    this.#activations ??= JSON.parse(
      this.guard((core) => core.activations()),
      (key, value: unknown) => Object.freeze(/^(perChannel|orParameter)$/.test(key) ? value === 1 : value),
    ) as readonly ActivationInfo[];
    return this.#activations;
  }

  /** A view of the whole memory, good until the next call into C++. */
  get floats(): Float32Array {
    if (this.#floats.buffer !== this.#buffer) this.#floats = new Float32Array(this.#buffer);
    return this.#floats;
  }

  /** As `floats`, in 16-bit words. */
  get halves(): Uint16Array {
    if (this.#halves.buffer !== this.#buffer) this.#halves = new Uint16Array(this.#buffer);
    return this.#halves;
  }

  /**
   * Runs `call`, which enters wasm. A trap or an abort inside leaves the instance in an unknown state: this call and
   * all later ones throw.
   */
  guard<Result>(call: (core: Core) => Result): Result {
    const core = this.requireLive();
    try {
      return call(core);
    } catch (error) {
      if (error instanceof Conv1dError) throw error;
      // Engines give such errors no codes, only texts: of memory that does not grow, and of accesses beyond it.
      const outOfMemory = /memory/i.test(String(error)) && !/out of bounds/i.test(String(error));
      this.#broken = new Conv1dError(
        outOfMemory ? 'ERR_OUT_OF_MEMORY' : 'ERR_WASM_LOAD',
        'runtime',
        `the wasm instance came down (${String(error)}) and cannot be used any more; make a new one with createRuntime()`,
        undefined,
        error,
      );
      core.PThread?.terminateAllThreads();
      throw this.#broken;
    }
  }

  /** What C++ says went wrong. */
  lastError(got: unknown): Conv1dError {
    const { code, field, message } = this.guard((core) => core.lastError());
    return new Conv1dError(code as ErrorCode, field, message, got);
  }

  /** Memory for `what`, which an error names: a plural, or a mass. */
  allocate(bytes: number, what: string): number {
    const pointer = this.guard((core) => core.allocate(Math.max(bytes, 16)));
    if (pointer === 0) throw noRoom(bytes, what);
    return pointer;
  }

  release(pointer: number): void {
    this.free((core) => {
      core.release(pointer);
    });
  }

  /**
   * What `use` gives, which has at least `bytes` of memory to itself, where arrays from outside pass through. A small
   * area stays for the next call; of a large one, making it anew costs little beside what is copied through it.
   */
  staged<Result>(bytes: number, use: (address: number) => Result): Result {
    const before = this.#stagingBytes;
    if (bytes > before && !this.#allocateStaging(bytes)) {
      this.#allocateStaging(before);
      throw noRoom(bytes, 'input and output that pass through');
    }
    try {
      return use(this.#staging);
    } finally {
      if (this.#stagingBytes > keptStagingBytes) this.#dropStaging();
    }
  }

  /** A copy of `data` in the staging area for as long as `use` takes. */
  withCopy<Result>(data: ArrayBufferView, use: (address: number) => Result): Result {
    return this.staged(data.byteLength, (address) => {
      this.halves.set(new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2), address / 2);
      return use(address);
    });
  }

  /** An area of that size in place of the one there was, which goes first: there may be no room for both. */
  #allocateStaging(bytes: number): boolean {
    this.#dropStaging();
    if (bytes > 0) this.#staging = this.guard((core) => core.allocate(bytes));
    if (this.#staging !== 0) this.#stagingBytes = bytes;
    return this.#staging !== 0;
  }

  #dropStaging(): void {
    if (this.#staging !== 0) this.release(this.#staging);
    this.#staging = this.#stagingBytes = 0;
  }

  dispose(): void {
    this.#background?.end(disposedError());
    this.#core?.PThread?.terminateAllThreads();
    threadRegistry.unregister(this); // what it holds leads to the memory
    this.#core = null;
    this.#memory = null;
    this.#floats = new Float32Array(0);
    this.#halves = new Uint16Array(0);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
