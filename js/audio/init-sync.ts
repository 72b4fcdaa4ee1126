import { pickOptions } from '../common/errors.js';
import { setDefault, usableDefault } from '../runtime/default.js';
import { makeMemory } from '../runtime/memory.js';
import type { Runtime } from '../runtime/runtime.js';
import { requireSingleBuild } from '../runtime/stamp.js';
import { startSync } from '../runtime/start.js';
import glue from '../wasm/single.js';

/**
 * Starts the default runtime at once, without fetching anything: for an AudioWorklet, which cannot. Later calls give
 * the same one. Not for a page's main thread, where engines refuse to.
 *
 * @param module what `compileModule` of `conv1d-wasm` gave, handed over in `processorOptions`.
 * @param options `maximumMemory`: bytes that the memory may grow to, 4 GiB by default.
 * @throws Conv1dError ERR_WASM_LOAD for another module, ERR_OPTION, ERR_OUT_OF_MEMORY.
 */
export function initSync(module: WebAssembly.Module, options: { maximumMemory?: number } = {}): Runtime {
  const { maximumMemory } = pickOptions(options, ['maximumMemory']);
  const usable = usableDefault();
  if (usable) return usable;
  const variant = requireSingleBuild('module', module);
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
