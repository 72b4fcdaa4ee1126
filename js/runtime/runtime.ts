// For those who compile with the declarations and have an older `lib`.
/// <reference lib="esnext.disposable" preserve="true" />
import { Background, workerRule } from '../background/background.js';
import { policyRefusal } from './compile.js';
import { whenCollected } from '../common/collected.js';
import type { Core, GlueFactory, GlueOptions, WorkerPool } from './core.js';
import { classError, Conv1dError, type ErrorCode, optionError } from '../common/errors.js';
import { addWorkers } from './threads.js';
import { version } from '../version.js';

/** `'relaxed'` fuses multiply and add where the CPU can; `'simd'` runs everywhere. */
export type Variant = 'relaxed' | 'simd';

/** One loaded instance with its own memory. */
export interface Runtime {
  readonly variant: Variant;
  /** Threads that compute, the calling one included. */
  readonly threads: number;
  /** Why `threads` is not more, in one sentence, or null when nothing held it back. */
  readonly threadsReason: string | null;
  /** Bytes in use and bytes of the whole memory. */
  readonly memory: { readonly used: number; readonly total: number };
  /** Frees the memory and ends the threads; its layers and tensors are disposed with it. May be called twice. */
  dispose(): void;
}

/** What it takes to start a runtime: once chosen, here; the same again, in its worker. */
export interface RuntimeOptions {
  readonly variant: Variant;
  readonly threads: number;
  readonly threadsReason: string | null;
  /** Whether layers keep to one order of summation unless they ask for another algorithm. */
  readonly deterministic: boolean;
  readonly module: WebAssembly.Module;
  readonly maximumMemory: number | undefined;
  /** Where the threads' script lies; '' with one thread. */
  readonly threadScript: string;
}

const pageBytes = 65536;
const initialPages = 64;
const gibibyte = 2 ** 30;
const keptStagingBytes = 2 ** 20;

