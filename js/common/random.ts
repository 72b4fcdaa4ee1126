import { optionError } from './errors.js';

/** Checks a seed, given as the option of that name. */
export function checkSeed(seed: number): void {
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return;
  throw optionError('seed', 'an integer from 0 to 2^32 - 1', seed);
}

/**
 * A generator of numbers in [0, 1), the same for the same seed: Mulberry32 (Tommy Ettinger, public domain).
 *
 * @param seed given as the option of that name.
 * @throws Conv1dError ERR_OPTION.
 */
export function makeRandom(seed: number): () => number {
  checkSeed(seed);
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed, another one each time. */
export const drawSeed = (): number => Math.floor(Math.random() * 2 ** 32);
