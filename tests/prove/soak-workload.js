// What a long-lived page or server does, over and over. Plain ECMAScript: Node and a page both run it.
import { Conv1d, createRuntime, Network, Tensor } from 'conv1d-wasm';
import { makeRandom } from '../numbers.js';

const thirds = 3;

function tensor(shape, random, dtype) {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return new Tensor(
    Float32Array.from({ length: size }, () => 2 * random() - 1),
    shape,
    dtype,
  );
}

/** Layers of every algorithm and dtype, with inputs of two shapes each, here and in wasm memory. */
function openForwards(runtime, random) {
  const layers = [
    { inChannels: 3, outChannels: 4, kernelSize: 3, algorithm: 'direct' },
    { inChannels: 8, outChannels: 8, kernelSize: 5, padding: 'same', algorithm: 'toom_cook', activation: 'relu' },
    { inChannels: 1, outChannels: 1, kernelSize: 33, padding: 'causal', algorithm: 'fft' },
    { inChannels: 4, outChannels: 6, kernelSize: 4, stride: 2, groups: 2, dtype: 'float16', activation: 'silu' },
  ];
  const calls = layers.flatMap((options) => {
    const layer = new Conv1d({ ...options, runtime });
    return [50, 131].flatMap((length) => {
      const input = tensor([1, options.inChannels, length], random, options.dtype);
      const placed = input.toWasm(runtime);
      const out = layer.forward(placed);
      return [() => layer.forward(input), () => layer.forward(placed).dispose(), () => layer.forward(placed, { out })];
    });
  });
  return (i) => {
    calls[i % calls.length]();
  };
}

/** Streams of a network and of a long kernel, pushed in pieces of changing lengths, ended and begun again now and then. */
function openPushes(runtime, random) {
  const maxChunk = 200;
  const dilated = [1, 4, 16].map(
    (dilation) => new Conv1d({ inChannels: 4, outChannels: 8, kernelSize: 3, dilation, padding: 'causal', runtime }),
  );
  const network = new Network(4, (x) => dilated.reduce((h, layer) => h.add(h.conv(layer).gate()), x));
  const long = new Conv1d({ inChannels: 4, outChannels: 4, groups: 4, kernelSize: 900, padding: 'causal', runtime });
  const streams = [network, long].map((source) => source.stream({ maxChunk }));
  const chunks = Array.from({ length: maxChunk + 1 }, (_, length) => tensor([4, length], random));
  return (i) => {
    const stream = streams[i % streams.length];
    stream.push(chunks[Math.floor(random() * chunks.length)]);
    if (random() > 0.01) return;
    stream.flush();
    stream.reset();
  };
}

/** Layers that are made, used once, and disposed or forgotten. */
function openLayers(runtime, random) {
  const input = tensor([1, 4, 64], random);
  return (i) => {
    const layer = new Conv1d({ inChannels: 4, outChannels: 1 + (i % 7), kernelSize: 1 + (i % 20), runtime });
    layer.forward(input);
    const stream = layer.stream({ maxChunk: 64 });
    stream.push(input);
    if (i % 2 === 0) return;
    stream.dispose();
    layer.dispose();
  };
}

/** Runtimes with one thread and with two; one in four is forgotten, the others are disposed. */
function openRuntimes(runtime, random) {
  const input = tensor([1, 2, 500], random);
  return async (i) => {
    const own = await createRuntime({ threads: 1 + (i % 2) });
    const layer = new Conv1d({ inChannels: 2, outChannels: 3, kernelSize: 3, runtime: own });
    layer.forward(input);
    if (i % 8 > 1) own.dispose();
  };
}

const phases = { forwards: openForwards, pushes: openPushes, layers: openLayers, runtimes: openRuntimes };

/** Lets timers, messages and finalizers have their turn. */
const turn = () => new Promise((resolve) => setTimeout(resolve));

/** Collects garbage and what its finalizers leave; the host was started with --expose-gc. */
async function collect() {
  for (let i = 0; i < 5; ++i) {
    globalThis.gc();
    await turn();
  }
}

/**
 * @param {Record<string, number>} counts  of each phase
 * @param {{ seed: number, heapBytes: () => Promise<number>, onProgress: (text: string) => void }} host
 *   `heapBytes` says how much memory the process or page holds
 * @returns {Promise<Record<string, { count: number, milliseconds: number[], wasm: number[], heap: number[] }>>}
 *   of each phase by thirds: how long it took, and the bytes in use of the runtime and in all at its end
 */
export async function soak(counts, { seed, heapBytes, onProgress }) {
  const results = {};
  for (const [name, open] of Object.entries(phases)) {
    const runtime = await createRuntime({ threads: 1 });
    const step = open(runtime, makeRandom(seed));
    const result = { count: counts[name], milliseconds: [], wasm: [], heap: [] };
    const run = async (from, to) => {
      const since = performance.now();
      let lastTurn = since;
      for (let i = from; i < to; ++i) {
        const done = step(i);
        if (done) await done;
        if (performance.now() - lastTurn < 50) continue;
        onProgress(`${name} ${i}`);
        await turn();
        lastTurn = performance.now();
      }
      return performance.now() - since;
    };
    // What is made once is made before the first third.
    await run(0, Math.ceil(counts[name] / 20));
    for (let third = 0; third < thirds; ++third) {
      const [from, to] = [third, third + 1].map((n) => Math.round((n * counts[name]) / thirds));
      result.milliseconds.push(await run(from, to));
      await collect();
      result.wasm.push(runtime.memory.used);
      result.heap.push(await heapBytes());
    }
    runtime.dispose();
    results[name] = result;
  }
  return results;
}
