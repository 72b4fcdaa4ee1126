// Runs every test page in every engine, with and without the isolation headers.
//   node tests/browser/run.mjs [--engine NAME] [--page NAME] [--test WORDS]
// --test: of the demo page, only those whose name has these words.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { forEachAtOnce } from '../../scripts/lib/run.mjs';
import { testDemo } from './demo.mjs';
import { engines } from './engines.mjs';
import { testExtension } from './extension.mjs';
import { serve, sharedHeaders } from './server.mjs';

// Each gives { builds, notes, passed, failed: [{ name, message }], skipped: [{ name, count, reason }] }.
const pages = [
  {
    name: 'core',
    run: (engine, server, isolated) => engine.run(`${server.url}tests/browser/core.html?isolated=${Number(isolated)}`),
  },
  { name: 'readme', run: (engine, server) => engine.run(`${server.url}tests/browser/readme.html`) },
  {
    name: 'loading',
    async run(engine, server) {
      const elsewhere = await serve({ root, isolated: false, headers: sharedHeaders });
      try {
        return await engine.run(`${server.url}tests/browser/loading.html?elsewhere=${elsewhere.url}`);
      } finally {
        await elsewhere.close();
      }
    },
  },
  { name: 'scopes', run: (engine, server) => engine.run(`${server.url}tests/browser/scopes.html`) },
  { name: 'extension', run: (engine) => testExtension(engine) },
  { name: 'policy', run: (engine, server) => engine.run(`${server.url}tests/browser/policy.html`) },
  { name: 'worklet', run: (engine, server) => engine.run(`${server.url}tests/browser/worklet.html`) },
  {
    name: 'networks',
    async run(engine, server) {
      const page = `${server.url}tests/browser/networks.html`;
      if (!existsSync(models)) return engine.run(page);
      const modelServer = await serve({ root: models, isolated: false, headers: sharedHeaders });
      try {
        return await engine.run(`${page}?models=${modelServer.url}`);
      } finally {
        await modelServer.close();
      }
    },
  },
  { name: 'demo', run: (engine, _server, isolated) => testDemo(engine, { isolated, only: only.test }) },
];

const kShownFailures = 10;
const root = fileURLToPath(new URL('../../', import.meta.url));
const models = `${root}../shared/models`;

const { values: only } = parseArgs({
  options: { engine: { type: 'string' }, page: { type: 'string' }, test: { type: 'string' } },
});
if (only.engine && !Object.hasOwn(engines, only.engine)) usage('engine', Object.keys(engines));
if (only.page && !pages.some(({ name }) => name === only.page))
  usage(
    'page',
    pages.map(({ name }) => name),
  );
if (!existsSync(`${root}dist/index.js`)) {
  console.error('dist/index.js is not there yet: run `npm run build` first');
  process.exit(2);
}

const total = { passed: 0, failed: 0 };
const servers = await Promise.all([true, false].map((isolated) => serve({ root, isolated })));
const chosenEngines = Object.keys(engines).filter((name) => name === (only.engine ?? name));
const chosenPages = pages.filter(({ name }) => name === (only.page ?? name));
await forEachAtOnce(chosenEngines, runEngine, 2); // a page mostly waits, so two take little longer than one
for (const server of servers) await server.close();
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function runEngine(name) {
  for (const isolated of [true, false]) {
    for (const page of chosenPages) {
      const isThere = await runPage(name, page, servers[isolated ? 0 : 1], isolated);
      if (!isThere) return;
    }
  }
}

/** One page in a browser of its own, so that a hung or crashed one spoils nothing else. False where the engine is not installed. */
async function runPage(name, page, server, isolated) {
  const heading = `${page.name} in ${name}, ${isolated ? 'with' : 'without'} isolation headers`;
  let engine = null;
  try {
    engine = await engines[name]();
    if (engine === null) return false;
    const result = await page.run(engine, server, isolated);
    if (!only.test && result.passed + result.failed.length + result.skipped.length === 0)
      throw new Error('the page tested nothing');
    report(`${heading} (${engine.version})`, result);
  } catch (error) {
    ++total.failed;
    console.log(`${heading}${engine ? ` (${engine.version})` : ''}\n  FAILED: ${error.message}`);
  } finally {
    await engine?.close();
  }
  return true;
}

function report(heading, { builds = [], notes = [], passed, failed, skipped }) {
  total.passed += passed;
  total.failed += failed.length;
  const skippedCount = skipped.reduce((sum, { count }) => sum + count, 0);
  console.log(`${heading}: ${passed} passed, ${failed.length} failed, ${skippedCount} skipped`);
  for (const { variant, threads, threadsReason } of builds) {
    const reason = threadsReason ? `: ${threadsReason}` : '';
    console.log(`  ran ${variant}, ${threads} thread${threads > 1 ? 's' : ''}${reason}`);
  }
  for (const note of notes) console.log(`  ${note}`);
  for (const { name, count, reason } of skipped) console.log(`  skipped ${name} (${count}): ${reason}`);
  for (const { name, message } of failed.slice(0, kShownFailures)) console.log(`  FAILED ${name}: ${message}`);
  if (failed.length > kShownFailures) console.log(`  and ${failed.length - kShownFailures} more`);
}

function usage(option, choices) {
  console.error(`--${option} is one of ${choices.join(', ')}`);
  process.exit(2);
}
