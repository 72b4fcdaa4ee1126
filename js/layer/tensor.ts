import { whenCollected } from '../common/collected.js';
import { classError, Conv1dError, dtypeError, reading, shapeError, show } from '../common/errors.js';
import { requireRuntime } from '../runtime/default.js';
import type { LoadedRuntime, Runtime } from '../runtime/runtime.js';
import { bytesPerElement, checkDType, type DType } from './dtype.js';
import { fromHalf, toHalf } from './half.js';

/** The part of Float16Array that this library uses; engines without it take Uint16Array. */
export interface Float16ArrayLike {
  readonly BYTES_PER_ELEMENT: number;
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly length: number;
  [index: number]: number;
  set(array: ArrayLike<number>, offset?: number): void;
  slice(start?: number, end?: number): Float16ArrayLike;
}

/** What a tensor's elements lie in: Uint16Array is float16 as bit patterns. */
export type TensorData = Float32Array | Uint16Array | Float16ArrayLike;

/** Numbers nested as deep as a tensor has dimensions. */
export type NestedNumbers = number | NestedNumbers[];

/** Numbers nested in lists, the innermost of which may be typed arrays. */
export type NestedData = number | ArrayLike<number> | TensorData | readonly NestedData[];

type HalfArrayConstructor = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => Float16ArrayLike;

const HalfArray = (globalThis as { Float16Array?: HalfArrayConstructor }).Float16Array;

const mostElements = 2 ** 30 - 1;
const mostDimensions = 64;
// Of one toArray(): engines keep more in tables that take several times the memory.
const mostItems = 2 ** 25;

// Reads the class of a typed array of any realm, which instanceof cannot.
const tagOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
) as { get: () => string | undefined };
export const typedArrayTag = (value: unknown): string | undefined => tagOf.get.call(value);

/** Checks that `shape` is a list of at most 64 integers >= 0. Returns a frozen copy. */
export function checkExtents(field: string, shape: unknown): readonly number[] {
  return reading('ERR_SHAPE', field, shape, () => {
    if (!Array.isArray(shape)) {
      throw shapeError(field, `${field} must be an array of integers >= 0, got ${show(shape)}`, shape);
    }
    if (shape.length > mostDimensions) {
      const text = `${field} must have at most ${String(mostDimensions)} dimensions, got ${String(shape.length)}`;
      throw shapeError(field, text, shape);
    }
    const copy: number[] = [];
    for (let i = 0; i < shape.length; ++i) {
      const dimension: unknown = shape[i];
      if (!Number.isInteger(dimension) || (dimension as number) < 0) {
        throw shapeError(field, `${field}[${String(i)}] must be an integer >= 0, got ${show(dimension)}`, shape);
      }
      copy.push((dimension as number) + 0); // no -0
    }
    return Object.freeze(copy);
  });
}

/** As `checkExtents`, of a shape that a tensor can have. */
export function checkShape(field: string, shape: unknown): readonly number[] {
  const extents = checkExtents(field, shape);
  if (elementCount(extents) <= mostElements) return extents;
  const text = `${field} ${show(extents)} has more than ${String(mostElements)} elements`;
  throw shapeError(field, text, shape);
}

/** Elements of an array of `shape`. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

function asWords(halves: TensorData): Uint16Array {
  return new Uint16Array(halves.buffer, halves.byteOffset, halves.length);
}

/** 16-bit words as the engine's own float16 array, where it has one. */
export function asHalves(words: Uint16Array): TensorData {
  return HalfArray ? new HalfArray(words.buffer, words.byteOffset, words.length) : words;
}

/** What `make` gives, an array in JavaScript's memory with room for `count` elements. */
export function makeArray<Made>(count: number, make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    const text = `no room for an array of ${String(count)} elements: ${show(error)}`;
    throw new Conv1dError('ERR_OUT_OF_MEMORY', 'tensor', text, count, error);
  }
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || typedArrayTag(value) !== undefined;

function numbersFrom(where: string, data: ArrayLike<unknown>): Float64Array {
  const numbers = makeArray(data.length, () => new Float64Array(data.length));
  for (let i = 0; i < data.length; ++i) {
    const value = data[i];
    if (typeof value !== 'number') {
      throw dtypeError('data', `${where}[${String(i)}] must be a number, got ${show(value)}`, value);
    }
    numbers[i] = value;
  }
  return numbers;
}

