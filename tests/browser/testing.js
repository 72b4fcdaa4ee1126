// A very small test framework for pages: results gather in `result`, and finish() leaves them in window.__result, where
// the runner looks.

export const result = { userAgent: navigator.userAgent, builds: [], notes: [], passed: 0, failed: [], skipped: [] };

export async function test(name, body) {
  window.__progress = name;
  await pause();
  try {
    await body();
    ++result.passed;
  } catch (error) {
    const code = error?.code ? `${error.code}: ` : '';
    result.failed.push({ name, message: `${code}${error?.message ?? error}` });
  }
}

export function skip(name, count, reason) {
  result.skipped.push({ name, count, reason });
}

export function finish() {
  document.getElementById('report').textContent = JSON.stringify(result, null, 2);
  window.__result = result;
}

export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

export function expectEqual(got, expected, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  expect(a === b, `${what} is ${a}, expected ${b}`);
}

/** The same bits: -0 is not 0, a NaN equals itself. */
export function expectSameBits(got, expected, what) {
  const [a, b] = [got, expected].map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  expectEqual(a.length, b.length, `${what}: the size in bytes`);
  const at = a.findIndex((byte, i) => byte !== b[i]);
  const element = Math.floor(at / expected.BYTES_PER_ELEMENT);
  expect(at < 0, `${what}: element ${element} is ${got[element]}, expected ${expected[element]}`);
}

export async function expectError(action, { code, field, got, message }) {
  let error;
  try {
    await action();
  } catch (e) {
    error = e;
  }
  expect(error !== undefined, `no error, expected ${code}`);
  expect(error instanceof Error && error.name === 'Conv1dError', `not a Conv1dError: ${error}`);
  expectEqual(error.code, code, 'code');
  if (field !== undefined) expectEqual(error.field, field, 'field');
  if (got !== undefined) expectEqual(error.got, got, 'got');
  if (message !== undefined) expect(message.test(error.message), `the message is "${error.message}"`);
}

let lastPause = 0;

/** Lets the browser breathe, and the runner see the progress, about ten times a second. */
async function pause() {
  if (performance.now() - lastPause < 100) return;
  await new Promise((resolve) => setTimeout(resolve));
  lastPause = performance.now();
}

/** Numbers in [-1, 1), the same for the same seed. */
export function noise(length, seed = 1) {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}
