// Layers beside Conv1d, and networks put together with names.
import {
  BatchNorm1d,
  Conv1d,
  ConvTranspose1d,
  createRuntime,
  GroupNorm,
  Gru,
  init,
  InstanceNorm1d,
  LayerNorm,
  Linear,
  Lstm,
  Network,
  Tensor,
} from 'conv1d-wasm';
import { noiseTensor, thrown } from './support.js';

beforeAll(init);

const numbers = (tensor) => [...tensor.numbers()];
const small = () => new Conv1d({ inChannels: 2, outChannels: 4, kernelSize: 3, padding: 1 });

describe('ConvTranspose1d', () => {
  test('adds each sample to the outputs that it meets', () => {
    const weight = new Tensor([1, 2, 3, 10, 20, 30], [2, 1, 3]);
    const layer = new ConvTranspose1d({ inChannels: 2, outChannels: 1, kernelSize: 3, stride: 2, weight, bias: false });
    const output = layer.forward(new Tensor([1, 2, 0, 1], [2, 2]));
    expect(output.shape).toEqual([1, 5]);
    expect(numbers(output)).toEqual([1, 2, 3 + 2 + 10, 4 + 20, 6 + 30]);
    expect(layer.weight.shape).toEqual([2, 1, 3]);
    expect(layer.toString()).toBe('ConvTranspose1d(2, 1, kernelSize=3, stride=2, bias=false)');
    layer.dispose();
  });

  test('a NaN reaches the outputs that see it and no others, by every algorithm', () => {
    for (const algorithm of ['auto', 'direct', 'toom_cook', 'fft']) {
      const layer = new ConvTranspose1d({ inChannels: 3, outChannels: 2, kernelSize: 12, stride: 2, algorithm });
      const input = noiseTensor([3, 300], 1);
      input.data[100] = NaN;
      const found = numbers(layer.forward(input)).flatMap((value, i) => (Number.isNaN(value) ? [i] : []));
      expect(found).toEqual([0, 610].flatMap((row) => Array.from({ length: 12 }, (_, k) => row + 200 + k)));
      layer.dispose();
    }
  });

  test.each([
    [
      { outputPadding: 2 },
      'ERR_OPTION',
      'outputPadding',
      'outputPadding (2) must be less than stride (2) or dilation (1)',
    ],
    [{ padding: 'same' }, 'ERR_OPTION', 'padding', /cut off the output/],
    [{ paddingMode: 'reflect' }, 'ERR_OPTION', 'paddingMode', /must be 'zeros', got 'reflect'/],
    [{ groups: 3 }, 'ERR_OPTION', 'inChannels', 'inChannels (4) must be divisible by groups (3)'],
    [{ weight: new Tensor([1], [1, 1, 1]) }, 'ERR_SHAPE', 'weight', /must have shape \[4, 4, 3\]/],
    [{ convMode: 'cross_correlation' }, 'ERR_OPTION', 'convMode', /unknown option/],
  ])('refuses %j', (options, code, field, message) => {
    const sizes = { inChannels: 4, outChannels: 4, kernelSize: 3, stride: 2 };
    const error = thrown(() => new ConvTranspose1d({ ...sizes, ...options }));
    expect(error).toMatchObject({ code, field });
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
  });

  test('too short an input: the formula with its numbers', () => {
    const layer = new ConvTranspose1d({ inChannels: 1, outChannels: 1, kernelSize: 2, padding: 3 });
    const error = thrown(() => layer.forward(noiseTensor([1, 3], 1)));
    expect(error.message).toBe(
      'output length must be >= 1, got -2 = (L (3) - 1) * stride (1) - padLeft (3) - padRight (3) + dilation (1) * (kernelSize (2) - 1) + outputPadding (0) + 1',
    );
    layer.dispose();
  });

  test('weight_norm and a BatchNorm1d are folded, groups and all', () => {
    const options = { inChannels: 4, outChannels: 6, kernelSize: 3, stride: 2, groups: 2 };
    const [g, v] = [noiseTensor([4, 1, 1], 1), noiseTensor([4, 3, 3], 2)];
    const norm = { weight: [1, 2, 3, 4, 5, 6], bias: [6, 5, 4, 3, 2, 1], running_mean: [1, 0, 1, 0, 1, 0] };
    const dict = { 'c.weight_g': g, 'c.weight_v': v, 'n.running_var': new Tensor([1, 4, 9, 16, 25, 36], [6]) };
    for (const [name, values] of Object.entries(norm)) dict[`n.${name}`] = new Tensor(values, [6]);
    const folded = new ConvTranspose1d(options);
    folded.loadStateDict(dict, { prefix: 'c.', batchNorm: { prefix: 'n.', eps: 0 } });
    const plain = new ConvTranspose1d({ ...options, bias: false });
    plain.loadStateDict({ weight_g: g, weight_v: v });
    const batchNorm = new BatchNorm1d({ numFeatures: 6, eps: 0 });
    batchNorm.loadStateDict(dict, { prefix: 'n.' });
    const network = Network.sequential([plain, batchNorm]);
    const input = noiseTensor([4, 20], 3);
    const expected = numbers(network.forward(input));
    numbers(folded.forward(input)).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
    for (const own of [folded, plain, network]) own.dispose();
  });
});

