import type {
  ConvolverLoad,
  ConvolverMessage,
  ConvolverReply,
  ConvolverSetup,
  ConvolverUpdate,
} from './audio/convolver.js';
import { initSync } from './audio/init-sync.js';
import { asMessage } from './background/messages.js';
import type { NetworkCopy } from './background/network-copy.js';
import { createLayer, destroyLayer, type OwnedLayer, writeParameters } from './background/from-copy.js';
import { withHandles } from './network/parts.js';
import { Conv1dStream } from './network/stream.js';
import { workletPlatform } from './platform.worklet.js';
import { requireRuntime } from './runtime/default.js';
import { usePlatform } from './runtime/platform.js';
import { version } from './version.js';

usePlatform(workletPlatform);

const floatBytes = 4;
const nothing: readonly Float32Array[] = [];
const noSamples = new Float32Array();

/** All but the weights of a network, to tell whether another differs in those alone. */
function structureOf({ steps, layers }: NetworkCopy): string {
  return JSON.stringify([steps, layers.map(({ options }) => options)]);
}

/** A network with its stream and the memory through which samples pass. */
class Player {
  readonly #runtime = requireRuntime();
  readonly #network: NetworkCopy;
  readonly #layers: OwnedLayer[] = [];
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
    for (const copy of layers) this.#layers.push(createLayer(runtime, copy));
    const handles = this.#layers.map(({ handle }) => handle);
    const steps = withHandles(this.#network.steps, handles);
    this.#stream = new Conv1dStream({ ...this.#network, runtime, steps }, { maxChunk: this.#quantum });
    this.#chunk = runtime.allocate(inChannels * this.#quantum * floatBytes, 'sound');
    this.#output = runtime.allocate(outChannels * this.#quantum * floatBytes, 'sound');
  }

  get outChannels(): number {
    return this.#network.outChannels;
  }

  get receptiveField(): number {
    return this.#stream?.receptiveField ?? 0;
  }

