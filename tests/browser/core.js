// The core tests of one engine: every fixture case on every build that loads, in both placements, with one thread and two;
// which build is chosen and what it says of threads; two runtimes side by side; errors; forwardAsync.
// `?isolated=0` or `=1` says whether the server sent the two isolation headers.

import { checkCase, checkOutput, readCases, readOperatorCases, tolerance } from '../cases.js';
import { makeOperatorCase } from '../operators.js';
import * as library from 'conv1d-wasm';
import { expect, expectEqual, expectError, expectSameBits, finish, noise, result, skip, test } from './testing.js';

const { createRuntime, init, Conv1d, conv1d, Network, Tensor } = library;
const isolated = new URLSearchParams(location.search).get('isolated') === '1';
const canThread = isolated && typeof SharedArrayBuffer === 'function';
// a function with one i8x16.relaxed_swizzle
const canRelax = WebAssembly.validate(
  // prettier-ignore
  new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
    10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11,
  ]),
);
const bestVariant = canRelax ? 'relaxed' : 'simd';

// ---- helpers on the library

function makeLayer(options, weight, bias, runtime) {
  const layer = new Conv1d({ ...options, runtime });
  layer.weight = weight;
  if (bias !== null) layer.bias = bias;
  return layer;
}

/** Runs a layer and gives a copy of its output, which must live where the input lives. */
function forward(layer, input, placement, runtime) {
  const placed = placement === 'wasm' ? input.toWasm(runtime) : input;
  const output = layer.forward(placed);
  try {
    expectEqual(output.placement, placement, "the output's placement");
    return { shape: [...output.shape], data: output.data.slice() };
  } finally {
    if (placement === 'wasm') {
      placed.dispose();
      output.dispose();
    }
  }
}

/** A runtime, written down in the result; null where it does not load and need not. */
async function openBuild(variant, threads) {
  const name = `${variant}, ${threads} thread${threads > 1 ? 's' : ''}`;
  if (variant === 'relaxed' && !canRelax) {
    await test(`${name}: refused`, () =>
      expectError(() => createRuntime({ variant, threads }), { code: 'ERR_UNSUPPORTED' }));
    return null;
  }
  let runtime = null;
  await test(`${name}: loads`, async () => {
    runtime = await createRuntime({ variant, threads });
    expectEqual(runtime.variant, variant, 'variant');
    checkThreads(runtime, threads);
  });
  if (runtime) describeBuild(runtime);
  return runtime;
}

function describeBuild({ variant, threads, threadsReason }) {
  const text = { variant, threads, threadsReason };
  if (!result.builds.some((other) => JSON.stringify(other) === JSON.stringify(text))) result.builds.push(text);
}

/** What a runtime must say about threads in this page. */
function checkThreads({ threads, threadsReason }, asked) {
  if (asked === 1) {
    expectEqual(threads, 1, 'threads');
  } else if (canThread) {
    expect(threads >= 2, `threads is ${threads}, asked for ${asked}: ${threadsReason}`);
    expectEqual(threadsReason, null, 'threadsReason');
  } else {
    expectEqual(threads, 1, 'threads');
    const parts = isolated
      ? ['SharedArrayBuffer'] // WebKitGTK: the headers are there, the thing itself is not
      : ['Cross-Origin-Opener-Policy', 'Cross-Origin-Embedder-Policy'];
    for (const part of parts)
      expect(threadsReason?.includes(part), `threadsReason does not name ${part}: ${threadsReason}`);
  }
}

// ---- the tests

async function testEnvironment() {
  await test('the page is isolated as the server asked', () => {
    expectEqual(crossOriginIsolated, isolated, 'crossOriginIsolated');
  });
}

async function testBeforeInit() {
  await test('a layer before init() is an error', () =>
    expectError(() => new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1 }), { code: 'ERR_NOT_INITIALIZED' }));
}

