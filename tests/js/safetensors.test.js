// .safetensors files: what there is is read, what breaks the format is refused.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import {
  contentsOf,
  Conv1d,
  init,
  readNpy,
  readNpz,
  readSafetensors,
  readTorch,
  Tensor,
  writeSafetensors,
} from 'conv1d-wasm';
import { ascii } from './archive.js';
import { drawInteger, expectSameBits, fromRoot, makeLayer, makeRandom, readJson, rejected, thrown } from './support.js';

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

  test('floats are views of the buffer where they are aligned, copies elsewhere', () => {
    const aligned = build({ t: entry(0, 8), h: { dtype: 'F16', shape: [2], data_offsets: [8, 12] } }, 12);
    const shift = (bytes) => Uint8Array.of(...new Uint8Array((8 - (bytes.length % 8)) % 8), ...bytes);
    const file = shift(aligned).subarray(-aligned.length); // its data ends at a multiple of 8, and so starts at one of 4
    const own = readSafetensors(file);
    for (const name of ['t', 'h']) expect(own[name].data.buffer).toBe(file.buffer);
    expect(own.t).toBe(own.t);
    const odd = Uint8Array.of(0, ...file).subarray(1);
    for (const name of ['t', 'h']) expect(readSafetensors(odd)[name].data.buffer).not.toBe(odd.buffer);
  });

  test('as any other dictionary it may be changed', () => {
    const own = readSafetensors(types);
    const tensor = new Tensor([1], [1]);
    own.odd = tensor;
    delete own.empty;
    expect(own.odd).toBe(tensor);
    expect(Object.keys(own)).toEqual(Object.keys(expected).filter((name) => name !== 'empty'));
  });

  test('a buffer that went to a worker meanwhile', () => {
    const copy = types.slice();
    const own = readSafetensors(copy);
    structuredClone(copy.buffer, { transfer: [copy.buffer] });
    expect(thrown(() => own.odd)).toMatchObject({
      code: 'ERR_STATE_DICT',
      field: 'odd',
      message: "'odd': it can no longer be read: the buffer was transferred or resized",
    });
  });

  test('no prototype', () => expect(Object.getPrototypeOf(tensors)).toBe(null));

  test('no tensors at all', () => {
    expect(readSafetensors(build({}))).toEqual({});
    expect(readSafetensors(build('{"__metadata__":{"a":"b"}}   \n'))).toEqual({});
  });
});