/** The extents of lists in lists, as the first of each tells them. */
function nestedShape(data: unknown): number[] {
  if (typedArrayTag(data) !== undefined) return [(data as ArrayLike<unknown>).length];
  const extents: number[] = [];
  for (let level = data; isList(level); level = level[0]) {
    extents.push(level.length);
    if (extents.length > mostDimensions) {
      const text = `data must be nested at most ${String(mostDimensions)} deep, as a tensor has dimensions`;
      throw shapeError('data', text, data);
    }
  }
  return extents;
}

function checkList(data: unknown, where: string): ArrayLike<unknown> {
  const tag = typedArrayTag(data);
  const isArrayLike = tag !== undefined || (typeof data === 'object' && data !== null && 'length' in data);
  if (isArrayLike && tag?.startsWith('Big') !== true) return data as ArrayLike<unknown>;
  throw dtypeError('data', `${where} must be a typed array or a list of numbers, got ${show(data)}`, data);
}

/** The elements of a list without lists in it, kept where they have the dtype; `where` is its name in errors. */
function readList(
  data: ArrayLike<unknown>,
  where: string,
  dtype: DType | undefined,
): { data: TensorData; dtype: DType } {
  const tag = typedArrayTag(data);
  if (tag === 'Float32Array' && dtype !== 'float16') return { data: data as unknown as Float32Array, dtype: 'float32' };
  if (tag === 'Float16Array' && dtype !== 'float32')
    return { data: data as unknown as Float16ArrayLike, dtype: 'float16' };
  if (tag === 'Uint16Array') {
    if (dtype === 'float32') {
      const text = "a Uint16Array holds float16 bit patterns: dtype must be 'float16', got 'float32'";
      throw dtypeError('dtype', text, dtype);
    }
    return { data: data as unknown as Uint16Array, dtype: 'float16' };
  }
  const numbers = numbersFrom(where, data);
  if (dtype !== 'float16')
    return { data: makeArray(numbers.length, () => Float32Array.from(numbers)), dtype: 'float32' };
  return { data: makeArray(numbers.length, () => asHalves(Uint16Array.from(numbers, toHalf))), dtype };
}

/** The elements of lists in lists, all of which must have the extents of `shape`. */
function readNested(data: unknown, shape: readonly number[], wanted: DType | undefined) {
  let first = data as ArrayLike<unknown>;
  for (let depth = 1; depth < shape.length; ++depth) first = first[0] as ArrayLike<unknown>;
  const where = `data${'[0]'.repeat(shape.length - 1)}`;
  const { dtype } = readList(checkList(first, where), where, wanted);
  const size = elementCount(shape);
  const words = makeArray(size, () => (dtype === 'float32' ? new Float32Array(size) : new Uint16Array(size)));
  let next = 0;
  const fill = (list: unknown, depth: number, where: string): void => {
    const extent = shape[depth] ?? 0;
    if (!isList(list))
      throw shapeError('data', `${where} must be a list of ${String(extent)}, got ${show(list)}`, list);
    if (list.length !== extent) {
      const text = `${where} has ${String(list.length)} elements, the first list beside it ${String(extent)}`;
      throw shapeError('data', text, list);
    }
    if (depth + 1 < shape.length) {
      for (let i = 0; i < extent; ++i) fill(list[i], depth + 1, `${where}[${String(i)}]`);
      return;
    }
    const part = readList(checkList(list, where), where, dtype).data;
    words.set(dtype === 'float32' ? part : asWords(part), next);
    next += extent;
  };
  fill(data, 0, 'data');
  return { data: dtype === 'float32' ? words : asHalves(words as Uint16Array), dtype };
}

/** Whether lists with the extents `nested` are those of a tensor of `shape`: there are none below an empty one. */
const fits = (nested: readonly number[], shape: readonly number[]): boolean =>
  nested.every((extent, i) => extent === shape[i]) && (nested.length === shape.length || nested.at(-1) === 0);

