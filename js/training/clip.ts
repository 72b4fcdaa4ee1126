import { checkPositive } from './checks.js';
import { type NamedGradients, readGradients } from './optimizer.js';

/**
 * Scales gradients, in place, so that their norm, taken over all of them together, is at most `maxNorm`: by
 * maxNorm / (norm + 1e-6) where that is below 1, as PyTorch's `clip_grad_norm_`. A norm that is not finite scales nothing.
 *
 * @param gradients float32.
 * @param maxNorm > 0.
 * @returns the norm that they had.
 * @throws Conv1dError ERR_OPTION, ERR_DTYPE, ERR_DISPOSED.
 */
export function clipGradNorm(gradients: NamedGradients, maxNorm: number): number {
  const most = checkPositive('maxNorm', maxNorm);
  const all = readGradients(gradients).map(([, { data }]) => data as Float32Array);
  let sum = 0;
  for (const data of all) for (const value of data) sum += value ** 2;
  const norm = Math.sqrt(sum);
  const scale = most / (norm + 1e-6);
  if (scale < 1 && norm < Infinity) {
    for (const data of all) for (let i = 0; i < data.length; ++i) data[i] = (data[i] ?? 0) * scale;
  }
  return norm;
}
