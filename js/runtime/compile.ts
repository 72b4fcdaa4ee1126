import { bytesIn } from '../common/bytes.js';
import { Conv1dError, show } from '../common/errors.js';
import type { GlueFactory } from './core.js';

/** Where a .wasm file comes from: its address, or the option that holds it. */
export type WasmSource = URL | 'wasmBinary' | 'wasmModule';

/** What helps when there is no .wasm file at an address. */
export const whenMissing =
  "copy the package's dist/wasm there, pass wasmUrl, or keep the bundler from moving the library " +
  "(Vite 7: optimizeDeps: { exclude: ['conv1d-wasm'] })";

/** ERR_WASM_LOAD that says what was wrong with the file from `source`, and what helps. */
export function wasmError(source: WasmSource, what: string, cause?: unknown): Conv1dError {
  const [field, name, got] =
    typeof source === 'string' ? [source, source, undefined] : ['wasmUrl', source.href, source.href];
  return new Conv1dError('ERR_WASM_LOAD', field, `cannot load ${name}: ${what}`, got, cause);
}

/** The first bytes, one character each. */
function startOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 200));
}

/** What helps, if it was the page's policy that refused; or null. Some engines ask it only as the module starts. */
export function policyRefusal(error: unknown): string | null {
  return /content security policy|csp|unsafe-eval/i.test(String(error))
    ? "the Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src"
    : null;
}

function whyNot(given: BufferSource, error: unknown): string {
  const bytes = bytesIn(given);
  if (!bytes) return `it must be an ArrayBuffer or a view of one, got ${show(given)}`;
  const start = startOf(bytes);
  if (start.trimStart().startsWith('<')) {
    return `an HTML page came back, as servers send for a file that they lack; ${whenMissing}`;
  }
  if (!start.startsWith('\0asm')) {
    return `it is not WebAssembly but starts with ${JSON.stringify(start.slice(0, 16))} (${String(error)})`;
  }
  return policyRefusal(error) ?? `it does not compile (${String(error)}); it must be whole, as it is in the package`;
}

/** Compiles what came from `source`. Throws ERR_WASM_LOAD. */
export async function compileBytes(bytes: BufferSource, source: WasmSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw wasmError(source, whyNot(bytes, error), error);
  }
}

let attempts = 0;

/**
 * The glue that `load` imports from `url()`. Both are written out by the platforms, for bundlers. Throws ERR_WASM_LOAD,
 * ERR_UNSUPPORTED.
 */
export async function importGlue(load: () => Promise<{ default: GlueFactory }>, url: () => URL): Promise<GlueFactory> {
  try {
    return (await load()).default;
  } catch (error) {
    if ('ServiceWorkerGlobalScope' in globalThis) {
      const text =
        'a service worker cannot import() what this entry needs: use initSync(module) of conv1d-wasm/worklet';
      throw new Conv1dError('ERR_UNSUPPORTED', 'runtime', text, undefined, error);
    }
    const { href } = url();
    // Firefox never asks again for an address that failed once.
    const again = `${href}?again=${String(++attempts)}`;
    try {
      return ((await import(/* webpackIgnore: true */ /* @vite-ignore */ again)) as { default: GlueFactory }).default;
    } catch {
      const text = `cannot import ${href}: ${String(error)}; ${whenMissing}`;
      throw new Conv1dError('ERR_WASM_LOAD', 'runtime', text, href, error);
    }
  }
}
