import type { ConvolverMessage, ConvolverReply, ConvolverSetup } from './convolver.js';
import { initSync } from './init-sync.js';
import { createPlan, type NetworkCopy, writeParameters } from './plan-copy.js';
import { usePlatform } from './platform.js';
import { workletPlatform } from './platform.worklet.js';
import { requireRuntime } from './runtime.js';
import { Conv1dStream, planWord } from './stream.js';
import { version } from './version.js';

usePlatform(workletPlatform);

const floatBytes = 4;
const nothing: readonly Float32Array[] = [];

/** All but the weights of a network, to tell whether another differs in those alone. */
function structureOf({ records, layers }: NetworkCopy): string {
  return JSON.stringify([records.map((record) => [...record]), layers.map(({ options }) => options)]);
}

/** A network with its stream and the memory through which samples pass. */
class Playing {
  readonly #runtime = requireRuntime();
  readonly #network: NetworkCopy;
  readonly #plans: number[] = [];
  #stream: Conv1dStream | null = null;
  readonly #quantum: number;
  #chunk = 0;
  #output = 0;
  /** Views of the output's rows of a whole quantum. */
  #rows: Float32Array[] = [];

  constructor(network: NetworkCopy, quantum: number) {
    this.#network = network;
    this.#quantum = quantum;
    try {
      this.#build();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  #build(): void {
    const runtime = this.#runtime;
    const { layers, inChannels, outChannels } = this.#network;
    for (const copy of layers) this.#plans.push(createPlan(runtime, copy));
    const records = this.#network.records.map((record) => {
      const own = Int32Array.from(record);
      own[planWord] = this.#plans[(record[planWord] ?? 0) - 1] ?? 0;
      return own;
    });
    this.#stream = new Conv1dStream({ ...this.#network, runtime, records }, { maxChunk: this.#quantum });
    this.#chunk = runtime.allocate(inChannels * this.#quantum * floatBytes);
    this.#output = runtime.allocate(outChannels * this.#quantum * floatBytes);
  }

  /** Takes the weights of a network of the same structure, keeping the history; false when it is of another. */
  takeWeights(network: NetworkCopy): boolean {
    if (structureOf(network) !== structureOf(this.#network)) return false;
    network.layers.forEach((copy, i) => {
      writeParameters(this.#runtime, this.#plans[i] ?? 0, copy);
    });
    return true;
  }

  /** One quantum; channels that are missing are silent. What the stream does not give yet is silence, too. */
  process(input: readonly Float32Array[], output: readonly Float32Array[]): void {
    const { inChannels, outChannels } = this.#network;
    const samples = output[0]?.length ?? 0;
    if (samples !== this.#quantum || !this.#stream) return;
    const heap = this.#runtime.floats;
    for (let c = 0; c < inChannels; ++c) {
      const at = this.#chunk / floatBytes + c * samples;
      const channel = input[c];
      if (channel) heap.set(channel, at);
      else heap.fill(0, at, at + samples);
    }
    const count = this.#stream.pushAt(this.#chunk, samples, this.#output);
    const rows = this.#rowsOf(count);
    for (let c = 0; c < outChannels; ++c) {
      const row = rows[c];
      if (row) output[c]?.set(row, samples - count);
    }
  }

  #rowsOf(count: number): Float32Array[] {
    const heap = this.#runtime.floats;
    if (this.#rows[0]?.buffer === heap.buffer && this.#rows[0].length === count) return this.#rows;
    const at = this.#output / floatBytes;
    this.#rows = Array.from({ length: this.#network.outChannels }, (_, c) =>
      heap.subarray(at + c * count, at + (c + 1) * count),
    );
    return this.#rows;
  }

  dispose(): void {
    this.#stream?.dispose();
    for (const plan of this.#plans) {
      this.#runtime.free((core) => {
        core.destroyPlan(plan);
      });
    }
    this.#runtime.release(this.#chunk);
    this.#runtime.release(this.#output);
  }
}

class ConvolverProcessor extends AudioWorkletProcessor {
  readonly #quantum: number;
  #playing: Playing | null;

  constructor({ processorOptions }: { processorOptions: unknown }) {
    super();
    const { module, network, quantum } = processorOptions as ConvolverSetup;
    initSync(module);
    this.#quantum = quantum;
    this.#playing = new Playing(network, quantum);
    this.port.onmessage = ({ data }: MessageEvent<ConvolverMessage>) => {
      this.#receive(data);
    };
  }

  #receive(message: ConvolverMessage): void {
    if (message.type === 'end') {
      this.#playing?.dispose();
      this.#playing = null;
      return;
    }
    const reply: ConvolverReply = { update: message.update, error: null };
    try {
      if (this.#playing?.takeWeights(message.network) === false) {
        const next = new Playing(message.network, this.#quantum);
        this.#playing.dispose();
        this.#playing = next;
      }
    } catch (error) {
      reply.error = String(error);
    }
    this.port.postMessage(reply);
  }

  // Taking the lists apart by a pattern would make an iterator each time.
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    this.#playing?.process(inputs[0] ?? nothing, outputs[0] ?? nothing);
    return this.#playing !== null;
  }
}

registerProcessor(`conv1d-wasm ${version}`, ConvolverProcessor);
