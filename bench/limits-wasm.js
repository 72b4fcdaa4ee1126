// A small wasm module, assembled here, that does nothing but multiply and add, or copy.

const chains = 12; // as many accumulators as the kernels have: enough to hide the latency of each
const unrolled = 4;
const lanes = 4;

/** Floating-point operations in one round of `peak`. */
export const flopsPerRound = 2 * lanes * chains * unrolled;

const i32 = 0x7f;
const f32 = 0x7d;
const v128 = 0x7b;
const empty = 0x40;

const localGet = (index) => [0x20, index];
const localSet = (index) => [0x21, index];
const simd = (...opcode) => [0xfd, ...opcode];
const splat = simd(0x13);
const add = simd(0xe4, 0x01);
const multiply = simd(0xe6, 0x01);
const relaxedMadd = simd(0x85, 0x02);
const memoryCopy = [0xfc, 0x0a, 0, 0];
const floatConst = (value) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
const intConst = (value) => [0x41, value & 0x7f]; // from -64 to 63
const end = [0x0b];

function unsigned(value) {
  const bytes = [];
  let rest = value;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

const vector = (items) => [...unsigned(items.length), ...items.flat()];
const sized = (bytes) => [...unsigned(bytes.length), ...bytes];
const section = (id, items) => [id, ...sized(vector(items))];

// peak(rounds) -> a number that depends on every product
function peakBody(relaxed) {
  const rounds = 0;
  const factor = 1;
  const term = 2;
  const sums = Array.from({ length: chains }, (_, i) => 3 + i);
  // acc * factor + term rather than acc + factor * term: its product is another one each time.
  const step = relaxed
    ? (acc) => [localGet(factor), localGet(term), localGet(acc), relaxedMadd, localSet(acc)]
    : (acc) => [localGet(acc), localGet(factor), multiply, localGet(term), add, localSet(acc)];
  const setTo = (local, value) => [floatConst(value), splat, localSet(local)];
  return [
    setTo(factor, 0.999),
    setTo(term, 1e-3),
    sums.map((acc, i) => setTo(acc, i)),
    [0x03, empty], // loop
    Array.from({ length: unrolled }, () => sums.map(step)),
    [localGet(rounds), intConst(1), 0x6b, 0x22, rounds], // subtract, tee
    [0x0d, 0], // br_if
    end,
    localGet(sums[0]),
    sums.slice(1).map((acc) => [localGet(acc), add]),
    simd(0x1f, 0), // f32x4.extract_lane 0
    end,
  ].flat(Infinity);
}

const copyBody = [[0, 1, 2].map(localGet), memoryCopy, end].flat(Infinity);

/** The bytes of a module that imports `memory` and exports peak(rounds) and copy(target, source, bytes). */
export function assemble(relaxed) {
  const name = (text) => vector([...text].map((c) => c.charCodeAt(0)));
  const types = [
    [0x60, ...vector([i32]), ...vector([f32])],
    [0x60, ...vector([i32, i32, i32]), ...vector([])],
  ];
  const locals = { peak: vector([[chains + 2, v128]]), copy: vector([]) };
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, [[...name('bench'), ...name('memory'), 2, 0, 1]]),
    ...section(3, [0, 1]),
    ...section(7, [
      [...name('peak'), 0, 0],
      [...name('copy'), 0, 1],
    ]),
    ...section(10, [sized([...locals.peak, ...peakBody(relaxed)]), sized([...locals.copy, ...copyBody])]),
  ]);
}
