import { Conv1dError } from '../common/errors.js';
import { version } from '../version.js';
import type { Variant } from './runtime-options.js';

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
