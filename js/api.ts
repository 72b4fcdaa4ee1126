export { Conv1d } from './layer/conv1d.js';
export { type ForwardAsyncOptions } from './layer/async-options.js';
export { type ForwardOptions } from './layer/output.js';
export { type ResetOptions } from './layer/parameters.js';
export {
  type ActivationInfo,
  type ActivationName,
  type ActivationOption,
  type PerChannel,
} from './layer/activation.js';
export { type Conv1dOptions } from './layer/options.js';
export { type Conv1dConfig } from './layer/config.js';
export {
  createConvolverNode,
  type ConvolverLoad,
  type ConvolverNode,
  type ConvolverNodeOptions,
  type ConvolverOptions,
  type ConvolverSource,
  type LayerConvolverOptions,
  type ResponseConvolverOptions,
} from './audio/convolver.js';
export { conv1d, conv1dGrad, type FunctionalOptions, type GradOptions } from './layer/functional.js';
export { type BackwardOptions, type GradientName, type Gradients } from './layer/gradient.js';
export { type Explanation } from './runtime/core.js';
export { Conv1dError, type ErrorCode } from './common/errors.js';
export { type ImpulseResponse, reverseTaps } from './audio/impulse-response.js';
export { type NetworkGradientName, type NetworkGradients, Recording, type RecordOptions } from './network/recording.js';
export { Network, type NetworkOptions, type SequentialItem, type SequentialOptions } from './network/network.js';
export {
  type AveragePoolOptions,
  type Layer,
  NetworkValue,
  type NormOptions,
  type PoolOptions,
} from './network/value.js';
export { BatchNorm1d, ChannelLayer, GroupNorm, InstanceNorm1d, LayerNorm } from './network/norm.js';
export { Convolution, type GivenParameters } from './layer/convolution.js';
export { ConvTranspose1d, type ConvTranspose1dOptions } from './layer/conv-transpose1d.js';
export { Linear, type LinearOptions } from './layer/linear.js';
export { type LoadOptions } from './layer/named-parameters.js';
export { Gru, Lstm, Recurrent, type RecurrentOptions } from './layer/recurrent.js';
export { readNpy, readNpz, type ReadNpzOptions } from './files/numpy.js';
export { compileModule, createRuntime, init, type InitOptions } from './runtime/load.js';
export { type Runtime } from './runtime/runtime.js';
export { type Variant } from './runtime/runtime-options.js';
export { readSafetensors, writeSafetensors, type SafetensorsOptions } from './files/safetensors.js';
export { type BatchNormOptions, type LoadStateDictOptions } from './files/state-dict.js';
export { Conv1dStream, type StreamOptions } from './network/stream.js';
export { contentsOf, type FileEntry, type ReadOptions } from './files/tensor-file.js';
export { Tensor, type Float16ArrayLike, type NestedData, type NestedNumbers, type TensorData } from './layer/tensor.js';
export { type DType } from './layer/dtype.js';
export { readTorch } from './files/torch.js';
