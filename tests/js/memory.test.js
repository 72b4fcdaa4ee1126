// Who owns what, and what happens when memory runs out or the instance comes down.
import { Conv1d, conv1d, createRuntime, init, Tensor } from 'conv1d-wasm';
import { expectSameBits, forwardIn, makeLayer, noiseTensor, runForResult, thrown, zeros } from './support.js';

const sizes = { inChannels: 3, outChannels: 4, kernelSize: 3 };
const input = noiseTensor([2, 3, 17], 5);

/** Waits until the workers have taken what they need, which they do piece by piece as they get to run. */
async function settle(own) {
  for (let calm = 0, { used } = own.memory; calm < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    calm = own.memory.used === used ? calm + 1 : 0;
    ({ used } = own.memory);
  }
}

/** By how much the bytes in use grow each time. The least of a few: the runtime's own blocks may become a little larger. */
function leastGrowth(own, action) {
  const growths = repeat(4, () => {
    const { used } = own.memory;
    action();
    return own.memory.used - used;
  });
  return Math.min(...growths);
}

const repeat = (count, action) => Array.from({ length: count }, action);

const runtime = await init({ threads: 1 });
afterAll(() => runtime.dispose());

describe('dispose', () => {
  const layerGone = { code: 'ERR_DISPOSED', field: 'layer', got: undefined, message: 'this layer is disposed' };
  const tensorGone = { code: 'ERR_DISPOSED', field: 'tensor', got: undefined, message: 'this tensor is disposed' };

  test.each([
    ['dispose()', (object) => object.dispose()],
    ['Symbol.dispose', (object) => object[Symbol.dispose]()],
  ])('%s, once and again', async (_, dispose) => {
    const { used } = runtime.memory;
    const layer = makeLayer(sizes);
    const placed = input.toWasm();
    const output = layer.forward(placed);
    for (const object of [layer, placed, output]) dispose(object);
    const free = runtime.memory.used;
    // A block that is freed twice would be given out twice.
    for (const object of [layer, placed, output]) dispose(object);
    const [a, b] = [zeros(1000).toWasm(), zeros(1000).toWasm()];
    a.data.fill(1);
    b.data.fill(2);
    expect(new Set(a.data)).toEqual(new Set([1]));
    for (const object of [a, b]) dispose(object);
    expect(runtime.memory.used).toBe(free);
    expect(free - used).toBeLessThan(1024); // the room through which arrays pass may have grown

    const js = zeros(3);
    dispose(js);
    dispose(js);
    expect(thrown(() => js.data)).toEqual(tensorGone);

    const other = await createRuntime({ threads: 2 });
    dispose(other);
    dispose(other);
    expect(thrown(() => other.memory)).toMatchObject({ code: 'ERR_DISPOSED', field: 'runtime' });
  });

  const usesOfLayer = [
    ['forward', (layer) => layer.forward(input)],
    ['forward in wasm memory', (layer, placed) => layer.forward(placed)],
    ['reading the weight', (layer) => layer.weight],
    ['reading the bias', (layer) => layer.bias],
    ['writing the weight', (layer) => (layer.weight = zeros(4, 3, 3))],
    ['writing the bias', (layer) => (layer.bias = zeros(4))],
    ['stateDict', (layer) => layer.stateDict()],
    ['loadStateDict', (layer) => layer.loadStateDict({ weight: zeros(4, 3, 3), bias: zeros(4) })],
    ['resetParameters', (layer) => layer.resetParameters()],
    ['outputShape', (layer) => layer.outputShape([3, 17])],
    ['explain', (layer) => layer.explain([3, 17])],
    ['forward of no image', (layer) => layer.forward(zeros(0, 3, 17))],
  ];

  test.each(usesOfLayer)('a layer, then %s', (_, use) => {
    const layer = makeLayer(sizes);
    const placed = input.toWasm();
    use(layer, placed);
    layer.dispose();
    expect(thrown(() => use(layer, placed))).toEqual(layerGone);
    placed.dispose();
  });

  const usesOfTensor = [
    ['placement', (tensor) => tensor.placement],
    ['data', (tensor) => tensor.data],
    ['toArray', (tensor) => tensor.toArray()],
    ['toJs', (tensor) => tensor.toJs()],
    ['toWasm', (tensor) => tensor.toWasm().dispose()],
  ];
  const passings = [
    ['an input', (tensor) => makeLayer(sizes).forward(tensor), [2, 3, 17]],
    ['out', (tensor) => makeLayer(sizes).forward(input, { out: tensor }), [2, 4, 15]],
    ['a weight', (tensor) => (makeLayer(sizes).weight = tensor), [4, 3, 3]],
    ['a bias', (tensor) => (makeLayer(sizes).bias = tensor), [4]],
    ["conv1d()'s weight", (tensor) => conv1d(input, tensor), [4, 3, 3]],
  ];

  describe.each(['js', 'wasm'])('a %s tensor', (placement) => {
    test.each([...usesOfTensor, ...passings])('then %s', (name, use, shape = [5]) => {
      const tensor = placement === 'js' ? zeros(...shape) : zeros(...shape).toWasm();
      tensor.dispose();
      expect(thrown(() => use(tensor))).toEqual(tensorGone);
    });
  });

  describe('a runtime', () => {
    const gone = { code: 'ERR_DISPOSED', message: expect.stringMatching(/runtime is disposed/) };
    let other;
    let layer;
    let placed;
    beforeAll(async () => {
      other = await createRuntime({ threads: 1 });
      layer = makeLayer({ ...sizes, runtime: other });
      placed = input.toWasm(other);
      layer.forward(input); // so that the shape is prepared
      layer.forward(zeros(0, 3, 17));
      other.dispose();
    });

    test.each(usesOfLayer)('then %s', (_, use) => {
      expect(thrown(() => use(layer, placed))).toMatchObject(gone);
    });
    test.each(usesOfTensor)('then %s', (_, use) => {
      expect(thrown(() => use(placed))).toMatchObject(gone);
    });
    test.each([
      ['a new layer', () => new Conv1d({ ...sizes, runtime: other })],
      ['toWasm', () => input.toWasm(other)],
      ['memory', () => other.memory],
    ])('then %s', (_, use) => {
      expect(thrown(use)).toEqual({
        code: 'ERR_DISPOSED',
        field: 'runtime',
        got: undefined,
        message: 'this runtime is disposed; make a new one',
      });
    });
    test('then disposing what it had', () => {
      layer.dispose();
      layer.dispose();
      placed.dispose();
      placed.dispose();
      expect(thrown(() => layer.forward(input))).toMatchObject({ code: 'ERR_DISPOSED' });
    });
  });

  test('what outlives what', () => {
    const layer = makeLayer(sizes);
    const placed = input.toWasm();
    const inJs = layer.forward(input);
    const inWasm = layer.forward(placed);
    const expected = inJs.data.slice();
    layer.dispose();
    placed.dispose();
    const others = [makeLayer(sizes, { seed: 9 }), zeros(5000).toWasm()]; // would overwrite memory that was freed early
    expectSameBits(inJs.data, expected);
    expectSameBits(inWasm.data, expected);
    for (const object of [inWasm, ...others]) object.dispose();
  });
});

