// Neural amp models on @opendaw/nam-wasm, NeuralAmpModelerCore built for the web.
import { createNamModule, NamWasmModule } from '@opendaw/nam-wasm';

/** Its script fetches the module itself, but for Node, whose fetch takes no files. */
async function moduleOptions() {
  if (typeof document !== 'undefined') return {};
  const { readFile } = await import('node:fs/promises');
  return { wasmBinary: await readFile(new URL(import.meta.resolve('@opendaw/nam-wasm/nam.wasm'))) };
}

const usesTanh = ({ config }) => config.layers.some(({ activation }) => activation === 'Tanh');

/** Pushes of `chunk` through a model; what `pushAll` makes of a function that does one is compared. */
export const namWasm = ({ model, rate, chunk, pushAll }) => ({
  name: '@opendaw/nam-wasm',
  // It has a coarse tanh: without that activation it agrees as all others do.
  tolerated: usesTanh(model) ? 0.02 : undefined,
  async prepare() {
    const nam = NamWasmModule.fromModule(await createNamModule(await moduleOptions()), chunk.length);
    nam.setSampleRate(rate);
    const instance = nam.createInstance();
    if (!nam.loadModel(instance, JSON.stringify(model))) throw new Error('it does not load this model');
    const output = new Float32Array(chunk.length);
    const push = (samples) => {
      nam.process(instance, samples, output);
      return output;
    };
    const dispose = () => {
      nam.destroyInstance(instance);
      nam.dispose();
    };
    const checked = pushAll(push);
    return { run: () => void push(chunk), check: () => checked, dispose };
  },
});
