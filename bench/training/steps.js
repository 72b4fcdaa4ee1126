// The training step of amp.js on every library that there is. Modules are loaded when they are needed, as not every place has
// every library.
import { batch, convolutions, length } from './amp.js';

const libraries = [
  async (runtime) => (await import('./libraries/ours.js')).ours(runtime, 1),
  async (runtime) => (await import('./libraries/ours.js')).ours(runtime, 2),
  async () => (await import('./libraries/tfjs.js')).tfjs(),
  async () => (await import('./libraries/jax.js')).jax(),
  async () => (await import('./libraries/torch.js')).torch(),
];

/** As the networks of ../networks/networks.js. */
export const trainingStep = {
  async prepare({ runtime }) {
    const contenders = [];
    for (const load of libraries) contenders.push({ ...(await load(runtime)), tolerated: 1e-3 });
    const products = convolutions.reduce((sum, { weight }) => sum + weight.length, 0);
    return { contenders, flops: 2 * products * batch * length };
  },
};