describe('memory in use', () => {
  /** Something of everything, all of it disposed; what fails too. */
  function everything(own) {
    const layer = new Conv1d({ ...sizes, runtime: own });
    const half = new Conv1d({ ...sizes, dtype: 'float16', groups: 1, activation: 'gelu', runtime: own });
    const placed = input.toWasm(own);
    const output = layer.forward(placed);
    layer.forward(placed, { out: output });
    layer.forward(input);
    half.forward(new Tensor(input.data, input.shape, 'float16'));
    layer.loadStateDict(layer.stateDict());
    layer.resetParameters({ scheme: 'pytorch', seed: 1 });
    layer.explain([7, 3, 500]);
    conv1d(input, layer.weight, layer.bias, { stride: 2, padding: 'same', runtime: own });
    conv1d(placed, layer.weight, null, { runtime: own }).dispose();
    output.toJs();
    thrown(() => layer.forward(zeros(2, 3, 1)));
    thrown(() => conv1d(input, layer.weight, zeros(7), { runtime: own }));
    thrown(() => new Conv1d({ ...sizes, groups: 2, runtime: own }));
    for (const object of [layer, half, placed, output]) object.dispose();
  }

  test.each([1, 2])('comes back, %i thread(s)', async (threads) => {
    const own = await createRuntime({ threads });
    everything(own);
    await settle(own);
    const { total } = own.memory;
    expect(leastGrowth(own, () => repeat(100, () => everything(own)))).toBeLessThan(256);
    expect(own.memory.total).toBe(total);
    own.dispose();
  });

  test.each([
    ['js', {}],
    ['wasm', {}],
    ['js', { out: true }],
    ['wasm', { out: true }],
  ])('does not grow over 10,000 forwards of %s tensors, %j', (placement, { out }) => {
    const layer = makeLayer(sizes);
    const tensors = [zeros(2, 3, 17), zeros(2, 4, 15), zeros(3, 40)];
    // `other` has a second shape, so that each forward prepares anew
    const [x, y, other] = tensors.map((tensor) => (placement === 'js' ? tensor : tensor.toWasm()));
    const step = () => {
      for (const tensor of [x, other]) {
        const output = layer.forward(tensor, out && tensor === x ? { out: y } : undefined);
        if (output !== y && placement === 'wasm') output.dispose();
      }
    };
    step();
    const { used, total } = runtime.memory;
    for (let i = 0; i < 5000; ++i) step();
    expect(Math.abs(runtime.memory.used - used)).toBeLessThan(64); // blocks of the same sizes, give or take 8 bytes
    expect(runtime.memory.total).toBe(total);
    for (const object of [layer, x, y, other]) object.dispose();
  });

  test.each([1, 2])('what is forgotten is collected, %i thread(s)', async (threads) => {
    const options = { flags: ['--expose-gc'], args: [String(threads)] };
    const { start, peak, end } = await runForResult('forgotten.mjs', options);
    expect(peak).toBeGreaterThan(start + 100_000);
    expect(end).toBeLessThanOrEqual(start + 1000);
  });

  test.each([
    ['disposed', 1, 4],
    ['disposed', 2, 4],
    ['forgotten', 1, null],
    ['forgotten', 2, null],
  ])('a runtime that is %s lets go of its memory, %i thread(s)', async (how, threads, kept) => {
    const options = { flags: ['--expose-gc'], args: [how, String(threads)] };
    expect(await runForResult('memory-freed.mjs', options)).toEqual({ freed: true, kept });
  });

  // Each of the 12 had 12 MiB, and threads with some more of their own.
  test.each(['disposed', 'trapped', 'forgotten'])('threads end with their runtime, %s', async (how) => {
    const { left, grown } = await runForResult('workers-end.mjs', { flags: ['--expose-gc'], args: [how] });
    expect(left).toBe(0);
    if (how !== 'trapped') expect(grown).toBeLessThan(100);
  });
});