async function testDefaultRuntime() {
  await test('init() picks the best build, once', async () => {
    const runtime = await init({ threads: 2 });
    describeBuild(runtime);
    expectEqual(runtime.variant, bestVariant, 'variant');
    checkThreads(runtime, 2);
    expect((await init({ threads: 2 })) === runtime, 'a second init() gave another runtime');
  });
  await test('the example of the readme', () => {
    const layer = new Conv1d({ inChannels: 3, outChannels: 1, kernelSize: 3 });
    const input = new Tensor(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [2, 3, 4],
    );
    layer.weight = new Tensor(new Float32Array(9).fill(1), [1, 3, 3]);
    const output = layer.forward(input);
    expectEqual(output.shape, [2, 1, 2], 'shape');
    expectEqual([...output.data], [45, 54, 153, 162], 'output');
    layer.dispose();
    layer.dispose();
  });
  await test('conv1d() is the layer as a function', () => {
    const input = new Tensor(noise(2 * 6 * 37), [2, 6, 37]);
    const weight = new Tensor(noise(10 * 3 * 5, 2), [2, 5, 3, 5]);
    const bias = new Tensor(noise(10, 3), [1, 10, 1]);
    const sizes = { inChannels: 6, outChannels: 10, kernelSize: 5 };
    const options = { stride: 2, padding: 'same', groups: 2, paddingMode: 'reflect', activation: 'silu' };
    const layer = makeLayer({ ...sizes, ...options }, weight, bias);
    expectSameBits(conv1d(input, weight, bias, options).data, layer.forward(input).data, 'output');
    layer.dispose();
  });
}

/** That a case can fail: twice the tolerance does, half of it does not. */
async function testTheCheck(cases) {
  await test('the check of a case sees a wrong value', () => {
    for (const testCase of cases) {
      const { expected, name } = testCase;
      const allowed = tolerance(testCase);
      const at = expected.length >> 1;
      for (const [factor, wrong] of [
        [0.5, false],
        [2, true],
      ]) {
        const output = expected.slice();
        // where the tolerance is 0, as of an output that only padding reaches, every error is wrong
        output[at] += allowed[at] * factor || (wrong ? 1 : 0);
        expectEqual(checkCase(testCase, output) !== null, wrong, `${name}, off by ${factor} tolerances: failed`);
      }
      for (const value of [NaN, Infinity]) {
        const output = expected.slice();
        output[at] = value;
        expect(checkCase(testCase, output) !== null, `${name}: ${value} was let through`);
      }
      expect(checkCase(testCase, expected.subarray(1)) !== null, `${name}: a missing value was let through`);
    }
  });
}

/** `run(placement, runtime)` gives a case's output, `check` says what is wrong with it. */
async function testCases(cases) {
  for (const variant of ['relaxed', 'simd']) {
    const oneThread = new Map(); // outputs by case name
    for (const threads of [1, 2]) {
      const runtime = await openBuild(variant, threads);
      if (runtime === null) {
        skip(`${variant}, ${threads} thread(s): cases`, cases.length * 2, `this engine does not load ${variant} SIMD`);
        continue;
      }
      if (threads > 1 && runtime.threads === 1) {
        skip(`${variant}, ${threads} threads: cases`, cases.length * 2, runtime.threadsReason);
        runtime.dispose();
        continue;
      }
      for (const testCase of cases) {
        for (const placement of ['js', 'wasm']) {
          await test(`${testCase.name} (${variant}, ${threads} thread(s), ${placement})`, () => {
            const { data, shape } = testCase.run(placement, runtime);
            expectEqual(shape, testCase.outputShape, "the output's shape");
            const wrong = testCase.check(data);
            expect(wrong === null, wrong);
            if (oneThread.has(testCase.name)) {
              expectSameBits(data, oneThread.get(testCase.name), 'against one thread and a js tensor');
            } else {
              oneThread.set(testCase.name, data);
            }
          });
        }
      }
      runtime.dispose();
    }
    await testThreadsAgree(variant);
  }
}

function runOperatorCase(testCase, placement, runtime) {
  const algorithm = testCase.arguments[0]?.layer === 'ConvTranspose1d' ? 'direct' : undefined;
  const { network, input, dispose } = makeOperatorCase(library, testCase, { runtime, algorithm });
  try {
    return forward(network, input, placement, runtime);
  } finally {
    dispose();
  }
}

function runCase({ options, dtype, input, inputShape, weight, weightShape, bias }, placement, runtime) {
  const layer = makeLayer(
    options,
    new Tensor(weight, weightShape, dtype),
    bias && new Tensor(bias, [1, bias.length, 1], dtype),
    runtime,
  );
  try {
    return forward(layer, new Tensor(input, inputShape, dtype), placement, runtime);
  } finally {
    layer.dispose();
  }
}

