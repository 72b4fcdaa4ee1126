// PyTorch's own files: what torch.save wrote is read, and nothing in them is ever run.
import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { contentsOf, Conv1d, init, readTorch } from 'conv1d-wasm';
import { ascii, buildZip } from './archive.js';
import { drawInteger, fromRoot, makeRandom, readJson, thrown } from './support.js';

const file = (name) => new Uint8Array(readFileSync(fromRoot(`tests/fixtures/weights/${name}.pt`)));
const expected = readJson('tests/fixtures/weights/expected.json').torch;
const checkpoint = file('checkpoint');
const flat = (tensor) => [tensor.toArray()].flat(Infinity);

/** The pickle of `parts`, bytes as texts, of protocol 2. */
const pickled = (...parts) => ascii(`\x80\x02${parts.join('')}.`);

const u32 = (value) => String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24);
const text = (value) => `X${u32(value.length)}${value}`;
const global = (name) => `c${name.slice(0, name.lastIndexOf('.'))}\n${name.slice(name.lastIndexOf('.') + 1)}\n`;
const int = (value) => `J${u32(value)}`;
const tuple = (...items) => `(${items.join('')}t`;
const call = (name, ...args) => `${global(name)}${tuple(...args)}R`;
const dictionary = (entries) =>
  `}(${Object.entries(entries)
    .flatMap(([key, value]) => [text(key), value])
    .join('')}u`;

/** A file with this pickle and these storages. */
const archive = (pickle, storages = {}, more = []) =>
  buildZip([
    { name: 'file/data.pkl', data: pickle },
    ...Object.entries(storages).map(([key, data]) => ({ name: `file/data/${key}`, data })),
    ...more,
  ]);

const storage = (type, key = '0', count = 4) =>
  `${tuple(text('storage'), global(type), text(key), text('cpu'), int(count))}Q`;
const ints = (values) => tuple(...values.map(int));

function tensor({
  type = 'torch.FloatStorage',
  key = '0',
  offset = 0,
  shape = [4],
  strides = [1],
  version = 2,
  more = [],
}) {
  const args = [storage(type, key), int(offset), ints(shape), ints(strides), '\x89', call('collections.OrderedDict')];
  return call(`torch._utils._rebuild_tensor_v${version}`, ...args, ...more);
}

const floats = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const fileOf = (given, storages = { 0: floats }) => archive(pickled(dictionary({ t: tensor(given) })), storages);

