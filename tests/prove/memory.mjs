// Memory that runs short: natively at every allocation in turn, in wasm at every filling of the memory, in the readers of
// files at every array.
import { inRoot } from '../../scripts/lib/run.mjs';
import { buildNative, newestNode, runForJson } from './programs.mjs';

export const memory = {
  title: 'allocations refused in turn',
  counts: {
    memoryDraws: { full: 300, short: 10 },
    fillings: { full: 512, short: 16 },
  },
  async run({ counts, seed }) {
    const program = await buildNative('native', 'conv1d_memory');
    const native = await runForJson(program, ['--seed', seed, '--count', counts.memoryDraws].map(String));
    const node = await newestNode();
    const script = (name, ...args) => runForJson(node, ['--no-warnings', inRoot('tests/prove', name), ...args]);
    const wasm = await script('memory-wasm.mjs', String(counts.fillings));
    const readers = await script('memory-readers.mjs');
    return {
      figures: [
        `native: ${native.draws} layers, their streams and networks, ${native.trials} lives with ${native.refusals} ` +
          `refusals, ${native.failed} failed`,
        `wasm: ${wasm.fillings} fillings, ${wasm.errors} calls without room, ${wasm.failures.length} failed`,
        `readers: ${readers.trials} calls, ${readers.failures.length} failed`,
      ],
      failures: [...native.failures, ...wasm.failures, ...readers.failures],
    };
  },
};
