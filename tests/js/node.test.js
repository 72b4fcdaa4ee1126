// The library in processes of its own.
import { readdirSync } from 'node:fs';
import { fromRoot, print, runForResult, runNode } from './support.js';

describe('a script that used threads ends by itself', () => {
  const right = [
    { threads: 2, right: true },
    { threads: 3, right: true },
  ];

  test.each(['left as they are', 'disposed', 'one of two disposed', 'with a timer'])('runtimes %s', async (how) => {
    expect(await runForResult('threads.mjs', { args: [how] })).toEqual(right);
  });

  test.each([
    ['throws', 1, /on purpose/],
    ['exits', 7, /^$/],
  ])('it %s', async (how, code, stderr) => {
    const result = await runNode('threads.mjs', { args: [how] });
    expect(result).toMatchObject({ code, stdout: `${JSON.stringify(right)}\n` });
    expect(result.stderr).toMatch(stderr);
  });

  test('in a worker', async () => {
    const results = [1, 2].map((threads) => ({ threads, output: [[3, 6]] }));
    expect(await runForResult('in-worker.mjs')).toEqual({ here: results, there: results });
  });
});

describe('importing the package', () => {
  const names = ['Conv1d', 'Conv1dError', 'Tensor', 'conv1d', 'createRuntime', 'init'];

  test.each([
    ['the package', 'conv1d-wasm'],
    ['its entry for browsers, as on a server that renders pages', new URL('../../dist/index.js', import.meta.url).href],
  ])('changes nothing: %s', async (_, specifier) => {
    const result = await runForResult('import-effects.mjs', { args: [specifier] });
    expect(result).toEqual({ names: expect.arrayContaining(names), called: [], changed: [] });
  });

  test('require() works, where Node can', async () => {
    const { stdout } = await runNode(null, { flags: ['--print', 'process.features.require_module === true'] });
    if (stdout.trim() === 'true') expect(await runForResult('required.cjs')).toEqual([2, 1, 2]);
    else print(`Node ${process.versions.node} cannot require() a module: not tested`);
  });
});

describe('how Node was started', () => {
  const example = `
    import { conv1d, init, Tensor } from 'conv1d-wasm';
    const { threads } = await init({ threads: 2 });
    const output = conv1d(new Tensor([1, 2, 4], [1, 3]), new Tensor([1, 1], [1, 1, 2]));
    console.log(JSON.stringify({ threads, output: output.toArray() }));
  `;
  const expected = { threads: 2, output: [[3, 6]] };

  test.each([
    ['code on the command line', { flags: ['--input-type=module', '--eval', example] }],
    ['code from a pipe', { flags: ['--input-type=module'], input: example }],
  ])('%s', async (_, options) => {
    expect(await runForResult(null, options)).toEqual(expected);
  });

  test('where no worker may start: one thread, unless more are asked for', async () => {
    const allowed = process.allowedNodeEnvironmentFlags;
    const flags = [allowed.has('--permission') ? '--permission' : '--experimental-permission', '--allow-fs-read=*'];
    const reason =
      /the threads' script .*threads\.node\.js does not load \(.*\); with --permission, Node needs --allow-worker$/;
    expect(await runForResult('no-workers.mjs', { flags })).toEqual({
      runtime: { threads: 1, threadsReason: expect.stringMatching(reason) },
      output: [[21, 42]],
      asked: { code: 'ERR_WASM_LOAD', field: 'threads', got: 2, message: expect.stringMatching(reason) },
      later: { code: 'ERR_WASM_LOAD', field: 'worker' },
    });
  });

  test('without eval and new Function', async () => {
    const flags = ['--disallow-code-generation-from-strings'];
    expect((await runForResult('threads.mjs', { flags })).map(({ right }) => right)).toEqual([true, true]);
    const evaluated = await runNode(null, { flags: [...flags, '--print', 'new Function("return 1")()'] });
    expect(evaluated.stderr).toMatch(/Code generation from strings disallowed/); // the flag does what it should
  });
});

test('without FinalizationRegistry', async () => {
  const outputs = Array(8).fill([[21, 42]]);
  expect(await runForResult('no-registry.mjs')).toEqual({ registry: 'undefined', outputs });
});

test('objects of another copy of the package are told by name', async () => {
  const { 'its own': own, ...others } = await runForResult('other-copy.mjs');
  const copy = (name) =>
    expect.stringMatching(
      new RegExp(`got \\[*object ${name}\\] of another copy of conv1d-wasm; import the package from one place`),
    );
  expect(others).toEqual({
    input: copy('Tensor'),
    weight: copy('Tensor'),
    layer: copy('Conv1d'),
    runtime: copy('Runtime'),
    dictionary: copy('Tensor'),
  });
  expect(own).toBe('ERR_OPTION: stride must be a number, got [object Tensor]');
});

test('each build is a file of its own, and there are four', () => {
  const files = readdirSync(fromRoot('dist/wasm')).filter((name) => name.endsWith('.wasm'));
  expect(files.sort()).toEqual(
    ['relaxed', 'simd'].flatMap((variant) => [`conv1d-${variant}-threads.wasm`, `conv1d-${variant}.wasm`]),
  );
});
