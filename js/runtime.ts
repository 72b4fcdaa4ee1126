import { Background } from './background.js';
import type { Core, GlueFactory, GlueOptions } from './core.js';
import { hasRelaxedSimd, hasSimd, whyNoThreads } from './detect.js';
import { checkOptions, Conv1dError, type ErrorCode, show } from './errors.js';
import { currentPlatform } from './platform.js';
import { version } from './version.js';

/** `'relaxed'` fuses multiply and add where the CPU can; `'simd'` runs everywhere. */
export type Variant = 'relaxed' | 'simd';

/** How to load the library. Everything is optional. */
export interface InitOptions {
  /**
   * Threads that compute, the calling one included; an integer >= 1. Default `'auto'`: the processors there are, at
   * most 8. Where threads can not run it is 1, and `threadsReason` says why.
   */
  threads?: number | 'auto';
  /** Which build. Default `'auto'`: relaxed where the engine takes it. */
  variant?: 'auto' | Variant;
  /** Never the relaxed build: the same bits on every CPU. Default false. */
  deterministic?: boolean;
  /** Where the .wasm file lies, if not beside this module. It must be the one that `variant` and `threads` lead to. */
  wasmUrl?: string | URL;
  /** The .wasm file's bytes, in place of fetching them. */
  wasmBinary?: BufferSource;
  /** The compiled .wasm file. */
  wasmModule?: WebAssembly.Module;
  /** Bytes that the memory may grow to. Default 4 GiB with one thread, 1 GiB with more (it must be reserved at once). */
  maximumMemory?: number;
}

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
  readonly module: WebAssembly.Module;
  readonly maximumMemory: number | undefined;
}

const pageBytes = 65536;
const initialPages = 64;
const gibibyte = 2 ** 30;
const mostAutoThreads = 8;

// The worker of a runtime that was forgotten has nobody left to work for.
const forgotten = new FinalizationRegistry<Background>((background) => {
  background.end(disposedError());
});

