// forwardAsync: the bits of forward, in a worker; order, aborts, progress, ownership and what fails.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Conv1d, createRuntime, init, Network, Tensor } from 'conv1d-wasm';
import {
  differingBits,
  expectSameBits,
  fromRoot,
  halvesWhere,
  makeLayer,
  makeRandom,
  noise,
  noiseTensor,
  openBuilds,
  rejected,
  runForResult,
  thrown,
  zeros,
} from './support.js';

const sizes = { inChannels: 3, outChannels: 4, kernelSize: 3 };
const input = noiseTensor([2, 3, 17], 5);

// Work for about a second of one thread: many slices.
const longOptions = { inChannels: 128, outChannels: 128, kernelSize: 9, padding: 'same' };
const longInput = noiseTensor([128, 64_000], 6);

const builds = await openBuilds([1, 2]);
const runtime = await init({ threads: 1 });
afterAll(() => {
  for (const build of builds) build.runtime.dispose();
  runtime.dispose();
});

/** What `promise` rejects with, whatever it is. */
const reason = (promise) =>
  promise.then(
    () => {
      throw new Error('it did not reject');
    },
    (error) => error,
  );

describe.each(builds)('the bits of forward: $name', ({ runtime: own }) => {
  test.each([
    ['float32', [2, 3, 1001], {}],
    ['float32', [3, 40], { stride: 2, padding: 'same', paddingMode: 'reflect', activation: 'gelu' }],
    ['float32', [2, 3, 300], { dilation: 7, padding: [3, 11], activation: { type: 'leaky_relu', slope: 0.3 } }],
    ['float32', [0, 3, 17], {}],
    ['float32', [3, 3, 500], { outChannels: 9, groups: 3, bias: false, padding: 'causal' }],
    ['float16', [2, 3, 1001], { activation: 'silu' }],
    ['float16', [3, 41], { bias: false }],
  ])('%s %j %j', async (dtype, shape, options) => {
    const layer = makeLayer({ ...sizes, ...options, dtype, runtime: own });
    const x = halvesWhere(dtype, noiseTensor(shape, 7));
    const expected = layer.forward(x);
    const output = await layer.forwardAsync(x);
    expect(output).toMatchObject({ placement: 'js', dtype, shape: expected.shape });
    expect(output.data.constructor).toBe(expected.data.constructor);
    expectSameBits(output.data, expected.data);

    const placed = x.toWasm(own);
    const outputPlaced = await layer.forwardAsync(placed);
    expect(outputPlaced).toMatchObject({ placement: 'wasm', dtype, shape: expected.shape });
    expectSameBits(outputPlaced.data, expected.data);
    for (const object of [placed, outputPlaced, layer]) object.dispose();
  });

  test('of a long call, in many slices', async () => {
    const layer = makeLayer({ ...longOptions, runtime: own });
    const fractions = [];
    const output = await layer.forwardAsync(longInput, { onProgress: (fraction) => fractions.push(fraction) });
    expectSameBits(output.data, layer.forward(longInput).data);
    expect(fractions.length).toBeGreaterThan(3);
    expect(fractions.every((fraction, i) => fraction > (fractions[i - 1] ?? 0))).toBe(true);
    expect(fractions.at(-1)).toBe(1);
    layer.dispose();
  });
});

describe('what is computed is what was there at the time of the call', () => {
  test('weights that change between calls', async () => {
    const layer = makeLayer(sizes);
    const calls = [];
    const call = () => calls.push([layer.forward(input), layer.forwardAsync(input)]);
    call();
    layer.weight = noiseTensor([4, 3, 3], 21);
    call();
    call();
    layer.bias = noiseTensor([4], 22);
    call();
    layer.resetParameters({ seed: 3 });
    call();
    layer.loadStateDict({ weight: noiseTensor([4, 3, 3], 23), bias: noiseTensor([4], 24) });
    call();
    for (const [expected, promise] of calls) expectSameBits((await promise).data, expected.data);
    const outputs = calls.map(([expected]) => expected.data);
    expect(differingBits(outputs[1], outputs[2])).toEqual([]);
    for (const [i, j] of [
      [0, 1],
      [2, 3],
      [3, 4],
      [4, 5],
    ])
      expect(differingBits(outputs[i], outputs[j])).not.toEqual([]);
    layer.dispose();
  });

  test('inputs that are overwritten, or disposed, afterwards', async () => {
    const layer = makeLayer(sizes);
    const expected = layer.forward(input).data;
    const js = input.toJs();
    const placed = input.toWasm();
    const disposed = input.toWasm();
    const promises = [js, placed, disposed].map((tensor) => layer.forwardAsync(tensor));
    js.data.fill(0);
    placed.data.fill(0);
    disposed.dispose();
    layer.dispose();
    const outputs = await Promise.all(promises);
    for (const output of outputs) expectSameBits(output.data, expected);
    expect(js.data.length).toBe(input.size); // not detached
    for (const tensor of [placed, ...outputs]) tensor.dispose();
  });

  test('a view of a larger array', async () => {
    const all = noise(1000);
    const view = new Tensor(all.subarray(100, 100 + input.size), input.shape);
    const layer = makeLayer(sizes);
    const output = await layer.forwardAsync(view);
    expectSameBits(output.data, layer.forward(view).data);
    expect(all.length).toBe(1000);
    layer.dispose();
  });
});

