// The function conv1d.
import { Conv1d, conv1d, createRuntime, init, Tensor } from 'conv1d-wasm';
import { expectSameBits, noiseTensor } from '../support.js';

const runtime = await init({ threads: 1 });
afterAll(() => runtime.dispose());

describe('conv1d()', () => {
  const options = { stride: 2, padding: 'same', dilation: 2, groups: 2, paddingMode: 'reflect', activation: 'silu' };
  const sizes = { inChannels: 6, outChannels: 10, kernelSize: 5 };
  const input = noiseTensor([2, 6, 37]);
  const bias = noiseTensor([10], 3);

  test.each([
    ['a 4-D weight and a bias', [2, 5, 3, 5], bias, bias],
    ['a 3-D weight and a 3-D bias', [10, 3, 5], new Tensor(bias.data, [1, 10, 1]), bias],
    ['no bias', [10, 3, 5], undefined, null],
    ['a null bias', [10, 3, 5], null, null],
  ])('is the layer as a function: %s', (_, shape, given, own) => {
    const layer = new Conv1d({ ...sizes, ...options, bias: own !== null });
    layer.weight = noiseTensor([2, 5, 3, 5], 2);
    if (own) layer.bias = own;
    const output = conv1d(input, noiseTensor(shape, 2), given, options);
    expect(output).toMatchObject({ shape: [2, 10, 19], dtype: 'float32', placement: 'js' });
    expectSameBits(output.data, layer.forward(input).data);
  });

  test('without options', () => {
    const output = conv1d(new Tensor([1, 2, 4, 8], [1, 4]), new Tensor([1, 10], [1, 1, 2]));
    expect(output.toArray()).toEqual([[21, 42, 84]]);
  });

  test('out, wasm tensors, another runtime, float16', async () => {
    const other = await createRuntime({ threads: 1, variant: 'simd' });
    const half = (tensor) => new Tensor(tensor.data, tensor.shape, 'float16');
    const [x, w, b] = [input, noiseTensor([10, 6, 5], 2), bias].map(half);
    const expected = conv1d(x, w, b, { runtime: other });
    const out = new Tensor(new Uint16Array(2 * 10 * 33), [2, 10, 33]).toWasm(other);
    expect(conv1d(x.toWasm(other), w.toWasm(other), b.toWasm(other), { runtime: other, out })).toBe(out);
    expect(out.toArray()).toEqual(expected.toArray());
    expect(expected.dtype).toBe('float16');
    other.dispose();
  });
});
