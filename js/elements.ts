// Arrays as files hold them: bytes, an element type and a byte order.
import { show, stateDictError } from './errors.js';
import { asHalves, elementCount, Tensor } from './tensor.js';

/** Element types by NumPy's names: a letter and the bytes of one. `bf2` is bfloat16. */
export type ElementType = 'f2' | 'f4' | 'f8' | 'bf2' | 'b1' | 'i1' | 'i2' | 'i4' | 'i8' | 'u1' | 'u2' | 'u4' | 'u8';

export const bytesPerElement = (type: ElementType): number => Number(type.at(-1));

type Read<Value = number> = (view: DataView, at: number, littleEndian: boolean) => Value;

// Types whose bits are kept, as bits of float32.
const bits: Record<'f4' | 'bf2', Read> = {
  f4: (view, at, little) => view.getUint32(at, little),
  bf2: (view, at, little) => view.getUint16(at, little) << 16,
};

const numbers: Record<Exclude<ElementType, 'f2' | 'f4' | 'bf2'>, Read<number | bigint>> = {
  f8: (view, at, little) => view.getFloat64(at, little),
  b1: (view, at) => Number(view.getUint8(at) !== 0),
  i1: (view, at) => view.getInt8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  i8: (view, at, little) => view.getBigInt64(at, little),
  u1: (view, at) => view.getUint8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  u8: (view, at, little) => view.getBigUint64(at, little),
};

function fill<Words extends Uint16Array | Uint32Array>(words: Words, read: (index: number) => number): Words {
  for (let i = 0; i < words.length; ++i) words[i] = read(i);
  return words;
}

/** Whether `value`, an element of `type`, may become `rounded`: whole numbers must stay what they are. */
function survives(type: ElementType, value: number | bigint, rounded: number): boolean {
  if (typeof value === 'bigint') return BigInt(rounded) === value;
  return type === 'f8' ? Number.isFinite(rounded) || !Number.isFinite(value) : rounded === value;
}

/**
 * The elements in `bytes`, row-major, as a tensor with an array of its own: float16 of `f2`, float32 of all else.
 *
 * @param name what errors call the array.
 * @throws Conv1dError ERR_STATE_DICT when a number is beyond float32, or a whole number is none of float32's.
 */
export function decodeElements(
  name: string,
  type: ElementType,
  bytes: Uint8Array,
  shape: readonly number[],
  littleEndian = true,
): Tensor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = elementCount(shape);
  const step = bytesPerElement(type);
  if (type === 'f2') {
    const words = fill(new Uint16Array(count), (i) => view.getUint16(i * step, littleEndian));
    return new Tensor(asHalves(words), shape, 'float16');
  }
  if (type === 'f4' || type === 'bf2') {
    const readBits = bits[type];
    const words = fill(new Uint32Array(count), (i) => readBits(view, i * step, littleEndian));
    return new Tensor(new Float32Array(words.buffer), shape);
  }
  const readNumber = numbers[type];
  const floats = new Float32Array(count);
  for (let i = 0; i < count; ++i) {
    const value = readNumber(view, i * step, littleEndian);
    const rounded = Math.fround(Number(value));
    if (!survives(type, value, rounded)) {
      throw stateDictError(name, `${show(name)}: element ${i} is no float32 number: ${show(value)}`, value);
    }
    floats[i] = rounded;
  }
  return new Tensor(floats, shape);
}

/** The bytes of a file, not copied. Buffers may come from other realms. */
export function bytesOf(buffer: unknown): Uint8Array {
  if (ArrayBuffer.isView(buffer)) return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  if (/^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(buffer))) {
    return new Uint8Array(buffer as ArrayBuffer);
  }
  throw stateDictError('buffer', `buffer must be an ArrayBuffer or a view of one, got ${show(buffer)}`, buffer);
}
