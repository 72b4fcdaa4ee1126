import { Conv1dError, pickOptions } from './errors.js';
import {
  expectedStamp,
  makeMemory,
  type Runtime,
  setDefault,
  stampOf,
  startSync,
  usableDefault,
  type Variant,
} from './runtime.js';
import glue from './wasm/single.js';

const variants: readonly Variant[] = ['relaxed', 'simd'];

/**
 * Starts the default runtime at once, without fetching anything: for an AudioWorklet, which can not. Later calls give
 * the same one. Not for a page's main thread, where engines refuse to.
 *
 * @param module what `compileModule` of `conv1d-wasm` gave, handed over in `processorOptions`.
 * @param options `maximumMemory`: bytes that the memory may grow to, 4 GiB by default.
 * @throws Conv1dError ERR_WASM_LOAD for another module, ERR_OPTION, ERR_OUT_OF_MEMORY.
 */
export function initSync(module: WebAssembly.Module, options: { maximumMemory?: number } = {}): Runtime {
  const usable = usableDefault();
  if (usable) return usable;
  const { maximumMemory } = pickOptions(options, ['maximumMemory']);
  const found = stampOf(module);
  const variant = variants.find((name) => expectedStamp(name, false) === found);
  if (variant === undefined) {
    const text = `module must be what compileModule() of this version gives, got ${found}`;
    throw new Conv1dError('ERR_WASM_LOAD', 'module', text, found);
  }
  const threadsReason = 'a runtime that starts at once has one thread';
  const memory = makeMemory({ maximumMemory }, false);
  return setDefault(
    startSync(
      { variant, threads: 1, threadsReason, deterministic: false, module, maximumMemory, threadScript: '' },
      memory,
      glue,
    ),
  );
}
