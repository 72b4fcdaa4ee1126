import { describeLayer } from '../../../bench/layer.js';
import { geometricMean } from '../../../bench/statistics.js';
import type { LaneKey, Opened, Shape, Standing } from './messages';
import { laneKeys, rounds, type RaceListener, type RaceSettings, type Timing } from './race';

/** What has a row of its own: each library, and our float16. */
export type RowKey = LaneKey | 'half';

export const rowNames: Record<RowKey, string> = {
  ours: 'conv1d-wasm',
  half: 'conv1d-wasm, float16',
  litert: 'LiteRT.js',
  tfjs: 'tfjs-backend-wasm',
  ort: 'onnxruntime-web',
  plain: 'Plain JavaScript',
};

export interface Library {
  key: LaneKey;
  state: 'waiting' | 'opening' | 'open' | 'left';
  opened?: Opened;
  /** Why it left. */
  reason?: string;
  /** Bytes of its files, gzipped. */
  download?: number;
}

export interface Cell {
  standing?: Standing;
  /** Milliseconds of a run in the warm-up, and of all samples since. */
  warmUp?: number;
  timing?: Timing;
}

export interface LayerResult {
  shape: Shape;
  flops: number;
  cells: Record<RowKey, Cell>;
  finished?: boolean;
}

/** How much faster ours is than the best other on one layer. */
export interface Lead {
  layer: string;
  ratio: number;
  rival: RowKey;
}

const emptyCells = (): Record<RowKey, Cell> => ({ ours: {}, half: {}, litert: {}, tfjs: {}, ort: {}, plain: {} });

const rivals: readonly RowKey[] = ['litert', 'tfjs', 'ort', 'plain'];

export const gflops = ({ flops }: LayerResult, milliseconds: number) => flops / milliseconds / 1e6;

export function leadOf({ shape, cells }: LayerResult): Lead | null {
  const own = cells.ours.timing?.median;
  const times = rivals.flatMap((rival) => {
    const median = cells[rival].timing?.median;
    return median === undefined ? [] : [{ rival, median }];
  });
  const best = times.toSorted((a, b) => a.median - b.median)[0];
  return own === undefined || !best ? null : { layer: shape.name, ratio: best.median / own, rival: best.rival };
}

// Of the time that a race takes: one to start a library, some for a layer.
const layerWeight = 3;

/** All that a race has found so far. */
export class Results implements RaceListener {
  readonly libraries: Library[];
  readonly layers: LayerResult[];
  /** What is going on. */
  status = '';
  begun = false;
  #opened = 0;
  #bursts = 0;

  constructor(
    readonly settings: RaceSettings,
    readonly onChange: () => void,
  ) {
    this.libraries = laneKeys.map((key) => ({ key, state: 'waiting' }));
    this.layers = settings.shapes.map((shape) => ({ shape, flops: describeLayer(shape).flops, cells: emptyCells() }));
  }

  /** The rows of each layer. */
  get rows(): RowKey[] {
    return laneKeys.flatMap((key): RowKey[] => (key === 'ours' && this.settings.half ? ['ours', 'half'] : [key]));
  }

  /** From 0 to 1. */
  get progress(): number {
    const done = this.layers.filter(({ finished }) => finished).length;
    const current = this.layers[done];
    const ready = current
      ? Object.values(current.cells).filter(({ standing }) => standing?.state === 'ready').length
      : 0;
    const layers = done + (ready > 0 ? Math.min(1, this.#bursts / (ready * rounds)) : 0);
    return (this.#opened + layerWeight * layers) / (laneKeys.length + layerWeight * this.layers.length);
  }

  /** How ours stands on the layers that are done, or null while there are none. */
  get leads(): { mean: number; least: Lead; most: Lead; count: number } | null {
    const all = this.layers
      .flatMap((layer) => (layer.finished ? (leadOf(layer) ?? []) : []))
      .toSorted((a, b) => a.ratio - b.ratio);
    const [least, most] = [all[0], all.at(-1)];
    if (!least || !most) return null;
    return { mean: geometricMean(all.map(({ ratio }) => ratio)), least, most, count: all.length };
  }

  /** How much longer a run took as a rule than at its best, on average over all that was timed. */
  get unrest(): number {
    const timings = this.layers.flatMap(({ cells }) => Object.values(cells).flatMap(({ timing }) => timing ?? []));
    return timings.length === 0 ? 1 : geometricMean(timings.map(({ median, min }) => median / min));
  }

  opening(key: LaneKey): void {
    this.#library(key).state = 'opening';
    this.#say(`Loading ${rowNames[key]}`);
  }

  opened(key: LaneKey, opened: Opened): void {
    Object.assign(this.#library(key), { state: 'open', opened });
    this.#opened++;
    this.onChange();
  }

  left(key: LaneKey, reason: string): void {
    const library = this.#library(key);
    if (!library.opened) this.#opened++;
    Object.assign(library, { state: 'left', reason });
    this.onChange();
  }

  entered(shape: Shape, key: LaneKey, standings: Standing[]): void {
    standings.forEach((standing, entrant) => (this.#cell(shape, key, entrant).standing = standing));
    this.#bursts = 0;
    const index = this.settings.shapes.indexOf(shape);
    this.#say(`Layer ${index + 1} of ${this.layers.length}: ${shape.name}`);
  }

  warmedUp(shape: Shape, key: LaneKey, entrant: number, milliseconds: number): void {
    this.#cell(shape, key, entrant).warmUp = milliseconds;
    this.onChange();
  }

  timed(shape: Shape, key: LaneKey, entrant: number, timing: Timing): void {
    this.#cell(shape, key, entrant).timing = timing;
    this.#bursts++;
    this.onChange();
  }

  finished(shape: Shape): void {
    this.#layer(shape).finished = true;
    this.#bursts = 0;
    this.onChange();
  }

  weighed(key: LaneKey, bytes: number): void {
    this.#library(key).download = bytes;
    this.#say('Weighing the downloads');
  }

  #say(status: string): void {
    this.status = status;
    this.onChange();
  }

  #library(key: LaneKey): Library {
    const found = this.libraries.find((library) => library.key === key);
    if (!found) throw new Error(`no library ${key}`);
    return found;
  }

  #layer(shape: Shape): LayerResult {
    const found = this.layers.find((layer) => layer.shape === shape);
    if (!found) throw new Error(`no layer ${shape.name}`);
    return found;
  }

  #cell(shape: Shape, key: LaneKey, entrant: number): Cell {
    return this.#layer(shape).cells[entrant === 0 ? key : 'half'];
  }
}
