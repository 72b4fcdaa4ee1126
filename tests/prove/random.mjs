// Random layers against the definition: native code first, then the wasm builds with some of the same layers.
import { availableParallelism } from 'node:os';
import { CommandError, inRoot, say, seconds } from '../../scripts/lib/run.mjs';
import { buildNative, newestNode, runForJson } from './programs.mjs';

/** Adds up two reports: numbers and lists, whatever they are nested in; of `worst` the larger. */
function merge(a, b) {
  if (a === undefined) return b;
  if (Array.isArray(a)) return [...a, ...b].slice(0, 20);
  if (typeof a === 'number') return a + b;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries(
    [...keys].map((key) => [
      key,
      b[key] === undefined ? a[key] : key === 'worst' ? Math.max(a[key] ?? 0, b[key]) : merge(a[key], b[key]),
    ]),
  );
}

/** Calls run(from, count) for stretches of [0, total), several at a time, and adds up their reports. */
async function inStretches({ data, save }, { total, step }, run) {
  data.done ??= [];
  const starts = [];
  for (let from = 0; from < total; from += step) if (!data.done.includes(from)) starts.push(from);
  const since = performance.now();
  const worker = async () => {
    for (let from = starts.shift(); from !== undefined; from = starts.shift()) {
      data.report = merge(data.report, await run(from, Math.min(step, total - from)));
      data.done.push(from);
      save();
      const { draws, mismatched } = data.report;
      if (data.done.length % 20 === 0) say(`${draws} layers, ${mismatched} mismatches, ${seconds(since)}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return data.report;
}

const listRuns = (runs) =>
  Object.entries(runs)
    .map(([what, { runs: count, worst }]) =>
      worst === undefined ? `${what} ${count}` : `${what} ${count} (worst error ${worst.toFixed(2)} of its bound)`,
    )
    .join(', ');

export const random = {
  title: 'random layers against the definition',
  counts: {
    draws: { full: 10_000_000, short: 20_000 },
    wasmDraws: { full: 100_000, short: 300 },
  },
  async run({ counts, seed, open }) {
    const native = ['cpp', 'tests/prove/native'];
    const wasm = [...native, 'js', 'tests/prove/random-wasm.mjs'];
    const program = await buildNative('native-release', 'conv1d_random');
    const options = (from, count) => ['--seed', seed, '--from', from, '--count', count].map(String);
    const reports = {
      native: await inStretches(open('random-native', native), { total: counts.draws, step: 20_000 }, (from, count) =>
        runForJson(program, options(from, count)),
      ),
    };
    const node = await newestNode();
    reports.wasm = await inStretches(
      open('random-wasm', wasm),
      { total: counts.wasmDraws, step: 1000 },
      (from, count) =>
        runForJson(node, ['--no-warnings', inRoot('tests/prove/random-wasm.mjs'), program, ...options(from, count)]),
    );
    if (!reports.native || !reports.wasm) throw new CommandError('--draws and --wasmDraws must be at least 1');
    return {
      figures: Object.entries(reports).map(
        ([name, { draws, outputs, withOutliers, spared, mismatched, runs }]) =>
          `${name}: ${draws} layers (${withOutliers} with samples that stand out, ${spared} outputs beside them), ` +
          `${outputs} outputs, ${mismatched} mismatches; ${listRuns(runs)}`,
      ),
      failures: Object.values(reports).flatMap(({ mismatches }) => mismatches),
    };
  },
};