/** Takes what memory there is, down to the last block. */
function fill(own) {
  const taken = [];
  for (let size = 2 ** 20; size >= 1; size /= 2) {
    const block = zeros(size);
    for (;;) {
      let error = null;
      try {
        taken.push(block.toWasm(own));
      } catch (caught) {
        error = caught;
      }
      if (error?.code === 'ERR_OUT_OF_MEMORY') break;
      if (error) throw error;
    }
  }
  return taken;
}

describe.each([1, 2])('out of memory, %i thread(s)', (threads) => {
  let own;
  let layer;
  let placed;
  let expected;

  beforeEach(async () => {
    own = await createRuntime({ threads, maximumMemory: 8 * 2 ** 20 });
    layer = makeLayer({ ...sizes, runtime: own });
    placed = input.toWasm(own);
    expected = layer.forward(input).data;
    await settle(own);
  });
  afterEach(() => own.dispose());

  function expectWorks() {
    for (const placement of ['js', 'wasm']) expectSameBits(forwardIn(placement, layer, input, own), expected);
    const another = makeLayer({ ...sizes, runtime: own });
    expectSameBits(another.forward(input).data, expected);
    another.dispose();
  }

  const big = 2 ** 21; // floats: 8 MB
  const long = { inChannels: 1, outChannels: 1, kernelSize: 600_000 }; // its weights have room
  test.each([
    ['a tensor', () => zeros(big).toWasm(own), 'runtime', `no room for ${4 * big} bytes of tensor data in wasm memory`],
    [
      'weights',
      () => new Conv1d({ inChannels: 1024, outChannels: 1024, kernelSize: 2, runtime: own }),
      'runtime',
      `no room for ${4 * big} bytes of weights in wasm memory`,
    ],
    [
      'an output in wasm memory',
      () =>
        withLayer({ inChannels: 1, outChannels: 1, kernelSize: 1, padding: big }, (each) => inWasm(each, zeros(1, 1))),
      'runtime',
      `no room for ${4 * (2 * big + 1)} bytes of tensor data in wasm memory`,
    ],
    [
      'an input and an output that pass through',
      () => withLayer({ inChannels: 1, outChannels: 1, kernelSize: 1 }, (each) => each.forward(zeros(1, big / 2))),
      'runtime',
      `no room for ${4 * big} bytes of input and output that pass through in wasm memory`,
    ],
    [
      'scratch',
      () => withLayer(long, (each) => each.explain([1, 600_000])),
      'runtime',
      /^no room for \d+ bytes of scratch in wasm memory$/,
    ],
    [
      'transformed weights',
      () => withLayer({ ...long, algorithm: 'fft' }, (each) => each.explain([1, 600_000])),
      'runtime',
      /^no room for \d+ bytes of transformed weights in wasm memory$/,
    ],
    [
      'conv1d()',
      () => conv1d(zeros(1, big), zeros(1, 1, 1), null, { runtime: own }),
      'runtime',
      /^no room for \d+ bytes/,
    ],
  ])('%s: an error, and all works as before', (_, action, field, message) => {
    expectWorks();
    const growth = leastGrowth(own, () => {
      const error = thrown(action);
      expect(error).toMatchObject({ code: 'ERR_OUT_OF_MEMORY', field });
      if (message instanceof RegExp) expect(error.message).toMatch(message);
      else expect(error.message).toBe(message);
    });
    expect(growth).toBeLessThan(16);
    expectWorks();
  });

  function withLayer(options, action) {
    const each = new Conv1d({ ...options, runtime: own });
    try {
      action(each);
    } finally {
      each.dispose();
    }
  }

  function inWasm(each, tensor) {
    const there = tensor.toWasm(own);
    try {
      each.forward(there);
    } finally {
      there.dispose();
    }
  }

  test.each(['direct', 'toom_cook', 'fft'])(
    'run allocates nothing: it works when no memory is left; %s',
    (algorithm) => {
      const shape = [24, 6000];
      const sizesOf = { inChannels: 24, outChannels: 16, kernelSize: 9, padding: 'same' };
      const large = makeLayer({ ...sizesOf, algorithm, runtime: own });
      const js = noiseTensor(shape, 3);
      const [there, out, jsOut] = [js.toWasm(own), zeros(16, 6000).toWasm(own), zeros(16, 6000)];
      const right = large.forward(js).data;
      const taken = fill(own);
      const full = own.memory.used;
      // Some is kept back for small things, so what is measured must be large.
      const error = { code: 'ERR_OUT_OF_MEMORY' };
      expect(thrown(() => zeros(1).toWasm(own))).toMatchObject(error);
      expect(large.explain(shape).scratchBytes).toBeGreaterThan(10_000);
      for (let i = 0; i < 3; ++i) {
        large.forward(there, { out });
        large.forward(js, { out: jsOut });
      }
      // A worker that is still starting may take something meanwhile.
      if (threads === 1) expect(own.memory.used).toBe(full);
      expectSameBits(out.data, right);
      expectSameBits(jsOut.data, right);
      // What does allocate is noticed: the same call without `out`, and the bytes in use when a tensor goes.
      expect(thrown(() => large.forward(there))).toMatchObject(error);
      taken.pop().dispose();
      expect(own.memory.used).toBeLessThan(full);
      for (const tensor of taken) tensor.dispose();
    },
  );

  test.each([
    ['a wrong input', () => layer.forward(zeros(3, 1)), 'ERR_SHAPE'],
    [
      'a wrong option',
      () => new Conv1d({ ...sizes, padding: 'a rather long text that needs memory', runtime: own }),
      'ERR_OPTION',
    ],
    ['a right layer', () => new Conv1d({ ...sizes, runtime: own }), 'ERR_OUT_OF_MEMORY'],
    ['a larger input', () => layer.forward(zeros(9, 3, 50)), 'ERR_OUT_OF_MEMORY'],
    ['a larger input in wasm memory', () => layer.forward(placed), 'ERR_OUT_OF_MEMORY'],
    ['a wrong scheme', () => layer.resetParameters({ scheme: 'a rather long text that needs memory' }), 'ERR_OPTION'],
  ])('no memory left at all, and then %s', (_, action, code) => {
    expectWorks();
    const taken = fill(own);
    let error;
    try {
      error = thrown(action);
    } finally {
      for (const tensor of taken) tensor.dispose();
    }
    expect(['ERR_OUT_OF_MEMORY', code]).toContain(error?.code);
    expectWorks();
  });
});

