// The steps of a network as C++ is told them.
import type { DType } from '../layer/dtype.js';
import type { LoadedRuntime } from '../runtime/runtime.js';

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

/** Describes a graph to C++, which createNetwork or createStream then takes. Throws what C++ refuses. */
export function describeGraph(runtime: LoadedRuntime, { dtype, inChannels, steps }: GraphParts): void {
  runtime.guard((core) => {
    core.beginGraph(dtype === 'float16', inChannels);
  });
  for (const { operands, kind, numbers, layer } of steps) {
    const bytes = new Uint8Array(8 * numbers.length + 4 * operands.length);
    new Float64Array(bytes.buffer, 0, numbers.length).set(numbers);
    new Int32Array(bytes.buffer, 8 * numbers.length).set(operands);
    const isDescribed = runtime.withCopy(bytes, (at) =>
      runtime.guard((core) => {
        const operandsAt = at + 8 * numbers.length;
        if (kind === 'convolution') core.addLayer(operandsAt, layer);
        else if (kind === 'recurrent') core.addRecurrent(operandsAt, layer);
        else return core.addOperation(kind, operandsAt, operands.length, at, numbers.length);
        return true;
      }),
    );
    if (!isDescribed) throw runtime.lastError(kind);
  }
}
