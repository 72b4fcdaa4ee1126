// Streams and networks: what comes out piece by piece is what forward() gives for the whole, bit for bit.
import { Conv1d, Network, Tensor, init } from 'conv1d-wasm';
import {
  cut,
  drawInteger,
  expectSameBits,
  halvesWhere,
  makeLayer,
  makeRandom,
  noiseTensor,
  openBuilds,
  runStream,
  thrown,
} from './support.js';

let builds;
beforeAll(async () => {
  builds = await openBuilds([1, 2]);
  await init({ threads: 1 });
});
afterAll(() => {
  for (const { runtime } of builds) runtime.dispose();
});

function randomOptions(random) {
  const groups = random() < 0.3 ? drawInteger(random, 1, 4) : 1;
  const stride = random() < 0.5 ? 1 : drawInteger(random, 2, 5);
  const paddings = [
    0,
    [drawInteger(random, 0, 9), drawInteger(random, 0, 9)],
    'valid',
    'causal',
    ...(stride === 1 ? ['same'] : []),
  ];
  return {
    inChannels: groups * drawInteger(random, 1, 5),
    outChannels: groups * drawInteger(random, 1, 9),
    kernelSize: drawInteger(random, 1, 7),
    stride,
    dilation: random() < 0.5 ? 1 : drawInteger(random, 2, 9),
    groups,
    padding: paddings[drawInteger(random, 0, paddings.length - 1)],
    paddingMode: ['zeros', 'reflect', 'replicate'][drawInteger(random, 0, 2)],
    bias: random() < 0.7,
    activation: ['none', 'relu', 'tanh', 'gelu'][drawInteger(random, 0, 3)],
    dtype: random() < 0.25 ? 'float16' : 'float32',
    algorithm: 'direct',
  };
}

test('a layer in random pieces is the layer on the whole, on every build', () => {
  for (const { name, runtime } of builds) {
    const random = makeRandom(7);
    let compared = 0;
    for (let trial = 0; trial < 1000; ++trial) {
      const options = randomOptions(random);
      const layer = makeLayer({ ...options, runtime }, { seed: trial });
      const batch = drawInteger(random, 1, 2);
      const input = halvesWhere(
        options.dtype,
        noiseTensor([batch, options.inChannels, drawInteger(random, 1, 120)], trial),
      );
      let whole;
      try {
        whole = layer.forward(input);
      } catch {
        layer.dispose();
        continue; // too short
      }
      const maxChunk = drawInteger(random, 1, 40);
      const stream = layer.stream({ batch, maxChunk });
      const placed = trial % 3 === 0 ? (tensor) => tensor.toWasm(runtime) : undefined;
      const got = runStream(stream, input, () => drawInteger(random, 0, maxChunk), placed);
      expect({ name, trial, shape: got.shape }).toEqual({ name, trial, shape: whole.shape });
      expectSameBits(got.data, whole.data);
      stream.dispose();
      layer.dispose();
      ++compared;
    }
    expect(compared).toBeGreaterThan(600);
  }
});

test('a long kernel gives the same bits however it is cut, and what forward() gives but for rounding', () => {
  for (const { runtime } of builds) {
    for (const dtype of ['float32', 'float16']) {
      const options = { inChannels: 2, outChannels: 2, groups: 2, kernelSize: 3000, padding: 'causal', dtype, runtime };
      const layer = makeLayer(options, { seed: 1 });
      const input = halvesWhere(dtype, noiseTensor([1, 2, 5000], 2));
      const stream = layer.stream({ maxChunk: 128 });
      expect([stream.latency, stream.receptiveField]).toEqual([0, 3000]);
      const got = runStream(stream, input, () => 128);
      const random = makeRandom(3);
      for (const next of [() => 1, () => drawInteger(random, 0, 128)]) {
        stream.reset();
        expectSameBits(runStream(stream, input, next).data, got.data);
      }
      const [whole, pieces] = [layer.forward(input), got].map((tensor) => tensor.toArray().flat(2));
      const rounding = dtype === 'float16' ? 2 ** -10 : 0; // of both
      whole.forEach((y, i) => {
        // Weights and samples are some units in size: the norms' product is below 3000 units.
        expect(Math.abs(pieces[i] - y)).toBeLessThan(2 ** -21 * 3000 + rounding * Math.abs(y));
      });
      stream.dispose();
      layer.dispose();
    }
  }
});

