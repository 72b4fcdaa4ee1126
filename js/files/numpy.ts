// The format is specified at https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
import { Conv1dError, optionError, pickOptions, show, stateDictError } from '../common/errors.js';
import { elementCount, type Tensor } from '../layer/tensor.js';
import { bytesOf, bytesPerElement, decodeArray, type ElementType } from './elements.js';
import { otherFormat } from './file-format.js';
import {
  dictionaryOf,
  type FileItem,
  mostBytesOf,
  type ReadOptions,
  selectionOf,
  shapeProblem,
} from './tensor-file.js';
import { isStored, type Member, verify, ZipArchive } from './zip.js';

const magic = '\x93NUMPY';
// Only records need more, and they are not read here.
const mostHeaderBytes = 65535;
const types: readonly string[] = ['f2', 'f4', 'f8', 'b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8'];

type Fail = (message: string, got?: unknown) => Conv1dError;

/** Options of `readNpz`. */
export interface ReadNpzOptions extends ReadOptions {
  /**
   * The most bytes to which compressed arrays, those that are chosen, may inflate together. Default 64 MiB, or 32 times
   * the length of the file if that is more.
   */
  maxBytes?: number;
}

interface Header {
  /** A type, or the list of fields of a record as it is written. */
  descr: string;
  fortranOrder: boolean;
  shape: number[];
}

/** Where the header's text lies; its length has two bytes in version 1 and four later. */
function headerRange(bytes: Uint8Array, fail: Fail): [start: number, end: number] {
  if (String.fromCharCode(...bytes.subarray(0, magic.length)) !== magic) {
    throw fail(otherFormat(bytes, 'npy') ?? 'it is not a .npy file');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6] ?? 0;
  const start = version === 1 ? 10 : 12;
  if (version < 1 || version > 3) throw fail(`version must be 1, 2 or 3, got ${version}`, version);
  if (bytes.length < start) throw fail(`it ends after ${bytes.length} bytes`);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > Math.min(mostHeaderBytes, bytes.length - start)) throw fail(`its header cannot have ${length} bytes`);
  return [start, start + length];
}

/**
 * Reads the header, a Python dictionary such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. Gives
 * undefined for what no array of numbers has.
 */
function parseHeader(text: string): Header | undefined {
  const entry =
    /\s*(["'])(?<key>\w+)\1\s*:\s*(?:(["'])(?<text>[^"']*)\3|(?<fields>\[.*\])|(?<flag>True|False)|\(\s*(?<extents>(?:\d+L?\s*,\s*)*(?:\d+L?\s*)?)\))\s*(?:,|(?=\}))/y;
  const found = new Map<string, unknown>();
  entry.lastIndex = text.indexOf('{') + 1;
  let end = entry.lastIndex;
  for (let match = entry.exec(text); match; match = entry.exec(text)) {
    const { key = '', text: string, fields, flag, extents } = match.groups ?? {};
    const numbers = extents?.match(/\d+/g)?.map(Number) ?? [];
    found.set(key, string ?? fields ?? (flag === undefined ? numbers : flag === 'True'));
    end = entry.lastIndex;
  }
  const [descr, fortranOrder, shape] = ['descr', 'fortran_order', 'shape'].map((key) => found.get(key));
  const complete = typeof descr === 'string' && typeof fortranOrder === 'boolean' && Array.isArray(shape);
  if (!complete || found.size !== 3 || !/^\s*\{/.test(text) || !/^\s*\}\s*$/.test(text.slice(end))) return undefined;
  return { descr, fortranOrder, shape: shape as number[] };
}

/** The strides of elements that lie with the first index fastest. */
function fortranStrides(shape: readonly number[]): number[] {
  let next = 1;
  return shape.map((extent) => {
    const stride = next;
    next *= extent;
    return stride;
  });
}

function parseNpy(name: string, bytes: Uint8Array): FileItem {
  const fail: Fail = (message, got) => stateDictError(name, `${show(name)}: ${message}`, got);
  const [start, end] = headerRange(bytes, fail);
  // Nothing that is read has other letters than ASCII's, whatever the version's encoding.
  const text = new TextDecoder('latin1').decode(bytes.slice(start, end));
  const header = parseHeader(text);
  if (!header) {
    return { name, dtype: 'unknown', problem: `its header is not that of an array of numbers: ${show(text.trim())}` };
  }
  const { descr, fortranOrder, shape } = header;
  const described = { name, dtype: descr, shape };
  // '=' is the machine's own order, which is little-endian on all that run this.
  const [, order = '', type = ''] = /^([<>=|])(.*)$/.exec(descr) ?? [];
  if (!types.includes(type) || (order === '|' && !type.endsWith('1'))) {
    return {
      ...described,
      problem: `dtype must be one of ${types.join(', ')} with its byte order, got ${show(descr)}`,
    };
  }
  const data = bytes.subarray(end);
  const size = elementCount(shape) * bytesPerElement(type as ElementType);
  if (data.length !== size) {
    throw fail(`${show(descr)} of shape ${show(shape)} takes ${size} bytes, there are ${data.length}`);
  }
  const problem = shapeProblem(shape);
  if (problem !== undefined) return { ...described, problem };
  const stored = { type: type as ElementType, shape, bytes: data, littleEndian: order !== '>' };
  const strides = fortranOrder ? { strides: fortranStrides(shape) } : {};
  return { ...described, array: () => ({ ...stored, ...strides }) };
}

