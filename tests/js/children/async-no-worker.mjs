// The entry for pages where there are no workers, as in an AudioWorklet: Node has none by that name.
import { readFile } from 'node:fs/promises';
import { Conv1d, createRuntime, Tensor } from '../../../dist/index.js';

const wasmBinary = await readFile(new URL('../../../dist/wasm/conv1d-simd.wasm', import.meta.url));
const runtime = await createRuntime({ threads: 1, variant: 'simd', wasmBinary });
const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 1, runtime });
layer.weight = new Tensor([2], [1, 1, 1]);
const input = new Tensor([1, 2, 3], [1, 3]);
const { code, field, message } = await layer.forwardAsync(input).catch((error) => error);
const right = layer.forward(input).data.join() === '2,4,6';
console.log(JSON.stringify({ code, field, message, right }));
