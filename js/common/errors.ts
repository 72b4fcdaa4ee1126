import { Conv1dError, type ErrorCode } from './conv1d-error.js';

export { Conv1dError, type ErrorCode };

// A page may hold two copies of the package, of any versions: each object says by this name which copy it is of, by that
// copy's Conv1dError.
export const copyOf = Symbol.for('conv1d-wasm copy');

/** `value` as an error text shows it: short, on one line, strings in quotes. */
export function show(value: unknown): string {
  try {
    return describe(value, 0);
  } catch {
    // A proxy's trap, or a getter.
    return 'an object that cannot be read';
  }
}

function describe(value: unknown, depth: number): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}...` : value}'`;
  if (Array.isArray(value)) {
    if (depth > 2) return '[...]';
    const items = Array.from(value.slice(0, 8), (item) => describe(item, depth + 1));
    return `[${items.join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  }
  if (value instanceof Error) return String(value);
  if (typeof value === 'object' && value !== null) {
    const tag = Object.prototype.toString.call(value);
    const { [copyOf]: copy = Conv1dError } = value as { [copyOf]?: object };
    return copy === Conv1dError ? tag : `${tag} of another copy of conv1d-wasm; import the package from one place`;
  }
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${String(value)}n`;
  return String(value);
}

/** How many letters have to be put in, taken out or changed to get from `a` to `b`: the Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; ++i) {
    const above = row;
    row = [i + 1];
    for (let j = 0; j < b.length; ++j) {
      const changed = (above[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      row.push(Math.min(changed, (above[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1));
    }
  }
  return row[b.length] ?? 0;
}

/** The one of `names` that `name` seems to stand for, in another spelling or with a slip. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[_-]/g, '');
  const given = plain(name);
  if (given.length < 3 || given.length > 40) return undefined;
  const costs = names.map((known) => {
    const wanted = plain(known);
    if (given === wanted) return 0;
    const longer = given.startsWith(wanted) && given.length < 3 * wanted.length;
    return longer || wanted.includes(given) ? 1 : distance(given, wanted);
  });
  const least = Math.min(...costs);
  return least <= given.length / 3 ? names[costs.indexOf(least)] : undefined;
}

export function optionError(field: string, rule: string, got: unknown): Conv1dError {
  return new Conv1dError('ERR_OPTION', field, `${field} must be ${rule}, got ${show(got)}`, got);
}

/** What `read` gives, which looks into `value`, given as `field`: a getter of it may throw, or a proxy's trap. */
export function reading<Result>(code: ErrorCode, field: string, value: unknown, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof Conv1dError) throw error;
    throw new Conv1dError(code, field, `${field} cannot be read: ${show(error)}`, value, error);
  }
}

function unknownOption(name: string, known: readonly string[], got: unknown): Conv1dError {
  const meant = nearest(name, known);
  const guess = meant === undefined ? '' : ` (did you mean ${meant}?)`;
  const text = `unknown option ${show(name)}${guess}; there are ${known.join(', ')}`;
  return new Conv1dError('ERR_OPTION', name, text, got);
}

/**
 * The options with names in `known`.
 *
 * @throws Conv1dError ERR_OPTION when `options` is no object, has another name or cannot be read.
 */
export function pickOptions<Options extends object, Name extends keyof Options & string>(
  options: Options,
  known: readonly Name[],
  field = 'options',
): Pick<Options, Name> {
  return reading('ERR_OPTION', field, options, () => {
    if (typeof options !== 'object' || (options as unknown) === null || Array.isArray(options)) {
      throw optionError(field, 'an object', options);
    }
    for (const name of Object.keys(options)) {
      if (!(known as readonly string[]).includes(name)) throw unknownOption(name, known, Reflect.get(options, name));
    }
    const picked: { -readonly [Key in Name]?: Options[Key] } = {}; // no Object.fromEntries: this is in each forward()
    for (const name of known) picked[name] = options[name];
    return picked as Pick<Options, Name>;
  });
}

/** What helps where an object of this package is reached through a proxy. */
export const proxyRemedy =
  "keep it out of the state that wraps it, with Vue's markRaw() or shallowRef(), Valtio's ref() or the like";

/** The error for `value`, which must be of the class with the name `type`. */
export function classError(code: ErrorCode, field: string, type: string, value: unknown, from = ''): Conv1dError {
  const shown = show(value);
  const got = shown === `[object ${type}]` ? `a proxy of one: ${proxyRemedy}` : shown;
  return new Conv1dError(code, field, `${field} must be a ${type}${from}, got ${got}`, value);
}

export function shapeError(field: string, message: string, got: unknown): Conv1dError {
  return new Conv1dError('ERR_SHAPE', field, message, got);
}

export function dtypeError(field: string, message: string, got: unknown): Conv1dError {
  return new Conv1dError('ERR_DTYPE', field, message, got);
}

/** What is wrong with a dictionary of tensors, or with the file that holds one. */
export function stateDictError(field: string, message: string, got?: unknown, cause?: unknown): Conv1dError {
  return new Conv1dError('ERR_STATE_DICT', field, message, got, cause);
}