function disposedError(): Conv1dError {
  return new Conv1dError('ERR_DISPOSED', 'runtime', 'this runtime is disposed; make a new one');
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
  }

  get variant(): Variant {
    return this.#options.variant;
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
      forgotten.register(this, this.#background);
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
        `the wasm instance came down (${String(error)}) and can not be used any more; make a new one with createRuntime()`,
        undefined,
        error,
      );
      throw this.#broken;
    }
  }

  /** What C++ says went wrong. */
  lastError(got: unknown): Conv1dError {
    const { code, field, message } = this.guard((core) => core.lastError());
    return new Conv1dError(code as ErrorCode, field, message, got);
  }

  allocate(bytes: number): number {
    const pointer = this.guard((core) => core.allocate(Math.max(bytes, 16)));
    if (pointer === 0) {
      throw new Conv1dError('ERR_OUT_OF_MEMORY', 'runtime', `no room for ${String(bytes)} bytes in wasm memory`, bytes);
    }
    return pointer;
  }

  release(pointer: number): void {
    this.free((core) => {
      core.release(pointer);
    });
  }

  /** At least `bytes` of memory for the length of one call, where arrays from outside pass through. */
  staging(bytes: number): number {
    if (bytes > this.#stagingBytes) {
      const pointer = this.allocate(bytes);
      if (this.#staging !== 0) this.release(this.#staging);
      this.#staging = pointer;
      this.#stagingBytes = bytes;
    }
    return this.#staging;
  }

  dispose(): void {
    this.#background?.end(disposedError());
    if (this.threads > 1) this.#core?.PThread?.terminateAllThreads();
    this.#core = null;
    this.#memory = null;
    this.#floats = new Float32Array(0);
    this.#halves = new Uint16Array(0);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function optionError(field: string, rule: string, got: unknown): Conv1dError {
  return new Conv1dError('ERR_OPTION', field, `${field} must be ${rule}, got ${show(got)}`, got);
}

function chooseVariant(options: InitOptions): Variant {
  const { variant = 'auto', deterministic = false } = options;
  if (variant !== 'auto' && variant !== 'relaxed' && variant !== 'simd') {
    throw optionError('variant', "'auto', 'relaxed' or 'simd'", variant);
  }
  if (typeof deterministic !== 'boolean') throw optionError('deterministic', 'a boolean', deterministic);
  if (!hasSimd()) {
    throw new Conv1dError('ERR_UNSUPPORTED', 'runtime', 'this engine has no WebAssembly SIMD, which every build needs');
  }
  if (variant === 'relaxed' && deterministic) {
    throw new Conv1dError(
      'ERR_OPTION',
      'variant',
      "variant 'relaxed' and deterministic: true exclude each other",
      variant,
    );
  }
  if (variant === 'relaxed' && !hasRelaxedSimd()) {
    throw new Conv1dError(
      'ERR_UNSUPPORTED',
      'variant',
      "variant 'relaxed' needs relaxed SIMD, which this engine lacks",
      variant,
    );
  }
  if (variant === 'auto') return !deterministic && hasRelaxedSimd() ? 'relaxed' : 'simd';
  return variant;
}

function chooseThreads(options: InitOptions): { threads: number; reason: string | null } {
  const { threads = 'auto' } = options;
  if (threads !== 'auto' && !(Number.isInteger(threads) && threads >= 1 && threads <= 64)) {
    throw optionError('threads', "'auto' or an integer from 1 to 64", threads);
  }
  if (threads === 1) return { threads, reason: 'one thread was asked for' };
  const platform = currentPlatform();
  const reason = whyNoThreads() ?? platform.whyNoWorkers();
  if (reason !== null) return { threads: 1, reason };
  if (threads !== 'auto') return { threads, reason: null };
  const processors = platform.hardwareThreads();
  return {
    threads: Math.min(processors, mostAutoThreads),
    reason: processors === 1 ? 'this machine has one processor' : null,
  };
}

function wasmFile(variant: Variant, threaded: boolean): URL {
  // Literal paths, one by one: bundlers find files by reading them.
  if (threaded) {
    return variant === 'relaxed'
      ? new URL('./wasm/conv1d-relaxed-threads.wasm', import.meta.url)
      : new URL('./wasm/conv1d-simd-threads.wasm', import.meta.url);
  }
  return variant === 'relaxed'
    ? new URL('./wasm/conv1d-relaxed.wasm', import.meta.url)
    : new URL('./wasm/conv1d-simd.wasm', import.meta.url);
}

/** Refuses a module that is not the very file which this version needs. */
function checkModule(module: WebAssembly.Module, options: InitOptions, variant: Variant, threaded: boolean): void {
  const isModule = Object.prototype.toString.call(module) === '[object WebAssembly.Module]';
  const [section] = isModule ? WebAssembly.Module.customSections(module, 'conv1d-wasm') : [];
  const found = section ? new TextDecoder().decode(section) : 'another module';
  const wanted = `${version} conv1d-${variant}${threaded ? '-threads' : ''}.wasm`;
  if (found === wanted) return;
  const field = options.wasmModule ? 'wasmModule' : options.wasmBinary ? 'wasmBinary' : 'wasmUrl';
  throw new Conv1dError('ERR_WASM_LOAD', field, `${field} must be conv1d-wasm ${wanted}, got ${found}`, found);
}

async function loadModule(options: InitOptions, variant: Variant, threaded: boolean): Promise<WebAssembly.Module> {
  if (options.wasmModule) return options.wasmModule;
  if (options.wasmBinary) {
    try {
      return await WebAssembly.compile(options.wasmBinary);
    } catch (error) {
      throw new Conv1dError(
        'ERR_WASM_LOAD',
        'wasmBinary',
        `wasmBinary does not compile: ${String(error)}`,
        undefined,
        error,
      );
    }
  }
  if (options.wasmUrl === undefined) return currentPlatform().compile(wasmFile(variant, threaded));
  let url: URL;
  try {
    url = new URL(options.wasmUrl, (globalThis as { location?: Location }).location?.href ?? import.meta.url);
  } catch (error) {
    throw new Conv1dError(
      'ERR_OPTION',
      'wasmUrl',
      `wasmUrl must be a URL, got ${show(options.wasmUrl)}`,
      options.wasmUrl,
      error,
    );
  }
  return currentPlatform().compile(url);
}

/** Throws Conv1dError ERR_OPTION, ERR_OUT_OF_MEMORY. */
export function makeMemory(options: Pick<InitOptions, 'maximumMemory'>, shared: boolean): WebAssembly.Memory {
  const least = initialPages * pageBytes;
  const { maximumMemory: bytes = (shared ? 1 : 4) * gibibyte } = options;
  if (!(Number.isInteger(bytes) && bytes >= least && bytes <= 4 * gibibyte)) {
    throw optionError('maximumMemory', `an integer from ${String(least)} to ${String(4 * gibibyte)} bytes`, bytes);
  }
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
  threads: number,
): Promise<Core> {
  return new Promise((resolve, reject) => {
    const given: GlueOptions & Pick<Core, 'PThread'> = {
      wasmMemory: memory,
      workerCount: threads - 1,
      instantiateWasm(imports, done) {
        WebAssembly.instantiate(module, imports)
          .then((instance) => {
            done(instance, module);
          })
          .catch(fail);
        return {};
      },
    };
    // Workers that wait for a module which never starts would keep Node alive.
    const fail = (error: Error): void => {
      given.PThread?.terminateAllThreads();
      reject(error);
    };
    glue(given).then(resolve, fail);
  });
}

/** Throws Conv1dError ERR_WASM_LOAD. */
export async function start(
  options: RuntimeOptions,
  memory: WebAssembly.Memory,
  glue: GlueFactory,
): Promise<LoadedRuntime> {
  try {
    const core = await instantiate(glue, options.module, memory, options.threads);
    core.startThreads(options.threads);
    return new LoadedRuntime(core, memory, options);
  } catch (error) {
    throw new Conv1dError(
      'ERR_WASM_LOAD',
      'runtime',
      `the wasm module does not start: ${String(error)}`,
      undefined,
      error,
    );
  }
}

/**
 * Loads one more runtime, with its own memory: to compare builds, or for a worker.
 *
 * @throws Conv1dError ERR_OPTION, ERR_WASM_LOAD, ERR_UNSUPPORTED (no SIMD), ERR_OUT_OF_MEMORY.
 */
export async function createRuntime(options: InitOptions = {}): Promise<Runtime> {
  return load(options);
}

async function load(options: InitOptions): Promise<LoadedRuntime> {
  const known = ['threads', 'variant', 'deterministic', 'wasmUrl', 'wasmBinary', 'wasmModule', 'maximumMemory'];
  const unknown = Object.keys(checkOptions(options)).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new Conv1dError('ERR_OPTION', unknown, `unknown option ${show(unknown)}; there are ${known.join(', ')}`);
  }
  const variant = chooseVariant(options);
  const { threads, reason: threadsReason } = chooseThreads(options);
  const threaded = threads > 1;
  const memory = makeMemory(options, threaded);
  const module = await loadModule(options, variant, threaded);
  checkModule(module, options, variant, threaded);
  const glue = await currentPlatform().loadGlue(threaded);
  return start({ variant, threads, threadsReason, module, maximumMemory: options.maximumMemory }, memory, glue);
}

let defaultRuntime: LoadedRuntime | null = null;
let pending: Promise<Runtime> | null = null;

/**
 * Loads the default runtime, which `new Conv1d` and `toWasm` use. Later calls give the same one, whatever their
 * options; after its `dispose()`, a failure or a trap they load anew.
 *
 * @throws as createRuntime.
 */
export async function init(options: InitOptions = {}): Promise<Runtime> {
  if (defaultRuntime?.usable === true) return defaultRuntime;
  pending ??= load(options)
    .then((runtime) => (defaultRuntime = runtime))
    .finally(() => (pending = null));
  return pending;
}

/** `runtime`, or the default one. Throws ERR_NOT_INITIALIZED when there is none yet. */
export function requireRuntime(runtime?: Runtime): LoadedRuntime {
  if (runtime !== undefined) {
    if (runtime instanceof LoadedRuntime) return runtime;
    throw optionError('runtime', 'a Runtime from init() or createRuntime()', runtime);
  }
  if (!defaultRuntime) {
    throw new Conv1dError('ERR_NOT_INITIALIZED', 'runtime', 'the library is not loaded yet: call await init() first');
  }
  return defaultRuntime;
}
