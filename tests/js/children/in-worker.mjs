// Uses the library in a worker of Node, with one thread and with two, while the main thread uses it too.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { conv1d, createRuntime, Tensor } from 'conv1d-wasm';

async function compute() {
  const results = [];
  for (const threads of [1, 2]) {
    const runtime = await createRuntime({ threads });
    const output = conv1d(new Tensor([1, 2, 4], [1, 3]), new Tensor([1, 1], [1, 1, 2]), null, { runtime });
    results.push({ threads: runtime.threads, output: output.toArray() });
  }
  return results;
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  const there = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const here = await compute();
  console.log(JSON.stringify({ here, there: await there }));
} else {
  parentPort.postMessage(await compute());
}
