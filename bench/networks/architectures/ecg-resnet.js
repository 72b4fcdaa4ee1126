// ResNet-18 (He et al., Deep Residual Learning for Image Recognition, 2015) in one dimension, for electrocardiograms; random
// weights, which a batch norm is folded into.
import { randoms } from '../../layer.js';
import { onnxruntime } from '../libraries/onnxruntime.js';
import { ours } from '../libraries/ours.js';
import { randomParameters } from '../parameters.js';

const leads = 12;
const samples = 5000;
const classes = 5;
const stages = [64, 128, 256, 512];
const blocksPerStage = 2;

function resnet(builder, input) {
  const parameters = randomParameters();
  const conv = (x, inChannels, outChannels, kernelSize, stride, activation) => {
    const options = { stride, padding: (kernelSize - 1) / 2, ...(activation && { activation }) };
    return builder.conv(x, { ...parameters.conv(inChannels, outChannels, kernelSize), ...options });
  };
  let channels = stages[0];
  let x = conv(input, leads, channels, 7, 2, 'relu');
  x = builder.maxPool(x, { kernelSize: 3, stride: 2, padding: 1 });
  for (const outChannels of stages) {
    for (let block = 0; block < blocksPerStage; block++) {
      const stride = outChannels === channels ? 1 : 2;
      const residual = conv(conv(x, channels, outChannels, 3, stride, 'relu'), outChannels, outChannels, 3, 1);
      const shortcut = stride === 1 ? x : conv(x, channels, outChannels, 1, stride);
      x = builder.activation(builder.add(residual, shortcut), 'relu');
      channels = outChannels;
    }
  }
  return builder.linear(builder.globalAveragePool(x), parameters.linear(channels, classes));
}

export function ecgResnet({ runtime }) {
  const network = { describe: resnet, input: randoms(leads * samples, 1), shape: [1, leads, samples] };
  return { contenders: [ours(runtime, network), onnxruntime(network)] };
}
