// Weights: as they are set, and as they are drawn.
import { Conv1d, createRuntime, init, Tensor } from 'conv1d-wasm';
import { expectSameBits, makeLayer, noise, noiseTensor } from '../support.js';

const runtime = await init({ threads: 1 });
afterAll(() => runtime.dispose());

const small = { inChannels: 3, outChannels: 4, kernelSize: 3 };
const smallInput = noiseTensor([2, 3, 17], 5);

describe('weights', () => {
  const grouped = { inChannels: 6, outChannels: 4, kernelSize: 3, groups: 2 };
  const data = noise(36, 9);

  test.each([
    ['without groups', small, [4, 3, 3], [[4, 3, 3]]],
    [
      'with groups',
      grouped,
      [2, 2, 3, 3],
      [
        [2, 2, 3, 3],
        [4, 3, 3],
      ],
    ],
    [
      'depthwise with a multiplier',
      { inChannels: 6, outChannels: 12, kernelSize: 3, groups: 6 },
      [6, 2, 1, 3],
      [
        [6, 2, 1, 3],
        [12, 1, 3],
      ],
    ],
  ])('%s: the shapes read and written', (_, options, read, written) => {
    const layer = new Conv1d(options);
    for (const [i, shape] of written.entries()) {
      const values = noise(36, i + 1);
      layer.weight = new Tensor(values, shape);
      expect(layer.weight).toMatchObject({ shape: read, dtype: 'float32', placement: 'js' });
      expectSameBits(layer.weight.data, values);
    }
  });

  test.each([[[1, 4, 1]], [[4]]])('bias of shape %j', (shape) => {
    const layer = new Conv1d(small);
    layer.bias = new Tensor([1, 2, 3, 4], shape);
    expect(layer.bias.shape).toEqual([1, 4, 1]);
    expect(layer.bias.toArray()).toEqual([[[1], [2], [3], [4]]]);
  });

  test('reading and writing copy', () => {
    const layer = makeLayer(small);
    const before = layer.forward(smallInput).data;
    layer.weight.data.fill(0);
    layer.bias.data.fill(0);
    expectSameBits(layer.forward(smallInput).data, before);

    const mine = layer.weight;
    layer.weight = mine;
    mine.data.fill(0);
    expectSameBits(layer.forward(smallInput).data, before);
  });

  test('new weights count from the next forward on', () => {
    const layer = makeLayer(small);
    layer.forward(smallInput);
    layer.weight = new Tensor(data, [4, 3, 3]);
    layer.bias = new Tensor([4, 3, 2, 1], [4]);
    const fresh = new Conv1d(small);
    fresh.weight = layer.weight;
    fresh.bias = layer.bias;
    expectSameBits(layer.forward(smallInput).data, fresh.forward(smallInput).data);
  });

  test('they may come from wasm memory, also of another runtime', async () => {
    const other = await createRuntime({ threads: 1 });
    const layer = new Conv1d(small);
    for (const from of [runtime, other]) {
      layer.weight = noiseTensor([4, 3, 3], 3);
      layer.weight = new Tensor(data, [4, 3, 3]).toWasm(from);
      expectSameBits(layer.weight.data, data);
    }
    other.dispose();
  });

  test('stateDict gives copies of all there is', () => {
    const layer = makeLayer(small);
    const state = layer.stateDict();
    expect(Object.keys(state)).toEqual(['weight', 'bias']);
    expectSameBits(state.weight.data, layer.weight.data);
    expectSameBits(state.bias.data, layer.bias.data);
    state.weight.data.fill(0);
    expect(layer.weight.data.includes(0)).toBe(false);
    expect(Object.keys(new Conv1d({ ...small, bias: false }).stateDict())).toEqual(['weight']);
  });

  const state = makeLayer(grouped, { seed: 31 }).stateDict();
  const withPrefix = (prefix) => Object.fromEntries(Object.entries(state).map(([key, value]) => [prefix + key, value]));

  test.each([
    ['as stateDict gives it', state, undefined],
    [
      "PyTorch's shapes",
      { weight: new Tensor(state.weight.data, [4, 3, 3]), bias: new Tensor(state.bias.data, [4]) },
      {},
    ],
    ['a prefix', { ...withPrefix('encoder.0.'), 'encoder.1.weight': state.weight }, { prefix: 'encoder.0.' }],
    ['not strict: more names', { ...state, running_mean: state.bias }, { strict: false }],
    ['in wasm memory', { weight: state.weight.toWasm(), bias: state.bias.toWasm() }, {}],
    ['without a prototype', Object.assign(Object.create(null), state), {}],
  ])('loadStateDict: %s', (_, dict, options) => {
    const layer = new Conv1d(grouped);
    layer.loadStateDict(dict, options);
    expectSameBits(layer.weight.data, state.weight.data);
    expectSameBits(layer.bias.data, state.bias.data);
  });

  test('loadStateDict, not strict: what is missing stays', () => {
    const layer = makeLayer(grouped, { seed: 77 });
    const { weight } = layer;
    layer.loadStateDict({ bias: state.bias }, { strict: false });
    expectSameBits(layer.weight.data, weight.data);
    expectSameBits(layer.bias.data, state.bias.data);
  });
});

