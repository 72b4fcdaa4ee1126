import { createLayer as layerOf } from '../layer/plan.js';
import { withHandle, withRecords } from '../network/steps.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { LayerCopy, NetworkCopy } from './network-copy.js';

/** Gives a layer the copy's weight and bias. */
export function writeParameters(runtime: LoadedRuntime, layer: number, { weight, bias }: LayerCopy): void {
  runtime.halves.set(new Uint16Array(weight), runtime.guard((core) => core.weight(layer)) / 2);
  if (bias) runtime.halves.set(new Uint16Array(bias), runtime.guard((core) => core.bias(layer)) / 2);
  runtime.guard((core) => core.weightsChanged(layer));
}

/** A handle of the layer. Throws Conv1dError ERR_OUT_OF_MEMORY. */
export function createLayer(runtime: LoadedRuntime, copy: LayerCopy): number {
  const defaults = runtime.guard((core) => core.defaultOptions());
  const layer = layerOf(runtime, { ...defaults, parameters: [], ...copy.options });
  if (layer === 0) throw runtime.lastError(undefined);
  writeParameters(runtime, layer, copy);
  return layer;
}

/** A handle of the network. Throws Conv1dError ERR_OUT_OF_MEMORY. */
export function createNetwork(runtime: LoadedRuntime, { records, dtype, inChannels, layers }: NetworkCopy): number {
  const handles: number[] = [];
  try {
    for (const layer of layers) handles.push(createLayer(runtime, layer));
    const own = records.map((record) => withHandle(record, handles));
    return withRecords(runtime, own, (at, count) =>
      runtime.guard((core) => core.createNetwork(at, count, dtype === 'float16', inChannels)),
    );
  } finally {
    // The network shares its layers.
    for (const handle of handles) runtime.free((core) => core.destroyGraph(handle));
  }
}
