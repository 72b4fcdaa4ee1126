// What the compiler makes of the main entry; nothing here runs.
import {
  conv1d,
  Conv1d,
  Conv1dError,
  contentsOf,
  createConvolverNode,
  createRuntime,
  init,
  Network,
  readNpz,
  readSafetensors,
  readTorch,
  reverseTaps,
  Tensor,
  writeSafetensors,
  type ActivationInfo,
  type Conv1dOptions,
  type Conv1dStream,
  type ConvolverLoad,
  type ConvolverNode,
  type DType,
  type ErrorCode,
  type NestedNumbers,
  type Runtime,
  type TensorData,
} from 'conv1d-wasm';
import { expectType } from './equal.js';

const runtime = await init({ threads: 'auto', variant: 'simd', wasmUrl: new URL('https://example.org/a.wasm') });
expectType<Runtime>()(runtime);
expectType<number>()(runtime.threads);
expectType<string | null>()(runtime.threadsReason);
// @ts-expect-error: there are two
await createRuntime({ variant: 'fast' });
// @ts-expect-error: no such option
await createRuntime({ workers: 3 });
// @ts-expect-error: it cannot be set
runtime.threads = 2;

const layer = new Conv1d({ inChannels: 3, outChannels: 1, kernelSize: 3, runtime });
const options: Conv1dOptions = { inChannels: 1, outChannels: 1, kernelSize: 1, padding: [1, 2] as const };
new Conv1d({ ...options, padding: 'causal', activation: { type: 'leaky_relu', slope: 0.2 }, dtype: 'float16' });
new Conv1d({ ...options, activation: { type: 'prelu', slope: [0.1] } });
new Conv1d({ ...options, activation: { type: 'hardtanh', minVal: -2 } });
// @ts-expect-error: it has no slope
new Conv1d({ ...options, activation: { type: 'relu', slope: 1 } });
// @ts-expect-error: one number for all channels
new Conv1d({ ...options, activation: { type: 'elu', alpha: [1] } });
expectType<readonly ActivationInfo[]>()(runtime.activations);
// @ts-expect-error: kernelSize is required
new Conv1d({ inChannels: 3, outChannels: 1 });
// @ts-expect-error: PyTorch has it, too, and this is how it is spelt
new Conv1d({ ...options, paddingMode: 'zero' });
// @ts-expect-error: two paddings, or one
new Conv1d({ ...options, padding: [1, 2, 3] });

const input = new Tensor([1, 2, 3], [3, 1]);
new Tensor(new Uint16Array(3), [3, 1], 'float16');
new Tensor([new Float32Array(3), new Float32Array(3)]);
new Tensor(input.toArray(), input.shape, 'float16');
new Tensor(
  [
    [1, 2],
    [3, 4],
  ],
  undefined,
  'float16',
);
// @ts-expect-error: no bigints
new Tensor([1n], [1]);
expectType<readonly number[]>()(input.shape);
expectType<DType>()(input.dtype);
expectType<'js' | 'wasm'>()(input.placement);
expectType<TensorData>()(input.data);
expectType<NestedNumbers>()(input.toArray());
// @ts-expect-error: a tensor keeps its shape
input.shape = [1, 3];

expectType<Tensor>()(layer.forward(input, { out: input }));
const stream = layer.stream({ maxChunk: 8 });
expectType<Uint8Array<ArrayBuffer>>()(stream.state());
expectType<Conv1dStream>()(stream.clone());
stream.restore(new Uint8Array(8));
stream.settle();
stream.settle([0, 0.5, 1] as const);
// @ts-expect-error: numbers, or one
stream.settle('silence');
// @ts-expect-error: bytes alone
stream.restore(new Float32Array(2));
expectType<Promise<Tensor>>()(
  layer.forwardAsync(input, { signal: new AbortController().signal, onProgress: (fraction) => fraction.toFixed() }),
);
const network = new Network(3, (x) => x.add(x.conv(layer)));
expectType<Tensor>()(network.forward(input, { out: input }));
expectType<Promise<Tensor>>()(network.forwardAsync(input, { onProgress: (fraction) => fraction.toFixed() }));
expectType<number[]>()(network.outputShape([3, 100]));
network.dispose();
expectType<Tensor | null>()(layer.bias);
layer.bias = null;
// @ts-expect-error: a layer has a weight
layer.weight = null;
expectType<Tensor>()(conv1d(input, layer.weight, null, { stride: 2, runtime }));
// @ts-expect-error: the weight says how many there are
conv1d(input, layer.weight, null, { inChannels: 3 });
conv1d(input, layer.weight, null, { algorithm: 'toom_cook' });
// @ts-expect-error: no such algorithm
conv1d(input, layer.weight, null, { algorithm: 'winograd' });
expectType<string>()(layer.explain([3, 100]).reason);

layer.loadStateDict(readSafetensors(new ArrayBuffer(8)), { strict: false, prefix: 'conv.' });
layer.loadStateDict(await readNpz(new Uint8Array(8), { names: ['weight'], maxBytes: 1e6 }));
layer.loadStateDict(readTorch(new Uint8Array(8), { filter: (name) => name !== 'epoch' }), { layout: 'tensorflow' });
expectType<string[]>()(
  contentsOf(readTorch(new Uint8Array(8))).map(({ name, dtype, problem = '' }) => name + dtype + problem),
);
// @ts-expect-error: no such layout
layer.loadStateDict({}, { layout: 'keras' });
// It goes where a Blob or a Response takes it.
new Blob([writeSafetensors(layer.stateDict(), { metadata: { made: 'here' } })]);

const context = new AudioContext();
const node = await createConvolverNode(context, { source: [layer] });
expectType<ConvolverNode>()(node);
context.createBufferSource().connect(node).connect(context.destination);
await node.update(layer);
await node.update(layer, { fade: 0.02 });
const response = context.createBuffer(2, 100, 44100);
const reverb = await createConvolverNode(context, { impulseResponse: response, channelCount: 1 });
await reverb.update({ impulseResponse: [new Float32Array(9)], sampleRate: 8000, normalize: false }, { fade: 1 });
// @ts-expect-error: neither layers nor a response
await createConvolverNode(context, {});
// @ts-expect-error: as many as ConvolverNode takes
await createConvolverNode(context, { impulseResponse: response, channelCount: 3 });
expectType<Tensor>()(reverseTaps(layer.weight));
expectType<Float32Array>()(reverseTaps(new Float32Array(3)));
await createConvolverNode(context, {
  source: layer,
  onLoad: (load) => {
    expectType<ConvolverLoad>()(load);
    expectType<number>()(load.share);
    expectType<number>()(load.dropouts);
  },
});

try {
  layer.dispose();
} catch (error) {
  if (error instanceof Conv1dError) {
    expectType<ErrorCode>()(error.code);
    // @ts-expect-error: no such code
    if (error.code === 'ERR_OTHER') throw error;
    expectType<unknown>()(error.got);
  }
}
