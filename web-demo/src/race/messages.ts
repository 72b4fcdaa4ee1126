// What race.ts and the lanes' workers say to each other.
import type shapes from '../../../bench/shapes.json';

export type Shape = (typeof shapes)[number];
export type LaneKey = 'ours' | 'ort' | 'tfjs' | 'litert' | 'plain';

export interface LaneConfig {
  key: LaneKey;
  threads: number;
  variants: string[];
  /** Whether tensors stay where the library computes, if it can keep them there. */
  resident: boolean;
  /** Whether our float16 runs too. */
  half: boolean;
}

/** What runs in a lane and is timed. */
export interface Entrant {
  /** Where its tensors are: in the library's 'wasm' memory, or in 'js' arrays. */
  placement: string;
}

export interface Opened {
  entrants: Entrant[];
  /** Milliseconds from the worker's start to the first result of a small layer. */
  firstResult: number;
}

/** How an entrant stands before a layer is timed. */
export type Standing =
  | { state: 'absent' }
  | { state: 'failed'; error: string }
  | {
      state: 'ready';
      /** The largest difference from `reference`, or else from the first entrant; null for that one. */
      difference: number | null;
    };

/** What a lane's worker does when it is asked to. */
export interface LaneCalls {
  open: (config: LaneConfig) => Promise<Opened>;
  /**
   * Prepares and checks every entrant. Gives the reference back, or without one the output of the first: so large an array is
   * handed on from worker to worker, for copies would keep the page from drawing.
   */
  enter: (
    shape: Shape,
    reference: Float32Array | null,
  ) => Promise<{ standings: Standing[]; output: Float32Array | null }>;
  /** Gives the milliseconds of a run. */
  warmUp: (entrant: number, milliseconds: number) => Promise<number>;
  /** Gives the milliseconds of a run, once for each sample. */
  burst: (entrant: number, milliseconds: number) => Promise<number[]>;
  leave: () => Promise<void>;
  /** Bytes of all files that this worker loaded, gzipped. */
  weigh: () => Promise<number>;
}

export interface Request {
  id: number;
  method: keyof LaneCalls;
  args: unknown[];
}

export type Answer = { id: number; value: unknown } | { id: number; error: string };

/** What a lane has the page do with a worker that it would have started itself; see child.ts. */
export type ToChild = { child: number } & (
  { start: { href: string; options: WorkerOptions } } | { data: unknown } | { end: true }
);

export type FromChild = { child: number } & ({ data: unknown } | { error: ErrorEventInit });