test('random calls, weights, aborts and disposals: every answer right and in order', async () => {
  const random = makeRandom(11);
  const pick = (count) => Math.floor(random() * count);
  const order = [];
  const checks = [];
  let layers = [];
  for (let i = 0; i < 300; ++i) {
    if (layers.length < 4) layers.push(makeLayer(sizes, { seed: i + 1 }));
    const layer = layers[pick(layers.length)];
    const x = noiseTensor([pick(4), 3, 3 + pick(random() < 0.1 ? 30_000 : 60)], i + 1);
    const expected = layer.forward(x).data;
    const controller = new AbortController();
    const promise = layer.forwardAsync(x, { signal: controller.signal });
    let aborted = false;
    checks.push(
      promise.then(
        (output) => {
          order.push(i);
          expect(aborted).toBe(false);
          expectSameBits(output.data, expected);
        },
        (error) => {
          expect(aborted).toBe(true);
          expect(error).toBe(i);
        },
      ),
    );
    const abort = () => {
      if (order.includes(i)) return;
      aborted = true;
      controller.abort(i);
    };
    const dice = random();
    if (dice < 0.1) abort();
    else if (dice < 0.2) setTimeout(abort, pick(20));
    else if (dice < 0.3) layer.weight = noiseTensor([4, 3, 3], i + 500);
    else if (dice < 0.4) {
      layer.dispose();
      layers = layers.filter((other) => other !== layer);
    } else if (dice < 0.5) await promise.catch(() => {});
  }
  await Promise.all(checks);
  expect(order.length).toBeGreaterThan(200);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  for (const layer of layers) layer.dispose();
});

describe('a network', () => {
  const build = () => {
    const wide = makeLayer({ inChannels: 2, outChannels: 8, kernelSize: 3, padding: 1 }, { seed: 1 });
    const narrow = makeLayer({ inChannels: 4, outChannels: 2, kernelSize: 1 }, { seed: 2 });
    const network = new Network(2, (x) => x.add(x.conv(wide).gate().conv(narrow)));
    return { network, layers: [wide, narrow] };
  };

  test('gives the bits of forward, with the weights of the time of the call', async () => {
    const { network, layers } = build();
    const signal = noiseTensor([2, 2, 3000], 9);
    const calls = [];
    const call = () => calls.push([network.forward(signal), network.forwardAsync(signal)]);
    call();
    call();
    layers[1].weight = noiseTensor([2, 4, 1], 10);
    call();
    for (const [expected, promise] of calls) expectSameBits((await promise).data, expected.data);
    expect(differingBits(calls[1][0].data, calls[2][0].data)).not.toEqual([]);
    const placed = signal.toWasm();
    const output = await network.forwardAsync(placed);
    expect(output.placement).toBe('wasm');
    expectSameBits(output.data, calls[2][0].data);
    for (const owned of [placed, output, network, ...layers]) owned.dispose();
  });

  test('tells how far it is, and stops when it is told to', async () => {
    const layer = makeLayer(longOptions);
    const network = new Network([layer]);
    const controller = new AbortController();
    const fractions = [];
    const onProgress = (fraction) => {
      fractions.push(fraction);
      controller.abort('enough');
    };
    expect(await reason(network.forwardAsync(longInput, { signal: controller.signal, onProgress }))).toBe('enough');
    expect(fractions).toHaveLength(1);
    layer.dispose();
    network.dispose();
  });

  test('refuses what forward refuses', async () => {
    const { network, layers } = build();
    expect(await reason(network.forwardAsync(noiseTensor([3, 30])))).toMatchObject({ code: 'ERR_SHAPE' });
    expect(await reason(network.forwardAsync(noiseTensor([2, 30]), { progress: 1 }))).toMatchObject({
      code: 'ERR_OPTION',
      field: 'progress',
    });
    network.dispose();
    network.dispose();
    expect(await reason(network.forwardAsync(noiseTensor([2, 30])))).toMatchObject({ code: 'ERR_DISPOSED' });
    expect(() => network.forward(noiseTensor([2, 30]))).toThrow('this network is disposed');
    expect(layers[0].forward(noiseTensor([2, 30])).shape).toEqual([8, 30]);
    for (const layer of layers) layer.dispose();
  });
});

