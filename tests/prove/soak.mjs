// The same calls over and over, in Node and in a page of Chromium: memory and time stay what they were.
import { CommandError, inRoot } from '../../scripts/lib/run.mjs';
import { chromium } from '../browser/engines.mjs';
import { serve } from '../browser/server.mjs';
import { runForJson } from './programs.mjs';

// Memory is measured at once, not after the next collection that the browser takes to be due.
const flags = ['--js-flags=--expose-gc', '--enable-blink-features=ForceEagerMeasureMemory'];

async function soakInChromium(settings) {
  const engine = await chromium({ flags });
  if (!engine) return null;
  const server = await serve({ root: inRoot(), isolated: true });
  try {
    return await engine.run(`${server.url}tests/prove/soak.html?${new URLSearchParams(settings)}`);
  } finally {
    await engine.close();
    await server.close();
  }
}

// What a collector may leave for the next time, and the blocks of a heap whose sizes differ by a few bytes.
const heapLeeway = 32 * 2 ** 20;
const wasmLeeway = 1024;
const slower = 2;

/** What grew from the first third to the last. */
function findGrowth(where, phases) {
  return Object.entries(phases).flatMap(([name, { milliseconds, wasm, heap }]) => {
    const grew = [];
    if (wasm[2] - wasm[0] > wasmLeeway) grew.push(`wasm memory ${wasm} bytes`);
    if (heap[2] - heap[0] > heapLeeway) grew.push(`memory ${heap} bytes`);
    if (milliseconds[2] > slower * milliseconds[0] + 200) grew.push(`time ${milliseconds.map(Math.round)} ms`);
    return grew.map((what) => `${where}, ${name}: ${what} by thirds`);
  });
}

const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(1);

export const soak = {
  title: 'the same calls over and over, in Node and in Chromium',
  counts: {
    forwards: { full: 1_000_000, short: 20_000 },
    pushes: { full: 100_000, short: 3_000 },
    layers: { full: 10_000, short: 500 },
    runtimes: { full: 1_000, short: 30 },
  },
  async run({ counts, seed, open }) {
    const { data, save } = open('soak', ['cpp', 'js', 'tests/prove/soak-workload.js']);
    const settings = { seed, ...counts };
    const hosts = {
      Node: () =>
        runForJson(process.execPath, ['--expose-gc', inRoot('tests/prove/soak-node.mjs'), JSON.stringify(settings)]),
      Chromium: () => soakInChromium(settings),
    };
    for (const [where, run] of Object.entries(hosts)) {
      if (JSON.stringify(data[where]?.settings) === JSON.stringify(settings)) continue;
      const result = await run();
      if (!result) throw new CommandError(`${where} is not there`);
      data[where] = { settings, phases: result.phases };
      save();
    }
    return {
      figures: Object.keys(hosts).flatMap((where) =>
        Object.entries(data[where].phases).map(
          ([name, { count, milliseconds, wasm, heap }]) =>
            `${where}: ${count} ${name}; by thirds ${milliseconds.map(Math.round).join(', ')} ms, wasm ` +
            `${wasm.join(', ')} bytes, all ${heap.map(megabytes).join(', ')} MB`,
        ),
      ),
      failures: Object.keys(hosts).flatMap((where) => findGrowth(where, data[where].phases)),
    };
  },
};
