// ZIP archives for the tests of the readers, right ones and wrong ones.

export const ascii = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** CRC-32 bit by bit. */
export function crc32(bytes) {
  let value = -1;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; ++bit) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

/** A ZIP archive; `change` may falsify what the directory says of a member. */
export function buildZip(members, change = () => {}) {
  const bytes = [];
  const push = (part) => part.forEach((byte) => bytes.push(byte));
  const directory = [];
  const numbers = (...pairs) =>
    pairs.flatMap(([value, size]) => Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) % 256));
  for (const { name, data, stored = data, method = 0, crc = crc32(data) } of members) {
    const member = {
      name,
      method,
      flags: 0,
      crc,
      compressedSize: stored.length,
      size: data.length,
      offset: bytes.length,
      extra: [],
    };
    change(member);
    const text = ascii(member.name);
    const common = [
      [member.flags, 2],
      [member.method, 2],
      [0, 4],
      [member.crc, 4],
      [member.compressedSize, 4],
      [member.size, 4],
      [text.length, 2],
    ];
    [numbers([0x04034b50, 4], [20, 2], ...common, [0, 2]), text, stored].forEach(push);
    directory.push(
      ...numbers(
        [0x02014b50, 4],
        [20, 2],
        [20, 2],
        ...common,
        [member.extra.length, 2],
        [0, 2],
        [0, 2],
        [0, 2],
        [0, 4],
        [member.offset, 4],
      ),
      ...text,
      ...member.extra,
    );
  }
  const end = numbers(
    [0x06054b50, 4],
    [0, 4],
    [members.length, 2],
    [members.length, 2],
    [directory.length, 4],
    [bytes.length, 4],
    [0, 2],
  );
  return Uint8Array.from([...bytes, ...directory, ...end]);
}
