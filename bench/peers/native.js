// onnxruntime-node: the native runtime, as an outer mark of what this machine can do.
import { ortContender } from './ort-session.js';

export const name = 'onnxruntime-node';

/** `module` is where the package lies: it is not a dependency. */
export async function load({ threads, module }) {
  const { default: ort } = await import(module);
  return [ortContender(name, ort, { intraOpNumThreads: threads, interOpNumThreads: 1 })];
}
