// What is measured in one page, or in one Node process: all contenders at one number of threads.
import { enter, peers, text } from './contenders.js';
import { describeLayer, makeData } from './layer.js';
import { loadLimits } from './limits.js';
import { measure } from './measure.js';
import { networks } from './networks/networks.js';

const modules = { ...peers, native: () => import('./peers/native.js') };

// Without the functions, which do not travel.
const plain = (entry) => JSON.parse(JSON.stringify(entry));

// Adds the median, minimum and number of samples to each entry.
async function timeAll(entries, options) {
  const timings = await measure(
    entries.map(({ run }) => run),
    options,
  );
  timings.forEach((timing, i) => Object.assign(entries[i], timing));
}

// The same for the entries without error beside `marks`; then they are done with.
async function timeContenders(what, marks, entries, options) {
  const sound = entries.filter(({ error }) => !error);
  await timeAll([...marks, ...sound], options);
  for (const { name, dispose } of sound) {
    // What a peer cannot free any more was timed all the same.
    await (async () => dispose())().catch((error) => console.warn(`${name} on ${what}: ${text(error)}`));
  }
  return { limits: marks.map(plain), results: entries.map(plain) };
}

/**
 * Loads `config.peers` at `config.threads` threads, ours in each of `config.variants`, and with `config.limits` the machine's
 * own marks. `assets` is where a page's peers find their files, `module` where a peer lies that is no dependency.
 *
 * @param {{ threads: number, variants: string[], peers: string[], limits: boolean, assets?: object, module?: string }} config
 */
export async function openSession(config) {
  const contenders = [];
  const missing = {}; // why a peer is not there
  for (const key of config.peers) {
    try {
      const { load } = await modules[key]();
      contenders.push(...(await load(config)));
    } catch (error) {
      missing[key] = text(error);
    }
  }
  const limits = config.limits ? await loadLimits(config) : [];

  return {
    missing,

    /** Times a row of shapes.json: { layer, limits, results }, see report.mjs. */
    async measureLayer(shape, options) {
      const layer = describeLayer(shape);
      const data = makeData(layer);
      const results = [];
      for (const contender of contenders) {
        const entry = await enter(contender, layer, data);
        if (entry) results.push(entry);
      }
      const marks = limits.map(({ name, prepare }) => ({ name, ...prepare(layer) }));
      return { layer, ...(await timeContenders(layer.name, marks, results, options)) };
    },

    /** Times a network of networks/networks.js on our first build: { variant, limits, results }, see networks/report.mjs. */
    async measureNetwork(index, files, options) {
      const { enterNetwork } = await import('./networks/enter.js');
      const { runtimes } = await import('./peers/ours.js');
      const [runtime] = runtimes;
      const network = networks[index];
      const entries = await enterNetwork(network, runtime, files);
      const marks = limits.filter(({ name }) => name !== 'copy').map(({ name, prepare }) => ({ name, ...prepare() }));
      return { variant: runtime.variant, ...(await timeContenders(network.name, marks, entries, options)) };
    },

    /** Times the gradients of a layer on our first build: { layer, variant, limits, results }, see training/report.mjs. */
    async measureGradients(shape, options) {
      const { gradientEntries } = await import('./training/layers.js');
      const { runtimes } = await import('./peers/ours.js');
      const [runtime] = runtimes;
      const { layer, entries, dispose } = await gradientEntries(runtime, shape);
      const bytes = 4 * (layer.N * layer.Cin * layer.L) + layer.outputBytes; // what a gradient of weights reads
      const read = { sourceBytes: bytes, outputBytes: bytes };
      const marks = limits.map(({ name, prepare }) => ({ name, ...prepare(read) }));
      await timeAll([...marks, ...entries], options);
      dispose();
      return { layer, variant: runtime.variant, limits: marks.map(plain), results: entries.map(plain) };
    },

    /** Times a training step on our first build and other libraries: { limits, results }, see training/report.mjs. */
    async measureTrainingStep(options) {
      const { enterNetwork } = await import('./networks/enter.js');
      const { trainingStep } = await import('./training/steps.js');
      const { runtimes } = await import('./peers/ours.js');
      const entries = await enterNetwork(trainingStep, runtimes[0], {});
      return timeContenders('the training step', [], entries, options);
    },

    /** Times how long each of our builds takes to take and pack the weights of a row of shapes.json. */
    async measurePacking(shape, options) {
      const { packingEntries } = await import('./packing.js');
      const entries = packingEntries(shape);
      await timeAll(entries, options);
      return entries.map(plain);
    },

    /** Times a random layer on our first build: { choice, entries }, see sweep.js. */
    async measureSweep(shape, options) {
      const { sweepEntries } = await import('./sweep.js');
      const { choice, entries } = sweepEntries(shape);
      await timeAll(entries, options);
      for (const entry of entries) entry.dispose();
      return { choice, entries: entries.map(plain) };
    },

    /** Times pushes, see streams.js. */
    async measureStreams(options) {
      const { streamEntries } = await import('./streams.js');
      const entries = streamEntries();
      await timeAll(entries, options);
      return entries.map(plain);
    },
  };
}
