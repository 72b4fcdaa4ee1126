// PyTorch's own files: a ZIP archive of a pickle, which says what there is, and of the storages that tensors lie in. See
// https://docs.pytorch.org/docs/stable/notes/serialization.html.
import { type Conv1dError, show, stateDictError } from '../common/errors.js';
import { elementCount, type Tensor } from '../layer/tensor.js';
import { bytesOf, bytesPerElement, type ElementType, spanOf } from './elements.js';
import { unpickle } from './pickle.js';
import {
  dictionaryOf,
  type FileItem,
  mostBytesOf,
  type ReadOptions,
  selectionOf,
  shapeProblem,
} from './tensor-file.js';
import { ZipArchive } from './zip.js';

const elementTypes: Readonly<Record<string, ElementType>> = {
  ...{ float16: 'f2', bfloat16: 'bf2', float32: 'f4', float64: 'f8', bool: 'b1' },
  ...{ int8: 'i1', int16: 'i2', int32: 'i4', int64: 'i8', uint8: 'u1', uint16: 'u2', uint32: 'u4', uint64: 'u8' },
};

// By the name of the storage's class, without 'Storage'.
const storageDtypes: Readonly<Record<string, string>> = {
  ...{ Half: 'float16', BFloat16: 'bfloat16', Float: 'float32', Double: 'float64', Bool: 'bool' },
  ...{ Char: 'int8', Short: 'int16', Int: 'int32', Long: 'int64', Byte: 'uint8' },
  ...{ ComplexFloat: 'complex64', ComplexDouble: 'complex128' },
};

/** A name of Python that is kept as a name: a dtype, a class of storages or of tensors. */
class PythonName {
  constructor(readonly name: string) {}
}

const passiveName =
  /^torch\.(\w+Storage|storage\.\w+Storage|b?float\d+\w*|u?int\d+|complex\d+|bool|Tensor|nn\.parameter\.Parameter)$/;

/** The bytes that one tensor or several lie in. */
class Storage {
  constructor(
    readonly bytes: Uint8Array,
    readonly dtype: string,
  ) {}
}

/** What a tensor of the file is, but for its name. */
class StoredTensor {
  constructor(readonly item: Omit<FileItem, 'name'>) {}
}

function torchError(message: string, got?: unknown): Conv1dError {
  return stateDictError('buffer', `not a PyTorch file to be read here: ${message}`, got);
}

const areSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

/** The values of PyTorch's names, for the pickle of one file. */
class TorchHost {
  readonly #archive: ZipArchive;
  readonly #folder: string;
  readonly #littleEndian: boolean;
  readonly #mostBytes: number;

  constructor(archive: ZipArchive, folder: string, mostBytes: number) {
    this.#archive = archive;
    this.#folder = folder;
    this.#mostBytes = mostBytes;
    const order = archive.members.get(`${folder}byteorder`);
    this.#littleEndian = !order || String.fromCharCode(...archive.view(order).subarray(0, 3)) !== 'big';
  }

  readonly fail = torchError;

