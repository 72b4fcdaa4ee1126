// What a page makes of the answers of scope-worker.js.
import { expect, expectEqual } from './testing.js';

export const right = [[21, 42]];

/** What the script answers that `post` takes a port to. */
export function ask(post) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    post(null, [port2]);
  });
}

/** That the answer is of a service worker, which cannot import() later. */
export function expectNoImports({ main, worklet }) {
  expectEqual(main.code, 'ERR_UNSUPPORTED', 'the code of what init() throws');
  expect(/use initSync\(module\) of conv1d-wasm\/worklet$/.test(main.message), `it says "${main.message}"`);
  expectEqual(worklet.output, right, 'what the other entry computes');
}
