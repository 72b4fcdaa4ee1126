// Every array that a reader of files makes is refused in turn, as an engine does that is out of memory: an error comes out,
// the bytes are as before, and the next call works. Prints one line of JSON.
import { readFileSync } from 'node:fs';
import { readNpy, readNpz, readSafetensors, readTorch, writeSafetensors } from 'conv1d-wasm';
import { fromRoot, readJson } from '../js/support.js';

const result = { trials: 0, failures: [] };

// ---- an engine whose arrays can be refused

let left = Infinity; // allocations until one is refused

function count() {
  if (left-- === 0) throw new RangeError('Array buffer allocation failed');
}

const isView = ([source]) => source instanceof ArrayBuffer || source instanceof SharedArrayBuffer;

for (const name of Object.getOwnPropertyNames(globalThis).filter((each) =>
  /^(Big)?(Int|Uint|Float)\d+(Clamped)?Array$/.test(each),
)) {
  globalThis[name] = new Proxy(globalThis[name], {
    construct(target, args, newTarget) {
      if (!isView(args)) count();
      return Reflect.construct(target, args, newTarget);
    },
  });
}
globalThis.ArrayBuffer = new Proxy(ArrayBuffer, {
  construct(target, args, newTarget) {
    count();
    return Reflect.construct(target, args, newTarget);
  },
});
for (const { prototype } of [Object.getPrototypeOf(Uint8Array), ArrayBuffer]) {
  const { slice } = prototype;
  prototype.slice = function (...args) {
    count();
    return slice.apply(this, args);
  };
}

// ---- the readers

const file = (name) => Uint8Array.from(readFileSync(fromRoot(`tests/fixtures/weights/${name}`)));
const { arrays } = readJson('tests/fixtures/weights/expected.json');
const npy = file('arrays.bin').subarray(arrays[0].begin, arrays[0].end);
// One of its numbers is too large for a float32.
const readable = (read) => (bytes) => read(bytes, { filter: (name) => !/too large$/.test(name) });
const readers = [
  ['readNpy', npy, readNpy],
  ['readNpz, stored', file('stored.npz'), readNpz],
  ['readNpz, deflated', file('deflated.npz'), readNpz],
  ['readSafetensors', file('layers.safetensors'), readable(readSafetensors)],
  ['readTorch', file('protocol4.pt'), readable(readTorch)],
  ['writeSafetensors', file('layers.safetensors'), (bytes) => writeSafetensors(readable(readSafetensors)(bytes))],
];

/** All that a reader gives: tensors are decoded when they are asked for. */
const text = (value) => JSON.stringify(value, (_, each) => (ArrayBuffer.isView(each) ? [...each] : each));

async function refuseInTurn(name, bytes, read) {
  const before = text(bytes);
  const use = async () => text(await read(bytes));
  const expected = await use();
  for (let nth = 0; ; ++nth) {
    ++result.trials;
    left = nth;
    let error = null;
    try {
      await use();
    } catch (caught) {
      error = caught;
    }
    const refused = left < 0;
    left = Infinity;
    if (error && !(error instanceof Error)) result.failures.push(`${name}: threw ${error}`);
    if (refused && !error) result.failures.push(`${name}: no error when array ${nth} is refused`);
    if (!refused && error) result.failures.push(`${name}: ${error.message}`);
    if (text(bytes) !== before) result.failures.push(`${name}: the bytes changed`);
    if ((await use()) !== expected) result.failures.push(`${name}: gives something else afterwards`);
    if (!refused) return;
  }
}

for (const [name, bytes, read] of readers) await refuseInTurn(name, bytes, read);
console.log(JSON.stringify(result));
process.exitCode = result.failures.length === 0 ? 0 : 1;
