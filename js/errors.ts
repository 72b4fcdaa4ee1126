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

/** `value` as an error text shows it: short, on one line, strings in quotes. */
export function show(value: unknown, depth = 0): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}...` : value}'`;
  if (Array.isArray(value)) {
    if (depth > 2) return '[...]';
    const items = Array.from(value.slice(0, 8), (item) => show(item, depth + 1));
    return `[${items.join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  }
  if (typeof value === 'object' && value !== null) return Object.prototype.toString.call(value);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${String(value)}n`;
  return String(value);
}

/** `options`, which must be an object. */
export function checkOptions<Options extends object>(options: Options, field = 'options'): Options {
  if (typeof options === 'object' && (options as unknown) !== null) return options;
  throw new Conv1dError('ERR_OPTION', field, `${field} must be an object, got ${show(options)}`, options);
}

/** What is wrong with a dictionary of tensors, or with the file that holds one. */
export function stateDictError(field: string, message: string, got?: unknown, cause?: unknown): Conv1dError {
  return new Conv1dError('ERR_STATE_DICT', field, message, got, cause);
}
