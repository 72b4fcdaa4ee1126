// npm test [-- STEP...]: sets up, builds and runs every test, or the named steps only. Stops at the first that fails.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { build } from './build.mjs';
import { buildPreset } from './lib/cmake.mjs';
import { ensureModules, ensureNodes } from './lib/install.mjs';
import { asCommand, capture, CommandError, inRoot, run, say, seconds } from './lib/run.mjs';
import { lint } from './lint.mjs';
import { ensureBrowsers, ensureToolchain } from './toolchain.mjs';

const total = { passed: 0, failed: 0, skipped: 0 };

// Runs a test program and adds up what `read` finds in its output, or in a report that it left; a failed run counts as well.
async function runTests([command, ...args], read) {
  let failure = null;
  const output = await run(command, args, { tee: true }).catch((error) => {
    failure = error;
    return error.output ?? '';
  });
  const counts = read(output);
  for (const key of Object.keys(total)) total[key] += counts?.[key] ?? 0;
  if (failure) throw failure;
}

// A report that a broken run did not write must not be the one of the run before.
function freshReport(path) {
  rmSync(path, { force: true });
  return () => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null);
}

// Where the kernel spreads addresses wider than ThreadSanitizer's map allows, it runs without the spreading.
const steady = capture('setarch', ['-R', 'true']) === null ? [] : ['setarch', '-R'];

const presets = {
  native: { filter: '-*Exhaustive*' },
  'native-tsan': { filter: '*ThreadPool*:*Threads*:-*Exhaustive*', prefix: steady },
  'native-release': { filter: '*Exhaustive*' },
};

async function runNative() {
  const tools = await ensureToolchain({ native: true });
  for (const [preset, { filter, prefix = [] }] of Object.entries(presets)) {
    say(`C++, preset ${preset}, tests ${filter}`);
    const folder = await buildPreset(preset, tools);
    const file = `${folder}/report.json`;
    const report = freshReport(file);
    const program = [
      `${folder}/tests/cpp/conv1d_tests`,
      `--gtest_filter=${filter}`,
      '--gtest_brief=1',
      `--gtest_output=json:${file}`,
    ];
    await runTests([...prefix, ...program], () => {
      const { tests, failures, testsuites } = report() ?? { tests: 0, failures: 0, testsuites: [] };
      const skipped = testsuites.flatMap((suite) => suite.testsuite).filter((test) => test.result === 'SKIPPED').length;
      return { passed: tests - failures - skipped, failed: failures, skipped };
    });
  }
}

async function runJest() {
  await ensureNodes();
  const nodes = ['node22', 'node24'].map((name) => inRoot('tests/nodes/node_modules', name, 'bin/node'));
  for (const node of [process.execPath, ...nodes]) {
    if (!existsSync(node)) {
      say(`Jest: skipped, npm installed no ${node} (its package is for Linux on x64)`);
      continue;
    }
    say(`Jest on Node ${capture(node, ['--version']).trim()}`);
    const file = inRoot('build/jest.json');
    const report = freshReport(file);
    const flags = ['--experimental-vm-modules', '--no-warnings', '--expose-gc'];
    const jest = [inRoot('node_modules/jest/bin/jest.js'), '--json', `--outputFile=${file}`];
    await runTests([node, ...flags, ...jest], () => {
      const result = report();
      return {
        passed: result?.numPassedTests,
        failed: result?.numFailedTests + result.numRuntimeErrorTestSuites,
        skipped: result.numPendingTests,
      };
    });
  }
}

async function runBrowsers() {
  const missing = await ensureBrowsers();
  if (missing.length > 0) say(`Not installed, and not allowed to install it: ${missing.join(', ')}`);
  await runTests([process.execPath, inRoot('tests/browser/run.mjs')], (output) => {
    const [, passed, failed] = output.match(/^(\d+) passed, (\d+) failed$/m)?.map(Number) ?? [];
    return { passed, failed, skipped: 0 };
  });
}

const steps = {
  build: { title: 'Build', run: build },
  lint: { title: 'Lint', run: lint },
  native: { title: 'C++ tests', run: runNative },
  jest: { title: 'JavaScript tests', run: runJest, after: 'build' },
  browsers: { title: 'Browser tests', run: runBrowsers, after: 'build' },
};

await asCommand(async () => {
  const named = process.argv.slice(2);
  const unknown = named.filter((name) => !Object.hasOwn(steps, name));
  if (unknown.length > 0)
    throw new CommandError(`No step ${unknown.join(', ')}; there are ${Object.keys(steps).join(', ')}`);
  const wanted =
    named.length > 0 ? named.flatMap((name) => [steps[name].after ?? [], name].flat()) : Object.keys(steps);
  await ensureModules();
  const summary = [];
  try {
    for (const name of new Set(wanted)) {
      const { title, run: runStep } = steps[name];
      const since = performance.now();
      console.log(`\n=== ${title}`);
      summary.push(`${title}: failed`);
      await runStep();
      summary.splice(-1, 1, `${title}: ${seconds(since)}`);
    }
  } finally {
    console.log(`\n${summary.join('\n')}`);
    console.log(
      `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`,
    );
  }
});
