// Runs the race: every library in a worker of its own, timed in turn by the benchmark's own stopwatches.
import { measureInTurn, summarize } from '../../../bench/measure.js';
import { Lane } from './lane';
import type { LaneKey, Opened, Shape, Standing } from './messages';

export interface RaceSettings {
  shapes: readonly Shape[];
  threads: number;
  relaxed: boolean;
  half: boolean;
  resident: boolean;
}

/** The milliseconds of a run. */
export interface Timing {
  median: number;
  min: number;
  samples: number;
}

/** What is told while it runs. An entrant is known by its lane and its place among those that the lane opened with. */
export interface RaceListener {
  opening(key: LaneKey): void;
  opened(key: LaneKey, opened: Opened): void;
  /** The library could not start, or failed later; it takes no further part. */
  left(key: LaneKey, reason: string): void;
  entered(shape: Shape, key: LaneKey, standings: Standing[]): void;
  warmedUp(shape: Shape, key: LaneKey, entrant: number, milliseconds: number): void;
  /** Comes after every burst, with all samples until then. */
  timed(shape: Shape, key: LaneKey, entrant: number, timing: Timing): void;
  finished(shape: Shape): void;
  /** Bytes of the library's files, gzipped. */
  weighed(key: LaneKey, bytes: number): void;
}

export const laneKeys: readonly LaneKey[] = ['ours', 'litert', 'tfjs', 'ort', 'plain'];
/** Bursts of samples of each entrant on each layer. */
export const rounds = 5;
const secondsEach = 0.25; // for one entrant and one layer
const settleMilliseconds = 30; // some libraries' threads spin on for a while

/** An entrant that is timed. */
interface Runner {
  lane: Lane;
  entrant: number;
}

/**
 * Times every library that starts on each of the shapes.
 * @throws signal.reason when it is aborted
 */
export async function race(settings: RaceSettings, tell: RaceListener, signal: AbortSignal): Promise<void> {
  const { shapes, threads, relaxed, half, resident } = settings;
  const lanes = new Set<Lane>();
  const endAll = (reason: Error) => {
    for (const lane of lanes) lane.end(reason);
  };
  const abort = () => endAll(signal.reason as Error);

  // A library that fails leaves the race, and the others go on.
  async function attempt<Result>(lane: Lane, act: () => Promise<Result>): Promise<Result | null> {
    try {
      return await act();
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      lane.end(new Error(reason));
      if (lanes.delete(lane)) tell.left(lane.key, reason);
      return null;
    }
  }

  async function open(key: LaneKey): Promise<void> {
    const lane = new Lane(key);
    lanes.add(lane);
    tell.opening(key);
    const config = { key, threads, variants: [relaxed ? 'relaxed' : 'simd'], resident, half: half && key === 'ours' };
    const opened = await attempt(lane, () => lane.call('open', config));
    if (opened) tell.opened(key, opened);
  }

  async function enterAll(shape: Shape): Promise<Runner[]> {
    const runners: Runner[] = [];
    let reference: Float32Array | null = null;
    for (const lane of lanes) {
      const entered = await attempt(lane, () => lane.call('enter', shape, reference));
      // Ours, which has to come back; with a lane that fails, it is gone.
      if (lane.key === 'ours' || reference) reference = entered?.output ?? null;
      if (!entered) continue;
      tell.entered(shape, lane.key, entered.standings);
      entered.standings.forEach(({ state }, entrant) => {
        if (state === 'ready') runners.push({ lane, entrant });
      });
    }
    return runners;
  }

  async function timeLayer(shape: Shape): Promise<void> {
    const runners = await enterAll(shape);
    const samples = runners.map((): number[] => []);
    const warmed = new Set<Runner>();
    const watches = runners.map((runner) => {
      const { lane, entrant } = runner;
      return {
        async warmUp(milliseconds: number) {
          const each = await attempt(lane, () => lane.call('warmUp', entrant, milliseconds));
          if (each === null || warmed.has(runner)) return;
          warmed.add(runner);
          tell.warmedUp(shape, lane.key, entrant, each);
        },
        burst: async (milliseconds: number) =>
          (await attempt(lane, () => lane.call('burst', entrant, milliseconds))) ?? [],
      };
    });
    const settle = threads > 1 ? settleMilliseconds : 0;
    const options = { seconds: secondsEach * runners.length, rounds, settle };
    await measureInTurn(watches, options, (index: number, burst: number[]) => {
      const [runner, all] = [runners[index], samples[index]];
      if (!runner || !all || burst.length === 0) return;
      all.push(...burst);
      tell.timed(shape, runner.lane.key, runner.entrant, summarize(all));
    });
    for (const lane of lanes) await attempt(lane, () => lane.call('leave'));
    tell.finished(shape);
  }

  signal.addEventListener('abort', abort);
  try {
    for (const key of laneKeys) await open(key);
    for (const shape of shapes) await timeLayer(shape);
    for (const lane of lanes) {
      const bytes = await lane.call('weigh').catch(() => 0); // a file that cannot be read again only leaves this out
      signal.throwIfAborted();
      if (bytes > 0) tell.weighed(lane.key, bytes);
    }
  } finally {
    signal.removeEventListener('abort', abort);
    endAll(new Error('the race is over'));
  }
}
