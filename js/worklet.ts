import { workletPlatform } from './platform.worklet.js';
import { usePlatform } from './runtime/platform.js';

usePlatform(workletPlatform);

export { Conv1d } from './layer/conv1d.js';
export { type ForwardOptions } from './layer/output.js';
export { type ResetOptions } from './layer/parameters.js';
export {
  type ActivationInfo,
  type ActivationName,
  type ActivationOption,
  type PerChannel,
} from './layer/activation.js';
export { type Conv1dOptions } from './layer/options.js';
export { Conv1dError, type ErrorCode } from './common/errors.js';
export { reverseTaps } from './audio/impulse-response.js';
export { initSync } from './audio/init-sync.js';
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
export { type Runtime } from './runtime/runtime.js';
export { type Variant } from './runtime/runtime-options.js';
export { Conv1dStream, type StreamOptions } from './network/stream.js';
export { Tensor, type TensorData } from './layer/tensor.js';
export { type DType } from './layer/dtype.js';