/** Data as it is given, with its shape and dtype. */
function readData(
  data: unknown,
  given: unknown,
  dtype: DType | undefined,
): { data: TensorData; shape: readonly number[]; dtype: DType } {
  const nested = nestedShape(data);
  const shape = given === undefined ? undefined : checkShape('shape', given);
  if (nested.length > 1) {
    const whole = shape ?? checkShape('shape', nested);
    if (fits(nested, whole)) return { ...readNested(data, nested, dtype), shape: whole };
    throw shapeError('shape', `shape is ${show(whole)}, data is nested as ${show(nested)}`, whole);
  }
  const isScalar = typeof data === 'number' && (shape ?? []).length === 0;
  const list = isScalar ? [data] : checkList(data, 'data');
  const whole = shape ?? checkShape('shape', isScalar ? [] : [list.length]);
  if (list.length === elementCount(whole)) {
    const read = readList(list, 'data', dtype);
    return { data: read.data, shape: whole, dtype: read.dtype };
  }
  const text = `shape ${show(whole)} has ${String(elementCount(whole))} elements, data has ${show(list.length)}`;
  throw shapeError('shape', text, whole);
}

/** Memory of a runtime that a tensor owns. */
export class HeapBlock {
  constructor(
    readonly runtime: LoadedRuntime,
    readonly pointer: number,
  ) {}
}

// Frees what is collected without having been disposed.
const registry = whenCollected<HeapBlock>(({ runtime, pointer }) => {
  runtime.release(pointer);
});

/**
 * A row-major array of numbers with a shape, in a JavaScript array (`placement` `'js'`) or in wasm memory (`'wasm'`).
 *
 * A 'js' tensor is an ordinary object that nobody has to dispose. A 'wasm' tensor should be disposed by who made it.
 */
export class Tensor {
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Number of elements: the product of the shape. */
  readonly size: number;
  #storage: TensorData | HeapBlock | null;

  /**
   * @param data the elements, row-major. A Float32Array, a Float16Array and a Uint16Array (float16 bit patterns) are
   *   kept, not copied; other lists of numbers are converted. Lists in lists, such as those of `toArray()` or one
   *   typed array a channel, are copied.
   * @param shape at most 64 integers >= 0 whose product is the number of elements, at most 2^30 - 1; of lists in lists,
   *   their extents. Default: the extents of `data`.
   * @param dtype default: what `data` is, or the first list in it; float32 for plain numbers.
   * @throws Conv1dError ERR_SHAPE, also for lists in lists that differ in length; ERR_DTYPE, ERR_OUT_OF_MEMORY.
   */
  constructor(data: NestedData, shape?: readonly number[], dtype?: DType);
  /** @internal */
  constructor(data: HeapBlock, shape: readonly number[], dtype: DType);
  constructor(data: NestedData | HeapBlock, shape?: readonly number[], dtype?: DType) {
    const wanted = dtype === undefined ? undefined : checkDType(dtype);
    const given = reading('ERR_DTYPE', 'data', data, () =>
      data instanceof HeapBlock
        ? { data, shape: checkShape('shape', shape), dtype: wanted ?? 'float32' }
        : readData(data, shape, wanted),
    );
    this.shape = given.shape;
    this.size = elementCount(given.shape);
    this.dtype = given.dtype;
    this.#storage = given.data;
    if (given.data instanceof HeapBlock) registry.register(this, given.data, this);
  }

  /** @internal Whether `value` is one, not a proxy of one. */
  static owns(value: unknown): value is Tensor {
    return typeof value === 'object' && value !== null && #storage in value;
  }

  /** @internal A 'wasm' tensor of undefined contents. */
  static allocate(runtime: LoadedRuntime, shape: readonly number[], dtype: DType): Tensor {
    const block = new HeapBlock(runtime, runtime.allocate(elementCount(shape) * bytesPerElement[dtype], 'tensor data'));
    return new Tensor(block, shape, dtype);
  }

