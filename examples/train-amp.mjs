// A neural amp model learns an amplifier from a recording of what goes in and what comes out:
//   node examples/train-amp.mjs IN.wav TARGET.wav SHAPE.nam OUT.nam
// SHAPE.nam is a model of the wanted size, such as examples/overdrive.nam; its weights do not count.
import { init, Network, Tensor } from 'conv1d-wasm';
import { readNam } from 'conv1d-wasm/models';
import { Adam, cosine, esr, train } from 'conv1d-wasm/train';
import { Misuse, readInput, runCommand, showBar, takePaths, writeOutput } from './lib/command.mjs';
import { parseWav } from './lib/wav.mjs';

const hop = 4096; // samples that a step learns from, of each stretch
const batchSize = 4;
const steps = 1200;

async function readMono(path, rate) {
  const { samples, format } = parseWav(path, await readInput(path));
  if (format.channels === 1 && format.rate === rate) return samples;
  throw new Misuse(`${path} has ${format.channels} channels at ${format.rate} Hz, the model needs 1 at ${rate} Hz`);
}

/** Stretches of a signal, each with what the model hears before it; silence comes before the first. */
function cut(samples, before) {
  const padded = new Float32Array(before + samples.length);
  padded.set(samples, before);
  const count = Math.floor(samples.length / hop);
  return new Tensor(Array.from({ length: count }, (_, i) => [padded.subarray(i * hop, (i + 1) * hop + before)]));
}

async function main() {
  const usage = 'node examples/train-amp.mjs IN.wav TARGET.wav SHAPE.nam OUT.nam';
  const [inPath, targetPath, shapePath, outPath] = takePaths(usage);
  await init();
  const model = readNam((await readInput(shapePath)).toString(), { size: 'lite' });
  const { network, sampleRate, prewarm } = model;
  const [input, target] = [await readMono(inPath, sampleRate), await readMono(targetPath, sampleRate)];
  if (input.length !== target.length || input.length < hop) {
    throw new Misuse(`both recordings must have the same length, at least ${hop} samples`);
  }
  network.resetParameters({ scheme: 'pytorch', seed: 1 });
  // The first outputs of a stretch hear what is not there: nothing is learned from them.
  const learner = Network.sequential({ amp: network, context: (x) => x.crop(prewarm, 0) });
  const data = { inputs: cut(input, prewarm), targets: cut(target, 0) };
  const epochs = Math.ceil(steps / Math.ceil(data.inputs.shape[0] / batchSize));
  const start = performance.now();
  const { loss } = await train(learner, {
    ...{ data, epochs, batchSize, seed: 1, clipNorm: 1 },
    loss: esr(),
    optimizer: new Adam({ learningRate: 0.005 }),
    schedule: (_, epoch) => cosine({ steps: epochs })(epoch),
    onProgress: ({ step, steps: all }) => showBar(step / all),
  });
  await writeOutput(outPath, JSON.stringify(model));
  const seconds = (performance.now() - start) / 1000;
  console.log(`model   ${Object.values(network.stateDict()).reduce((sum, { size }) => sum + size, 0)} weights`);
  console.log(`time    ${seconds.toFixed(1)} s, ${epochs} epochs of ${data.inputs.shape[0]} stretches`);
  console.log(`error   ${loss.toFixed(4)} of the signal's energy`);
}

await runCommand('train-amp', main);