describe('Linear', () => {
  test('over a window, in the order of flatten', () => {
    const weight = new Tensor([1, 10, 100, 1000], [1, 4]);
    const layer = new Linear({ inFeatures: 4, outFeatures: 1, flatten: 2, weight, bias: new Tensor([0.5], [1]) });
    expect(numbers(layer.forward(new Tensor([1, 2, 3, 4], [2, 2])))).toEqual([4321.5]);
    expect(layer.weight.shape).toEqual([1, 4]);
    expect(layer.toString()).toBe('Linear(inFeatures=4, outFeatures=1, flatten=2)');
    layer.dispose();
  });

  test.each([
    [{ inFeatures: 5, flatten: 2 }, 'inFeatures'],
    [{ outFeatures: 0 }, 'outFeatures'],
    [{ flatten: 1.5 }, 'flatten'],
    [{ kernelSize: 3 }, 'kernelSize'],
  ])('refuses %j', (options, field) => {
    expect(thrown(() => new Linear({ inFeatures: 4, outFeatures: 2, ...options }))).toMatchObject({
      code: 'ERR_OPTION',
      field,
    });
  });
});

test('weights given to the constructor', () => {
  const weight = noiseTensor([4, 2, 3], 1);
  const conv = new Conv1d({
    inChannels: 2,
    outChannels: 4,
    kernelSize: 3,
    weight,
    bias: new Tensor([1, 2, 3, 4], [4]),
  });
  expect(numbers(conv.weight)).toEqual(numbers(weight));
  expect(numbers(conv.bias)).toEqual([1, 2, 3, 4]);
  conv.dispose();
});

describe('recurrent layers', () => {
  test("weights by PyTorch's names; a dictionary that lacks one changes nothing", () => {
    const layer = new Lstm({ inputSize: 3, hiddenSize: 2, numLayers: 2, bidirectional: true });
    const dict = layer.stateDict();
    expect(Object.keys(dict)).toHaveLength(16);
    expect(dict.weight_ih_l1_reverse.shape).toEqual([8, 4]);
    const { bias_hh_l1, ...others } = dict;
    const error = thrown(() => layer.loadStateDict({ ...others, weight_ih_l0: noiseTensor([8, 3], 1) }));
    expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field: 'bias_hh_l1' });
    expect(numbers(layer.stateDict().weight_ih_l0)).toEqual(numbers(dict.weight_ih_l0));
    expect(bias_hh_l1.shape).toEqual([8]);
    layer.dispose();
    expect(thrown(() => layer.stateDict())).toMatchObject({ code: 'ERR_DISPOSED' });
  });

  test('a seed repeats the draw', () => {
    const [a, b] = [new Gru({ inputSize: 2, hiddenSize: 5 }), new Gru({ inputSize: 2, hiddenSize: 5 })];
    a.resetParameters({ seed: 7 });
    b.resetParameters({ seed: 7 });
    expect(numbers(a.stateDict().weight_hh_l0)).toEqual(numbers(b.stateDict().weight_hh_l0));
    expect(Math.max(...numbers(a.stateDict().weight_hh_l0).map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(5));
    a.dispose();
    b.dispose();
  });

  test('new weights count from the next push on; a disposed layer stays with its streams', () => {
    const layer = new Gru({ inputSize: 1, hiddenSize: 3 });
    const network = new Network(1, (x) => x.apply(layer));
    const stream = network.stream({ maxChunk: 4 });
    const zeros = Object.entries(layer.stateDict()).map(([name, { shape, size }]) => [
      name,
      new Tensor(new Float32Array(size), shape),
    ]);
    layer.loadStateDict(Object.fromEntries(zeros));
    expect(numbers(stream.push(noiseTensor([1, 4], 1)))).toEqual(Array.from({ length: 12 }, () => 0));
    layer.dispose();
    expect(stream.push(noiseTensor([1, 4], 1)).shape).toEqual([3, 4]);
    expect(thrown(() => network.forward(noiseTensor([1, 4], 1)))).toMatchObject({ code: 'ERR_DISPOSED' });
    stream.dispose();
    network.dispose();
  });

  test('in the worker: the same bits', async () => {
    const layer = new Lstm({ inputSize: 2, hiddenSize: 6, bidirectional: true });
    const network = new Network(2, (x) => x.apply(layer).layerNorm().softmax());
    const input = noiseTensor([2, 50], 1);
    expect(numbers(await network.forwardAsync(input))).toEqual(numbers(network.forward(input)));
    network.dispose();
    layer.dispose();
  });

  test.each([
    { inputSize: 0 },
    { hiddenSize: 2.5 },
    { numLayers: -1 },
    { bias: 1 },
    { bidirectional: 'yes' },
    { size: 1 },
  ])('refuse %j', (options) => {
    const error = thrown(() => new Lstm({ inputSize: 2, hiddenSize: 2, ...options }));
    expect(error).toMatchObject({ code: 'ERR_OPTION', field: Object.keys(options)[0] });
  });
});