describe('the area that arrays pass through', () => {
  const one = { inChannels: 1, outChannels: 1, kernelSize: 1, algorithm: 'direct' };

  test('a large one goes after the call, a small one stays', async () => {
    const own = await createRuntime({ threads: 1 });
    const layer = makeLayer({ ...one, runtime: own });
    layer.forward(zeros(1, 1000));
    const { used } = own.memory;
    layer.forward(zeros(1, 1000));
    expect(own.memory.used).toBe(used);
    layer.forward(zeros(1, 1_000_000));
    expect(own.memory.used).toBeLessThanOrEqual(used);
    const stream = layer.stream({ maxChunk: 1_000_000 });
    const before = own.memory.used;
    stream.push(zeros(1, 1_000_000));
    expect(own.memory.used).toBeLessThanOrEqual(before);
    own.dispose();
  });

  test('after a large call under a limit, tensors have the memory', async () => {
    const own = await createRuntime({ threads: 1, maximumMemory: 16 * 2 ** 20 });
    const layer = makeLayer({ ...one, runtime: own });
    layer.forward(zeros(1, 1_500_000)); // 12 MB in and out
    const tensor = zeros(2_500_000).toWasm(own);
    tensor.dispose();
    expect(layer.forward(zeros(1, 1_500_000)).size).toBe(1_500_000);
    own.dispose();
  });

  test('a larger call has the room of the one before', async () => {
    const own = await createRuntime({ threads: 1, maximumMemory: 16 * 2 ** 20 });
    const layer = makeLayer({ ...one, runtime: own });
    for (const length of [60_000, 120_000, 1_400_000, 1_500_000, 1_550_000]) {
      expect(layer.forward(zeros(1, length)).size).toBe(length);
    }
    own.dispose();
  });

  test('one that finds no room leaves the one there was', async () => {
    const own = await createRuntime({ threads: 1, maximumMemory: 16 * 2 ** 20 });
    const layer = makeLayer({ ...one, runtime: own });
    const small = noiseTensor([1, 5000], 1);
    const { data } = layer.forward(small);
    const { used } = own.memory;
    expect(thrown(() => layer.forward(zeros(1, 4_000_000)))).toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    // What the layer is prepared for may lie in a block a little larger.
    expect(Math.abs(own.memory.used - used)).toBeLessThan(64);
    expectSameBits(layer.forward(small).data, data);
    own.dispose();
  });
});

