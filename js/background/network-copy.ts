import type { GraphParts } from '../network/parts.js';
import type { CoreOptions } from '../runtime/core.js';

/** A convolution as it was when it was copied, as messages carry it. Elements are in the layer's dtype. */
export interface ConvolutionCopy {
  /** Those that are missing have their default. */
  readonly options: Partial<CoreOptions>;
  readonly weight: ArrayBuffer;
  readonly bias: ArrayBuffer | null;
}

/** An LSTM or a GRU likewise; elements are float32. */
export interface RecurrentCopy {
  readonly options: { readonly cell: 'lstm' | 'gru'; readonly inputSize: number; readonly hiddenSize: number };
  readonly weights: ArrayBuffer;
}

export type LayerCopy = ConvolutionCopy | RecurrentCopy;

/** A network likewise; its steps have the layers' places in `layers`. */
export interface NetworkCopy extends GraphParts {
  readonly outChannels: number;
  readonly layers: readonly LayerCopy[];
}