test('pushes through a long kernel allocate nothing in wasm memory, nor do new weights', () => {
  const { runtime } = builds[0];
  const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 20000, padding: 'causal', runtime });
  const stream = layer.stream({ maxChunk: 128 });
  const chunk = noiseTensor([1, 128], 1);
  const out = new Tensor(new Float32Array(128), [1, 128]);
  const weight = noiseTensor([1, 1, 20000], 2);
  stream.push(chunk, { out });
  layer.weight = weight;
  const { used, total } = runtime.memory;
  for (let i = 0; i < 400; ++i) {
    if (i === 200) layer.weight = weight;
    stream.push(chunk, { out });
  }
  expect(runtime.memory).toEqual({ used, total });
  stream.dispose();
  layer.dispose();
});

/** A WaveNet-like stack with gates, residual and skip paths. */
function makeStack(runtime, { channels = 8, count = 6, dtype = 'float32', padding = 'causal' } = {}) {
  const make = (options, seed) => makeLayer({ runtime, dtype, kernelSize: 1, ...options }, { seed });
  const first = make({ inChannels: 2, outChannels: channels }, 1);
  const last = make({ inChannels: channels, outChannels: 1 }, 2);
  const layers = [first, last];
  const network = new Network(2, (x) => {
    let h = x.conv(first);
    let skip = null;
    for (let i = 0; i < count; ++i) {
      const options = { inChannels: channels, outChannels: 2 * channels, kernelSize: 3, dilation: 2 ** i, padding };
      const dilated = make(options, 10 + i);
      const mix = make({ inChannels: channels, outChannels: channels }, 30 + i);
      layers.push(dilated, mix);
      const z = h.conv(dilated).gate();
      skip = skip ? skip.add(z) : z;
      h = h.add(z.conv(mix));
    }
    return skip.activation({ type: 'leaky_relu', slope: 0.2 }).conv(last);
  });
  return { network, layers };
}

test.each([
  ['causal', 'float32', 0],
  ['same', 'float32', 63],
  ['causal', 'float16', 0],
])('a stack with gates and residuals, padding %s, %s', (padding, dtype, latency) => {
  for (const { runtime } of builds) {
    const { network, layers } = makeStack(runtime, { padding, dtype });
    const input = halvesWhere(dtype, noiseTensor([2, 2, 500], 3));
    const whole = network.forward(input);
    expect(whole.shape).toEqual([2, 1, 500]);
    const stream = network.stream({ batch: 2, maxChunk: 64 });
    expect([stream.latency, stream.receptiveField]).toEqual([latency, 127]);
    const random = makeRandom(5);
    for (let round = 0; round < 2; ++round) {
      expectSameBits(runStream(stream, input, () => drawInteger(random, 0, 64)).data, whole.data);
      stream.reset();
    }
    const inWasm = input.toWasm(runtime);
    const out = new Tensor(new Float32Array(1000), [2, 1, 500], dtype).toWasm(runtime);
    expect(network.forward(inWasm, { out })).toBe(out);
    expectSameBits(out.data, whole.data);
    for (const owned of [stream, inWasm, out, ...layers]) owned.dispose();
  }
});

test('forward() of a network leaves nothing in memory', () => {
  const { runtime } = builds[0];
  const { network, layers } = makeStack(runtime);
  const input = noiseTensor([2, 2, 300], 4);
  network.forward(input);
  const before = runtime.memory.used;
  for (let i = 0; i < 5; ++i) network.forward(input);
  expect(() => network.forward(noiseTensor([3, 300]))).toThrow('inChannels 2');
  expect(runtime.memory.used).toBe(before);
  for (const layer of layers) layer.dispose();
  expect(() => network.forward(input)).toThrow('disposed');
});

