// npm test [-- STEP...]: sets up, builds and runs every test, or the named steps only. Stops at the first that fails.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { build } from './build.mjs';
import { buildPreset } from './lib/cmake.mjs';
import { ensureModules, ensureNodes } from './lib/install.mjs';
import { asCommand, capture, CommandError, forEachAtOnce, inRoot, run, say, seconds } from './lib/run.mjs';
import { lint } from './lint.mjs';
import { ensureBrowsers, ensureToolchain } from './toolchain.mjs';

const total = { passed: 0, failed: 0, skipped: 0 };

// Runs tests and adds up the counts that `read` finds in what they print. A failed run counts as well.
async function runTests([command, ...args], read, options = { tee: true }) {
  let failure = null;
  const output = await run(command, args, options).catch((error) => {
    failure = error;
    return error.output ?? '';
  });
  const counts = read(output);
  for (const key of Object.keys(total)) total[key] += counts?.[key] ?? 0;
  if (failure && !counts?.failed) total.failed += 1; // it crashed
  if (failure) throw failure;
  return counts;
}

// The same for tests that leave a JSON report.
function runReporting(command, report, read, options) {
  rmSync(report, { force: true }); // a run that breaks must not be judged by the one before
  return runTests(command, () => (existsSync(report) ? read(JSON.parse(readFileSync(report, 'utf8'))) : null), options);
}

// Where the kernel spreads addresses wider than ThreadSanitizer's map allows, it runs without the spreading.
const steady = capture('setarch', ['-R', 'true']) === null ? [] : ['setarch', '-R'];

const presets = {
  native: { program: 'conv1d_tests', filter: '-*Exhaustive*' },
  'native-tsan': { program: 'conv1d_thread_tests', filter: '*Thread*:-*Exhaustive*', prefix: steady },
  'native-release': { program: 'conv1d_exhaustive_tests', filter: '*Exhaustive*' },
};

const kShards = 6; // more than cores, as some take longer

function readGoogleTest({ tests, failures, testsuites }) {
  const skipped = testsuites.flatMap((suite) => suite.testsuite).filter((test) => test.result === 'SKIPPED').length;
  return { passed: tests - failures - skipped, failed: failures, skipped };
}

async function runNative() {
  const tools = await ensureToolchain({ native: true });
  for (const [preset, { program, filter, prefix = [] }] of Object.entries(presets)) {
    say(`C++, preset ${preset}, tests ${filter}`);
    const folder = await buildPreset(preset, tools, [program]);
    const before = total.passed;
    await forEachAtOnce(Array(kShards).keys(), (shard) => {
      const report = `${folder}/report-${shard}.json`;
      const options = [`--gtest_filter=${filter}`, '--gtest_brief=1', `--gtest_output=json:${report}`];
      const command = [...prefix, `${folder}/tests/cpp/${program}`, ...options];
      const env = { GTEST_TOTAL_SHARDS: kShards, GTEST_SHARD_INDEX: shard };
      return runReporting(command, report, readGoogleTest, { env, together: true });
    });
    if (total.passed === before) throw new CommandError(`No test matches ${filter}`);
  }
}

const readJest = (result) => ({
  passed: result.numPassedTests,
  failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
  skipped: result.numPendingTests,
});

async function runJest() {
  await ensureNodes();
  const others = ['node22', 'node24'].map((name) => inRoot('tests/nodes/node_modules', name, 'bin/node'));
  for (const node of [process.execPath, ...others]) {
    if (!existsSync(node)) {
      say(`Jest: skipped ${node}, which npm has for Linux on x64 alone`);
      continue;
    }
    say(`Jest on Node ${capture(node, ['--version']).trim()}`);
    const report = inRoot('build/jest.json');
    const jest = [inRoot('node_modules/jest/bin/jest.js'), '--maxWorkers=100%', '--json', `--outputFile=${report}`];
    const flags = ['--experimental-vm-modules', '--no-warnings', '--expose-gc'];
    await runReporting([node, ...flags, ...jest], report, readJest);
  }
}

function readLastLine(output) {
  const [, passed, failed, skipped] = output.match(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/m) ?? [];
  return { passed: Number(passed ?? 0), failed: Number(failed ?? 0), skipped: Number(skipped ?? 0) };
}

async function runBrowsers() {
  const missing = await ensureBrowsers();
  if (missing.length > 0) say(`Not there, and not allowed to install it: ${missing.join(', ')}`);
  await runTests([process.execPath, inRoot('tests/browser/run.mjs')], readLastLine);
}

async function runPackage() {
  await ensureBrowsers();
  await runTests([process.execPath, inRoot('tests/package/run.mjs')], readLastLine);
}

const steps = {
  build: { title: 'Build', run: build },
  lint: { title: 'Lint', run: lint },
  native: { title: 'C++ tests', run: runNative },
  jest: { title: 'JavaScript tests', run: runJest, after: 'build' },
  browsers: { title: 'Browser tests', run: runBrowsers, after: 'build' },
  package: { title: 'Package tests', run: runPackage, after: 'build' },
};

function chosenSteps() {
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !Object.hasOwn(steps, name));
  if (unknown.length > 0) throw new CommandError(`No step ${unknown.join(', ')}: ${Object.keys(steps).join(', ')}`);
  const all = names.flatMap((name) => [steps[name].after ?? name, name]);
  return names.length > 0 ? new Set(all) : Object.keys(steps);
}

await asCommand(async () => {
  const summary = [];
  try {
    const names = chosenSteps();
    await ensureModules();
    for (const name of names) {
      const { title, run: runStep } = steps[name];
      const since = performance.now();
      console.log(`\n=== ${title}`);
      summary.push(`${title}: FAILED`);
      await runStep();
      summary.splice(-1, 1, `${title}: ${seconds(since)}`);
    }
  } finally {
    const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
    console.log(`\n${summary.join('\n')}\n${total.passed} passed, ${total.failed} failed${skipped}`);
  }
});
