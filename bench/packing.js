// How long our layer takes to take new weights: the time of a forward over the shortest input with and without an assignment.
import { Conv1d, Tensor } from 'conv1d-wasm';
import { describeLayer, makeData } from './layer.js';
import { layerOptions, runtimes } from './peers/ours.js';

/** Two entries to be timed for each build: the difference is what new weights cost. */
export function packingEntries(shape) {
  const { Cin, Cout, k, d, g } = shape;
  const layer = describeLayer({ ...shape, N: 1, p: 0, L: d * (k - 1) + 1 });
  const data = makeData(layer);
  const weight = new Tensor(data.weight, [Cout, Cin / g, k]);
  const entries = [];
  for (const runtime of runtimes) {
    const { variant } = runtime;
    const conv = new Conv1d({ ...layerOptions(layer), runtime });
    const input = new Tensor(data.input, [1, Cin, layer.L]).toWasm(runtime);
    const out = conv.forward(input);
    const forward = () => void conv.forward(input, { out });
    const assign = () => {
      conv.weight = weight;
      forward();
    };
    entries.push({ variant, what: 'forward', run: forward }, { variant, what: 'assign and forward', run: assign });
  }
  return entries;
}
