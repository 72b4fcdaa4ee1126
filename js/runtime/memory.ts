import { Conv1dError, optionError } from '../common/errors.js';

const pageBytes = 65536;
const initialPages = 64;
const gibibyte = 2 ** 30;

interface MemoryOptions {
  readonly maximumMemory?: number | undefined;
}

/** Throws Conv1dError ERR_OPTION. */
export function checkMaximum({ maximumMemory: bytes = gibibyte }: MemoryOptions): void {
  const least = initialPages * pageBytes;
  if (Number.isInteger(bytes) && bytes >= least && bytes <= 4 * gibibyte) return;
  throw optionError('maximumMemory', `an integer from ${String(least)} to ${String(4 * gibibyte)} bytes`, bytes);
}

/** Throws Conv1dError ERR_OPTION, ERR_OUT_OF_MEMORY. */
export function makeMemory(options: MemoryOptions, shared: boolean): WebAssembly.Memory {
  checkMaximum(options);
  const { maximumMemory: bytes = (shared ? 1 : 4) * gibibyte } = options;
  let maximum = Math.floor(bytes / pageBytes);
  for (;;) {
    try {
      return new WebAssembly.Memory({ initial: initialPages, maximum, shared });
    } catch (error) {
      // Some engines reserve the maximum at once; without the user's word on it, less will do.
      if (options.maximumMemory === undefined && maximum / 2 >= 16 * initialPages) {
        maximum = Math.floor(maximum / 2);
        continue;
      }
      throw new Conv1dError(
        'ERR_OUT_OF_MEMORY',
        'maximumMemory',
        `no WebAssembly memory of up to ${String(bytes)} bytes: ${String(error)}`,
        bytes,
        error,
      );
    }
  }
}