  #live(): TensorData | HeapBlock {
    if (this.#storage === null) throw new Conv1dError('ERR_DISPOSED', 'tensor', 'this tensor is disposed');
    if (this.#storage instanceof HeapBlock && this.#storage.runtime.disposed) {
      throw new Conv1dError('ERR_DISPOSED', 'tensor', 'this tensor is gone: its runtime is disposed');
    }
    if (!(this.#storage instanceof HeapBlock) && this.#storage.length !== this.size) {
      // Posted to a worker, or a view of a buffer that was resized.
      throw shapeError(
        'tensor',
        `this tensor's array has ${String(this.#storage.length)} elements now, its shape ${show(this.shape)} had ${String(this.size)}`,
        this.#storage.length,
      );
    }
    return this.#storage;
  }

  /** @internal Throws ERR_DISPOSED when there is nothing left to read. */
  requireLive(): void {
    this.#live();
  }

  /**
   * `'js'`: in a JavaScript array. `'wasm'`: in a runtime's memory.
   *
   * @throws Conv1dError ERR_DISPOSED.
   */
  get placement(): 'js' | 'wasm' {
    return this.#live() instanceof HeapBlock ? 'wasm' : 'js';
  }

  /**
   * The elements. Of a 'js' tensor, the very array; of a 'wasm' tensor, a view of the memory that is good until the
   * next call of this library, which may move it.
   */
  get data(): TensorData {
    const storage = this.#live();
    if (!(storage instanceof HeapBlock)) return storage;
    const { runtime, pointer } = storage;
    if (this.dtype === 'float32') return runtime.floats.subarray(pointer / 4, pointer / 4 + this.size);
    return asHalves(runtime.halves.subarray(pointer / 2, pointer / 2 + this.size));
  }

  /** @internal Where the tensor lies in the memory of `runtime`; null for 'js' tensors. */
  pointerIn(runtime: LoadedRuntime, field: string): number | null {
    const storage = this.#live();
    if (!(storage instanceof HeapBlock)) return null;
    if (storage.runtime === runtime) return storage.pointer;
    throw new Conv1dError('ERR_OPTION', field, `${field} lies in the memory of another runtime than the layer's`, this);
  }

  /** @internal A 'js' tensor over `buffer`. */
  static fromBuffer(buffer: ArrayBuffer, shape: readonly number[], dtype: DType): Tensor {
    return new Tensor(dtype === 'float32' ? new Float32Array(buffer) : asHalves(new Uint16Array(buffer)), shape);
  }

  /** @internal The elements in a buffer of their own. */
  copyBuffer(): ArrayBuffer {
    return this.#copy().buffer as ArrayBuffer;
  }

  #copy(): TensorData {
    const { data } = this;
    return makeArray(this.size, () => {
      // An array of its own class: a slice of a derived one would be made by whoever derived it.
      if (this.dtype === 'float32') return new Float32Array(data);
      const words = asWords(data).slice();
      return typedArrayTag(data) === 'Uint16Array' ? words : asHalves(words);
    });
  }

  /** @internal Copies the elements into the memory of `runtime`. */
  copyTo(runtime: LoadedRuntime, pointer: number): void {
    const { data } = this;
    reading('ERR_SHAPE', 'tensor', this, () => {
      if (data.BYTES_PER_ELEMENT === 4) runtime.floats.set(data, pointer / 4);
      else runtime.halves.set(asWords(data), pointer / 2);
    });
  }

  /** @internal A 'js' tensor copied out of the memory of `runtime`, or the elements of `out` overwritten with it. */
  static copyFrom(
    runtime: LoadedRuntime,
    pointer: number,
    shape: readonly number[],
    dtype: DType,
    out?: Tensor,
  ): Tensor {
    const words = dtype === 'float32' ? runtime.floats : runtime.halves;
    const begin = pointer / words.BYTES_PER_ELEMENT;
    const end = begin + elementCount(shape);
    if (!out) {
      // A slice of shared memory is not shared.
      const copy = makeArray(end - begin, () => words.slice(begin, end));
      return new Tensor(dtype === 'float32' ? copy : asHalves(copy as Uint16Array), shape);
    }
    const source = words.subarray(begin, end);
    reading('ERR_SHAPE', 'out', out, () => {
      if (dtype === 'float32') (out.data as Float32Array).set(source);
      else asWords(out.data).set(source);
    });
    return out;
  }

