// A small network learns to tell three motions apart by an accelerometer of three axes:
//   node examples/train-motion.mjs
// The recordings are made on the spot: walking, running and shaking, each in its own rhythm, with noise and any posture.
import { BatchNorm1d, Conv1d, init, Linear, Network, Tensor } from 'conv1d-wasm';
import { AdamW, crossEntropy, train } from 'conv1d-wasm/train';

const rate = 50; // Hz
const length = 128;
const motions = [
  { name: 'walking', beats: [1.5, 2.2], overtones: [1, 0.4], strength: [0.5, 1] },
  { name: 'running', beats: [2.4, 3.4], overtones: [1, 0.7, 0.3], strength: [1, 2] },
  { name: 'shaking', beats: [4, 7], overtones: [1], strength: [0.4, 2] },
];

// Mulberry32 (Tommy Ettinger, public domain): the same recordings each time.
let state = 1;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let z = Math.imul(state ^ (state >>> 15), state | 1);
  z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
  return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
}
const between = ([low, high]) => low + (high - low) * random();

function record({ beats, overtones, strength }) {
  const [beat, loud] = [between(beats), between(strength)];
  return Array.from({ length: 3 }, () => {
    const [posture, share] = [between([-1, 1]), random()];
    const phases = overtones.map(() => 2 * Math.PI * random());
    return Float32Array.from({ length }, (_, t) => {
      const angle = (2 * Math.PI * beat * t) / rate;
      const motion = overtones.reduce((sum, a, i) => sum + a * Math.sin((i + 1) * angle + phases[i]), 0);
      return posture + loud * share * motion + 0.3 * between([-1, 1]);
    });
  });
}

function makeSet(count) {
  const classes = Array.from({ length: count }, (_, i) => i % motions.length);
  const inputs = new Tensor(classes.map((motion) => record(motions[motion])));
  return { inputs, targets: new Tensor(classes.map((motion) => [motion])) };
}

await init();
const network = Network.sequential([
  new Conv1d({ inChannels: 3, outChannels: 16, kernelSize: 9, stride: 2, padding: 4 }),
  new BatchNorm1d({ numFeatures: 16 }),
  (x) => x.activation('relu'),
  new Conv1d({ inChannels: 16, outChannels: 32, kernelSize: 5, stride: 2, padding: 2 }),
  new BatchNorm1d({ numFeatures: 32 }),
  (x) => x.activation('relu').globalAveragePool().dropout(0.2),
  new Linear({ inFeatures: 32, outFeatures: motions.length }),
]);
network.resetParameters({ scheme: 'pytorch', seed: 1 });

const [data, validation] = [makeSet(600), makeSet(150)];

function accuracy({ inputs, targets }) {
  const scores = network.forward(inputs).toArray();
  const right = scores.filter((rows, i) => {
    const values = rows.map(([score]) => score);
    return values.indexOf(Math.max(...values)) === targets.data[i];
  });
  return right.length / scores.length;
}

await train(network, {
  ...{ data, validation, epochs: 12, batchSize: 32, seed: 1 },
  loss: crossEntropy(),
  optimizer: new AdamW({ learningRate: 0.005 }),
  onProgress({ epoch, loss, validationLoss, epochEnded }) {
    if (!epochEnded) return;
    const percent = (100 * accuracy(validation)).toFixed(1);
    console.log(
      `epoch ${epoch}: loss ${loss.toFixed(3)}, of new recordings ${validationLoss.toFixed(3)}, ${percent} % right`,
    );
  },
});
console.log(`in the end ${(100 * accuracy(validation)).toFixed(1)} % of new recordings right`);
