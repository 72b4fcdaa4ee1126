// One input through a layer or a network, on this thread or in the worker.
import type { NetworkCopy } from '../background/network-copy.js';
import { type ForwardAsyncOptions, readAsyncOptions } from './async-options.js';
import { bytesPerElement } from './dtype.js';
import type { Graph } from './graph.js';
import { computeOutput, type ForwardOptions, readOut } from './output.js';
import { checkShape, checkTensor, elementCount, splitShape, Tensor } from './tensor.js';

function joinShape({ spec }: Graph, inputShape: readonly number[], batch: number, outLength: number): number[] {
  return inputShape.length === 2 ? [spec.outChannels, outLength] : [batch, spec.outChannels, outLength];
}

export function outputShape(graph: Graph, inputShape: readonly number[]): number[] {
  const shape = checkShape('input', inputShape);
  const [batch, length] = splitShape('input', shape, graph.spec.inChannels, graph.spec.what);
  return joinShape(graph, shape, batch, graph.outputLength(batch, length, shape));
}

/** Makes the graph ready for that input. */
export function prepareFor(graph: Graph, inputShape: readonly number[]): void {
  const shape = checkShape('input', inputShape);
  const [batch, length] = splitShape('input', shape, graph.spec.inChannels, graph.spec.what);
  graph.prepare(batch, length, shape);
}

export function forward(graph: Graph, input: Tensor, options: ForwardOptions | undefined): Tensor {
  const { handle, runtime, spec } = graph;
  const { dtype } = spec;
  const { placement } = checkTensor('input', input, dtype);
  const inputPointer = input.pointerIn(runtime, 'input');
  const [batch, length] = splitShape('input', input.shape, spec.inChannels, spec.what);
  const shape = joinShape(graph, input.shape, batch, graph.prepare(batch, length, input.shape));
  const output = { shape, dtype, placement };
  const out = readOut(options, output, input);
  return computeOutput(runtime, output, out, input.size * bytesPerElement[dtype], (outputAt, inputAt) => {
    if (inputPointer === null) input.copyTo(runtime, inputAt);
    if (elementCount(shape) === 0) return;
    runtime.guard((core) => {
      core.run(handle, inputPointer ?? inputAt, outputAt);
    });
  });
}

/** `copy` makes what the worker gets, `version` tells the weights that it has then. */
export async function forwardAsync(
  graph: Graph,
  input: Tensor,
  options: ForwardAsyncOptions,
  version: number,
  copy: () => NetworkCopy,
): Promise<Tensor> {
  const { runtime, spec } = graph;
  const { placement } = checkTensor('input', input, spec.dtype);
  input.pointerIn(runtime, 'input'); // refuses the memory of another runtime
  const shape = outputShape(graph, input.shape);
  const callOptions = readAsyncOptions(options);
  if (callOptions.signal?.aborted) throw callOptions.signal.reason;

  const { background } = runtime;
  const [batch, length] = splitShape('input', input.shape, spec.inChannels, spec.what);
  const sent = graph.copyIn(background, version, copy);
  const outputBytes = elementCount(shape) * bytesPerElement[spec.dtype];
  const work = { graph: sent.graph, input: input.copyBuffer(), batch, length, outputBytes };
  const output = Tensor.fromBuffer(await background.run(work, callOptions), shape, spec.dtype);
  return placement === 'wasm' ? output.toWasm(runtime) : output;
}
