// The library where the engine does not tell what was collected, as in some edge runtimes.
delete globalThis.FinalizationRegistry;
const { Conv1d, createRuntime, Network, Tensor } = await import('conv1d-wasm');

const outputs = [];
for (const threads of [1, 2]) {
  const runtime = await createRuntime({ threads });
  const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, bias: false, runtime });
  layer.weight = new Tensor([1, 10], [1, 1, 2]);
  const input = new Tensor([1, 2, 4], [1, 3]);
  const placed = input.toWasm(runtime);
  const network = new Network([layer]);
  const stream = layer.stream({ maxChunk: 3 });
  for (const output of [layer.forward(placed), await layer.forwardAsync(input), network.forward(input)]) {
    outputs.push(output.toArray());
    output.dispose();
  }
  outputs.push(stream.push(input).toArray());
  for (const object of [stream, placed, layer, runtime]) object.dispose();
}
console.log(JSON.stringify({ registry: typeof FinalizationRegistry, outputs }));