test('a network equals its layers called one by one', () => {
  const { runtime } = builds[0];
  const a = makeLayer({ inChannels: 3, outChannels: 4, kernelSize: 5, stride: 2, runtime }, { seed: 1 });
  const b = makeLayer({ inChannels: 4, outChannels: 2, kernelSize: 3, padding: 1, paddingMode: 'reflect', runtime });
  const network = new Network([a, b]);
  const input = noiseTensor([3, 90], 2);
  const expected = b.forward(a.forward(input));
  expect(network.outputShape([3, 90])).toEqual(expected.shape);
  expectSameBits(network.forward(input).data, expected.data);
  const out = new Tensor(new Float32Array(expected.size), expected.shape);
  expect(network.forward(input, { out })).toBe(out);
  expectSameBits(out.data, expected.data);
  expect(network.toString()).toContain(
    'v2 = Conv1d(4, 2, kernelSize=3, stride=1, padding=1, paddingMode=reflect) of v1',
  );
});

test('what the network does not need is not computed', () => {
  const layer = makeLayer({ inChannels: 2, outChannels: 2, kernelSize: 1 });
  const network = new Network(2, (x) => {
    const y = x.conv(layer);
    x.conv(layer).add(y);
    return y.multiply(y);
  });
  expect(network.toString()).toBe('Network(\n  v1 = Conv1d(2, 2, kernelSize=1, stride=1) of input\n  v2 = v1 * v1\n)');
});

test('pushes allocate nothing in wasm memory, and out takes the outputs', () => {
  const { runtime } = builds[0];
  const { network } = makeStack(runtime);
  const stream = network.stream({ maxChunk: 128 });
  const chunk = noiseTensor([2, 128], 1);
  const out = new Tensor(new Float32Array(128), [1, 128]);
  stream.push(chunk, { out });
  const { used, total } = runtime.memory;
  for (let i = 0; i < 1000; ++i) expect(stream.push(chunk, { out })).toBe(out);
  expect(runtime.memory).toEqual({ used, total });
  stream.dispose();
});

test('a stream outlives its layer, and takes its new weights', () => {
  const { runtime } = builds[0];
  const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 2, runtime });
  const stream = layer.stream({ maxChunk: 4 });
  layer.weight = new Tensor([1, 10], [1, 1, 2]);
  layer.bias = new Tensor([0.5], [1]);
  const out = stream.push(new Tensor([1, 2, 3], [1, 3]));
  expect([...out.data]).toEqual([21.5, 32.5]);
  layer.dispose();
  expect([...stream.push(new Tensor([4], [1, 1])).data]).toEqual([43.5]);
  const used = runtime.memory.used;
  stream.dispose();
  stream.dispose();
  expect(runtime.memory.used).toBeLessThan(used);
});

