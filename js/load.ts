import { compileBytes, wasmError, type WasmSource } from './compile.js';
import { hasRelaxedSimd, hasSimd, whyNoThreads } from './detect.js';
import { Conv1dError, optionError, pickOptions, show } from './errors.js';
import { currentPlatform } from './platform.js';
import {
  expectedStamp,
  type LoadedRuntime,
  makeMemory,
  type Runtime,
  setDefault,
  stampOf,
  start,
  usableDefault,
  type Variant,
} from './runtime.js';

/** How to load the library. Everything is optional. */
export interface InitOptions {
  /**
   * Threads that compute, the calling one included; an integer >= 1. Default `'auto'`: the processors there are, at
   * most 8. Where threads can not run it is 1, and `threadsReason` says why.
   */
  threads?: number | 'auto';
  /** Which build. Default `'auto'`: relaxed where the engine takes it. */
  variant?: 'auto' | Variant;
  /**
   * Never the relaxed build, and `algorithm: 'auto'` is 'direct': the same bits on every CPU, summed in one order. Default
   * false.
   */
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

const mostAutoThreads = 8;

function chooseVariant(options: InitOptions): Variant {
  const { variant = 'auto', deterministic = false } = options;
  if (variant !== 'auto' && variant !== 'relaxed' && variant !== 'simd') {
    throw optionError('variant', "'auto', 'relaxed' or 'simd'", variant);
  }
  if (typeof deterministic !== 'boolean') throw optionError('deterministic', 'a boolean', deterministic);
  if (!hasSimd()) {
    const text =
      'this engine has no WebAssembly SIMD, which every build needs: Chrome 91, Firefox 89 and Safari 16.4 were the first';
    throw new Conv1dError('ERR_UNSUPPORTED', 'runtime', text);
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

function givenUrl(wasmUrl: string | URL): URL {
  try {
    return new URL(wasmUrl, (globalThis as { location?: Location }).location?.href ?? import.meta.url);
  } catch (error) {
    throw new Conv1dError('ERR_OPTION', 'wasmUrl', `wasmUrl must be a URL, got ${show(wasmUrl)}`, wasmUrl, error);
  }
}

/** Refuses a module that is not the very file which this version needs. */
function checkModule(module: WebAssembly.Module, source: WasmSource, variant: Variant, threaded: boolean): void {
  const found = stampOf(module);
  const wanted = expectedStamp(variant, threaded);
  if (found === wanted) return;
  const rule = 'take it from the same version of the package, and the file that variant and threads lead to';
  throw wasmError(source, `it is ${found}, not conv1d-wasm ${wanted}; ${rule}`);
}

async function loadModule(options: InitOptions, variant: Variant, threaded: boolean): Promise<WebAssembly.Module> {
  const { wasmModule, wasmBinary, wasmUrl } = options;
  const check = (module: WebAssembly.Module, source: WasmSource) => {
    checkModule(module, source, variant, threaded);
    return module;
  };
  if (wasmModule) return check(wasmModule, 'wasmModule');
  if (wasmBinary) return check(await compileBytes(wasmBinary, 'wasmBinary'), 'wasmBinary');
  const url = wasmUrl === undefined ? wasmFile(variant, threaded) : givenUrl(wasmUrl);
  return check(await compileBytes(await currentPlatform().read(url), url), url);
}

/**
 * Loads one more runtime, with its own memory: to compare builds, or for a worker.
 *
 * @throws Conv1dError ERR_OPTION, ERR_WASM_LOAD, ERR_UNSUPPORTED (no SIMD), ERR_OUT_OF_MEMORY.
 */
export async function createRuntime(options: InitOptions = {}): Promise<Runtime> {
  return load(options);
}

// The names of the options that lead to a module, and of those that a runtime has besides.
const moduleOptions = ['variant', 'deterministic', 'wasmUrl', 'wasmBinary', 'wasmModule'] as const;
const runtimeOptions = [...moduleOptions, 'threads', 'maximumMemory'] as const;

async function load(given: InitOptions): Promise<LoadedRuntime> {
  const options = pickOptions(given, runtimeOptions);
  const variant = chooseVariant(options);
  const { threads, reason: threadsReason } = chooseThreads(options);
  const threaded = threads > 1;
  const memory = makeMemory(options, threaded);
  const module = await loadModule(options, variant, threaded);
  const platform = currentPlatform();
  const glue = await platform.loadGlue(threaded);
  const threadScript = threaded ? platform.threadScript() : '';
  const { maximumMemory, deterministic = false } = options;
  const chosen = { variant, threads, threadsReason, deterministic, module, maximumMemory, threadScript };
  return start(chosen, memory, glue);
}

/**
 * Fetches and compiles the build for one thread that suits this engine, for whoever can not do so: an AudioWorklet gets
 * the module through `processorOptions` and hands it to `initSync` of `conv1d-wasm/worklet`.
 *
 * @throws as createRuntime.
 */
export async function compileModule(
  given: Omit<InitOptions, 'threads' | 'maximumMemory'> = {},
): Promise<WebAssembly.Module> {
  const options = pickOptions(given, moduleOptions);
  return loadModule(options, chooseVariant(options), false);
}

let pending: Promise<Runtime> | null = null;

/**
 * Loads the default runtime, which `new Conv1d` and `toWasm` use. Later calls give the same one, whatever their
 * options; after its `dispose()`, a failure or a trap they load anew.
 *
 * @throws as createRuntime.
 */
export async function init(options: InitOptions = {}): Promise<Runtime> {
  const usable = usableDefault();
  if (usable) return usable;
  pending ??= load(options)
    .then(setDefault)
    .finally(() => (pending = null));
  return pending;
}