test('scratch whose size passes 2^32 is refused, not cut', async () => {
  const own = await createRuntime({ threads: 8 });
  // With 47 of padding before an input of one, each thread packs a row of 12 floats or more for each channel.
  const inChannels = Math.ceil(2 ** 30 / 12 / 8);
  const layer = new Conv1d({ inChannels, outChannels: 1, kernelSize: 1, padding: [47, 0], bias: false, runtime: own });
  const { used } = own.memory;
  let error = null;
  let explanation = null;
  try {
    explanation = layer.explain([inChannels, 1]);
  } catch (caught) {
    error = caught;
  }
  // Either there is that much memory in use, or there is an error.
  if (error) expect(error.code).toBe('ERR_OUT_OF_MEMORY');
  else expect(own.memory.used - used).toBeGreaterThanOrEqual(explanation.scratchBytes);
  own.dispose();
});

describe('after a trap', () => {
  const trap = (own) => own.guard((core) => core.weight(2 ** 32 - 16)); // reads beyond the memory

  test('every call says so, disposing is possible, and a new runtime works', async () => {
    const own = await createRuntime({ threads: 1 });
    const layer = makeLayer({ ...sizes, runtime: own });
    const placed = input.toWasm(own);
    const expected = layer.forward(input).data;
    const first = thrown(() => trap(own));
    expect(first).toMatchObject({ code: 'ERR_WASM_LOAD', field: 'runtime' });
    expect(first.message).toMatch(/came down.*createRuntime\(\)/);
    const calls = {
      forward: () => layer.forward(input),
      forwardInWasm: () => layer.forward(placed),
      forwardOfNoImage: () => layer.forward(zeros(0, 3, 17)),
      weight: () => layer.weight,
      setWeight: () => (layer.weight = zeros(4, 3, 3)),
      bias: () => layer.bias,
      stateDict: () => layer.stateDict(),
      loadStateDict: () => layer.loadStateDict({ weight: zeros(4, 3, 3), bias: zeros(4) }),
      resetParameters: () => layer.resetParameters(),
      outputShape: () => layer.outputShape([3, 17]),
      explain: () => layer.explain([3, 17]),
      newLayer: () => new Conv1d({ ...sizes, runtime: own }),
      toWasm: () => input.toWasm(own),
      memory: () => own.memory,
      again: () => trap(own),
    };
    const errors = Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, thrown(call)]));
    expect(errors).toEqual(Object.fromEntries(Object.keys(calls).map((name) => [name, first])));

    for (const object of [layer, placed, own, layer, placed, own]) object.dispose();

    const next = await createRuntime({ threads: 1 });
    expectSameBits(makeLayer({ ...sizes, runtime: next }).forward(input).data, expected);
    expectSameBits(makeLayer(sizes).forward(input).data, expected); // the default one beside it never noticed
    next.dispose();
  });

  test('what belonged to it is collected in silence', async () => {
    expect(await runForResult('broken.mjs', { flags: ['--expose-gc'] })).toEqual({
      code: 'ERR_WASM_LOAD',
      collected: 20,
    });
  });
});