  #tensor(
    [storage, offset, shape, strides]: readonly unknown[],
    dtypeName?: unknown,
    metadata?: unknown,
  ): StoredTensor {
    if (!(storage instanceof Storage)) throw torchError(`a tensor lies in ${show(storage)}`);
    const place = `offset ${show(offset)}, shape ${show(shape)} and strides ${show(strides)}`;
    if (!areSizes([offset]) || !areSizes(shape) || !areSizes(strides) || shape.length !== strides.length) {
      throw torchError(`a tensor has ${place}`);
    }
    const dtype = dtypeName instanceof PythonName ? dtypeName.name.replace(/^torch\./, '') : storage.dtype;
    const described = { dtype, shape };
    const refuse = (problem: string) => new StoredTensor({ ...described, problem });
    const type = Object.hasOwn(elementTypes, dtype) ? elementTypes[dtype] : undefined;
    if (!type) return refuse(`dtype must be one of ${Object.keys(elementTypes).join(', ')}, got ${show(dtype)}`);
    if (metadata instanceof Map && metadata.get('neg') === true) {
      return refuse('its sign is still to be changed: save what resolve_neg() gives');
    }
    const step = bytesPerElement(type);
    const [first, span] = [offset as number, spanOf(shape, strides)];
    if ((first + span) * step > storage.bytes.length) {
      throw torchError(`a tensor has ${place}, and its storage ${storage.bytes.length} bytes`);
    }
    const count = elementCount(shape);
    const tooLarge = shapeProblem(shape);
    if (tooLarge !== undefined) return refuse(tooLarge);
    if (count > span && 4 * count > this.#mostBytes) {
      return refuse(`it is expanded from ${span} elements to ${count}: save it unexpanded`);
    }
    const bytes = storage.bytes.subarray(first * step, (first + span) * step);
    return new StoredTensor({
      ...described,
      array: () => ({ type, shape, strides, bytes, littleEndian: this.#littleEndian }),
    });
  }

  readonly #rebuild: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
    'torch._utils._rebuild_tensor': (args) => this.#tensor(args),
    'torch._utils._rebuild_tensor_v2': (args) => this.#tensor(args, undefined, args[6]),
    'torch._utils._rebuild_tensor_v3': (args) => this.#tensor(args, args[6], args[7]),
    'torch._utils._rebuild_parameter': ([tensor]) => tensor,
    'torch._utils._rebuild_parameter_with_state': ([tensor]) => tensor,
  };

  readonly #callables: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
    ...this.#rebuild,
    // Of tensors with attributes: how to make the tensor, its class, the arguments, the attributes.
    'torch._tensor._rebuild_from_type_v2': ([make, , args]) => {
      const entry = Object.entries(this.#rebuild).find(([, rebuild]) => rebuild === make);
      if (!entry || !Array.isArray(args)) throw torchError(`a tensor is made by ${show(make)} of ${show(args)}`);
      return entry[1](args);
    },
    'collections.OrderedDict': ([items = new Map()]) => items,
    'collections.Counter': ([items = new Map()]) => items,
    'torch.Size': ([sizes]) => sizes,
    'torch.device': ([name]) => name,
  };

  find(name: string): unknown {
    if (Object.hasOwn(this.#callables, name)) return this.#callables[name];
    if (passiveName.test(name)) return new PythonName(name);
    const remedy = 'save the tensors alone: torch.save(model.state_dict(), file)';
    throw torchError(`it holds ${show(name)}, which is no part of a state dict and is never run; ${remedy}`, name);
  }

  call(callable: unknown, args: readonly unknown[]): unknown {
    if (typeof callable === 'function') return (callable as (args: readonly unknown[]) => unknown)(args);
    throw torchError(`its pickle calls ${show(callable instanceof PythonName ? callable.name : callable)}`);
  }

  /** The storage that ('storage', its class, key, device, number of elements) means. */
  load(id: unknown): Storage {
    const [kind, type, key] = Array.isArray(id) ? (id as unknown[]) : [];
    if (kind !== 'storage' || !(type instanceof PythonName) || typeof key !== 'string') {
      throw torchError(`its pickle refers to ${show(id)}`);
    }
    const member = this.#archive.members.get(`${this.#folder}data/${key}`);
    if (!member) throw torchError(`the storage ${show(key)} is missing`);
    const className = type.name.replace(/^.*\.|Storage$/g, '');
    const dtype = Object.hasOwn(storageDtypes, className) ? storageDtypes[className] : undefined;
    return new Storage(this.#archive.view(member), dtype ?? className);
  }
}

/** What there is besides tensors, as an entry shows it. */
function plainItem(value: unknown): Omit<FileItem, 'name'> {
  if (value instanceof PythonName) return { dtype: value.name, problem: `it is ${value.name}, not a tensor` };
  if (value instanceof Storage) return { dtype: 'storage', problem: 'it is a storage, not a tensor' };
  if (value === null) return { dtype: 'null', value, problem: 'it is null, not a tensor' };
  const dtype = typeof value;
  return { dtype, value: value as FileItem['value'], problem: `it is a ${dtype}, not a tensor: ${show(value)}` };
}

// To what all names may add up, each with what it costs to keep it: a small pickle can mean very many.
const mostNames = 2 ** 24;
const costPerName = 16;

/** All that `root` holds, the names of dictionaries and the indices of lists joined by dots. */
function flatten(root: unknown): FileItem[] {
  const items: FileItem[] = [];
  let cost = 0;
  const waiting: [name: string, prefix: string, value: unknown][] = [['', '', root]];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [name, prefix, value] = next;
    if (value instanceof StoredTensor) {
      items.push({ name, ...value.item });
      continue;
    }
    const parts = value instanceof Map ? [...value] : Array.isArray(value) ? [...value.entries()] : undefined;
    if (!parts) {
      items.push({ name, ...plainItem(value) });
      continue;
    }
    for (const [key, part] of parts.reverse() as [unknown, unknown][]) {
      const partName = prefix + (typeof key === 'string' ? key : show(key));
      cost += partName.length + costPerName;
      if (cost > mostNames) throw torchError('its lists and dictionaries hold too much, or themselves');
      waiting.push([partName, `${partName}.`, part]);
    }
  }
  return items;
}

/**
 * The tensors of a file that PyTorch's `torch.save` wrote (.pt, .pth, .bin; version 1.6 or later), by name, 'js' tensors
 * that are decoded when they are first asked for. `buffer` must stay as it is meanwhile; float32 and float16 tensors are
 * views of it where they are contiguous and aligned there.
 *
 * A state dict gives its own names. Of dictionaries and lists in one another the names are joined by dots, so that
 * `{ epoch: 3, model: model.state_dict() }` gives `model.0.weight`, to be loaded with the prefix `model.`; a tensor saved
 * alone has the name `''`. What is no tensor, or of a dtype that none can have, is not enumerated, and asking for it is an
 * error; `contentsOf` lists it too, numbers and texts with their values. dtypes are converted as by `readSafetensors`.
 *
 * The file's pickle is read, never run: tensors, parameters, dictionaries, lists, numbers and texts are understood, and
 * any other name of Python is refused.
 *
 * @throws Conv1dError ERR_STATE_DICT when the file breaks its format, holds other objects, or is older; ERR_OPTION.
 */
export function readTorch(
  buffer: ArrayBufferLike | ArrayBufferView,
  options: ReadOptions = {},
): Record<string, Tensor> {
  const selection = selectionOf(options);
  const file = bytesOf(buffer);
  const archive = new ZipArchive(file);
  const names = [...archive.members.keys()];
  const pickleName = names.find((name) => /^[^/]*\/data\.pkl$/.test(name));
  const pickle = pickleName === undefined ? undefined : archive.members.get(pickleName);
  if (!pickle) {
    const remedy = names.some((name) => name.endsWith('.npy')) ? '; it is from NumPy: readNpz reads it' : '';
    throw torchError(`it has no data.pkl but ${show(names)}${remedy}`);
  }
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  if (archive.members.has(`${folder}constants.pkl`)) {
    throw torchError('it is a TorchScript program; save its tensors alone: torch.save(model.state_dict(), file)');
  }
  // A copy: browsers do not decode shared memory.
  const host = new TorchHost(archive, folder, mostBytesOf(file));
  const root = unpickle(archive.view(pickle).slice(), host);
  const items = flatten(root).filter(({ name }) => selection.has(name));
  return dictionaryOf(items, selection);
}