describe('state()', () => {
  /** Pushes `input`; in the midst, at sample `at`, `move(stream)` says which stream goes on. */
  function runMoved(stream, input, next, at, move) {
    let [pushed, current] = [0, stream];
    const proxy = {
      outputCount: (samples) => current.outputCount(samples),
      push: (chunk) => current.push(chunk),
      flush: () => current.flush(),
    };
    return runStream(proxy, input, () => {
      if (pushed < at && pushed + 40 >= at) {
        const rest = at - pushed;
        pushed = at;
        return rest;
      }
      if (pushed === at) current = move(current);
      const count = next();
      pushed += count;
      return count;
    });
  }

  test('another stream goes on from it, and a clone, with the same bits, on every build', () => {
    for (const { runtime } of builds) {
      const random = makeRandom(11);
      for (const dtype of ['float32', 'float16']) {
        const { network, layers } = makeStack(runtime, { dtype, padding: 'same' });
        const options = {
          inChannels: 2,
          outChannels: 2,
          groups: 2,
          kernelSize: 900,
          padding: 'causal',
          dtype,
          runtime,
        };
        const long = makeLayer(options);
        for (const source of [network, long]) {
          const input = halvesWhere(dtype, noiseTensor([2, 2, 700], 3));
          const expected = runStream(source.stream({ batch: 2, maxChunk: 40 }), input, () => 40);
          for (const at of [0, 1, 30, 333, 700]) {
            const other = source.stream({ batch: 2, maxChunk: 40 });
            other.push(cut(input, 300, 340));
            const moves = [
              (stream) => (other.restore(structuredClone(stream.state())), other),
              (stream) => {
                const clone = stream.clone();
                stream.push(cut(input, 0, 5));
                stream.dispose();
                return clone;
              },
            ];
            for (const move of moves) {
              const stream = source.stream({ batch: 2, maxChunk: 40 });
              expectSameBits(runMoved(stream, input, () => drawInteger(random, 0, 40), at, move).data, expected.data);
              stream.dispose();
            }
            other.dispose();
          }
        }
        for (const layer of [...layers, long]) layer.dispose();
      }
    }
  });

  test('it is taken by a stream of longer pieces, and of other weights', () => {
    const { runtime } = builds[0];
    const options = { inChannels: 2, outChannels: 3, kernelSize: 9, dilation: 3, runtime };
    const [one, two] = [1, 2].map((seed) => makeLayer(options, { seed }));
    const input = noiseTensor([1, 2, 200], 1);
    const [from, to] = [one.stream({ maxChunk: 10 }), two.stream({ maxChunk: 100 })];
    for (let t = 0; t < 100; t += 10) from.push(cut(input, t, t + 10));
    to.restore(from.state());
    const expected = cut(two.forward(input), 100 - 24, 200 - 24);
    expectSameBits(to.push(cut(input, 100, 200)).data, expected.data);
  });

  test('the clone outlives stream and layer, and gives what the stream would', () => {
    const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 3, padding: 1 });
    const stream = layer.stream({ maxChunk: 4, denormals: 'keep' });
    stream.push(noiseTensor([1, 4], 1));
    const clone = stream.clone();
    const expected = stream.flush();
    stream.dispose();
    layer.dispose();
    const got = clone.flush();
    expect([got.shape, clone.maxChunk, clone.batch, clone.latency]).toEqual([[1, 1], 4, 1, 1]);
    expectSameBits(got.data, expected.data);
  });

  test('a flushed stream has none, and takes one', () => {
    const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 3, padding: 1 });
    const stream = layer.stream({ maxChunk: 4 });
    stream.push(noiseTensor([1, 4], 1));
    const state = stream.state();
    const end = stream.flush();
    for (const call of [() => stream.state(), () => stream.clone()]) {
      expect(thrown(call)).toMatchObject({ code: 'ERR_OPTION', field: 'stream' });
    }
    stream.restore(state);
    expectSameBits(stream.flush().data, end.data);
    stream.settle();
    expect(stream.push(noiseTensor([1, 4], 1)).shape).toEqual([1, 4]);
  });

  test('what is none of its own is refused, and leaves the stream as it was', () => {
    const make = (options) =>
      makeLayer({ inChannels: 2, outChannels: 2, kernelSize: 3, ...options }).stream({ maxChunk: 4 });
    const stream = make();
    stream.push(noiseTensor([2, 4], 1));
    const state = stream.state();
    const changed = (change) => {
      const bytes = state.slice();
      change(bytes, new DataView(bytes.buffer));
      return bytes;
    };
    const cases = [
      [undefined, 'state must be a Uint8Array, got undefined'],
      [state.buffer, 'state must be a Uint8Array, got [object ArrayBuffer]'],
      [new Float32Array(4), 'state must be a Uint8Array'],
      [new Uint8Array(0), "state must be what a stream's state() gave"],
      [new Uint8Array(1000), "state must be what a stream's state() gave"],
      [changed((_, view) => view.setInt32(4, 4, true)), 'state must have format 3, got 4'],
      [state.subarray(0, 40), 'bytes, got 40'],
      [state.subarray(0, -1), `state must have ${state.length} bytes, got ${state.length - 1}`],
      [new Uint8Array([...state, 0]), `state must have ${state.length} bytes, got ${state.length + 1}`],
      [make({ kernelSize: 5 }).state(), 'the same kernelSize in step 1 (3), got 5'],
      [make({ inChannels: 4 }).state(), 'the same inChannels (2), got 4'],
      [make({ activation: 'relu' }).state(), 'the same activation in step 1, got another'],
      [makeStack(undefined).network.stream({ maxChunk: 4 }).state(), 'the same steps (1), got'],
    ];
    for (const [bytes, text] of cases) {
      const error = thrown(() => stream.restore(bytes));
      expect(error).toMatchObject({ code: 'ERR_STREAM_STATE', field: 'state', got: bytes });
      expect(error.message).toContain(text);
      expectSameBits(new Uint32Array(stream.state().buffer), new Uint32Array(state.buffer));
    }
  });

  test('needs no memory that stays', () => {
    const { runtime } = builds[0];
    const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 5000, padding: 'causal', runtime });
    const stream = layer.stream({ maxChunk: 128 });
    const state = stream.state();
    let used;
    for (let i = 0; i < 20; ++i) {
      if (i === 1) used = runtime.memory.used; // with room for an error's text
      stream.restore(stream.state());
      stream.settle(0.5);
      stream.clone().dispose();
      expect(thrown(() => stream.restore(state.subarray(1)))).not.toBeNull();
    }
    expect(Math.abs(runtime.memory.used - used)).toBeLessThan(64); // the block of the text may become a little larger
    stream.dispose();
    layer.dispose();
  });
});