describe('Network.sequential', () => {
  const make = () => {
    const layers = {
      conv: small(),
      norm: new BatchNorm1d({ numFeatures: 4 }),
      out: new Linear({ inFeatures: 4, outFeatures: 2 }),
    };
    const network = Network.sequential({
      body: Network.sequential([layers.conv, layers.norm]),
      relu: (x) => x.activation('relu'),
      out: layers.out,
    });
    return { layers, network };
  };

  test('names as PyTorch gives them, nested with dots', () => {
    const { network } = make();
    expect(Object.keys(network.stateDict())).toEqual([
      ...['body.0.weight', 'body.0.bias', 'body.1.weight', 'body.1.bias', 'body.1.running_mean', 'body.1.running_var'],
      ...['out.weight', 'out.bias'],
    ]);
    network.dispose();
  });

  test('takes a whole dictionary, and its norms count at once', () => {
    const [first, second] = [make().network, make().network];
    const input = noiseTensor([2, 9], 1);
    const dict = first.stateDict();
    dict['body.1.running_mean'] = noiseTensor([4], 2);
    dict['body.1.num_batches_tracked'] = new Tensor([5], []);
    const before = numbers(second.forward(input));
    first.loadStateDict(dict);
    second.loadStateDict(dict);
    expect(numbers(second.forward(input))).toEqual(numbers(first.forward(input)));
    expect(numbers(second.forward(input))).not.toEqual(before);
    first.dispose();
    second.dispose();
  });

  test('lists what is missing and what is unexpected, and changes nothing', () => {
    const { network } = make();
    const before = network.stateDict();
    const dict = { ...before, 'body.0.weight': noiseTensor([4, 2, 3], 5), 'tail.weight': noiseTensor([1], 1) };
    delete dict['out.bias'];
    const error = thrown(() => network.loadStateDict(dict));
    expect(error.code).toBe('ERR_STATE_DICT');
    expect(error.message).toContain("'out.bias' is missing");
    expect(error.message).toContain('tail.weight');
    expect(numbers(network.stateDict()['body.0.weight'])).toEqual(numbers(before['body.0.weight']));
    network.loadStateDict(dict, { strict: false });
    expect(numbers(network.stateDict()['body.0.weight'])).toEqual(numbers(dict['body.0.weight']));
    network.dispose();
  });

  test('of functions alone, with inChannels', () => {
    const network = Network.sequential([(x) => x.abs(), (x) => x.maxPool(2)], { inChannels: 1 });
    expect(numbers(network.forward(new Tensor([-3, 1, 2, -5], [1, 4])))).toEqual([3, 5]);
    expect(thrown(() => network.loadStateDict({}))).toMatchObject({ code: 'ERR_OPTION', field: 'layers' });
    network.dispose();
  });

  test.each([
    [() => Network.sequential([(x) => x.abs()]), 'inChannels'],
    [() => Network.sequential([3]), 'items[0]'],
    [() => Network.sequential([new Linear({ inFeatures: 2, outFeatures: 3 }), small()]), 'layer'],
    [() => Network.sequential([new LayerNorm({ channels: 3 }), new LayerNorm({ channels: 4 })]), 'layer'],
    [() => new Network(2, (x) => x.abs(), { layers: { a: small() } }), 'layers.a'],
    [() => new Network(2, (x) => x.abs(), { dtype: 'float64' }), 'dtype'],
    [() => new GroupNorm({ numGroups: 3, numChannels: 4 }), 'numGroups'],
    [() => new InstanceNorm1d({ numFeatures: 0 }), 'numFeatures'],
    [() => new BatchNorm1d({ numFeatures: 2, eps: -1 }), 'eps'],
    [() => new BatchNorm1d({ numFeatures: 2, momentum: 1.1 }), 'momentum'],
    [() => new BatchNorm1d({ numFeatures: 2, momentum: '0.1' }), 'momentum'],
  ])('refuses %s', (action, field) => {
    expect(thrown(action)).toMatchObject({ field });
  });
});

