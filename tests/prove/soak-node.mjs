// soak-node.mjs COUNTS: the soak in this Node, which wants --expose-gc. Prints one line of JSON.
import { setTimeout as sleep } from 'node:timers/promises';
import { soak } from './soak-workload.js';

const { seed, ...counts } = JSON.parse(process.argv[2]);

const phases = await soak(counts, {
  seed,
  collect: async () => {
    for (let i = 0; i < 5; ++i) {
      gc();
      await sleep(20);
    }
  },
  heapBytes: async () => {
    const { heapUsed, arrayBuffers, external } = process.memoryUsage();
    return heapUsed + Math.max(arrayBuffers, external);
  },
  onProgress: () => {},
});
console.log(JSON.stringify({ phases }));
