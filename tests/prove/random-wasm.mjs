// random-wasm.mjs PROGRAM OPTIONS: reads what `PROGRAM OPTIONS --dump` writes and lets every build that this Node takes
// compute those layers, in every way. Prints one line of JSON, as that program does.
import { spawn } from 'node:child_process';
import { Conv1d, Tensor } from 'conv1d-wasm';
import { checkOutput } from '../cases.js';
import { differingBits, halvesWhere, makeRandom, openBuilds, product, runStream, weightShape } from '../js/support.js';

const [program, ...options] = process.argv.slice(2);

/** The layers that the program writes. */
async function* readRecords(stream) {
  let chunks = [];
  let length = 0;
  const iterator = stream[Symbol.asyncIterator]();
  const take = async (count) => {
    while (length < count) {
      const { value, done } = await iterator.next();
      if (done) return null;
      chunks.push(value);
      length += value.length;
    }
    const all = Buffer.concat(chunks);
    chunks = [all.subarray(count)];
    length -= count;
    return all.subarray(0, count);
  };
  const array = async (Type, count) => {
    const bytes = await take(count * Type.BYTES_PER_ELEMENT);
    return new Type(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  };
  for (let head = await take(4); head; head = await take(4)) {
    const record = JSON.parse((await take(head.readUInt32LE())).toString());
    const { options: o, inputShape, outLength, ways } = record;
    record.outputShape = [inputShape[0], o.outChannels, outLength];
    record.input = await array(Float32Array, product(inputShape));
    record.weight = await array(Float32Array, product(weightShape(o)));
    record.bias = o.bias ? await array(Float32Array, o.outChannels) : null;
    record.expected = await array(Float64Array, product(record.outputShape));
    record.allowed = {};
    for (const way of ways) record.allowed[way] = await array(Float64Array, product(record.outputShape));
    yield record;
  }
}

const report = { draws: 0, outputs: 0, withOutliers: 0, spared: 0, runs: {}, mismatched: 0, mismatches: [] };

function fail(record, build, text) {
  ++report.mismatched;
  if (report.mismatches.length < 20) report.mismatches.push(`${record.what}: ${build.name}: ${text}`);
}

function check(record, build, what, output, allowed) {
  report.runs[what] ??= { runs: 0 };
  ++report.runs[what].runs;
  report.outputs += output.size;
  const right = { dtype: output.dtype, expected: record.expected, outputShape: record.outputShape };
  const mismatch = checkOutput(right, halfBits(output), allowed);
  if (mismatch) fail(record, build, `${what}: ${mismatch}`);
}

const halfBits = ({ data, dtype }) =>
  dtype === 'float16' ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data;

/** A NaN is a NaN, whichever. */
const sameBits = (a, b) => differingBits(a, b).every?.((i) => Number.isNaN(a[i]) && Number.isNaN(b[i])) ?? false;

function makeLayer({ options, weight, bias }, algorithm, runtime) {
  const layer = new Conv1d({ ...options, algorithm, runtime });
  layer.weight = halvesWhere(options.dtype, new Tensor(weight, weightShape(options)));
  if (bias) layer.bias = halvesWhere(options.dtype, new Tensor(bias, [bias.length]));
  return layer;
}

function checkStream(record, build, layer, way, input, direct) {
  const random = makeRandom(record.maxChunk);
  const stream = layer.stream({ batch: input.shape[0], maxChunk: record.maxChunk });
  const next = () => Math.floor(random() * (record.maxChunk + 1));
  const first = runStream(stream, input, next);
  check(record, build, way, first, record.allowed[way === 'stream' ? 'direct' : 'partitioned']);
  stream.reset();
  if (!sameBits(first.data, runStream(stream, input, next).data))
    fail(record, build, `${way}: other bits for other cuts`);
  if (direct && !sameBits(first.data, direct.data)) fail(record, build, `${way}: other bits than the layer's`);
  stream.dispose();
}

function checkAll(record, build) {
  const input = halvesWhere(record.options.dtype, new Tensor(record.input, record.inputShape));
  for (const algorithm of ['direct', 'toom_cook', 'fft', 'auto']) {
    if (algorithm !== 'auto' && !record.allowed[algorithm]) continue;
    const layer = makeLayer(record, algorithm, build.runtime);
    const output = layer.forward(input);
    const taken = layer.explain(record.inputShape).algorithm;
    check(record, build, algorithm, output, record.allowed[taken]);
    if (algorithm === 'direct' && record.streams) checkStream(record, build, layer, 'stream', input, output);
    if (algorithm === 'fft' && record.streams && record.allowed.partitioned) {
      checkStream(record, build, layer, 'partitioned stream', input, null);
    }
    layer.dispose();
  }
}

const builds = await openBuilds([1, 2]);
const child = spawn(program, [...options, '--dump'], { stdio: ['ignore', 'pipe', 'inherit'] });
for await (const record of readRecords(child.stdout)) {
  ++report.draws;
  if (record.standsOut) ++report.withOutliers;
  report.spared += record.spared;
  for (const build of builds) checkAll(record, build);
}
for (const { runtime } of builds) runtime.dispose();
console.log(JSON.stringify(report));
process.exitCode = report.mismatched === 0 ? 0 : 1;