test('layers of two runtimes do not mix', async () => {
  const runtime = await createRuntime({ threads: 1 });
  const other = new Gru({ inputSize: 4, hiddenSize: 2, runtime });
  expect(thrown(() => Network.sequential([small(), other]))).toMatchObject({ code: 'ERR_OPTION', field: 'layers' });
  runtime.dispose();
});

test('summary() is a table of the steps', () => {
  const conv = small();
  const up = new ConvTranspose1d({ inChannels: 4, outChannels: 2, kernelSize: 4, stride: 2, padding: 1 });
  const lstm = new Lstm({ inputSize: 2, hiddenSize: 3 });
  const network = Network.sequential([conv, up, (x) => x.maxPool(2), lstm, (x) => x.instanceNorm()]);
  const lines = network.summary([2, 10]).split('\n');
  expect(lines).toHaveLength(7);
  expect(lines[1]).toMatch(/^Conv1d\(2, 4, .*\(4, 10\) +28 +480 +3, 1$/);
  expect(lines[2]).toMatch(/^ConvTranspose1d\(4, 2, .*\(2, 20\) +34 +640 +4\.5, 1\.5$/);
  expect(lines[3]).toMatch(/^maxPool +\(2, 10\) +0 +20 /);
  expect(lines[4]).toMatch(/^Lstm\(2, 3\) +\(3, 10\) +84 +1,200 /);
  expect(lines[5]).toMatch(/not in streams$/);
  expect(lines[6]).toMatch(/^in all +146 +2,370$/);
  for (const own of [network, conv, up, lstm]) own.dispose();
});

test('a stream of what needs the whole signal says which step and why', () => {
  const network = new Network(2, (x) => x.instanceNorm());
  const error = thrown(() => network.stream({ maxChunk: 4 }));
  expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', field: 'stream' });
  expect(error.message).toBe('a stream cannot have instanceNorm: it needs the mean of the whole signal');
  network.dispose();
});

test('a global pool settles nowhere', () => {
  const network = new Network(2, (x) => x.globalAveragePool());
  const stream = network.stream({ maxChunk: 4 });
  expect(stream.latency).toBe(Infinity);
  expect(thrown(() => stream.settle())).toMatchObject({ code: 'ERR_UNSUPPORTED', field: 'settle' });
  expect(stream.push(new Tensor([1, 3, 2, 4], [2, 2])).shape).toEqual([2, 0]);
  expect(numbers(stream.flush())).toEqual([2, 3]);
  stream.dispose();
  network.dispose();
});

test('an LSTM settles to where silence leads', () => {
  const layer = new Lstm({ inputSize: 1, hiddenSize: 4 });
  layer.resetParameters({ seed: 3 });
  const stream = new Network(1, (x) => x.apply(layer)).stream({ maxChunk: 64 });
  let last;
  for (let i = 0; i < 200; ++i) last = stream.push(new Tensor(new Float32Array(64), [1, 64]));
  stream.settle();
  const settled = stream.push(new Tensor(new Float32Array(64), [1, 64]));
  expect(numbers(settled)).toEqual(numbers(last));
  stream.dispose();
  layer.dispose();
});
