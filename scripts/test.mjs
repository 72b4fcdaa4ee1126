// npm test [-- STEP...]: sets up, builds and runs every test, or the named steps only. Stops at the first that fails.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { build } from './build.mjs';
import { buildPreset } from './lib/cmake.mjs';
import { ensureModules, ensureNodes } from './lib/install.mjs';
import { asCommand, capture, CommandError, inRoot, run, say, seconds } from './lib/run.mjs';
import { lint } from './lint.mjs';
import { ensureBrowsers, ensureToolchain } from './toolchain.mjs';

const total = { passed: 0, failed: 0, skipped: 0 };

// Runs tests that leave a report; `read` finds the counts in it. They count even when the run failed.
async function runTests(command, args, report, read, options) {
  rmSync(report, { force: true });
  const failure = await run(command, args, options).then(
    () => null,
    (error) => error,
  );
  if (existsSync(report)) {
    const counts = read(JSON.parse(readFileSync(report, 'utf8')));
    for (const key of Object.keys(total)) total[key] += counts[key];
    if (!failure && counts.passed === 0) throw new CommandError(`${command} ${args.join(' ')}: ran no test`);
  }
  if (failure) throw failure;
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
    const report = `${folder}/report.json`;
    const program = [`${folder}/tests/cpp/conv1d_tests`, `--gtest_filter=${filter}`, '--gtest_brief=1'];
    const [command, ...args] = [...prefix, ...program, `--gtest_output=json:${report}`];
    await runTests(command, args, report, ({ tests, failures, testsuites }) => {
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
    const report = inRoot('build/jest.json');
    const flags = ['--experimental-vm-modules', '--no-warnings', '--expose-gc'];
    const jest = [inRoot('node_modules/jest/bin/jest.js'), '--json', `--outputFile=${report}`];
    await runTests(node, [...flags, ...jest], report, (result) => ({
      passed: result.numPassedTests,
      failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
      skipped: result.numPendingTests,
    }));
  }
}

async function runBrowsers() {
  const missing = await ensureBrowsers();
  if (missing.length > 0) say(`Not installed, and not root to install it: ${missing.join(', ')}`);
  const report = inRoot('build/browsers.json');
  await runTests(process.execPath, [inRoot('tests/browser/run.mjs'), '--report', report], report, (counts) => counts);
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
  if (unknown.length > 0) throw new CommandError(`No step ${unknown.join(', ')}; there are ${Object.keys(steps).join(', ')}`);
  const wanted = named.length > 0 ? named.flatMap((name) => [steps[name].after ?? [], name].flat()) : Object.keys(steps);
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
    console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
  }
});