describe('aborts', () => {
  let layer;
  let long;
  beforeAll(() => {
    layer = makeLayer(sizes);
    long = makeLayer(longOptions);
  });
  afterAll(() => {
    layer.dispose();
    long.dispose();
  });
  const expectWorks = async () => expectSameBits((await layer.forwardAsync(input)).data, layer.forward(input).data);

  test('a signal that is aborted already', async () => {
    const why = new Error('no more');
    expect(await reason(layer.forwardAsync(input, { signal: AbortSignal.abort(why) }))).toBe(why);
    expect(await reason(layer.forwardAsync(input, { signal: AbortSignal.abort() }))).toMatchObject({
      name: 'AbortError',
    });
    await expectWorks();
  });

  test('a running call stops computing', async () => {
    const controller = new AbortController();
    const fractions = [];
    const onProgress = (fraction) => {
      fractions.push(fraction);
      controller.abort('enough');
    };
    const call = long.forwardAsync(longInput, { signal: controller.signal, onProgress });
    const next = layer.forwardAsync(input);
    expect(await reason(call)).toBe('enough');
    expectSameBits((await next).data, layer.forward(input).data);
    expect(fractions).toHaveLength(1);
    expect(fractions[0]).toBeLessThan(0.5);
  });

  test('the next call does not wait for what is left of an aborted one', async () => {
    let started = performance.now();
    await long.forwardAsync(longInput);
    const whole = performance.now() - started;
    const controller = new AbortController();
    const first = new Promise((resolve) => {
      const call = long.forwardAsync(longInput, { signal: controller.signal, onProgress: resolve });
      call.catch(() => {});
    });
    expect(await first).toBeLessThan(0.5);
    started = performance.now();
    controller.abort();
    await expectWorks();
    expect(performance.now() - started).toBeLessThan(whole / 2);
  });

  test('a queued call, and those around it', async () => {
    const controller = new AbortController();
    const before = long.forwardAsync(longInput);
    const aborted = long.forwardAsync(longInput, { signal: controller.signal });
    const after = layer.forwardAsync(input);
    let beforeIsDone = false;
    void before.then(() => (beforeIsDone = true));
    controller.abort('queued');
    expect(await reason(aborted)).toBe('queued');
    expect(beforeIsDone).toBe(false);
    expectSameBits((await after).data, layer.forward(input).data);
    expect(beforeIsDone).toBe(true);
    expectSameBits((await before).data, long.forward(longInput).data);
  });

  test('one signal for several calls, and after they are done', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const output = await layer.forwardAsync(input, { signal });
    const calls = [1, 2, 3].map(() => long.forwardAsync(longInput, { signal }));
    controller.abort('all');
    expect(await Promise.all(calls.map(reason))).toEqual(['all', 'all', 'all']);
    expectSameBits(output.data, layer.forward(input).data);
    await expectWorks();
  });
});

describe('onProgress', () => {
  test('of a short call: 1, before the promise resolves', async () => {
    const layer = makeLayer(sizes);
    for (const x of [input, zeros(0, 3, 17)]) {
      const events = [];
      await layer.forwardAsync(x, { onProgress: (fraction) => events.push(fraction) }).then(() => events.push('done'));
      expect(events).toEqual([1, 'done']);
    }
    layer.dispose();
  });

  test.each([
    ['in the middle', 0],
    ['at the end', 1],
  ])('that throws %s rejects its call, and only that', async (_, from) => {
    const layer = makeLayer(longOptions);
    const why = new Error('on purpose');
    let calls = 0;
    const onProgress = (fraction) => {
      if (fraction < from) return;
      ++calls;
      throw why;
    };
    const x = noiseTensor([128, 16_000], 8);
    const [first, second] = [layer.forwardAsync(x, { onProgress }), layer.forwardAsync(x)];
    expect(await reason(first)).toBe(why);
    expectSameBits((await second).data, layer.forward(x).data);
    expect(calls).toBe(1);
    layer.dispose();
  });

  test('that disposes the runtime', async () => {
    const own = await createRuntime({ threads: 2 });
    const layer = makeLayer({ ...longOptions, runtime: own });
    const error = await rejected(layer.forwardAsync(longInput, { onProgress: () => own.dispose() }));
    expect(error).toMatchObject({ code: 'ERR_DISPOSED', field: 'runtime' });
  });
});

