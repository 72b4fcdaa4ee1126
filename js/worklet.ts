import { usePlatform } from './platform.js';
import { workletPlatform } from './platform.worklet.js';

usePlatform(workletPlatform);

export { Conv1d, type ActivationName, type Conv1dOptions, type ForwardOptions, type ResetOptions } from './conv1d.js';
export { Conv1dError, type ErrorCode } from './errors.js';
export { reverseTaps } from './impulse-response.js';
export { initSync } from './init-sync.js';
export { Network, NetworkValue } from './network.js';
export { type Runtime, type Variant } from './runtime.js';
export { Conv1dStream, type StreamOptions } from './stream.js';
export { Tensor, type DType, type TensorData } from './tensor.js';
