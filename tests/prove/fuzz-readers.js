// Jazzer.js' targets: any bytes give an error or tensors that are what the bytes say. fuzz.mjs makes one CommonJS file of
// this and of js/, for the fuzzer instruments what is required.
import { Conv1dError } from '../../js/errors.ts';
import { readNpy, readNpz } from '../../js/numpy.ts';
import { readSafetensors, writeSafetensors } from '../../js/safetensors.ts';

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
  require(/^ERR_[A-Z_]+$/.test(error.code) && error.field !== '' && error.message !== '', 'an error says nothing');
}

// A file's names are no way into the prototypes of everything.
const isClean = () => Reflect.ownKeys(Object.prototype).length === kClean;
const kClean = Reflect.ownKeys(Object.prototype).length;

function checkTensor({ shape, size, data, dtype }) {
  require(size === shape.reduce((product, extent) => product * extent, 1), `shape ${shape} has ${size} elements`);
  require(data.length === size && ['float32', 'float16'].includes(dtype), `${data.length} elements of ${dtype}`);
}

const bytesOf = ({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Written and read again, tensors are the same bits. */
function checkTensors(tensors) {
  for (const tensor of Object.values(tensors)) checkTensor(tensor);
  const again = readSafetensors(writeSafetensors(tensors));
  require(Object.keys(again).length === Object.keys(tensors).length, 'another number of tensors');
  for (const [name, tensor] of Object.entries(tensors)) {
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
  if (tensors) Object.values(tensors).forEach(checkTensor);
}
