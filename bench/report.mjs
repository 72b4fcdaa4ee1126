// The tables that npm run bench prints. Alone: node bench/report.mjs build/bench/chromium.json
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { peaksOf, peerNames, ratioSummary, rowsOf, smallRow, targets, unrest, variantsOf } from './analysis.mjs';
import { median } from './statistics.js';
import { markdownTable, short } from './table.mjs';

function ourTable(rows) {
  const header = [
    'layer',
    'kernel',
    'ms',
    'min, ms',
    'GFLOP/s',
    'of the limit',
    'arrays, ms',
    'into an array, ms',
    'float16, ms',
  ];
  return markdownTable(
    header,
    rows.map(({ layer, wasm, js, into, half, gflops, share, limit }) => [
      layer.name,
      wasm.explanation?.kernel ?? `failed: ${wasm.error}`,
      short(wasm.median),
      short(wasm.min),
      short(gflops),
      `${short(100 * share)} % ${limit.name}`,
      short(js.median),
      short(into.median),
      half.error ? 'failed' : short(half.median),
    ]),
  );
}

function peerTable(rows) {
  const withNative = rows.some(({ native }) => native);
  const header = ['layer', ...peerNames.map((name) => `${name}, ms`), ...(withNative ? ['native, ms'] : []), 'ours', 'ours, arrays', 'both resident']; // prettier-ignore
  const both = ({ js, wasm }) => {
    if (js?.error) return 'failed';
    return wasm ? `${short(js.median)} (${short(wasm.median)})` : short(js?.median);
  };
  const ratio = (value) => (value > 0 ? `${value.toFixed(2)} x` : '-');
  return markdownTable(
    header,
    rows.map(({ layer, peers, native, ratios }) => [
      layer.name,
      ...peerNames.map((name) => both(peers[name])),
      ...(withNative ? [short(native?.median)] : []),
      ratio(ratios.wasm),
      ratio(ratios.js),
      ratio(ratios.resident),
    ]),
  );
}

function ratioLines(run, variant) {
  const line = (kind, title) => {
    const [median, minimum] = ['median', 'min'].map((statistic) => ratioSummary(rowsOf(run, variant, statistic), kind));
    if (!median) return [];
    return `${title}: geometric mean ${median.mean.toFixed(2)}, worst ${median.worst.toFixed(2)} (${median.layer}); by the minima ${minimum.mean.toFixed(2)}, ${minimum.worst.toFixed(2)} (${minimum.layer})`; // prettier-ignore
  };
  return [
    line('wasm', 'Times faster than the best peer, ours resident, peers from and to arrays'),
    line('js', 'All from and to arrays'),
    line('into', 'The same, ours into a given array'),
    line('resident', 'All resident where they can be'),
  ].flat();
}

/** Everything that went wrong, each once. */
function failures(run) {
  const failed = run.layers.flatMap(({ layer, results }) =>
    results.filter(({ error }) => error).map((r) => [layer, r]),
  );
  return failed.map(
    ([layer, { name, variant = '', placement, dtype = '', error }]) =>
      `FAILED ${layer.name}: ${[name, variant, placement, dtype].filter(Boolean).join(' ')}: ${error}`,
  );
}

function firstResultLines(firstResults) {
  if (firstResults.length === 0) return [];
  const rows = firstResults.map(({ key, milliseconds, gzippedBytes }) => {
    return [key, short(milliseconds[0]), short(median(milliseconds)), short(gzippedBytes / 1024)];
  });
  const header = ['library', 'first time, ms', 'median, ms', 'gzipped, KB'];
  return ['From a blank page to the first result of a tiny layer:', '', markdownTable(header, rows), ''];
}

const quiet = 0.03;

/** The report of one result of npm run bench, as Markdown. */
export function report(result) {
  const { engine, machine, versions, runs } = result;
  const lines = [
    `${engine} on ${machine.processors} processors of ${machine.cpu}, ${result.date.slice(0, 10)}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    '',
  ];
  for (const run of runs) {
    const busy = unrest(run);
    if (busy > quiet) lines.push(`The machine was busy: its peak fell by ${short(100 * busy)} % at ${run.threads} thread(s). Trust the minima more.`, ''); // prettier-ignore
    for (const variant of variantsOf(run)) {
      const { fma, muladd } = peaksOf(run);
      const peak = `peak ${short((variant === 'relaxed' && fma) || muladd)} GFLOP/s`;
      const rows = rowsOf(run, variant);
      const small = smallRow(run, variant);
      lines.push(
        `## ${run.threads} thread${run.threads > 1 ? 's' : ''}, ${variant} build, ${peak}`,
        '',
        ourTable([...rows, small]),
        '',
        peerTable([...rows, small]),
        '',
        ...ratioLines(run, variant),
        '',
      );
    }
    lines.push(...failures(run));
  }
  lines.push(...firstResultLines(result.firstResults));
  for (const variant of new Set(runs.flatMap(variantsOf))) {
    const rows = targets(result, variant).map(({ what, target, figure }) => [what, target || '-', figure]);
    lines.push(`Targets, ${variant} build:`, '', markdownTable(['what', 'target', 'figure'], rows), '');
  }
  return lines.join('\n').trimEnd();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(report(JSON.parse(readFileSync(process.argv[2]))));
}
