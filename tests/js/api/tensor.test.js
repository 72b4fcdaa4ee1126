// What a tensor promises.
import vm from 'node:vm';
import { Conv1d, init, Tensor } from 'conv1d-wasm';
import { halfToNumber } from '../../cases.js';
import { expectSameBits, makeLayer, noiseTensor, product, thrown } from '../support.js';

const runtime = await init({ threads: 1 });
afterAll(() => runtime.dispose());

const small = { inChannels: 3, outChannels: 4, kernelSize: 3 };
const smallInput = noiseTensor([2, 3, 17], 5);

describe('a tensor', () => {
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff); // 1, -2, 2^-24, 65504
  const halfNumbers = [1, -2, 2 ** -24, 65504];
  const bytes = (array) => [...new Uint8Array(array.buffer, array.byteOffset, array.byteLength)];

  test.each([
    ['a Float32Array', Float32Array.of(1, 2, 3), 'float32'],
    ['a view with an offset', Float32Array.of(9, 1, 2, 3, 9).subarray(1, 4), 'float32'],
    ['bit patterns', halves.slice(0, 3), 'float16'],
    ['a view of bit patterns with an offset', halves.subarray(1), 'float16'],
    ['a Float32Array of another realm', vm.runInNewContext('Float32Array.of(1, 2, 3)'), 'float32'],
    ['bit patterns of another realm', vm.runInNewContext('Uint16Array.of(1, 2, 3)'), 'float16'],
    ['shared memory', new Float32Array(new SharedArrayBuffer(12)), 'float32'],
  ])('keeps %s and does not copy it', (_, data, dtype) => {
    for (const given of [undefined, dtype]) {
      const tensor = new Tensor(data, [3], given);
      expect(tensor.data).toBe(data);
      expect(tensor).toMatchObject({ shape: [3], size: 3, dtype, placement: 'js' });
    }
  });

  test.each([
    ['numbers', [1, -2, 0.5], 'float32', [1, -2, 0.5]],
    ['numbers that float32 does not hold', [0.1, 1e-50, 1e50], 'float32', [Math.fround(0.1), 0, Infinity]],
    ['numbers as float16', [1, 0.1, 1e9], 'float16', [1, halfToNumber(0x2e66), Infinity]],
    ['numbers of another realm', vm.runInNewContext('[1, 2, 3]'), 'float32', [1, 2, 3]],
    ['an array-like', { length: 3, 0: 1, 1: 2, 2: 3 }, 'float32', [1, 2, 3]],
    ['a Float64Array', Float64Array.of(1, 0.1, -3), 'float32', [1, Math.fround(0.1), -3]],
    ['a Float64Array as float16', Float64Array.of(1, 2049, -3), 'float16', [1, 2048, -3]],
    ['a Float32Array as float16', Float32Array.of(1, 2051, -3), 'float16', [1, 2052, -3]],
    ['an Int8Array', Int8Array.of(-128, 0, 127), 'float32', [-128, 0, 127]],
    ['a Uint8Array', Uint8Array.of(255, 0, 1), 'float32', [255, 0, 1]],
    ['a Uint8ClampedArray', Uint8ClampedArray.of(255, 0, 1), 'float32', [255, 0, 1]],
    ['an Int16Array', Int16Array.of(-32768, 0, 32767), 'float32', [-32768, 0, 32767]],
    ['an Int32Array', Int32Array.of(2 ** 24 + 1, 0, -5), 'float32', [2 ** 24, 0, -5]],
    ['a Uint32Array', Uint32Array.of(2 ** 32 - 1, 0, 5), 'float32', [2 ** 32, 0, 5]],
    ['special values', [NaN, -Infinity, -0], 'float32', [NaN, -Infinity, -0]],
    ['special values as float16', [NaN, -Infinity, -0], 'float16', [NaN, -Infinity, -0]],
  ])('converts %s', (_, data, dtype, values) => {
    const tensor = new Tensor(data, [3], dtype);
    expect(tensor.data).not.toBe(data);
    expect(tensor).toMatchObject({ dtype, size: 3, placement: 'js' });
    expect(tensor.toArray()).toEqual(values);
  });

  test('numbers are float32 unless said otherwise', () => {
    expect(new Tensor([1], [1]).dtype).toBe('float32');
    expect(new Tensor(Float64Array.of(1), [1]).dtype).toBe('float32');
  });

  test('float16: every bit pattern is the number that it stands for', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = new Tensor(patterns, [65536]).toArray();
    const wrong = [...patterns].filter((bits) => !Object.is(values[bits], halfToNumber(bits)));
    expect(wrong).toEqual([]);
  });

  test('float16: numbers become the nearest, ties the even one', () => {
    const value = (bits) => (bits === 0x7c00 ? 65536 : halfToNumber(bits)); // as if the exponent went on
    const samples = [];
    for (let bits = 0; bits < 0x7c00; ++bits) {
      const [low, high] = [value(bits), value(bits + 1)];
      const middle = (low + high) / 2;
      const tiny = (high - low) / 2 ** 40;
      const even = bits % 2 === 0 ? bits : bits + 1;
      samples.push([low, bits], [middle - tiny, bits], [middle, even], [middle + tiny, bits + 1]);
    }
    samples.push([65519.999, 0x7bff], [65520, 0x7c00], [1e300, 0x7c00], [2 ** -25, 0], [2 ** -26, 0], [5e-324, 0]);
    for (const sign of [1, -1]) {
      const tensor = new Tensor(
        samples.map(([number]) => sign * number),
        [samples.length],
        'float16',
      );
      const stored = new Uint16Array(tensor.data.buffer, tensor.data.byteOffset, tensor.size);
      const wrong = samples.filter(([, bits], i) => stored[i] !== (sign < 0 ? bits | 0x8000 : bits));
      expect(wrong).toEqual([]);
    }
  });

  const engineHas = typeof Float16Array === 'function';
  (engineHas ? test : test.skip)('Float16Array: kept, and what float16 tensors give', () => {
    const data = Float16Array.from(halfNumbers);
    const tensor = new Tensor(data, [4]);
    expect(tensor.data).toBe(data);
    expect(tensor.dtype).toBe('float16');
    expect(new Tensor(data, [4], 'float32').toArray()).toEqual(halfNumbers);
    expect(new Tensor(halfNumbers, [4], 'float16').data).toEqual(data);
    expect(tensor.toWasm().data).toEqual(data);
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, dtype: 'float16' });
    expect(layer.forward(new Tensor(data, [1, 4])).data).toBeInstanceOf(Float16Array);
  });
  (engineHas ? test.skip : test)('without Float16Array: float16 tensors give bit patterns', () => {
    expect(new Tensor(halfNumbers, [4], 'float16').data).toEqual(halves);
    expect(new Tensor(halves, [4]).toWasm().data).toEqual(halves);
  });

  test('its shape is a frozen copy', () => {
    const shape = [1, 2];
    const tensor = new Tensor([1, 2], shape);
    shape[0] = 5;
    expect(tensor.shape).toEqual([1, 2]);
    expect(() => tensor.shape.push(1)).toThrow(TypeError);
  });

  test.each([
    [[], [5], 5],
    [[1], [5], [5]],
    [[0], [], []],
    [[2, 0], [], [[], []]],
    [[0, 2], [], []],
    [
      [2, 1, 2],
      [1, 2, 3, 4],
      [[[1, 2]], [[3, 4]]],
    ],
    [[1, 1, 1, 2], [1, 2], [[[[1, 2]]]]],
    [[2, 0], [], [[], []]],
    [[0], [], []],
  ])('of shape %j', (shape, values, nested) => {
    const tensor = new Tensor(values, shape);
    const placed = tensor.toWasm();
    for (const each of [tensor, placed, placed.toJs()]) {
      expect(each.shape).toEqual(shape);
      expect(each.size).toBe(values.length);
      expect(each.toArray()).toEqual(nested);
    }
    for (const dtype of ['float32', 'float16']) {
      const again = new Tensor(nested, undefined, dtype);
      // Below an empty list there are no lists that would tell more.
      expect(again).toMatchObject({ shape: shape.slice(0, shape.indexOf(0) + 1 || shape.length), dtype });
      expect(again.toArray()).toEqual(nested);
      expect(new Tensor(nested, shape, dtype).toArray()).toEqual(nested);
    }
  });

  test.each([
    ['a list', [1, 2, 3], [3], 'float32', [1, 2, 3]],
    ['a typed array', new Uint8Array(4), [4], 'float32', [0, 0, 0, 0]],
    [
      'channels',
      [Float32Array.of(1, 2), Float32Array.of(3, 4)],
      [2, 2],
      'float32',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'channels of other types',
      [Float64Array.of(1, 2), Int8Array.of(3, 4), [5, 6]],
      [3, 2],
      'float32',
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
    ['channels of bit patterns', [Uint16Array.of(0x3c00), Uint16Array.of(0xc000)], [2, 1], 'float16', [[1], [-2]]],
    [
      'images of channels',
      [[Float32Array.of(1, 2)], [Float32Array.of(3, 4)]],
      [2, 1, 2],
      'float32',
      [[[1, 2]], [[3, 4]]],
    ],
  ])('its shape and dtype are those of the data: %s', (_, data, shape, dtype, values) => {
    const tensor = new Tensor(data);
    expect(tensor).toMatchObject({ shape, dtype });
    expect(new Tensor(tensor.toArray()).toArray()).toEqual(values);
  });

  test('channels are copied', () => {
    const [left, right] = [Float32Array.of(1, 2), Float32Array.of(3, 4)];
    const tensor = new Tensor([left, right]);
    left.fill(0);
    expect(tensor.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test.each([
    ['of 64 dimensions', new Array(64).fill(1), [7]],
    ['of many lists', [2 ** 20, 0], []],
  ])('toArray %s', (_, shape, values) => {
    const nested = new Tensor(values, shape).toArray();
    expect(nested.flat(64)).toEqual(values);
    expect(nested.length).toBe(shape[0]);
  });

  test.each([[[2 ** 29, 0]], [[2 ** 29, 1, 0]], [[1, 2 ** 25]]])('toArray of shape %j is refused', (shape) => {
    const tensor = new Tensor(new Float32Array(product(shape)), shape);
    expect(thrown(() => tensor.toArray())).toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      field: 'tensor',
      message: /^toArray\(\) would make \d+ lists and numbers, at most 33554432 are possible; read data$/,
    });
  });

  test.each([
    ['float32', Float32Array.of(1, -0, NaN, 5)],
    ['float16', halves],
    ['a view', Float32Array.of(1, 2, 3, 4, 5, 6).subarray(2)],
  ])('toWasm and toJs copy: %s', (_, data) => {
    const tensor = new Tensor(data, [2, 2]);
    const placed = tensor.toWasm();
    expect(placed).toMatchObject({ shape: [2, 2], dtype: tensor.dtype, size: 4, placement: 'wasm' });
    expect(bytes(placed.data)).toEqual(bytes(data));
    const back = placed.toJs();
    expect(back).toMatchObject({ shape: [2, 2], dtype: tensor.dtype, placement: 'js' });
    expect(bytes(back.data)).toEqual(bytes(data));
    placed.data.fill(0);
    expect(bytes(back.data)).toEqual(bytes(data));
    expect(bytes(tensor.data)).toEqual(bytes(data));
    expect(bytes(placed.toJs().data)).toEqual(Array(data.byteLength).fill(0));
    const again = placed.toWasm();
    again.data.fill(1);
    expect(bytes(placed.data)).toEqual(Array(data.byteLength).fill(0));
    const copy = back.toJs();
    copy.data.fill(0);
    expect(bytes(back.data)).toEqual(bytes(data));
  });

  test('data of a wasm tensor is memory that a layer reads, also after the memory has grown', () => {
    const layer = makeLayer(small);
    const input = new Tensor(new Float32Array(51), [3, 17]).toWasm();
    input.data.fill(5);
    const { total } = runtime.memory;
    new Tensor(new Float32Array(total / 4), [total / 4]).toWasm().dispose();
    expect(runtime.memory.total).toBeGreaterThan(total);
    expect([...input.data]).toEqual(Array(51).fill(5));
    input.data.set(smallInput.data.subarray(0, 51));
    expectSameBits(layer.forward(input).data, layer.forward(new Tensor(smallInput.data.slice(0, 51), [3, 17])).data);
  });
});
