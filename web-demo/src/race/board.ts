// Draws results as two tables, whose rows are there from the start, so that nothing moves as figures come.
import { element, setText } from '../common/controls';
import { bytes, count, measured, operations, plural } from '../common/format';
import type { Shape } from './messages';
import {
  gflops,
  leadOf,
  rowNames,
  type Cell,
  type Library,
  type LayerResult,
  type Results,
  type RowKey,
} from './results';

const none = '–';
const milliseconds = (value: number | undefined) => (value === undefined ? none : measured(value));

/** `64 → 64 channels, 3 taps, dilation 16, 1,000 samples`. */
export function describeShape({ N, Cin, Cout, k, s, d, g, L }: Shape): string {
  return [
    `${Cin} → ${plural(Cout, 'channel')}`,
    plural(k, 'tap'),
    ...(s > 1 ? [`stride ${s}`] : []),
    ...(d > 1 ? [`dilation ${d}`] : []),
    ...(g > 1 ? [g === Cin ? 'depthwise' : `${g} groups`] : []),
    ...(N > 1 ? [`batch ${N}`] : []),
    `${count(L)} samples`,
  ].join(', ');
}

/** A table whose parts keep their meaning when they are laid out as blocks. */
function part(tag: string, role: string, text = ''): HTMLElement {
  const made = document.createElement(tag);
  made.setAttribute('role', role);
  made.textContent = text;
  return made;
}

function row(...cells: HTMLElement[]): HTMLElement {
  const made = part('tr', 'row');
  made.append(...cells);
  return made;
}

/** Its cells carry their column's name, which narrow screens show beside them. */
class Table {
  readonly element = part('table', 'table');

  constructor(
    caption: string,
    readonly columns: readonly string[],
  ) {
    const head = part('thead', 'rowgroup');
    head.append(row(...columns.map((name) => part('th', 'columnheader', name))));
    this.element.append(part('caption', 'caption', caption), head);
  }

  body(): HTMLElement {
    const made = part('tbody', 'rowgroup');
    this.element.append(made);
    return made;
  }

  cells(name: string): [HTMLElement, ...HTMLElement[]] {
    const first = part('th', 'rowheader', name);
    const rest = this.columns.slice(1).map((column) => {
      const cell = part('td', 'cell', none);
      cell.dataset.column = column;
      return cell;
    });
    return [first, ...rest];
  }
}

/** What a library runs as, or why it does not. */
function describeLibrary({ settings }: Results, { key, state, opened, reason }: Library): string {
  if (state === 'left') return `Takes no part: ${reason}`;
  if (!opened) return state === 'opening' ? 'loads' : 'waits';
  const build = key === 'ours' ? `${settings.relaxed ? 'relaxed SIMD' : 'SIMD'}, ` : '';
  const threads = plural(key === 'plain' ? 1 : settings.threads, 'thread');
  return `${build}${threads}, tensors ${opened.entrants[0]?.placement === 'wasm' ? 'in its own memory' : 'in arrays'}`;
}

/** What stands in place of a bar. */
function describeStanding({ standing }: Cell, key: RowKey, library: Library | undefined): string {
  if (library?.state === 'left') return 'takes no part';
  if (standing?.state === 'absent') return key === 'half' ? 'timed on dense layers only' : 'has no such layer';
  if (standing?.state === 'failed') return standing.error;
  return '';
}

export function difference({ standing }: Cell): string {
  if (standing?.state !== 'ready') return none;
  return standing.difference === null
    ? '✓'
    : `✓ ${standing.difference === 0 ? '0' : standing.difference.toExponential(1)}`;
}

export const libraryColumns = ['Library', 'Runs as', 'First result', 'Download'] as const;

export function libraryTexts(results: Results, library: Library): string[] {
  const { opened, download } = library;
  return [
    describeLibrary(results, library),
    opened ? `${Math.round(opened.firstResult)} ms` : none,
    download ? bytes(download) : none,
  ];
}

export function describeLead(layer: LayerResult): string {
  const lead = layer.finished ? leadOf(layer) : null;
  return lead ? `${lead.ratio.toFixed(2)} × the speed of ${rowNames[lead.rival]}` : '';
}

/** The tables of one race. */
export class Board {
  /** What brings each part up to date; they get the GFLOP/s of a full bar. */
  readonly #patches: ((scale: number) => void)[] = [];

  constructor(readonly results: Results) {
    const libraries = this.#libraries();
    const layers = this.#layers();
    element('race-libraries').replaceChildren(libraries.element);
    element('race-results').replaceChildren(layers.element);
    this.render();
  }

  render(): void {
    const rates = this.results.layers.flatMap((layer) =>
      Object.values(layer.cells).flatMap(({ timing }) => (timing ? gflops(layer, timing.median) : [])),
    );
    const scale = Math.max(1, ...rates);
    for (const patch of this.#patches) patch(scale);
  }

  #libraries(): Table {
    const table = new Table('Libraries', libraryColumns);
    const body = table.body();
    for (const library of this.results.libraries) {
      const [name, ...cells] = table.cells(rowNames[library.key]);
      const line = row(name, ...cells);
      line.dataset.row = library.key;
      body.append(line);
      this.#patches.push(() => {
        line.dataset.state = library.state;
        libraryTexts(this.results, library).forEach((text, i) => cells[i] && setText(cells[i], text));
      });
    }
    return table;
  }

  #layers(): Table {
    const columns = ['Library', 'GFLOP/s', 'Median, ms', 'Warm-up, ms', 'Samples', 'Difference'];
    const table = new Table('Layers', columns);
    for (const layer of this.results.layers) {
      const body = table.body();
      body.dataset.layer = layer.shape.name;
      const title = part('th', 'rowheader', layer.shape.name);
      title.setAttribute('colspan', String(columns.length));
      const lead = document.createElement('b');
      const text = document.createElement('span');
      text.textContent = `${describeShape(layer.shape)}; ${operations(layer.flops)}`;
      title.append(text, lead);
      this.#patches.push(() => setText(lead, describeLead(layer)));
      body.append(row(title));
      for (const key of this.results.rows) body.append(this.#cell(table, layer, key));
    }
    return table;
  }

  #cell(table: Table, layer: LayerResult, key: RowKey): HTMLElement {
    const cell = layer.cells[key];
    const library = this.results.libraries.find((one) => one.key === key);
    const [name, speed, ...rest] = table.cells(rowNames[key]);
    const line = row(name, ...(speed ? [speed] : []), ...rest);
    line.dataset.row = key;
    const bar = document.createElement('span');
    bar.className = 'bar';
    const figure = document.createElement('b');
    speed?.replaceChildren(bar, figure);
    this.#patches.push((scale) => {
      const { timing, warmUp, standing } = cell;
      const rate = timing ? gflops(layer, timing.median) : 0;
      bar.style.width = `calc((100% - var(--room)) * ${rate / scale})`;
      setText(figure, timing ? measured(rate) : describeStanding(cell, key, library));
      line.dataset.state = timing ? 'timed' : (standing?.state ?? 'waiting');
      const texts = [
        milliseconds(timing?.median),
        milliseconds(warmUp),
        timing ? count(timing.samples) : none,
        difference(cell),
      ];
      texts.forEach((text, i) => rest[i] && setText(rest[i], text));
    });
    return line;
  }
}
