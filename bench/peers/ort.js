// onnxruntime-web, its wasm backend. It takes and gives JavaScript arrays, nothing else.
import * as ort from 'onnxruntime-web';
import { ortContender } from './ort-session.js';

export const name = 'onnxruntime-web';

export async function load({ threads }) {
  ort.env.wasm.numThreads = threads; // read when the first session starts
  return [ortContender(name, ort, { executionProviders: ['wasm'] })];
}
