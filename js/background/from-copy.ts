import { createLayer as createConvolution } from '../layer/plan.js';
import { withHandles } from '../network/parts.js';
import { describeGraph } from '../network/steps.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { ConvolutionCopy, LayerCopy, NetworkCopy, RecurrentCopy } from './network-copy.js';

/** A layer as C++ has it. */
export interface OwnedLayer {
  readonly handle: number;
  readonly isRecurrent: boolean;
}

const isRecurrent = (copy: LayerCopy): copy is RecurrentCopy => 'weights' in copy;

function writeElements(runtime: LoadedRuntime, elements: ArrayBuffer, at: number): void {
  runtime.halves.set(new Uint16Array(elements), at / 2);
}

/** Gives a layer the copy's parameters. */
export function writeParameters(runtime: LoadedRuntime, { handle }: OwnedLayer, copy: LayerCopy): void {
  if (isRecurrent(copy)) {
    writeElements(
      runtime,
      copy.weights,
      runtime.guard((core) => core.recurrentWeights(handle)),
    );
    runtime.guard((core) => {
      core.recurrentChanged(handle);
    });
    return;
  }
  const { weight, bias } = copy;
  writeElements(
    runtime,
    weight,
    runtime.guard((core) => core.weight(handle)),
  );
  if (bias) {
    writeElements(
      runtime,
      bias,
      runtime.guard((core) => core.bias(handle)),
    );
  }
  runtime.guard((core) => {
    core.weightsChanged(handle);
  });
}

function convolutionOf(runtime: LoadedRuntime, { options }: ConvolutionCopy): number {
  const defaults = runtime.guard((core) => core.defaultOptions());
  return createConvolution(runtime, { ...defaults, parameters: [], ...options });
}

/** Throws Conv1dError ERR_OUT_OF_MEMORY. */
export function createLayer(runtime: LoadedRuntime, copy: LayerCopy): OwnedLayer {
  const handle = isRecurrent(copy)
    ? runtime.guard((core) => core.createRecurrent(copy.options.cell, copy.options.inputSize, copy.options.hiddenSize))
    : convolutionOf(runtime, copy);
  if (handle === 0) throw runtime.lastError(undefined);
  const layer = { handle, isRecurrent: isRecurrent(copy) };
  writeParameters(runtime, layer, copy);
  return layer;
}

export function destroyLayer(runtime: LoadedRuntime, layer: OwnedLayer): void {
  runtime.free((core) => {
    if (layer.isRecurrent) core.destroyRecurrent(layer.handle);
    else core.destroyGraph(layer.handle);
  });
}

/** A handle of the network. Throws Conv1dError ERR_OUT_OF_MEMORY. */
export function createNetwork(runtime: LoadedRuntime, network: NetworkCopy): number {
  const layers: OwnedLayer[] = [];
  try {
    for (const layer of network.layers) layers.push(createLayer(runtime, layer));
    const handles = layers.map(({ handle }) => handle);
    describeGraph(runtime, { ...network, steps: withHandles(network.steps, handles) });
    return runtime.guard((core) => core.createNetwork());
  } finally {
    // The network shares its layers.
    for (const layer of layers) destroyLayer(runtime, layer);
  }
}
