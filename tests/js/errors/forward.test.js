// What forward refuses.
import { createRuntime, Tensor } from 'conv1d-wasm';
import { halves, thrown, zeros } from '../support.js';
import { input, layer, placed, refused, withLayer } from './intact.js';

describe('forward', () => {
  const notTensor = (field, got, text) => ({
    code: 'ERR_DTYPE',
    field,
    got,
    message: `${field} must be a Tensor, got ${text}`,
  });
  const array = new Float32Array(3);
  const fits = () => zeros(2, 4, 15);
  refused([
    ['null', () => layer.forward(null), notTensor('input', null, 'null')],
    ['nothing', () => layer.forward(), notTensor('input', undefined, 'undefined')],
    ['a number', () => layer.forward(5), notTensor('input', 5, '5')],
    ['an array', () => layer.forward(array), notTensor('input', array, '[object Float32Array]')],
    [
      'an object like a tensor',
      () => layer.forward({ ...input }),
      { ...notTensor('input', expect.anything(), '[object Object]') },
    ],
    [
      'float16 into float32',
      () => layer.forward(halves(3, 17)),
      {
        code: 'ERR_DTYPE',
        field: 'input',
        got: 'float16',
        message:
          'input must be float32 as the layer is, got float16; new Tensor(input.toArray(), input.shape) is float32',
      },
    ],
    [
      'float32 into float16',
      () => withLayer({ dtype: 'float16' }, (half) => half.forward(input)),
      {
        code: 'ERR_DTYPE',
        field: 'input',
        got: 'float32',
        message: "input must be float16 as the layer is, got float32; new Tensor(data, shape, 'float16') is float16",
      },
    ],
    ['out: null', () => layer.forward(input, { out: null }), notTensor('out', null, 'null')],
    ['out: an array', () => layer.forward(input, { out: array }), notTensor('out', array, '[object Float32Array]')],
    [
      'out: another shape of the same size',
      () => layer.forward(input, { out: zeros(2, 15, 4) }),
      { code: 'ERR_SHAPE', field: 'out', got: [2, 15, 4], message: 'out must have shape [2, 4, 15], got [2, 15, 4]' },
    ],
    [
      'out: unbatched',
      () => layer.forward(new Tensor(input.data.slice(51), [1, 3, 17]), { out: zeros(4, 15) }),
      { code: 'ERR_SHAPE', field: 'out', got: [4, 15], message: 'out must have shape [1, 4, 15], got [4, 15]' },
    ],
    [
      'out: another dtype',
      () => layer.forward(input, { out: halves(2, 4, 15) }),
      {
        code: 'ERR_DTYPE',
        field: 'out',
        got: 'float16',
        message: 'out must be float32 as the layer is, got float16; new Tensor(out.toArray(), out.shape) is float32',
      },
    ],
    [
      'out: in wasm memory for an input in JavaScript',
      () => usingWasm(fits(), (out) => layer.forward(input, { out })),
      {
        code: 'ERR_OPTION',
        field: 'out',
        got: 'wasm',
        message: "out must live where the input lives ('js'), got 'wasm'",
      },
    ],
    [
      'out: in JavaScript for an input in wasm memory',
      () => layer.forward(placed, { out: fits() }),
      {
        code: 'ERR_OPTION',
        field: 'out',
        got: 'js',
        message: "out must live where the input lives ('wasm'), got 'js'",
      },
    ],
    [
      'out: the input itself',
      () => withLayer({ outChannels: 3, padding: 1 }, (keeping) => keeping.forward(placed, { out: placed })),
      { code: 'ERR_OPTION', field: 'out', message: 'out must not be the input itself' },
    ],
  ]);

  function usingWasm(tensor, action) {
    const there = tensor.toWasm();
    try {
      return action(there);
    } finally {
      there.dispose();
    }
  }

  test('a refused out is not written', () => {
    const out = new Tensor(new Float32Array(120).fill(7), [2, 15, 4]);
    thrown(() => layer.forward(input, { out }));
    expect([...out.data]).toEqual(Array(120).fill(7));
  });

  test('tensors of another runtime', async () => {
    const other = await createRuntime({ threads: 1 });
    const there = input.toWasm(other);
    const out = fits().toWasm(other);
    const message = (field) => `${field} lies in the memory of another runtime than the layer's`;
    expect(thrown(() => layer.forward(there))).toMatchObject({
      code: 'ERR_OPTION',
      field: 'input',
      message: message('input'),
    });
    expect(thrown(() => layer.forward(placed, { out }))).toMatchObject({
      code: 'ERR_OPTION',
      field: 'out',
      message: message('out'),
    });
    other.dispose();
  });

  // Posting an array to a worker takes it away; a view of a resizable buffer follows its size.
  test.each([
    ['transferred', (buffer) => structuredClone(buffer, { transfer: [buffer] })],
    ['shrunk', (buffer) => buffer.resize(8)],
    ['grown', (buffer) => buffer.resize(4 * 2 ** 20)],
  ])('an array that was %s', (_, change) => {
    const make = (shape) => {
      const buffer = new ArrayBuffer(4 * shape.reduce((a, b) => a * b), { maxByteLength: 4 * 2 ** 20 });
      const tensor = new Tensor(new Float32Array(buffer), shape);
      change(buffer);
      return tensor;
    };
    const expected = { code: expect.stringMatching(/^ERR_(DISPOSED|SHAPE)$/) };
    expect(thrown(() => layer.forward(make([2, 3, 17])))).toMatchObject(expected);
    expect(thrown(() => layer.forward(input, { out: make([2, 4, 15]) }))).toMatchObject(expected);
    expect(thrown(() => (layer.weight = make([4, 3, 3])))).toMatchObject(expected);
    expect(thrown(() => make([4]).toWasm())).toMatchObject(expected);
  });
});
