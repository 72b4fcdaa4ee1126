// Twenty gated layers of 16 channels, in pushes, with random weights.
import { Tensor } from 'conv1d-wasm';
import { randoms } from '../../layer.js';
import { dilations, gatedStack } from '../../streams.js';

const push = 128;
const channels = 16;
const weights = dilations.length * channels * (2 * channels * 3 + channels); // of a gate's taps and of what mixes it

export const gatedLayers = ({ runtime }) => ({
  flops: 2 * weights * push,
  contenders: [
    {
      name: 'conv1d-wasm',
      prepare() {
        const stream = gatedStack(runtime, channels, channels).stream({ maxChunk: push });
        const chunk = new Tensor(randoms(push, 1), [1, push]);
        const out = stream.push(chunk);
        return { run: () => void stream.push(chunk, { out }), check: () => out.data, dispose: () => stream.dispose() };
      },
    },
  ],
});
