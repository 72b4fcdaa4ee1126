// NaN and infinities, activations, and how outputs are rounded.
import { Conv1d, Network, Tensor } from 'conv1d-wasm';
import { halfToNumber } from '../cases.js';
import {
  differingBits,
  drawInteger,
  halvesWhere,
  makeLayer,
  makeRandom,
  noise,
  openBuilds,
  product,
  runStream,
} from './support.js';

const builds = await openBuilds([1]);
afterAll(() => builds.forEach(({ runtime }) => runtime.dispose()));

/** From which index of a row of `length` a padded position reads; null where it reads a zero. */
function source(mode, index, length) {
  if (index >= 0 && index < length) return index;
  if (mode === 'zeros') return null;
  if (mode === 'replicate') return index < 0 ? 0 : length - 1;
  if (mode === 'circular') return (index + length) % length;
  return index < 0 ? -index : 2 * (length - 1) - index;
}

/** Random options with an input shape that fits them. */
function drawCase(random) {
  const integer = (from, to) => drawInteger(random, from, to);
  const pick = (list) => list[integer(0, list.length - 1)];
  const groups = pick([1, 1, 2, 3]);
  const options = {
    inChannels: groups * integer(1, 4),
    outChannels: groups * integer(1, 9),
    kernelSize: integer(1, 9),
    stride: pick([1, 1, 2, 3]),
    dilation: pick([1, 1, 2, 5]),
    groups,
    paddingMode: pick(['zeros', 'reflect', 'replicate', 'circular']),
  };
  const length = 1 + options.dilation * (options.kernelSize - 1) + integer(0, 90);
  options.padding = [integer(0, Math.min(9, length - 1)), integer(0, Math.min(9, length - 1))];
  return { options, shape: [integer(1, 2), options.inChannels, length] };
}

const draws = Array.from({ length: 80 }, (_, seed) => drawCase(makeRandom(seed + 1)));

