// loadStateDict with what PyTorch saved: weight_norm, BatchNorm1d, other dtypes.
import { readFileSync } from 'node:fs';
import { Conv1d, init, readSafetensors, Tensor } from 'conv1d-wasm';
import { expectSameBits, fromRoot, makeLayer, noise, noiseTensor, readJson, thrown } from './support.js';

const { layers } = readJson('tests/fixtures/weights/expected.json');
const checkpoint = readSafetensors(readFileSync(fromRoot('tests/fixtures/weights/layers.safetensors')));

/** The dictionary of one case, without its number. */
const dictOf = (index) =>
  Object.fromEntries(
    Object.entries(checkpoint).flatMap(([key, tensor]) =>
      key.startsWith(`${index}.`) ? [[key.slice(key.indexOf('.') + 1), tensor]] : [],
    ),
  );

const flat = (tensor) => tensor.toArray().flat(Infinity);
const sizes = { inChannels: 3, outChannels: 4, kernelSize: 2 };
const weight = noiseTensor([4, 3, 2], 1);
const bias = noiseTensor([4], 2);
const one = new Tensor([2], []);
const norm = {
  'bn.weight': noiseTensor([4], 3),
  'bn.bias': noiseTensor([4], 4),
  'bn.running_mean': noiseTensor([4], 5),
  'bn.running_var': new Tensor([0.5, 1, 2, 3], [4]),
  'bn.num_batches_tracked': new Tensor([7], []),
};
const batchNorm = { prefix: 'bn.' };

let runtime;
beforeAll(async () => (runtime = await init({ threads: 1 })));
afterAll(() => runtime.dispose());

describe.each(layers.map((row, index) => [row.name, row, index]))('%s', (_, row, index) => {
  const { config, load, inputShape, input, outputShape, expected } = row;

  /** The largest error over all outputs, in units of the largest output. */
  function errorOf(layer, dtype) {
    layer.loadStateDict(dictOf(index), load);
    const output = layer.forward(new Tensor(input, inputShape, dtype));
    expect(output.shape).toEqual(outputShape);
    const scale = Math.max(...expected.map(Math.abs));
    return Math.max(...flat(output).map((value, i) => Math.abs(value - expected[i]))) / scale;
  }

  // A layer has a bias of its own where a BatchNorm1d is folded into it.
  const whole = { ...config, bias: config.bias || load.batchNorm !== undefined };
  // Each of K products, its weight and its input rounded to the dtype; then the sum in float32.
  const products = (config.in_channels / config.groups) * config.kernel_size[0] + 2;

  test('gives what PyTorch gives', () => {
    expect(errorOf(Conv1d.fromConfig(whole), 'float32')).toBeLessThan(4 * products * 2 ** -24);
  });

  test('in a float16 layer', () => {
    const layer = Conv1d.fromConfig({ ...whole, dtype: 'float16' });
    expect(errorOf(layer, 'float16')).toBeLessThan(4 * products * 2 ** -11);
  });
});

describe('dtypes', () => {
  test('float16 tensors widen to float32', () => {
    const layer = new Conv1d(sizes);
    const halves = new Tensor(weight.data, weight.shape, 'float16');
    layer.loadStateDict({ weight: halves, bias });
    expect(flat(layer.weight)).toEqual(flat(halves));
    expectSameBits(layer.bias.data, bias.data);
  });

  test('float32 tensors are rounded to float16', () => {
    const layer = new Conv1d({ ...sizes, dtype: 'float16' });
    layer.loadStateDict({ weight, bias: bias.toWasm() });
    expectSameBits(layer.weight.data, new Tensor(weight.data, weight.shape, 'float16').data);
    expectSameBits(layer.bias.data, new Tensor(bias.data, bias.shape, 'float16').data);
  });

  test('infinity and NaN stay', () => {
    const layer = new Conv1d({ ...sizes, dtype: 'float16' });
    layer.loadStateDict({ weight, bias: new Tensor([Infinity, -Infinity, NaN, 65504], [4]) });
    expect(flat(layer.bias)).toEqual([Infinity, -Infinity, NaN, 65504]);
  });
});

