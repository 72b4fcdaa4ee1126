// After a trap, layers and tensors of the dead runtime are forgotten: collecting them must not throw. Needs --expose-gc.
import { setTimeout as sleep } from 'node:timers/promises';
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';

let collected = 0;
const registry = new FinalizationRegistry(() => ++collected);
const runtime = await createRuntime({ threads: 1 });

function make() {
  for (let i = 0; i < 10; ++i) {
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, runtime });
    const tensor = new Tensor([1, 2, 3], [1, 3]).toWasm(runtime);
    registry.register(layer);
    registry.register(tensor);
  }
}

make();
let code;
try {
  runtime.guard((core) => core.weight(2 ** 32 - 16));
} catch (error) {
  ({ code } = error);
}
for (let i = 0; i < 300 && collected < 20; ++i) {
  gc();
  await sleep(5);
}
await sleep(20);
console.log(JSON.stringify({ code, collected }));
