// What tensors refuse.
import vm from 'node:vm';
import { Tensor } from 'conv1d-wasm';
import { zeros } from '../support.js';
import { refused } from './intact.js';

describe('tensors', () => {
  const data = (value, message, shape = [1]) => [
    `data: ${Object.prototype.toString.call(value)} ${shape}`,
    () => new Tensor(value, shape),
    { code: 'ERR_DTYPE', field: 'data', message },
  ];
  const list = 'data must be a typed array or a list of numbers, got ';
  refused([
    data(null, `${list}null`),
    data(undefined, `${list}undefined`),
    data(5, `${list}5`),
    data('123', `${list}'123'`, [3]),
    data(() => 1, `${list}a function`),
    data(new Map(), `${list}[object Map]`, [0]),
    data(new ArrayBuffer(4), `${list}[object ArrayBuffer]`),
    data(new DataView(new ArrayBuffer(4)), `${list}[object DataView]`),
    data(new BigInt64Array(1), `${list}[object BigInt64Array]`),
    data(vm.runInNewContext('new BigUint64Array(1)'), `${list}[object BigUint64Array]`),
    // eslint-disable-next-line no-sparse-arrays
    data([1, , 3], 'data[1] must be a number, got undefined', [3]),
    data([1, '2'], "data[1] must be a number, got '2'", [2]),
    data([1, [2]], 'data[1] must be a number, got [2]', [2]),
    data([[1], ['2']], "data[1][0] must be a number, got '2'", [2, 1]),
    data(
      [new BigInt64Array(1)],
      'data[0] must be a typed array or a list of numbers, got [object BigInt64Array]',
      [1, 1],
    ),
    data(
      [[1], new BigInt64Array(1)],
      'data[1] must be a typed array or a list of numbers, got [object BigInt64Array]',
      [2, 1],
    ),
    data([null], 'data[0] must be a number, got null'),
    data([true], 'data[0] must be a number, got true'),
    data([1n], /^data\[0\] must be a number, got 1n$/),
  ]);

  const shape = (got, message, values = [1]) => [
    `shape: ${Array.isArray(got) ? `[${Array.from(got, String)}]` : String(got)}`,
    () => new Tensor(values, got),
    { code: 'ERR_SHAPE', field: 'shape', got, message },
  ];
  refused([
    shape(null, 'shape must be an array of integers >= 0, got null'),
    shape(3, 'shape must be an array of integers >= 0, got 3'),
    shape('1', "shape must be an array of integers >= 0, got '1'"),
    shape(Int32Array.of(1), 'shape must be an array of integers >= 0, got [object Int32Array]'),
    shape([-1], 'shape[0] must be an integer >= 0, got -1'),
    shape([1, 0.5], 'shape[1] must be an integer >= 0, got 0.5'),
    shape(['1'], "shape[0] must be an integer >= 0, got '1'"),
    shape([NaN], 'shape[0] must be an integer >= 0, got NaN'),
    shape([Infinity], 'shape[0] must be an integer >= 0, got Infinity'),
    // eslint-disable-next-line no-sparse-arrays
    shape([1, , 1], 'shape[1] must be an integer >= 0, got undefined'),
    shape([2], 'shape [2] has 2 elements, data has 1'),
    shape([], 'shape [] has 1 elements, data has 2', [1, 2]),
    shape([0], 'shape [0] has 0 elements, data has 1'),
    shape([2 ** 30], 'shape [1073741824] has more than 1073741823 elements'),
    shape([2 ** 31], 'shape [2147483648] has more than 1073741823 elements'),
    shape([2 ** 16, 2 ** 16], 'shape [65536, 65536] has more than 1073741823 elements'),
    shape([2 ** 27, 2 ** 27], 'shape [134217728, 134217728] has more than 1073741823 elements'),
    shape([2 ** 53, 2 ** 53], 'shape [9007199254740992, 9007199254740992] has more than 1073741823 elements'),
    shape([1e300, 1e300, 0], /elements/, []),
    // Array-likes say any length; none of these may be believed before it fits the shape.
    ...[2 ** 33, 2 ** 53, -1, 1.5, NaN, Infinity].map((length) =>
      shape([4], /^shape \[4\] has 4 elements, data has /, { length }),
    ),
  ]);

  const self = [];
  self.push(self);
  const nested = (name, field, message, ...given) => [
    `nested: ${name}`,
    () => new Tensor(...given),
    { code: 'ERR_SHAPE', field, message },
  ];
  refused([
    nested('a longer row', 'data', 'data[1] has 3 elements, the first list beside it 2', [
      [1, 2],
      [3, 4, 5],
    ]),
    nested('a shorter row', 'data', 'data[2] has 0 elements, the first list beside it 1', [[1], [2], []]),
    nested('deeper', 'data', 'data[1][0] has 1 elements, the first list beside it 2', [[[1, 2]], [[3]]]),
    nested('a number beside rows', 'data', 'data[1] must be a list of 2, got 3', [[1, 2], 3]),
    nested('channels of two lengths', 'data', 'data[1] has 4 elements, the first list beside it 5', [
      new Float32Array(5),
      new Float32Array(4),
    ]),
    nested('a list in itself', 'data', 'data must be nested at most 64 deep, as a tensor has dimensions', self),
    nested(
      'another shape',
      'shape',
      'shape is [4, 1], data is nested as [2, 2]',
      [
        [1, 2],
        [3, 4],
      ],
      [4, 1],
    ),
    nested(
      'a flat shape',
      'shape',
      'shape is [4], data is nested as [2, 2]',
      [
        [1, 2],
        [3, 4],
      ],
      [4],
    ),
    nested(
      'a shape with more',
      'shape',
      'shape is [1, 2, 2], data is nested as [2, 2]',
      [
        [1, 2],
        [3, 4],
      ],
      [1, 2, 2],
    ),
    nested('nothing in it', 'shape', 'shape is [3, 0], data is nested as [2, 0]', [[], []], [3, 0]),
    nested('a number', 'shape', 'shape must have at most 64 dimensions, got 100000', 1, new Array(1e5).fill(1)),
  ]);

  const dtype = (got, values, message) => [
    `dtype: ${String(got)}`,
    () => new Tensor(values, [1], got),
    { code: 'ERR_DTYPE', field: 'dtype', got, message },
  ];
  refused([
    dtype('float64', [1], "dtype must be 'float32' or 'float16', got 'float64'"),
    dtype(null, [1], "dtype must be 'float32' or 'float16', got null"),
    dtype('int8', new Float32Array(1), "dtype must be 'float32' or 'float16', got 'int8'"),
    dtype(
      'float32',
      new Uint16Array(1),
      "a Uint16Array holds float16 bit patterns: dtype must be 'float16', got 'float32'",
    ),
  ]);
  refused([
    [
      'toWasm: no runtime',
      () => zeros(1).toWasm({}),
      {
        code: 'ERR_OPTION',
        field: 'runtime',
        message: 'runtime must be a Runtime from init() or createRuntime(), got [object Object]',
      },
    ],
  ]);
});
