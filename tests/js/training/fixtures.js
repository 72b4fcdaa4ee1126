// The cases of tests/fixtures/training.json.
import { readFileSync } from 'node:fs';
import { Tensor } from 'conv1d-wasm';
import { fromRoot, product, readJson } from '../support.js';

export const cases = readJson('tests/fixtures/training.json');

const { buffer } = Uint8Array.from(readFileSync(fromRoot('tests/fixtures/training.bin')));

/** The float32 tensor of `shape` at an offset. */
export const tensorAt = (at, shape) => new Tensor(new Float32Array(buffer, at, product(shape)).slice(), shape);

/** As many float64 numbers at an offset as an array of `shape` has. */
export const numbersAt = (at, shape) => new Float64Array(buffer, at, product(shape));

/** The largest difference of two lists, as a part of the largest magnitude of the second, unless that is 0. */
export function relativeError(got, expected) {
  expect(got).toHaveLength(expected.length);
  const most = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(got[i] - value)), 0) / (most || 1);
}
