import type { NetworkValue } from '../api.js';

/** What a part of a model makes of a signal. Makes its layers. */
export type Operation = (x: NetworkValue) => NetworkValue;

/** A model as its file has it, of which nothing is made yet. */
export interface Model {
  inChannels: number;
  outChannels: number;
  /** Samples of silence after which it has settled. */
  prewarm: number;
  apply: Operation;
}
