// The format is specified at https://github.com/huggingface/safetensors#format.
import { Conv1dError, optionError, pickOptions, reading, show, stateDictError } from '../common/errors.js';
import { checkExtents, elementCount, makeArray, Tensor } from '../layer/tensor.js';
import { bytesOf, bytesPerElement, type ElementType } from './elements.js';
import { otherFormat } from './file-format.js';
import { dictionaryOf, type FileItem, type ReadOptions, selectionOf, shapeProblem } from './tensor-file.js';

/** Options of `writeSafetensors`. */
export interface SafetensorsOptions {
  /** Texts that the file carries along. */
  metadata?: Readonly<Record<string, string>>;
}

const lengthBytes = 8;
const mostHeaderBytes = 100_000_000;
const metadataName = '__metadata__';

const typeOf: Readonly<Record<string, ElementType>> = {
  ...{ F16: 'f2', BF16: 'bf2', F32: 'f4', F64: 'f8', BOOL: 'b1' },
  ...{ I8: 'i1', I16: 'i2', I32: 'i4', I64: 'i8', U8: 'u1', U16: 'u2', U32: 'u4', U64: 'u8' },
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** An item and where its bytes lie in the data. */
interface Entry {
  item: FileItem;
  begin: number;
  end: number;
}

function headerError(message: string, cause?: unknown): Conv1dError {
  return stateDictError('buffer', `not a safetensors file: ${message}`, undefined, cause);
}

function headerBytes(file: Uint8Array): Uint8Array {
  const fail = (message: string) => headerError(otherFormat(file, 'safetensors') ?? message);
  const room = file.length - lengthBytes;
  if (room < 0) throw fail(`it has ${String(file.length)} bytes, fewer than 8`);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (length > mostHeaderBytes) throw fail(`its header of ${length} bytes exceeds ${mostHeaderBytes}`);
  if (length > room) throw fail(`its header of ${length} bytes exceeds the ${room} that follow`);
  if (file[lengthBytes] !== '{'.charCodeAt(0)) throw fail("its header does not start with '{'");
  return file.subarray(lengthBytes, lengthBytes + length);
}

/** The first key that an object in `json`, which is valid, has twice; JSON.parse would keep the last. */
function repeatedKey(json: string): string | undefined {
  const objects: Set<string>[] = [];
  for (let at = 0; at < json.length; ++at) {
    if (json[at] === '{') objects.push(new Set());
    if (json[at] === '}') objects.pop();
    if (json[at] !== '"') continue;
    const start = at++;
    while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
    const end = at + 1;
    while (/\s/.test(json[at + 1] ?? '')) ++at;
    if (json[at + 1] !== ':') continue;
    const key = JSON.parse(json.slice(start, end)) as string;
    if (objects.at(-1)?.has(key)) return key;
    objects.at(-1)?.add(key);
  }
  return undefined;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let header: Record<string, unknown>;
  try {
    // A copy: browsers do not decode shared memory.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.slice());
    header = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw headerError('its header is not JSON in UTF-8', error);
  }
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw headerError(`its header has ${show(repeated)} twice`);
  return header;
}

const isMetadata = (value: unknown): boolean =>
  isObject(value) && !Array.isArray(value) && Object.values(value).every((text) => typeof text === 'string');

function readEntry(name: string, value: unknown, data: Uint8Array): Entry {
  const fail = (message: string, got?: unknown, cause?: unknown) =>
    stateDictError(name, `${show(name)}: ${message}`, got, cause);
  if (!isObject(value)) throw fail(`it must be described by an object, got ${show(value)}`, value);
  const { dtype, shape: extents, data_offsets: offsets } = value;
  if (typeof dtype !== 'string') throw fail(`dtype must be a string, got ${show(dtype)}`, dtype);
  let shape;
  try {
    shape = checkExtents('shape', extents);
  } catch (error) {
    throw fail((error as Error).message, extents, error);
  }
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end)) {
    throw fail(`data_offsets must be two integers, got ${show(offsets)}`, offsets);
  }
  const place = { begin: begin as number, end: end as number };
  if (place.begin < 0 || place.begin > place.end || place.end > data.length) {
    throw fail(`data_offsets must rise and lie in the data of ${data.length} bytes, got ${show(offsets)}`, offsets);
  }
  const described = { name, dtype, shape };
  const type = Object.hasOwn(typeOf, dtype) ? typeOf[dtype] : undefined;
  if (type === undefined) {
    const problem = `dtype must be one of ${Object.keys(typeOf).join(', ')}, got ${show(dtype)}`;
    return { ...place, item: { ...described, problem } };
  }
  const size = elementCount(shape) * bytesPerElement(type);
  if (place.end - place.begin !== size) {
    const text = `${show(dtype)} of shape ${show(extents)} takes ${size} bytes, got data_offsets ${show(offsets)}`;
    throw fail(text, offsets);
  }
  const problem = shapeProblem(shape);
  if (problem !== undefined) return { ...place, item: { ...described, problem } };
  const bytes = data.subarray(place.begin, place.end);
  return { ...place, item: { ...described, array: () => ({ type, shape, bytes }) } };
}

