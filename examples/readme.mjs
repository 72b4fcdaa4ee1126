// Runs the example of README.md and prints what it did.
import { init, Conv1d, Tensor } from 'conv1d-wasm';

await init(); // best build for this engine; idempotent
const m = new Conv1d({ inChannels: 3, outChannels: 1, kernelSize: 3 });
const inp = new Tensor(
  Float32Array.from({ length: 24 }, (_, i) => i),
  [2, 3, 4],
);
const oup = m.forward(inp);
oup.shape; // [2, 1, 2]

// All the digits that a float32 has, and no more.
const digits = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(7)) : value);
const show = (value) => JSON.stringify(value, digits).replaceAll(',', ', ');

const { variant, threads, threadsReason } = await init(); // the same runtime again
console.log(`in       shape ${show(inp.shape)}, values ${show(inp.toArray())}`);
console.log(`layer    ${m}, its weights random`);
console.log(`out      shape ${show(oup.shape)}, values ${show(oup.toArray())}`);
console.log(`build    ${variant}`);
console.log(`threads  ${threads}${threadsReason === null ? '' : ` (${threadsReason})`}`);
