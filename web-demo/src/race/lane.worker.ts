// One library's side of the race, in a worker of its own, so that none finds another's files, memory or threads there: does
// what race.ts asks for.
import { enter, peers, text } from '../../../bench/contenders.js';
import { describeLayer, makeData, smallLayer } from '../../../bench/layer.js';
import { stopwatch } from '../../../bench/measure.js';
import { startChildrenFromPage, childUrls } from './child';
import { litertFolder, tfjsFiles, welcomeLiteRt } from './assets';
import type { Answer, Entrant, LaneCalls, LaneConfig, FromChild, Request, Shape, Standing } from './messages';

interface Prepared {
  run: () => Promise<void> | undefined;
  output: () => Float32Array;
  dispose: () => void | Promise<void>;
}

interface Contender extends Entrant {
  dtype?: string;
  prepare: (layer: Shape, data: unknown) => Promise<Prepared | null>;
}

type Entry = (Prepared & { error?: undefined }) | { error: string };

interface Peer {
  load: (config: { threads: number; variants: string[]; assets: object }) => Promise<Contender[]> | Contender[];
}

type Running = Prepared & { watch: ReturnType<typeof stopwatch> };

let contenders: Contender[] = [];
let running: (Running | null)[] = []; // for each contender

/** Of each dtype the contender that is wanted, or the one that there is. */
function choose(all: Contender[], { resident, half }: LaneConfig): Contender[] {
  const wanted = resident ? 'wasm' : 'js';
  const pick = (dtype: string) => {
    const able = all.filter((contender) => (contender.dtype ?? 'float32') === dtype);
    return able.find(({ placement }) => placement === wanted) ?? able[0];
  };
  return [pick('float32'), half ? pick('float16') : undefined].filter((contender) => contender !== undefined);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs((a[i] ?? NaN) - (b[i] ?? NaN)));
  return largest;
}

async function gzippedBytes(url: string): Promise<number> {
  const response = await fetch(url, { cache: 'force-cache' });
  if (!response.ok || !response.body) throw new Error(`${url} could not be read again: status ${response.status}`);
  let bytes = 0;
  const count = new WritableStream<Uint8Array>({ write: (chunk) => void (bytes += chunk.length) });
  await response.body.pipeThrough(new CompressionStream('gzip')).pipeTo(count);
  return bytes;
}

function watchOf(entrant: number): Running['watch'] {
  const entry = running[entrant];
  if (!entry) throw new Error(`contender ${entrant} does not run`);
  return entry.watch;
}

const calls: LaneCalls = {
  async open(config) {
    if (config.key === 'litert') welcomeLiteRt();
    const { load } = (await peers[config.key]()) as unknown as Peer;
    const { threads, variants } = config;
    contenders = choose(await load({ threads, variants, assets: { tfjs: tfjsFiles, litert: litertFolder } }), config);
    const [first] = contenders;
    if (!first) throw new Error('it has nothing to run');
    const layer = describeLayer(smallLayer);
    const prepared = await first.prepare(layer, makeData(layer));
    await prepared?.run();
    prepared?.output();
    const firstResult = performance.now();
    await prepared?.dispose();
    return { entrants: contenders.map(({ placement }) => ({ placement })), firstResult };
  },

  async enter(shape, reference) {
    const layer = describeLayer(shape);
    const data = makeData(layer);
    const standings: Standing[] = [];
    let first: Float32Array | null = null;
    for (const [index, contender] of contenders.entries()) {
      running[index] = null;
      const entry = (await enter(contender, layer, data)) as Entry | null;
      if (!entry) {
        standings.push({ state: 'absent' });
      } else if (entry.error !== undefined) {
        standings.push({ state: 'failed', error: entry.error });
      } else {
        const output = entry.output();
        const against = reference ?? first;
        const difference = against && largestDifference(output, against);
        first ??= output;
        running[index] = { ...entry, watch: stopwatch(entry.run) };
        standings.push({ state: 'ready', difference });
      }
    }
    return { standings, output: reference ?? first?.slice() ?? null };
  },

  warmUp: (entrant, milliseconds) => watchOf(entrant).warmUp(milliseconds),
  burst: (entrant, milliseconds) => watchOf(entrant).burst(milliseconds),

  async leave() {
    for (const entry of running) await entry?.dispose();
    running = [];
  },

  async weigh() {
    const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
    const files = [...new Set([...loaded, ...childUrls])].filter((url) => !url.startsWith('blob:'));
    let bytes = 0;
    for (const file of files) bytes += await gzippedBytes(file);
    return bytes;
  },
};

const post = (message: Answer, transfer: Transferable[] = []) => postMessage(message, { transfer });

async function answer({ id, method, args }: Request): Promise<void> {
  try {
    const call = calls[method] as (...args: unknown[]) => Promise<unknown>;
    const value = await call(...args);
    const moved = value instanceof Object && 'output' in value && value.output instanceof Float32Array;
    post({ id, value }, moved ? [(value.output as Float32Array).buffer] : []);
  } catch (error) {
    post({ id, error: text(error) });
  }
}

startChildrenFromPage();

addEventListener('message', (event: MessageEvent<Request | FromChild>) => {
  if ('method' in event.data) void answer(event.data);
});
