import { createRuntime } from '/dist/index.js';
import { expectError, finish, test } from './testing.js';

await test('a policy without wasm-unsafe-eval', () =>
  expectError(() => createRuntime({ threads: 1 }), {
    code: 'ERR_WASM_LOAD',
    message: /: the Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src$/,
  }));

finish();
