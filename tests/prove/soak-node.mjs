// soak-node.mjs COUNTS: the soak in this Node, which wants --expose-gc. Prints one line of JSON.
import { soak } from './soak-workload.js';

const { seed, ...counts } = JSON.parse(process.argv[2]);

const phases = await soak(counts, {
  seed,
  heapBytes: async () => process.memoryUsage.rss(),
  onProgress: () => {},
});
console.log(JSON.stringify({ phases }));
