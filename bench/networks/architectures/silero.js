// Silero VAD for 16 kHz (https://github.com/snakers4/silero-vad), a chunk at a time, with its own weights.
import { readSafetensors, Tensor } from 'conv1d-wasm';
import { randoms } from '../../layer.js';
import { onnxruntime } from '../libraries/onnxruntime.js';
import { disposeAll, ourNetwork } from '../libraries/ours.js';
import { convOf } from '../parameters.js';

const chunkSamples = 512;
const contextSamples = 64; // of the chunk before, in front
const hiddenSize = 128;

/** What depends on one chunk alone, and what carries a state from chunk to chunk. */
function architecture(dict) {
  const spectrum = { ...convOf(dict, 'stft_conv.'), stride: 128, padding: [0, 64], paddingMode: 'reflect' };
  const convs = [1, 2, 2, 1].map((stride, i) => ({
    ...convOf(dict, `conv${i + 1}.`),
    ...{ stride, padding: 1, activation: 'relu' },
  }));
  const names = { weightIh: 'weight_ih', weightHh: 'weight_hh', biasIh: 'bias_ih', biasHh: 'bias_hh' };
  const cell = Object.entries(names).map(([name, key]) => [name, dict[`lstm_cell.${key}`].data]);
  const lstm = { hiddenSize, ...Object.fromEntries(cell) };
  const last = { ...convOf(dict, 'final_conv.'), activation: 'sigmoid' };
  return {
    encode: (builder, x) =>
      convs.reduce((y, conv) => builder.conv(y, conv), builder.magnitude(builder.conv(x, spectrum))),
    decode: (builder, x) => builder.conv(builder.activation(builder.lstm(x, lstm), 'relu'), last),
  };
}

/** The chunk's part by `forward`, which the state's, a stream, gets as its next sample. */
const inTwoParts = (runtime, { encode, decode }, input, shape) => ({
  name: 'conv1d-wasm',
  prepare() {
    const encoder = ourNetwork(runtime, 1, encode);
    const decoder = ourNetwork(runtime, hiddenSize, decode);
    const stream = decoder.network.stream({ maxChunk: 1 });
    const chunk = new Tensor(input, shape);
    const features = encoder.network.forward(chunk);
    const probability = new Tensor(new Float32Array(1), [1, 1, 1]);
    return {
      run() {
        encoder.network.forward(chunk, { out: features });
        stream.push(features, { out: probability });
      },
      check: () => probability.data,
      dispose: () => disposeAll([stream, ...decoder.own, ...encoder.own]),
    };
  },
});

export function silero({ runtime, files }) {
  const { encode, decode } = architecture(readSafetensors(files['silero/silero_vad_16k.safetensors']));
  const shape = [1, 1, contextSamples + chunkSamples];
  const input = randoms(contextSamples + chunkSamples, 1).map((value) => value / 4);
  const describe = (builder, x) => decode(builder, encode(builder, x));
  return {
    contenders: [inTwoParts(runtime, { encode, decode }, input, shape), onnxruntime({ describe, input, shape })],
  };
}
