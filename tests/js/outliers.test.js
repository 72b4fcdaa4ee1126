// Samples that stand out reach the outputs whose window holds them and no others: every build, every algorithm, streams.
import { Conv1d, Tensor } from 'conv1d-wasm';
import { checkOutput, tolerance } from '../cases.js';
import { drawInteger, makeRandom, noise, openBuilds, print, product, runStream, weightShape } from './support.js';

const builds = await openBuilds([1, 2]);
const algorithms = ['auto', 'direct', 'toom_cook', 'fft'];

afterAll(() => {
  for (const { runtime } of builds) runtime.dispose();
});

const sourceOf = {
  zeros: (t, length) => (t >= 0 && t < length ? t : -1),
  replicate: (t, length) => Math.min(Math.max(t, 0), length - 1),
  reflect: (t, length) => (t < 0 ? -t : t < length ? t : 2 * (length - 1) - t),
};

/** By the definition, in float64: the outputs, and for each the sum of |w||x| + |b| and whether its window is all zeros. */
function define({ options, inputShape, outLength, weight, bias }, input) {
  const { outChannels, kernelSize, stride, dilation, groups, padding, paddingMode } = options;
  const [batch, inChannels, length] = inputShape;
  const [groupIn, groupOut] = [inChannels / groups, outChannels / groups];
  const expected = new Float64Array(batch * outChannels * outLength);
  const bound = new Float64Array(expected.length);
  const silent = new Uint8Array(expected.length);
  for (let i = 0; i < expected.length; ++i) {
    const [t, o, n] = [i % outLength, Math.floor(i / outLength) % outChannels, Math.floor(i / outLength / outChannels)];
    expected[i] = bias[o];
    bound[i] = Math.abs(bias[o]);
    silent[i] = 1;
    for (let c = 0; c < groupIn; ++c) {
      const row = (n * inChannels + Math.floor(o / groupOut) * groupIn + c) * length;
      for (let k = 0; k < kernelSize; ++k) {
        const at = sourceOf[paddingMode](t * stride + k * dilation - padding, length);
        const x = at < 0 ? 0 : input[row + at];
        if (x === 0) continue;
        const product = weight[(o * groupIn + c) * kernelSize + k] * x;
        expected[i] += product;
        bound[i] += Math.abs(product);
        silent[i] = 0;
      }
    }
  }
  return { expected, bound, silent };
}

/** A layer with a signal, what the definition gives for it, and which outputs see what was put in place of `quiet`. */
function withDefinition(layer, { quiet, loud }) {
  const ones = { weight: new Float32Array(layer.weight.length).fill(1), bias: new Float32Array(layer.bias.length) };
  const changed = quiet.map((x, i) => (Object.is(x, loud[i]) ? 0 : 1));
  return {
    ...layer,
    input: new Tensor(loud, layer.inputShape),
    clean: define(layer, quiet),
    seen: define(layer, loud),
    touched: define({ ...layer, ...ones }, changed).expected,
  };
}

/** Null, or how `output` breaks the promise: other outputs keep the bound that they have without those samples. */
function judge({ options, inputShape, outLength, clean, seen, touched }, output, algorithm) {
  const within = tolerance({ options, dtype: 'float32', expected: clean.expected, bound: clean.bound }, algorithm);
  const products = (options.kernelSize * options.inChannels) / options.groups;
  const allowed = within.map((value, i) => {
    if (touched[i] === 0) return clean.silent[i] ? 0 : value;
    return Number.isFinite(seen.bound[i]) ? (products + 2) * 2 ** -24 * seen.bound[i] : 0;
  });
  const outputShape = [inputShape[0], options.outChannels, outLength];
  return checkOutput({ dtype: 'float32', expected: seen.expected, outputShape }, output, allowed);
}

function drawLayer(random) {
  const whole = (least, most) => drawInteger(random, least, most);
  const groups = whole(1, 4) === 1 ? 2 : 1;
  const [inChannels, outChannels] = [groups * whole(1, 6), groups * whole(1, 8)];
  const kernelSize = random() < 0.3 ? whole(60, 150) : whole(2, 40);
  const stride = random() < 0.3 ? whole(2, 3) : 1;
  const dilation = random() < 0.3 ? whole(2, 5) : 1;
  const reach = (kernelSize - 1) * dilation;
  const paddingMode = ['zeros', 'zeros', 'reflect', 'replicate'][whole(0, 3)];
  const padding = random() < 0.5 ? Math.min(whole(1, reach), 500) : 0;
  const length = reach + whole(200, 500);
  const options = { inChannels, outChannels, kernelSize, stride, dilation, groups, padding, paddingMode };
  const inputShape = [whole(1, 2), inChannels, length];
  const outLength = Math.floor((length + 2 * padding - reach - 1) / stride) + 1;
  const seed = whole(1, 1e6);
  const weight = noise(product(weightShape(options)), seed);
  return { options, inputShape, outLength, weight, bias: noise(outChannels, seed + 1) };
}

