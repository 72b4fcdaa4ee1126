// What several test files need.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Conv1d, Conv1dError, createRuntime, Tensor } from 'conv1d-wasm';
import { makeRandom } from '../numbers.js';

export const product = (shape) => shape.reduce((size, extent) => size * extent, 1);

/** One line on the terminal, without the stack that Jest adds to console.log(). */
export const print = (line) => process.stdout.write(`${line}\n`);

export const fromRoot = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

// ---- numbers

export { makeRandom };

/** Numbers in [-1, 1), none of them 0, the same for the same seed. */
export function noise(length, seed = 1) {
  const random = makeRandom(seed);
  return Float32Array.from({ length }, () => 2 * random() - 1 || 0.5);
}

/** A float32 tensor of noise. */
export const noiseTensor = (shape, seed) => new Tensor(noise(product(shape), seed), shape);

/** A float32 tensor of zeros. */
export const zeros = (...shape) => new Tensor(new Float32Array(product(shape)), shape);

/** As zeros(), of float16. */
export const halves = (...shape) => new Tensor(new Uint16Array(product(shape)), shape);

/** An integer from `least` to `most`. */
export const drawInteger = (random, least, most) => least + Math.floor(random() * (most - least + 1));

/** The indices of elements that differ in any bit; -0 is not 0, and a NaN equals itself. */
export function differingBits(a, b) {
  if (a.length !== b.length || a.BYTES_PER_ELEMENT !== b.BYTES_PER_ELEMENT) {
    return `${a.length} x ${a.BYTES_PER_ELEMENT} bytes against ${b.length} x ${b.BYTES_PER_ELEMENT}`;
  }
  const Words = a.BYTES_PER_ELEMENT === 4 ? Uint32Array : Uint16Array;
  const [x, y] = [a, b].map((array) => new Words(array.buffer, array.byteOffset, array.length));
  const different = [];
  for (let i = 0; i < x.length; ++i) if (x[i] !== y[i]) different.push(i);
  return different;
}

export function expectSameBits(got, expected) {
  expect(differingBits(got, expected)).toEqual([]);
}

// ---- layers

/** The shape in which a layer gives its weight. */
export function weightShape({ inChannels, outChannels, kernelSize, groups = 1 }) {
  if (groups === 1) return [outChannels, inChannels, kernelSize];
  return [groups, outChannels / groups, inChannels / groups, kernelSize];
}

/** A layer with weights that are the same in every run. */
export function makeLayer(options, { seed = 1 } = {}) {
  const layer = new Conv1d(options);
  layer.weight = halvesWhere(options.dtype, noiseTensor(weightShape(options), seed));
  if (options.bias !== false) layer.bias = halvesWhere(options.dtype, noiseTensor([options.outChannels], seed + 1));
  return layer;
}

/** `tensor`, or its float16 copy where `dtype` says so. */
export const halvesWhere = (dtype, tensor) =>
  dtype === 'float16' ? new Tensor(tensor.data, tensor.shape, 'float16') : tensor;

/** Runs `layer` and gives a copy of the output's data; whatever lies in wasm memory is disposed. */
export function forwardIn(placement, layer, input, runtime) {
  if (placement === 'js') return layer.forward(input).data;
  const placed = input.toWasm(runtime);
  const output = layer.forward(placed);
  try {
    return output.data.slice();
  } finally {
    placed.dispose();
    output.dispose();
  }
}

// ---- streams

/** Samples [from, to) of (N, C, L). */
export function cut(tensor, from, to) {
  const [n, c, length] = tensor.shape;
  const part = tensor.data.slice(0, n * c * (to - from));
  for (let row = 0; row < n * c; ++row) {
    part.set(tensor.data.subarray(row * length + from, row * length + to), row * (to - from));
  }
  return new Tensor(part, [n, c, to - from], tensor.dtype);
}

