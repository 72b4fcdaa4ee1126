// Loads a module that is not the one that the options lead to, prints what createRuntime() says, and must end by itself.
import { readFileSync } from 'node:fs';
import { createRuntime } from 'conv1d-wasm';

const file = (name) => readFileSync(new URL(`../../../dist/wasm/conv1d-${name}.wasm`, import.meta.url));
const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const attempts = {
  'an empty module': { threads: 1, wasmBinary: empty },
  'an empty module, threads': { threads: 2, wasmBinary: empty },
  'the threaded build for one thread': { threads: 1, variant: 'simd', wasmBinary: file('simd-threads') },
  'the single build for threads': { threads: 2, variant: 'simd', wasmBinary: file('simd') },
};

const result = await createRuntime(attempts[process.argv[2]]).then(
  () => ({ loaded: true }),
  ({ name, code, field }) => ({ name, code, field }),
);
console.log(JSON.stringify(result));
