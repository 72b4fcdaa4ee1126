// A runtime that is disposed, or forgotten, lets go of its memory, whatever still points at it. Needs --expose-gc.
import { setTimeout as sleep } from 'node:timers/promises';
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';

const [how, threads] = process.argv.slice(2);

async function use() {
  const runtime = await createRuntime({ threads: Number(threads) });
  const tensor = new Tensor([1, 2, 3], [1, 3]).toWasm(runtime);
  const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, runtime });
  layer.forward(tensor);
  return { runtime, tensor, layer, buffer: new WeakRef(tensor.data.buffer) };
}

const made = await use();
if (how === 'disposed') made.runtime.dispose();
const kept = how === 'disposed' ? { ...made } : null;
const { buffer } = made;
for (const key of Object.keys(made)) delete made[key];
let freed = false;
for (let i = 0; i < 300 && !freed; ++i) {
  gc();
  await sleep(5);
  freed = buffer.deref() === undefined; // deref() keeps it alive until the next turn: never just before gc()
  await sleep(5);
}
console.log(JSON.stringify({ freed, kept: kept && Object.keys(kept).length }));
