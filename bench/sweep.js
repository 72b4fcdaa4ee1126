// Random layers, each computed by every algorithm that can: whether 'auto' picks the fastest.
import { Conv1d, Tensor } from 'conv1d-wasm';
import { describeLayer, randoms } from './layer.js';
import { layerOptions, runtimes } from './peers/ours.js';

export const algorithms = ['direct', 'toom_cook', 'fft'];

const leastOperations = 1e3; // of one forward
const mostOperations = 6e8;
const mostFloats = 4e6; // of one array

/** Numbers in [0, 1), the same ones for a seed. */
function makeRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * `count` rows as those of shapes.json: few and many channels, dense, grouped and depthwise, kernels of up to 16,000 taps,
 * strides up to the kernel, long dilations, tiny and huge lengths.
 */
export function randomShapes(count, seed) {
  const random = makeRandom(seed);
  const chance = (probability) => random() < probability;
  const pick = (least, most) => Math.floor(least * ((most + 1) / least) ** random()); // as many of 1 to 2 as of 100 to 200
  const channels = () => {
    if (chance(0.3)) return [1, pick(1, 4), pick(1, 512)]; // of a front end
    if (chance(0.2)) {
      const g = pick(1, 512);
      return [g, g, g * (chance(0.2) ? 2 : 1)]; // depthwise
    }
    const g = chance(0.15) ? pick(2, 16) : 1;
    return [g, g * pick(1, 512), g * pick(1, 512)];
  };
  const draw = () => {
    const [g, Cin, Cout] = channels();
    const k = chance(0.1) ? pick(512, 16_000) : chance(0.4) ? pick(32, 512) : pick(1, 32);
    const s = chance(0.3) ? pick(2, chance(0.5) ? 8 : Math.max(2, k)) : 1;
    const d = chance(0.25) ? pick(2, 2048) : 1;
    const p = chance(0.7) ? Math.floor((d * (k - 1)) / 2) : 0;
    return { N: chance(0.2) ? pick(2, 32) : 1, Cin, Cout, k, s, p, d, g, L: pick(4, 1_000_000) };
  };
  const fits = ({ N, Cin, Cout, k, d, g, p, L }) => {
    if (L + 2 * p <= d * (k - 1) || Cin > 1024 || Cout > 1024) return false;
    return Math.max(N * Cin * L, N * Cout * L, (Cout * Cin * k) / g) <= mostFloats;
  };
  const shapes = [];
  while (shapes.length < count) {
    const shape = draw();
    if (!fits(shape)) continue;
    const { flops } = describeLayer(shape);
    if (flops <= mostOperations && flops >= leastOperations) shapes.push({ name: `random ${shapes.length}`, ...shape });
  }
  return shapes;
}

function algorithmEntry(algorithm, shape, runtime) {
  const { N, Cin, L } = shape;
  const layer = new Conv1d({ ...layerOptions(shape), algorithm, runtime });
  const input = new Tensor(randoms(N * Cin * L, 1), [N, Cin, L]).toWasm(runtime);
  const out = layer.forward(input);
  return {
    algorithm,
    explanation: layer.explain([N, Cin, L]),
    run: () => void layer.forward(input, { out }),
    dispose() {
      for (const owned of [layer, input, out]) owned.dispose();
    },
  };
}

/** An entry to be timed for each algorithm that can compute the layer, and how 'auto' would. */
export function sweepEntries(shape) {
  const [runtime] = runtimes;
  const entries = [];
  for (const algorithm of algorithms) {
    try {
      entries.push(algorithmEntry(algorithm, shape, runtime));
    } catch (error) {
      if (error.code !== 'ERR_UNSUPPORTED' && error.code !== 'ERR_OUT_OF_MEMORY') throw error;
    }
  }
  const auto = new Conv1d({ ...layerOptions(shape), runtime });
  const choice = auto.explain([shape.N, shape.Cin, shape.L]);
  auto.dispose();
  return { choice, entries };
}
