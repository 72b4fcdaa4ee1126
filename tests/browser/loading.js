// .wasm files that are missing, broken or from elsewhere: the error names the address, what came, and what helps.
import { Conv1d, createRuntime, Tensor } from '/dist/index.js';
import { expect, expectEqual, expectError, finish, result, skip, test } from './testing.js';

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
    await expectError(() => load(url), { code: 'ERR_WASM_LOAD', message: new RegExp(`^cannot load ${href}: `) });
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

// ---- the package where a server, or a policy, spoils one of its files

const embedderPolicy = (await fetch(location.href)).headers.get('Cross-Origin-Embedder-Policy');
const isIsolated = typeof SharedArrayBuffer !== 'undefined';
const several = Math.min(navigator.hardwareConcurrency, 8);
const best = await createRuntime({ threads: 1 });
const { variant: bestVariant } = best;
best.dispose();

let ids = 0;
/** A copy of the package of its own, where the files whose path ends with `end` have `fault`. */
async function spoiled(fault, end) {
  const id = `${fault}-${navigator.userAgent.length}.${Date.now()}.${++ids}`;
  const library = await import(`/spoiled/${id}/${end}/dist/index.js`);
  return { ...library, mend: () => fetch(`/mended/${id}`) };
}

function expectRight({ conv1d, Tensor: Own }) {
  const output = conv1d(new Own([1, 2, 4], [1, 3]), new Own([1, 10], [1, 1, 2]));
  expectEqual(output.toArray(), [[21, 42]], 'the output');
}

/** What `init()` gives, and that it computes. */
async function opened(library, options) {
  const runtime = await library.init(options);
  const { variant, threads, threadsReason } = runtime;
  expectRight(library);
  runtime.dispose();
  return { variant, threads, threadsReason };
}

/** A layer, and a call of its `forwardAsync`. */
function later({ Conv1d: Layer, Tensor: Own }) {
  const layer = new Layer({ inChannels: 1, outChannels: 1, kernelSize: 1 });
  return () => layer.forwardAsync(new Own([1, 2], [1, 2]));
}

// Waited for at the end.
const silent = await spoiled('empty', 'worker.js');
await silent.init();
const callOfSilent = later(silent);
const unanswered = expectError(callOfSilent, {
  code: 'ERR_WASM_LOAD',
  field: 'worker',
  message: /no sign of it in 30 s/,
});
unanswered.catch(() => undefined);

const noThreads = [
  ['missing', 'threads.web.js', /^threads do not start: cannot import http.*threads\.web\.js: /],
  ['octets', 'threads.web.js', /^threads do not start: cannot import http.*threads\.web\.js: /],
  [
    'bare',
    'threads.web.js',
    /^threads do not start: the threads' script http.*threads\.web\.js does not load.*Embedder/,
  ],
  ['missing', '-threads.wasm', /^threads do not start: cannot load http.*-threads\.wasm: the server answered 404/],
];
for (const [fault, end, reason] of noThreads) {
  const name = `one thread where ${end} is ${fault}`;
  if (!isIsolated || several === 1) {
    skip(name, 1, 'there are no threads here');
    continue;
  }
  await test(name, async () => {
    const library = await spoiled(fault, end);
    const { variant, threads, threadsReason } = await opened(library);
    expectEqual([variant, threads], [bestVariant, 1], 'the build');
    expect(reason.test(threadsReason), `the reason is "${threadsReason}"`);
    await expectError(() => library.init({ threads: 2 }), { code: 'ERR_WASM_LOAD' });
    await library.mend();
    expectEqual((await opened(library, { threads: 2 })).threads, 2, 'the threads once it is mended');
  });
}

// WebKit takes a worker's script with any media type.
for (const fault of ['missing', 'bare']) {
  await test(`forwardAsync alone fails where worker.js is ${fault}`, async () => {
    const library = await spoiled(fault, 'worker.js');
    await library.init();
    expectRight(library);
    const compute = later(library);
    if (fault === 'missing' || embedderPolicy !== null) {
      await expectError(compute, { code: 'ERR_WASM_LOAD', field: 'worker', message: /the worker script beside http/ });
    }
    expectRight(library);
    await library.mend();
    expectEqual((await compute()).shape, [1, 2], 'the shape once it is mended');
  });
}

await test('the plain build where the relaxed one is missing', async () => {
  for (const end of ['conv1d-relaxed.wasm', 'conv1d-relaxed-threads.wasm']) {
    const options = end.includes('threads') && isIsolated && several > 1 ? {} : { threads: 1 };
    const { variant } = await opened(await spoiled('missing', end), options);
    const isNeeded = end.includes('threads') === !('threads' in options);
    expectEqual(variant, isNeeded ? 'simd' : bestVariant, `the variant without ${end}`);
  }
});

for (const [fault, end] of [
  ['missing', 'single.js'],
  ['octets', 'single.js'],
  ['missing', '.wasm'],
]) {
  await test(`init() works once ${end} is no longer ${fault}`, async () => {
    const library = await spoiled(fault, end);
    const message = new RegExp(`cannot (load|import) http.*${end}: `);
    for (let i = 0; i < 2; ++i)
      await expectError(() => library.init({ threads: 1 }), { code: 'ERR_WASM_LOAD', message });
    await library.mend();
    expectEqual((await opened(library, { threads: 1 })).variant, bestVariant, 'the variant');
  });
}

await test('the package from another origin: one thread, and no forwardAsync', async () => {
  const library = await import(`${new URLSearchParams(location.search).get('elsewhere')}dist/index.js`);
  const { variant, threads, threadsReason } = await library.init();
  expectEqual([variant, threads], [bestVariant, 1], 'the build');
  const reason =
    isIsolated && several > 1 ? /^threads do not start: .*the page's own origin/ : /SharedArrayBuffer|one processor/;
  expect(reason.test(threadsReason), `the reason is "${threadsReason}"`);
  if (isIsolated) await expectError(() => library.createRuntime({ threads: 2 }), { code: 'ERR_WASM_LOAD' });
  await expectError(later(library), { code: 'ERR_WASM_LOAD', message: /the page's own origin/ });
  expectRight(library);
});

await test('a worker that gives no sign is given up', async () => {
  await unanswered;
  expectRight(silent);
  await silent.mend();
  expectEqual((await callOfSilent()).shape, [1, 2], 'the shape once it is mended');
});

finish();