describe('what torch.save wrote', () => {
  const tensors = readTorch(checkpoint);

  test('names', () => {
    const unnamed = ['too large'];
    expect(Object.keys(tensors)).toEqual([...Object.keys(expected.checkpoint), ...unnamed]);
    expect(Object.getPrototypeOf(tensors)).toBe(null);
  });

  test.each(Object.keys(expected.checkpoint))('%s', (name) => {
    const { shape, values } = expected.checkpoint[name];
    const dtype = /float16$|halves/.test(name) && !name.includes('bfloat') ? 'float16' : 'float32';
    expect(tensors[name]).toMatchObject({ shape, dtype, placement: 'js' });
    expect(flat(tensors[name])).toEqual(values.map(Math.fround));
    expect(tensors[name]).toBe(tensors[name]);
  });

  test('numbers and texts', () => {
    const values = Object.fromEntries(contentsOf(tensors).map(({ name, value }) => [name, value]));
    expect(values).toMatchObject({ ...expected.plain, large: 2n ** 70n });
    expect(values).toMatchObject({ 'size.0': 2, 'size.1': 3, device: 'cpu', 'counts.5': 2, 'list.1.1': 3 });
    expect(values).toMatchObject({ 'optimizer.param_groups.0.lr': 0.001, 'optimizer.param_groups.0.params.1': 1 });
  });

  test('what cannot be a tensor is listed, and an error when asked for', () => {
    const problems = Object.fromEntries(
      contentsOf(tensors).map(({ name, dtype, problem }) => [name, [dtype, problem]]),
    );
    expect(problems).toMatchObject({
      'model.0.weight': ['float32', undefined],
      complex64: ['complex64', /^dtype must be one of float16, .*, got 'complex64'$/],
      dtype: ['torch.float16', 'it is torch.float16, not a tensor'],
      epoch: ['number', 'it is a number, not a tensor: 3'],
      nothing: ['null', 'it is null, not a tensor'],
      name: ['string', "it is a string, not a tensor: 'größe'"],
    });
    expect(thrown(() => tensors.epoch)).toEqual({
      code: 'ERR_STATE_DICT',
      field: 'epoch',
      got: 'number',
      message: "'epoch': it is a number, not a tensor: 3",
    });
    expect(thrown(() => tensors['too large']).message).toBe("'too large': element 0 is no float32 number: 16777217n");
    expect(thrown(() => readTorch(checkpoint, { names: ['complex64'] }))).toMatchObject({ field: 'complex64' });
  });

  test('choosing', () => {
    expect(Object.keys(readTorch(checkpoint, { prefix: 'model.0.' }))).toEqual(['model.0.weight', 'model.0.bias']);
    expect(Object.keys(readTorch(checkpoint, { names: ['scalar', 'list.0'] }))).toEqual(['scalar', 'list.0']);
  });

  test('a layer takes it', async () => {
    const runtime = await init({ threads: 1 });
    const layer = new Conv1d({ inChannels: 2, outChannels: 3, kernelSize: 2 });
    layer.loadStateDict(tensors, { prefix: 'model.0.', batchNorm: { prefix: 'model.1.' } });
    layer.loadStateDict(tensors, { prefix: 'model.0.' });
    expect(flat(layer.weight)).toEqual(expected.checkpoint['model.0.weight'].values.map(Math.fround));
    runtime.dispose();
  });

  test('float32 tensors are views of the buffer, shared storages too', () => {
    expect(tensors['views.whole'].data.buffer).toBe(checkpoint.buffer);
    expect(tensors['views.row'].data.byteOffset - tensors['views.whole'].data.byteOffset).toBe(48);
    expect(tensors['views.transposed'].data.buffer).not.toBe(checkpoint.buffer);
  });

  test.each(['shared memory', 'an odd address'])('in %s', (where) => {
    const copy = where === 'shared memory' ? new Uint8Array(new SharedArrayBuffer(checkpoint.length)) : null;
    copy?.set(checkpoint);
    const again = readTorch(copy ?? Uint8Array.of(0, ...checkpoint).subarray(1));
    for (const name of Object.keys(expected.checkpoint)) expect(flat(again[name])).toEqual(flat(tensors[name]));
  });

  test('protocol 4', () => {
    const state = readTorch(file('protocol4'));
    expect(Object.keys(state)).toEqual(Object.keys(expected.state));
    for (const [name, { values }] of Object.entries(expected.state)) expect(flat(state[name])).toEqual(values);
  });

  test('big-endian, one tensor alone', () => {
    const alone = readTorch(file('big-endian'));
    expect(Object.keys(alone)).toEqual(['']);
    expect(alone['']).toMatchObject({ shape: expected.alone[''].shape });
    expect(flat(alone[''])).toEqual(expected.alone[''].values);
  });
});

describe('what other versions of PyTorch write', () => {
  const read = (pickle, storages = { 0: floats }) => readTorch(archive(pickled(dictionary({ t: pickle })), storages)).t;

  test.each([
    ['uint32', [1, 0, 0, 0, 2, 0, 0, 0], [1, 2]],
    ['uint16', [1, 0, 0, 1], [1, 256]],
    ['float32', [...floats], [1, 2, 3, 4]],
  ])('a dtype without a storage class: %s', (dtype, bytes, values) => {
    const given = { type: 'torch.storage.UntypedStorage', shape: [values.length], version: 3 };
    const more = [global(`torch.${dtype}`)];
    expect(flat(read(tensor({ ...given, more }), { 0: Uint8Array.from(bytes) }))).toEqual(values);
  });

  test('float8 is listed', () => {
    const given = { type: 'torch.storage.UntypedStorage', version: 3, more: [global('torch.float8_e4m3fn')] };
    expect(contentsOf(readTorch(fileOf(given)))).toMatchObject([{ name: 't', dtype: 'float8_e4m3fn', shape: [4] }]);
  });

  test('parameters with a state, tensors with attributes', () => {
    const hooks = call('collections.OrderedDict');
    const parameter = call('torch._utils._rebuild_parameter_with_state', tensor({}), '\x89', hooks, '}');
    expect(flat(read(parameter))).toEqual([1, 2, 3, 4]);
    const args = tuple(storage('torch.FloatStorage'), int(1), ints([2]), ints([1]), '\x89', hooks);
    const make = [global('torch._utils._rebuild_tensor_v2'), global('torch.nn.parameter.Parameter'), args, '}'];
    expect(flat(read(call('torch._tensor._rebuild_from_type_v2', ...make)))).toEqual([2, 3]);
  });

  test('a sign that is still to be changed is not passed over', () => {
    const given = { more: [`}${text('neg')}\x88s`] };
    expect(contentsOf(readTorch(fileOf(given)))[0].problem).toMatch(/^its sign is still to be changed: .*resolve_neg/);
    expect(flat(readTorch(fileOf({ more: [`}${text('neg')}\x89s`] })).t)).toEqual([1, 2, 3, 4]);
  });

  test('a checksum that was left out', () => {
    const data = pickled(dictionary({ t: tensor({}) }));
    const members = [
      { name: 'file/data.pkl', data, crc: 1 },
      { name: 'file/data/0', data: floats, crc: 2 },
    ];
    expect(flat(readTorch(buildZip(members)).t)).toEqual([1, 2, 3, 4]);
  });
});