/** Layers that are large enough to be divided, unlike the fixture cases. */
async function testThreadsAgree(variant) {
  if (!canThread || (variant === 'relaxed' && !canRelax)) return;
  const layers = {
    dense: [{ inChannels: 64, outChannels: 61, kernelSize: 5, padding: 'same' }, [2, 64, 2053]],
    'dense with stride 2': [{ inChannels: 48, outChannels: 64, kernelSize: 3, stride: 2 }, [1, 48, 4099]],
    '1x1': [{ inChannels: 128, outChannels: 96, kernelSize: 1 }, [1, 128, 2053]],
    depthwise: [{ inChannels: 96, outChannels: 96, kernelSize: 9, groups: 96, padding: 'causal' }, [1, 96, 8191]],
    filter: [
      { inChannels: 1, outChannels: 1, kernelSize: 511, padding: 'same', paddingMode: 'reflect' },
      [1, 1, 48000],
    ],
  };
  let one = null;
  let two = null;
  await test(`${variant}: a runtime with one thread beside one with two`, async () => {
    one = await createRuntime({ variant, threads: 1 });
    two = await createRuntime({ variant, threads: 2 });
  });
  if (!one || !two) return;
  for (const [name, [options, shape]] of Object.entries(layers)) {
    await test(`${variant}: ${name}: two threads give the bits of one`, () => {
      const { inChannels, outChannels, kernelSize, groups = 1 } = options;
      const perGroup = [outChannels / groups, inChannels / groups, kernelSize];
      const weightShape = groups === 1 ? perGroup : [groups, ...perGroup];
      const size = (extents) => extents.reduce((a, b) => a * b);
      const weight = new Tensor(noise(size(weightShape), 2), weightShape);
      const bias = new Tensor(noise(outChannels, 3), [1, outChannels, 1]);
      const input = new Tensor(noise(size(shape), 4), shape);
      const [a, b] = [one, two].map((runtime) => {
        const layer = makeLayer(options, weight, bias, runtime);
        const { threads } = layer.explain(shape);
        expectEqual(threads >= 2, runtime === two, `explain() says ${threads} of ${runtime.threads}: several threads`);
        const outputs = [1, 2, 3].map(() => forward(layer, input, 'js', runtime).data);
        for (const again of outputs) expectSameBits(again, outputs[0], 'a second call');
        layer.dispose();
        return outputs[0];
      });
      expectSameBits(b, a, 'two threads');
    });
  }
  one.dispose();
  two.dispose();
}

async function testTwoRuntimes() {
  await test('a second runtime works beside the first, and outlives it', async () => {
    const [a, b] = [await createRuntime({ threads: 2 }), await createRuntime({ threads: 2 })];
    expect(a !== b, 'both are one runtime');
    const options = { inChannels: 5, outChannels: 7, kernelSize: 3 };
    const weight = new Tensor(noise(7 * 5 * 3), [7, 5, 3]);
    const input = new Tensor(noise(2 * 5 * 101, 2), [2, 5, 101]);
    const [layerA, layerB] = [a, b].map((runtime) => makeLayer(options, weight, null, runtime));
    const first = forward(layerA, input, 'wasm', a);
    expectSameBits(forward(layerB, input, 'wasm', b).data, first.data, 'the second runtime');
    expectSameBits(forward(layerA, input, 'wasm', a).data, first.data, 'the first runtime again');
    a.dispose();
    await expectError(() => layerA.forward(input), { code: 'ERR_DISPOSED' });
    expectSameBits(forward(layerB, input, 'wasm', b).data, first.data, 'the second after the first is gone');
    b.dispose();
    b.dispose();
  });
  await test('deterministic: the build without relaxed SIMD', async () => {
    const runtime = await createRuntime({ deterministic: true });
    expectEqual(runtime.variant, 'simd', 'variant');
    runtime.dispose();
  });
}

async function testErrors() {
  const sizes = { inChannels: 6, outChannels: 8, kernelSize: 3 };
  const bad = {
    'groups that do not divide': [{ groups: 4 }, { message: /inChannels \(6\) must be divisible by groups \(4\)/ }],
    'stride 0': [{ stride: 0 }, { field: 'stride', got: 0, message: /stride.*0/ }],
    'kernelSize 2.5': [{ kernelSize: 2.5 }, { field: 'kernelSize', got: 2.5, message: /kernelSize.*2\.5/ }],
    'an unknown padding mode': [{ paddingMode: 'mirror' }, { field: 'paddingMode', got: 'mirror', message: /mirror/ }],
    'true convolution': [{ convMode: 'convolution' }, { field: 'convMode', got: 'convolution', message: /revers/ }],
  };
  for (const [name, [options, expected]] of Object.entries(bad)) {
    await test(`error: ${name}`, () =>
      expectError(() => new Conv1d({ ...sizes, ...options }), { code: 'ERR_OPTION', ...expected }));
  }
  await test('error: a failed call changes nothing', async () => {
    const layer = new Conv1d(sizes);
    const input = new Tensor(noise(6 * 19), [6, 19]);
    const before = layer.forward(input).data.slice();
    const tensor = (...shape) => new Tensor(noise(shape.reduce((a, b) => a * b)), shape);
    await expectError(() => layer.forward(tensor(2, 5, 19)), { code: 'ERR_SHAPE', message: /6.*5|5.*6/ });
    await expectError(() => layer.forward(tensor(6, 2)), { code: 'ERR_SHAPE' });
    await expectError(() => (layer.weight = tensor(8, 6, 4)), { code: 'ERR_SHAPE' });
    const half = new Tensor(new Uint16Array(6 * 19), [6, 19], 'float16');
    await expectError(() => layer.forward(half), { code: 'ERR_DTYPE' });
    expectSameBits(layer.forward(input).data, before, 'the output afterwards');
    layer.dispose();
    await expectError(() => layer.forward(input), { code: 'ERR_DISPOSED' });
  });
  await test('error: a wasm file that is not there', () =>
    expectError(() => createRuntime({ wasmUrl: new URL('/no-such-file.wasm', location.href) }), {
      code: 'ERR_WASM_LOAD',
      message: /no-such-file\.wasm/,
    }));
}

