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

/** One sentence on how it went, or '' before anything is known. */
export function summary({ leads, layers }: Results): string {
  if (!leads) return '';
  const { mean, least, most, count } = leads;
  const name = (lead: typeof least) => `${lead.ratio.toFixed(2)} on ${lead.layer}`;
  if (count === 1) {
    return `On ${least.layer}, conv1d-wasm is ${mean.toFixed(2)} times as fast as the best other, ${rowNames[least.rival]}.`;
  }
  const over = count < layers.length ? `So far, over ${count} of ${layers.length}` : `Over ${count}`;
  return (
    `${over} layers, conv1d-wasm is ${mean.toFixed(2)} times as fast as the best other on each ` +
    `(geometric mean; least ${name(least)}, most ${name(most)}).`
  );
}