describe('settle()', () => {
  /** The outputs of `stream` for `input`, and those of the whole of a long `level` and the input. */
  function settledAndWhole(source, level, input, options) {
    const [n, c, length] = input.shape;
    const before = 3000;
    const data = Array.from({ length: n * c }, (_, row) => [
      ...Array(before).fill(typeof level === 'number' ? level : level[row % c]),
      ...Array.from(input.data.subarray(row * length, (row + 1) * length)),
    ]).flat();
    const whole = source.forward(new Tensor(data, [n, c, before + length]));
    const stream = source.stream({ batch: n, maxChunk: 64, ...options });
    stream.settle(level);
    const got = runStream(stream, input, () => 50);
    const count = got.shape[2];
    return [got, cut(whole, whole.shape[2] - count, whole.shape[2])];
  }

  test.each([0, -0.75, [0.5, 2]])('is what a long signal of %p leads to, on every build', (level) => {
    for (const { runtime } of builds) {
      const { network, layers } = makeStack(runtime, { padding: 'same' });
      const input = noiseTensor([2, 2, 300], 3);
      const [got, whole] = settledAndWhole(network, level, input);
      expect(got.shape).toEqual([2, 1, 363]); // 63 of them in flight when the signal begins
      expectSameBits(got.data, whole.data);
      for (const layer of layers) layer.dispose();
    }
  });

  test('a long kernel settles within its error', () => {
    const { runtime } = builds[0];
    const layer = makeLayer({ inChannels: 2, outChannels: 2, groups: 2, kernelSize: 2500, padding: 'causal', runtime });
    const [got, whole] = settledAndWhole(layer, 0.5, noiseTensor([1, 2, 400], 3));
    expect(got.shape).toEqual([1, 2, 400]);
    got.data.forEach((y, i) => expect(Math.abs(y - whole.data[i])).toBeLessThan(2 ** -21 * 2500));
  });

  test('with strides, outputs are as far from the next sample as from the first', () => {
    const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 4, stride: 3, padding: 'causal' });
    const stream = layer.stream({ maxChunk: 10 });
    const counts = () => [1, 1, 1, 1, 5].map((samples) => stream.push(noiseTensor([1, samples], 1)).shape[1]);
    const fresh = counts();
    expect(fresh).toEqual([1, 0, 0, 1, 1]);
    stream.settle(1);
    expect(counts()).toEqual(fresh);
  });

  test('takes float16, and nothing that is not finite in it', () => {
    const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 2, dtype: 'float16' });
    layer.weight = new Tensor([1, 10], [1, 1, 2], 'float16');
    layer.bias = new Tensor([0.5], [1], 'float16');
    const stream = layer.stream({ maxChunk: 4 });
    stream.settle(2);
    expect(stream.push(new Tensor([3, 3], [1, 2], 'float16')).toArray()).toEqual([[32.5, 33.5]]);
    const before = stream.state();
    for (const value of [NaN, Infinity, 1e6, '1', null, [], [1, 2], [NaN], [undefined], new Float32Array(1), 1n]) {
      expect(thrown(() => stream.settle(value))).toMatchObject({ code: 'ERR_OPTION', field: 'value', got: value });
    }
    expect([...stream.state()]).toEqual([...before]);
  });
});

