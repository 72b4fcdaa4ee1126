// What the library promises: tensors, layers, the function, runtimes.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { Conv1d, conv1d, createRuntime, init, Tensor } from 'conv1d-wasm';
import { halfToNumber } from '../cases.js';
import {
  bestVariant,
  canRelax,
  expectSameBits,
  fromRoot,
  halvesWhere,
  makeLayer,
  noise,
  noiseTensor,
  product,
  thrown,
} from './support.js';

const runtime = await init({ threads: 1 });
afterAll(() => runtime.dispose());

const counting = (length) => Float32Array.from({ length }, (_, i) => i);
const small = { inChannels: 3, outChannels: 4, kernelSize: 3 };
const smallInput = noiseTensor([2, 3, 17], 5);

describe('a layer', () => {
  test('the example of the readme', async () => {
    await init();
    const m = new Conv1d({ inChannels: 3, outChannels: 1, kernelSize: 3 });
    const inp = new Tensor(counting(24), [2, 3, 4]);
    const oup = m.forward(inp);
    expect(oup.shape).toEqual([2, 1, 2]);

    m.weight = new Tensor([1, 0, 0, 0, 2, 0, 0, 0, 3], [1, 3, 3]);
    m.bias = new Tensor([0.5], [1]);
    // Of channels 0, 1, 2, which start at 0, 4, 8: 1 * x[t] + 2 * x[t + 1] + 3 * x[t + 2] + 0.5
    expect(m.forward(inp).toArray()).toEqual([[[40.5, 46.5]], [[112.5, 118.5]]]);
  });

  const defaults = {
    stride: 1,
    padding: 0,
    dilation: 1,
    groups: 1,
    bias: true,
    convMode: 'cross_correlation',
    computeMode: 'default',
    paddingMode: 'zeros',
    dtype: 'float32',
    activation: 'none',
    algorithm: 'auto',
  };

  // [one way to say it, another, of a layer of `small` where nothing else is said]
  const sayings = [
    ['every default', {}, defaults],
    ['options that are undefined', {}, Object.fromEntries(Object.keys(defaults).map((key) => [key, undefined]))],
    ['algorithm direct', {}, { algorithm: 'direct' }],
    ['computeMode float32', {}, { computeMode: 'float32' }],
    ['a padding for both sides', { padding: 2 }, { padding: [2, 2] }],
    ['valid', { padding: 'valid' }, { padding: 0 }],
    ['same', { padding: 'same' }, { padding: [1, 1] }],
    ['same, of an even kernel', { kernelSize: 4, padding: 'same' }, { kernelSize: 4, padding: [1, 2] }],
    ['same, dilated', { dilation: 3, padding: 'same' }, { dilation: 3, padding: [3, 3] }],
    ['same, stride 2 of 17 samples', { stride: 2, padding: 'same' }, { stride: 2, padding: [1, 1] }],
    ['same, stride 4 of 17 samples', { stride: 4, padding: 'same' }, { stride: 4, padding: [1, 1] }],
    [
      'same, stride 3 of 17 samples',
      { stride: 3, kernelSize: 5, padding: 'same' },
      { stride: 3, kernelSize: 5, padding: [1, 2] },
    ],
    ['same, a stride beyond the kernel', { stride: 5, padding: 'same' }, { stride: 5, padding: [0, 1] }],
    ['causal', { padding: 'causal' }, { padding: [2, 0] }],
    ['causal, dilated, reflected', { ...causalOf('reflect', 'causal') }, { ...causalOf('reflect', [8, 0]) }],
    ['an activation as an object', { activation: 'gelu' }, { activation: { type: 'gelu' } }],
    ['the default slope', { activation: 'leaky_relu' }, { activation: { type: 'leaky_relu', slope: 0.01 } }],
    ['slope 0', { activation: 'relu' }, { activation: { type: 'leaky_relu', slope: 0 } }],
    ['slope 1', {}, { activation: { type: 'leaky_relu', slope: 1 } }],
  ];

  function causalOf(paddingMode, padding) {
    return { dilation: 4, paddingMode, padding };
  }

  test.each(sayings)('two ways to say it: %s', (_, one, other) => {
    const [a, b] = [one, other].map((options) => makeLayer({ ...small, ...options }).forward(smallInput));
    expect(a.shape).toEqual(b.shape);
    const zero = (values) => values.map((value) => value + 0); // slope 0 gives -0
    expectSameBits(zero(a.data), zero(b.data));
  });

  // [options, options without which the output would be the same if they were lost]
  test.each([
    ['stride', { stride: 2 }],
    ['padding', { padding: 1 }],
    ['a padding on the left', { padding: [2, 0] }],
    ['a padding on the right', { padding: [0, 2] }],
    ['dilation', { dilation: 2 }],
    ['reflect', { padding: 1, paddingMode: 'reflect' }, { padding: 1 }],
    ['replicate', { padding: 1, paddingMode: 'replicate' }, { padding: 1 }],
    ['circular', { padding: 1, paddingMode: 'circular' }, { padding: 1 }],
    ['relu', { activation: 'relu' }],
    ['leaky_relu', { activation: 'leaky_relu' }],
    ['gelu', { activation: 'gelu' }],
    ['gelu_tanh', { activation: 'gelu_tanh' }, { activation: 'gelu' }],
    ['silu', { activation: 'silu' }],
    ['tanh', { activation: 'tanh' }],
    ['sigmoid', { activation: 'sigmoid' }],
    ['a slope', { activation: { type: 'leaky_relu', slope: 0.3 } }, { activation: 'leaky_relu' }],
  ])('an option is not lost: %s', (_, options, without = {}) => {
    const [a, b] = [options, without].map((given) => makeLayer({ ...small, ...given }).forward(smallInput));
    expect([...a.data]).not.toEqual([...b.data]);
  });

  test('bias: false is a bias of zeros', () => {
    const without = makeLayer({ ...small, bias: false });
    const zeros = makeLayer(small);
    zeros.bias = new Tensor(new Float32Array(4), [4]);
    expect(without.bias).toBeNull();
    expectSameBits(without.forward(smallInput).data, zeros.forward(smallInput).data);
    without.bias = null;
    expect(without.bias).toBeNull();
  });

  test.each([
    ['batched', [2, 3, 17], [2, 4, 15]],
    ['unbatched', [3, 17], [4, 15]],
    ['one image', [1, 3, 17], [1, 4, 15]],
    ['no image', [0, 3, 17], [0, 4, 15]],
    ['as long as the kernel', [2, 3, 3], [2, 4, 1]],
  ])('%s: shapes', (_, inputShape, shape) => {
    const layer = makeLayer(small);
    expect(layer.outputShape(inputShape)).toEqual(shape);
    const input = noiseTensor(inputShape, 5);
    for (const placed of [input, input.toWasm()]) {
      const output = layer.forward(placed);
      expect(output).toMatchObject({ shape, dtype: 'float32', size: product(shape), placement: placed.placement });
      expect(output.data).toHaveLength(product(shape));
    }
  });

  test('unbatched input is a batch of one', () => {
    const layer = makeLayer(small);
    const data = noise(3 * 17);
    expectSameBits(layer.forward(new Tensor(data, [3, 17])).data, layer.forward(new Tensor(data, [1, 3, 17])).data);
  });

  test('a batch is its images', () => {
    const layer = makeLayer(small);
    const { data } = layer.forward(smallInput);
    const images = [0, 1].map((n) => layer.forward(new Tensor(smallInput.data.subarray(n * 51, n * 51 + 51), [3, 17])));
    expectSameBits(data, Float32Array.of(...images[0].data, ...images[1].data));
  });

  test('an empty input with padding gives the bias', () => {
    const layer = makeLayer({ ...small, padding: 2 });
    const biases = [...layer.bias.data];
    expect(layer.forward(new Tensor([], [1, 3, 0])).toArray()).toEqual([biases.map((value) => [value, value])]);
  });

  test('shapes may alternate', () => {
    const layer = makeLayer(small);
    const inputs = [17, 300, 5, 17, 300].map((length) => noiseTensor([3, length], length));
    const [a, b, , c, d] = inputs.map((input) => layer.forward(input).data);
    expectSameBits(a, c);
    expectSameBits(b, d);
  });

  // The output of [N, 3, 17] by kernelSize 3, unless said otherwise: floor((L + pads - dilation * (k - 1) - 1) / stride) + 1
  test.each([
    [{}, 15],
    [{ stride: 2 }, 8],
    [{ stride: 16 }, 1],
    [{ dilation: 8 }, 1],
    [{ padding: 5 }, 25],
    [{ padding: [5, 1], stride: 3 }, 7],
    [{ padding: 'valid', stride: 4 }, 4],
    [{ padding: 'same' }, 17],
    [{ padding: 'same', stride: 4 }, 5],
    [{ padding: 'same', dilation: 50 }, 17],
    [{ padding: 'causal', dilation: 50 }, 17],
    [{ padding: 'causal', stride: 5 }, 4],
    [{ padding: 16, paddingMode: 'reflect' }, 47],
    [{ padding: 17, paddingMode: 'circular' }, 49],
    [{ padding: 40, paddingMode: 'replicate' }, 95],
  ])('output length with %j', (options, length) => {
    const layer = makeLayer({ ...small, ...options });
    expect(layer.outputShape([2, 3, 17])).toEqual([2, 4, length]);
    expect(layer.forward(smallInput).shape).toEqual([2, 4, length]);
  });

  // Each gives the one output that a stride of 1 gives first, and takes no more memory for it.
  test.each([
    [{ stride: 2 ** 31 - 1 }, {}],
    [{ stride: 2 ** 30, dilation: 7 }, { dilation: 7 }],
    [
      { stride: 2 ** 28, padding: 3, paddingMode: 'reflect' },
      { padding: 3, paddingMode: 'reflect' },
    ],
    [{ stride: 2 ** 31 - 1, dtype: 'float16' }, { dtype: 'float16' }],
  ])('a stride far beyond the input: %j', (options, plain) => {
    const input = halvesWhere(options.dtype, smallInput);
    const layer = makeLayer({ ...small, ...options });
    const all = makeLayer({ ...small, ...plain })
      .forward(input)
      .toArray();
    expect(layer.explain(input.shape).scratchBytes).toBeLessThan(100_000);
    expect(layer.forward(input).toArray()).toEqual(all.map((image) => image.map(([value]) => [value])));
  });

  test('taps far beyond the input', () => {
    const layer = makeLayer({ ...small, dilation: 2 ** 28, padding: [2 ** 29, 0] });
    // Of three taps only the last one meets the input.
    const last = makeLayer({ ...small, kernelSize: 1 });
    const taps = layer.weight.data.filter((_, i) => i % 3 === 2);
    last.weight = new Tensor(taps, [4, 3, 1]);
    last.bias = layer.bias;
    expect(layer.explain([2, 3, 17]).scratchBytes).toBeLessThan(100_000);
    expect(layer.forward(smallInput).toArray()).toEqual(last.forward(smallInput).toArray());
  });

  test.each([
    [{}, 'Conv1d(3, 4, kernelSize=3, stride=1)'],
    [{ stride: 2, padding: 1 }, 'Conv1d(3, 4, kernelSize=3, stride=2, padding=1)'],
    [{ padding: [1, 2] }, 'Conv1d(3, 4, kernelSize=3, stride=1, padding=[1, 2])'],
    [{ padding: [2, 2] }, 'Conv1d(3, 4, kernelSize=3, stride=1, padding=2)'],
    [{ padding: 'same' }, "Conv1d(3, 4, kernelSize=3, stride=1, padding='same')"],
    [
      { inChannels: 6, outChannels: 4, dilation: 3, groups: 2, bias: false, paddingMode: 'circular' },
      'Conv1d(6, 4, kernelSize=3, stride=1, dilation=3, groups=2, bias=false, paddingMode=circular)',
    ],
    [{ dtype: 'float16', activation: 'silu' }, 'Conv1d(3, 4, kernelSize=3, stride=1, dtype=float16, activation=silu)'],
  ])('toString with %j', (options, text) => {
    expect(String(new Conv1d({ ...small, ...options }))).toBe(text);
  });

  test('explain', () => {
    const layer = makeLayer({ inChannels: 6, outChannels: 10, kernelSize: 5, groups: 2, stride: 2 });
    const length = 19; // of 41 samples
    const explanation = layer.explain([3, 6, 41]);
    expect(explanation).toEqual({
      algorithm: 'direct',
      reason: expect.stringMatching(/^estimated times of direct's: toom_cook (\d|unfit).*, fft \d/),
      kernel: expect.stringMatching(/^[a-z]+_f32_\d+x\d+$/),
      flops: 2 * 3 * 10 * length * 3 * 5,
      bytes: 4 * (3 * 6 * 41 + 10 * 3 * 5 + 10 + 3 * 10 * length),
      scratchBytes: expect.any(Number),
      threads: 1,
    });
    expect(explanation.scratchBytes).toBeGreaterThanOrEqual(0);
    expect(layer.explain([6, 41]).flops).toBe(explanation.flops / 3);
    const half = makeLayer({ inChannels: 6, outChannels: 10, kernelSize: 5, dtype: 'float16', bias: false });
    expect(half.explain([1, 6, 41]).bytes).toBe(2 * (6 * 41 + 10 * 6 * 5 + 10 * 37));
  });

  test.each([
    [{ inChannels: 64, outChannels: 64, kernelSize: 3 }, 'toom_cook', /^toom_cook_f32_4x3$/],
    [{ inChannels: 1, outChannels: 1, kernelSize: 3000 }, 'fft', /^fft_f32$/],
    [{ inChannels: 1, outChannels: 1, kernelSize: 3 }, 'direct', /^dense_f32_1x48$/],
  ])('explain names the algorithm of auto: %j', (options, algorithm, kernel) => {
    const shape = [options.inChannels, 8000];
    const layer = makeLayer(options);
    expect(layer.explain(shape)).toMatchObject({ algorithm, kernel: expect.stringMatching(kernel) });
    const asked = makeLayer({ ...options, algorithm });
    expect(asked.explain(shape)).toMatchObject({ algorithm, reason: 'asked for' });
    const input = noiseTensor(shape, 5);
    expectSameBits(layer.forward(input).data, asked.forward(input).data);
    // What the batch is makes no difference.
    expect(layer.explain([7, ...shape]).algorithm).toBe(algorithm);
  });

  test('a deterministic runtime sums in one order unless it is asked for something else', async () => {
    const runtime = await createRuntime({ deterministic: true, threads: 1 });
    const options = { inChannels: 64, outChannels: 64, kernelSize: 3, runtime };
    const input = noiseTensor([64, 500], 5);
    const [auto, direct, other] = ['auto', 'direct', 'toom_cook'].map((algorithm) =>
      makeLayer({ ...options, algorithm }),
    );
    expect(auto.explain(input.shape).algorithm).toBe('direct');
    expect(other.explain(input.shape).algorithm).toBe('toom_cook');
    expectSameBits(auto.forward(input).data, direct.forward(input).data);
    expectSameBits((await auto.forwardAsync(input)).data, direct.forward(input).data);
    expect(auto.toConfig().algorithm).toBeUndefined(); // it is still 'auto'
    runtime.dispose();
  });

  test('where memory is short for the fastest algorithm, auto does without', async () => {
    const tight = await createRuntime({ threads: 1, maximumMemory: 9 * 2 ** 20 });
    const options = { inChannels: 512, outChannels: 512, kernelSize: 3 };
    const [layer, asked] = [{}, { algorithm: 'toom_cook' }].map((more) => makeLayer({ ...options, ...more }));
    expect(layer.explain([512, 200]).algorithm).toBe('toom_cook');
    const short = makeLayer({ ...options, runtime: tight });
    expect(short.explain([512, 200])).toMatchObject({
      algorithm: 'direct',
      reason: expect.stringMatching(/^no memory for the fastest; estimated times/),
    });
    const input = noiseTensor([512, 200], 5);
    const direct = makeLayer({ ...options, algorithm: 'direct' });
    expectSameBits(short.forward(input).data, direct.forward(input).data);
    expectSameBits(layer.forward(input).data, asked.forward(input).data);
    tight.dispose();
  });

  test('explain does not disturb a layer in use', () => {
    const layer = makeLayer(small);
    const before = layer.forward(smallInput).data;
    layer.explain([1, 3, 3000]);
    expectSameBits(layer.forward(smallInput).data, before);
  });

  describe('out', () => {
    test.each(['js', 'wasm'])('%s: takes the output', (placement) => {
      const layer = makeLayer(small);
      const place = (tensor) => (placement === 'js' ? tensor : tensor.toWasm());
      const input = place(smallInput);
      const out = place(new Tensor(new Float32Array(2 * 4 * 15).fill(NaN), [2, 4, 15]));
      expect(layer.forward(input, { out })).toBe(out);
      expectSameBits(out.data, layer.forward(smallInput).data);
    });

    test('writes nothing beside it', () => {
      const whole = new Float32Array(130).fill(7);
      const layer = makeLayer(small);
      layer.forward(smallInput, { out: new Tensor(whole.subarray(5, 125), [2, 4, 15]) });
      expectSameBits(whole.subarray(5, 125), layer.forward(smallInput).data);
      expect([...whole.subarray(0, 5), ...whole.subarray(125)]).toEqual(Array(10).fill(7));
    });

    test('may share its array with the input', () => {
      const layer = makeLayer({ inChannels: 3, outChannels: 3, kernelSize: 3, padding: 1 });
      const expected = layer.forward(smallInput).data;
      const data = smallInput.data.slice();
      const out = new Tensor(data, [2, 3, 17]);
      layer.forward(new Tensor(data, [2, 3, 17]), { out });
      expectSameBits(out.data, expected);
    });
  });

  test('layers chain without leaving wasm memory', () => {
    const [first, second] = [
      makeLayer({ inChannels: 3, outChannels: 5, kernelSize: 3, padding: 1, activation: 'relu' }),
      makeLayer({ inChannels: 5, outChannels: 2, kernelSize: 5, stride: 2 }),
    ];
    const between = first.forward(smallInput.toWasm());
    const output = second.forward(between);
    expect([between.placement, output.placement]).toEqual(['wasm', 'wasm']);
    expectSameBits(output.toJs().data, second.forward(first.forward(smallInput)).data);
  });
});

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

describe('conv1d()', () => {
  const options = { stride: 2, padding: 'same', dilation: 2, groups: 2, paddingMode: 'reflect', activation: 'silu' };
  const sizes = { inChannels: 6, outChannels: 10, kernelSize: 5 };
  const input = noiseTensor([2, 6, 37]);
  const bias = noiseTensor([10], 3);

  test.each([
    ['a 4-D weight and a bias', [2, 5, 3, 5], bias, bias],
    ['a 3-D weight and a 3-D bias', [10, 3, 5], new Tensor(bias.data, [1, 10, 1]), bias],
    ['no bias', [10, 3, 5], undefined, null],
    ['a null bias', [10, 3, 5], null, null],
  ])('is the layer as a function: %s', (_, shape, given, own) => {
    const layer = new Conv1d({ ...sizes, ...options, bias: own !== null });
    layer.weight = noiseTensor([2, 5, 3, 5], 2);
    if (own) layer.bias = own;
    const output = conv1d(input, noiseTensor(shape, 2), given, options);
    expect(output).toMatchObject({ shape: [2, 10, 19], dtype: 'float32', placement: 'js' });
    expectSameBits(output.data, layer.forward(input).data);
  });

  test('without options', () => {
    const output = conv1d(new Tensor([1, 2, 4, 8], [1, 4]), new Tensor([1, 10], [1, 1, 2]));
    expect(output.toArray()).toEqual([[21, 42, 84]]);
  });

  test('out, wasm tensors, another runtime, float16', async () => {
    const other = await createRuntime({ threads: 1, variant: 'simd' });
    const half = (tensor) => new Tensor(tensor.data, tensor.shape, 'float16');
    const [x, w, b] = [input, noiseTensor([10, 6, 5], 2), bias].map(half);
    const expected = conv1d(x, w, b, { runtime: other });
    const out = new Tensor(new Uint16Array(2 * 10 * 33), [2, 10, 33]).toWasm(other);
    expect(conv1d(x.toWasm(other), w.toWasm(other), b.toWasm(other), { runtime: other, out })).toBe(out);
    expect(out.toArray()).toEqual(expected.toArray());
    expect(expected.dtype).toBe('float16');
    other.dispose();
  });
});

describe('a tensor', () => {
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff); // 1, -2, 2^-24, 65504
  const halfNumbers = [1, -2, 2 ** -24, 65504];
  const bytes = (array) => [...new Uint8Array(array.buffer, array.byteOffset, array.byteLength)];

  test.each([
    ['a Float32Array', Float32Array.of(1, 2, 3), 'float32'],
    ['a view with an offset', Float32Array.of(9, 1, 2, 3, 9).subarray(1, 4), 'float32'],
    ['bit patterns', halves.slice(0, 3), 'float16'],
    ['a view of bit patterns with an offset', halves.subarray(1), 'float16'],
    ['a Float32Array of another realm', vm.runInNewContext('Float32Array.of(1, 2, 3)'), 'float32'],
    ['bit patterns of another realm', vm.runInNewContext('Uint16Array.of(1, 2, 3)'), 'float16'],
    ['shared memory', new Float32Array(new SharedArrayBuffer(12)), 'float32'],
  ])('keeps %s and does not copy it', (_, data, dtype) => {
    for (const given of [undefined, dtype]) {
      const tensor = new Tensor(data, [3], given);
      expect(tensor.data).toBe(data);
      expect(tensor).toMatchObject({ shape: [3], size: 3, dtype, placement: 'js' });
    }
  });

  test.each([
    ['numbers', [1, -2, 0.5], 'float32', [1, -2, 0.5]],
    ['numbers that float32 does not hold', [0.1, 1e-50, 1e50], 'float32', [Math.fround(0.1), 0, Infinity]],
    ['numbers as float16', [1, 0.1, 1e9], 'float16', [1, halfToNumber(0x2e66), Infinity]],
    ['numbers of another realm', vm.runInNewContext('[1, 2, 3]'), 'float32', [1, 2, 3]],
    ['an array-like', { length: 3, 0: 1, 1: 2, 2: 3 }, 'float32', [1, 2, 3]],
    ['a Float64Array', Float64Array.of(1, 0.1, -3), 'float32', [1, Math.fround(0.1), -3]],
    ['a Float64Array as float16', Float64Array.of(1, 2049, -3), 'float16', [1, 2048, -3]],
    ['a Float32Array as float16', Float32Array.of(1, 2051, -3), 'float16', [1, 2052, -3]],
    ['an Int8Array', Int8Array.of(-128, 0, 127), 'float32', [-128, 0, 127]],
    ['a Uint8Array', Uint8Array.of(255, 0, 1), 'float32', [255, 0, 1]],
    ['a Uint8ClampedArray', Uint8ClampedArray.of(255, 0, 1), 'float32', [255, 0, 1]],
    ['an Int16Array', Int16Array.of(-32768, 0, 32767), 'float32', [-32768, 0, 32767]],
    ['an Int32Array', Int32Array.of(2 ** 24 + 1, 0, -5), 'float32', [2 ** 24, 0, -5]],
    ['a Uint32Array', Uint32Array.of(2 ** 32 - 1, 0, 5), 'float32', [2 ** 32, 0, 5]],
    ['special values', [NaN, -Infinity, -0], 'float32', [NaN, -Infinity, -0]],
    ['special values as float16', [NaN, -Infinity, -0], 'float16', [NaN, -Infinity, -0]],
  ])('converts %s', (_, data, dtype, values) => {
    const tensor = new Tensor(data, [3], dtype);
    expect(tensor.data).not.toBe(data);
    expect(tensor).toMatchObject({ dtype, size: 3, placement: 'js' });
    expect(tensor.toArray()).toEqual(values);
  });

  test('numbers are float32 unless said otherwise', () => {
    expect(new Tensor([1], [1]).dtype).toBe('float32');
    expect(new Tensor(Float64Array.of(1), [1]).dtype).toBe('float32');
  });

  test('float16: every bit pattern is the number that it stands for', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = new Tensor(patterns, [65536]).toArray();
    const wrong = [...patterns].filter((bits) => !Object.is(values[bits], halfToNumber(bits)));
    expect(wrong).toEqual([]);
  });

  test('float16: numbers become the nearest, ties the even one', () => {
    const value = (bits) => (bits === 0x7c00 ? 65536 : halfToNumber(bits)); // as if the exponent went on
    const samples = [];
    for (let bits = 0; bits < 0x7c00; ++bits) {
      const [low, high] = [value(bits), value(bits + 1)];
      const middle = (low + high) / 2;
      const tiny = (high - low) / 2 ** 40;
      const even = bits % 2 === 0 ? bits : bits + 1;
      samples.push([low, bits], [middle - tiny, bits], [middle, even], [middle + tiny, bits + 1]);
    }
    samples.push([65519.999, 0x7bff], [65520, 0x7c00], [1e300, 0x7c00], [2 ** -25, 0], [2 ** -26, 0], [5e-324, 0]);
    for (const sign of [1, -1]) {
      const tensor = new Tensor(
        samples.map(([number]) => sign * number),
        [samples.length],
        'float16',
      );
      const stored = new Uint16Array(tensor.data.buffer, tensor.data.byteOffset, tensor.size);
      const wrong = samples.filter(([, bits], i) => stored[i] !== (sign < 0 ? bits | 0x8000 : bits));
      expect(wrong).toEqual([]);
    }
  });

  const engineHas = typeof Float16Array === 'function';
  (engineHas ? test : test.skip)('Float16Array: kept, and what float16 tensors give', () => {
    const data = Float16Array.from(halfNumbers);
    const tensor = new Tensor(data, [4]);
    expect(tensor.data).toBe(data);
    expect(tensor.dtype).toBe('float16');
    expect(new Tensor(data, [4], 'float32').toArray()).toEqual(halfNumbers);
    expect(new Tensor(halfNumbers, [4], 'float16').data).toEqual(data);
    expect(tensor.toWasm().data).toEqual(data);
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, dtype: 'float16' });
    expect(layer.forward(new Tensor(data, [1, 4])).data).toBeInstanceOf(Float16Array);
  });
  (engineHas ? test.skip : test)('without Float16Array: float16 tensors give bit patterns', () => {
    expect(new Tensor(halfNumbers, [4], 'float16').data).toEqual(halves);
    expect(new Tensor(halves, [4]).toWasm().data).toEqual(halves);
  });

  test('its shape is a frozen copy', () => {
    const shape = [1, 2];
    const tensor = new Tensor([1, 2], shape);
    shape[0] = 5;
    expect(tensor.shape).toEqual([1, 2]);
    expect(() => tensor.shape.push(1)).toThrow(TypeError);
  });

  test.each([
    [[], [5], 5],
    [[1], [5], [5]],
    [[0], [], []],
    [[2, 0], [], [[], []]],
    [[0, 2], [], []],
    [
      [2, 1, 2],
      [1, 2, 3, 4],
      [[[1, 2]], [[3, 4]]],
    ],
    [[1, 1, 1, 2], [1, 2], [[[[1, 2]]]]],
    [[2, 0], [], [[], []]],
    [[0], [], []],
  ])('of shape %j', (shape, values, nested) => {
    const tensor = new Tensor(values, shape);
    const placed = tensor.toWasm();
    for (const each of [tensor, placed, placed.toJs()]) {
      expect(each.shape).toEqual(shape);
      expect(each.size).toBe(values.length);
      expect(each.toArray()).toEqual(nested);
    }
    for (const dtype of ['float32', 'float16']) {
      const again = new Tensor(nested, undefined, dtype);
      // Below an empty list there are no lists that would tell more.
      expect(again).toMatchObject({ shape: shape.slice(0, shape.indexOf(0) + 1 || shape.length), dtype });
      expect(again.toArray()).toEqual(nested);
      expect(new Tensor(nested, shape, dtype).toArray()).toEqual(nested);
    }
  });

  test.each([
    ['a list', [1, 2, 3], [3], 'float32', [1, 2, 3]],
    ['a typed array', new Uint8Array(4), [4], 'float32', [0, 0, 0, 0]],
    [
      'channels',
      [Float32Array.of(1, 2), Float32Array.of(3, 4)],
      [2, 2],
      'float32',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'channels of other types',
      [Float64Array.of(1, 2), Int8Array.of(3, 4), [5, 6]],
      [3, 2],
      'float32',
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
    ['channels of bit patterns', [Uint16Array.of(0x3c00), Uint16Array.of(0xc000)], [2, 1], 'float16', [[1], [-2]]],
    [
      'images of channels',
      [[Float32Array.of(1, 2)], [Float32Array.of(3, 4)]],
      [2, 1, 2],
      'float32',
      [[[1, 2]], [[3, 4]]],
    ],
  ])('its shape and dtype are those of the data: %s', (_, data, shape, dtype, values) => {
    const tensor = new Tensor(data);
    expect(tensor).toMatchObject({ shape, dtype });
    expect(new Tensor(tensor.toArray()).toArray()).toEqual(values);
  });

  test('channels are copied', () => {
    const [left, right] = [Float32Array.of(1, 2), Float32Array.of(3, 4)];
    const tensor = new Tensor([left, right]);
    left.fill(0);
    expect(tensor.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test.each([
    ['of 64 dimensions', new Array(64).fill(1), [7]],
    ['of many lists', [2 ** 20, 0], []],
  ])('toArray %s', (_, shape, values) => {
    const nested = new Tensor(values, shape).toArray();
    expect(nested.flat(64)).toEqual(values);
    expect(nested.length).toBe(shape[0]);
  });

  test.each([[[2 ** 29, 0]], [[2 ** 29, 1, 0]], [[1, 2 ** 25]]])('toArray of shape %j is refused', (shape) => {
    const tensor = new Tensor(new Float32Array(product(shape)), shape);
    expect(thrown(() => tensor.toArray())).toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      field: 'tensor',
      message: /^toArray\(\) would make \d+ lists and numbers, at most 33554432 are possible; read data$/,
    });
  });

  test.each([
    ['float32', Float32Array.of(1, -0, NaN, 5)],
    ['float16', halves],
    ['a view', Float32Array.of(1, 2, 3, 4, 5, 6).subarray(2)],
  ])('toWasm and toJs copy: %s', (_, data) => {
    const tensor = new Tensor(data, [2, 2]);
    const placed = tensor.toWasm();
    expect(placed).toMatchObject({ shape: [2, 2], dtype: tensor.dtype, size: 4, placement: 'wasm' });
    expect(bytes(placed.data)).toEqual(bytes(data));
    const back = placed.toJs();
    expect(back).toMatchObject({ shape: [2, 2], dtype: tensor.dtype, placement: 'js' });
    expect(bytes(back.data)).toEqual(bytes(data));
    placed.data.fill(0);
    expect(bytes(back.data)).toEqual(bytes(data));
    expect(bytes(tensor.data)).toEqual(bytes(data));
    expect(bytes(placed.toJs().data)).toEqual(Array(data.byteLength).fill(0));
    const again = placed.toWasm();
    again.data.fill(1);
    expect(bytes(placed.data)).toEqual(Array(data.byteLength).fill(0));
    const copy = back.toJs();
    copy.data.fill(0);
    expect(bytes(back.data)).toEqual(bytes(data));
  });

  test('data of a wasm tensor is memory that a layer reads, also after the memory has grown', () => {
    const layer = makeLayer(small);
    const input = new Tensor(new Float32Array(51), [3, 17]).toWasm();
    input.data.fill(5);
    const { total } = runtime.memory;
    new Tensor(new Float32Array(total / 4), [total / 4]).toWasm().dispose();
    expect(runtime.memory.total).toBeGreaterThan(total);
    expect([...input.data]).toEqual(Array(51).fill(5));
    input.data.set(smallInput.data.subarray(0, 51));
    expectSameBits(layer.forward(input).data, layer.forward(new Tensor(smallInput.data.slice(0, 51), [3, 17])).data);
  });
});

