import { readFile } from 'node:fs/promises';
import { createRuntime } from 'conv1d-wasm';
import { check } from './check.js';

const checked = await check();

// The .wasm file by the package's own path.
const wasmBinary = await readFile(new URL(import.meta.resolve('conv1d-wasm/conv1d-simd.wasm')));
const { variant } = await createRuntime({ threads: 1, variant: 'simd', wasmBinary });
console.log(JSON.stringify([...checked, `${variant} wasmBinary`]));
