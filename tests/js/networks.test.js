// Networks of all operators, drawn at random: streams cut at random, placements, threads and workers change
// no bit, of numbers that stand out neither.
import { operators, pick, randomNetwork } from './random-network.js';
import {
  drawInteger,
  expectSameBits,
  forwardIn,
  halvesWhere,
  makeRandom,
  noiseTensor,
  openBuilds,
  runStream,
} from './support.js';

const builds = await openBuilds([1, 2]);

afterAll(() => {
  for (const { runtime } of builds) runtime.dispose();
});

const networksOfABuild = 150;
const oneThread = new Map(); // of each variant and network, the output's data

/** The bits, but for the sign and payload of a NaN, which depend on the order of operands. */
const withoutNaNs = (data, dtype) =>
  data.map((value) =>
    dtype === 'float16' ? ((value & 0x7fff) > 0x7c00 ? 0x7e00 : value) : Number.isNaN(value) ? NaN : value,
  );

async function checkNetwork(seed, { variant, threads, runtime }) {
  const random = makeRandom(seed);
  const dtype = seed % 4 === 0 ? 'float16' : 'float32';
  const length = drawInteger(random, 20, 60);
  const { network, layers, names, outputLength } = randomNetwork(random, {
    count: drawInteger(random, 3, 14),
    length,
    runtime,
    dtype,
  });
  const numbers = noiseTensor([drawInteger(random, 1, 2), network.inChannels, length], seed);
  for (let i = seed % 3 === 0 ? 4 : 0; i > 0; --i) {
    numbers.data[drawInteger(random, 0, numbers.data.length - 1)] = pick(random, [
      NaN,
      Infinity,
      -Infinity,
      -0,
      1e-40,
      3e38,
    ]);
  }
  const input = halvesWhere(dtype, numbers);
  const output = network.forward(input);
  expect(output.shape).toEqual([input.shape[0], network.outChannels, outputLength]);
  const whole = withoutNaNs(output.data, dtype);
  const expectWhole = (data) => expectSameBits(withoutNaNs(data, dtype), whole);
  expectWhole(forwardIn('wasm', network, input, runtime));
  if (seed % 5 === 0) expectWhole((await network.forwardAsync(input)).data);
  const key = `${variant} ${seed}`;
  if (threads === 1) oneThread.set(key, whole);
  else expectWhole(oneThread.get(key));

  const maxChunk = drawInteger(random, 1, 30);
  const stream = network.stream({ batch: input.shape[0], maxChunk, denormals: 'keep' });
  for (const placed of [(chunk) => chunk, (chunk) => chunk.toWasm(runtime)]) {
    expectWhole(runStream(stream, input, () => drawInteger(random, 1, maxChunk), placed).data);
    stream.reset();
  }
  for (const owned of [stream, network, ...layers]) owned.dispose();
  return names;
}

describe.each(builds)('$name', (build) => {
  const drawn = new Set();

  test.each(Array.from({ length: networksOfABuild }, (_, i) => i + 1))('network %i', async (seed) => {
    for (const name of await checkNetwork(seed, build)) drawn.add(name);
  });

  test('every operator was drawn', () => {
    expect(operators.filter((name) => !drawn.has(name))).toEqual([]);
  });
});
