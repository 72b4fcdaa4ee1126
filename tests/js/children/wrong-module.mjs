// A module that is not the one the options lead to: each must be refused, and the process end by itself.
import { readFileSync } from 'node:fs';
import { createRuntime } from 'conv1d-wasm';

const file = (name) => readFileSync(new URL(`../../../dist/wasm/conv1d-${name}.wasm`, import.meta.url));
const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const attempts = {
  'an empty module': { threads: 1, wasmBinary: empty },
  'an empty module for threads': { threads: 2, wasmBinary: empty },
  'the threaded build for one thread': { threads: 1, variant: 'simd', wasmBinary: file('simd-threads') },
  'the single build for threads': { threads: 2, variant: 'simd', wasmBinary: file('simd') },
};

const { stdout } = process;
const results = {};
const only = process.argv[2];
for (const [name, options] of Object.entries(attempts)) {
  if (only && only !== name) continue;
  results[name] = await createRuntime(options).then(
    () => 'loaded',
    ({ code, field }) => ({ code, field }),
  );
}
stdout.write(`${JSON.stringify(results)}\n`);
