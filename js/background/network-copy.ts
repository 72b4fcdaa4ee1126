import type { DType } from '../layer/dtype.js';
import type { CoreOptions } from '../runtime/core.js';

/** A layer as it was when it was copied, as messages carry it. Elements are in the layer's dtype. */
export interface LayerCopy {
  /** Those that are missing have their default. */
  readonly options: Partial<CoreOptions>;
  readonly weight: ArrayBuffer;
  readonly bias: ArrayBuffer | null;
}

/** A network likewise. Where a step's record has a layer, it is the place in `layers`, counted from 1. */
export interface NetworkCopy {
  readonly dtype: DType;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly records: readonly Int32Array[];
  readonly layers: readonly LayerCopy[];
}
