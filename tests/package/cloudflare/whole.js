import { conv1d, init, Tensor } from 'conv1d-wasm';
import wasmModule from 'conv1d-wasm/conv1d-simd.wasm';

export default {
  async fetch() {
    const { threads } = await init({ variant: 'simd', wasmModule });
    return Response.json({
      threads,
      output: conv1d(new Tensor([1, 2, 4], [1, 3]), new Tensor([1, 10], [1, 1, 2])).toArray(),
    });
  },
};
