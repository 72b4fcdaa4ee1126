// Jazzer.js' targets: any bytes give an error or tensors that are what the bytes say. fuzz.mjs makes one CommonJS file of
// this and of js/, for the fuzzer instruments what is required.
import { Conv1dError } from '../../js/common/errors.ts';
import { readNpy, readNpz } from '../../js/files/numpy.ts';
import { readSafetensors, writeSafetensors } from '../../js/files/safetensors.ts';
import { contentsOf } from '../../js/files/tensor-file.ts';
import { readTorch } from '../../js/files/torch.ts';

// Most inputs are refused, and a stack for each error would take longer than all else.
Error.stackTraceLimit = 0;

function require(holds, what) {
  if (!holds) throw new Error(what);
}

/** What `read` gives, or null where it refuses with a text that says why. */
function attempt(read) {
  try {
    return read();
  } catch (error) {
    refuse(error);
    return null;
  }
}

function refuse(error) {
  if (!(error instanceof Conv1dError)) throw error;
  require(/^ERR_[A-Z_]+$/.test(error.code) && error.message !== '', 'an error says nothing');
}

// A file's names are no way into the prototypes of everything.
const isClean = () => Reflect.ownKeys(Object.prototype).length === kClean;
const kClean = Reflect.ownKeys(Object.prototype).length;

function checkTensor({ shape, size, data, dtype }) {
  require(size === shape.reduce((product, extent) => product * extent, 1), `shape ${shape} has ${size} elements`);
  require(data.length === size && ['float32', 'float16'].includes(dtype), `${data.length} elements of ${dtype}`);
}

const bytesOf = ({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** What was read can be asked for: an error or a tensor each. Written and read again, tensors are the same bits. */
function checkTensors(tensors) {
  const right = {};
  for (const { name } of contentsOf(tensors)) {
    const tensor = attempt(() => tensors[name]);
    if (!tensor) continue;
    checkTensor(tensor);
    if (name !== '__metadata__') right[name] = tensor;
  }
  const again = readSafetensors(writeSafetensors(right));
  require(Object.keys(again).length === Object.keys(right).length, 'another number of tensors');
  for (const [name, tensor] of Object.entries(right)) {
    require(`${again[name].shape}` === `${tensor.shape}`, `${name} has another shape`);
    require(bytesOf(again[name]).equals(bytesOf(tensor)), `${name} has other bits`);
  }
}

export function safetensors(bytes) {
  require(isClean(), 'the input before changed a prototype');
  const tensors = attempt(() => readSafetensors(bytes));
  if (tensors) checkTensors(tensors);
}

export function npy(bytes) {
  const tensor = attempt(() => readNpy(bytes));
  if (tensor) checkTensor(tensor);
}

export async function npz(bytes) {
  require(isClean(), 'the input before changed a prototype');
  const tensors = await readNpz(bytes).catch(refuse);
  if (tensors) checkTensors(tensors);
}

export function torch(bytes) {
  require(isClean(), 'the input before changed a prototype');
  const tensors = attempt(() => readTorch(bytes));
  if (tensors) checkTensors(tensors);
}