describe('what cannot be a tensor', () => {
  const known = 'F16, BF16, F32, F64, BOOL, I8, I16, I32, I64, U8, U16, U32, U64';
  const file = build(
    {
      weight: entry(0, 8),
      phase: { dtype: 'C64', shape: [1], data_offsets: [8, 16] },
      tiny: { dtype: 'F8_E4M3', shape: [3], data_offsets: [16, 19] },
      packed: { dtype: 'F4', shape: [2], data_offsets: [19, 20] },
      toString: { dtype: 'toString', shape: [0], data_offsets: [20, 20] },
      counted: { dtype: 'I64', shape: [1], data_offsets: [20, 28] },
      huge: { dtype: 'BOOL', shape: [2 ** 30, 0, 1], data_offsets: [28, 28] },
    },
    28,
  );
  new DataView(file.buffer).setBigInt64(file.length - 8, 2n ** 24n + 1n, true);
  const refused = (dtype) => `dtype must be one of ${known}, got '${dtype}'`;

  test('is listed, not enumerated, and an error when asked for', () => {
    const tensors = readSafetensors(file);
    expect(Object.keys(tensors)).toEqual(['weight', 'counted', 'huge']);
    expect(contentsOf(tensors)).toEqual([
      { name: 'weight', dtype: 'F32', shape: [2] },
      { name: 'phase', dtype: 'C64', shape: [1], problem: refused('C64') },
      { name: 'tiny', dtype: 'F8_E4M3', shape: [3], problem: refused('F8_E4M3') },
      { name: 'packed', dtype: 'F4', shape: [2], problem: refused('F4') },
      { name: 'toString', dtype: 'toString', shape: [0], problem: refused('toString') },
      { name: 'counted', dtype: 'I64', shape: [1] },
      { name: 'huge', dtype: 'BOOL', shape: [2 ** 30, 0, 1] },
    ]);
    const error = { code: 'ERR_STATE_DICT', field: 'phase', got: 'C64', message: `'phase': ${refused('C64')}` };
    expect(thrown(() => tensors.phase)).toEqual(error);
    expect(thrown(() => readSafetensors(file, { names: ['weight', 'phase'] }))).toEqual(error);
  });

  test('a whole number that float32 does not have', () => {
    const tensors = readSafetensors(file);
    expect(tensors.weight.shape).toEqual([2]);
    for (let i = 0; i < 2; ++i) {
      expect(thrown(() => tensors.counted)).toMatchObject({
        field: 'counted',
        message: "'counted': element 0 is no float32 number: 16777217n",
      });
    }
  });

  test('a batch norm that has counted far', async () => {
    const runtime = await init({ threads: 1 });
    const dict = (fields) => Object.fromEntries(fields.map((name) => [name, new Tensor([1], [1])]));
    const plain = { 'c.weight': new Tensor([3], [1, 1, 1]), ...dict(['c.bias', 'n.running_mean', 'n.running_var']) };
    const saved = writeSafetensors(plain);
    const headerLength = Number(new DataView(saved.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(saved.subarray(8, 8 + headerLength)));
    const dataLength = saved.length - 8 - headerLength;
    header['n.num_batches_tracked'] = { dtype: 'I64', shape: [], data_offsets: [dataLength, dataLength + 8] };
    const counted = build(header, dataLength + 8);
    counted.set(saved.subarray(8 + headerLength), counted.length - dataLength - 8);
    counted.fill(0x7f, counted.length - 8);
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1 });
    layer.loadStateDict(readSafetensors(counted), { prefix: 'c.', batchNorm: { prefix: 'n.', eps: 0 } });
    expect([layer.weight.data[0], layer.bias.data[0]]).toEqual([3, 0]);
    runtime.dispose();
  });

  test('a shape beyond what a tensor can have', () => {
    const size = 2 ** 30;
    const large = new Uint8Array(8 + 80 + size);
    const text = JSON.stringify({ t: { dtype: 'BOOL', shape: [size], data_offsets: [0, size] } }).padEnd(80);
    large.set([80]);
    large.set(ascii(text), 8);
    const problem = `shape [${size}] has more than ${size - 1} elements`;
    expect(contentsOf(readSafetensors(large))).toEqual([{ name: 't', dtype: 'BOOL', shape: [size], problem }]);
  });

  test('contentsOf of something else', () => {
    expect(thrown(() => contentsOf({}))).toMatchObject({
      code: 'ERR_OPTION',
      field: 'tensors',
      message: 'tensors must be what readSafetensors, readNpz or readTorch gave, got [object Object]',
    });
  });
});

describe('choosing', () => {
  const names = ['a.weight', 'a.bias', 'b.weight'];
  const file = build(Object.fromEntries(names.map((name, i) => [name, entry(4 * i, 4 * i + 4)])), 12);
  const thrower = () => {
    throw new RangeError('mine');
  };

  test.each([
    ['all', {}, names],
    ['names', { names: ['b.weight', 'a.bias'] }, ['a.bias', 'b.weight']],
    ['prefix', { prefix: 'a.' }, ['a.weight', 'a.bias']],
    ['filter', { filter: (name) => name.endsWith('weight') }, ['a.weight', 'b.weight']],
    ['prefix and filter', { prefix: 'a.', filter: (name) => name.endsWith('weight') }, ['a.weight']],
    ['nothing', { prefix: 'c.' }, []],
  ])('%s', (_, options, chosen) => {
    const tensors = readSafetensors(file, options);
    expect(Object.keys(tensors)).toEqual(chosen);
    expect(contentsOf(tensors).map(({ name }) => name)).toEqual(chosen);
  });

  test.each([
    [{ names: ['a.weight', 'c'] }, 'ERR_STATE_DICT', 'c', "'c' is missing; there are ['a.weight']"],
    [{ names: 'a' }, 'ERR_OPTION', 'names', "names must be an array of strings, got 'a'"],
    [{ names: [1] }, 'ERR_OPTION', 'names', 'names must be an array of strings, got [1]'],
    [{ prefix: 1 }, 'ERR_OPTION', 'prefix', 'prefix must be a string, got 1'],
    [{ filter: 'a' }, 'ERR_OPTION', 'filter', "filter must be a function, got 'a'"],
    [5, 'ERR_OPTION', 'options', 'options must be an object, got 5'],
  ])('refused: %j', (options, code, field, message) => {
    expect(thrown(() => readSafetensors(file, options))).toMatchObject({ code, field, message });
  });

  test("a filter's own error goes through", () => {
    expect(() => readSafetensors(file, { filter: thrower })).toThrow(new RangeError('mine'));
  });
});

