// A model of a guitar amplifier in the manner of NeuralAmpModeler's WaveNet: two stacks of dilated layers, 16 and 8
// channels wide, each layer with the dry signal mixed in, a residual and a skip path. Plays ten seconds of it in pieces
// of 128 samples, and says how much faster than real time that is:
//   node examples/amp-model.mjs
import { Conv1d, init, Network, Tensor } from 'conv1d-wasm';

const rate = 48000;
const quantum = 128;

await init({ threads: 1 });

// Random weights: an amplifier's would come from readSafetensors() and loadStateDict().
let seed = 0;
function conv(inChannels, outChannels, kernelSize, options) {
  const layer = new Conv1d({ inChannels, outChannels, kernelSize, padding: 'causal', ...options });
  layer.resetParameters({ seed: ++seed });
  return layer;
}

/** One stack: gives what goes on to the next stack, and the sum of the skip paths. */
function stack(input, dry, channels, kernelSize, skip) {
  let x = input.conv(conv(input.channels, channels, 1, { bias: false }));
  let head = skip;
  for (let dilation = 1; dilation <= 512; dilation *= 2) {
    const mixed = x
      .conv(conv(channels, channels, kernelSize, { dilation }))
      .add(dry.conv(conv(1, channels, 1, { bias: false })));
    const z = mixed.activation('tanh');
    head = head ? head.add(z) : z;
    x = x.add(z.conv(conv(channels, channels, 1)));
  }
  return [x, head];
}

const model = new Network(1, (dry) => {
  const [x, head] = stack(dry, dry, 16, 3, null);
  const narrowed = head.conv(conv(16, 8, 1, { bias: false }));
  const [, skip] = stack(x, dry, 8, 3, narrowed);
  return skip.conv(conv(8, 1, 1));
});

const stream = model.stream({ maxChunk: quantum });
stream.settle(); // an amplifier that has been on for a while: no pop at the start
const chunk = new Tensor(new Float32Array(quantum), [1, quantum]);
const out = { out: new Tensor(new Float32Array(quantum), [1, quantum]) };
const seconds = 10;
const quanta = Math.floor((seconds * rate) / quantum);
const times = new Float64Array(quanta);
for (let q = 0; q < quanta; ++q) {
  for (let t = 0; t < quantum; ++t) chunk.data[t] = 0.5 * Math.sin((2 * Math.PI * 110 * (q * quantum + t)) / rate);
  const since = performance.now();
  stream.push(chunk, out);
  times[q] = performance.now() - since;
}
times.sort();
const budget = (1000 * quantum) / rate;
const [median, slow] = [times[quanta >> 1], times[Math.floor(0.999 * quanta)]];
console.log(`receptive field ${stream.receptiveField} samples, latency ${stream.latency}`);
console.log(
  `a quantum of ${budget.toFixed(2)} ms takes ${median.toFixed(3)} ms (one in a thousand ${slow.toFixed(3)}): ` +
    `${(budget / median).toFixed(1)} times real time`,
);
