// The soak in a page: the counts come in the address, the result goes where tests/browser/run.mjs looks, too.
import { soak } from './soak-workload.js';

const { seed, ...counts } = Object.fromEntries(
  [...new URLSearchParams(location.search)].map(([name, value]) => [name, Number(value)]),
);

window.__result = {
  phases: await soak(counts, {
    seed,
    heapBytes: async () => (await performance.measureUserAgentSpecificMemory()).bytes,
    onProgress: (text) => (window.__progress = text),
  }),
};
