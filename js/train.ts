export { type Loss, type LossValue } from './training/losses/loss.js';
export { binaryCrossEntropy, huber, mae, mse } from './training/losses/elementwise.js';
export { type ClassLoss, crossEntropy } from './training/losses/cross-entropy.js';
export { esr } from './training/losses/esr.js';
export { multiResolutionStft, type StftOptions } from './training/losses/stft.js';
export { cosine, type Schedule, stepDecay, warmUp } from './training/schedules.js';
