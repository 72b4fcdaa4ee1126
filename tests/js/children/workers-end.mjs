// The threads of runtimes that are disposed, brought down or forgotten end, and their memory goes. Needs --expose-gc, and Linux.
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Conv1d, createRuntime, Tensor } from 'conv1d-wasm';

const how = process.argv[2];
const count = 12;
const threadCount = () => readdirSync('/proc/self/task').length;

async function use() {
  const runtime = await createRuntime({ threads: 3 });
  const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, runtime });
  const tensor = new Tensor(new Float32Array(2 ** 20), [1, 2 ** 20]).toWasm(runtime);
  layer.forward(tensor).dispose();
  if (how === 'disposed') runtime.dispose();
  if (how === 'trapped') {
    try {
      runtime.guard((core) => core.weight(2 ** 32 - 16));
    } catch {
      return runtime;
    }
  }
  return how === 'forgotten' ? null : runtime;
}

await (await createRuntime({ threads: 1 })).dispose();
const [before, { rss }] = [threadCount(), process.memoryUsage()];
const kept = [];
for (let i = 0; i < count; ++i) {
  kept.push(await use());
  if (how !== 'forgotten') continue;
  gc();
  await sleep(20);
}
for (let i = 0; i < 20 || (i < 300 && threadCount() > before); ++i) {
  gc();
  await sleep(10);
}
const grown = (process.memoryUsage().rss - rss) / 2 ** 20;
console.log(JSON.stringify({ kept: kept.length, left: threadCount() - before, grown }));
