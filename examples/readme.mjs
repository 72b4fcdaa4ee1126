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

const { variant, threads, threadsReason } = await init(); // the same runtime again
const lines = {
  in: `${JSON.stringify(inp.shape)}  ${JSON.stringify(inp.toArray())}`,
  layer: `${m}, random weights`,
  out: `${JSON.stringify(oup.shape)}  ${JSON.stringify(oup.toArray())}`,
  build: variant,
  threads: threadsReason === null ? threads : `${threads} (${threadsReason})`,
};
for (const [name, text] of Object.entries(lines)) console.log(`${name.padEnd(8)}${text}`);
