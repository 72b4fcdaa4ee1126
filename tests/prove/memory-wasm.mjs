// memory-wasm.mjs FILLINGS: every build with a memory of 8 MB that is filled, up to FILLINGS times, until nothing has
// room. At each filling layers, tensors, streams and networks are made and used: what fails says so and leaves all as it was.
// Prints one line of JSON.
import { Conv1d, Network, Tensor, createRuntime } from 'conv1d-wasm';
import { canRelax, differingBits, noiseTensor, thrown } from '../js/support.js';

const maximumMemory = 8 * 2 ** 20;
const step = 4 * Math.ceil(maximumMemory / 4 / Number(process.argv[2]));
const result = { fillings: 0, errors: 0, failures: [] };

function require(holds, what) {
  if (!holds) throw new Error(what);
}

const layersOf = (runtime) =>
  ['direct', 'toom_cook', 'fft', 'auto'].map(
    (algorithm) => new Conv1d({ inChannels: 8, outChannels: 8, kernelSize: 40, padding: 'causal', algorithm, runtime }),
  );

const input = noiseTensor([1, 8, 300], 1);
const longer = noiseTensor([1, 8, 9000], 2);
const chunk = noiseTensor([1, 8, 100], 3);

/** What is done while memory is short: a name, and a call that gives numbers. All of it is disposed again. */
function calls(runtime, layers) {
  const using = (object, use) => {
    try {
      return use(object);
    } finally {
      object.dispose();
    }
  };
  const network = () => new Network(8, (x) => x.add(x.conv(layers[0])).gate());
  return {
    ...Object.fromEntries(layers.map((layer, i) => [`forward ${i}`, () => layer.forward(input).data])),
    ...Object.fromEntries(layers.map((layer, i) => [`a longer forward ${i}`, () => layer.forward(longer).data])),
    'a tensor': () => using(input.toWasm(runtime), (tensor) => tensor.data.slice()),
    'an output in wasm memory': () =>
      using(input.toWasm(runtime), (placed) => using(layers[0].forward(placed), (output) => output.data.slice())),
    'a layer': () =>
      using(new Conv1d({ inChannels: 8, outChannels: 4, kernelSize: 300, runtime }), (layer) => {
        layer.resetParameters({ seed: 1 });
        return layer.weight.data;
      }),
    ...Object.fromEntries(
      layers.map((layer, i) => [
        `a stream ${i}`,
        () => using(layer.stream({ maxChunk: 100 }), (stream) => stream.push(chunk).data),
      ]),
    ),
    'a network': () => network().forward(longer).data,
    'a stream of a network': () => using(network().stream({ maxChunk: 100 }), (stream) => stream.push(chunk).data),
  };
}

async function fillUp(settings) {
  const runtime = await createRuntime({ ...settings, maximumMemory });
  const layers = layersOf(runtime);
  layers.forEach((layer, i) => layer.resetParameters({ seed: i }));
  const actions = Object.entries(calls(runtime, layers));
  // Twice, for what is kept from one call to the next.
  actions.forEach(([, act]) => act());
  const expected = new Map(actions.map(([name, act]) => [name, act().slice()]));
  const { used } = runtime.memory;

  for (let bytes = 0; ; bytes += step) {
    let filler = null;
    const full = thrown(() => (filler = new Tensor(new Float32Array(bytes / 4), [bytes / 4]).toWasm(runtime)));
    if (full) {
      require(full.code === 'ERR_OUT_OF_MEMORY', `filling up: ${full.code}`);
      break;
    }
    ++result.fillings;
    for (const [name, act] of actions) {
      let got = null;
      const error = thrown(() => (got = act()));
      if (error) ++result.errors;
      require(!error || error.code === 'ERR_OUT_OF_MEMORY', `${name}: ${error?.message}`);
      // Short of memory, 'auto' does without a transform.
      const exact = !/3$/.test(name);
      require(!got || !exact || differingBits(got, expected.get(name)).length === 0, `${name}: other bits`);
    }
    filler.dispose();
    require(runtime.memory.used <= used + 1024, `${runtime.memory.used - used} bytes more in use after ${bytes}`);
    for (const [name, act] of actions)
      require(differingBits(act(), expected.get(name)).length === 0, `${name}: other bits after ${bytes}`);
  }
  runtime.dispose();
}

for (const variant of canRelax ? ['simd', 'relaxed'] : ['simd']) {
  for (const threads of [1, 2]) {
    await fillUp({ variant, threads }).catch((error) => {
      result.failures.push(`${variant}, ${threads} threads: ${error.message}`);
    });
  }
}
console.log(JSON.stringify(result));
process.exitCode = result.failures.length === 0 ? 0 : 1;
