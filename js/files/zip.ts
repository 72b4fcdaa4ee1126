// ZIP archives as NumPy and PyTorch write them: stored or deflated members, ZIP64 where a size asks for it.
import { Conv1dError, show, stateDictError } from '../common/errors.js';
import { otherFormat } from './file-format.js';

/** A file in an archive, as the directory tells of it. */
export interface Member {
  name: string;
  method: number;
  isEncrypted: boolean;
  checksum: number;
  compressedSize: number;
  size: number;
  offset: number;
}

const signature = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 };
const largest16 = 0xffff;
const largest32 = 0xffffffff;
const methods = { stored: 0, deflated: 8 };

function zipError(message: string, cause?: unknown): Conv1dError {
  return stateDictError('buffer', `not a ZIP archive: ${message}`, undefined, cause);
}

/** Little-endian numbers, read within bounds. */
class Reader {
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  slice(at: number, length: number): Uint8Array {
    if (!(at >= 0 && at + length <= this.bytes.length)) {
      throw zipError(`bytes ${at} to ${at + length} of ${this.bytes.length} are asked for`);
    }
    return this.bytes.subarray(at, at + length);
  }

  #within(at: number, length: number): number {
    this.slice(at, length);
    return at;
  }

  u16(at: number): number {
    return this.#view.getUint16(this.#within(at, 2), true);
  }

  u32(at: number): number {
    return this.#view.getUint32(this.#within(at, 4), true);
  }

  u64(at: number): number {
    return Number(this.#view.getBigUint64(this.#within(at, 8), true));
  }

  expect(at: number, wanted: number, what: string): void {
    if (this.u32(at) !== wanted) throw zipError(`there is no ${what} at ${at}`);
  }
}

/** Where the last record starts: it ends the file, but for a comment of its own. */
function findEnd(reader: Reader): number {
  const { length } = reader.bytes;
  for (let at = length - 22; at >= Math.max(0, length - 22 - largest16); --at) {
    if (reader.u32(at) === signature.end && at + 22 + reader.u16(at + 20) === length) return at;
  }
  throw zipError(otherFormat(reader.bytes, 'zip') ?? 'it has no end record');
}

function findDirectory(reader: Reader): { count: number; start: number } {
  const end = findEnd(reader);
  const [count, start] = [reader.u16(end + 10), reader.u32(end + 16)];
  if (count !== largest16 && start !== largest32) return { count, start };
  const locator = end - 20;
  reader.expect(locator, signature.locator64, 'ZIP64 locator');
  const end64 = reader.u64(locator + 8);
  reader.expect(end64, signature.end64, 'ZIP64 end record');
  return { count: reader.u64(end64 + 32), start: reader.u64(end64 + 48) };
}

/** `values` with those that did not fit 32 bits read from the ZIP64 extra field, where they stand in the same order. */
function widen(reader: Reader, start: number, end: number, values: number[]): number[] {
  if (!values.includes(largest32)) return values;
  let at = start;
  while (at < end && reader.u16(at) !== 1) at += 4 + reader.u16(at + 2);
  if (at + 4 + 8 * values.filter((value) => value === largest32).length > end)
    throw zipError('a ZIP64 size is missing');
  let next = at + 4; // behind the field's head
  return values.map((value) => {
    if (value !== largest32) return value;
    next += 8;
    return reader.u64(next - 8);
  });
}

function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.slice());
  } catch (error) {
    throw zipError('a name is not UTF-8', error);
  }
}

function readDirectory(reader: Reader): Map<string, Member> {
  const { count, start } = findDirectory(reader);
  const members = new Map<string, Member>();
  for (let i = 0, at = start; i < count; ++i) {
    reader.expect(at, signature.central, 'directory entry');
    const extra = at + 46 + reader.u16(at + 28);
    const next = extra + reader.u16(at + 30);
    const name = decodeName(reader.slice(at + 46, extra - at - 46));
    const short = [reader.u32(at + 24), reader.u32(at + 20), reader.u32(at + 42)];
    const [size = 0, compressedSize = 0, offset = 0] = widen(reader, extra, next, short);
    if (members.has(name)) throw zipError(`it has ${show(name)} twice`);
    members.set(name, {
      name,
      method: reader.u16(at + 10),
      isEncrypted: (reader.u16(at + 8) & 1) !== 0,
      checksum: reader.u32(at + 16),
      compressedSize,
      size,
      offset,
    });
    at = next + reader.u16(at + 32);
  }
  // Members that share their bytes would let a small file inflate to any size.
  const packed = [...members.values()].reduce((sum, { compressedSize }) => sum + compressedSize, 0);
  if (packed > reader.bytes.length) throw zipError('its members overlap');
  return members;
}