  /** Changes to the weights of a network of the same structure, keeping the history; false when it is of another. */
  updateWeights(network: NetworkCopy): boolean {
    if (structureOf(network) !== structureOf(this.#network)) return false;
    this.#layers.forEach((layer, i) => {
      const copy = network.layers[i];
      if (copy) writeParameters(this.#runtime, layer, copy);
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
    for (const layer of this.#layers) destroyLayer(this.#runtime, layer);
    this.#runtime.release(this.#chunk);
    this.#runtime.release(this.#output);
  }
}

/** Takes one network's sound over to another's. */
class Fade {
  readonly #from: Player;
  readonly #rows: Float32Array[];
  readonly #length: number;
  /** Samples of the fade that are over; negative while the new network only listens. */
  #position: number;

  constructor(
    from: Player,
    readonly to: Player,
    readonly update: number,
    length: number,
    quantum: number,
  ) {
    this.#from = from;
    this.#length = length;
    this.#position = -Math.min(length, to.receptiveField);
    this.#rows = Array.from({ length: to.outChannels }, () => new Float32Array(quantum));
  }

  get isOver(): boolean {
    return this.#position >= this.#length;
  }

  process(input: readonly Float32Array[], output: readonly Float32Array[]): void {
    this.#from.process(input, output);
    this.to.process(input, this.#rows);
    for (let c = 0; c < output.length; ++c) this.#mix(output[c] ?? noSamples, this.#rows[c] ?? noSamples);
    this.#position += output[0]?.length ?? 0;
  }

  #mix(out: Float32Array, to: Float32Array): void {
    for (let i = 0; i < out.length; ++i) {
      const part = Math.min(1, Math.max(0, (this.#position + i + 1) / this.#length));
      const from = out[i] ?? 0;
      out[i] = from + part * ((to[i] ?? 0) - from);
    }
    to.fill(0);
  }
}

const reportSeconds = 0.25;
const pauseSeconds = 1;
// The device's clock may be this much slower than the one that measures it.
const clockDrift = 1e-3;

/** Milliseconds. An AudioWorklet has no `performance`; Temporal is finer than Date where a browser lets it be. */
const now =
  typeof Temporal === 'undefined' ? Date.now : () => Number(Temporal.Now.instant().epochNanoseconds) / 1_000_000;

/** Sums up how the thread keeps up. */
class LoadMeter {
  #quanta = 0;
  #busy = 0;
  #dropouts = 0;
  /** How far the clock is ahead of the sound when it comes in time, in seconds. */
  #due = Infinity;

  constructor(
    readonly slack: number,
    readonly quantumSeconds: number,
    readonly report: (load: ConvolverLoad) => void,
  ) {}

  count(began: number, ended: number): void {
    this.#busy += (ended - began) / 1000;
    const ahead = began / 1000 - currentTime;
    this.#due = Math.min(ahead, this.#due + clockDrift * this.quantumSeconds);
    const late = ahead - this.#due;
    if (late > this.slack) {
      if (late < pauseSeconds) ++this.#dropouts;
      this.#due = ahead;
    }
    const lasted = ++this.#quanta * this.quantumSeconds;
    if (lasted < reportSeconds) return;
    this.report({ share: this.#busy / lasted, dropouts: this.#dropouts });
    this.#quanta = this.#busy = this.#dropouts = 0;
  }
}

class ConvolverProcessor extends AudioWorkletProcessor {
  readonly #quantum: number;
  readonly #meter: LoadMeter | null = null;
  #player: Player | null = null;
  #fade: Fade | null = null;
  /** Updates that wait for the end of the fade. */
  #updates: ConvolverUpdate[] = [];

  constructor({ processorOptions }: { processorOptions: unknown }) {
    super();
    const { module, network, quantum, slack } = processorOptions as ConvolverSetup;
    this.#quantum = quantum;
    if (slack !== null) {
      this.#meter = new LoadMeter(slack, quantum / sampleRate, (load) => {
        this.#reply(load);
      });
    }
    this.#answer(0, () => {
      initSync(module);
      this.#player = new Player(network, quantum);
    });
    this.port.onmessage = ({ data }: MessageEvent<ConvolverMessage>) => {
      if (data.type === 'end') this.#end();
      else this.#enqueue(data);
      this.#applyUpdates();
    };
  }

  #reply(reply: ConvolverReply): void {
    this.port.postMessage(reply);
  }

  #end(): void {
    this.#fade?.to.dispose();
    this.#player?.dispose();
    this.#player = this.#fade = null;
    this.#updates = [];
  }

  /** During a fade, later updates take the place of earlier ones. */
  #enqueue(message: ConvolverUpdate): void {
    if (this.#fade) for (const { update } of this.#updates.splice(0)) this.#reply({ update, error: null });
    this.#updates.push(message);
  }

  #applyUpdates(): void {
    while (!this.#fade) {
      const message = this.#updates.shift();
      if (!message) return;
      this.#answer(message.update, () => {
        this.#apply(message);
      });
    }
  }

  /** Does what an update says, and answers unless its fade will do so. */
  #answer(update: number, work: () => void): void {
    try {
      work();
      if (!this.#fade) this.#reply({ update, error: null });
    } catch (error) {
      this.#reply({ update, error: asMessage(error) });
    }
  }

  #apply({ network, fade, update }: ConvolverUpdate): void {
    const player = this.#player;
    if (!player || (fade === 0 && player.updateWeights(network))) return;
    const next = new Player(network, this.#quantum);
    if (fade > 0) {
      this.#fade = new Fade(player, next, update, fade, this.#quantum);
      return;
    }
    player.dispose();
    this.#player = next;
  }

  #endFade({ to, update }: Fade): void {
    this.#player?.dispose();
    this.#player = to;
    this.#fade = null;
    this.#reply({ update, error: null });
    this.#applyUpdates();
  }

  // Taking the lists apart by a pattern would make an iterator each time.
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const began = this.#meter ? now() : 0;
    (this.#fade ?? this.#player)?.process(inputs[0] ?? nothing, outputs[0] ?? nothing);
    if (this.#fade?.isOver) this.#endFade(this.#fade);
    this.#meter?.count(began, now());
    return this.#player !== null;
  }
}

registerProcessor(`conv1d-wasm ${version}`, ConvolverProcessor);
