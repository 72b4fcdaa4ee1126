// Tells files that are not what they are said to be by their first bytes.

type Format = readonly [name: string, start: string | RegExp, description: string, remedy: string];

// In the order in which they are tried, the bytes read as Latin-1. The first length of a .safetensors file may look like
// anything.
const formats: readonly Format[] = [
  ['safetensors', /^[^]{4}\0{4}\{/, 'a .safetensors file', 'readSafetensors reads it'],
  ['lfs', 'version https://git-lfs', 'a Git LFS pointer to the file', 'run git lfs pull, or download the file itself'],
  [
    'html',
    /^(\xef\xbb\xbf)?\s*<(!doctype|!--|html|head|body|\?xml)/i,
    'an HTML or XML page',
    'the address may ask to log in, or have nothing there',
  ],
  ['json', /^(\xef\xbb\xbf)?\s*[[{]/, 'JSON', 'an index.json only names the files that hold the tensors: read those'],
  ['zip', 'PK\x03\x04', 'a ZIP archive', "readTorch reads PyTorch's (.pt, .pth, .bin), readNpz NumPy's (.npz)"],
  ['gzip', '\x1f\x8b', 'compressed by gzip', "inflate it first: DecompressionStream('gzip')"],
  ['gguf', 'GGUF', 'a GGUF file', "take the model's .safetensors file"],
  ['npy', '\x93NUMPY', 'a .npy file', 'readNpy reads it'],
  [
    'hdf5',
    '\x89HDF\r\n\x1a\n',
    "an HDF5 file, as Keras's .h5",
    'read it with h5py and write its arrays with numpy.savez',
  ],
  [
    'legacy',
    '\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19',
    'a PyTorch file in the format of before 1.6',
    'load it with torch.load and save it again with torch.save',
  ],
  ['pickle', '\x80', 'a Python pickle', 'save the tensors with torch.save, numpy.savez or safetensors'],
];

/** What `bytes` are if they are of another format than the one expected, and what to do then, as an error says it. */
export function otherFormat(bytes: Uint8Array, expected: string): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 64));
  const found = formats.find(([, pattern]) =>
    typeof pattern === 'string' ? start.startsWith(pattern) : pattern.test(start),
  );
  if (!found || found[0] === expected) return undefined;
  const [, , description, remedy] = found;
  return `it is ${description}; ${remedy}`;
}