describe.each(builds)('$name', ({ runtime }) => {
  // Every other output must keep its bits, so nothing else of the input was multiplied by what is now NaN.
  test.each([NaN, Infinity, -Infinity])('%p reaches the outputs whose window holds it, and no other', (special) => {
    let reached = 0;
    let kept = 0;
    for (const [i, { options, shape }] of draws.entries()) {
      const { kernelSize, stride, dilation, groups, paddingMode, padding, inChannels, outChannels } = options;
      const length = shape[2];
      const random = makeRandom(1000 + i);
      const [n, c, l] = shape.map((extent) => Math.floor(random() * extent));
      const layer = makeLayer({ ...options, runtime });
      const data = noise(product(shape), i);
      const before = layer.forward(new Tensor(data, shape));
      const weight = layer.weight.data;
      data[(n * inChannels + c) * length + l] = special;
      const after = layer.forward(new Tensor(data, shape));

      const expected = before.data.slice();
      const [perIn, perOut, outLength] = [inChannels / groups, outChannels / groups, before.shape[2]];
      for (let o = 0; o < outChannels; ++o) {
        if (Math.floor(o / perOut) !== Math.floor(c / perIn)) continue;
        for (let t = 0; t < outLength; ++t) {
          const at = (n * outChannels + o) * outLength + t;
          for (let k = 0; k < kernelSize; ++k) {
            const position = t * stride + k * dilation - padding[0];
            if (source(paddingMode, position, length) === l)
              expected[at] += special * weight[(o * perIn + (c % perIn)) * kernelSize + k];
          }
        }
      }
      const wrong = expected.findIndex((value, at) => !Object.is(value, after.data[at]));
      expect({ wrong, draw: { options, shape, special: [n, c, l] } }).toMatchObject({ wrong: -1 });
      reached += expected.filter((value) => !Number.isFinite(value)).length;
      kept += expected.filter((value) => Number.isFinite(value)).length;
      layer.dispose();
    }
    expect(reached).toBeGreaterThan(1000);
    expect(kept).toBeGreaterThan(1000);
  });

  const through = (values, options, scale = 1) => {
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, ...options, runtime });
    layer.weight = new Tensor([scale], [1, 1, 1], options.dtype);
    const output = layer.forward(new Tensor(values, [1, values.length], options.dtype));
    layer.dispose();
    return output;
  };

  test('a kernel of one 1 keeps every number, subnormal ones too', () => {
    const limits = [1e-45, 1.1754942e-38, 1.17549435e-38, 1e-40, 3.4028234663852886e38, 1, 16777217, Math.PI, Infinity];
    const values = Float32Array.from([NaN, 0, ...limits, ...limits.map((value) => -value)]);
    expect(differingBits(through(values, {}).data, values)).toEqual([]);
  });

  test('sums that float32 does not hold are infinite', () => {
    const values = Float32Array.of(3e38, -3e38, 1.7e38, 1e-45);
    expect(through(values, {}, 2).data).toEqual(values.map((value) => 2 * value));
    expect(2 * values[0]).toBeLessThan(Infinity); // as float64
  });

  // ---- activations

  /** The complementary error function, to 1e-13 of its value. */
  function erfc(z) {
    if (z < 0) return 2 - erfc(-z);
    if (z < 2.5) {
      let term = z;
      let sum = z;
      for (let n = 1; Math.abs(term) > 1e-18 * sum && n < 200; ++n) {
        term *= (-z * z) / n;
        sum += term / (2 * n + 1);
      }
      return 1 - (2 / Math.sqrt(Math.PI)) * sum;
    }
    let fraction = 0;
    for (let n = 120; n >= 1; --n) fraction = n / 2 / (z + fraction);
    return Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction);
  }

  const tanhInside = (x) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
  const activations = {
    relu: (x) => Math.max(x, 0),
    leaky_relu: (x) => (x < 0 ? Math.fround(0.01) * x : x),
    gelu: (x) => 0.5 * x * erfc(-x / Math.SQRT2),
    gelu_tanh: (x) => x / (1 + Math.exp(-2 * tanhInside(x))),
    silu: (x) => x / (1 + Math.exp(-x)),
    tanh: Math.tanh,
    sigmoid: (x) => 1 / (1 + Math.exp(-x)),
    relu6: (x) => Math.min(Math.max(x, 0), 6),
    elu: (x, { alpha }) => (x < 0 ? alpha * Math.expm1(x) : x),
    selu: (x) => 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * Math.expm1(x) : x),
    prelu: (x, { slope }) => (x < 0 ? slope * x : x),
    softplus: (x, { beta }) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(beta * x))) / beta,
    softsign: (x) => x / (1 + Math.abs(x)),
    mish: (x) => x * Math.tanh(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
    hardtanh: (x, { minVal, maxVal }) => Math.min(Math.max(x, minVal), maxVal),
    hardsigmoid: (x) => Math.min(Math.max((x + 3) / 6, 0), 1),
    hardswish: (x) => (x <= -3 ? 0 : x * Math.min((x + 3) / 6, 1)),
    snake: (x, { alpha }) => x + Math.sin(alpha * x) ** 2 / alpha,
  };

  test("there are no other activations, and their parameters have PyTorch's defaults", () => {
    const defaults = runtime.activations.map(({ name, parameters }) => [
      name,
      Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter.default])),
    ]);
    expect(Object.fromEntries(defaults)).toEqual({
      ...Object.fromEntries(['none', ...Object.keys(activations)].map((name) => [name, {}])),
      leaky_relu: { slope: 0.01 },
      elu: { alpha: 1 },
      prelu: { slope: 0.25 },
      softplus: { beta: 1 },
      hardtanh: { minVal: -1, maxVal: 1 },
      snake: { alpha: 1 },
    });
    expect(runtime.activations.filter(({ perChannel }) => perChannel).map(({ name }) => name)).toEqual([
      'prelu',
      'snake',
    ]);
    expect(Object.isFrozen(runtime.activations) && Object.isFrozen(runtime.activations[0].parameters)).toBe(true);
  });

  // The powers of two from 2^-149 to 2^127 and numbers between, and many where activations bend.
  const random = makeRandom(5);
  const samples = Float32Array.from([
    ...Array.from({ length: 277 }, (_, i) => 2 ** (i - 149) * (1 + random())),
    ...Array.from({ length: 277 }, (_, i) => -(2 ** (i - 149)) * (1 + random())),
    ...Array.from({ length: 2000 }, () => 40 * random() - 20),
    ...[0, 3.4028234663852886e38, -3.4028234663852886e38],
  ]);
  const ulp = (value) => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(value)))) - 23);

  /** Those outputs of `samples` that are off by more than 4 ulp, snake's of its input. */
  const wrongOnes = (got, name, parameters) =>
    [...samples].flatMap((x, i) => {
      const expected = activations[name](x, parameters);
      const scale = (name === 'snake' ? x : expected) || 2 ** -149;
      const ulps = got[i] === Math.fround(expected) ? 0 : Math.abs(got[i] - expected) / ulp(scale);
      return ulps <= 4 ? [] : [{ x, got: got[i], expected, ulps }];
    });

  test.each(Object.keys(activations))('%s: 4 ulp of the float64 value', (activation) => {
    const { parameters } = runtime.activations.find(({ name }) => name === activation);
    const defaults = Object.fromEntries(parameters.map((one) => [one.name, Math.fround(one.default)]));
    expect(wrongOnes(through(samples, { activation }).data, activation, defaults).slice(0, 5)).toEqual([]);
  });

  test.each([
    ['elu', { alpha: 0.5 }],
    ['elu', { alpha: -2 }],
    ['prelu', { slope: -0.5 }],
    ['softplus', { beta: 0.25 }],
    ['softplus', { beta: 20 }],
    ['hardtanh', { minVal: 0.25, maxVal: 3 }],
    ['snake', { alpha: 0.125 }],
    ['snake', { alpha: -3 }],
  ])('%s with %p', (type, parameters) => {
    expect(wrongOnes(through(samples, { activation: { type, ...parameters } }).data, type, parameters)).toEqual([]);
  });

  // Each channel gets its own, by every method, whole or streamed; in networks too.
  test.each([
    ['prelu', 'slope'],
    ['snake', 'alpha'],
  ])('%s with a parameter for each channel', async (type, name) => {
    const list = [0.5, 2, -1.5, 0.25, 3];
    const activation = { type, [name]: list };
    for (const dtype of ['float32', 'float16']) {
      for (const algorithm of ['direct', 'toom_cook', 'fft']) {
        const options = { inChannels: 5, outChannels: 5, kernelSize: 9, padding: 'causal', algorithm, dtype, runtime };
        const plain = makeLayer(options);
        const layer = new Conv1d({ ...options, activation });
        layer.loadStateDict(plain.stateDict());
        const input = halvesWhere(dtype, new Tensor(noise(2 * 5 * 300, 7), [2, 5, 300]));
        const whole = layer.forward(input);
        const channels = list.map((value) => new Conv1d({ ...options, activation: { type, [name]: value } }));
        channels.forEach((one, channel) => {
          one.loadStateDict(plain.stateDict());
          const same = one.forward(input);
          for (const image of [0, 1]) {
            const at = (image * 5 + channel) * 300;
            expect(differingBits(whole.data.subarray(at, at + 300), same.data.subarray(at, at + 300))).toEqual([]);
          }
          one.dispose();
        });
        expect(differingBits((await layer.forwardAsync(input)).data, whole.data)).toEqual([]);
        const network = new Network(5, (x) => x.conv(plain).activation(activation));
        if (dtype === 'float32') expect(differingBits(network.forward(input).data, whole.data)).toEqual([]);
        expect((await network.forwardAsync(input)).data).toEqual(network.forward(input).data);
        if (algorithm === 'direct') {
          for (const source of [layer, network]) {
            const stream = source.stream({ batch: 2, maxChunk: 64, denormals: 'keep' });
            const streamed = runStream(stream, input, () => 37);
            expect(differingBits(streamed.data, source.forward(input).data)).toEqual([]);
            stream.dispose();
          }
        }
        network.dispose();
        layer.dispose();
        plain.dispose();
      }
    }
  });

  // Where x * 0 is infinity * 0, the limit and the float64 formula differ: both are right.
  test.each([
    ['none', [Infinity], [-Infinity]],
    ['relu', [Infinity], [0]],
    ['leaky_relu', [Infinity], [-Infinity]],
    ['gelu', [Infinity], [0, NaN]],
    ['gelu_tanh', [Infinity], [0, NaN]],
    ['silu', [Infinity], [0, NaN]],
    ['tanh', [1], [-1]],
    ['sigmoid', [1], [0]],
    ['relu6', [6], [0]],
    ['elu', [Infinity], [-1]],
    ['selu', [Infinity], [Math.fround(-1.7580993408473766)]],
    ['prelu', [Infinity], [-Infinity]],
    ['softplus', [Infinity], [0]],
    ['softsign', [1], [-1]],
    ['mish', [Infinity], [0]],
    ['hardtanh', [1], [-1]],
    ['hardsigmoid', [1], [0]],
    ['hardswish', [Infinity], [0]],
    ['snake', [Infinity], [-Infinity]],
  ])('%s of NaN and the infinities', (activation, plus, minus) => {
    // In each place of a vector and of its remainder.
    for (const count of [1, 2, 3, 4, 5, 9, 50]) {
      for (const [x, allowed] of [
        [NaN, [NaN]],
        [Infinity, plus],
        [-Infinity, minus],
      ]) {
        const got = new Set(
          [...through(new Float32Array(count).fill(x), { activation }).data].map((value) => value + 0),
        );
        expect(allowed).toEqual(expect.arrayContaining([...got]));
      }
    }
  });

  test.each([0, 0.25, 1, 3, -0.5])('leaky_relu with slope %p', (slope) => {
    const got = through(samples, { activation: { type: 'leaky_relu', slope } }).data;
    const wrong = [...samples].filter((x, i) => got[i] + 0 !== Math.fround(x < 0 ? slope * x : x) + 0);
    expect(wrong).toEqual([]);
  });

  // ---- float16

  const finite = Array.from({ length: 0x7c00 }, (_, bits) => halfToNumber(bits));

  /** The bit pattern of the float16 number nearest to `value`; of two as near, the even one. */
  function nearestHalf(value) {
    const magnitude = Math.abs(value);
    const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
    if (magnitude >= 65520) return sign | 0x7c00;
    let [low, high] = [0, finite.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (finite[middle] <= magnitude) low = middle;
      else high = middle - 1;
    }
    const [below, above] = [magnitude - finite[low], (finite[low + 1] ?? 65536) - magnitude];
    const up = above < below || (above === below && low % 2 === 1);
    return sign | (up ? low + 1 : low);
  }

  test('float16 outputs are float32 sums, rounded once to the nearest even', () => {
    const pick = makeRandom(9);
    const half = () => Math.floor(pick() * 0x7c00) | (pick() < 0.5 ? 0x8000 : 0);
    const inputs = Uint16Array.from({ length: 1500 }, half);
    const outChannels = 48;
    // Small numbers as they are, half a unit beside, and one and a half: ties are common among their sums.
    const biases = Uint16Array.from({ length: outChannels }, (_, o) =>
      o < 24 ? half() : ((10 + (o % 16)) << 10) | (o & 3),
    );
    const layer = new Conv1d({ inChannels: 1, outChannels, kernelSize: 1, dtype: 'float16', runtime });
    layer.weight = new Tensor(new Uint16Array(outChannels).fill(0x3c00), [outChannels, 1, 1]);
    layer.bias = new Tensor(biases, [outChannels]);
    const output = layer.forward(new Tensor(inputs, [1, inputs.length]));
    const got = new Uint16Array(output.data.buffer, output.data.byteOffset, output.size);
    let ties = 0;
    let overflows = 0;
    const wrong = [];
    for (const [o, bias] of biases.entries()) {
      for (const [t, input] of inputs.entries()) {
        const sum = Math.fround(halfToNumber(bias) + halfToNumber(input));
        const expected = nearestHalf(sum);
        const unit = Math.max(finite[1], 2 ** (Math.floor(Math.log2(Math.abs(sum))) - 10));
        if (Math.abs(sum / unit) % 1 === 0.5) ++ties;
        if (Math.abs(sum) >= 65520) ++overflows;
        const bits = got[o * inputs.length + t];
        if (bits !== expected && (bits | expected) !== 0x8000) wrong.push({ sum, bits, expected });
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(ties).toBeGreaterThan(500);
    expect(overflows).toBeGreaterThan(5);
    layer.dispose();
  });

  test('float16 keeps what it is given, NaN a NaN', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    const output = through(patterns, { dtype: 'float16' });
    const got = new Uint16Array(output.data.buffer, output.data.byteOffset, output.size);
    const isNaNPattern = (bits) => (bits & 0x7fff) > 0x7c00;
    const wrong = [...patterns].filter((bits) =>
      isNaNPattern(bits) ? !isNaNPattern(got[bits]) : bits !== 0x8000 && got[bits] !== bits,
    );
    expect(wrong).toEqual([]);
  });

  test('float16 sums are not rounded on the way', () => {
    // 2048 + 1 + 1 in float16 steps is 2048, since 2049 is a tie that goes down.
    const layer = new Conv1d({ inChannels: 3, outChannels: 1, kernelSize: 1, dtype: 'float16', runtime });
    layer.weight = new Tensor([1, 1, 1], [1, 3, 1], 'float16');
    layer.bias = new Tensor([0], [1], 'float16');
    expect(layer.forward(new Tensor([2048, 1, 1], [3, 1], 'float16')).toArray()).toEqual([[2050]]);
    layer.dispose();
  });
});
