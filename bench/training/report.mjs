// The tables of npm run bench -- --training.
import { geometricMean } from '../statistics.js';
import { markdownTable, short } from '../table.mjs';

const isDepthwise = ({ Cin, g }) => g > 1 && g === Cin;
const isDense = ({ Cin, Cout, k, g, L }) =>
  g === 1 && Math.min(Cin, Cout) >= 64 && Math.max(Cin, Cout) <= 512 && k >= 3 && k <= 11 && L >= 500;
const isFew = ({ name }) => name.startsWith('few.');

/** What a measured layer comes to. */
function layerRow({ layer, variant, limits, results }) {
  const timeOf = Object.fromEntries(results.map(({ name, median }) => [name, median]));
  const rate = Object.fromEntries([...limits, ...results].map(({ name, amount, median }) => [name, amount / median]));
  const peakName = variant === 'relaxed' && rate.fma ? 'fma' : 'muladd';
  const peak = rate[peakName]; // operations a millisecond
  return {
    layer,
    peak,
    milliseconds: timeOf.forward,
    weight: layer.flops / timeOf.gradWeight / peak,
    copies: timeOf.gradWeight * rate.copy,
    input: timeOf.forward / timeOf.gradInput,
    step: timeOf.step / timeOf.forward,
    chosen: timeOf.stepChosen / timeOf.forward,
    threads: timeOf.stepTwoThreads && timeOf.stepChosen / timeOf.stepTwoThreads,
    machine: timeOf.stepTwoThreads && rate[`${peakName}TwoThreads`] / peak,
  };
}

function layerTable(rows) {
  const header = ['layer', 'forward, ms', 'gradWeight, of the peak', 'gradWeight, x a copy', 'gradInput, x forward', 'step / forward', 'step as chosen / forward', 'two threads, x one', 'FMAs of two, x one']; // prettier-ignore
  const cells = rows.map((row) => [
    row.layer.name,
    short(row.milliseconds),
    `${short(100 * row.weight)} %`,
    ...[row.copies, row.input, row.step, row.chosen, row.threads, row.machine].map(short),
  ]);
  return markdownTable(header, cells);
}

const range = (values) => `${short(Math.min(...values))} to ${short(Math.max(...values))}`;
const yes = (met) => (met ? 'yes' : 'no');

/** A target that every one of some rows has to reach: what, target, figures, how many reach it. Nothing without rows. */
function least(rows, what, target, valueOf, unit, isMet = (row) => valueOf(row) >= target) {
  const values = rows.map(valueOf);
  if (values.length === 0) return [];
  const met = rows.filter(isMet).length;
  return [[what, `>= ${target} ${unit}`, range(values), `${yes(met === rows.length)}, ${met} of ${rows.length}`]];
}

/** The same for the geometric mean of all. */
function mean(rows, what, target, valueOf) {
  if (rows.length === 0) return [];
  const values = rows.map(valueOf);
  const figure = geometricMean(values);
  return [[what, `<= ${target} x forward`, `${short(figure)}, of ${range(values)}`, yes(figure <= target)]];
}

function layerTargets(rows, isShape) {
  const select = (test) => rows.filter(({ layer }) => test(layer));
  const [dense, few, depthwise] = [select(isDense), select(isFew), select(isDepthwise)];
  const large = rows.filter(({ threads }) => threads);
  const shapes = select((layer) => isShape(layer) && !isDepthwise(layer));
  const reaches = ({ weight, copies }) => weight >= 0.4 || copies <= 2;
  const limited = 'x the peak, or <= 2 x a copy';
  return [
    ...least(dense, 'gradWeight, dense', 0.7, (row) => row.weight, 'x the peak'),
    ...least(dense, 'gradInput, dense', 0.75, (row) => row.input, 'x direct'),
    ...mean(shapes, 'forward and both gradients, direct', 3.3, (row) => row.step),
    ...mean(shapes, 'forward and both gradients, as chosen', 3.3, (row) => row.chosen),
    ...mean(depthwise, 'depthwise: forward and both gradients, direct', 4, (row) => row.step),
    ...mean(depthwise, 'depthwise: forward and both gradients, as chosen', 4, (row) => row.chosen),
    ...least(few, 'gradWeight, few channels', 0.4, (row) => row.weight, limited, reaches),
    ...least(depthwise, 'gradWeight, depthwise', 0.4, (row) => row.weight, limited, reaches),
    ...least(large, 'two threads', 1.8, (row) => row.threads, 'x one'),
  ];
}

// So many times as fast as it we are to be, one thread each.
const stepTargets = { 'tfjs-backend-cpu': 10, 'jax-js, wasm': 3 };
const isOurs = ({ name }) => name.startsWith('conv1d-wasm');

const titleOf = ({ name, version }) => (version ? `${name} ${version}` : name);

/** A step of so many images, from the time for as many as were measured. */
function stepRows([ours, ...others]) {
  const timeOf = ({ median, images }) => (median * ours.images) / images;
  const row = (entry, ratio, target) => [
    titleOf(entry),
    entry.images,
    entry.error ? '-' : short(timeOf(entry)),
    short(ratio),
    entry.error || entry === ours ? '-' : entry.difference.toExponential(0),
    target ? `>= ${target}` : '-',
    target ? yes(ratio >= target) : '-',
  ];
  return [
    row(ours, 1),
    ...others.map((entry) => {
      if (entry.error) return row(entry, undefined, stepTargets[entry.name]);
      const [time, own] = [timeOf(entry), timeOf(ours)];
      return isOurs(entry) ? row(entry, own / time, 1.8) : row(entry, time / own, stepTargets[entry.name]);
    }),
  ];
}

function stepTable({ results }) {
  const header = ['library', 'images at a time', 'ms for all', 'x', 'difference', 'target', 'met'];
  return [
    'A training step of the amp, 16 x 8,192 samples: x is ours against it on one thread, and of two threads against one',
    '',
    markdownTable(header, stepRows(results)),
    ...results.flatMap((entry) => (entry.error ? `without ${entry.name}: ${entry.error}` : [])),
  ];
}

/** The report of what run.mjs measured, as Markdown. `isShape` tells the layers of shapes.json. */
export function trainingReport({ layers, step }, isShape) {
  const rows = layers.map(layerRow);
  const peaks = rows.map(({ peak }) => peak / 1e6);
  const layerLines = () => [
    `One thread, ${layers[0].variant} build, peak ${short(Math.min(...peaks))} to ${short(Math.max(...peaks))} GFLOP/s`,
    '',
    layerTable(rows),
    '',
    markdownTable(['layers', 'target', 'measured', 'met'], layerTargets(rows, isShape)),
    '',
  ];
  return [...(rows.length > 0 ? layerLines() : []), ...(step ? stepTable(step) : [])].join('\n');
}
