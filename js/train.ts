export { type Loss, type LossValue } from './training/losses/loss.js';
export { binaryCrossEntropy, huber, mae, mse } from './training/losses/elementwise.js';
export { type ClassLoss, crossEntropy } from './training/losses/cross-entropy.js';
export { esr } from './training/losses/esr.js';
export { multiResolutionStft, type StftOptions } from './training/losses/stft.js';
export { cosine, type Schedule, stepDecay, warmUp } from './training/schedules.js';
export { clipGradNorm } from './training/clip.js';
export { type NamedGradients, Optimizer } from './training/optimizer.js';
export {
  Adam,
  type AdamOptions,
  AdamW,
  RmsProp,
  type RmsPropOptions,
  Sgd,
  type SgdOptions,
} from './training/optimizers.js';
export { type Batch, type BatchSource, type TrainingSet } from './training/data.js';
export { train, type TrainOptions, type TrainProgress, type TrainResult } from './training/train.js';
