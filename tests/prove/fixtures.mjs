// Every fixture by every algorithm on every build of this Node. Prints one line of JSON.
import { readFileSync } from 'node:fs';
import { Conv1d, Tensor } from 'conv1d-wasm';
import { checkCase, readCases } from '../cases.js';
import { fromRoot, openBuilds, readJson, thrown } from '../js/support.js';

const { buffer } = Uint8Array.from(readFileSync(fromRoot('tests/fixtures/conv1d.bin')));
const builds = await openBuilds([1, 2]);
const cases = readCases(readJson('tests/fixtures/conv1d.json'), buffer, builds[0].runtime.activations);
const result = {
  node: `${process.arch} ${process.version}`,
  builds: builds.map(({ name }) => name),
  passed: 0,
  failures: [],
};

function check(testCase, algorithm, { name, runtime }) {
  const { options, dtype, inputShape, weightShape, weight, bias } = testCase;
  let layer = null;
  const error = thrown(() => (layer = new Conv1d({ ...options, algorithm, runtime })));
  if (error?.code === 'ERR_UNSUPPORTED') return;
  if (error) throw error;
  layer.weight = new Tensor(weight, weightShape, dtype);
  if (bias) layer.bias = new Tensor(bias, [bias.length], dtype);
  const output = layer.forward(new Tensor(testCase.input, inputShape, dtype));
  const wrong = checkCase(testCase, output.data, algorithm);
  if (wrong) result.failures.push(`${testCase.name} by ${algorithm}, ${name}: ${wrong}`);
  else ++result.passed;
  layer.dispose();
}

for (const build of builds) {
  for (const testCase of cases) {
    for (const algorithm of ['direct', 'toom_cook', 'fft']) {
      check(testCase, algorithm, build);
    }
  }
}
for (const { runtime } of builds) runtime.dispose();
console.log(JSON.stringify(result));
process.exitCode = result.failures.length === 0 ? 0 : 1;