describe('errors are those of forward', () => {
  test.each([
    ['a wrong number of channels', () => zeros(2, 5, 17)],
    ['a wrong rank', () => zeros(17)],
    ['too short an input', () => zeros(3, 2)],
    ['a wrong dtype', () => new Tensor(new Uint16Array(51), [3, 17], 'float16')],
    ['no tensor', () => [1, 2, 3]],
    ['nothing', () => undefined],
    [
      'a disposed tensor',
      () => {
        const tensor = zeros(3, 17);
        tensor.dispose();
        return tensor;
      },
    ],
    [
      'an array that went to a worker',
      () => {
        const tensor = zeros(3, 17);
        structuredClone(tensor.data.buffer, { transfer: [tensor.data.buffer] });
        return tensor;
      },
    ],
    ['a tensor of another runtime', () => input.toWasm(builds[0].runtime)],
    ['options that are none', () => input, 5],
  ])('%s', async (_, make, options = undefined) => {
    const layer = makeLayer(sizes);
    const x = make();
    const expected = thrown(() => layer.forward(x, options));
    expect(expected).not.toBeNull();
    expect(await rejected(layer.forwardAsync(x, options))).toEqual(expected);
    expectSameBits((await layer.forwardAsync(input)).data, layer.forward(input).data);
    layer.dispose();
  });

  test('a disposed layer', async () => {
    const layer = makeLayer(sizes);
    layer.dispose();
    expect(await rejected(layer.forwardAsync(input))).toEqual(thrown(() => layer.forward(input)));
  });

  test.each([
    ['signal', { signal: {} }, 'signal must be an AbortSignal, got [object Object]'],
    ['signal', { signal: null }, 'signal must be an AbortSignal, got null'],
    ['onProgress', { onProgress: 1 }, 'onProgress must be a function, got 1'],
    ['out', { out: input }, "unknown option 'out'; there are signal, onProgress"],
  ])('option %s: %j', async (field, options, message) => {
    const layer = makeLayer(sizes);
    const error = await rejected(layer.forwardAsync(input, options));
    expect(error).toMatchObject({ code: 'ERR_OPTION', field, message });
    layer.dispose();
  });

  test('a failed call sends nothing and starts no worker', async () => {
    const own = await createRuntime({ threads: 1 });
    const layer = makeLayer({ ...sizes, runtime: own });
    const workers = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    const before = workers();
    await rejected(layer.forwardAsync(zeros(3, 2)));
    expect(workers()).toBe(before);
    const call = layer.forwardAsync(input);
    expect(workers()).toBeGreaterThan(before);
    await call;
    own.dispose();
  });
});

