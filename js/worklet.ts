import { usePlatform } from './runtime/platform.js';
import { workletPlatform } from './platform.worklet.js';

usePlatform(workletPlatform);

export {
  Conv1d,
  type ActivationName,
  type Conv1dOptions,
  type ForwardOptions,
  type ResetOptions,
} from './layer/conv1d.js';
export { Conv1dError, type ErrorCode } from './common/errors.js';
export { reverseTaps } from './audio/impulse-response.js';
export { initSync } from './audio/init-sync.js';
export { Network, NetworkValue } from './network/network.js';
export { type Runtime, type Variant } from './runtime/runtime.js';
export { Conv1dStream, type StreamOptions } from './network/stream.js';
export { Tensor, type DType, type TensorData } from './layer/tensor.js';