/**
 * The array of a .npy file (versions 1 to 3, either byte order, C or Fortran order) as a 'js' tensor, row-major. It is a
 * view of `buffer` where that has the very elements, aligned, and a copy otherwise.
 *
 * float16 and float32 are read as they are, float64 is rounded to float32. Booleans and whole numbers become float32
 * where that holds the very number, otherwise the file is refused; so are other dtypes.
 *
 * @throws Conv1dError ERR_STATE_DICT.
 */
export function readNpy(buffer: ArrayBufferLike | ArrayBufferView): Tensor {
  const name = 'buffer';
  const { array, dtype, problem = '' } = parseNpy(name, bytesOf(buffer));
  if (!array) throw stateDictError(name, `${show(name)}: ${problem}`, dtype);
  return decodeArray(name, array());
}

const extension = '.npy';

/** What `member` holds, inflated if need be. Its checksum is looked at when the array is. */
async function readMember(archive: ZipArchive, member: Member): Promise<FileItem> {
  if (!member.name.endsWith(extension)) return { name: member.name, dtype: 'file', problem: 'it is not a .npy file' };
  const bytes = await archive.extract(member);
  const { array, ...described } = parseNpy(nameOf(member), bytes);
  if (!array) return described;
  return {
    ...described,
    array() {
      verify(member, bytes);
      return array();
    },
  };
}

const nameOf = ({ name }: Member): string => (name.endsWith(extension) ? name.slice(0, -extension.length) : name);

/** Nothing is inflated before it is known to how much. */
function checkInflated(members: readonly Member[], maxBytes: number): void {
  if (typeof maxBytes !== 'number' || !(maxBytes >= 0)) {
    throw optionError('maxBytes', 'a number >= 0', maxBytes);
  }
  const bytes = members.reduce((sum, member) => sum + (isStored(member) ? 0 : member.size), 0);
  if (bytes <= maxBytes) return;
  throw stateDictError('buffer', `its arrays inflate to ${bytes} bytes, and maxBytes is ${maxBytes}`, bytes);
}

/**
 * The arrays of a .npz file by name, each as `readNpy` gives it but decoded when it is first asked for: `buffer` must
 * stay as it is meanwhile. Compressed arrays are inflated at once, those alone that `options` choose.
 *
 * What cannot be a tensor, such as an array of strings or a file that is no array, is not enumerated, and asking for it
 * is an error; `contentsOf` lists it too. The dictionary has no prototype, so any name is safe.
 *
 * @returns a promise that is rejected with Conv1dError ERR_STATE_DICT when the file breaks its format or inflates to more
 *   than `maxBytes`, with ERR_OPTION, and with ERR_UNSUPPORTED when the file is compressed and the engine has no
 *   `DecompressionStream('deflate-raw')`.
 */
export async function readNpz(
  buffer: ArrayBufferLike | ArrayBufferView,
  options: ReadNpzOptions = {},
): Promise<Record<string, Tensor>> {
  const bytes = bytesOf(buffer);
  const { maxBytes = mostBytesOf(bytes), ...chosen } = pickOptions(options, ['names', 'prefix', 'filter', 'maxBytes']);
  const selection = selectionOf(chosen);
  const archive = new ZipArchive(bytes);
  const names = [...archive.members.keys()];
  if (names.length > 0 && !names.some((name) => name.endsWith(extension))) {
    const remedy = names.some((name) => name.endsWith('/data.pkl')) ? '; it is from PyTorch: readTorch reads it' : '';
    throw stateDictError('buffer', `not a .npz file: it has no .npy file but ${show(names)}${remedy}`);
  }
  const members = [...archive.members.values()].filter((member) => selection.has(nameOf(member)));
  checkInflated(
    members.filter(({ name }) => name.endsWith(extension)),
    maxBytes,
  );
  const items: FileItem[] = [];
  for (const member of members) items.push(await readMember(archive, member));
  return dictionaryOf(items, selection);
}
