import { wasmFile } from '../addresses.js';
import { Conv1dError, optionError, pickOptions, show } from '../common/errors.js';
import { compileBytes, wasmError, type WasmSource } from './compile.js';
import { setDefault, usableDefault } from './default.js';
import { hasRelaxedSimd, hasSimd, whyNoThreads } from './detect.js';
import { checkMaximum, makeMemory } from './memory.js';
import { currentPlatform } from './platform.js';
import type { Variant } from './runtime-options.js';
import type { LoadedRuntime, Runtime } from './runtime.js';
import { expectedStamp, stampOf } from './stamp.js';
import { start } from './start.js';

/** How to load the library. Everything is optional. */
export interface InitOptions {
  /**
   * Threads that compute, the calling one included; an integer from 1 to 64. Default `'auto'`: the processors there are, at
   * most 8, or as many as start. Where none can, it is 1, and `threadsReason` says why; a number is an error there,
   * unless the engine lacks what threads need.
   */
  threads?: number | 'auto';
  /** Which build. Default `'auto'`: relaxed where the engine takes it and its file can be had. */
  variant?: 'auto' | Variant;
  /**
   * Never the relaxed build, and `algorithm: 'auto'` is 'direct': the same bits on every CPU, summed in one order. Default
   * false.
   */
  deterministic?: boolean;
  /** Where the .wasm file lies, if not beside this module. It must be one that `variant` and `threads` may lead to. */
  wasmUrl?: string | URL;
  /** The .wasm file's bytes, in place of fetching them. */
  wasmBinary?: BufferSource;
  /** The compiled .wasm file. */
  wasmModule?: WebAssembly.Module;
  /**
   * Bytes that the memory may grow to, from 4 MiB to 4 GiB. Default 4 GiB with one thread, 1 GiB with more (it must be
   * reserved at once).
   */
  maximumMemory?: number;
}

const mostAutoThreads = 8;
// Each takes a stack and a worker at once: a larger number is a mistake on any machine that runs pages.
const mostThreads = 64;

function isAuto({ threads = 'auto' }: InitOptions): boolean {
  return threads === 'auto';
}

/** The builds that will do, best first. */
function chooseVariants({ variant = 'auto', deterministic = false }: InitOptions): Variant[] {
  if (!hasSimd()) {
    const text =
      'this engine has no WebAssembly SIMD, which every build needs: Chrome 91, Firefox 89 and Safari 16.4 were the first';
    throw new Conv1dError('ERR_UNSUPPORTED', 'runtime', text);
  }
  if (variant === 'relaxed' && !hasRelaxedSimd()) {
    throw new Conv1dError(
      'ERR_UNSUPPORTED',
      'variant',
      "variant 'relaxed' needs relaxed SIMD, which this engine lacks",
      variant,
    );
  }
  if (variant !== 'auto') return [variant];
  return !deterministic && hasRelaxedSimd() ? ['relaxed', 'simd'] : ['simd'];
}

