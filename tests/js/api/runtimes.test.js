// Runtimes, and what an engine may lack.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { createRuntime, init, Tensor } from 'conv1d-wasm';
import { bestVariant, canRelax, expectSameBits, fromRoot, makeLayer, noiseTensor } from '../support.js';

const runtime = await init({ threads: 1 });
afterAll(() => runtime.dispose());

const small = { inChannels: 3, outChannels: 4, kernelSize: 3 };
const smallInput = noiseTensor([2, 3, 17], 5);

describe('runtimes', () => {
  const input = noiseTensor([3, 101], 2);
  const opened = [];
  const open = async (options) => {
    const made = await createRuntime(options);
    opened.push(made);
    return made;
  };
  afterEach(() => opened.splice(0).forEach((made) => made.dispose()));

  test('init gives one runtime, whatever is asked later', async () => {
    expect(await init()).toBe(runtime);
    expect(await init({ threads: 2, variant: 'simd' })).toBe(runtime);
  });

  test('what a runtime says', async () => {
    expect(runtime).toMatchObject({ variant: bestVariant, threads: 1, threadsReason: expect.any(String) });
    expect(Object.keys(runtime.memory).sort()).toEqual(['total', 'used']);
    expect(runtime.memory.used).toBeGreaterThan(0);
    expect(runtime.memory.total % 65536).toBe(0);
    expect(runtime.memory.total).toBeGreaterThan(runtime.memory.used);
    const before = runtime.memory.used;
    const tensor = new Tensor(new Float32Array(1000), [1000]).toWasm();
    expect(runtime.memory.used - before).toBeGreaterThanOrEqual(4000);
    expect(runtime.memory.used - before).toBeLessThan(4100);
    tensor.dispose();
    expect(runtime.memory.used).toBe(before);
  });

  test('createRuntime makes one more, with its own memory', async () => {
    const [a, b] = [await open({ threads: 1 }), await open({ threads: 2 })];
    expect(new Set([a, b, runtime]).size).toBe(3);
    const { used } = a.memory; // of the other one, a worker that starts may take some
    const tensor = input.toWasm(b);
    expect(a.memory.used).toBe(used);
    const [inDefault, inA, inB] = [undefined, a, b].map((each) => makeLayer({ ...small, runtime: each }));
    const expected = inDefault.forward(input).data;
    expectSameBits(inA.forward(input).data, expected);
    expectSameBits(inB.forward(tensor).toJs().data, expected);
    a.dispose();
    expectSameBits(inB.forward(input).data, expected);
    expectSameBits(inDefault.forward(input).data, expected);
  });

  test.each([
    ['nothing', {}, bestVariant],
    ['auto', { variant: 'auto', threads: 'auto', deterministic: false }, bestVariant],
    ['simd', { variant: 'simd' }, 'simd'],
    ['deterministic', { deterministic: true }, 'simd'],
    ['deterministic simd', { deterministic: true, variant: 'simd' }, 'simd'],
    ...(canRelax ? [['relaxed', { variant: 'relaxed' }, 'relaxed']] : []),
  ])('the variant, asked for: %s', async (_, options, variant) => {
    const made = await open(options);
    expect(made.variant).toBe(variant);
    expect(made.threads).toBeGreaterThanOrEqual(1);
    expect(makeLayer({ ...small, runtime: made }).forward(input).shape).toEqual([4, 99]);
  });

  test.each([1, 2, 3])('%i threads, as asked for', async (threads) => {
    const made = await open({ threads });
    expect(made.threads).toBe(threads);
    if (threads === 1) expect(made.threadsReason).toMatch(/one thread/);
    else expect(made.threadsReason).toBeNull();
  });

  const file = (variant, threaded) => fromRoot(`dist/wasm/conv1d-${variant}${threaded ? '-threads' : ''}.wasm`);

  test.each([1, 2])('wasmBinary, wasmModule and wasmUrl, %i thread(s)', async (threads) => {
    const path = file('simd', threads > 1);
    const bytes = readFileSync(path);
    const server = createServer((_, response) => response.end(bytes)); // without the type application/wasm
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const sources = [
      { wasmBinary: bytes },
      { wasmBinary: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
      { wasmModule: await WebAssembly.compile(bytes) },
      { wasmUrl: pathToFileURL(path) },
      { wasmUrl: pathToFileURL(path).href },
      { wasmUrl: `http://127.0.0.1:${server.address().port}/any/name` },
    ];
    try {
      const expected = makeLayer({ ...small, runtime: await open({ variant: 'simd' }) }).forward(input).data;
      for (const source of sources) {
        const made = await open({ ...source, threads, variant: 'simd' });
        expect(made.threads).toBe(threads);
        expectSameBits(makeLayer({ ...small, runtime: made }).forward(input).data, expected);
      }
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.each([1, 2])('maximumMemory holds, %i thread(s)', async (threads) => {
    const maximumMemory = 8 * 2 ** 20;
    const made = await open({ threads, maximumMemory });
    const tensors = [];
    for (let i = 0; i < 20; ++i) {
      try {
        tensors.push(new Tensor(new Float32Array(2 ** 18), [2 ** 18]).toWasm(made)); // 1 MiB
      } catch (error) {
        expect(error.code).toBe('ERR_OUT_OF_MEMORY');
        break;
      }
    }
    expect(tensors.length).toBeGreaterThanOrEqual(5);
    expect(tensors.length).toBeLessThan(8);
    expect(made.memory.total).toBeLessThanOrEqual(maximumMemory);
  });

  test('after dispose() init loads anew', async () => {
    runtime.dispose();
    const again = await init({ threads: 1 });
    expect(again).not.toBe(runtime);
    expect(makeLayer(small).forward(smallInput).shape).toEqual([2, 4, 15]);
    again.dispose();
  });

  test('calls of init() at the same time load once', async () => {
    const [a, b] = await Promise.all([init({ threads: 1 }), init({ threads: 1 })]);
    expect(a).toBe(b);
    a.dispose();
  });

  test('of calls of init() at the same time the bad ones fail alone', async () => {
    const bad = [
      [{ threads: 0 }, { code: 'ERR_OPTION', field: 'threads' }],
      [{ thread: 1 }, { code: 'ERR_OPTION', field: 'thread' }],
      [{ maximumMemory: 1 }, { code: 'ERR_OPTION', field: 'maximumMemory' }],
      [{ wasmUrl: 'http://[' }, { code: 'ERR_OPTION', field: 'wasmUrl' }],
    ];
    const broken = [{ wasmBinary: Uint8Array.of(1, 2, 3, 4) }, { code: 'ERR_WASM_LOAD', field: 'wasmBinary' }];
    const calls = [broken, [{ threads: 1 }], ...bad, [{ threads: 1, variant: 'simd' }]];
    const results = await Promise.all(calls.map(([options]) => init(options).catch((error) => error)));
    const [made] = results.filter(({ variant }) => variant);
    expect(results).toEqual(calls.map(([, error]) => (error ? expect.objectContaining(error) : made)));
    for (const [options, error] of bad) await expect(init(options)).rejects.toMatchObject(error);
    made.dispose();
  });
});

describe('what the engine lacks', () => {
  const without = async (changes, action) => {
    const kept = changes.map(([target, key]) => Object.getOwnPropertyDescriptor(target, key));
    for (const [target, key, value] of changes)
      Object.defineProperty(target, key, { value, configurable: true, writable: true });
    try {
      return await action();
    } finally {
      for (const [i, [target, key]] of changes.entries()) {
        if (kept[i]) Object.defineProperty(target, key, kept[i]);
        else delete target[key];
      }
    }
  };
  const choice = async (options) => {
    const made = await createRuntime(options);
    const { variant, threads, threadsReason } = made;
    made.dispose();
    return { variant, threads, threadsReason };
  };
  const { validate } = WebAssembly;
  const noRelaxed = [WebAssembly, 'validate', (bytes) => !hasRelaxedOpcode(bytes) && validate(bytes)];
  // f32x4.relaxed_madd is 0xfd 0x85 0x02.
  const hasRelaxedOpcode = (bytes) => Buffer.from(bytes).includes(Buffer.of(0xfd, 0x85, 0x02));
  const noShared = [globalThis, 'SharedArrayBuffer', undefined];

  test('relaxed SIMD: the simd build', async () => {
    expect((await without([noRelaxed], () => choice({ threads: 1 }))).variant).toBe('simd');
  });

  test('SharedArrayBuffer: one thread, and the two headers that bring it', async () => {
    for (const threads of ['auto', 4]) {
      const got = await without([noShared], () => choice({ threads }));
      expect(got).toMatchObject({ variant: bestVariant, threads: 1 });
      expect(got.threadsReason).toMatch(/SharedArrayBuffer.*Cross-Origin-Opener-Policy.*Cross-Origin-Embedder-Policy/);
    }
  });

  test('SharedArrayBuffer in an isolated page: not the headers', async () => {
    const isolated = [globalThis, 'crossOriginIsolated', true];
    const got = await without([noShared, isolated], () => choice({}));
    expect(got.threads).toBe(1);
    expect(got.threadsReason).toMatch(/SharedArrayBuffer/);
    expect(got.threadsReason).not.toMatch(/Cross-Origin/);
  });

  test('shared memory, although there is SharedArrayBuffer', async () => {
    const { Memory } = WebAssembly;
    const unshared = function (descriptor) {
      if (descriptor.shared) throw new TypeError('shared memory is off');
      return new Memory(descriptor);
    };
    const got = await without([[WebAssembly, 'Memory', unshared]], () => choice({ threads: 2 }));
    expect(got.threads).toBe(1);
    expect(got.threadsReason).toMatch(/shared memory is off/);
  });
});
