import type { CallOptions } from '../background/background.js';
import { optionError, pickOptions, reading } from '../common/errors.js';

/** Options of one `forwardAsync`. */
export interface ForwardAsyncOptions {
  /** Its abort rejects the call with `signal.reason`, and stops the work. */
  signal?: AbortSignal;
  /**
   * Called with the fraction that is done, in (0, 1], some 30 times a second in a long call, and last with 1. What it
   * throws rejects the call.
   */
  onProgress?: (fraction: number) => void;
}

const isSignal = (value: Partial<AbortSignal> | null): boolean =>
  typeof value?.aborted === 'boolean' &&
  typeof value.addEventListener === 'function' &&
  typeof value.removeEventListener === 'function';

/** Checks an option `signal`, if there is one. */
export function checkSignal(signal: unknown): void {
  // No instanceof: it may come from another realm.
  if (signal !== undefined && !reading('ERR_OPTION', 'signal', signal, () => isSignal(signal as AbortSignal))) {
    throw optionError('signal', 'an AbortSignal', signal);
  }
}

/** Checks an option that is called, if there is one. */
export function checkCallback(field: string, callback: unknown): void {
  if (callback !== undefined && typeof callback !== 'function') throw optionError(field, 'a function', callback);
}

export function readAsyncOptions(given: ForwardAsyncOptions): CallOptions {
  const { signal, onProgress } = pickOptions(given, ['signal', 'onProgress']);
  checkSignal(signal);
  checkCallback('onProgress', onProgress);
  return { signal, onProgress };
}
