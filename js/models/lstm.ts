// The LSTM of NeuralAmpModelerCore: layers of it, then one linear layer.
import { Lstm, Tensor } from '../api.js';
import type { Field } from './field.js';
import type { Model } from './model.js';
import type { Weights } from './weights.js';

/** @param sampleRate in Hz. */
export function readLstm(config: Field, weights: Weights, sampleRate: number): Model {
  config.checkNames(['num_layers', 'input_size', 'hidden_size', 'in_channels', 'out_channels']);
  const inputSize = config.at('input_size').integer();
  const hiddenSize = config.at('hidden_size').integer();
  const numLayers = config.at('num_layers').integer();
  config.at('in_channels').checkSize(inputSize, 'the input_size', inputSize);
  const rows = 4 * hiddenSize;
  const layers: { columns: number; weight: () => Float32Array; bias: () => Float32Array }[] = [];
  for (let columns = inputSize; layers.length < numLayers; columns = hiddenSize) {
    layers.push({ columns, weight: weights.take(rows * (columns + hiddenSize)), bias: weights.take(rows) });
    weights.take(2 * hiddenSize); // the state to begin with, which silence makes it forget
  }
  const outChannels = config.at('out_channels').integer(1);
  const head = weights.conv({ inChannels: hiddenSize, outChannels }, config);
  return {
    inChannels: inputSize,
    outChannels,
    prewarm: Math.max(Math.floor(sampleRate / 2), 1),
    apply(x) {
      const lstm = weights.workshop.make((runtime) => new Lstm({ inputSize, hiddenSize, numLayers, runtime }));
      const entries = layers.flatMap(({ columns, weight, bias }, i) => {
        // Each row of the file's matrix has a weight for each input, then one for each state.
        const all = weight();
        const part = (begin: number, count: number) =>
          new Tensor(
            Array.from({ length: rows }, (_, row) =>
              all.subarray(row * (columns + hiddenSize)).subarray(begin, begin + count),
            ),
          );
        const parts = {
          weight_ih: part(0, columns),
          weight_hh: part(columns, hiddenSize),
          bias_ih: new Tensor(bias(), [rows]),
          bias_hh: new Tensor(new Float32Array(rows), [rows]),
        };
        return Object.entries(parts).map(([name, tensor]) => [`${name}_l${String(i)}`, tensor] as const);
      });
      lstm.loadStateDict(Object.fromEntries(entries));
      return head(x.apply(lstm));
    },
  };
}
