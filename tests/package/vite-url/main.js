// The .wasm file by the package's own path, put where the bundler wants it.
import { conv1d, init, Tensor } from 'conv1d-wasm';
import wasmUrl from 'conv1d-wasm/conv1d-simd.wasm?url';

async function main() {
  await init({ threads: 1, variant: 'simd', wasmUrl });
  const [[output]] = conv1d(new Tensor([1, 2], [1, 2]), new Tensor([1, 10], [1, 1, 2])).toArray();
  return output === 21 ? { checked: ['wasmUrl'] } : { error: `the output is ${output}` };
}

main().then(
  (result) => (window.__result = result),
  (error) => (window.__result = { error: String(error.stack ?? error) }),
);
