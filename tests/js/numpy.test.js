// .npy and .npz files: what NumPy wrote is read, what breaks the formats is refused.
import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { contentsOf, Conv1d, init, readNpy, readNpz, Tensor } from 'conv1d-wasm';
import { ascii, buildZip, crc32 } from './archive.js';
import { drawInteger, expectSameBits, fromRoot, makeRandom, readJson, rejected, thrown } from './support.js';

const file = (name) => new Uint8Array(readFileSync(fromRoot(`tests/fixtures/weights/${name}`)));
const expected = readJson('tests/fixtures/weights/expected.json');
const arrays = file('arrays.bin');
const flat = (tensor) => [tensor.toArray()].flat(Infinity);

/** A .npy file of version 1 with this header, and this many bytes of data. */
function buildNpy(header, dataLength = 0, version = 1, headerLength = header.length) {
  const length = [headerLength & 255, headerLength >> 8];
  return Uint8Array.of(...ascii('\x93NUMPY'), version, 0, ...length, ...ascii(header), ...new Uint8Array(dataLength));
}

const header = (descr, shape = '(1,)', order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

describe('.npy', () => {
  test.each(expected.arrays.map((row) => [row.name, row]))('%s', (name, { begin, end, shape, values }) => {
    const tensor = readNpy(arrays.subarray(begin, end));
    expect(tensor).toMatchObject({ shape, dtype: name.startsWith('f2') ? 'float16' : 'float32', placement: 'js' });
    expect(flat(tensor)).toEqual(values.map(Math.fround));
  });

  test.each([
    ['other blanks', "{'shape':(1, 2 ,1),'descr':'<f4','fortran_order':False}", [1, 2, 1], 8],
    ["Python 2's long integers", header('<f4', '(2L, 1L)'), [2, 1], 8],
    ['no dimension', header('<f4', '()'), [], 4],
    ["the machine's byte order", header('=f4'), [1], 4],
    ['double quotes', '{"descr": "<f4", "fortran_order": False, "shape": (2,), }', [2], 8],
    ['quotes of both kinds', `{"descr": '<f4', 'fortran_order': False, "shape": (2,)}`, [2], 8],
  ])('%s', (_, text, shape, dataLength) => expect(readNpy(buildNpy(text, dataLength)).shape).toEqual(shape));

  test.each(['<f4', '=f4', '<f2'])('%s is read without a copy where it is aligned', (descr) => {
    const text = header(descr).padStart(118);
    const bytes = buildNpy(text, Number(descr.at(-1)));
    expect(readNpy(bytes).data.buffer).toBe(bytes.buffer);
    const shifted = Uint8Array.of(0, ...bytes).subarray(1);
    expect(readNpy(shifted).data.buffer).not.toBe(shifted.buffer);
    expectSameBits(readNpy(shifted).data, readNpy(bytes).data);
  });

  const strange = (text) => `'buffer': its header is not that of an array of numbers: '${text}'`;
  const types = 'f2, f4, f8, b1, i1, i2, i4, i8, u1, u2, u4, u8';
  test.each([
    ['no buffer', null, 'buffer must be an ArrayBuffer or a view of one, got null'],
    ['an empty file', new ArrayBuffer(0), "'buffer': it is not a .npy file"],
    ['another file', ascii('BM and more'), "'buffer': it is not a .npy file"],
    [
      'quotes that do not close',
      buildNpy(`{'descr": '<f4', 'fortran_order': False, 'shape': ()}`, 4),
      /^'buffer': its header is not/,
    ],
    ['version 4', buildNpy(header('<f4'), 4, 4), "'buffer': version must be 1, 2 or 3, got 4"],
    ['cut in the length', buildNpy('').subarray(0, 9), "'buffer': it ends after 9 bytes"],
    ['a header too long', buildNpy('{}', 0, 1, 3), "'buffer': its header cannot have 3 bytes"],
    [
      'a header of 4 GB',
      Uint8Array.of(...ascii('\x93NUMPY\x02\0'), 255, 255, 255, 255),
      "'buffer': its header cannot have 4294967295 bytes",
    ],
    ['an empty header', buildNpy('{}'), strange('{}')],
    ['no dictionary', buildNpy('[1]'), strange('[1]')],
    [
      'a key too many',
      buildNpy("{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': True}", 4),
      /^'buffer': its header is not/,
    ],
    [
      'a record',
      buildNpy("{'descr': [('a', [('b', '<f4')]), ('c', '<i2', (2,))], 'fortran_order': False, 'shape': (1,)}", 8),
      `'buffer': dtype must be one of ${types} with its byte order, got '[('a', [('b', '<f4')]), ('c', '<i2', (2,))]'`,
    ],
    ['code', buildNpy("{'descr': '<f4', 'fortran_order': f(), 'shape': (1,)}", 4), /^'buffer': its header is not/],
    [
      'more after it',
      buildNpy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + 1", 4),
      /^'buffer': its header is not/,
    ],
    ['a negative extent', buildNpy(header('<f4', '(-1,)'), 4), /^'buffer': its header is not/],
    [
      'complex numbers',
      buildNpy(header('<c8'), 8),
      `'buffer': dtype must be one of ${types} with its byte order, got '<c8'`,
    ],
    ['objects', buildNpy(header('|O'), 8), `'buffer': dtype must be one of ${types} with its byte order, got '|O'`],
    [
      'no byte order',
      buildNpy(header('|f4'), 4),
      `'buffer': dtype must be one of ${types} with its byte order, got '|f4'`,
    ],
    [
      'too many elements',
      buildNpy(header('|b1', '(2147483648,)')),
      "'buffer': '|b1' of shape [2147483648] takes 2147483648 bytes, there are 0",
    ],
    ['too few bytes', buildNpy(header('<f4'), 3), "'buffer': '<f4' of shape [1] takes 4 bytes, there are 3"],
    ['too many bytes', buildNpy(header('<f4'), 5), "'buffer': '<f4' of shape [1] takes 4 bytes, there are 5"],
    [
      '2^24 + 1',
      Uint8Array.of(...buildNpy(header('>i4')), 1, 0, 0, 1),
      "'buffer': element 0 is no float32 number: 16777217",
    ],
  ])('refused: %s', (_, buffer, message) => {
    const error = thrown(() => readNpy(buffer));
    expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field: 'buffer' });
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
  });
});

