// The steps of a network as C++ is told them.
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { GraphParts } from './parts.js';

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