describe('files of other formats', () => {
  const padded = (text) => ascii(text.padEnd(200, ' '));
  const npz = file('stored.npz');
  test.each([
    [
      'a Git LFS pointer',
      padded('version https://git-lfs.github.com/spec/v1\noid sha256:0'),
      /^it is a Git LFS pointer to the file; run git lfs pull/,
    ],
    ['HTML', padded('<!DOCTYPE html><html>'), /^it is an HTML or XML page; the address may ask to log in/],
    ['HTML after blanks', padded('\n  <html lang="en">'), /^it is an HTML or XML page; /],
    ['HTML after a byte order mark', padded('\xef\xbb\xbf<head>'), /^it is an HTML or XML page; /],
    ['XML', padded('<?xml version="1.0"?><Error>'), /^it is an HTML or XML page; /],
    ['JSON', padded('{"weight_map": {'), /^it is JSON; .*index\.json/],
    ['gzip', padded('\x1f\x8b\b\0'), /^it is compressed by gzip; .*DecompressionStream/],
    ['GGUF', padded('GGUF\x03'), /^it is a GGUF file; .*\.safetensors/],
    ['HDF5', padded('\x89HDF\r\n\x1a\n'), /^it is an HDF5 file, as Keras's \.h5; .*h5py/],
    ['.npy', file('arrays.bin'), /^it is a \.npy file; readNpy reads it$/],
    ['.safetensors', types, /^it is a \.safetensors file; readSafetensors reads it$/],
    ['a ZIP archive', npz, /^it is a ZIP archive; readTorch .*, readNpz /],
    [
      "PyTorch's of old",
      file('legacy.pt'),
      /^it is a PyTorch file in the format of before 1\.6; load it with torch\.load/,
    ],
    ['a pickle', padded('\x80\x04\x95'), /^it is a Python pickle; save /],
  ])('%s', async (name, bytes, description) => {
    const errors = {
      '.safetensors': thrown(() => readSafetensors(bytes)),
      '.npy': thrown(() => readNpy(bytes)),
      '.npz': await rejected(readNpz(bytes)),
      '.pt': thrown(() => readTorch(bytes)),
    };
    for (const [reader, error] of Object.entries(errors)) {
      if (reader === name || (name === 'a ZIP archive' && ['.npz', '.pt'].includes(reader))) continue;
      expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field: 'buffer' });
      expect(error.message.replace(/^[^:]*: /, '')).toMatch(description);
    }
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
      "'t': dtype must be a string, got undefined",
    ],
    ['no shape', shaped(undefined), 't', "'t': shape must be an array of integers >= 0, got undefined"],
    ['a negative shape', shaped([-1]), 't', "'t': shape[0] must be an integer >= 0, got -1"],
    ['a fraction', shaped([0.5, 2]), 't', "'t': shape[0] must be an integer >= 0, got 0.5"],
    [
      'too many elements',
      shaped([2 ** 32, 2 ** 32]),
      't',
      "'t': 'F32' of shape [4294967296, 4294967296] takes 73786976294838210000 bytes, got data_offsets [0, 4]",
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
  ])('%s', (_, buffer, field, message) => {
    const error = thrown(() => readSafetensors(buffer));
    expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field });
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
  });
});

test.each([
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
])('a number that float32 does not have: %s', (_, buffer, field, message) => {
  const tensors = readSafetensors(buffer);
  const error = thrown(() => tensors.t);
  expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field });
  expect(error.message).toMatch(message);
});

test('damaged files are refused or read, and nothing else', () => {
  const random = makeRandom(7);
  const below = (limit) => drawInteger(random, 0, limit - 1);
  let [refused, read] = [0, 0];
  for (let i = 0; i < 6000; ++i) {
    const damaged = types.slice(0, i % 3 === 0 ? below(types.length) : types.length);
    // Mostly in the header, which is the first half.
    for (let flips = below(4); flips > 0; --flips) damaged[below(damaged.length)] ^= 1 << below(8);
    let tensors;
    // Any other error would be thrown on.
    const error = thrown(() => (tensors = { ...readSafetensors(damaged) }));
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