/** Pieces (N, C, n) put together along time. */
function join(pieces) {
  const [n, c] = pieces[0].shape;
  const length = pieces.reduce((sum, { shape }) => sum + shape[2], 0);
  const whole = pieces[0].data.slice(0, 0);
  const data = new whole.constructor(n * c * length);
  let at = 0;
  for (const piece of pieces) {
    const count = piece.shape[2];
    for (let row = 0; row < n * c; ++row) {
      data.set(piece.data.subarray(row * count, (row + 1) * count), row * length + at);
    }
    at += count;
  }
  return new Tensor(data, [n, c, length], pieces[0].dtype);
}

/** The outputs of `input` pushed in pieces of `next()` samples and of the flush, put together. */
export function runStream(stream, input, next, placed = (tensor) => tensor) {
  const pieces = [];
  const length = input.shape[2];
  for (let t = 0; t < length;) {
    const end = Math.min(length, t + next());
    const chunk = placed(cut(input, t, end));
    const expectedCount = stream.outputCount(end - t);
    const output = stream.push(chunk);
    if (output.shape[2] !== expectedCount || output.placement !== chunk.placement) {
      throw new Error(`${output.shape[2]} outputs in ${output.placement}, not ${expectedCount} in ${chunk.placement}`);
    }
    pieces.push(output.toJs());
    t = end;
  }
  pieces.push(stream.flush().toJs());
  return join(pieces);
}

// ---- builds

/** Whether this engine takes relaxed SIMD, asked without the library: a function with one i8x16.relaxed_swizzle. */
export const canRelax = WebAssembly.validate(
  // prettier-ignore
  Uint8Array.of(
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
    10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11,
  ),
);

export const bestVariant = canRelax ? 'relaxed' : 'simd';

/** A runtime for every build that this engine can load, with each of these numbers of threads. */
export async function openBuilds(threadCounts) {
  const variants = canRelax ? ['simd', 'relaxed'] : ['simd'];
  if (!canRelax) print(`Node ${process.versions.node} has no relaxed SIMD: the relaxed builds are skipped`);
  const wanted = variants.flatMap((variant) => threadCounts.map((threads) => ({ variant, threads })));
  const builds = [];
  for (const { variant, threads } of wanted) {
    const runtime = await createRuntime({ variant, threads });
    builds.push({ name: `${variant}, ${threads} thread${threads > 1 ? 's' : ''}`, variant, threads, runtime });
  }
  return builds;
}

// ---- errors

function asData(error) {
  if (!(error instanceof Conv1dError)) throw error;
  const { code, field, got, message } = error;
  return { code, field, got, message };
}

/** The Conv1dError that `action` throws, as plain data; null when it throws none. Any other error goes on. */
export function thrown(action) {
  try {
    action();
  } catch (error) {
    return asData(error);
  }
  return null;
}

/** As thrown(), of a promise. */
export async function rejected(promise) {
  return promise.then(() => null, asData);
}

// ---- child processes

/**
 * Runs `script`, a file of tests/js/children, or what `args` say, in a process of its own.
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>}  code is null when it hung and was ended
 */
export function runNode(script, { flags = [], args = [], input = null, hangAfter = 30_000 } = {}) {
  const file = script === null ? [] : [fromRoot(`tests/js/children/${script}`)];
  const child = spawn(process.execPath, [...flags, ...file, ...args], {
    cwd: fromRoot(''),
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const watchdog = setTimeout(() => child.kill('SIGKILL'), hangAfter);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (output[name] += text));
  child.stdin.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(watchdog);
      resolve({ code, ...output });
    });
  });
}

/** As runNode(); gives the JSON that the process printed last, and fails if it did not end well. */
export async function runForResult(script, options) {
  const { code, stdout, stderr } = await runNode(script, options);
  expect({ code, stderr: stderr.replace(/^.*ExperimentalWarning.*\n|^\(Use `node.*\n/gm, '') }).toEqual({
    code: 0,
    stderr: '',
  });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

// ---- files

export const readJson = (path) => JSON.parse(readFileSync(fromRoot(path), 'utf8'));
export const isPresent = (path) => existsSync(fromRoot(path));
