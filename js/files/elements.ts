// Arrays as files hold them: bytes, an element type, a byte order and strides.
import { bytesIn } from '../common/bytes.js';
import { show, stateDictError } from '../common/errors.js';
import { asHalves, elementCount, Tensor } from '../layer/tensor.js';

/** Element types by NumPy's names: a letter and the bytes of one. `bf2` is bfloat16. */
export type ElementType = 'f2' | 'f4' | 'f8' | 'bf2' | 'b1' | 'i1' | 'i2' | 'i4' | 'i8' | 'u1' | 'u2' | 'u4' | 'u8';

/** An array in a file. */
export interface StoredArray {
  type: ElementType;
  shape: readonly number[];
  /** From its first element to its last. */
  bytes: Uint8Array;
  /** How many elements lie between neighbours, for each dimension. Default row-major. */
  strides?: readonly number[];
  /** Default true. */
  littleEndian?: boolean;
}

export const bytesPerElement = (type: ElementType): number => Number(type.at(-1));

/** From the first element to behind the last, in elements. */
export const spanOf = (shape: readonly number[], strides: readonly number[]): number =>
  elementCount(shape) === 0 ? 0 : shape.reduce((sum, extent, d) => sum + (extent - 1) * (strides[d] ?? 0), 1);

/** Whether elements with these strides lie one after the other, the last dimension innermost. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; --d) {
    const extent = shape[d] ?? 1;
    if (extent !== 1 && strides[d] !== stride) return false;
    stride *= extent;
  }
  return true;
}

/** Gives, call by call, where the elements of `shape` lie in row-major order, `strides` apart. */
export function positions(shape: readonly number[], strides: readonly number[]): () => number {
  const index = new Float64Array(shape.length);
  let next = 0;
  return () => {
    const position = next;
    for (let d = shape.length - 1; d >= 0; --d) {
      const extent = shape[d] ?? 1;
      const stride = strides[d] ?? 0;
      const i = (index[d] ?? 0) + 1;
      next += stride;
      index[d] = i;
      if (i < extent) break;
      next -= stride * extent;
      index[d] = 0;
    }
    return position;
  };
}

type SourceArray = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => ArrayLike<number | bigint>;

// What reads each type, floats of 16 and 32 bits as their bits.
const arrays: Readonly<Record<ElementType, SourceArray>> = {
  ...{ f2: Uint16Array, f4: Uint32Array, bf2: Uint16Array, f8: Float64Array, b1: Uint8Array },
  ...{ i1: Int8Array, i2: Int16Array, i4: Int32Array, i8: BigInt64Array },
  ...{ u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, u8: BigUint64Array },
};

/** Whether `value`, an element of `type`, may become `rounded`: whole numbers must stay what they are. */
function survives(type: ElementType, value: number | bigint, rounded: number): boolean {
  if (typeof value === 'bigint') return BigInt(rounded) === value;
  return type === 'f8' ? Number.isFinite(rounded) || !Number.isFinite(value) : rounded === value;
}

/** `bytes` for words of `step` bytes, little-endian as this machine is: a copy where they cannot be read in place. */
function readable(bytes: Uint8Array, step: number, littleEndian: boolean): Uint8Array {
  if (littleEndian && bytes.byteOffset % step === 0) return bytes;
  const copy = bytes.slice();
  if (!littleEndian) for (let at = 0; at < copy.length; at += step) copy.subarray(at, at + step).reverse();
  return copy;
}

/**
 * A tensor of a stored array: float16 of `f2`, float32 of all else. Where the file has its very bits it is a view of
 * `bytes`.
 *
 * @param name what errors call the array.
 * @throws Conv1dError ERR_STATE_DICT when a number is beyond float32, or a whole number is none of float32's.
 */
export function decodeArray(name: string, { type, shape, bytes, strides, littleEndian = true }: StoredArray): Tensor {
  const fail = (text: string, got?: unknown) => stateDictError(name, `${show(name)}: ${text}`, got);
  const count = elementCount(shape);
  const step = bytesPerElement(type);
  const inPlace = strides === undefined || isRowMajor(shape, strides);
  if (bytes.length !== step * (inPlace ? count : spanOf(shape, strides))) {
    throw fail('it can no longer be read: the buffer was transferred or resized', bytes.length);
  }
  const { buffer, byteOffset } = readable(bytes, step, littleEndian);
  if (inPlace && type === 'f4') return new Tensor(new Float32Array(buffer, byteOffset, count), shape);
  if (inPlace && type === 'f2') return new Tensor(asHalves(new Uint16Array(buffer, byteOffset, count)), shape);
  const source = new arrays[type](buffer, byteOffset, bytes.length / step);
  let index = 0;
  const next = inPlace ? () => index++ : positions(shape, strides);
  if (type === 'f2' || type === 'f4' || type === 'bf2') {
    const words = type === 'f2' ? new Uint16Array(count) : new Uint32Array(count);
    const shift = type === 'bf2' ? 16 : 0; // bfloat16 is the upper half of float32
    for (let i = 0; i < count; ++i) words[i] = Number(source[next()]) << shift;
    return new Tensor(words instanceof Uint16Array ? asHalves(words) : new Float32Array(words.buffer), shape);
  }
  const floats = new Float32Array(count);
  for (let i = 0; i < count; ++i) {
    const element = source[next()] ?? 0;
    const value = type === 'b1' ? Number(element !== 0) : element;
    const rounded = Math.fround(Number(value));
    if (!survives(type, value, rounded)) throw fail(`element ${i} is no float32 number: ${show(value)}`, value);
    floats[i] = rounded;
  }
  return new Tensor(floats, shape);
}

/** The bytes of a file, not copied. */
export function bytesOf(buffer: unknown): Uint8Array {
  const bytes = bytesIn(buffer);
  if (bytes) return bytes;
  throw stateDictError('buffer', `buffer must be an ArrayBuffer or a view of one, got ${show(buffer)}`, buffer);
}