test('latency and receptive field of a layer', () => {
  const of = (options) => {
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, ...options });
    const { latency, receptiveField } = layer.stream({ maxChunk: 1 });
    return [latency, receptiveField];
  };
  expect(of({ kernelSize: 3, dilation: 4 })).toEqual([8, 9]);
  expect(of({ kernelSize: 3, dilation: 4, padding: 'causal' })).toEqual([0, 9]);
  expect(of({ kernelSize: 5, padding: 'same' })).toEqual([2, 5]);
  expect(of({ kernelSize: 2, padding: [3, 0] })).toEqual([-2, 2]);
});

describe('misuse', () => {
  const layer = () => makeLayer({ inChannels: 2, outChannels: 3, kernelSize: 3, padding: 1 });
  const chunk = (...shape) => noiseTensor(shape, 1);
  const fed = (options) => layer().stream({ maxChunk: 8, ...options });

  test.each([
    ['no maxChunk', () => layer().stream({}), 'ERR_OPTION', 'maxChunk'],
    ['no options', () => layer().stream(), 'ERR_OPTION', 'options'],
    ['maxChunk 0', () => fed({ maxChunk: 0 }), 'ERR_OPTION', 'maxChunk'],
    ['batch 1.5', () => fed({ batch: 1.5 }), 'ERR_OPTION', 'batch'],
    ['denormals', () => fed({ denormals: 'maybe' }), 'ERR_OPTION', 'denormals'],
    ['too much history', () => fed({ batch: 2 ** 20, maxChunk: 2 ** 20 }), 'ERR_OUT_OF_MEMORY', 'runtime'],
    ['no tensor', () => fed().push([1, 2]), 'ERR_DTYPE', 'chunk'],
    ['other channels', () => fed().push(chunk(3, 4)), 'ERR_SHAPE', 'chunk'],
    ['other batch', () => fed().push(chunk(2, 2, 4)), 'ERR_SHAPE', 'chunk'],
    ['longer than maxChunk', () => fed().push(chunk(2, 9)), 'ERR_SHAPE', 'chunk'],
    ['out of another shape', () => fed().push(chunk(2, 8), { out: chunk(3, 8) }), 'ERR_SHAPE', 'out'],
    ['an unknown option of push', () => fed().push(chunk(2, 8), { output: chunk(3, 8) }), 'ERR_OPTION', 'output'],
    ['an unknown option of flush', () => fed().flush({ shape: [3, 1] }), 'ERR_OPTION', 'shape'],
    ['count of too many', () => fed().outputCount(9), 'ERR_SHAPE', 'chunk'],
    [
      'circular',
      () =>
        new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 3, padding: 1, paddingMode: 'circular' }).stream({
          maxChunk: 1,
        }),
      'ERR_UNSUPPORTED',
      'paddingMode',
    ],
    [
      'same with a stride',
      () =>
        new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 3, padding: 'same', stride: 2 }).stream({
          maxChunk: 1,
        }),
      'ERR_UNSUPPORTED',
      'padding',
    ],
    ['no layers', () => new Network([]), 'ERR_OPTION', 'layers'],
    ['not a layer', () => new Network([1]), 'ERR_OPTION', 'layers[0]'],
    ['no build', () => new Network(2), 'ERR_OPTION', 'build'],
    ['build without a value', () => new Network(2, () => 3), 'ERR_OPTION', 'build'],
    ['no step in it', () => new Network(2, (x) => x), 'ERR_OPTION', 'build'],
    ['channels that do not fit', () => new Network(4, (x) => x.conv(layer())), 'ERR_SHAPE', 'layer'],
    ['operands that do not fit', () => new Network(2, (x) => x.conv(layer()).add(x)), 'ERR_SHAPE', 'other'],
    [
      'a value from elsewhere',
      () => new Network(2, (x) => x.conv(new Network(2, (y) => x.add(y)))),
      'ERR_OPTION',
      'other',
    ],
    ['an odd gate', () => new Network(2, (x) => x.conv(layer()).gate()), 'ERR_SHAPE', 'channels'],
    ['an activation', () => new Network(2, (x) => x.conv(layer()).activation('exp')), 'ERR_OPTION', 'activation'],
    [
      'lengths that differ',
      () => {
        const short = makeLayer({ inChannels: 2, outChannels: 2, kernelSize: 3 });
        new Network(2, (x) => x.add(x.conv(short))).stream({ maxChunk: 4 });
      },
      'ERR_SHAPE',
      'other',
    ],
  ])('%s', (_, action, code, field) => {
    expect(thrown(action)).toMatchObject({ code, field });
  });

  test('leaves the stream as it was', () => {
    const own = layer();
    const input = noiseTensor([1, 2, 30], 2);
    const stream = own.stream({ maxChunk: 8 });
    const whole = own.forward(input);
    const misuses = [
      () => stream.push(chunk(2, 9)),
      () => stream.push(chunk(3, 1)),
      () => stream.push(input),
      () => stream.push(null),
    ];
    const got = runStream(stream, input, () => {
      for (const misuse of misuses) expect(thrown(misuse)).not.toBeNull();
      return 5;
    });
    expectSameBits(got.data, whole.data);
  });

  test('a push after the flush, and after dispose()', () => {
    const stream = fed();
    stream.push(chunk(2, 8));
    stream.flush();
    expect(thrown(() => stream.push(chunk(2, 8)))).toMatchObject({ code: 'ERR_OPTION', field: 'stream' });
    expect(thrown(() => stream.flush())).toMatchObject({ code: 'ERR_OPTION', field: 'stream' });
    stream.reset();
    stream.push(chunk(2, 8));
    stream.dispose();
    const calls = ['reset', 'state', 'clone', 'settle'].map((name) => () => stream[name]());
    calls.push(
      () => stream.push(chunk(2, 8)),
      () => stream.outputCount(1),
      () => stream.restore(new Uint8Array(8)),
    );
    for (const call of calls) {
      expect(thrown(call)).toMatchObject({ code: 'ERR_DISPOSED', field: 'stream' });
    }
  });
});

