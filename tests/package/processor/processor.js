import { Conv1d, initSync, Tensor } from 'conv1d-wasm/worklet';

class Filter extends AudioWorkletProcessor {
  constructor({ processorOptions: { module } }) {
    super();
    initSync(module);
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, padding: 'causal', bias: false });
    layer.weight = new Tensor([1, 10], [1, 1, 2]);
    this.stream = layer.stream({ maxChunk: 128 });
  }

  process([[input]], [[output]]) {
    if (input) output.set(this.stream.push(new Tensor(input, [1, 128])).data);
    return true;
  }
}

registerProcessor('filter', Filter);