describe('forms', () => {
  const g = new Tensor([1, 2, 3, -4], [4, 1, 1]);

  test('weight_norm against its definition', () => {
    const layer = new Conv1d(sizes);
    layer.loadStateDict({ weight_g: g, weight_v: weight, bias });
    const v = Array.from(weight.data);
    const expected = v.map((value, i) => {
      const row = v.slice(6 * Math.floor(i / 6), 6 * Math.floor(i / 6) + 6);
      return Math.fround((g.data[Math.floor(i / 6)] * value) / Math.hypot(...row));
    });
    flat(layer.weight).forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(2 ** -22));
  });

  test("MegEngine's shapes, with groups", () => {
    const options = { inChannels: 4, outChannels: 6, kernelSize: 3, groups: 2 };
    const from = makeLayer(options);
    const layer = new Conv1d(options);
    layer.loadStateDict({ 'm.weight': from.weight, 'm.bias': from.bias }, { prefix: 'm.' });
    expect([layer.weight.shape, layer.bias.shape]).toEqual([
      [2, 3, 2, 3],
      [1, 6, 1],
    ]);
    expectSameBits(layer.weight.data, from.weight.data);
    const folded = new Conv1d(options);
    const ones = new Tensor(new Float32Array(6).fill(1), [6]);
    const still = { 'n.running_mean': new Tensor(new Float32Array(6), [6]), 'n.running_var': ones };
    folded.loadStateDict(
      { 'm.weight': from.weight, 'm.bias': from.bias, ...still },
      { prefix: 'm.', batchNorm: { prefix: 'n.', eps: 0 } },
    );
    expectSameBits(folded.weight.data, from.weight.data);
    expectSameBits(folded.bias.data, from.bias.data);
  });

  test.each([
    ['an output channel', [4, 1, 1], (o) => o],
    ['an input channel', [1, 3, 1], (o, i) => i],
    ['a tap', [1, 1, 2], (o, i, k) => k],
    ['all', [], () => 0],
  ])('weight_norm with a magnitude for %s', (_, shape, part) => {
    const indices = Array.from({ length: 24 }, (_, n) => [Math.floor(n / 6), Math.floor(n / 2) % 3, n % 2]);
    const g = noiseTensor(shape, 7);
    const squares = new Map();
    indices.forEach((at, n) => squares.set(part(...at), (squares.get(part(...at)) ?? 0) + weight.data[n] ** 2));
    const expected = indices.map(
      (at, n) => (g.data[part(...at)] * weight.data[n]) / Math.sqrt(squares.get(part(...at))),
    );
    const layer = new Conv1d(sizes);
    layer.loadStateDict({ weight_g: g, weight_v: weight, bias });
    flat(layer.weight).forEach((value, n) => expect(Math.abs(value - expected[n])).toBeLessThanOrEqual(2 ** -23));
  });

  test.each([
    ['[4]', [4]],
    ['[1, 4, 1]', [1, 4, 1]],
    ['[1, 4, 1, 1]', [1, 4, 1, 1]],
  ])('a BatchNorm1d with parameters of shape %s', (_, shape) => {
    const layer = new Conv1d(sizes);
    const reshaped = Object.entries(norm).map(([name, { data, size }]) => [
      name,
      new Tensor(data, size === 4 ? shape : []),
    ]);
    layer.loadStateDict({ weight, bias, ...Object.fromEntries(reshaped) }, { batchNorm });
    const plain = new Conv1d(sizes);
    plain.loadStateDict({ weight, bias, ...norm }, { batchNorm });
    expectSameBits(layer.weight.data, plain.weight.data);
    expectSameBits(layer.bias.data, plain.bias.data);
  });

  describe("layout 'tensorflow'", () => {
    const layout = 'tensorflow';

    /** A kernel of (K, C, O) from a function of its indices. */
    const kernelOf = (shape, valueAt) => {
      const [taps, inputs, outputs] = shape;
      const indices = Array.from({ length: taps * inputs * outputs }, (_, n) => [
        Math.floor(n / (inputs * outputs)),
        Math.floor(n / outputs) % inputs,
        n % outputs,
      ]);
      return new Tensor(
        Float32Array.from(indices, (at) => valueAt(...at)),
        shape,
      );
    };
    const code = (k, i, o) => 100 * k + 10 * i + o;

    test.each(['kernel', 'weight'])('a %s that is square is transposed', (name) => {
      const layer = new Conv1d({ inChannels: 3, outChannels: 3, kernelSize: 3 });
      const square = kernelOf([3, 3, 3], code);
      layer.loadStateDict({ [`c/${name}`]: square, 'c/bias': new Tensor([1, 2, 3], [3]) }, { prefix: 'c/', layout });
      const rows = layer.weight.toArray();
      rows.forEach((row, o) => row.forEach((taps, i) => taps.forEach((tap, k) => expect(tap).toBe(code(k, i, o)))));
      expect(flat(layer.bias)).toEqual([1, 2, 3]);
      layer.loadStateDict({ weight: square, bias: layer.bias });
      expectSameBits(layer.weight.data, square.data);
    });

    test('with groups, as float16', () => {
      const layer = new Conv1d({ inChannels: 4, outChannels: 6, kernelSize: 3, groups: 2, dtype: 'float16' });
      layer.loadStateDict(
        { kernel: kernelOf([3, 2, 6], code), bias: new Tensor(new Float32Array(6), [6]) },
        { layout },
      );
      expect(layer.weight.toArray()[1][2][1]).toEqual([15, 115, 215]); // output 5, the second input of its group
    });

    test("a DepthwiseConv1D's kernel", () => {
      const layer = new Conv1d({ inChannels: 3, outChannels: 6, kernelSize: 2, groups: 3, bias: false });
      layer.loadStateDict({ kernel: kernelOf([2, 3, 2], code) }, { layout });
      // Output 2 c + m reads input c.
      expect(flat(layer.weight)).toEqual([0, 100, 1, 101, 10, 110, 11, 111, 20, 120, 21, 121]);
      layer.loadStateDict({ kernel: kernelOf([2, 1, 6], code) }, { layout });
      expect(flat(layer.weight)).toEqual([0, 100, 1, 101, 2, 102, 3, 103, 4, 104, 5, 105]);
    });

    test("Keras's BatchNormalization, in whole and in parts", () => {
      const kernel = kernelOf([2, 3, 4], (k, i, o) => weight.data[6 * o + 2 * i + k]);
      const names = { weight: 'gamma', bias: 'beta', running_mean: 'moving_mean', running_var: 'moving_variance' };
      const parts = Object.entries(names).map(([from, to]) => [to, norm[`bn.${from}`]]);
      const ones = new Tensor([1, 1, 1, 1], [4]);
      const zeros = new Tensor([0, 0, 0, 0], [4]);
      for (const [without, stand] of [
        [null, null],
        ['gamma', { 'bn.weight': ones }],
        ['beta', { 'bn.bias': zeros }],
      ]) {
        const keras = new Conv1d(sizes);
        const kept = parts.filter(([name]) => name !== without).map(([name, tensor]) => [`bn/${name}`, tensor]);
        keras.loadStateDict({ kernel, bias, ...Object.fromEntries(kept) }, { layout, batchNorm: { prefix: 'bn/' } });
        const torch = new Conv1d(sizes);
        torch.loadStateDict({ weight, bias, ...norm, ...stand }, { batchNorm: { prefix: 'bn.', eps: 1e-3 } });
        expectSameBits(keras.weight.data, torch.weight.data);
        expectSameBits(keras.bias.data, torch.bias.data);
      }
    });

    test('not strict, without a kernel', () => {
      const layer = makeLayer(sizes);
      const before = layer.weight.data;
      layer.loadStateDict({ bias }, { layout, strict: false });
      expectSameBits(layer.weight.data, before);
      expectSameBits(layer.bias.data, bias.data);
    });

    test.each(['keras', 1, null, 'toString'])('%s is no layout', (given) => {
      const error = thrown(() => new Conv1d(sizes).loadStateDict({ weight, bias }, { layout: given }));
      expect(error).toMatchObject({ code: 'ERR_OPTION', field: 'layout', got: given });
      expect(error.message).toMatch(/^layout must be one of pytorch, tensorflow, got /);
    });
  });

  test('not strict: what is missing stays, unknown names are passed over', () => {
    const layer = makeLayer(sizes, { seed: 9 });
    const before = layer.weight.data;
    layer.loadStateDict({ bias, extra: one }, { strict: false });
    expectSameBits(layer.weight.data, before);
    expectSameBits(layer.bias.data, bias.data);
    layer.loadStateDict({ weight_g: g, weight_v: weight }, { strict: false });
    expectSameBits(layer.bias.data, bias.data);
    expect(layer.weight.data).not.toEqual(before);
  });
});