async function testAsync() {
  for (const variant of canRelax ? ['relaxed', 'simd'] : ['simd']) {
    for (const threads of canThread ? [1, 2] : [1]) {
      const runtime = await createRuntime({ variant, threads });
      await testAsyncOn(runtime, `forwardAsync (${variant}, ${threads} thread(s))`);
      runtime.dispose();
    }
  }
  const runtime = await createRuntime({ threads: 1 });
  await testFrames(runtime);
  runtime.dispose();
  await testWithoutWorker();
}

/** A layer, and an input that takes it a second or two on one thread. */
function heavyWork(runtime) {
  const weight = new Tensor(noise(128 * 128 * 17), [128, 128, 17]);
  const layer = makeLayer({ inChannels: 128, outChannels: 128, kernelSize: 17 }, weight, null, runtime);
  return { layer, input: new Tensor(noise(128 * 160_000, 2), [128, 160_000]) };
}

async function testAsyncOn(runtime, name) {
  const options = { inChannels: 6, outChannels: 10, kernelSize: 5, stride: 2, padding: 'same', groups: 2 };
  await test(`${name}: the bits of forward, in order`, async () => {
    const order = [];
    const calls = ['float32', 'float16'].flatMap((dtype) => {
      const weight = new Tensor(noise(10 * 3 * 5, 2), [2, 5, 3, 5], dtype);
      const layer = makeLayer({ ...options, dtype }, weight, null, runtime);
      return ['js', 'wasm'].map(async (placement, i) => {
        const input = new Tensor(noise(2 * 6 * 3001), [2, 6, 3001], dtype);
        const expected = forward(layer, input, placement, runtime);
        const output = await layer.forwardAsync(placement === 'wasm' ? input.toWasm(runtime) : input);
        order.push(`${dtype} ${i}`);
        expectEqual(output.placement, placement, "the output's placement");
        expectEqual(output.shape, expected.shape, 'shape');
        expectSameBits(output.data, expected.data, `${dtype} ${placement}`);
      });
    });
    await Promise.all(calls);
    expectEqual(order, ['float32 0', 'float32 1', 'float16 0', 'float16 1'], 'order');
  });
  await test(`${name}: a network gives the bits of forward`, async () => {
    const wide = makeLayer(
      { inChannels: 4, outChannels: 16, kernelSize: 9, dilation: 2, padding: 'causal' },
      new Tensor(noise(16 * 4 * 9, 3), [16, 4, 9]),
      null,
      runtime,
    );
    const narrow = makeLayer(
      { inChannels: 8, outChannels: 4, kernelSize: 1 },
      new Tensor(noise(4 * 8, 4), [4, 8, 1]),
      null,
      runtime,
    );
    const network = new Network(4, (x) => x.add(x.conv(wide).gate().conv(narrow)));
    const input = new Tensor(noise(2 * 4 * 20_000), [2, 4, 20_000]);
    const output = await network.forwardAsync(input);
    expectEqual(output.shape, [2, 4, 20_000], 'shape');
    expectSameBits(output.data, network.forward(input).data, 'a network');
    network.dispose();
  });
  await test(`${name}: an abort stops a call, and the next one is right`, async () => {
    const { layer, input } = heavyWork(runtime);
    const controller = new AbortController();
    const fractions = [];
    const onProgress = (fraction) => {
      fractions.push(fraction);
      controller.abort('enough');
    };
    const call = layer.forwardAsync(input, { signal: controller.signal, onProgress });
    const short = new Tensor(input.data.subarray(0, 128 * 50), [128, 50]);
    const next = layer.forwardAsync(short);
    expectEqual(await call.catch((reason) => reason), 'enough', 'the reason');
    expectSameBits((await next).data, layer.forward(short).data, 'the next call');
    expectEqual(fractions.length, 1, 'reports of progress');
    expect(fractions[0] < 0.5, `it had come to ${fractions[0]} when it was aborted`);
  });
}

