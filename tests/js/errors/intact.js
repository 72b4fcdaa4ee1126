// For tests of failed calls: a layer and its runtime, which must be the same after each of them.
import { Conv1d, init } from 'conv1d-wasm';
import { expectSameBits, forwardIn, makeLayer, noiseTensor, thrown } from '../support.js';

export const sizes = { inChannels: 3, outChannels: 4, kernelSize: 3 };

// What must be the same after each failed call.
export const input = noiseTensor([2, 3, 17], 5);
export let runtime;
export let layer;
export let placed;
let before;

let intact = false;

// Once for all tests, unless one has left something changed: the next one is not to suffer from that.
beforeEach(async () => {
  if (!intact) {
    runtime?.dispose();
    runtime = await init({ threads: 1 });
    layer = makeLayer(sizes);
    placed = input.toWasm();
    const output = layer.forward(input).data;
    before = { weight: layer.weight.data, bias: layer.bias.data, output, used: usedBytes() };
  }
  intact = false;
});

/** Bytes in use. The runtime keeps the text of its last error: let that be the same one each time. */
function usedBytes() {
  thrown(() => new Conv1d({ ...sizes, stride: 0 }));
  return runtime.memory.used;
}

afterEach(() => {
  expectSameBits(layer.weight.data, before.weight);
  expectSameBits(layer.bias.data, before.bias);
  for (const placement of ['js', 'wasm']) expectSameBits(forwardIn(placement, layer, input, runtime), before.output);
  // The block that holds that text may be a little larger than it was. Losses add up over the tests.
  expect(Math.abs(usedBytes() - before.used)).toBeLessThan(64);
  intact = true;
});

afterAll(() => runtime.dispose());

/** `action` with a layer of its own. */
export function withLayer(options, action) {
  const own = new Conv1d({ ...sizes, ...options });
  try {
    return action(own);
  } finally {
    own.dispose();
  }
}

/** Rows are [what is called, the call, what it throws]; `message` may be a pattern. */
export function refused(rows) {
  test.each(rows)('%s', (_, action, { message, ...expected }) => {
    const error = thrown(action);
    expect(error).toMatchObject(expected);
    if (message instanceof RegExp) expect(error.message).toMatch(message);
    else expect(error.message).toBe(message);
  });
}

/** As errors show it. */
export const show = (value) => (typeof value === 'string' ? `'${value}'` : String(value));
