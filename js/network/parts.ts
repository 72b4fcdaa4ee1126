// The steps of a network, and how they travel.
import type { DType } from '../layer/dtype.js';

/** One step: a layer, or an operation with its numbers, see cpp/operations/. Value 0 is the input, step i makes i + 1. */
export interface StepParts {
  readonly operands: readonly number[];
  readonly kind: string;
  readonly numbers: readonly number[];
  /** Of kinds 'convolution' and 'recurrent': its handle, or in a copy its place among the layers. */
  readonly layer: number;
}

/** What C++ makes a graph of. */
export interface GraphParts {
  readonly dtype: DType;
  readonly inChannels: number;
  readonly steps: readonly StepParts[];
}

/** A graph of one layer. */
export const layerStep = (layer: number): StepParts => ({ operands: [0], kind: 'convolution', numbers: [], layer });

/** The steps with handles in place of the layers' places. */
export function withHandles(steps: readonly StepParts[], handles: readonly number[]): StepParts[] {
  return steps.map((step) => ({ ...step, layer: handles[step.layer] ?? 0 }));
}