const loudValues = [NaN, Infinity, -Infinity, 1e20, -9.96921e36, 2 ** 10.5, -(2 ** 40), 1e36];

/** Noise with a stretch of silence, and the same with samples that stand out of it. */
function drawSignal(random, { inputShape }) {
  const length = inputShape[2];
  const quiet = noise(product(inputShape), Math.floor(random() * 1e6));
  if (random() < 0.3) {
    const from = Math.floor((random() * length) / 2);
    for (let row = 0; row < quiet.length; row += length) quiet.fill(0, row + from, row + from + Math.floor(length / 3));
  }
  const loud = quiet.slice();
  const count = random() < 0.2 ? Math.ceil(length / 10) : Math.ceil(random() * 3);
  const values = random() < 0.5 ? [loudValues[Math.floor(random() * loudValues.length)]] : loudValues;
  for (let i = 0; i < count; ++i) {
    loud[Math.floor(random() * loud.length)] = values[Math.floor(random() * values.length)];
  }
  return { quiet, loud };
}

function makeLayer({ options, weight, bias }, algorithm, runtime) {
  const layer = new Conv1d({ ...options, algorithm, runtime });
  layer.weight = new Tensor(weight, weightShape(options));
  layer.bias = new Tensor(bias, [options.outChannels]);
  return layer;
}

const random = makeRandom(12);
const layers = Array.from({ length: 30 }, () => {
  const layer = drawLayer(random);
  return withDefinition(layer, drawSignal(random, layer));
});

describe.each(builds)('$name', ({ runtime }) => {
  test.each([1e20, 9.96921e36, NaN, Infinity])('a moving average of ones and one %p', (value) => {
    for (const algorithm of algorithms) {
      const average = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 31, bias: false, algorithm, runtime });
      average.weight = new Tensor(new Float32Array(31).fill(1 / 31), [1, 1, 31]);
      const { data } = average.forward(new Tensor(new Float32Array(1000).fill(1).fill(value, 500, 501), [1, 1000]));
      for (let t = 0; t < data.length; ++t) {
        const right = t > 500 || t + 30 < 500 ? 1 : value * Math.fround(1 / 31) + 30 / 31;
        if (Number.isFinite(right)) expect(Math.abs(data[t] - right)).toBeLessThanOrEqual(1e-6 * Math.abs(right));
        else expect(data[t]).toBe(right);
      }
    }
  });

  test('three taps of a third, 32 channels of ones, and one sample of 1e7', () => {
    for (const algorithm of algorithms) {
      const layer = new Conv1d({ inChannels: 32, outChannels: 32, kernelSize: 3, bias: false, algorithm, runtime });
      layer.weight = new Tensor(new Float32Array(32 * 32 * 3).fill(1 / 3), [32, 32, 3]);
      const input = new Tensor(new Float32Array(32 * 200).fill(1).fill(1e7, 101, 102), [32, 200]);
      const { data } = layer.forward(input);
      for (const t of [0, 98, 102, 197]) expect(data[t]).toBeCloseTo(32, 4);
      for (const t of [99, 100, 101]) expect(data[t]).toBeCloseTo(1e7 / 3 + 95 / 3, -1.6);
    }
  });

  test('random layers and their streams', () => {
    const counts = { spared: 0, forward: 0, stream: 0, refused: 0 };
    for (const [draw, layer] of layers.entries()) {
      for (const algorithm of algorithms) {
        let made;
        try {
          made = makeLayer(layer, algorithm, runtime);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', field: 'algorithm' });
          ++counts.refused;
          continue;
        }
        const what = `draw ${String(draw)}, ${algorithm}`;
        const taken = made.explain(layer.inputShape).algorithm;
        expect([what, judge(layer, made.forward(layer.input).data, taken)]).toEqual([what, null]);
        counts.spared += layer.touched.filter((count) => count === 0).length;
        ++counts.forward;
        if (layer.options.paddingMode === 'zeros' && algorithm === 'auto') {
          const stream = made.stream({ batch: layer.inputShape[0], maxChunk: 512 });
          const pushed = runStream(stream, layer.input, () => 1 + Math.floor(random() * 512));
          expect([`${what}, stream`, judge(layer, pushed.data, 'fft')]).toEqual([`${what}, stream`, null]);
          stream.dispose();
          ++counts.stream;
        }
        made.dispose();
      }
    }
    print(`Samples that stand out: ${JSON.stringify(counts)}`);
    expect(counts.forward).toBeGreaterThan(90);
    expect(counts.stream).toBeGreaterThan(8);
    expect(counts.spared).toBeGreaterThan(50_000);
  });
});
