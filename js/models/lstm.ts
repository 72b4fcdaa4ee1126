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
  const layers: { begin: number; columns: number; weight: () => Float32Array; bias: () => Float32Array }[] = [];
  for (let columns = inputSize; layers.length < numLayers; columns = hiddenSize) {
    const begin = weights.position;
    layers.push({ begin, columns, weight: weights.take(rows * (columns + hiddenSize)), bias: weights.take(rows) });
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
      weights.onWrite((numbers) => {
        const dict = lstm.stateDict();
        layers.forEach(({ begin, columns }, i) => {
          const numbersOf = (name: string) => dict[`${name}_l${String(i)}`]?.numbers() ?? new Float64Array(0);
          const [inputs, states] = [numbersOf('weight_ih'), numbersOf('weight_hh')];
          for (let row = 0; row < rows; ++row) {
            const at = begin + row * (columns + hiddenSize);
            numbers.set(inputs.subarray(row * columns, (row + 1) * columns), at);
            numbers.set(states.subarray(row * hiddenSize, (row + 1) * hiddenSize), at + columns);
          }
          const other = numbersOf('bias_hh');
          const sums = numbersOf('bias_ih').map((value, row) => value + (other[row] ?? 0));
          numbers.set(sums, begin + rows * (columns + hiddenSize));
        });
      });
      return head(x.apply(lstm));
    },
  };
}
