import { Conv1d, initSync, Tensor } from 'conv1d-wasm/worklet';
import wasm from 'conv1d-wasm/conv1d-simd.wasm';

const { threads } = initSync(wasm);
const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize: 2, bias: false });
layer.weight = new Tensor([1, 10], [1, 1, 2]);

export default {
  fetch: () => Response.json({ threads, output: layer.forward(new Tensor([1, 2, 4], [1, 3])).toArray() }),
};
