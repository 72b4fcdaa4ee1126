// A neural amp model in the audio thread, by conv1d-wasm/worklet/models, and what memory it takes.
import { readNam } from '/dist/models.worklet.js';
import { initSync, Tensor } from '/dist/worklet.js';

const quantum = 128;

class AmpProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions: { module, json } }) {
    super();
    this.runtime = initSync(module);
    const model = readNam(json);
    this.stream = model.network.stream({ maxChunk: quantum });
    this.stream.settle();
    model.dispose();
    this.chunk = new Tensor(new Float32Array(quantum), [1, quantum]);
    this.out = { out: new Tensor(new Float32Array(quantum), [1, quantum]) };
    this.quanta = 0;
    this.port.onmessage = () => this.report();
  }

  report() {
    this.port.postMessage({ quanta: this.quanta, ...this.runtime.memory });
  }

  process([[input]], [[output]]) {
    this.chunk.data.set(input);
    output.set(this.stream.push(this.chunk, this.out).data);
    if (++this.quanta === 10) this.report();
    return true;
  }
}

registerProcessor('amp', AmpProcessor);
