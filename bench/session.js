// What is measured in one page, or in one Node process: all contenders at one number of threads.
import { checkOutput, describeLayer, makeData } from './layer.js';
import { loadLimits } from './limits.js';
import { measure } from './measure.js';

// Each is loaded when asked for, as not every place has every peer.
const peers = {
  ours: () => import('./peers/ours.js'),
  ort: () => import('./peers/ort.js'),
  tfjs: () => import('./peers/tfjs.js'),
  litert: () => import('./peers/litert.js'),
  native: () => import('./peers/native.js'),
};

// Without the functions, which do not travel.
const plain = (entry) => JSON.parse(JSON.stringify(entry));

const text = (error) => String(error?.message ?? error);

/**
 * @param {{ threads: number, variants: string[], peers: string[], limits: boolean, assets?: object, module?: string }} config
 */
export async function openSession(config) {
  const contenders = [];
  const missing = {}; // why a peer is not there
  for (const key of config.peers) {
    try {
      const peer = await peers[key]();
      contenders.push(...(await peer.load(config)));
    } catch (error) {
      missing[key] = text(error);
    }
  }
  const limits = config.limits ? await loadLimits(config) : [];

  /** Prepares a contender and checks what it computes. */
  async function enter(contender, layer, data) {
    const { name, variant, placement, dtype } = contender;
    const entry = { name, variant, placement, dtype };
    try {
      const prepared = await contender.prepare(layer, data);
      if (!prepared) return null;
      await prepared.run();
      checkOutput(layer, data, prepared.output(), dtype);
      return { ...entry, ...prepared };
    } catch (error) {
      return { ...entry, error: text(error) };
    }
  }

  return {
    describe: () => ({ missing, limits: limits.map(({ name }) => name) }),

    /** Measures a row of shapes.json: { layer, limits, results }. */
    async measureLayer(shape, options) {
      const layer = describeLayer(shape);
      const data = makeData(layer);
      const entered = [];
      for (const contender of contenders) {
        const entry = await enter(contender, layer, data);
        if (entry) entered.push(entry);
      }
      const runners = entered.filter(({ error }) => !error);
      const marks = limits.map((limit) => ({ name: limit.name, ...limit.prepare(layer) }));
      const all = [...marks, ...runners];
      const timings = await measure(
        all.map(({ run }) => run),
        options,
      );
      timings.forEach((timing, i) => Object.assign(all[i], timing));
      for (const entry of runners) await entry.dispose();
      return { layer, limits: marks.map(plain), results: entered.map(plain) };
    },
  };
}