describe('.npz', () => {
  describe.each(['stored.npz', 'deflated.npz'])('%s', (name) => {
    let tensors;
    beforeAll(async () => (tensors = await readNpz(file(name))));

    test('names, and no prototype', () => {
      expect(Object.keys(tensors)).toEqual(Object.keys(expected.archive));
      expect(Object.getPrototypeOf(tensors)).toBe(null);
    });

    test.each(Object.keys(expected.archive))('%s', (key) => {
      const { shape, values } = expected.archive[key];
      expect(tensors[key].shape).toEqual(shape);
      expect(flat(tensors[key])).toEqual(values);
    });

    test('a layer takes it', async () => {
      const runtime = await init({ threads: 1 });
      const layer = new Conv1d({ inChannels: 3, outChannels: 4, kernelSize: 5 });
      layer.loadStateDict({ weight: tensors.weight, bias: tensors.bias });
      expectSameBits(layer.weight.data, tensors.weight.data);
      expect(flat(layer.bias)).toEqual([0, 1, 2, 3]);
      runtime.dispose();
    });
  });

  const data = buildNpy(header('<f4', '(1000,)'), 4000);
  const crc = crc32(data);
  const plain = { name: 'a.npy', data, crc };
  const packed = { ...plain, stored: deflateRawSync(data), method: 8 };

  test.each([
    ['stored', buildZip([plain])],
    ['deflated', buildZip([packed])],
    ['two members', buildZip([plain, { ...packed, name: 'b.npy' }])],
    ['a comment', Uint8Array.of(...buildZip([plain]).slice(0, -2), 3, 0, ...ascii('PK!'))],
    [
      'ZIP64 sizes',
      buildZip([packed], (member) => {
        member.extra = [0xff, 0xff, 1, 0, 0, 1, 0, 16, 0, ...bytes64(member.size), ...bytes64(member.compressedSize)];
        member.size = member.compressedSize = 0xffffffff;
      }),
    ],
  ])('%s', async (_, archive) => expect((await readNpz(archive)).a.shape).toEqual([1000]));

  test('a ZIP64 end record', async () => {
    const archive = buildZip([packed]);
    const [rest, end] = [archive.slice(0, -22), archive.slice(-22)];
    const start = end.slice(16, 20);
    end.fill(0xff, 16, 20);
    const end64 = [...ascii('PK\x06\x06'), ...new Uint8Array(28), ...bytes64(1), ...bytes64(0), ...start, 0, 0, 0, 0];
    const locator = [...ascii('PK\x06\x07'), 0, 0, 0, 0, ...bytes64(rest.length), 1, 0, 0, 0];
    expect((await readNpz(Uint8Array.of(...rest, ...end64, ...locator, ...end))).a.shape).toEqual([1000]);
    locator[8] ^= 1;
    expect(await rejected(readNpz(Uint8Array.of(...rest, ...end64, ...locator, ...end)))).toMatchObject({
      code: 'ERR_STATE_DICT',
      message: `not a ZIP archive: there is no ZIP64 end record at ${rest.length ^ 1}`,
    });
  });

  test('an odd name', async () => {
    const tensors = await readNpz(buildZip([{ ...plain, name: '__proto__.npy' }]));
    expect(Object.keys(tensors)).toEqual(['__proto__']);
    expect(tensors.__proto__).toBeInstanceOf(Tensor);
  });

  test.each([
    ['stored', plain],
    ['deflated', packed],
  ])('a wrong checksum, %s: refused when the array is asked for', async (_, member) => {
    const members = [
      { ...member, crc: 1 },
      { ...plain, name: 'b.npy' },
    ];
    const tensors = await readNpz(buildZip(members));
    expect(tensors.b.shape).toEqual([1000]);
    expect(thrown(() => tensors.a)).toMatchObject({
      code: 'ERR_STATE_DICT',
      field: 'buffer',
      message: "not a ZIP archive: the checksum of 'a.npy' is wrong",
    });
  });

  describe('what cannot be a tensor', () => {
    const member = (name, data) => ({ name, data });
    const archive = buildZip([
      plain,
      member('complex.npy', buildNpy(header('<c8'), 8)),
      member('objects.npy', buildNpy(header('|O'), 33)),
      member('texts.npy', buildNpy(header('<U5'), 20)),
      member('records.npy', buildNpy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4)),
      member('pairs.npy', buildNpy("{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (1,)}", 8)),
      member('config.json', ascii('{}')),
    ]);
    const isNumber = 'dtype must be one of f2, f4, f8, b1, i1, i2, i4, i8, u1, u2, u4, u8 with its byte order, got ';

    test('is listed, not enumerated, and an error when asked for', async () => {
      const tensors = await readNpz(archive);
      expect(Object.keys(tensors)).toEqual(['a']);
      expect({ ...tensors }.a).toBe(tensors.a);
      expect(contentsOf(tensors)).toEqual([
        { name: 'a', dtype: '<f4', shape: [1000] },
        { name: 'complex', dtype: '<c8', shape: [1], problem: `${isNumber}'<c8'` },
        { name: 'objects', dtype: '|O', shape: [1], problem: `${isNumber}'|O'` },
        { name: 'texts', dtype: '<U5', shape: [1], problem: `${isNumber}'<U5'` },
        { name: 'records', dtype: "[('x', '<f4')]", shape: [1], problem: `${isNumber}'[('x', '<f4')]'` },
        {
          name: 'pairs',
          dtype: 'unknown',
          problem:
            "its header is not that of an array of numbers: '{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (1...'",
        },
        { name: 'config.json', dtype: 'file', problem: 'it is not a .npy file' },
      ]);
      expect(thrown(() => tensors['config.json'])).toEqual({
        code: 'ERR_STATE_DICT',
        field: 'config.json',
        got: 'file',
        message: "'config.json': it is not a .npy file",
      });
    });

    test('by name', async () => {
      const error = await rejected(readNpz(archive, { names: ['a', 'complex'] }));
      expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field: 'complex', got: '<c8' });
    });
  });

  describe('what is not chosen', () => {
    const damaged = { ...packed, name: 'b.npy', stored: ascii('\x07nonsense') };

    test.each([
      ['names', { names: ['a'] }],
      ['prefix', { prefix: 'a' }],
      ['filter', { filter: (name) => name !== 'b' }],
    ])('is not inflated: %s', async (_, options) => {
      const tensors = await readNpz(buildZip([packed, damaged]), options);
      expect(Object.keys(tensors)).toEqual(['a']);
      expect(contentsOf(tensors)).toHaveLength(1);
      expect((await rejected(readNpz(buildZip([packed, damaged])))).message).toMatch(/'b.npy' cannot be inflated$/);
    });

    test('does not count towards maxBytes, nor does what is not compressed', async () => {
      const archive = buildZip([packed, { ...packed, name: 'b.npy' }, { ...plain, name: 'c.npy' }]);
      const maxBytes = data.length;
      expect(Object.keys(await readNpz(archive, { names: ['b', 'c'], maxBytes }))).toEqual(['b', 'c']);
      expect(await rejected(readNpz(archive, { maxBytes }))).toEqual({
        code: 'ERR_STATE_DICT',
        field: 'buffer',
        got: 2 * data.length,
        message: `its arrays inflate to ${2 * data.length} bytes, and maxBytes is ${data.length}`,
      });
      expect(Object.keys(await readNpz(archive, { maxBytes: Infinity }))).toHaveLength(3);
    });
  });

  test.each([
    [{ maxBytes: -1 }, 'maxBytes', 'maxBytes must be a number >= 0, got -1'],
    [{ maxBytes: '1' }, 'maxBytes', "maxBytes must be a number >= 0, got '1'"],
    [{ maxBytes: NaN }, 'maxBytes', 'maxBytes must be a number >= 0, got NaN'],
    [{ names: 'a' }, 'names', "names must be an array of strings, got 'a'"],
    [null, 'options', 'options must be an object, got null'],
  ])('options %j', async (options, field, message) => {
    expect(await rejected(readNpz(buildZip([plain]), options))).toMatchObject({ code: 'ERR_OPTION', field, message });
  });

  const no = 'not a ZIP archive: ';
  const changed = (change, member = packed) => buildZip([member], (entry) => Object.assign(entry, change));
  const bomb = deflateRawSync(new Uint8Array(2 ** 24));
  test.each([
    ['no buffer', 'a', 'buffer', "buffer must be an ArrayBuffer or a view of one, got 'a'"],
    ['an empty file', new ArrayBuffer(0), 'buffer', `${no}it has no end record`],
    ['a .npy file', data, 'buffer', `${no}it is a .npy file; readNpy reads it`],
    ['cut at the end', buildZip([plain]).slice(0, -1), 'buffer', `${no}it has no end record`],
    ['cut at the start', buildZip([plain]).slice(1), 'buffer', /^not a ZIP archive: there is no directory entry at/],
    ['no member there', changed({ offset: 7 }), 'buffer', `${no}there is no member 'a.npy' at 7`],
    ['a member beyond the end', changed({ offset: 2 ** 31 }), 'buffer', /^not a ZIP archive: bytes 2147483648 to /],
    ['no ZIP64 field', changed({ size: 0xffffffff }), 'buffer', `${no}a ZIP64 size is missing`],
    ['a name twice', buildZip([plain, plain]), 'buffer', `${no}it has 'a.npy' twice`],
    ['encrypted', changed({ flags: 1 }), 'buffer', `${no}'a.npy' is encrypted`],
    [
      'another method',
      changed({ method: 12 }),
      'buffer',
      `${no}'a.npy' is compressed by method 12, neither stored nor deflated`,
    ],
    ['a size too small', changed({ size: 4 }), 'buffer', `${no}'a.npy' inflates to more than 4 bytes`],
    [
      'a size too large',
      changed({ size: 2 ** 26 }),
      'buffer',
      `${no}'a.npy' has ${data.length} bytes, the directory says 67108864`,
    ],
    [
      'a stored size that differs',
      changed({ size: 4 }, plain),
      'buffer',
      `${no}'a.npy' has ${data.length} bytes, the directory says 4`,
    ],
    [
      'a bomb',
      buildZip([{ ...packed, stored: bomb }]),
      'buffer',
      `${no}'a.npy' inflates to more than ${data.length} bytes`,
    ],
    [
      'nothing deflated',
      changed({}, { ...packed, stored: ascii('\x07nonsense') }),
      'buffer',
      `${no}'a.npy' cannot be inflated`,
    ],
    [
      'members in one another',
      buildZip(
        Array.from({ length: 9 }, (_, i) => ({ ...plain, name: `${i}.npy`, stored: i ? [] : data })),
        (m) => Object.assign(m, { offset: 0, compressedSize: data.length }),
      ),
      'buffer',
      `${no}its members overlap`,
    ],
    [
      'only other files inside',
      buildZip([{ ...plain, name: 'a.txt' }]),
      'buffer',
      "not a .npz file: it has no .npy file but ['a.txt']",
    ],
    [
      "PyTorch's file",
      file('protocol4.pt'),
      'buffer',
      /^not a \.npz file: it has no \.npy file but .*; it is from PyTorch: readTorch reads it$/,
    ],
    [
      'a size beyond the default',
      changed({ size: 2 ** 26 + 1 }),
      'buffer',
      'its arrays inflate to 67108865 bytes, and maxBytes is 67108864',
    ],
    [
      'a name twice for the reader',
      buildZip([plain, { ...plain, name: 'a.npy.npy' }, { ...plain, name: 'a' }]),
      'a',
      "there are two of 'a'",
    ],
    [
      'a wrong array',
      buildZip([{ ...plain, data: ascii('?'), crc: crc32(ascii('?')) }]),
      'a',
      "'a': it is not a .npy file",
    ],
  ])('refused: %s', async (_, archive, field, message) => {
    const error = await rejected(readNpz(archive));
    expect(error).toMatchObject({ code: 'ERR_STATE_DICT', field });
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
  });
});

