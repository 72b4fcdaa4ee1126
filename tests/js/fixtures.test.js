// Every fixture case on every build, in both placements; and that neither placement nor threads change a bit.
import { readFileSync } from 'node:fs';
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';
import { checkCase, readCases, tolerance } from '../cases.js';
import {
  bestVariant,
  expectSameBits,
  forwardIn,
  fromRoot,
  halvesWhere,
  makeLayer,
  noiseTensor,
  openBuilds,
  readJson,
  thrown,
} from './support.js';

const bin = readFileSync(fromRoot('tests/fixtures/conv1d.bin'));
const builds = await openBuilds([1, 2]);
const cases = readCases(
  readJson('tests/fixtures/conv1d.json'),
  bin.buffer.slice(bin.byteOffset, bin.byteOffset + bin.length),
  builds[0].runtime.activations,
);
const threadCounts = [1, 2, 3, 7];
const pools = new Map();
for (const threads of threadCounts) pools.set(threads, await createRuntime({ variant: bestVariant, threads }));

afterAll(() => {
  for (const runtime of [...builds.map((build) => build.runtime), ...pools.values()]) runtime.dispose();
});

test('there are cases, and the check of a case sees a wrong value', () => {
  expect(cases.length).toBeGreaterThanOrEqual(400);
  const seen = cases.map((testCase) => {
    const { expected } = testCase;
    const at = expected.length >> 1;
    const off = 2 * tolerance(testCase)[at] || 1;
    const judge = (value) => checkCase(testCase, expected.with(at, value)) !== null;
    return { name: testCase.name, right: judge(expected[at]), off: judge(expected[at] + off), nan: judge(NaN) };
  });
  expect(seen).toEqual(cases.map(({ name }) => ({ name, right: false, off: true, nan: true })));
});

const oneThread = new Map(); // of each variant and case, the output's data

const algorithms = ['direct', 'toom_cook', 'fft'];

// A layer for each algorithm that can compute the case; those that cannot say so.
function layersOf({ options }, runtime) {
  const layers = [];
  for (const algorithm of algorithms) {
    const make = () => layers.push({ algorithm, layer: new Conv1d({ ...options, algorithm, runtime }) });
    const error = thrown(make);
    if (error) expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', field: 'algorithm' });
  }
  return layers;
}

describe.each(builds)('$name', ({ variant, threads, runtime }) => {
  test('is what was asked for', () => {
    expect(runtime).toMatchObject({ variant, threads, threadsReason: threads > 1 ? null : expect.any(String) });
  });

  test.each(cases)('$name', ({ name, ...testCase }) => {
    const { options, dtype, inputShape, outputShape, weightShape } = testCase;
    const input = new Tensor(testCase.input, inputShape, dtype);
    for (const { algorithm, layer } of layersOf(testCase, runtime)) {
      layer.weight = new Tensor(testCase.weight, weightShape, dtype);
      if (testCase.bias) layer.bias = new Tensor(testCase.bias, [testCase.bias.length], dtype);
      expect(layer.outputShape(inputShape)).toEqual(outputShape);
      expect(layer.explain(inputShape)).toMatchObject({ algorithm, reason: 'asked for' });

      const output = layer.forward(input);
      expect(output).toMatchObject({ shape: outputShape, dtype, placement: 'js' });
      expect(checkCase({ options, dtype, outputShape, ...testCase }, output.data, algorithm)).toBeNull();

      expectSameBits(forwardIn('wasm', layer, input, runtime), output.data);
      const key = `${variant} ${name} ${algorithm}`;
      if (threads === 1) oneThread.set(key, output.data);
      else expectSameBits(output.data, oneThread.get(key));
      layer.dispose();
    }
  });

  test("'auto' gives the bits of the algorithm that it takes, and each algorithm computed its cases", () => {
    const taken = new Map(algorithms.map((algorithm) => [algorithm, 0]));
    for (const { name, options, inputShape, weightShape, dtype, ...testCase } of cases) {
      const layer = new Conv1d({ ...options, runtime });
      const { algorithm } = layer.explain(inputShape);
      layer.weight = new Tensor(testCase.weight, weightShape, dtype);
      if (testCase.bias) layer.bias = new Tensor(testCase.bias, [testCase.bias.length], dtype);
      const got = layer.forward(new Tensor(testCase.input, inputShape, dtype)).data;
      expectSameBits(got, oneThread.get(`${variant} ${name} ${algorithm}`));
      taken.set(algorithm, taken.get(algorithm) + 1);
      layer.dispose();
    }
    expect(taken.get('direct')).toBeGreaterThan(100);
    const computed = (algorithm) => cases.filter(({ name }) => oneThread.has(`${variant} ${name} ${algorithm}`)).length;
    expect(computed('direct')).toBe(cases.length);
    expect(computed('fft')).toBe(cases.length);
    expect(computed('toom_cook')).toBeGreaterThanOrEqual(300);
  });
});

describe('threads that share the work change no bit', () => {
  const layers = {
    dense: [{ inChannels: 24, outChannels: 61, kernelSize: 5, padding: 'same' }, [2, 24, 1021]],
    'dense with stride': [{ inChannels: 32, outChannels: 47, kernelSize: 3, stride: 2 }, [1, 32, 2053]],
    '1x1': [{ inChannels: 64, outChannels: 53, kernelSize: 1 }, [1, 64, 1021]],
    grouped: [{ inChannels: 30, outChannels: 45, kernelSize: 7, groups: 3, dilation: 3 }, [3, 30, 601]],
    depthwise: [{ inChannels: 48, outChannels: 48, kernelSize: 9, groups: 48, padding: 'causal' }, [1, 48, 1999]],
    'a long filter': [
      { inChannels: 1, outChannels: 1, kernelSize: 511, padding: 'same', paddingMode: 'reflect' },
      [1, 1, 9001],
    ],
    'taps far apart': [{ inChannels: 8, outChannels: 13, kernelSize: 3, dilation: 701 }, [1, 8, 4001]],
    'many short images': [{ inChannels: 16, outChannels: 17, kernelSize: 3, padding: 1 }, [97, 16, 7]],
    float16: [{ inChannels: 16, outChannels: 19, kernelSize: 5, dtype: 'float16' }, [2, 16, 701]],
    'with an activation': [{ inChannels: 12, outChannels: 31, kernelSize: 5, activation: 'gelu' }, [1, 12, 1999]],
  };

  const combinations = Object.entries(layers).flatMap(([name, layer]) =>
    algorithms.map((algorithm) => [name, algorithm, layer]),
  );

  test.each(combinations)('%s, %s', (_, algorithm, [others, shape]) => {
    const options = { ...others, algorithm };
    if (algorithm === 'toom_cook' && options.kernelSize === 1) {
      expect(thrown(() => makeLayer({ ...options, runtime: pools.get(1) }))?.code).toBe('ERR_UNSUPPORTED');
      return;
    }
    const input = halvesWhere(options.dtype, noiseTensor(shape, 7));
    const results = threadCounts.map((threads) => {
      const runtime = pools.get(threads);
      const layer = makeLayer({ ...options, runtime });
      const [taking, ...outputs] = [
        layer.explain(shape).threads,
        ...['js', 'wasm', 'js'].map((placement) => forwardIn(placement, layer, input, runtime)),
      ];
      layer.dispose();
      return { threads: taking, outputs };
    });
    // Otherwise nothing was shared and the test shows nothing.
    expect(results.map(({ threads }) => threads)).toEqual(threadCounts);
    for (const output of results.flatMap(({ outputs }) => outputs)) expectSameBits(output, results[0].outputs[0]);
  });
});
