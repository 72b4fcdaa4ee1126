// What loading refuses, and files that are not what they should be.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRuntime, init } from 'conv1d-wasm';
import { canRelax, fromRoot, rejected, runForResult } from '../support.js';

describe('loading', () => {
  const binary = readFileSync(fromRoot('dist/wasm/conv1d-simd.wasm'));
  /** The file with another version in its stamp. */
  const withVersion = (version) =>
    Buffer.from(binary.toString('latin1').replace(/(?<=conv1d-wasm)\d+\.\d+\.\d+/, version), 'latin1');

  const least = 64 * 65536;
  const memory = `maximumMemory must be an integer from ${least} to 4294967296 bytes, got `;
  const threads = "threads must be 'auto' or an integer from 1 to 64, got ";
  const variant = "variant must be 'auto', 'relaxed' or 'simd', got ";
  const show = (value) => (typeof value === 'string' ? `'${value}'` : String(value));

  test.each([
    ...[0, -1, 1.5, NaN, Infinity, 65, 2 ** 31, 2 ** 53, '2', null, true].map((value) => [
      'threads',
      value,
      threads + show(value),
    ]),
    ...['avx', '', 'Relaxed', 1, null].map((value) => ['variant', value, variant + show(value)]),
    ...[0, -1, least - 1, least + 0.5, NaN, Infinity, 2 ** 32 + 1, 2 ** 53, '8000000', null].map((value) => [
      'maximumMemory',
      value,
      memory + show(value),
    ]),
    ...[1, 'yes', null].map((value) => ['deterministic', value, `deterministic must be a boolean, got ${show(value)}`]),
    ['wasmUrl', 'http://[', "wasmUrl must be a URL, got 'http://['"],
  ])('%s: %p', async (field, got, message) => {
    const options = { threads: 1, [field]: got };
    const error = { code: 'ERR_OPTION', field, got, message };
    expect(await rejected(createRuntime(options))).toEqual(error);
  });

  test('init() says the same, and works afterwards', async () => {
    expect(await rejected(init({ threads: 0 }))).toMatchObject({ code: 'ERR_OPTION', field: 'threads', got: 0 });
    const runtime = await init({ threads: 1 });
    expect(runtime.threads).toBe(1);
    runtime.dispose();
  });

  test('relaxed and deterministic', async () => {
    expect(await rejected(createRuntime({ variant: 'relaxed', deterministic: true }))).toEqual({
      code: 'ERR_OPTION',
      field: 'variant',
      got: 'relaxed',
      message: "variant 'relaxed' and deterministic: true exclude each other",
    });
  });

  (canRelax ? test.skip : test)('relaxed, where the engine has no relaxed SIMD', async () => {
    expect(await rejected(createRuntime({ variant: 'relaxed' }))).toEqual({
      code: 'ERR_UNSUPPORTED',
      field: 'variant',
      got: 'relaxed',
      message: "variant 'relaxed' needs relaxed SIMD, which this engine lacks",
    });
  });

  test('an engine without SIMD, or without WebAssembly', async () => {
    const { validate } = WebAssembly;
    const whole = globalThis.WebAssembly;
    const expected = {
      code: 'ERR_UNSUPPORTED',
      field: 'runtime',
      message: expect.stringContaining('WebAssembly SIMD'),
    };
    try {
      WebAssembly.validate = () => false;
      expect(await rejected(createRuntime())).toMatchObject(expected);
      delete globalThis.WebAssembly;
      expect(await rejected(createRuntime())).toMatchObject(expected);
    } finally {
      globalThis.WebAssembly = whole;
      WebAssembly.validate = validate;
    }
  });

  test.each([
    [
      'bytes that are no module',
      { wasmBinary: new Uint8Array(8) },
      'wasmBinary',
      /^cannot load wasmBinary: it is not WebAssembly but starts with "(\\u0000){8}" \(CompileError/,
    ],
    ['no bytes', { wasmBinary: new Uint8Array(0) }, 'wasmBinary', /starts with "" \(CompileError/],
    [
      'a text as bytes',
      { wasmBinary: 'wasm' },
      'wasmBinary',
      "cannot load wasmBinary: it must be an ArrayBuffer or a view of one, got 'wasm'",
    ],
    ['an object as module', { wasmModule: {} }, 'wasmModule', /^cannot load wasmModule: it is another module, not /],
    [
      'a file that is not there',
      { wasmUrl: 'file:///no/such/file.wasm' },
      'wasmUrl',
      /^cannot load file:\/\/\/no\/such\/file.wasm: Error: ENOENT.*; copy the package's dist\/wasm there/,
    ],
    ['a file that is no module', { wasmUrl: import.meta.url }, 'wasmUrl', /^cannot load file:.*starts with "\/\/ What/],
    [
      'the file of another version',
      { wasmBinary: withVersion('9.9.9') },
      'wasmBinary',
      /it is 9\.9\.9 conv1d-simd\.wasm, not conv1d-wasm \d+\.\d+\.\d+ conv1d-\w+\.wasm(?: or \d+\.\d+\.\d+ conv1d-simd\.wasm)?; take it from the same version/,
    ],
  ])('%s', async (_, options, field, message) => {
    const error = await rejected(createRuntime({ threads: 1, ...options }));
    expect(error).toMatchObject({ code: 'ERR_WASM_LOAD', field });
    expect(error.message).toMatch(message);
  });

  test.each([
    'an empty module',
    'an empty module, threads',
    'the threaded build for one thread',
    'the single build for threads',
  ])('another module than it should be: %s', async (name) => {
    expect(await runForResult('wrong-module.mjs', { args: [name], hangAfter: 10_000 })).toMatchObject({
      name: 'Conv1dError',
      code: 'ERR_WASM_LOAD',
    });
  });

  test('what a server may answer', async () => {
    const answers = {
      '/missing.wasm': [404, 'not here', /the server answered 404; copy the package's dist\/wasm there, pass wasmUrl/],
      '/page.wasm': [
        200,
        '\n<!doctype html><p>A single-page application',
        /an HTML page came back, as servers send for a file that they lack; copy the package's dist/,
      ],
      '/text.wasm': [200, 'hello', /it is not WebAssembly but starts with "hello"/],
      '/nothing.wasm': [200, '', /it is not WebAssembly but starts with ""/],
      '/half.wasm': [
        200,
        binary.subarray(0, binary.length / 2),
        /it does not compile \(CompileError.*it must be whole/,
      ],
    };
    const server = createServer(({ url }, response) => {
      if (!answers[url])
        return void response.writeHead(200, { 'content-length': 9 }).write('half', () => response.destroy());
      const [status, body] = answers[url];
      response.writeHead(status).end(body);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${server.address().port}`;
    const got = {};
    for (const path of Object.keys(answers))
      got[path] = await rejected(createRuntime({ threads: 1, wasmUrl: origin + path }));
    const interrupted = await rejected(createRuntime({ threads: 1, wasmUrl: `${origin}/interrupted.wasm` }));
    await new Promise((resolve) => server.close(resolve));
    const unreachable = await rejected(createRuntime({ threads: 1, wasmUrl: `${origin}/gone.wasm` }));

    for (const [path, [, , message]] of Object.entries(answers)) {
      expect(got[path]).toMatchObject({ code: 'ERR_WASM_LOAD', field: 'wasmUrl', got: origin + path });
      expect(got[path].message).toMatch(message);
      expect(got[path].message).toContain(origin + path);
    }
    expect(unreachable.message).toMatch(/^cannot load .*gone\.wasm: the request failed/);
    expect(interrupted.message).toMatch(/^cannot load .*interrupted\.wasm: the request failed/);
  });
});