function chooseThreads({ threads = 'auto' }: InitOptions): { threads: number; reason: string | null } {
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

function givenUrl(wasmUrl: string | URL): URL {
  try {
    return new URL(wasmUrl, (globalThis as { location?: Location }).location?.href ?? import.meta.url);
  } catch (error) {
    throw new Conv1dError('ERR_OPTION', 'wasmUrl', `wasmUrl must be a URL, got ${show(wasmUrl)}`, wasmUrl, error);
  }
}

interface Given {
  readonly module: WebAssembly.Module;
  readonly source: WasmSource;
}

interface Build {
  readonly module: WebAssembly.Module;
  readonly variant: Variant;
}

function variantOf(module: WebAssembly.Module, variants: Variant[], threaded: boolean): Variant | undefined {
  const found = stampOf(module);
  return variants.find((variant) => expectedStamp(variant, threaded) === found);
}

/** Refuses a module that is not one of the very files which this version needs. */
function asBuild({ module, source }: Given, variants: Variant[], threaded: boolean): Build {
  const variant = variantOf(module, variants, threaded);
  if (variant) return { module, variant };
  const wanted = variants.map((name) => expectedStamp(name, threaded)).join(' or ');
  const rule = 'take it from the same version of the package, and the file that variant and threads lead to';
  throw wasmError(source, `it is ${stampOf(module)}, not conv1d-wasm ${wanted}; ${rule}`);
}

async function compileUrl(url: URL): Promise<WebAssembly.Module> {
  return compileBytes(await currentPlatform().read(url), url);
}

/** The file that the caller brought, or null. */
async function givenModule(options: InitOptions): Promise<Given | null> {
  const { wasmModule, wasmBinary, wasmUrl } = options;
  if (wasmModule) return { module: wasmModule, source: 'wasmModule' };
  if (wasmBinary) return { module: await compileBytes(wasmBinary, 'wasmBinary'), source: 'wasmBinary' };
  if (wasmUrl === undefined) return null;
  const url = givenUrl(wasmUrl);
  return { module: await compileUrl(url), source: url };
}

/** The best build of the package's own that can be had; throws what is wrong with the best there is. */
async function ownBuild(variants: Variant[], threaded: boolean): Promise<Build> {
  const failures: unknown[] = [];
  for (const variant of variants) {
    const url = wasmFile(variant, threaded);
    try {
      return asBuild({ module: await compileUrl(url), source: url }, [variant], threaded);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

/** What was given, or else one of the package's own. With `mayBeOther` what was given may be meant for several threads. */
async function findBuild(
  given: Given | null,
  variants: Variant[],
  threaded: boolean,
  mayBeOther = false,
): Promise<Build> {
  if (!given) return ownBuild(variants, threaded);
  if (mayBeOther && !threaded && variantOf(given.module, variants, true)) return ownBuild(variants, threaded);
  return asBuild(given, variants, threaded);
}

/**
 * Loads one more runtime, with its own memory: to compare builds, or for a worker.
 *
 * @throws Conv1dError ERR_OPTION, ERR_WASM_LOAD, ERR_UNSUPPORTED (no SIMD), ERR_OUT_OF_MEMORY.
 */
export async function createRuntime(options: InitOptions = {}): Promise<Runtime> {
  return load(readOptions(options));
}

// The names of the options that lead to a module, and of those that a runtime has besides.
const moduleOptions = ['variant', 'deterministic', 'wasmUrl', 'wasmBinary', 'wasmModule'] as const;
const runtimeOptions = [...moduleOptions, 'threads', 'maximumMemory'] as const;

/** A copy of the options. Throws ERR_OPTION. */
function readOptions(given: InitOptions, names: readonly (keyof InitOptions)[] = runtimeOptions): InitOptions {
  const options = pickOptions(given, names);
  const { threads = 'auto', variant = 'auto', deterministic = false, wasmUrl } = options;
  if (variant !== 'auto' && variant !== 'relaxed' && variant !== 'simd') {
    throw optionError('variant', "'auto', 'relaxed' or 'simd'", variant);
  }
  if (typeof deterministic !== 'boolean') throw optionError('deterministic', 'a boolean', deterministic);
  if (variant === 'relaxed' && deterministic) {
    throw new Conv1dError(
      'ERR_OPTION',
      'variant',
      "variant 'relaxed' and deterministic: true exclude each other",
      variant,
    );
  }
  if (threads !== 'auto' && !(Number.isInteger(threads) && threads >= 1 && threads <= mostThreads)) {
    throw optionError('threads', `'auto' or an integer from 1 to ${String(mostThreads)}`, threads);
  }
  if (wasmUrl !== undefined) givenUrl(wasmUrl);
  checkMaximum(options);
  return options;
}

async function load(options: InitOptions): Promise<LoadedRuntime> {
  const variants = chooseVariants(options);
  const { threads, reason } = chooseThreads(options);
  const given = await givenModule(options);
  if (threads === 1) return open(options, given, variants, 1, reason);
  try {
    return await open(options, given, variants, threads, reason);
  } catch (error) {
    if (!isAuto(options) || !(error instanceof Conv1dError)) throw error;
    return open(options, given, variants, 1, `threads do not start: ${error.message}`);
  }
}

/** Rejects where there are fewer threads than were asked for, or just one of several. */
async function open(
  options: InitOptions,
  given: Given | null,
  variants: Variant[],
  threads: number,
  threadsReason: string | null,
): Promise<LoadedRuntime> {
  const threaded = threads > 1;
  const memory = makeMemory(options, threaded);
  const build = await findBuild(given, variants, threaded, isAuto(options));
  const platform = currentPlatform();
  const glue = await platform.loadGlue(threaded);
  const threadScript = threaded ? platform.threadScript() : '';
  const { maximumMemory, deterministic = false } = options;
  const runtime = await start(
    { ...build, threads, threadsReason, deterministic, maximumMemory, threadScript },
    memory,
    glue,
  );
  if (runtime.threads >= (isAuto(options) ? Math.min(threads, 2) : threads)) return runtime;
  runtime.dispose();
  throw new Conv1dError('ERR_WASM_LOAD', 'threads', String(runtime.threadsReason), threads);
}

/**
 * Fetches and compiles the build for one thread that suits this engine, for whoever cannot do so: an AudioWorklet gets
 * the module through `processorOptions` and hands it to `initSync` of `conv1d-wasm/worklet`.
 *
 * @throws as createRuntime.
 */
export async function compileModule(
  given: Omit<InitOptions, 'threads' | 'maximumMemory'> = {},
): Promise<WebAssembly.Module> {
  const options = readOptions(given, moduleOptions);
  return (await findBuild(await givenModule(options), chooseVariants(options), false)).module;
}

let pending: { readonly options: InitOptions; readonly runtime: Promise<LoadedRuntime> } | null = null;

function sameOptions(a: InitOptions, b: InitOptions): boolean {
  return runtimeOptions.every((name) => a[name] === b[name]);
}

/**
 * Loads the default runtime, which `new Conv1d` and `toWasm` use. Later calls give the same one, whatever their
 * options; after its `dispose()`, a failure or a trap they load anew.
 *
 * @throws as createRuntime.
 */
export async function init(given: InitOptions = {}): Promise<Runtime> {
  const options = readOptions(given);
  // A call that fails fails for those with the same options; others try with their own.
  while (pending && !sameOptions(pending.options, options)) await pending.runtime.catch(() => undefined);
  const usable = usableDefault();
  if (usable) return usable;
  pending ??= {
    options,
    runtime: load(options)
      .then(setDefault)
      .finally(() => (pending = null)),
  };
  return pending.runtime;
}