describe.each([1, 2])('memory of the worker, %i thread(s)', (threads) => {
  const maximumMemory = 8 * 2 ** 20;
  let own;
  beforeEach(async () => {
    own = await createRuntime({ threads, maximumMemory });
  });
  afterEach(() => own.dispose());

  test('does not grow over many layers, weights and calls', async () => {
    // Each takes about a megabyte there; some are aborted, some fail.
    for (let i = 0; i < 60; ++i) {
      const layer = new Conv1d({ inChannels: 64, outChannels: 64, kernelSize: 16, runtime: own });
      const x = noiseTensor([64, 500], i + 1);
      const controller = new AbortController();
      const calls = [layer.forwardAsync(x), layer.forwardAsync(x, { signal: controller.signal })];
      if (i % 2 === 0) controller.abort();
      layer.resetParameters({ seed: i });
      const last = layer.forwardAsync(x);
      expectSameBits((await last).data, layer.forward(x).data);
      await Promise.allSettled(calls);
      layer.dispose();
    }
  });

  test('running out rejects, and later calls work', async () => {
    const small = makeLayer({ ...sizes, runtime: own });
    const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 1, runtime: own });
    const big = zeros(1, 2 ** 20);
    const results = [big, input].map((x) => rejected((x === big ? layer : small).forwardAsync(x)));
    const [failed, fine] = await Promise.all(results);
    expect(failed).toMatchObject({ code: 'ERR_OUT_OF_MEMORY', field: 'runtime', message: /^no room for \d+ bytes/ });
    expect(fine).toBeNull();
    const x = noiseTensor([1, 1000], 3);
    expectSameBits((await layer.forwardAsync(x)).data, layer.forward(x).data);
  });

  test('layers that find no room there find it later', async () => {
    const make = (options) => makeLayer({ ...options, runtime: own });
    const [x, y] = [noiseTensor([64, 3000], 4), noiseTensor([1, 64], 5)];
    // These take scratch memory when they run, which they do there alone.
    const running = [1, 2, 3].map(() => make({ inChannels: 64, outChannels: 64, kernelSize: 3 }));
    for (const layer of running) expect((await layer.forwardAsync(x)).shape).toEqual([64, 2998]);
    const layers = fill(() => make({ inChannels: 1, outChannels: 512, kernelSize: 64 }));
    const failed = [];
    for (const layer of layers) {
      const error = await rejected(layer.forwardAsync(y));
      if (error === null) continue;
      expect(error.code).toBe('ERR_OUT_OF_MEMORY');
      failed.push(layer);
    }
    expect(failed).not.toEqual([]);
    for (const layer of running) layer.dispose();
    for (const layer of failed) expect((await layer.forwardAsync(y)).shape).toEqual([512, 1]);
  });
});

/** As many as there is room for. */
function fill(make) {
  const made = [];
  for (;;) {
    const error = thrown(() => made.push(make()));
    if (error === null) continue;
    expect(error.code).toBe('ERR_OUT_OF_MEMORY');
    return made;
  }
}

describe('a runtime that is disposed', () => {
  test('ends its pending calls, and its worker', async () => {
    const own = await createRuntime({ threads: 2 });
    const layer = makeLayer({ ...longOptions, runtime: own });
    const calls = [1, 2].map(() => layer.forwardAsync(longInput));
    own.dispose();
    const gone = { code: 'ERR_DISPOSED', field: 'runtime', message: 'this runtime is disposed; make a new one' };
    for (const call of calls) expect(await rejected(call)).toMatchObject(gone);
    expect(await rejected(layer.forwardAsync(longInput))).toMatchObject(gone);
    layer.dispose();
    own.dispose();
  });

  test('leaves another alone', async () => {
    const [one, two] = [await createRuntime({ threads: 1 }), await createRuntime({ threads: 1 })];
    const layers = [one, two].map((each) => makeLayer({ ...sizes, runtime: each }));
    const [, second] = layers.map((layer) => layer.forwardAsync(input).catch(() => null));
    one.dispose();
    expectSameBits((await second).data, layers[1].forward(input).data);
    two.dispose();
  });
});

describe('processes of their own', () => {
  test.each(['waits for what is pending', 'idle', 'aborted', 'disposed', 'failed'])(
    'a script ends by itself: %s',
    async (how) => {
      expect(await runForResult('async.mjs', { args: [how] })).toEqual({ how, right: true });
    },
  );

  test('what is forgotten is freed in the worker', async () => {
    expect(await runForResult('async-forgotten.mjs', { flags: ['--expose-gc'] })).toEqual({ collected: true });
  });

  test('no workers, no forwardAsync', async () => {
    expect(await runForResult('async-no-worker.mjs')).toEqual({
      code: 'ERR_UNSUPPORTED',
      field: 'runtime',
      message: 'forwardAsync needs a worker: this context cannot start workers',
      right: true,
    });
  });
});

test('a worker that does not load', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'conv1d-'));
  try {
    cpSync(fromRoot('dist'), join(folder, 'dist'), { recursive: true });
    rmSync(join(folder, 'dist/worker.node.js'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const entry = pathToFileURL(join(folder, 'dist/index.node.js')).href;
    const other = await import(entry);
    const own = await other.createRuntime({ threads: 1 });
    const layer = new other.Conv1d({ ...sizes, runtime: own });
    const x = new other.Tensor(input.data, input.shape);
    for (let i = 0; i < 2; ++i) {
      const error = await reason(layer.forwardAsync(x));
      expect(error).toMatchObject({ code: 'ERR_WASM_LOAD', field: 'worker' });
      expect(error.message).toContain(new URL('.', entry).href);
    }
    expect(layer.forward(x).shape).toEqual([2, 4, 15]);
    own.dispose();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
