// What a layer promises.
import { Conv1d, createRuntime, init, Tensor } from 'conv1d-wasm';
import { expectSameBits, halvesWhere, makeLayer, noise, noiseTensor, product } from '../support.js';

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
      reason: expect.stringMatching(/^estimated times relative to direct: toom_cook (\d|not applicable).*, fft \d/),
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
    [{ inChannels: 1, outChannels: 1, kernelSize: 3 }, 'direct', /^dense_f32_1x(48|32)$/],
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
