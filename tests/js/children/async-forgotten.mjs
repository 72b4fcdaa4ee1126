// Makes layers, sends them to the worker and forgets them: the worker must let go of each. Needs --expose-gc.
import { setTimeout as sleep } from 'node:timers/promises';
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';

const input = new Tensor(new Float32Array(64 * 20), [64, 20]);
// The worker has room for a few of these layers, and no more.
const runtime = await createRuntime({ threads: 1, maximumMemory: 8 * 2 ** 20 });

async function use() {
  await new Conv1d({ inChannels: 64, outChannels: 64, kernelSize: 16, runtime }).forwardAsync(input);
}

for (let i = 0; i < 40; ++i) {
  await use();
  for (let j = 0; j < 3; ++j) {
    gc();
    await sleep(5);
  }
}
console.log(JSON.stringify({ collected: true }));
