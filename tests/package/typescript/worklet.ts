// What the compiler makes of the entry for AudioWorklets.
import { Conv1d, initSync, Network, type Runtime } from 'conv1d-wasm/worklet';
import { expectType } from './equal.js';

declare const module: WebAssembly.Module;
expectType<Runtime>()(initSync(module, { maximumMemory: 2 ** 24 }));
// @ts-expect-error: it cannot fetch the module itself
initSync();
const network = new Network(1, (x) => x.conv(new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2 })).gate());
expectType<number>()(network.stream({ maxChunk: 128 }).latency);
