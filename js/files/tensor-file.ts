// The dictionary that a file of tensors gives: what is listed, what is chosen, and what is decoded once it is asked for.
import { Conv1dError, pickOptions, show, stateDictError } from '../common/errors.js';
import { checkShape, type Tensor } from '../layer/tensor.js';
import { decodeArray, type StoredArray } from './elements.js';

/** Which tensors of a file are read. All that is given must hold; default all. Chosen ones keep their whole names. */
export interface ReadOptions {
  /** These, each of which must be there and be readable. */
  names?: readonly string[];
  /** Those whose names start so. */
  prefix?: string;
  /** Those for whose name this is true. */
  filter?: (name: string) => boolean;
}

/** What a file holds under one name. */
export interface FileEntry {
  name: string;
  /** The element type as the file names it: 'BF16', '<f4', 'float32'. Of what is no array, what it is: 'string'. */
  dtype: string;
  /** Sizes of an array, outermost first. */
  shape?: readonly number[];
  /** What stands in a PyTorch file beside its tensors. */
  value?: string | number | bigint | boolean | null;
  /** Why it cannot be a tensor; undefined for what can. */
  problem?: string;
}

/** An entry with its array, if it can be a tensor. */
export interface FileItem extends FileEntry {
  array?: () => StoredArray;
}

/** To how many bytes what `file` holds may grow. */
export const mostBytesOf = (file: Uint8Array): number => Math.max(2 ** 26, 32 * file.length);

/** Why nothing of `shape` can be a tensor, if so. */
export function shapeProblem(shape: readonly number[]): string | undefined {
  try {
    checkShape('shape', shape);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const listings = new WeakMap<object, readonly FileEntry[]>();

/** What `ReadOptions` choose. */
export interface Selection {
  names: readonly string[];
  /** Whether the tensor of this name is read. */
  has(name: string): boolean;
}

/** @throws Conv1dError ERR_OPTION. */
export function selectionOf(options: ReadOptions): Selection {
  const given = pickOptions(options, ['names', 'prefix', 'filter']);
  const { names, prefix = '', filter = () => true } = given;
  const check = (field: keyof ReadOptions, holds: boolean, what: string) => {
    const got = given[field];
    if (!holds) throw new Conv1dError('ERR_OPTION', field, `${field} must be ${what}, got ${show(got)}`, got);
  };
  const areNames = names === undefined || (Array.isArray(names) && names.every((name) => typeof name === 'string'));
  check('names', areNames, 'an array of strings');
  check('prefix', typeof prefix === 'string', 'a string');
  check('filter', typeof filter === 'function', 'a function');
  const wanted = names && new Set(names);
  return {
    names: names ?? [],
    has: (name) => (!wanted || wanted.has(name)) && name.startsWith(prefix) && filter(name),
  };
}

/**
 * The tensors among `items`, decoded when they are first asked for; each of `names` must be one. What cannot be a tensor is there as well, but not
 * enumerable: it is an error when it is asked for.
 */
export function dictionaryOf(items: readonly FileItem[], { names }: Selection): Record<string, Tensor> {
  const tensors = Object.create(null) as Record<string, Tensor>;
  const wanted = new Set(names);
  for (const { name, dtype, problem, array } of items) {
    if (name in tensors) throw stateDictError(name, `there are two of ${show(name)}`);
    let tensor: Tensor | undefined;
    const fail = () => stateDictError(name, `${show(name)}: ${problem ?? ''}`, dtype);
    Object.defineProperty(tensors, name, {
      get() {
        if (!array) throw fail();
        return (tensor ??= decodeArray(name, array()));
      },
      // As any other dictionary it may be changed.
      set: (value: Tensor) =>
        Object.defineProperty(tensors, name, { value, writable: true, enumerable: true, configurable: true }),
      enumerable: array !== undefined,
      configurable: true,
    });
    if (!array && wanted.has(name)) throw fail();
  }
  const missing = names.find((name) => !(name in tensors));
  if (missing !== undefined) {
    throw stateDictError(missing, `${show(missing)} is missing; there are ${show(items.map(({ name }) => name))}`);
  }
  listings.set(
    tensors,
    items.map(({ array: _, ...entry }) => entry),
  );
  return tensors;
}

/**
 * What a file holds, of all that its reader was asked for, in the file's order, without decoding it: also what cannot
 * be a tensor, and why.
 *
 * @param tensors what `readSafetensors`, `readNpz` or `readTorch` gave.
 * @throws Conv1dError ERR_OPTION.
 */
export function contentsOf(tensors: Readonly<Record<string, Tensor>>): readonly FileEntry[] {
  const listing = listings.get(tensors);
  if (listing) return listing;
  const text = `tensors must be what readSafetensors, readNpz or readTorch gave, got ${show(tensors)}`;
  throw new Conv1dError('ERR_OPTION', 'tensors', text, tensors);
}
