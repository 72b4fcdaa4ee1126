// What every consumer computes with the package, whatever brought it there.
import { conv1d, Conv1d, createConvolverNode, createRuntime, init, Network, Tensor } from 'conv1d-wasm';
import { readNam } from 'conv1d-wasm/models';
import { mse, Sgd, train } from 'conv1d-wasm/train';

function expectEqual(got, expected, what) {
  const [a, b] = [got, expected].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what} is ${a}, expected ${b}`);
}

/** [1 2 4 ...] through the taps [1 10]. */
const signal = () => new Tensor([1, 2, 4, 8], [1, 4]);
const taps = () => new Tensor([1, 10], [1, 1, 2]);
const valid = [[21, 42, 84]];
const causal = [[10, 21, 42, 84]];

function makeLayer(options) {
  const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, bias: false, ...options });
  layer.weight = taps();
  return layer;
}

const checks = {
  forward() {
    expectEqual(conv1d(signal(), taps()).toArray(), valid, 'the output');
  },

  /** Enough work that every thread gets some of it. */
  async threads(threads) {
    const input = new Tensor(
      Float32Array.from({ length: 16 * 20000 }, (_, i) => Math.sin(i * i)),
      [16, 20000],
    );
    const outputs = [];
    for (const count of [1, threads]) {
      const runtime = await createRuntime({ threads: count });
      expectEqual(runtime.threads, count, `the number of threads, because "${runtime.threadsReason}",`);
      const layer = new Conv1d({ inChannels: 16, outChannels: 24, kernelSize: 5, runtime });
      layer.resetParameters({ seed: 1 });
      if (layer.explain(input.shape).threads !== count) throw new Error(`not computed by ${count} threads`);
      outputs.push(new Uint32Array(layer.forward(input).data.buffer));
      runtime.dispose();
    }
    const at = outputs[0].findIndex((bits, i) => bits !== outputs[1][i]);
    if (at >= 0) throw new Error(`element ${at} differs between 1 and ${threads} threads`);
  },

  async forwardAsync() {
    expectEqual((await makeLayer().forwardAsync(signal())).toArray(), valid, 'the output of forwardAsync');
  },

  /** The file of a model that adds its input's last two samples, by the classes that are here. */
  models() {
    const stack = {
      ...{ input_size: 1, condition_size: 1, channels: 1, kernel_size: 2, dilations: [1], activation: 'ReLU' },
      ...{ head_size: 1, head_bias: false },
    };
    const weights = [1, 1, 1, 0, 0, 0, 0, 1, 1];
    const config = { layers: [stack], head_scale: 1 };
    const { network } = readNam(JSON.stringify({ version: '0.5.4', architecture: 'WaveNet', config, weights }));
    if (!(network instanceof Network)) throw new Error('models have a copy of the classes of their own');
    expectEqual(network.forward(signal()).toArray(), [[1, 3, 6, 12]], "the model's output");
  },

  /** A layer learns that it should double its input. */
  async train() {
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, bias: false });
    const network = Network.sequential([layer]);
    const data = { inputs: new Tensor([[[1, 2, 4, 8]]]), targets: new Tensor([[[2, 4, 8, 16]]]) };
    await train(network, { data, loss: mse(), optimizer: new Sgd({ learningRate: 0.02 }), epochs: 20 });
    const [[[weight]]] = layer.weight.toArray();
    if (!(Math.abs(weight - 2) < 1e-3)) throw new Error(`the weight is ${weight} after training, expected 2`);
  },

  async audio() {
    const context = new OfflineAudioContext(1, 4, 48000);
    const buffer = context.createBuffer(1, 4, 48000);
    buffer.copyToChannel(signal().data, 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    const node = await createConvolverNode(context, { source: makeLayer({ padding: 'causal' }) });
    source.connect(node).connect(context.destination);
    source.start();
    const played = await context.startRendering();
    expectEqual([Array.from(played.getChannelData(0))], causal, 'what is played');
  },
};

/** In a page, what the isolation headers bring. */
const canThread = typeof SharedArrayBuffer !== 'undefined';

/** Checks what can be checked here. Resolves with the names of the checks. Throws what is wrong. */
export async function check() {
  const threads = canThread ? 2 : 1;
  expectEqual((await init({ threads })).threads, threads, 'the number of threads');
  const names = ['forward', 'models', 'train', 'forwardAsync'];
  if (canThread) names.push('threads');
  if (typeof OfflineAudioContext !== 'undefined') names.push('audio');
  for (const name of names) await checks[name](threads);
  return names;
}
