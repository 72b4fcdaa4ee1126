// The format is specified at https://github.com/huggingface/safetensors#format.
import { bytesOf, bytesPerElement, decodeElements, type ElementType } from './elements.js';
import { Conv1dError, pickOptions, show, stateDictError } from './errors.js';
import { checkShape, elementCount, Tensor } from './tensor.js';

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

interface Entry {
  name: string;
  type: ElementType;
  shape: readonly number[];
  begin: number;
  end: number;
}

function headerError(message: string, cause?: unknown): Conv1dError {
  return stateDictError('buffer', `not a safetensors file: ${message}`, undefined, cause);
}

function headerBytes(file: Uint8Array): Uint8Array {
  const room = file.length - lengthBytes;
  if (room < 0) throw headerError(`it has ${String(file.length)} bytes, fewer than 8`);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (length > mostHeaderBytes) throw headerError(`its header of ${length} bytes exceeds ${mostHeaderBytes}`);
  if (length > room) throw headerError(`its header of ${length} bytes exceeds the ${room} that follow`);
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
  if (bytes[0] !== '{'.charCodeAt(0)) throw headerError("its header does not start with '{'");
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

function readEntry(name: string, value: unknown, dataLength: number): Entry {
  const fail = (message: string, got?: unknown, cause?: unknown) =>
    stateDictError(name, `${show(name)}: ${message}`, got, cause);
  if (!isObject(value)) throw fail(`it must be described by an object, got ${show(value)}`, value);
  const { dtype, shape, data_offsets: offsets } = value;
  const type = typeof dtype === 'string' && Object.hasOwn(typeOf, dtype) ? typeOf[dtype] : undefined;
  if (type === undefined) {
    throw fail(`dtype must be one of ${Object.keys(typeOf).join(', ')}, got ${show(dtype)}`, dtype);
  }
  let checkedShape;
  try {
    checkedShape = checkShape('shape', shape);
  } catch (error) {
    throw fail((error as Error).message, shape, error);
  }
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end)) {
    throw fail(`data_offsets must be two integers, got ${show(offsets)}`, offsets);
  }
  const entry = { name, type, shape: checkedShape, begin: begin as number, end: end as number };
  if (entry.begin < 0 || entry.begin > entry.end || entry.end > dataLength) {
    throw fail(`data_offsets must rise and lie in the data of ${dataLength} bytes, got ${show(offsets)}`, offsets);
  }
  const bytes = elementCount(checkedShape) * bytesPerElement(type);
  if (entry.end - entry.begin !== bytes) {
    throw fail(
      `${show(dtype)} of shape ${show(shape)} takes ${bytes} bytes, got data_offsets ${show(offsets)}`,
      offsets,
    );
  }
  return entry;
}

/** Every byte of the data must belong to one tensor. */
function checkLayout(entries: readonly Entry[], dataLength: number): void {
  let next = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== next) {
      throw stateDictError(name, `${show(name)}: data_offsets must continue at ${next}, got ${begin}`, begin);
    }
    next = end;
  }
  if (next !== dataLength) throw headerError(`its tensors have ${next} bytes, its data ${dataLength}`);
}

/**
 * The tensors of a .safetensors file by name, as 'js' tensors in arrays of their own: `buffer` is free afterwards.
 *
 * F32 and F16 are read as they are. BF16 becomes float32 exactly, F64 is rounded to float32. BOOL and whole numbers
 * become float32 where that holds the very number, otherwise the file is refused; so are dtypes not named here. The
 * dictionary has no prototype, so any name is safe.
 *
 * @throws Conv1dError ERR_STATE_DICT when any part of the file breaks the format; nothing is half read.
 */
export function readSafetensors(buffer: ArrayBufferLike | ArrayBufferView): Record<string, Tensor> {
  const file = bytesOf(buffer);
  const headerPart = headerBytes(file);
  const data = file.subarray(lengthBytes + headerPart.length);
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(parseHeader(headerPart))) {
    if (name !== metadataName) entries.push(readEntry(name, value, data.length));
    else if (!isMetadata(value)) throw headerError(`${metadataName} must be an object of texts`);
  }
  checkLayout(entries, data.length);
  const tensors = Object.create(null) as Record<string, Tensor>;
  for (const { name, type, shape, begin, end } of entries) {
    tensors[name] = decodeElements(name, type, data.subarray(begin, end), shape);
  }
  return tensors;
}

function checkTensors(dict: unknown): [name: string, tensor: Tensor][] {
  if (!isObject(dict)) throw stateDictError('dict', `dict must be an object of tensors, got ${show(dict)}`, dict);
  for (const [name, tensor] of Object.entries(dict)) {
    if (!(tensor instanceof Tensor)) {
      throw stateDictError(name, `${show(name)} must be a Tensor, got ${show(tensor)}`, tensor);
    }
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
  const tensors = checkTensors(dict).sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  if (metadata !== undefined && !isMetadata(metadata)) {
    throw new Conv1dError(
      'ERR_OPTION',
      'metadata',
      `metadata must be an object of texts, got ${show(metadata)}`,
      metadata,
    );
  }
  const header: [string, unknown][] = metadata ? [[metadataName, metadata]] : [];
  let end = 0;
  for (const [name, { dtype, shape, size }] of tensors) {
    const begin = end;
    end += size * (dtype === 'float32' ? 4 : 2);
    header.push([name, { dtype: dtype === 'float32' ? 'F32' : 'F16', shape, data_offsets: [begin, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(lengthBytes + headerLength + end).fill(' '.charCodeAt(0));
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(json, lengthBytes);
  let at = lengthBytes + headerLength;
  for (const [, { data }] of tensors) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.length * data.BYTES_PER_ELEMENT);
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}
