/** The stable names of what can go wrong; they never change between versions. */
export type ErrorCode =
  | 'ERR_OPTION'
  | 'ERR_SHAPE'
  | 'ERR_DTYPE'
  | 'ERR_DISPOSED'
  | 'ERR_NOT_INITIALIZED'
  | 'ERR_WASM_LOAD'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_STATE_DICT'
  | 'ERR_STREAM_STATE'
  | 'ERR_NOT_FINITE'
  | 'ERR_UNSUPPORTED';

/**
 * Every error that this library throws.
 *
 * `message` states the rule and the value: `inChannels (6) must be divisible by groups (4)`.
 */
export class Conv1dError extends Error {
  override readonly name = 'Conv1dError';
  /** What kind of error, for programs. */
  readonly code: ErrorCode;
  /** The option or argument at fault, such as `'kernelSize'` or `'input'`. */
  readonly field: string;
  /** What was given there. */
  readonly got: unknown;

  constructor(code: ErrorCode, field: string, message: string, got?: unknown, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.field = field;
    this.got = got;
  }
}
