// Neural amp models of other projects, whole and in pushes.
import { createRuntime, Tensor } from 'conv1d-wasm';
import { readNam } from 'conv1d-wasm/models';
import { randoms } from '../../layer.js';
import { namWasm } from '../libraries/nam-wasm.js';
import { disposeAll } from '../libraries/ours.js';

const rate = 48000;
const push = 128;
const checkedSamples = 64 * push;
const signal = randoms(10 * rate, 1).map((value) => value / 2);
const chunk = signal.slice(0, push);

/** The outputs for the first samples of the signal, in pushes. */
function pushAll(pushOne) {
  const outputs = new Float32Array(checkedSamples);
  for (let t = 0; t < checkedSamples; t += push) outputs.set(pushOne(signal.subarray(t, t + push)), t);
  return outputs;
}

const row = (samples) => new Tensor(samples, [1, samples.length]);

/** Pushes; they begin as `start(stream)` says. */
const stream = (runtime, model, start) => ({
  name: 'conv1d-wasm',
  prepare() {
    const { network } = readNam(model, { runtime });
    const live = network.stream({ maxChunk: push });
    start(live);
    const checked = pushAll((samples) => live.push(row(samples)).data);
    const input = row(chunk);
    const options = { out: row(new Float32Array(push)) };
    return {
      run: () => void live.push(input, options),
      check: () => checked,
      dispose: () => disposeAll([live, network]),
    };
  },
});

const text = (bytes) => new TextDecoder().decode(bytes);

/** A model in pushes, beside another player of such models. */
function streams(runtime, model) {
  const { weights } = model;
  return {
    flops: 2 * weights.length * push,
    contenders: [stream(runtime, model, (live) => live.settle()), namWasm({ model, rate, chunk, pushAll })],
  };
}

const a1 = (files) => JSON.parse(text(files['nam/wavenet_a1_standard.nam']));
const a2 = (files) => JSON.parse(text(files['nam/A2.nam'])).config.submodels.map(({ model }) => model);

export const a1Stream = ({ runtime, files }) => streams(runtime, a1(files));
export const a2LiteStream = ({ runtime, files }) => streams(runtime, a2(files).at(0));
export const a2FullStream = ({ runtime, files }) => streams(runtime, a2(files).at(-1));

/** `forward` of the whole signal on `threads` threads. */
const whole = (runtime, model, threads) => ({
  name: `forward, ${threads} thread${threads > 1 ? 's' : ''}`,
  seconds: signal.length / rate,
  async prepare() {
    const own = threads === runtime.threads ? null : await createRuntime({ threads, variant: runtime.variant });
    if (own && own.threads !== threads) throw new Error(own.threadsReason);
    const { network } = readNam(model, { runtime: own ?? runtime });
    const input = row(signal);
    const out = network.forward(input);
    return {
      run: () => void network.forward(input, { out }),
      check: () => out.data.subarray(0, checkedSamples),
      dispose: () => disposeAll([network, ...(own ? [own] : [])]),
    };
  },
});

/** The whole signal in one call beside pushes. */
export function a1Forward({ runtime, files }) {
  const model = a1(files);
  const pushes = { ...stream(runtime, model, () => {}), name: 'stream', seconds: push / rate };
  return { contenders: [whole(runtime, model, 1), pushes] };
}

/** Two threads beside one. */
export function a1TwoThreads({ runtime, files }) {
  const model = a1(files);
  return { contenders: [whole(runtime, model, 2), whole(runtime, model, 1)] };
}