describe('runtimes', () => {
  const input = noiseTensor([3, 101], 2);
  const opened = [];
  const open = async (options) => {
    const made = await createRuntime(options);
    opened.push(made);
    return made;
  };
  afterEach(() => opened.splice(0).forEach((made) => made.dispose()));

  test('init gives one runtime, whatever is asked later', async () => {
    expect(await init()).toBe(runtime);
    expect(await init({ threads: 2, variant: 'simd' })).toBe(runtime);
  });

  test('what a runtime says', async () => {
    expect(runtime).toMatchObject({ variant: bestVariant, threads: 1, threadsReason: expect.any(String) });
    expect(Object.keys(runtime.memory).sort()).toEqual(['total', 'used']);
    expect(runtime.memory.used).toBeGreaterThan(0);
    expect(runtime.memory.total % 65536).toBe(0);
    expect(runtime.memory.total).toBeGreaterThan(runtime.memory.used);
    const before = runtime.memory.used;
    const tensor = new Tensor(new Float32Array(1000), [1000]).toWasm();
    expect(runtime.memory.used - before).toBeGreaterThanOrEqual(4000);
    expect(runtime.memory.used - before).toBeLessThan(4100);
    tensor.dispose();
    expect(runtime.memory.used).toBe(before);
  });

  test('createRuntime makes one more, with its own memory', async () => {
    const [a, b] = [await open({ threads: 1 }), await open({ threads: 2 })];
    expect(new Set([a, b, runtime]).size).toBe(3);
    const { used } = a.memory; // of the other one, a worker that starts may take some
    const tensor = input.toWasm(b);
    expect(a.memory.used).toBe(used);
    const [inDefault, inA, inB] = [undefined, a, b].map((each) => makeLayer({ ...small, runtime: each }));
    const expected = inDefault.forward(input).data;
    expectSameBits(inA.forward(input).data, expected);
    expectSameBits(inB.forward(tensor).toJs().data, expected);
    a.dispose();
    expectSameBits(inB.forward(input).data, expected);
    expectSameBits(inDefault.forward(input).data, expected);
  });

  test.each([
    ['nothing', {}, bestVariant],
    ['auto', { variant: 'auto', threads: 'auto', deterministic: false }, bestVariant],
    ['simd', { variant: 'simd' }, 'simd'],
    ['deterministic', { deterministic: true }, 'simd'],
    ['deterministic simd', { deterministic: true, variant: 'simd' }, 'simd'],
    ...(canRelax ? [['relaxed', { variant: 'relaxed' }, 'relaxed']] : []),
  ])('the variant, asked for: %s', async (_, options, variant) => {
    const made = await open(options);
    expect(made.variant).toBe(variant);
    expect(made.threads).toBeGreaterThanOrEqual(1);
    expect(makeLayer({ ...small, runtime: made }).forward(input).shape).toEqual([4, 99]);
  });

  test.each([1, 2, 3])('%i threads, as asked for', async (threads) => {
    const made = await open({ threads });
    expect(made.threads).toBe(threads);
    if (threads === 1) expect(made.threadsReason).toMatch(/one thread/);
    else expect(made.threadsReason).toBeNull();
  });

  const file = (variant, threaded) => fromRoot(`dist/wasm/conv1d-${variant}${threaded ? '-threads' : ''}.wasm`);

  test.each([1, 2])('wasmBinary, wasmModule and wasmUrl, %i thread(s)', async (threads) => {
    const path = file('simd', threads > 1);
    const bytes = readFileSync(path);
    const server = createServer((_, response) => response.end(bytes)); // without the type application/wasm
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const sources = [
      { wasmBinary: bytes },
      { wasmBinary: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
      { wasmModule: await WebAssembly.compile(bytes) },
      { wasmUrl: pathToFileURL(path) },
      { wasmUrl: pathToFileURL(path).href },
      { wasmUrl: `http://127.0.0.1:${server.address().port}/any/name` },
    ];
    try {
      const expected = makeLayer({ ...small, runtime: await open({ variant: 'simd' }) }).forward(input).data;
      for (const source of sources) {
        const made = await open({ ...source, threads, variant: 'simd' });
        expect(made.threads).toBe(threads);
        expectSameBits(makeLayer({ ...small, runtime: made }).forward(input).data, expected);
      }
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.each([1, 2])('maximumMemory holds, %i thread(s)', async (threads) => {
    const maximumMemory = 8 * 2 ** 20;
    const made = await open({ threads, maximumMemory });
    const tensors = [];
    for (let i = 0; i < 20; ++i) {
      try {
        tensors.push(new Tensor(new Float32Array(2 ** 18), [2 ** 18]).toWasm(made)); // 1 MiB
      } catch (error) {
        expect(error.code).toBe('ERR_OUT_OF_MEMORY');
        break;
      }
    }
    expect(tensors.length).toBeGreaterThanOrEqual(5);
    expect(tensors.length).toBeLessThan(8);
    expect(made.memory.total).toBeLessThanOrEqual(maximumMemory);
  });

  test('after dispose() init loads anew', async () => {
    runtime.dispose();
    const again = await init({ threads: 1 });
    expect(again).not.toBe(runtime);
    expect(makeLayer(small).forward(smallInput).shape).toEqual([2, 4, 15]);
    again.dispose();
  });

  test('calls of init() at the same time load once', async () => {
    const [a, b] = await Promise.all([init({ threads: 1 }), init({ threads: 1 })]);
    expect(a).toBe(b);
    a.dispose();
  });

  test('of calls of init() at the same time the bad ones fail alone', async () => {
    const bad = [
      [{ threads: 0 }, { code: 'ERR_OPTION', field: 'threads' }],
      [{ thread: 1 }, { code: 'ERR_OPTION', field: 'thread' }],
      [{ maximumMemory: 1 }, { code: 'ERR_OPTION', field: 'maximumMemory' }],
      [{ wasmUrl: 'http://[' }, { code: 'ERR_OPTION', field: 'wasmUrl' }],
    ];
    const broken = [{ wasmBinary: Uint8Array.of(1, 2, 3, 4) }, { code: 'ERR_WASM_LOAD', field: 'wasmBinary' }];
    const calls = [broken, [{ threads: 1 }], ...bad, [{ threads: 1, variant: 'simd' }]];
    const results = await Promise.all(calls.map(([options]) => init(options).catch((error) => error)));
    const [made] = results.filter(({ variant }) => variant);
    expect(results).toEqual(calls.map(([, error]) => (error ? expect.objectContaining(error) : made)));
    for (const [options, error] of bad) await expect(init(options)).rejects.toMatchObject(error);
    made.dispose();
  });
});

describe('what the engine lacks', () => {
  const without = async (changes, action) => {
    const kept = changes.map(([target, key]) => Object.getOwnPropertyDescriptor(target, key));
    for (const [target, key, value] of changes)
      Object.defineProperty(target, key, { value, configurable: true, writable: true });
    try {
      return await action();
    } finally {
      for (const [i, [target, key]] of changes.entries()) {
        if (kept[i]) Object.defineProperty(target, key, kept[i]);
        else delete target[key];
      }
    }
  };
  const choice = async (options) => {
    const made = await createRuntime(options);
    const { variant, threads, threadsReason } = made;
    made.dispose();
    return { variant, threads, threadsReason };
  };
  const { validate } = WebAssembly;
  const noRelaxed = [WebAssembly, 'validate', (bytes) => !hasRelaxedOpcode(bytes) && validate(bytes)];
  // f32x4.relaxed_madd is 0xfd 0x85 0x02.
  const hasRelaxedOpcode = (bytes) => Buffer.from(bytes).includes(Buffer.of(0xfd, 0x85, 0x02));
  const noShared = [globalThis, 'SharedArrayBuffer', undefined];

  test('relaxed SIMD: the simd build', async () => {
    expect((await without([noRelaxed], () => choice({ threads: 1 }))).variant).toBe('simd');
  });

  test('SharedArrayBuffer: one thread, and the two headers that bring it', async () => {
    for (const threads of ['auto', 4]) {
      const got = await without([noShared], () => choice({ threads }));
      expect(got).toMatchObject({ variant: bestVariant, threads: 1 });
      expect(got.threadsReason).toMatch(/SharedArrayBuffer.*Cross-Origin-Opener-Policy.*Cross-Origin-Embedder-Policy/);
    }
  });

  test('SharedArrayBuffer in an isolated page: not the headers', async () => {
    const isolated = [globalThis, 'crossOriginIsolated', true];
    const got = await without([noShared, isolated], () => choice({}));
    expect(got.threads).toBe(1);
    expect(got.threadsReason).toMatch(/SharedArrayBuffer/);
    expect(got.threadsReason).not.toMatch(/Cross-Origin/);
  });

  test('shared memory, although there is SharedArrayBuffer', async () => {
    const { Memory } = WebAssembly;
    const unshared = function (descriptor) {
      if (descriptor.shared) throw new TypeError('shared memory is off');
      return new Memory(descriptor);
    };
    const got = await without([[WebAssembly, 'Memory', unshared]], () => choice({ threads: 2 }));
    expect(got.threads).toBe(1);
    expect(got.threadsReason).toMatch(/shared memory is off/);
  });
});