describe('refused', () => {
  const state = { weight, bias, ...norm };
  const without = (key) => Object.fromEntries(Object.entries(state).filter(([name]) => name !== key));
  const vAndG = { weight_g: new Tensor([1, 2, 3, 4], [4, 1, 1]), weight_v: weight, bias };
  const lost = (key, dict) =>
    `'${key}' is missing; there are [${Object.keys(dict)
      .map((name) => `'${name}'`)
      .join(', ')}]`;
  const unknown = (key) => `'${key}' is not a parameter of this layer, which has weight and bias`;
  test.each([
    [
      'half of a weight_norm',
      { weight_g: vAndG.weight_g, bias },
      {},
      'weight_v',
      lost('weight_v', { weight_g: 1, bias: 1 }),
    ],
    [
      'half of a weight_norm, not strict',
      { weight_v: weight },
      { strict: false },
      'weight_g',
      lost('weight_g', { weight_v: 1 }),
    ],
    ['a weight beside its parts', { ...vAndG, weight }, {}, 'weight_g', unknown('weight_g')],
    [
      'a weight_norm over two dimensions',
      { ...vAndG, weight_g: noiseTensor([4, 3, 1]) },
      {},
      'weight_g',
      'weight_g: weight_g must have shape [4, 1, 1] or [1, 3, 1] or [1, 1, 2] or [], got [4, 3, 1]',
    ],
    [
      'a spectral_norm without its vectors',
      { weight_orig: weight, weight_v: noiseTensor([6]), bias },
      {},
      'weight_u',
      lost('weight_u', { weight_orig: 1, weight_v: 1, bias: 1 }),
    ],
    [
      'a spectral_norm over another dimension',
      { weight_orig: weight, weight_u: noiseTensor([3]), weight_v: noiseTensor([8]), bias },
      {},
      'weight_u',
      'weight_u: weight_u must have shape [4], got [3]',
    ],
    [
      "Keras's order, not asked for",
      { weight: noiseTensor([2, 3, 4]), bias },
      {},
      'weight',
      'weight: weight must have shape [4, 3, 2] or [4, 3, 2, 1], got [2, 3, 4]',
    ],
    [
      "PyTorch's order in Keras's place",
      { weight, bias },
      { layout: 'tensorflow' },
      'weight',
      'weight: weight must have shape [2, 3, 4], got [4, 3, 2]',
    ],
    ['no kernel', { bias }, { layout: 'tensorflow' }, 'kernel', lost('kernel', { bias: 1 })],
    [
      'a kernel and a weight',
      { kernel: noiseTensor([2, 3, 4]), weight, bias },
      { layout: 'tensorflow' },
      'weight',
      unknown('weight'),
    ],
    [
      'a direction of another shape',
      { ...vAndG, weight_v: noiseTensor([4, 3, 3]) },
      {},
      'weight_v',
      'weight_v: weight_v must have shape [4, 3, 2], got [4, 3, 3]',
    ],
    [
      'a direction that is no tensor',
      { ...vAndG, weight_v: 5 },
      {},
      'weight_v',
      'weight_v: weight_v must be a Tensor, got 5',
    ],
    ['a BatchNorm1d that was not asked for', state, {}, 'bn.weight', unknown('bn.weight')],
    [
      'no mean',
      without('bn.running_mean'),
      { batchNorm },
      'bn.running_mean',
      lost('bn.running_mean', without('bn.running_mean')),
    ],
    [
      'no variance, not strict',
      without('bn.running_var'),
      { batchNorm, strict: false },
      'bn.running_var',
      lost('bn.running_var', without('bn.running_var')),
    ],
    ['half of an affine', without('bn.bias'), { batchNorm }, 'bn.bias', lost('bn.bias', without('bn.bias'))],
    [
      'no weight to fold into',
      without('weight'),
      { batchNorm, strict: false },
      'weight',
      lost('weight', without('weight')),
    ],
    [
      'a mean of another shape',
      { ...state, 'bn.running_mean': noiseTensor([5]) },
      { batchNorm },
      'bn.running_mean',
      'bn.running_mean: running_mean must have shape [4] or [1, 4, 1] or [1, 4, 1, 1], got [5]',
    ],
    [
      'a negative variance',
      { ...state, 'bn.running_var': new Tensor([1, 1, -2, 1], [4]) },
      { batchNorm: { ...batchNorm, eps: 1 } },
      'bn.running_var',
      'bn.running_var[2] + eps must be > 0, got -1',
    ],
    [
      'unknown beside the BatchNorm1d',
      { 'a.weight': weight, 'a.bias': bias, ...norm, 'bn.more': one },
      { prefix: 'a.', batchNorm },
      'bn.more',
      unknown('bn.more'),
    ],
    [
      'too large once folded',
      { ...state, 'bn.weight': new Tensor([1, 1e38, 1, 1], [4]), 'bn.running_var': new Tensor([1, 0, 1, 1], [4]) },
      { batchNorm },
      'weight',
      /^weight: -?\d.*e\+39 is too large for float32$/,
    ],
  ])('%s', (_, dict, options, field, message) => {
    const layer = makeLayer(sizes, { seed: 9 });
    const before = layer.stateDict();
    const error = thrown(() => layer.loadStateDict(dict, options));
    expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field });
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
    expectSameBits(layer.weight.data, before.weight.data);
    expectSameBits(layer.bias.data, before.bias.data);
  });

  test('too large for float16', () => {
    const layer = new Conv1d({ ...sizes, dtype: 'float16' });
    const before = layer.weight.data;
    const large = new Tensor([1, 70000, 1, 1], [4]);
    expect(thrown(() => layer.loadStateDict({ weight, bias: large }))).toEqual({
      code: 'ERR_STATE_DICT',
      field: 'bias',
      got: 70000,
      message: 'bias: 70000 is too large for float16',
    });
    expectSameBits(layer.weight.data, before);
  });

  test.each([
    [
      'no bias to fold into',
      { bias: false },
      batchNorm,
      'batchNorm needs a bias to fold into, and the layer was made with bias: false',
    ],
    ['no prefix', {}, {}, "batchNorm's prefix must be a string, got undefined"],
    ['a negative eps', {}, { prefix: 'bn.', eps: -1 }, "batchNorm's eps must be a number >= 0, got -1"],
    ['eps as a text', {}, { prefix: 'bn.', eps: '1' }, "batchNorm's eps must be a number >= 0, got '1'"],
    ['no object', {}, 'bn.', "batchNorm must be an object, got 'bn.'"],
  ])('%s', (_, options, given, message) => {
    const layer = new Conv1d({ ...sizes, ...options });
    const error = thrown(() => layer.loadStateDict(state, { batchNorm: given }));
    expect(error).toMatchObject({ code: 'ERR_OPTION', field: 'batchNorm', message });
  });
});

test('a BatchNorm1d against its definition', () => {
  const layer = new Conv1d(sizes);
  layer.loadStateDict({ weight, bias, ...norm }, { batchNorm });
  const plain = makeLayer(sizes);
  plain.loadStateDict({ weight, bias });
  const input = new Tensor(noise(3 * 9), [3, 9]);
  const expected = plain
    .forward(input)
    .toArray()
    .flatMap((row, o) => {
      const [gamma, beta, mean, variance] = Object.values(norm).map(({ data }) => data[o]);
      return row.map((value) => ((value - mean) / Math.sqrt(variance + 1e-5)) * gamma + beta);
    });
  flat(layer.forward(input)).forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2 ** -20));
});
