// The machine's own limits, as contenders to be timed among the others: how fast so many threads multiply and add, and how fast
// they copy.
import { flopsPerRound } from './limits-wasm.js';
import { makeThread } from './limits-worker.js';

const targetMilliseconds = 4; // of one run: waking a worker takes some hundredths of this

async function startWorker() {
  const url = new URL('./limits-worker.js', import.meta.url);
  let worker;
  let listen;
  if (typeof document === 'undefined') {
    worker = new (await import('node:worker_threads')).Worker(url);
    listen = (take) => worker.once('message', take);
  } else {
    worker = new Worker(url, { type: 'module' });
    listen = (take) => worker.addEventListener('message', take, { once: true });
  }
  const answer = () => new Promise(listen);
  await answer();
  return (job) => {
    const done = answer();
    worker.postMessage(job);
    return done;
  };
}

/**
 * Peak contenders `{ name: 'fma' | 'muladd', prepare }` and one named 'copy', whose prepare() takes a layer. What they prepare
 * says by `amount` how much one run does: floating-point operations, or copies of the layer's bytes.
 */
export async function loadLimits({ threads }) {
  const own = await makeThread();
  const workers = await Promise.all(Array.from({ length: threads - 1 }, startWorker));
  const runAll = (job) => {
    if (threads === 1) return void own.work(job);
    const others = workers.map((work) => work(job));
    own.work(job);
    return Promise.all(others);
  };

  const gflops = 10; // about what a slow machine does, so that a run takes no longer than it should
  const rounds = Math.ceil((targetMilliseconds * gflops * 1e6) / flopsPerRound);
  const peak = (kind) => ({
    name: kind,
    prepare: () => ({ amount: flopsPerRound * rounds * threads, run: () => runAll({ kind, rounds }) }),
  });
  const bytesPerMillisecond = 5e6;
  const copy = {
    name: 'copy',
    prepare({ sourceBytes, outputBytes }) {
      const share = (bytes) => Math.max(4, Math.floor(bytes / threads / 4) * 4);
      const [source, target] = [share(sourceBytes), share(outputBytes)];
      const times = Math.ceil((targetMilliseconds * bytesPerMillisecond) / Math.max(source, target));
      const job = { kind: 'copy', sourceBytes: source, targetBytes: target, times };
      return { amount: times, run: () => runAll(job) };
    },
  };
  return [...own.kinds.map(peak), copy];
}
