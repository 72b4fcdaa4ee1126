// .wasm files that are missing, broken or from elsewhere: the error names the address, what came, and what helps.
import { Conv1d, createRuntime, Tensor } from '/dist/index.js';
import { expectEqual, expectError, finish, result, skip, test } from './testing.js';

const right = '/dist/wasm/conv1d-simd.wasm';
const load = (wasmUrl) => createRuntime({ threads: 1, variant: 'simd', wasmUrl });

const bytes = new Uint8Array(await (await fetch(right)).arrayBuffer());
const blobUrl = (content, type = 'application/wasm') => URL.createObjectURL(new Blob([content], { type }));

/** The file with the stamp of another version. */
function otherVersion() {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  const at = text.lastIndexOf('conv1d-wasm') + 'conv1d-wasm'.length;
  return bytes.with(at, '9'.charCodeAt(0));
}

const wrong = {
  'no file': ['/no-such-file.wasm', /the server answered 404; copy the package's dist\/wasm there, pass wasmUrl/],
  'a page': [location.pathname, /an HTML page came back.*copy the package's dist\/wasm there, pass wasmUrl/],
  'a text': [blobUrl('hello'), /it is not WebAssembly but starts with "hello"/],
  'half the file': [blobUrl(bytes.slice(0, bytes.length / 2)), /it does not compile .*it must be whole/],
  'another version': [
    blobUrl(otherVersion()),
    /it is 9\.\d+\.\d+ conv1d-simd\.wasm, not conv1d-wasm .*take it from the same/,
  ],
  'another build': [
    '/dist/wasm/conv1d-simd-threads.wasm',
    /conv1d-simd-threads\.wasm, not .* the file that variant and/,
  ],
  'no server': ['http://127.0.0.1:1/conv1d-simd.wasm', /the request failed .*connect-src must allow it.*CORS/],
};

for (const [name, [url, message]] of Object.entries(wrong)) {
  await test(name, async () => {
    const { href } = new URL(url, location.href);
    await expectError(() => load(url), { code: 'ERR_WASM_LOAD', field: 'wasmUrl', got: href, message });
    await expectError(() => load(url), { code: 'ERR_WASM_LOAD', message: new RegExp(`^can not load ${href}: `) });
  });
}

await test('the file with another media type loads', async () => {
  const runtime = await load(blobUrl(bytes, 'text/plain'));
  result.builds.push({ variant: runtime.variant, threads: runtime.threads, threadsReason: null });
  const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, bias: false, runtime });
  layer.weight = new Tensor([1, 10], [1, 1, 2]);
  expectEqual(layer.forward(new Tensor([1, 2, 4], [1, 3])).toArray(), [[21, 42]], 'the output');
  runtime.dispose();
});

const threads = 'threads whose script is not there';
if (typeof SharedArrayBuffer === 'undefined') skip(threads, 1, 'there are no threads here');
else
  await test(threads, async () => {
    const { Worker } = globalThis;
    globalThis.Worker = class extends Worker {
      constructor(_url, options) {
        super('/no-such-file.js', options);
      }
    };
    try {
      await expectError(() => createRuntime({ threads: 2 }), {
        code: 'ERR_WASM_LOAD',
        field: 'runtime',
        message:
          /the threads' script http.*\/dist\/wasm\/threads\.web\.js does not load; it must come from the page's own/,
      });
    } finally {
      globalThis.Worker = Worker;
    }
  });

finish();