describe('refused', () => {
  const no = 'not a PyTorch file to be read here: ';
  const foreign = (name) =>
    `${no}it holds '${name}', which is no part of a state dict and is never run; save the tensors alone: torch.save(model.state_dict(), file)`;
  const cut = /its pickle is cut or damaged at byte \d+$/;
  const pickleOf = (...parts) => archive(pickled(...parts));
  const evil = { 'posix.system': text('touch /tmp/gotcha'), 'builtins.eval': text('1'), '__builtin__.exec': text('1') };

  test.each([
    ...Object.entries(evil).map(([name, arg]) => [name, pickleOf(call(name, arg)), foreign(name)]),
    ['a name on the stack', pickleOf(text('os'), text('popen'), '\x93)R'), foreign('os.popen')],
    [
      'a class of the library itself',
      pickleOf(global('torch.nn.modules.conv.Conv1d')),
      foreign('torch.nn.modules.conv.Conv1d'),
    ],
    ['a name of JavaScript', pickleOf(global('.constructor')), foreign('.constructor')],
    ['an inherited name', pickleOf(global('__proto__.toString')), foreign('__proto__.toString')],
    ['a whole module', file('module'), foreign('torch.nn.modules.conv.Conv1d')],
    ['a call of what is no function', pickleOf(global('torch.float32'), ')R'), `${no}its pickle calls 'torch.float32'`],
    ['a call of a number', pickleOf('K\x01)R'), `${no}its pickle calls 1`],
    ['no arguments', pickleOf(global('torch.Size'), ')R'), cut],
    ['arguments that are no tuple', pickleOf(global('torch.Size'), 'K\x01R'), cut],
    ['names that are numbers', pickleOf('K\x01K\x01\x93'), cut],
    ['an opcode of protocol 0', pickleOf('I1\n'), /opcode 73 at byte 2, which is not read here$/],
    ['an extension registry', pickleOf('\x82\x01'), /opcode 130 at byte 2, which is not read here$/],
    ['nothing', archive(new Uint8Array(0)), cut],
    ['an empty stack', pickleOf(''), cut],
    ['a tuple out of nothing', pickleOf('\x87'), cut],
    ['a list that was not opened', pickleOf('t'), cut],
    ['appending to a number', pickleOf('K\x01K\x02a'), cut],
    ['entries of a list', pickleOf('](K\x01K\x02u'), cut],
    ['a value that was never kept', pickleOf('h\x07'), cut],
    ['a text beyond the end', pickleOf('X\xff\xff\xff\xff'), cut],
    ['a text that is not UTF-8', pickleOf('X\x01\0\0\0\xff'), cut],
    ['a name beyond the end', pickleOf('cposix'), cut],
    ['a reference to nothing', pickleOf('K\x01Q'), `${no}its pickle refers to 1`],
    [
      'a reference to another kind',
      pickleOf(`${tuple(text('module'), text('x'))}Q`),
      `${no}its pickle refers to ['module', 'x']`,
    ],
    ['a storage that is missing', fileOf({ key: '1' }), `${no}the storage '1' is missing`],
    ['a storage elsewhere', fileOf({ key: '../data.pkl' }), `${no}the storage '../data.pkl' is missing`],
    ['a tensor of nothing', pickleOf(call('torch._utils._rebuild_tensor_v2', 'N')), `${no}a tensor lies in null`],
    ['an offset before the start', fileOf({ offset: -1 }), `${no}a tensor has offset -1, shape [4] and strides [1]`],
    ['a negative stride', fileOf({ strides: [-1] }), `${no}a tensor has offset 0, shape [4] and strides [-1]`],
    ['a stride too few', fileOf({ shape: [2, 2] }), `${no}a tensor has offset 0, shape [2, 2] and strides [1]`],
    ['an offset too far', fileOf({ offset: 1 }), /, and its storage 16 bytes$/],
    ['a stride too far', fileOf({ strides: [2] }), /, and its storage 16 bytes$/],
    [
      'a shape beyond all',
      fileOf({ shape: Array(99).fill(2 ** 30), strides: Array(99).fill(2 ** 30) }),
      /, and its storage 16 bytes$/,
    ],
    [
      'a tensor made by something else',
      pickleOf(call('torch._tensor._rebuild_from_type_v2', 'N', 'N', ')', 'N')),
      /^.*a tensor is made by null of \[\]$/,
    ],
    ['a name twice', archive(pickled('}(K\x01K\x01', text('1'), 'K\x02u')), "there are two of '1'"],
    ['a list within itself', pickleOf(']q\0h\0a'), `${no}its lists and dictionaries hold too much, or themselves`],
    [
      'lists that double',
      pickleOf(
        ']q\0',
        Array.from(
          { length: 60 },
          (_, i) => `](h${String.fromCharCode(i)}h${String.fromCharCode(i)}eq${String.fromCharCode(i + 1)}`,
        ).join(''),
      ),
      `${no}its lists and dictionaries hold too much, or themselves`,
    ],
    ['a TorchScript program', file('script'), /it is a TorchScript program; save its tensors alone/],
    [
      "NumPy's archive",
      new Uint8Array(readFileSync(fromRoot('tests/fixtures/weights/stored.npz'))),
      /it has no data\.pkl but .*; it is from NumPy: readNpz reads it$/,
    ],
    ['another archive', buildZip([{ name: 'a.txt', data: [] }]), `${no}it has no data.pkl but ['a.txt']`],
    [
      'a compressed pickle',
      buildZip([{ name: 'f/data.pkl', data: pickled('N'), stored: deflateRawSync(pickled('N')), method: 8 }]),
      "not a ZIP archive: 'f/data.pkl' is compressed by method 8, and should be stored as it is",
    ],
    [
      'the format of before 1.6',
      file('legacy'),
      /it is a PyTorch file in the format of before 1\.6; load it with torch\.load and save it again/,
    ],
  ])('%s', (_, bytes, message) => {
    const error = thrown(() => readTorch(bytes));
    expect(error).toMatchObject({ code: 'ERR_STATE_DICT' });
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
  });

  test('a nested tower of lists', () => {
    const [entry] = contentsOf(readTorch(pickleOf(`${']'.repeat(2000)}${'a'.repeat(1999)}`))).concat(null);
    expect(entry).toBe(null);
    const error = thrown(() => readTorch(pickleOf(`${']'.repeat(1e5)}K\x01${'a'.repeat(1e5)}`)));
    expect(error.message).toBe(`${no}its lists and dictionaries hold too much, or themselves`);
  });

  test('a small storage expanded without end', () => {
    const expanded = (shape) => readTorch(fileOf({ shape, strides: shape.map(() => 0) }));
    expect(flat(expanded([3, 2]).t)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(contentsOf(expanded([2 ** 25]))[0].problem).toMatch(/^it is expanded from 1 elements to 33554432: /);
    expect(contentsOf(expanded([2 ** 20, 2 ** 20]))[0].problem).toMatch(/^shape .* has more than 1073741823 elements$/);
  });
});

describe('damaged files are refused or read, and nothing else', () => {
  const random = makeRandom(9);
  const below = (limit) => drawInteger(random, 0, limit - 1);
  const start = checkpoint.indexOf(0x80); // of the pickle

  test('cut or with wrong bits', () => {
    const results = { refused: 0, read: 0 };
    for (let i = 0; i < 2000; ++i) {
      const damaged = checkpoint.slice(0, i % 4 === 0 ? below(checkpoint.length) : checkpoint.length);
      // Mostly in the pickle, which comes first.
      for (let flips = 1 + below(3); flips > 0; --flips)
        damaged[start + below(Math.min(3500, damaged.length))] ^= 1 << below(8);
      const error = thrown(() => ({ ...readTorch(damaged, { filter: (name) => name !== 'too large' }) })); // any other error would be thrown on
      if (error) expect(error.code).toBe('ERR_STATE_DICT');
      ++results[error ? 'refused' : 'read'];
    }
    expect(results.refused).toBeGreaterThan(1000);
    expect(results.read).toBeGreaterThan(100);
  });

  test('every length of a pickle', () => {
    const whole = pickled(dictionary({ t: tensor({}), n: int(5) }));
    for (let length = 0; length < whole.length; ++length) {
      const error = thrown(() => readTorch(archive(whole.slice(0, length), { 0: floats })));
      expect(error.code).toBe('ERR_STATE_DICT');
    }
  });
});
