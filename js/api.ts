export {
  Conv1d,
  type ActivationName,
  type Conv1dOptions,
  type ForwardAsyncOptions,
  type ForwardOptions,
  type ResetOptions,
} from './conv1d.js';
export { type Conv1dConfig } from './config.js';
export {
  createConvolverNode,
  type ConvolverLoad,
  type ConvolverNode,
  type ConvolverNodeOptions,
  type ConvolverOptions,
  type ConvolverSource,
  type LayerConvolverOptions,
  type ResponseConvolverOptions,
} from './convolver.js';
export { conv1d, type FunctionalOptions } from './functional.js';
export { type Explanation } from './core.js';
export { Conv1dError, type ErrorCode } from './errors.js';
export { type ImpulseResponse, reverseTaps } from './impulse-response.js';
export { Network, NetworkValue } from './network.js';
export { readNpy, readNpz, type ReadNpzOptions } from './numpy.js';
export { compileModule, createRuntime, init, type InitOptions } from './load.js';
export { type Runtime, type Variant } from './runtime.js';
export { readSafetensors, writeSafetensors, type SafetensorsOptions } from './safetensors.js';
export { type BatchNormOptions, type LoadStateDictOptions } from './state-dict.js';
export { Conv1dStream, type StreamOptions } from './stream.js';
export { contentsOf, type FileEntry, type ReadOptions } from './tensor-file.js';
export {
  Tensor,
  type DType,
  type Float16ArrayLike,
  type NestedData,
  type NestedNumbers,
  type TensorData,
} from './tensor.js';
export { readTorch } from './torch.js';
