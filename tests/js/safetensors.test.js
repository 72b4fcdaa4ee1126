// .safetensors files: what there is is read, what breaks the format is refused.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { Conv1d, init, readSafetensors, Tensor, writeSafetensors } from 'conv1d-wasm';
import { expectSameBits, fromRoot, makeLayer, makeRandom, readJson, thrown } from './support.js';

const file = (name) => new Uint8Array(readFileSync(fromRoot(`tests/fixtures/weights/${name}`)));
const types = file('types.safetensors');
const expected = readJson('tests/fixtures/weights/expected.json').types;

/** A file with this header, an object or its text, and this many bytes of data. */
function build(header, dataLength = 0, headerLength = undefined) {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength ?? text.length), true);
  bytes.set(text, 8);
  return bytes;
}

/** A file with one tensor `t` of these bytes. */
function buildTensor(dtype, shape, ...bytes) {
  const result = build({ t: { dtype, shape, data_offsets: [0, bytes.length] } }, bytes.length);
  result.set(bytes, result.length - bytes.length);
  return result;
}

const entry = (begin, end, more = {}) => ({
  dtype: 'F32',
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
  ...more,
});

describe('reading', () => {
  const tensors = readSafetensors(types);

  test('names', () => expect(Object.keys(tensors)).toEqual(Object.keys(expected)));

  test.each(Object.keys(expected))('%s', (name) => {
    const { shape, values } = Object.getOwnPropertyDescriptor(expected, name).value;
    const tensor = tensors[name];
    expect(tensor).toMatchObject({ shape, dtype: name === 'torch.float16' ? 'float16' : 'float32', placement: 'js' });
    expect([tensor.toArray()].flat(Infinity)).toEqual(values.map(Math.fround));
  });

  test('bits of floats stay', () => {
    const f32 = readSafetensors(buildTensor('F32', [2], 1, 2, 0xc0, 0x7f, 0, 0, 0x80, 0xff)).t.data;
    expectSameBits(f32, new Float32Array(Uint8Array.of(1, 2, 0xc0, 0x7f, 0, 0, 0x80, 0xff).buffer));
    const f16 = readSafetensors(buildTensor('F16', [2], 1, 0x7e, 0, 0xfc)).t.data;
    expectSameBits(f16, Uint16Array.of(0x7e01, 0xfc00));
    const bf16 = readSafetensors(buildTensor('BF16', [2], 0x81, 0x7f, 0x80, 0xff)).t.data;
    expectSameBits(bf16, new Float32Array(Uint32Array.of(0x7f810000, 0xff800000).buffer));
  });

  test.each([
    ['an ArrayBuffer', () => types.buffer],
    ['a view that starts at an odd byte', () => Uint8Array.of(0, ...types).subarray(1)],
    ['a DataView', () => new DataView(types.buffer)],
    ['a Buffer', () => Buffer.from(types)],
    [
      'shared memory',
      () => {
        const shared = new Uint8Array(new SharedArrayBuffer(types.length));
        shared.set(types);
        return shared.buffer;
      },
    ],
    ['another realm', () => vm.runInNewContext('Uint8Array.from(bytes).buffer', { bytes: types })],
  ])('from %s', (_, make) => {
    const again = readSafetensors(make());
    expect(Object.keys(again)).toEqual(Object.keys(tensors));
    for (const name of Object.keys(tensors)) expectSameBits(again[name].data, tensors[name].data);
  });

  test('the buffer is free afterwards', () => {
    const copy = types.slice();
    const own = readSafetensors(copy);
    copy.fill(0xff);
    for (const name of Object.keys(tensors)) expectSameBits(own[name].data, tensors[name].data);
  });

  test('no prototype', () => expect(Object.getPrototypeOf(tensors)).toBe(null));

  test('no tensors at all', () => {
    expect(readSafetensors(build({}))).toEqual({});
    expect(readSafetensors(build('{"__metadata__":{"a":"b"}}   \n'))).toEqual({});
  });
});

