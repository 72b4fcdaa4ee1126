// Makes tensors and layers and forgets them: the collector must bring the memory back. Needs --expose-gc.
import { setTimeout as sleep } from 'node:timers/promises';
import { Conv1d, conv1d, init, Tensor } from 'conv1d-wasm';

const runtime = await init({ threads: Number(process.argv[2]) });
const options = { inChannels: 3, outChannels: 4, kernelSize: 3 };
const input = new Tensor(new Float32Array(3 * 100), [3, 100]);

function make(count) {
  for (let i = 0; i < count; ++i) {
    const layer = new Conv1d(options);
    const output = layer.forward(input.toWasm());
    layer.loadStateDict(layer.stateDict());
    conv1d(output, new Tensor(new Float32Array(4), [1, 4, 1]));
    if (i % 3 === 0) output.dispose();
    if (i % 5 === 0) layer.dispose();
  }
}

make(1); // the runtime's own, such as the room through which arrays pass
for (let i = 0; i < 10; ++i) await collect();
const start = runtime.memory.used;
make(300);
const peak = runtime.memory.used;
// What the runtime keeps of its own may lie in slightly larger blocks now; a few lost layers would take more.
for (let i = 0; i < 300 && runtime.memory.used > start + 1000; ++i) await collect();
console.log(JSON.stringify({ start, peak, end: runtime.memory.used }));

async function collect() {
  gc();
  await sleep(5);
}
