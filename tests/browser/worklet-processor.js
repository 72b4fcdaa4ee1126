// A processor that somebody writes: a stack of its own on conv1d-wasm/worklet, and what memory it takes.
import { Conv1d, initSync, Network, Tensor } from '/dist/worklet.js';

const quantum = 128;

class StackProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions: { module, channels, weights } }) {
    super();
    this.runtime = initSync(module);
    const layers = weights.map(({ options, weight, bias }) => {
      const layer = new Conv1d(options);
      layer.loadStateDict({ weight: new Tensor(...weight), bias: new Tensor(...bias) });
      return layer;
    });
    this.stream = new Network(layers).stream({ maxChunk: quantum });
    for (const layer of layers) layer.dispose();
    this.chunk = new Tensor(new Float32Array(channels * quantum), [channels, quantum]);
    this.out = { out: new Tensor(new Float32Array(channels * quantum), [channels, quantum]) };
    this.quanta = 0;
    this.port.onmessage = () => this.port.postMessage({ quanta: this.quanta, ...this.runtime.memory });
  }

  process([input], [output]) {
    input.forEach((channel, c) => this.chunk.data.set(channel, c * quantum));
    const { data } = this.stream.push(this.chunk, this.out);
    output.forEach((channel, c) => channel.set(data.subarray(c * quantum, (c + 1) * quantum)));
    if (++this.quanta === 10) this.port.postMessage({ quanta: 10, ...this.runtime.memory });
    return true;
  }
}

registerProcessor('stack', StackProcessor);
