// The network whose training is measured: of the shape of NAM's A2 lite, 23 layers of 3 channels.
import { randoms } from '../layer.js';

const channels = 3;
export const layerCount = 23;
const kernelSizes = Array.from({ length: layerCount }, (_, i) => (i === 14 || i === 15 ? 15 : 6));
const round = [1, 3, 7, 17, 41, 101, 239];
const dilations = [...round, ...round, 1, 13, ...round];

/** Its convolutions, in the order in which `forward` takes them. They are causal. */
const sizes = [
  { inChannels: 1, outChannels: channels, kernelSize: 1, dilation: 1, bias: false },
  ...kernelSizes.flatMap((kernelSize, i) => [
    { inChannels: channels, outChannels: channels, kernelSize, dilation: dilations[i], bias: true },
    { inChannels: 1, outChannels: channels, kernelSize: 1, dilation: 1, bias: false },
    ...(i < layerCount - 1
      ? [{ inChannels: channels, outChannels: channels, kernelSize: 1, dilation: 1, bias: true }]
      : []),
  ]),
  { inChannels: channels, outChannels: 1, kernelSize: 16, dilation: 1, bias: true },
];

/** The sizes with weights as PyTorch draws them at first, though always the same. */
export const convolutions = sizes.map(({ bias, ...size }, i) => {
  const limit = 1 / Math.sqrt(size.inChannels * size.kernelSize);
  const draw = (length, seed) => randoms(length, seed).map((value) => value * limit);
  const { inChannels, outChannels, kernelSize } = size;
  return {
    ...size,
    weight: draw(outChannels * inChannels * kernelSize, 2 * i + 1),
    bias: bias ? draw(outChannels, 2 * i + 2) : null,
  };
});

/** The network by a library's `conv(x, i)`, where i counts convolutions, `leakyRelu(x)` and `add(x, y)`. */
export function forward({ conv, leakyRelu, add }, input) {
  let next = 0;
  let x = conv(input, next++);
  let head = null;
  for (const layer of kernelSizes.keys()) {
    const z = leakyRelu(add(conv(x, next++), conv(input, next++)));
    head = head ? add(head, z) : z;
    if (layer < layerCount - 1) x = add(x, conv(z, next++));
  }
  return conv(head, next);
}

export const batch = 16;
export const length = 8192;
export const learningRate = 1e-3;

const distinct = 2; // images; the others repeat them, so that a smaller batch has the same gradients

/** What goes in and what is to come out, both (images, 1, length). */
export function makeData(images) {
  const repeat = (seed) => {
    const data = randoms(distinct * length, seed);
    return Float32Array.from({ length: images * length }, (_, i) => data[i % data.length]);
  };
  return { input: repeat(101), target: repeat(102), shape: [images, 1, length] };
}
