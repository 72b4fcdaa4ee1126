// What PyTorch's autograd gives for networks of one operator, on every build, with all memory and with little.
import { readFileSync } from 'node:fs';
import * as library from 'conv1d-wasm';
import { checkOutput, readOperatorCases, readOperatorGradients } from '../cases.js';
import { makeOperatorCase } from '../operators.js';
import { expectSameBits, fromRoot, openBuilds, readJson } from './support.js';

const { Tensor } = library;
const fixture = (read, name) =>
  read(
    readJson(`tests/fixtures/${name}.json`),
    Uint8Array.from(readFileSync(fromRoot(`tests/fixtures/${name}.bin`))).buffer,
  );
const builds = await openBuilds([1, 2]);
const byName = new Map(fixture(readOperatorCases, 'operators').map((testCase) => [testCase.name, testCase]));
const cases = fixture(readOperatorGradients, 'operator_gradients');

afterAll(() => {
  for (const { runtime } of builds) runtime.dispose();
});

const oneThread = new Map();

describe.each(builds)('$name', ({ variant, threads, runtime }) => {
  test.each(cases)('$name', ({ name, gradOutput, gradients }) => {
    const testCase = byName.get(name);
    const algorithm = testCase.arguments[0]?.layer === 'ConvTranspose1d' ? 'direct' : undefined;
    const { network, input, dispose } = makeOperatorCase(library, testCase, { runtime, algorithm, trained: true });
    const given = new Tensor(gradOutput.data, gradOutput.shape);
    const run = (memory, tensor) => {
      const recording = network.record(tensor, { training: false, memory });
      expectSameBits(recording.output.data, network.forward(tensor).data);
      const got = recording.backward(given);
      recording.dispose();
      return { input: got.input, ...got.parameters };
    };
    const got = run('high', input);
    expect(Object.keys(got).length).toBeGreaterThanOrEqual(Object.keys(gradients).length);
    for (const [what, { expected, tolerance }] of Object.entries(gradients)) {
      const tensor = got[what === 'input' ? what : `layer.${what}`];
      const error = checkOutput({ dtype: 'float32', expected, outputShape: tensor.shape }, tensor.data, tolerance);
      expect([what, error]).toEqual([what, null]);
    }
    const low = run('low', input);
    for (const [what, { data }] of Object.entries(got)) expectSameBits(low[what].data, data);
    const key = `${variant} ${name}`;
    if (threads === 1) oneThread.set(key, got);
    else for (const [what, { data }] of Object.entries(got)) expectSameBits(data, oneThread.get(key)[what].data);
    dispose();
  });
});
