// A vocoder like HiFi-GAN V3 (Kong et al., HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech
// Synthesis, 2020), with random weights, and its first transposed convolution alone.
import { randoms } from '../../layer.js';
import { onnxruntime } from '../libraries/onnxruntime.js';
import { ours } from '../libraries/ours.js';
import { randomParameters } from '../parameters.js';

const mels = 80;
const frames = 86; // of 256 samples each: a second at 22,050 Hz
const upsamplings = [
  { stride: 8, kernelSize: 16 },
  { stride: 8, kernelSize: 16 },
  { stride: 4, kernelSize: 8 },
];
const residualBlocks = [
  { kernelSize: 3, dilations: [1, 2] },
  { kernelSize: 5, dilations: [2, 6] },
  { kernelSize: 7, dilations: [3, 12] },
];
const leaky = { type: 'leaky_relu', slope: 0.1 };

function transposed(parameters, inChannels, { stride, kernelSize }) {
  const options = parameters.convTranspose(inChannels, inChannels / 2, kernelSize, stride);
  return { ...options, padding: (kernelSize - stride) / 2 };
}

function generator(builder, input) {
  const parameters = randomParameters();
  const same = (inChannels, outChannels, kernelSize, dilation = 1) => ({
    ...parameters.conv(inChannels, outChannels, kernelSize),
    ...{ dilation, padding: (dilation * (kernelSize - 1)) / 2 },
  });
  let channels = 256;
  let x = builder.conv(input, same(mels, channels, 7));
  for (const upsampling of upsamplings) {
    x = builder.convTranspose(builder.activation(x, leaky), transposed(parameters, channels, upsampling));
    channels /= 2;
    const blocks = residualBlocks.map(({ kernelSize, dilations }) =>
      dilations.reduce((y, dilation) => {
        const conv = same(channels, channels, kernelSize, dilation);
        return builder.add(y, builder.conv(builder.activation(y, leaky), conv));
      }, x),
    );
    x = builder.scale(blocks.reduce(builder.add), 1 / blocks.length);
  }
  return builder.conv(builder.activation(x, leaky), { ...same(channels, 1, 7), activation: 'tanh' });
}

export function hifigan({ runtime }) {
  const network = { describe: generator, input: randoms(mels * frames, 1), shape: [1, mels, frames] };
  return { contenders: [ours(runtime, network), onnxruntime(network)] };
}

export function convTranspose({ runtime }) {
  const [channels, length] = [256, 500];
  const [upsampling] = upsamplings;
  const network = {
    describe: (builder, x) => builder.convTranspose(x, transposed(randomParameters(), channels, upsampling)),
    input: randoms(channels * length, 1),
    shape: [1, channels, length],
  };
  const flops = 2 * length * channels * (channels / 2) * upsampling.kernelSize;
  return { flops, contenders: [ours(runtime, network), onnxruntime(network)] };
}
