// A layer finds an unknown filter from noise that went in and what came out: system identification.
//   node examples/fit-filter.mjs
import { Conv1d, init, Tensor } from 'conv1d-wasm';

const taps = 32;
const rate = 0.5;

await init();
const noise = (count) => Float32Array.from({ length: count }, () => 2 * Math.random() - 1);
const shape = { inChannels: 1, outChannels: 1, kernelSize: taps, padding: 'causal', bias: false };
const unknown = new Conv1d(shape);
unknown.weight = new Tensor(
  noise(taps).map((tap, i) => tap * Math.exp(-i / 8)),
  [1, 1, taps],
);
const layer = new Conv1d({ ...shape, weight: new Tensor(new Float32Array(taps), [1, 1, taps]) });

for (let step = 0; step <= 100; ++step) {
  const input = new Tensor(noise(4096), [1, 4096]);
  const target = unknown.forward(input).data;
  const difference = layer.forward(input).data.map((value, t) => value - target[t]);
  const error = difference.reduce((sum, value) => sum + value * value, 0) / difference.length;
  if (step % 20 === 0) console.log(`step ${step}: mean squared error ${error.toExponential(1)}`);
  const gradOutput = new Tensor(
    difference.map((value) => (2 * value) / difference.length),
    [1, 4096],
  );
  const { weight } = layer.backward(gradOutput, { input, needs: ['weight'] });
  const { data } = layer.weight;
  layer.weight = new Tensor(
    data.map((tap, i) => tap - rate * weight.data[i]),
    [1, 1, taps],
  );
}
const off = layer.weight.data.map((tap, i) => Math.abs(tap - unknown.weight.data[i]));
console.log(`the largest error of a tap is ${Math.max(...off).toExponential(1)}`);