/** Every byte of the data must belong to one tensor. */
function checkLayout(entries: readonly Entry[], dataLength: number): void {
  let next = 0;
  for (const { item, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== next) {
      const { name } = item;
      throw stateDictError(name, `${show(name)}: data_offsets must continue at ${next}, got ${begin}`, begin);
    }
    next = end;
  }
  if (next !== dataLength) throw headerError(`its tensors have ${next} bytes, its data ${dataLength}`);
}

/**
 * The tensors of a .safetensors file by name, 'js' tensors that are decoded when they are first asked for. `buffer` must
 * stay as it is meanwhile; float32 and float16 tensors are views of it where they are aligned there.
 *
 * F32 and F16 are read as they are. BF16 becomes float32 exactly, F64 is rounded to float32. BOOL and whole numbers
 * become float32 where that holds the very number, otherwise asking for them is an error. Dtypes that are not named here
 * are not enumerated, and asking for them is an error; `contentsOf` lists them too. The dictionary has no prototype, so
 * any name is safe.
 *
 * @throws Conv1dError ERR_STATE_DICT when any part of the file breaks the format; ERR_OPTION.
 */
export function readSafetensors(
  buffer: ArrayBufferLike | ArrayBufferView,
  options: ReadOptions = {},
): Record<string, Tensor> {
  const selection = selectionOf(options);
  const file = bytesOf(buffer);
  const headerPart = headerBytes(file);
  const data = file.subarray(lengthBytes + headerPart.length);
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(parseHeader(headerPart))) {
    if (name !== metadataName) entries.push(readEntry(name, value, data));
    else if (!isMetadata(value)) throw headerError(`${metadataName} must be an object of texts`);
  }
  checkLayout(entries, data.length);
  const items = entries.map(({ item }) => item).filter(({ name }) => selection.has(name));
  return dictionaryOf(items, selection);
}

function checkTensors(dict: unknown): [name: string, tensor: Tensor][] {
  if (!isObject(dict)) throw stateDictError('dict', `dict must be an object of tensors, got ${show(dict)}`, dict);
  for (const [name, tensor] of Object.entries(dict)) {
    if (!Tensor.owns(tensor)) throw stateDictError(name, `${show(name)} must be a Tensor, got ${show(tensor)}`, tensor);
    if (name === metadataName) throw stateDictError(name, `${show(name)} is not a name for a tensor`);
    tensor.requireLive();
  }
  return Object.entries(dict) as [string, Tensor][];
}

/**
 * A .safetensors file of `dict`, such as a layer's `stateDict()`.
 *
 * @throws Conv1dError ERR_STATE_DICT, ERR_OPTION, ERR_DISPOSED.
 */
export function writeSafetensors(
  dict: Readonly<Record<string, Tensor>>,
  options: SafetensorsOptions = {},
): Uint8Array<ArrayBuffer> {
  const { metadata } = pickOptions(options, ['metadata']);
  // The wider elements first, so that all are aligned.
  const tensors = reading('ERR_STATE_DICT', 'dict', dict, () => checkTensors(dict));
  tensors.sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const header: [string, unknown][] = [];
  if (metadata !== undefined) {
    const texts = reading('ERR_OPTION', 'metadata', metadata, () => (isMetadata(metadata) ? { ...metadata } : null));
    if (texts === null) throw optionError('metadata', 'an object of texts', metadata);
    header.push([metadataName, texts]);
  }
  let end = 0;
  for (const [name, { dtype, shape, size }] of tensors) {
    const begin = end;
    end += size * (dtype === 'float32' ? 4 : 2);
    header.push([name, { dtype: dtype === 'float32' ? 'F32' : 'F16', shape, data_offsets: [begin, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const fileLength = lengthBytes + headerLength + end;
  const file = makeArray(fileLength, () => new Uint8Array(fileLength).fill(' '.charCodeAt(0)));
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(json, lengthBytes);
  let at = lengthBytes + headerLength;
  for (const [name, tensor] of tensors) {
    const { data } = tensor;
    const length = data.length * data.BYTES_PER_ELEMENT;
    reading('ERR_STATE_DICT', name, tensor, () => {
      file.set(new Uint8Array(data.buffer, data.byteOffset, length), at);
    });
    at += length;
  }
  return file;
}