function inflater(): ReadableWritablePair<Uint8Array, Uint8Array<ArrayBuffer>> {
  try {
    return new DecompressionStream('deflate-raw');
  } catch (error) {
    const text = "this engine cannot inflate: it has no DecompressionStream('deflate-raw')";
    throw new Conv1dError('ERR_UNSUPPORTED', 'buffer', text, undefined, error);
  }
}

/** At most `size` inflated bytes, or an error: the memory taken never exceeds what the directory promised. */
async function inflate({ name, size }: Member, compressed: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  // Copied, for the bytes may be shared memory.
  const source = new Blob([compressed.slice()]).stream();
  const inflated = source.pipeThrough(inflater()).getReader();
  try {
    for (let part = await inflated.read(); !part.done && total <= size; part = await inflated.read()) {
      chunks.push(part.value);
      total += part.value.length;
    }
  } catch (error) {
    throw zipError(`${show(name)} cannot be inflated`, error);
  }
  if (total > size) {
    await inflated.cancel();
    throw zipError(`${show(name)} inflates to more than ${size} bytes`);
  }
  const result = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    result.set(chunk, at);
    at += chunk.length;
  }
  return result;
}

/** CRC-32 of ISO 3309, the polynomial reflected. */
const checksums = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; ++bit) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function checksumOf(bytes: Uint8Array): number {
  let value = largest32;
  for (const byte of bytes) value = (checksums[(value ^ byte) & 255] ?? 0) ^ (value >>> 8);
  return (value ^ largest32) >>> 0;
}

export const isStored = ({ method }: Member): boolean => method === methods.stored;

/** A ZIP archive, whose directory is read at once and whose members are when they are asked for. */
export class ZipArchive {
  readonly #reader: Reader;
  /** By name. */
  readonly members: ReadonlyMap<string, Member>;

  /** @throws Conv1dError ERR_STATE_DICT, as all that is here does. */
  constructor(bytes: Uint8Array) {
    this.#reader = new Reader(bytes);
    this.members = readDirectory(this.#reader);
  }

  /** The bytes of `member` as they lie in the archive. */
  #packed({ name, offset, compressedSize, isEncrypted }: Member): Uint8Array {
    if (isEncrypted) throw zipError(`${show(name)} is encrypted`);
    this.#reader.expect(offset, signature.local, `member ${show(name)}`);
    const start = offset + 30 + this.#reader.u16(offset + 26) + this.#reader.u16(offset + 28);
    return this.#reader.slice(start, compressedSize);
  }

  #checkSize({ name, size }: Member, bytes: Uint8Array): Uint8Array {
    if (bytes.length === size) return bytes;
    throw zipError(`${show(name)} has ${bytes.length} bytes, the directory says ${size}`);
  }

  /** The content of `member`, which must not be compressed: a view of the archive. */
  view(member: Member): Uint8Array {
    if (isStored(member)) return this.#checkSize(member, this.#packed(member));
    throw zipError(`${show(member.name)} is compressed by method ${member.method}, and should be stored as it is`);
  }

  /**
   * The content of `member`: a view of the archive, or inflated.
   *
   * @throws Conv1dError ERR_UNSUPPORTED too.
   */
  async extract(member: Member): Promise<Uint8Array> {
    if (isStored(member)) return this.view(member);
    const packed = this.#packed(member);
    if (member.method === methods.deflated) return this.#checkSize(member, await inflate(member, packed));
    throw zipError(`${show(member.name)} is compressed by method ${member.method}, neither stored nor deflated`);
  }
}

/** Checks that `bytes` are the content of `member`. */
export function verify({ name, checksum }: Member, bytes: Uint8Array): void {
  if (checksumOf(bytes) !== checksum) throw zipError(`the checksum of ${show(name)} is wrong`);
}
