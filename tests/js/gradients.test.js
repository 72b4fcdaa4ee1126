// What PyTorch's autograd gives for layers, on every build; and that neither placement nor threads change a bit.
import { readFileSync } from 'node:fs';
import { Conv1d, conv1dGrad, ConvTranspose1d, Tensor } from 'conv1d-wasm';
import { checkOutput, readCases, readGradientCases, relativeErrors } from '../cases.js';
import { expectSameBits, fromRoot, openBuilds, readJson, thrown } from './support.js';

const bufferOf = (path) => Uint8Array.from(readFileSync(fromRoot(path))).buffer;
const builds = await openBuilds([1, 2]);
const { activations } = builds[0].runtime;
const cases = readGradientCases(
  readJson('tests/fixtures/gradients.json'),
  bufferOf('tests/fixtures/gradients.bin'),
  readCases(readJson('tests/fixtures/conv1d.json'), bufferOf('tests/fixtures/conv1d.bin'), activations),
);
const names = ['input', 'weight', 'bias'];
// Options of a layer that conv1dGrad learns from its tensors.
const told = ['inChannels', 'outChannels', 'kernelSize', 'dtype', 'bias'];

afterAll(() => builds.forEach(({ runtime }) => runtime.dispose()));

/** A gradient that is far off, or null. Those of transforms are off relative to the largest sum. */
function check({ dtype, gradients }, what, tensor, algorithm) {
  const { expected, tolerance, largestSum, bySums } = gradients[what];
  const least = (relativeErrors[algorithm] ?? 0) * ((what === 'bias' ? 0 : largestSum) + bySums);
  const allowed = tolerance.map((value) => Math.max(value, least));
  return checkOutput({ dtype, expected, outputShape: tensor.shape }, tensor.data, allowed);
}

const tensorOf = ({ data, shape }, dtype) => new Tensor(data, shape, dtype);

test('there are cases, and the check of a case sees a wrong value', () => {
  expect(cases.length).toBeGreaterThanOrEqual(600);
  for (const { dtype, gradients } of cases) {
    const { expected, tolerance } = gradients.weight;
    const at = expected.length >> 1;
    const judge = (value) =>
      checkOutput({ dtype, expected, outputShape: [expected.length] }, expected.with(at, value), tolerance) !== null;
    expect([expected[at], expected[at] + (2 * tolerance[at] || 1), NaN].map(judge)).toEqual([false, true, true]);
  }
});

const oneThread = new Map(); // of each variant, case and algorithm, the gradients

describe.each(builds)('$name', ({ variant, threads, runtime }) => {
  test.each(cases)('$name', (testCase) => {
    const { name, options, dtype, gradients } = testCase;
    const [input, gradOutput, weight] = ['input', 'gradOutput', 'weight'].map((key) => tensorOf(testCase[key], dtype));
    const bias = testCase.bias && tensorOf(testCase.bias, dtype);
    const Layer = testCase.layer === 'Conv1d' ? Conv1d : ConvTranspose1d;
    for (const algorithm of ['direct', 'toom_cook', 'fft']) {
      let layer;
      const given = { ...options, bias: bias ?? false, weight, algorithm, runtime };
      const error = thrown(() => (layer = new Layer(given)));
      if (algorithm === 'toom_cook' && error?.code === 'ERR_UNSUPPORTED') continue;
      expect(error).toBeNull();
      const got = layer.backward(gradOutput, { input });
      for (const what of names) {
        if (!gradients[what]) {
          expect(got[what]).toBeNull();
          continue;
        }
        expect(got[what].dtype).toBe(dtype);
        expect(got[what].shape).toEqual(what === 'input' ? input.shape : layer[what].shape);
        expect([algorithm, what, check(testCase, what, got[what], algorithm)]).toEqual([algorithm, what, null]);
      }

      const [there, sumsThere] = [input.toWasm(runtime), gradOutput.toWasm(runtime)];
      const inWasm = layer.backward(sumsThere, { input: there, needs: names.filter((what) => gradients[what]) });
      const key = `${variant} ${name} ${algorithm}`;
      if (threads === 1) oneThread.set(key, got);
      for (const what of Object.keys(gradients)) {
        expect(inWasm[what].placement).toBe('wasm');
        expectSameBits(inWasm[what].data, got[what].data);
        expectSameBits(got[what].data, oneThread.get(key)[what].data);
        inWasm[what].dispose();
      }
      there.dispose();
      sumsThere.dispose();
      if (testCase.layer === 'Conv1d') {
        const others = Object.fromEntries(Object.entries(options).filter(([option]) => !told.includes(option)));
        const once = conv1dGrad(input, weight, gradOutput, { ...others, bias, algorithm, runtime });
        for (const what of Object.keys(gradients)) expectSameBits(once[what].data, got[what].data);
      }
      layer.dispose();
    }
  });

  test('only what is needed', () => {
    const layer = new Conv1d({ inChannels: 2, outChannels: 3, kernelSize: 3, padding: 1, runtime });
    const input = new Tensor(Float32Array.from({ length: 20 }, Math.sin), [2, 10]);
    const gradOutput = new Tensor(Float32Array.from({ length: 30 }, Math.cos), [3, 10]);
    const all = layer.backward(gradOutput, { input });
    for (const needs of [[], ['input'], ['weight'], ['bias'], ['bias', 'input']]) {
      const some = layer.backward(gradOutput, { input, needs });
      for (const what of names) {
        if (needs.includes(what)) expectSameBits(some[what].data, all[what].data);
        else expect(some[what]).toBeNull();
      }
    }
    layer.dispose();
  });
});
