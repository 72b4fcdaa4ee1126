// Before init(), and what an error is.
import { Conv1d, conv1d, Conv1dError, createRuntime, Tensor } from 'conv1d-wasm';
import { thrown, zeros } from '../support.js';

const sizes = { inChannels: 3, outChannels: 4, kernelSize: 3 };

describe('before init()', () => {
  test.each([
    ['a layer', () => new Conv1d(sizes)],
    ['toWasm', () => zeros(1).toWasm()],
    ['conv1d', () => conv1d(zeros(1, 1), zeros(1, 1, 1))],
  ])('%s', (_, action) => {
    expect(thrown(action)).toEqual({
      code: 'ERR_NOT_INITIALIZED',
      field: 'runtime',
      got: undefined,
      message: 'the library is not loaded yet: call await init() first',
    });
  });

  test('tensors need no runtime', () => {
    expect(new Tensor([1, 2], [2, 1]).toJs().toArray()).toEqual([[1], [2]]);
  });
});

test('Conv1dError is an Error with a name, and keeps its cause', async () => {
  const error = await createRuntime({ wasmBinary: Uint8Array.of(1, 2, 3, 4) }).catch((reason) => reason);
  expect(error).toBeInstanceOf(Conv1dError);
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toMatch(/^Conv1dError: /);
  expect(error.cause).toBeInstanceOf(WebAssembly.CompileError);
});