/** How a page that animates fares meanwhile. */
async function testFrames(runtime) {
  await test('forwardAsync leaves the page its frames', async () => {
    const { layer, input } = heavyWork(runtime);
    await layer.forwardAsync(new Tensor(input.data.subarray(0, 128 * 17), [128, 17])); // the worker starts
    const idle = await countTurns(new Promise((resolve) => setTimeout(resolve, 1000)));
    const fractions = [];
    const copying = performance.now();
    const call = layer.forwardAsync(input, { onProgress: (fraction) => fractions.push(fraction) });
    const copied = performance.now() - copying;
    const busy = await countTurns(call);
    const describe = ({ frames, seconds, longestGap }) =>
      `${(frames / seconds).toFixed(1)} frames/s, longest gap ${longestGap.toFixed(0)} ms`;
    const text = `${busy.seconds.toFixed(1)} s of work`;
    result.notes.push(
      `forwardAsync, ${text}: ${describe(busy)}; idle: ${describe(idle)}; the call itself took ${copied.toFixed(0)} ms`,
    );
    expect(fractions.length > 3 && fractions.at(-1) === 1, `progress: ${fractions.join(' ')}`);
    expect(busy.longestGap < (busy.seconds * 1000) / 3, `the page stood still for ${busy.longestGap} ms of ${text}`);
  });
}

/** Animation frames, and the longest that a timer of this thread had to wait, until `promise` settles. */
async function countTurns(promise) {
  let pending = true;
  let frames = 0;
  let longestGap = 0;
  const start = performance.now();
  let last = start;
  const countFrame = () => {
    ++frames;
    if (pending) requestAnimationFrame(countFrame);
  };
  requestAnimationFrame(countFrame);
  const timer = setInterval(() => {
    const now = performance.now();
    longestGap = Math.max(longestGap, now - last);
    last = now;
  });
  await promise;
  const end = performance.now();
  pending = false;
  clearInterval(timer);
  return { frames, seconds: (end - start) / 1000, longestGap: Math.max(longestGap, end - last) };
}

/** The last test of the page: from here on it may not start workers. */
async function testWithoutWorker() {
  await test('error: a worker that the Content-Security-Policy forbids', async () => {
    const policy = { httpEquiv: 'Content-Security-Policy', content: "worker-src 'none'" };
    document.head.append(Object.assign(document.createElement('meta'), policy));
    const runtime = await createRuntime({ threads: 1 });
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, runtime });
    const input = new Tensor([1, 2], [1, 2]);
    for (let i = 0; i < 2; ++i)
      await expectError(() => layer.forwardAsync(input), {
        code: 'ERR_WASM_LOAD',
        field: 'worker',
        message: /dist\/.*worker-src/,
      });
    expectEqual(layer.forward(input).shape, [1, 2], 'the shape that forward still gives');
    runtime.dispose();
  });
}

async function fetchFixtures(name) {
  const load = async (file) => {
    const response = await fetch(new URL(`../fixtures/${file}`, import.meta.url));
    if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
    return response;
  };
  const [json, bin] = await Promise.all([load(`${name}.json`), load(`${name}.bin`)]);
  return [await json.json(), await bin.arrayBuffer()];
}

async function fetchCases() {
  return readCases(...(await fetchFixtures('conv1d')), (await init()).activations);
}

async function fetchOperatorCases() {
  return readOperatorCases(...(await fetchFixtures('operators')));
}

await testEnvironment();
await testBeforeInit();
await testDefaultRuntime();
await testTwoRuntimes();
await testErrors();
await test('the fixture cases', async () => {
  const cases = await fetchCases();
  const operatorCases = await fetchOperatorCases();
  expect(cases.length > 0 && operatorCases.length > 0, 'there are none');
  await testTheCheck(cases);
  await testCases([
    ...cases.map((testCase) => ({
      ...testCase,
      run: (placement, runtime) => runCase(testCase, placement, runtime),
      check: (output) => checkCase(testCase, output),
    })),
    ...operatorCases.map((testCase) => ({
      ...testCase,
      name: `operator: ${testCase.name}`, // some have the name of a layer's case
      run: (placement, runtime) => runOperatorCase(testCase, placement, runtime),
      check: (output) => checkOutput(testCase, output, testCase.tolerance),
    })),
  ]);
});
await testAsync();

finish();
