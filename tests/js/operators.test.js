// Every operator's fixtures on every build, in both placements and as streams cut at random.
import { readFileSync } from 'node:fs';
import * as library from 'conv1d-wasm';
import { checkOutput, readOperatorCases, relativeErrors } from '../cases.js';
import { makeOperatorCase, needsWholeSignal } from '../operators.js';
import {
  drawInteger,
  expectSameBits,
  forwardIn,
  fromRoot,
  makeRandom,
  openBuilds,
  readJson,
  runStream,
  thrown,
} from './support.js';

const { Tensor } = library;
const builds = await openBuilds([1, 2]);
const cases = readOperatorCases(
  readJson('tests/fixtures/operators.json'),
  Uint8Array.from(readFileSync(fromRoot('tests/fixtures/operators.bin'))).buffer,
);
const isTransposed = (testCase) => testCase.arguments[0]?.layer === 'ConvTranspose1d';

afterAll(() => {
  for (const { runtime } of builds) runtime.dispose();
});

/** Calls use(network, input), and frees what was made for it. */
function withCase(testCase, options, use) {
  const { network, input, dispose } = makeOperatorCase(library, testCase, options);
  try {
    return use(network, input);
  } finally {
    dispose();
  }
}

const batched = ({ data, shape, dtype }) => new Tensor(data, shape.length === 3 ? shape : [1, ...shape], dtype);

test('there are cases, and the check of a case sees a wrong value', () => {
  expect(cases.length).toBeGreaterThan(600);
  for (const testCase of cases) {
    const { expected, tolerance } = testCase;
    const at = expected.length >> 1;
    const judge = (value) => checkOutput(testCase, expected.with(at, value), tolerance) !== null;
    expect([expected[at], expected[at] + (2 * tolerance[at] || 1), NaN].map(judge)).toEqual([false, true, true]);
  }
});

const oneThread = new Map(); // of each variant and case, the output's data

describe.each(builds)('$name', ({ variant, threads, runtime }) => {
  test.each(cases)('$name', ({ name, ...testCase }) => {
    const { outputShape, dtype, tolerance } = testCase;
    const algorithm = isTransposed(testCase) ? 'direct' : undefined;
    withCase(testCase, { runtime, algorithm }, (network, input) => {
      expect(network.outputShape(input.shape)).toEqual(outputShape);
      const output = network.forward(input);
      expect(output).toMatchObject({ shape: outputShape, dtype, placement: 'js' });
      expect(checkOutput(testCase, output.data, tolerance)).toBeNull();
      expectSameBits(forwardIn('wasm', network, input, runtime), output.data);
      const key = `${variant} ${name}`;
      if (threads === 1) oneThread.set(key, output.data);
      else expectSameBits(output.data, oneThread.get(key));

      const whole = batched(input);
      const open = () => network.stream({ batch: whole.shape[0], maxChunk: 11, denormals: 'keep' });
      if (needsWholeSignal(testCase)) {
        expect(thrown(open)).toMatchObject({ code: 'ERR_UNSUPPORTED' });
        return;
      }
      const random = makeRandom(name.length + threads);
      for (const placed of [(chunk) => chunk, (chunk) => chunk.toWasm(runtime)]) {
        const stream = open();
        expectSameBits(runStream(stream, whole, () => drawInteger(random, 1, 11), placed).data, output.data);
        stream.dispose();
      }
    });
  });

  test.each(['toom_cook', 'fft'])('transposed convolutions by %s', (algorithm) => {
    let computed = 0;
    for (const testCase of cases.filter(isTransposed)) {
      const { name, largestSum, tolerance } = testCase;
      const allowed = tolerance.map((own) => own + relativeErrors[algorithm] * largestSum);
      const error = thrown(() =>
        withCase(testCase, { runtime, algorithm }, (network, input) => {
          expect([name, checkOutput(testCase, network.forward(input).data, allowed)]).toEqual([name, null]);
          ++computed;
        }),
      );
      if (error) expect([name, error]).toMatchObject([name, { code: 'ERR_UNSUPPORTED', field: 'algorithm' }]);
    }
    expect(computed).toBeGreaterThan(30);
  });
});