describe('writing', () => {
  test('and reading again', () => {
    const dict = {
      half: new Tensor([1, 2, 3], [3], 'float16'),
      float: new Tensor([0.1, NaN, -0, Infinity], [2, 2]),
      scalar: new Tensor([5], []),
      none: new Tensor([], [0, 4]),
      ['__proto__']: new Tensor([6], [1]),
    };
    const written = writeSafetensors(dict, { metadata: { format: 'pt' } });
    const again = readSafetensors(written);
    expect(Object.keys(again).sort()).toEqual(Object.keys(dict).sort());
    for (const name of Object.keys(dict)) {
      expect(again[name]).toMatchObject({ shape: dict[name].shape, dtype: dict[name].dtype });
      expectSameBits(again[name].data, dict[name].data);
    }
    const headerLength = Number(new DataView(written.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(written.subarray(8, 8 + headerLength)));
    expect(header.__metadata__).toEqual({ format: 'pt' });
    expect(headerLength % 8).toBe(0);
    expect(header.float.data_offsets[0] % 4).toBe(0);
  });

  test("a layer's state, also out of wasm memory", async () => {
    const runtime = await init({ threads: 1 });
    const layer = makeLayer({ inChannels: 4, outChannels: 6, kernelSize: 3, groups: 2 });
    const { weight, bias } = layer.stateDict();
    const other = new Conv1d({ inChannels: 4, outChannels: 6, kernelSize: 3, groups: 2 });
    other.loadStateDict(readSafetensors(writeSafetensors({ weight: weight.toWasm(), bias })));
    expectSameBits(other.weight.data, weight.data);
    expectSameBits(other.bias.data, bias.data);
    runtime.dispose();
  });

  const tensor = new Tensor([1], [1]);
  test.each([
    ['nothing', null, {}, 'ERR_STATE_DICT', 'dict', 'dict must be an object of tensors, got null'],
    ['a number', { a: 1 }, {}, 'ERR_STATE_DICT', 'a', "'a' must be a Tensor, got 1"],
    [
      'a reserved name',
      { __metadata__: tensor },
      {},
      'ERR_STATE_DICT',
      '__metadata__',
      "'__metadata__' is not a name for a tensor",
    ],
    ['options', { a: tensor }, null, 'ERR_OPTION', 'options', 'options must be an object, got null'],
    [
      'metadata',
      { a: tensor },
      { metadata: { a: 1 } },
      'ERR_OPTION',
      'metadata',
      'metadata must be an object of texts, got [object Object]',
    ],
  ])('refused: %s', (_, dict, options, code, field, message) => {
    expect(thrown(() => writeSafetensors(dict, options))).toMatchObject({ code, field, message });
  });
});

describe('refused', () => {
  const header = 'not a safetensors file: ';
  const f32 = { dtype: 'F32', shape: [1], data_offsets: [0, 4] };
  const shaped = (shape) => build({ t: { ...f32, shape } }, 4);
  const placed = (...offsets) => build({ t: { ...f32, data_offsets: offsets } }, 4);
  const names = 'F16, BF16, F32, F64, BOOL, I8, I16, I32, I64, U8, U16, U32, U64';
  test.each([
    ['no buffer', [1, 2], 'buffer', 'buffer must be an ArrayBuffer or a view of one, got [1, 2]'],
    ['an empty file', new ArrayBuffer(0), 'buffer', `${header}it has 0 bytes, fewer than 8`],
    ['a header of 1 GB', build({}, 0, 2 ** 30), 'buffer', `${header}its header of 1073741824 bytes exceeds 100000000`],
    [
      'a header of 2^60',
      build({}, 0, 2n ** 60n),
      'buffer',
      `${header}its header of 1152921504606847000 bytes exceeds 100000000`,
    ],
    ['a header too long', build({}, 0, 3), 'buffer', `${header}its header of 3 bytes exceeds the 2 that follow`],
    ['no header', build(''), 'buffer', `${header}its header does not start with '{'`],
    ['a space first', build(' {}'), 'buffer', `${header}its header does not start with '{'`],
    ['no JSON', build('{"a"'), 'buffer', `${header}its header is not JSON in UTF-8`],
    [
      'not UTF-8',
      build('{"aé":1}').map((byte) => (byte === 0xc3 ? 0xff : byte)),
      'buffer',
      `${header}its header is not JSON in UTF-8`,
    ],
    ['too deep', build(`{"a":${'['.repeat(1e6)}`), 'buffer', `${header}its header is not JSON in UTF-8`],
    [
      'offsets too deep to show',
      build(`{"t":{"dtype":"F32","shape":[],"data_offsets":${'['.repeat(1e5)}${']'.repeat(1e5)}}}`),
      't',
      "'t': data_offsets must be two integers, got [[[[...]]]]",
    ],
    [
      'a name twice',
      build(`{"a":${JSON.stringify(f32)}, "\\u0061" : ${JSON.stringify(f32)}}`, 4),
      'buffer',
      `${header}its header has 'a' twice`,
    ],
    [
      'a dtype twice',
      build('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      'buffer',
      `${header}its header has 'dtype' twice`,
    ],
    [
      'metadata of numbers',
      build({ __metadata__: { a: 1 } }),
      'buffer',
      `${header}__metadata__ must be an object of texts`,
    ],
    [
      'metadata in a list',
      build({ __metadata__: ['a'] }),
      'buffer',
      `${header}__metadata__ must be an object of texts`,
    ],
    ['no object', build({ t: 5 }), 't', "'t': it must be described by an object, got 5"],
    [
      'no dtype',
      build({ t: { shape: [1], data_offsets: [0, 4] } }, 4),
      't',
      `'t': dtype must be one of ${names}, got undefined`,
    ],
    [
      'a dtype of small floats',
      buildTensor('F8_E4M3', [1], 0),
      't',
      `'t': dtype must be one of ${names}, got 'F8_E4M3'`,
    ],
    ['an inherited dtype', buildTensor('toString', [1], 0), 't', `'t': dtype must be one of ${names}, got 'toString'`],
    ['no shape', shaped(undefined), 't', "'t': shape must be an array of integers >= 0, got undefined"],
    ['a negative shape', shaped([-1]), 't', "'t': shape[0] must be an integer >= 0, got -1"],
    ['a fraction', shaped([0.5, 2]), 't', "'t': shape[0] must be an integer >= 0, got 0.5"],
    [
      'too many elements',
      shaped([2 ** 32, 2 ** 32, 2 ** 32]),
      't',
      "'t': shape [4294967296, 4294967296, 4294967296] has more than 1073741823 elements",
    ],
    ['another size', shaped([2]), 't', "'t': 'F32' of shape [2] takes 8 bytes, got data_offsets [0, 4]"],
    ['one offset', placed(0), 't', "'t': data_offsets must be two integers, got [0]"],
    ['fractional offsets', placed(0, 4.5), 't', "'t': data_offsets must be two integers, got [0, 4.5]"],
    ['negative offsets', placed(-4, 0), 't', "'t': data_offsets must rise and lie in the data of 4 bytes, got [-4, 0]"],
    ['falling offsets', placed(4, 0), 't', "'t': data_offsets must rise and lie in the data of 4 bytes, got [4, 0]"],
    [
      'offsets beyond the end',
      placed(4, 8),
      't',
      "'t': data_offsets must rise and lie in the data of 4 bytes, got [4, 8]",
    ],
    ['an overlap', build({ a: entry(0, 8), b: entry(4, 12) }, 12), 'b', "'b': data_offsets must continue at 8, got 4"],
    [
      'the same bytes twice',
      build({ a: entry(0, 8), b: entry(0, 8) }, 8),
      'b',
      "'b': data_offsets must continue at 8, got 0",
    ],
    ['a hole', build({ a: entry(0, 4), b: entry(8, 12) }, 12), 'b', "'b': data_offsets must continue at 4, got 8"],
    ['bytes left over', build({ a: entry(0, 4) }, 5), 'buffer', `${header}its tensors have 4 bytes, its data 5`],
    ['2^24 + 1', buildTensor('I32', [1], 1, 0, 0, 1), 't', "'t': element 0 is no float32 number: 16777217"],
    [
      '2^63 - 1',
      buildTensor('I64', [1], ...Array(7).fill(255), 127),
      't',
      "'t': element 0 is no float32 number: 9223372036854775807n",
    ],
    [
      'a float64 beyond float32',
      buildTensor('F64', [1], 0, 0, 0, 0, 0, 0, 0xf0, 0x47),
      't',
      /^'t': element 0 is no float32 number: 3.40282366920938/,
    ],
  ])('%s', (_, buffer, field, message) => {
    const error = thrown(() => readSafetensors(buffer));
    expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field });
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
  });
});

test('damaged files are refused or read, and nothing else', () => {
  const random = makeRandom(7);
  const below = (limit) => Math.floor(random() * limit);
  let [refused, read] = [0, 0];
  for (let i = 0; i < 6000; ++i) {
    const damaged = types.slice(0, i % 3 === 0 ? below(types.length) : types.length);
    // Mostly in the header, which is the first half.
    for (let flips = below(4); flips > 0; --flips) damaged[below(damaged.length)] ^= 1 << below(8);
    let tensors;
    const error = thrown(() => (tensors = readSafetensors(damaged))); // any other error would be thrown on
    if (error) {
      expect(error.code).toBe('ERR_STATE_DICT');
      ++refused;
    } else {
      for (const tensor of Object.values(tensors)) expect(tensor.data.length).toBe(tensor.size);
      ++read;
    }
  }
  expect(refused).toBeGreaterThan(3000);
  expect(read).toBeGreaterThan(100);
});
