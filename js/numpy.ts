// The format is specified at https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
import { bytesOf, bytesPerElement, decodeElements, type ElementType } from './elements.js';
import { Conv1dError, show, stateDictError } from './errors.js';
import { checkShape, elementCount, Tensor } from './tensor.js';
import { unzip } from './zip.js';

const magic = '\x93NUMPY';
// Only records need more, and they are not read here.
const mostHeaderBytes = 65535;
const types: readonly string[] = ['f2', 'f4', 'f8', 'b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8'];

type Fail = (message: string, got?: unknown, cause?: unknown) => Conv1dError;

interface Header {
  descr: string;
  fortranOrder: boolean;
  shape: number[];
}

/** Where the header's text lies; its length has two bytes in version 1 and four later. */
function headerRange(bytes: Uint8Array, fail: Fail): [start: number, end: number] {
  if (String.fromCharCode(...bytes.subarray(0, magic.length)) !== magic) throw fail('it is not a .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6] ?? 0;
  const start = version === 1 ? 10 : 12;
  if (version < 1 || version > 3) throw fail(`version must be 1, 2 or 3, got ${version}`, version);
  if (bytes.length < start) throw fail(`it ends after ${bytes.length} bytes`);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > Math.min(mostHeaderBytes, bytes.length - start)) throw fail(`its header can not have ${length} bytes`);
  return [start, start + length];
}

/** Reads the header, a Python dictionary such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. */
function parseHeader(text: string, fail: Fail): Header {
  const entry = /\s*'(\w+)'\s*:\s*(?:'([^']*)'|(True|False)|\(\s*((?:\d+L?\s*,\s*)*(?:\d+L?\s*)?)\))\s*(?:,|(?=\}))/y;
  const found = new Map<string, unknown>();
  entry.lastIndex = text.indexOf('{') + 1;
  let end = entry.lastIndex;
  for (let match = entry.exec(text); match; match = entry.exec(text)) {
    const [, key = '', string, boolean, tuple] = match;
    const numbers = tuple?.match(/\d+/g)?.map(Number) ?? [];
    found.set(key, string ?? (boolean === undefined ? numbers : boolean === 'True'));
    end = entry.lastIndex;
  }
  const [descr, fortranOrder, shape] = ['descr', 'fortran_order', 'shape'].map((key) => found.get(key));
  const complete = typeof descr === 'string' && typeof fortranOrder === 'boolean' && Array.isArray(shape);
  if (!complete || found.size !== 3 || !/^\s*\{/.test(text) || !/^\s*\}\s*$/.test(text.slice(end))) {
    throw fail(`its header is not that of an array of numbers: ${show(text.trim())}`);
  }
  return { descr, fortranOrder, shape: shape as number[] };
}

/** `tensor`, whose elements lie with the first index fastest, in row-major order. */
function fromFortran(tensor: Tensor): Tensor {
  const strides: number[] = [];
  const extents = tensor.shape.filter((extent) => extent !== 1);
  extents.reduce((stride, extent) => (strides.push(stride), stride * extent), 1);
  const ordered = tensor.toJs();
  const [source, target] = [tensor.data, ordered.data];
  for (let i = 0; i < tensor.size; ++i) {
    let rest = i;
    let from = 0;
    for (let d = extents.length - 1; d >= 0; --d) {
      const extent = extents[d] ?? 1;
      from += (rest % extent) * (strides[d] ?? 0);
      rest = Math.floor(rest / extent);
    }
    target[i] = source[from] ?? 0;
  }
  return ordered;
}

function parseNpy(name: string, bytes: Uint8Array): Tensor {
  const fail: Fail = (message, got, cause) => stateDictError(name, `${show(name)}: ${message}`, got, cause);
  const [start, end] = headerRange(bytes, fail);
  // Nothing that is read has other letters than ASCII's, whatever the version's encoding.
  const header = parseHeader(new TextDecoder('latin1').decode(bytes.slice(start, end)), fail);
  const [, order = '', type = ''] = /^([<>|])(.*)$/.exec(header.descr) ?? [];
  if (!types.includes(type) || (order === '|' && !type.endsWith('1'))) {
    throw fail(`dtype must be one of ${types.join(', ')} with its byte order, got ${show(header.descr)}`, header.descr);
  }
  let shape;
  try {
    shape = checkShape('shape', header.shape);
  } catch (error) {
    throw fail((error as Error).message, header.shape, error);
  }
  const data = bytes.subarray(end);
  const size = elementCount(shape) * bytesPerElement(type as ElementType);
  if (data.length !== size) {
    throw fail(`${show(header.descr)} of shape ${show(shape)} takes ${size} bytes, there are ${data.length}`);
  }
  const tensor = decodeElements(name, type as ElementType, data, shape, order !== '>');
  return header.fortranOrder ? fromFortran(tensor) : tensor;
}

/**
 * The array of a .npy file (versions 1 to 3, either byte order, C or Fortran order) as a 'js' tensor in an array of its
 * own, row-major: `buffer` is free afterwards.
 *
 * float16 and float32 are read as they are, float64 is rounded to float32. Booleans and whole numbers become float32
 * where that holds the very number, otherwise the file is refused; so are other dtypes.
 *
 * @throws Conv1dError ERR_STATE_DICT.
 */
export function readNpy(buffer: ArrayBufferLike | ArrayBufferView): Tensor {
  return parseNpy('buffer', bytesOf(buffer));
}

/**
 * The arrays of a .npz file by name, each as `readNpy` gives it; the dictionary has no prototype. `buffer` must stay
 * as it is until the promise settles.
 *
 * @returns a promise that is rejected with Conv1dError ERR_STATE_DICT when any part of the file is wrong, and with
 *   ERR_UNSUPPORTED when the file is compressed and the engine has no `DecompressionStream('deflate-raw')`.
 */
export async function readNpz(buffer: ArrayBufferLike | ArrayBufferView): Promise<Record<string, Tensor>> {
  const tensors = Object.create(null) as Record<string, Tensor>;
  for (const [file, bytes] of await unzip(bytesOf(buffer))) {
    if (!file.endsWith('.npy')) throw stateDictError(file, `${show(file)} is not a .npy file`);
    const name = file.slice(0, -'.npy'.length);
    tensors[name] = parseNpy(name, bytes);
  }
  return tensors;
}
