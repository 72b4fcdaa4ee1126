// How long a push takes, of layers and networks fed piece by piece.
import { Conv1d, Network, Tensor } from 'conv1d-wasm';
import { runtimes } from './peers/ours.js';

const rate = 48000;

/** Causal layers with their own random weights. */
const makeLayer = (runtime, options) => new Conv1d({ padding: 'causal', kernelSize: 1, runtime, ...options });

export const dilations = Array.from({ length: 20 }, (_, i) => 2 ** (i % 10));

/** Twenty gated layers of `channels` with residual and skip paths; `inner` rows pass each gate. */
export function gatedStack(runtime, channels, inner) {
  const first = makeLayer(runtime, { inChannels: 1, outChannels: channels });
  const last = makeLayer(runtime, { inChannels: inner, outChannels: 1 });
  return new Network(1, (input) => {
    let x = input.conv(first);
    let skip = null;
    for (const dilation of dilations) {
      const options = { inChannels: channels, outChannels: 2 * inner, kernelSize: 3, dilation };
      const z = x.conv(makeLayer(runtime, options)).gate();
      skip = skip ? skip.add(z) : z;
      x = x.add(z.conv(makeLayer(runtime, { inChannels: inner, outChannels: channels })));
    }
    return skip.conv(last);
  });
}

const cases = [
  {
    what: '16 -> 16, k 3, dilation 512',
    samples: 128,
    make: (runtime) => makeLayer(runtime, { inChannels: 16, outChannels: 16, kernelSize: 3, dilation: 512 }),
    inChannels: 16,
  },
  {
    what: '16 -> 16, k 3, dilation 1',
    samples: 128,
    make: (runtime) => makeLayer(runtime, { inChannels: 16, outChannels: 16, kernelSize: 3 }),
    inChannels: 16,
  },
  {
    what: '64 -> 64, k 3',
    samples: 1,
    make: (runtime) => makeLayer(runtime, { inChannels: 64, outChannels: 64, kernelSize: 3 }),
    inChannels: 64,
  },
  {
    what: '64 -> 64, k 3, dilation 4096',
    samples: 1,
    make: (runtime) => makeLayer(runtime, { inChannels: 64, outChannels: 64, kernelSize: 3, dilation: 4096 }),
    inChannels: 64,
  },
  {
    what: 'stereo reverb, k 96,000',
    samples: 128,
    make: (runtime) => makeLayer(runtime, { inChannels: 2, outChannels: 2, groups: 2, kernelSize: 96000 }),
    inChannels: 2,
  },
  {
    what: '20 gated layers, 16 -> 2 x 8 -> 16',
    samples: 128,
    make: (runtime) => gatedStack(runtime, 16, 8),
    inChannels: 1,
  },
  {
    what: '20 gated layers, 16 -> 2 x 16 -> 16',
    samples: 128,
    make: (runtime) => gatedStack(runtime, 16, 16),
    inChannels: 1,
  },
];

/** Entries to be timed: each case on each build, from arrays into a given one and resident. */
export function streamEntries() {
  return runtimes.flatMap((runtime) =>
    cases.flatMap(({ what, samples, make, inChannels }) => {
      const stream = make(runtime).stream({ maxChunk: samples });
      const noise = Float32Array.from({ length: inChannels * samples }, () => Math.random() - 0.5);
      const chunk = new Tensor(noise, [inChannels, samples]);
      const out = stream.push(chunk);
      const [wasmChunk, wasmOut] = [chunk.toWasm(runtime), out.toWasm(runtime)];
      const options = { js: { out }, wasm: { out: wasmOut } };
      const entry = { variant: runtime.variant, what, push: samples, budget: (1000 * samples) / rate };
      return [
        { ...entry, placement: 'js', run: () => void stream.push(chunk, options.js) },
        { ...entry, placement: 'wasm', run: () => void stream.push(wasmChunk, options.wasm) },
      ];
    }),
  );
}
