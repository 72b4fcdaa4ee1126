// Every build on another processor: Node for 64-bit ARM, emulated. Its compiler makes other instructions of the same wasm.
import { existsSync } from 'node:fs';
import { ensureModules } from '../../scripts/lib/install.mjs';
import { CommandError, inRoot } from '../../scripts/lib/run.mjs';
import { ensureEmulator } from '../../scripts/toolchain.mjs';
import { buildNative, runForJson } from './programs.mjs';

export const aarch64 = {
  title: 'fixtures, random layers and streams on an emulated 64-bit ARM',
  counts: { armDraws: { full: 1000, short: 10 } },
  async run({ counts, seed }) {
    await ensureModules(inRoot('tests/prove/tools'));
    const node = inRoot('tests/prove/tools/node_modules/node-aarch64/bin/node');
    if (!existsSync(node))
      throw new CommandError('npm gave no Node for 64-bit ARM: it must know `cpu` in .npmrc, as npm 10 does');
    const [emulator, ...flags] = await ensureEmulator();
    const run = (script, ...args) =>
      runForJson(emulator, [...flags, node, '--no-warnings', inRoot('tests/prove', script), ...args]);
    const fixtures = await run('fixtures.mjs');
    const program = await buildNative('native-release', 'conv1d_random');
    const draws = await run('random-wasm.mjs', program, ...['--seed', seed, '--count', counts.armDraws].map(String));
    return {
      figures: [
        `${fixtures.node}, ${fixtures.builds}: ${fixtures.passed} fixtures passed, ${fixtures.failures.length} failed`,
        `${draws.draws} random layers, ${draws.outputs} outputs, ${draws.mismatched} mismatches`,
      ],
      failures: [...fixtures.failures, ...draws.mismatches],
    };
  },
};