function bytes64(value) {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}

describe('damaged files are refused or read, and nothing else', () => {
  const random = makeRandom(7);
  const below = (limit) => drawInteger(random, 0, limit - 1);

  function damage(bytes, i, reach = bytes.length) {
    const damaged = bytes.slice(0, i % 3 === 0 ? below(bytes.length) : bytes.length);
    for (let flips = below(4); flips > 0; --flips) damaged[below(Math.min(reach, damaged.length))] ^= 1 << below(8);
    return damaged;
  }

  test('.npy', () => {
    let refused = 0;
    for (let i = 0; i < 6000; ++i) {
      const { begin, end } = expected.arrays[i % expected.arrays.length];
      const error = thrown(() => readNpy(damage(arrays.subarray(begin, end), i, 100)));
      if (error) expect(error.code).toBe('ERR_STATE_DICT');
      refused += error ? 1 : 0;
    }
    expect(refused).toBeGreaterThan(3000);
    expect(refused).toBeLessThan(6000);
  });

  test.each(['stored.npz', 'deflated.npz'])('%s', async (name) => {
    const archive = file(name);
    const results = [];
    const readAll = async (bytes) => void Object.values(await readNpz(bytes));
    for (let i = 0; i < 1500; ++i) results.push(await rejected(readAll(damage(archive, i))));
    const refused = results.filter((error) => error !== null);
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['ERR_STATE_DICT']));
    expect(refused.length).toBeGreaterThan(700);
    expect(refused.length).toBeLessThan(1500);
  });
});
