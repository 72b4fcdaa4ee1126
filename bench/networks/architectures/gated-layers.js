// Twenty gated layers of 16 channels, in pushes, with random weights.
import { Tensor } from 'conv1d-wasm';
import { randoms } from '../../layer.js';
import { gatedStack } from '../../streams.js';

const push = 128;

export const gatedLayers = ({ runtime }) => ({
  contenders: [
    {
      name: 'conv1d-wasm',
      prepare() {
        const stream = gatedStack(runtime, 16, 16).stream({ maxChunk: push });
        const chunk = new Tensor(randoms(push, 1), [1, push]);
        const out = stream.push(chunk);
        return { run: () => void stream.push(chunk, { out }), check: () => out.data, dispose: () => stream.dispose() };
      },
    },
  ],
});