  /** @internal A float32 tensor in either placement, copied out of the memory of `runtime`. */
  static copyOf(runtime: LoadedRuntime, pointer: number, shape: readonly number[], placement: 'js' | 'wasm'): Tensor {
    if (placement === 'js') return Tensor.copyFrom(runtime, pointer, shape, 'float32');
    const copy = Tensor.allocate(runtime, shape, 'float32');
    const to = (copy.#storage as HeapBlock).pointer / 4;
    runtime.floats.copyWithin(to, pointer / 4, pointer / 4 + copy.size);
    return copy;
  }

  /**
   * A copy in wasm memory, which the caller disposes.
   *
   * @param runtime default: the one of `init()`.
   * @throws Conv1dError ERR_NOT_INITIALIZED, ERR_OUT_OF_MEMORY, ERR_DISPOSED.
   */
  toWasm(runtime?: Runtime): Tensor {
    const target = requireRuntime(runtime);
    this.requireLive();
    const copy = Tensor.allocate(target, this.shape, this.dtype);
    this.copyTo(target, (copy.#storage as HeapBlock).pointer);
    return copy;
  }

  /**
   * A copy in a JavaScript array.
   *
   * @throws Conv1dError ERR_DISPOSED, ERR_OUT_OF_MEMORY.
   */
  toJs(): Tensor {
    return new Tensor(this.#copy(), this.shape, this.dtype);
  }

  /** @internal A float32 tensor of `numbers` with this one's shape, living where this one lives. */
  like(numbers: Float32Array): Tensor {
    const storage = this.#live();
    const made = new Tensor(numbers, this.shape);
    return storage instanceof HeapBlock ? made.toWasm(storage.runtime) : made;
  }

  /** @internal The elements as a flat list of numbers. */
  numbers(): Float64Array {
    const { data } = this;
    return makeArray(this.size, () =>
      typedArrayTag(data) === 'Uint16Array' ? Float64Array.from(data, fromHalf) : new Float64Array(data),
    );
  }

  /**
   * The elements as numbers, nested by the shape: a matrix gives an array of rows, of which `new Tensor` makes the
   * same again.
   *
   * @throws Conv1dError ERR_DISPOSED; ERR_OUT_OF_MEMORY when that is more than 2^25 lists and numbers.
   */
  toArray(): NestedNumbers {
    let items = 1;
    this.shape.reduce((lists, extent) => ((items += lists * extent), lists * extent), 1);
    if (items > mostItems) {
      const text = `toArray() would make ${String(items)} lists and numbers, at most ${String(mostItems)} are possible; read data`;
      throw new Conv1dError('ERR_OUT_OF_MEMORY', 'tensor', text, items);
    }
    const numbers = this.numbers();
    let next = 0;
    const nest = (dimension: number): NestedNumbers => {
      const length = this.shape[dimension];
      if (length === undefined) return numbers[next++] ?? 0;
      return Array.from({ length }, () => nest(dimension + 1));
    };
    return nest(0);
  }

  /** Frees a 'wasm' tensor's memory at once; a 'js' tensor lets go of its array. May be called twice. */
  dispose(): void {
    if (this.#storage instanceof HeapBlock) {
      registry.unregister(this);
      this.#storage.runtime.release(this.#storage.pointer);
    }
    this.#storage = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Checks that `value` is a tensor. */
export function checkIsTensor(field: string, value: unknown): Tensor {
  if (Tensor.owns(value)) return value;
  throw classError('ERR_DTYPE', field, 'Tensor', value);
}

/** Checks that `value` is a tensor of `dtype`. */
export function checkTensor(field: string, value: unknown, dtype: DType): Tensor {
  const tensor = checkIsTensor(field, value);
  if (tensor.dtype === dtype) return tensor;
  const remedy =
    dtype === 'float16' ? "new Tensor(data, shape, 'float16')" : `new Tensor(${field}.toArray(), ${field}.shape)`;
  const text = `${field} must be ${dtype} as the layer is, got ${tensor.dtype}; ${remedy} is ${dtype}`;
  throw dtypeError(field, text, tensor.dtype);
}

/** Checks that `value` is a tensor with elements to read and of one of `shapes`. */
export function checkFit(field: string, value: unknown, shapes: readonly (readonly number[])[]): Tensor {
  const tensor = checkIsTensor(field, value);
  const { shape } = tensor;
  if (!shapes.some((wanted) => wanted.length === shape.length && wanted.every((d, i) => d === shape[i]))) {
    const text = `${field} must have shape ${shapes.map((wanted) => show(wanted)).join(' or ')}, got ${show(shape)}`;
    throw shapeError(field, text, shape);
  }
  tensor.requireLive();
  return tensor;
}

/** Splits (N, C, L) or (C, L) of what `owner` takes with `channels`, or throws ERR_SHAPE. */
export function splitShape(
  field: string,
  shape: readonly number[],
  channels: number,
  owner: string,
): [batch: number, length: number] {
  const [batch, found, length] = shape.length === 2 ? [1, ...shape] : shape;
  if ((shape.length !== 2 && shape.length !== 3) || batch === undefined || length === undefined) {
    const text = `${field} must be (N, C, L) or (C, L), got shape ${show(shape)}`;
    throw shapeError(field, text, shape);
  }
  if (found !== channels) {
    const text = `${field} has ${String(found)} channels (shape ${show(shape)}), the ${owner} has inChannels ${String(channels)}`;
    throw shapeError(field, text, shape);
  }
  return [batch, length];
}
