// Feeds a layer with a sensor's signal in pieces of any size, as they might come from a socket, and shows that the
// outputs are those of the whole signal, bit for bit:
//   node examples/stream-sensor.mjs [SEED]
import { Conv1d, init, Tensor } from 'conv1d-wasm';

const seconds = 20;
const rate = 360; // samples a second, as in many ECG recordings
const length = seconds * rate;
const maxChunk = 64;

let state = Number(process.argv[2] ?? Date.now()) >>> 0;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;

/** A heartbeat like an ECG's on a wandering baseline with noise. */
function heartbeat(t) {
  const phase = (t * 1.2) % 1;
  const wave = (centre, width, height) => height * Math.exp(-(((phase - centre) / width) ** 2));
  const beat = wave(0.18, 0.025, 0.15) + wave(0.28, 0.01, 1) - wave(0.31, 0.012, 0.25) + wave(0.52, 0.05, 0.3);
  return beat + 0.3 * Math.sin(0.7 * t) + 0.05 * (random() - 0.5);
}

await init({ threads: 1 });

// A band-pass by differences of means, a derivative and a smoothed one: three kernels over one signal.
const taps = 31;
const mean = (width) => Array.from({ length: taps }, (_, k) => (k >= taps - width ? 1 / width : 0));
const [narrow, wide] = [mean(5), mean(31)];
const kernels = [
  narrow.map((w, k) => w - wide[k]),
  Array.from({ length: taps }, (_, k) => (k === taps - 1 ? 1 : k === taps - 2 ? -1 : 0)),
  narrow,
];
const conv = new Conv1d({
  inChannels: 1,
  outChannels: 3,
  kernelSize: taps,
  padding: 'causal',
  bias: false,
  algorithm: 'direct', // sums in one order, so that pieces can be compared with the whole bit by bit
});
conv.weight = new Tensor(kernels.flat(), [3, 1, taps]);

const signal = Float32Array.from({ length }, (_, i) => heartbeat(i / rate));
const whole = conv.forward(new Tensor(signal, [1, length])).data;

const stream = conv.stream({ maxChunk });
const rows = [[], [], []];
let chunks = 0;
for (let t = 0; t < length; ++chunks) {
  const count = Math.min(length - t, Math.floor(random() * (maxChunk + 1)));
  const output = stream.push(new Tensor(signal.subarray(t, t + count), [1, count]));
  rows.forEach((row, o) => row.push(...output.data.subarray(o * count, (o + 1) * count)));
  t += count;
}

const different = rows.flat().filter((value, i) => !Object.is(value, whole[i])).length;
console.log(
  `${seconds} s of signal in ${chunks} chunks of 0 to ${maxChunk} samples: ${different} of ${whole.length} outputs differ`,
);
const peaks = rows[0].filter((y, i, row) => y > 0.3 && y >= row[i - 1] && y > row[i + 1]).length;
console.log(`${peaks} beats found, latency ${stream.latency} samples, receptive field ${stream.receptiveField}`);
process.exitCode = different > 0 ? 1 : 0;
