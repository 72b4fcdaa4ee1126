// One thread of limits.js.
import { assemble } from './limits-wasm.js';

const pageBytes = 65536;

/** Work that one thread can do: { kind, ... } as limits.js describes it. */
export async function makeThread() {
  const start = async (relaxed) => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { instance } = await WebAssembly.instantiate(assemble(relaxed), { bench: { memory } });
    return { memory, ...instance.exports };
  };
  const modules = { muladd: await start(false), fma: await start(true).catch(() => null) };

  /** Writes `targetBytes` bytes, taking them from `sourceBytes` bytes; the shorter one is gone through again and again. */
  function copy({ sourceBytes, targetBytes, times }) {
    const { memory, copy: copyBytes } = modules.muladd;
    const target = Math.ceil(sourceBytes / 64) * 64;
    const missing = target + targetBytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    const whole = Math.max(sourceBytes, targetBytes);
    const piece = Math.min(sourceBytes, targetBytes);
    for (let i = 0; i < times; i++) {
      for (let at = 0; at < whole; at += piece) {
        const length = Math.min(piece, whole - at);
        copyBytes(target + (targetBytes === whole ? at : 0), sourceBytes === whole ? at : 0, length);
      }
    }
  }

  return {
    kinds: Object.keys(modules).filter((kind) => modules[kind]),
    work(job) {
      if (job.kind === 'copy') copy(job);
      else modules[job.kind].peak(job.rounds);
    },
  };
}

async function serve(onMessage, post) {
  const { work } = await makeThread();
  onMessage((job) => {
    work(job);
    post('done');
  });
  post('ready');
}

if (typeof WorkerGlobalScope !== 'undefined') {
  await serve((take) => addEventListener('message', ({ data }) => take(data)), postMessage);
} else if (typeof window === 'undefined') {
  const { parentPort } = await import('node:worker_threads');
  if (parentPort) await serve((take) => parentPort.on('message', take), (answer) => parentPort.postMessage(answer)); // prettier-ignore
}