test('NaN and Inf are gone once they leave the window', () => {
  const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 3, padding: 'causal' });
  const stream = layer.stream({ maxChunk: 1 });
  const bad = [5, 6].map((t) => [t, t === 5 ? NaN : Infinity]);
  const values = new Map(bad);
  for (let t = 0; t < 12; ++t) {
    const [y] = stream.push(new Tensor([values.get(t) ?? 1], [1, 1])).data;
    expect(Number.isFinite(y)).toBe(t < 5 || t > 8);
  }
});

test('a decaying tail gives the same with and without its denormal end, and silence is exact', () => {
  const layer = makeLayer({ inChannels: 1, outChannels: 1, kernelSize: 4, padding: 'causal', bias: false });
  const tail = new Tensor(
    Float32Array.from({ length: 4000 }, (_, t) => Math.exp(-t / 40)),
    [1, 1, 4000],
  );
  const keep = runStream(layer.stream({ maxChunk: 128, denormals: 'keep' }), tail, () => 128);
  expectSameBits(keep.data, layer.forward(tail).data);
  const flushed = runStream(layer.stream({ maxChunk: 128 }), tail, () => 128);
  const limit = tail.data.findIndex((x) => x < 2 ** -100);
  expectSameBits(flushed.data.slice(0, limit), keep.data.slice(0, limit));
  expect(flushed.data.slice(limit + 3).every((y) => y === 0)).toBe(true);
});
