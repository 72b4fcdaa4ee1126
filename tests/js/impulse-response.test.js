// What plays it is tested in browsers.
import { Conv1d, init, reverseTaps, Tensor } from 'conv1d-wasm';
import { thrown } from './support.js';

beforeAll(() => init());

test('reverseTaps reverses a copy', () => {
  const response = Float32Array.of(1, 2, 3);
  expect(reverseTaps(response)).toEqual(Float32Array.of(3, 2, 1));
  expect(response).toEqual(Float32Array.of(1, 2, 3));
  expect(reverseTaps(new Float32Array(8).subarray(2, 4)).buffer.byteLength).toBe(8);
});

test.each(['float32', 'float16'])('reverseTaps reverses the last dimension of a %s tensor', (dtype) => {
  const taps = new Tensor([1, 2, 3, 4, 5, 6], [1, 2, 3], dtype);
  const held = taps.toWasm();
  for (const tensor of [taps, held]) {
    const reversed = reverseTaps(tensor);
    expect([reversed.dtype, reversed.placement, reversed.toArray()]).toEqual([
      dtype,
      'js',
      [
        [
          [3, 2, 1],
          [6, 5, 4],
        ],
      ],
    ]);
    expect(tensor.toArray()).toEqual([
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ]);
  }
  held.dispose();
  expect(reverseTaps(new Tensor([], [2, 0], dtype)).shape).toEqual([2, 0]);
});

test('a causal layer plays a response that is reversed', () => {
  const response = Float32Array.of(4, 3, 2, 1);
  const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 4, padding: 'causal', bias: false });
  layer.weight = reverseTaps(new Tensor(response, [1, 1, 4]));
  const impulse = new Tensor([0, 1, 0, 0, 0, 0], [1, 6]);
  expect(layer.forward(impulse).toArray()).toEqual([[0, 4, 3, 2, 1, 0]]);
  layer.dispose();
});

test.each([
  ['a list of numbers', () => [1, 2], 'ERR_DTYPE', /^taps must be a Tensor or a Float32Array, got \[1, 2\]$/],
  ['nothing', () => undefined, 'ERR_DTYPE', /got undefined$/],
  ['a number in a tensor', () => new Tensor([1], []), 'ERR_SHAPE', /^taps must have a dimension, got shape \[\]$/],
])('reverseTaps refuses %s', (_name, make, code, message) => {
  expect(thrown(() => reverseTaps(make()))).toMatchObject({
    code,
    field: 'taps',
    message: expect.stringMatching(message),
  });
});
