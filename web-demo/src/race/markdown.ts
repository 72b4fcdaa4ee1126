// Results as text to take along.
import { measured } from '../common/format';
import { describeLead, describeShape, difference, libraryColumns, libraryTexts } from './board';
import { gflops, rowNames, type Results } from './results';

const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(header), line(header.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** Milliseconds and GFLOP/s of every library on every layer, and what each of them took to load. */
export function markdown(results: Results): string {
  const { settings, layers, rows, libraries } = results;
  const { threads, relaxed, resident } = settings;
  const cells = layers.map((layer) => [
    `${layer.shape.name} (${describeShape(layer.shape)})`,
    ...rows.map((key) => {
      const { timing } = layer.cells[key];
      if (!timing) return '–';
      return `${measured(timing.median)} ms, ${measured(gflops(layer, timing.median))} (${difference(layer.cells[key])})`;
    }),
    describeLead(layer) || '–',
  ]);
  return [
    summary(results),
    '',
    `${navigator.userAgent}; ${navigator.hardwareConcurrency} processors; ${threads} ${threads === 1 ? 'thread' : 'threads'}, ` +
      `${relaxed ? 'relaxed SIMD' : 'SIMD'}, tensors ${resident ? 'resident where they can be' : 'in JavaScript arrays'}. ` +
      'Median milliseconds of a run, GFLOP/s, and the largest difference from conv1d-wasm.',
    '',
    table(['Layer', ...rows.map((key) => rowNames[key]), 'conv1d-wasm has'], cells),
    '',
    table(
      libraryColumns,
      libraries.map((library) => [rowNames[library.key], ...libraryTexts(results, library)]),
    ),
    '',
  ].join('\n');
}

const restless = 1.25;
const advice = ' Something else kept the machine busy: these figures are rough.';

/** How it went in a sentence, or '' before anything is known. */
export function summary(results: Results): string {
  const { leads, layers, unrest } = results;
  if (!leads) return '';
  const { mean, least, most, count } = leads;
  const name = (lead: typeof least) => `${lead.ratio.toFixed(2)} on ${lead.layer}`;
  const caution = count === layers.length && unrest > restless ? advice : '';
  if (count === 1) {
    return `On ${least.layer}, conv1d-wasm is ${mean.toFixed(2)} times as fast as the best other, ${rowNames[least.rival]}.${caution}`;
  }
  const over = count < layers.length ? `So far, over ${count} of ${layers.length}` : `Over ${count}`;
  return (
    `${over} layers, conv1d-wasm is ${mean.toFixed(2)} times as fast as the best other on each ` +
    `(geometric mean; least ${name(least)}, most ${name(most)}).${caution}`
  );
}