// The workers of a runtime that was forgotten have nobody left to work for, and keep its memory as long as they run.
const forgottenWorker = whenCollected<Background>((background) => {
  background.end(disposedError());
});
const forgottenThreads = whenCollected<WorkerPool>((pool) => {
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

  constructor(core: Core, memory: WebAssembly.Memory, options: RuntimeOptions) {
    this.#core = core;
    this.#memory = memory;
    this.#options = options;
    this.#floats = new Float32Array(memory.buffer);
    this.#halves = new Uint16Array(memory.buffer);
    if (core.PThread) forgottenThreads.register(this, core.PThread, this);
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
      forgottenWorker.register(this, this.#background);
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
    if (bytes > before && !this.#takeStaging(bytes)) {
      this.#takeStaging(before);
      throw noRoom(bytes, 'input and output that pass through');
    }
    try {
      return use(this.#staging);
    } finally {
      if (this.#stagingBytes > keptStagingBytes) this.#dropStaging();
    }
  }

  /** An area of that size in place of the one there was, which goes first: there may be no room for both. */
  #takeStaging(bytes: number): boolean {
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
    forgottenThreads.unregister(this); // what it holds leads to the memory
    this.#core = null;
    this.#memory = null;
    this.#floats = new Float32Array(0);
    this.#halves = new Uint16Array(0);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Which of this package's .wasm files a module is, and of which version. */
export function stampOf(module: WebAssembly.Module): string {
  let section: ArrayBuffer | undefined;
  try {
    [section] = WebAssembly.Module.customSections(module, 'conv1d-wasm');
  } catch {
    return 'another module';
  }
  // A worklet has no TextDecoder.
  return section ? String.fromCharCode(...new Uint8Array(section)) : 'another module';
}

/** The stamp of the .wasm file that this code works with. */
export function expectedStamp(variant: Variant, threaded: boolean): string {
  return `${version} conv1d-${variant}${threaded ? '-threads' : ''}.wasm`;
}

/** Which build for one thread `module` is, given as option `field`. Throws Conv1dError ERR_WASM_LOAD for another module. */
export function requireSingleBuild(field: string, module: WebAssembly.Module): Variant {
  const found = stampOf(module);
  const variants: readonly Variant[] = ['relaxed', 'simd'];
  const variant = variants.find((name) => expectedStamp(name, false) === found);
  if (variant !== undefined) return variant;
  const text = `${field} must be what compileModule() of this version gives, got ${found}`;
  throw new Conv1dError('ERR_WASM_LOAD', field, text, found);
}

interface MemoryOptions {
  readonly maximumMemory?: number | undefined;
}

/** Throws Conv1dError ERR_OPTION. */
export function checkMaximum({ maximumMemory: bytes = gibibyte }: MemoryOptions): void {
  const least = initialPages * pageBytes;
  if (Number.isInteger(bytes) && bytes >= least && bytes <= 4 * gibibyte) return;
  throw optionError('maximumMemory', `an integer from ${String(least)} to ${String(4 * gibibyte)} bytes`, bytes);
}

/** Throws Conv1dError ERR_OPTION, ERR_OUT_OF_MEMORY. */
export function makeMemory(options: MemoryOptions, shared: boolean): WebAssembly.Memory {
  checkMaximum(options);
  const { maximumMemory: bytes = (shared ? 1 : 4) * gibibyte } = options;
  let maximum = Math.floor(bytes / pageBytes);
  for (;;) {
    try {
      return new WebAssembly.Memory({ initial: initialPages, maximum, shared });
    } catch (error) {
      // Some engines reserve the maximum at once; without the user's word on it, less will do.
      if (options.maximumMemory === undefined && maximum / 2 >= 16 * initialPages) {
        maximum = Math.floor(maximum / 2);
        continue;
      }
      throw new Conv1dError(
        'ERR_OUT_OF_MEMORY',
        'maximumMemory',
        `no WebAssembly memory of up to ${String(bytes)} bytes: ${String(error)}`,
        bytes,
        error,
      );
    }
  }
}

async function instantiate(
  glue: GlueFactory,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  { threadScript }: RuntimeOptions,
): Promise<Core> {
  return new Promise((resolve, reject) => {
    glue({
      wasmMemory: memory,
      threadScript,
      instantiateWasm(imports, done) {
        WebAssembly.instantiate(module, imports)
          .then((instance) => {
            done(instance, module);
          })
          .catch(reject);
        return {};
      },
    }).then(resolve, reject);
  });
}

function startError(cause: unknown): Conv1dError {
  const text = `the wasm module does not start: ${policyRefusal(cause) ?? String(cause)}`;
  return new Conv1dError('ERR_WASM_LOAD', 'runtime', text, undefined, cause);
}

/** Starts the threads that were chosen, or as many as there can be; gives the options of what came of it. */
async function startThreads(core: Core, options: RuntimeOptions): Promise<RuntimeOptions> {
  const { PThread: pool } = core;
  const failure = pool ? await addWorkers(pool, options.threads - 1) : null;
  if (!pool || !failure) return options;
  const threads = 1 + pool.unusedWorkers.length;
  const some = threads > 1 ? `${String(threads)} of ${String(options.threads)} threads run: ` : '';
  const threadsReason = `${some}the threads' script ${options.threadScript} does not load (${failure.message}); ${workerRule}`;
  return { ...options, threads, threadsReason };
}

function started(core: Core, memory: WebAssembly.Memory, options: RuntimeOptions): LoadedRuntime {
  core.startThreads(options.threads);
  return new LoadedRuntime(core, memory, options);
}

/** With fewer threads than `options` say where they do not start. Throws Conv1dError ERR_WASM_LOAD. */
export async function start(
  options: RuntimeOptions,
  memory: WebAssembly.Memory,
  glue: GlueFactory,
): Promise<LoadedRuntime> {
  try {
    const core = await instantiate(glue, options.module, memory, options);
    return started(core, memory, await startThreads(core, options));
  } catch (error) {
    throw startError(error);
  }
}

/** As `start`, at once: with one thread, and not on a page's main thread, where engines refuse to. */
export function startSync(options: RuntimeOptions, memory: WebAssembly.Memory, glue: GlueFactory): LoadedRuntime {
  const given: GlueOptions = {
    wasmMemory: memory,
    threadScript: options.threadScript,
    instantiateWasm(imports, done) {
      const instance = new WebAssembly.Instance(options.module, imports);
      done(instance, options.module);
      return instance.exports;
    },
  };
  try {
    // It fills what it is given before its promise is settled.
    void glue(given);
    return started(given as GlueOptions & Core, memory, options);
  } catch (error) {
    throw startError(error);
  }
}

let defaultRuntime: LoadedRuntime | null = null;

/** The default runtime, if there is one that works. */
export function usableDefault(): LoadedRuntime | null {
  return defaultRuntime?.usable === true ? defaultRuntime : null;
}

export function setDefault(runtime: LoadedRuntime): LoadedRuntime {
  return (defaultRuntime = runtime);
}

/** `runtime`, or the default one. Throws ERR_NOT_INITIALIZED when there is none yet. */
export function requireRuntime(runtime?: Runtime): LoadedRuntime {
  if (runtime !== undefined) {
    if (LoadedRuntime.owns(runtime)) return runtime;
    throw classError('ERR_OPTION', 'runtime', 'Runtime', runtime, ' from init() or createRuntime()');
  }
  if (!defaultRuntime) {
    throw new Conv1dError('ERR_NOT_INITIALIZED', 'runtime', 'the library is not loaded yet: call await init() first');
  }
  return defaultRuntime;
}
