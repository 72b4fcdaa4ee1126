// Deep networks whose branches meet again: a test of npm test with other seeds, under the address sanitizer.
import { buildPreset } from '../../scripts/lib/cmake.mjs';
import { CommandError, forEachAtOnce, run } from '../../scripts/lib/run.mjs';
import { ensureToolchain } from '../../scripts/toolchain.mjs';

const networksOfARun = 600; // kNetworks
const seeds = 99_999; // of GoogleTest

export const networks = {
  title: 'random networks of all operations, whole and in pieces',
  counts: { networkRuns: { full: 1000, short: 4 } },
  async run({ counts, seed, open }) {
    const folder = await buildPreset('native', await ensureToolchain({ native: true }), ['conv1d_tests']);
    const { data, save } = open('networks', ['cpp', 'tests/cpp']);
    data.done ??= [];
    const failures = [];
    const todo = Array.from({ length: counts.networkRuns }, (_, i) => i).filter((i) => !data.done.includes(i));
    await forEachAtOnce(todo, async (i) => {
      const shuffle = ['--gtest_shuffle', `--gtest_random_seed=${1 + ((seed + i) % seeds)}`];
      const args = ['--gtest_filter=Branches.*', '--gtest_brief=1', ...shuffle];
      try {
        await run(`${folder}/tests/cpp/conv1d_tests`, args, { together: true });
        data.done.push(i);
        save();
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        failures.push(error.message);
      }
    });
    return { figures: [`${data.done.length * networksOfARun} networks, ${failures.length} runs failed`], failures };
  },
};