describe('initial weights', () => {
  const options = { inChannels: 40, outChannels: 60, kernelSize: 25, groups: 4 };
  const taps = 25 * 40; // per output channel, over all groups
  const fanIn = taps / 4;

  function statistics(values) {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const within = (times) => values.filter((value) => Math.abs(value) < times * deviation).length / values.length;
    return { mean, deviation, withinOne: within(1), withinTwo: within(2) };
  }

  const normal = (deviation, count) => ({
    mean: [0, (6 * deviation) / Math.sqrt(count)],
    deviation: [deviation, (6 * deviation) / Math.sqrt(2 * count)],
    withinOne: [0.6827, 3 / Math.sqrt(count)],
    withinTwo: [0.9545, 3 / Math.sqrt(count)],
  });
  const uniform = (limit, count) => ({
    mean: [0, (6 * limit) / Math.sqrt(3 * count)],
    deviation: [limit / Math.sqrt(3), (3 * limit) / Math.sqrt(count)],
    withinOne: [1 / Math.sqrt(3), 3 / Math.sqrt(count)],
    withinTwo: [1, 0],
  });

  const megengine = normal(Math.sqrt(1 / taps), 60 * fanIn);
  const pytorch = uniform(1 / Math.sqrt(fanIn), 60 * fanIn);

  test.each([
    ['new layer', (layer) => layer, megengine],
    ['default', (layer) => layer.resetParameters(), megengine],
    ['megengine', (layer) => layer.resetParameters({ scheme: 'megengine', seed: 1 }), megengine],
    ['pytorch', (layer) => layer.resetParameters({ scheme: 'pytorch', seed: 1 }), pytorch],
    ['float16', (layer) => layer.resetParameters({ seed: 3 }), megengine, 'float16'],
  ])('%s', (_, reset, expected, dtype = 'float32') => {
    const layer = new Conv1d({ ...options, dtype });
    reset(layer);
    const values = layer.weight.toArray().flat(Infinity);
    const got = statistics(values);
    const outside = Object.entries(expected).filter(([key, [value, off]]) => !(Math.abs(got[key] - value) <= off));
    expect(outside.map(([key]) => ({ key, got: got[key], expected: expected[key] }))).toEqual([]);
    const biases = layer.bias.toArray().flat(Infinity);
    if (expected === megengine) {
      expect(biases).toEqual(Array(60).fill(0));
    } else {
      const limit = 1 / Math.sqrt(fanIn);
      for (const list of [values, biases]) expect(Math.max(...list.map(Math.abs))).toBeLessThanOrEqual(limit);
      expect(new Set(biases).size).toBeGreaterThan(50);
      expect(Math.max(...biases)).toBeGreaterThan(limit / 2);
      expect(Math.min(...biases)).toBeLessThan(-limit / 2);
    }
  });

  test('a bias goes back to 0', () => {
    const layer = makeLayer(small);
    layer.resetParameters({ seed: 1 });
    expect([...layer.bias.data]).toEqual([0, 0, 0, 0]);
  });

  test.each(['megengine', 'pytorch'])('%s: a seed makes them repeatable', (scheme) => {
    const draw = (seed) => {
      const layer = new Conv1d(small);
      layer.resetParameters({ scheme, seed });
      return [...layer.weight.data, ...layer.bias.data];
    };
    const seeds = [0, 1, 2, 2 ** 32, 2 ** 53 - 1];
    const draws = seeds.map((seed) => draw(seed));
    expect(seeds.map((seed) => draw(seed))).toEqual(draws);
    expect(new Set(draws.map((values) => values[0])).size).toBe(seeds.length);
  });

  test('without a seed they differ', () => {
    const first = (layer) => layer.weight.data[0];
    const layer = new Conv1d(small);
    const values = [first(layer), first(new Conv1d(small))];
    layer.resetParameters();
    values.push(first(layer));
    expect(new Set(values).size).toBe(3);
  });
});
