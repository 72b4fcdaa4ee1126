// The demo page, built and served as a user gets it, and used as a person uses it: with mouse and keyboard in Chromium and
// Firefox; in WebKitGTK, whose driver knows fields and buttons alone, what needs no more. Each panel has its tests in demo/.

import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { Demo, expect } from './demo/driver.mjs';
import { code } from './demo/code.mjs';
import { machine, readMachine } from './demo/machine.mjs';
import { page as wholePage } from './demo/page.mjs';
import { playground } from './demo/playground.mjs';
import { race } from './demo/race.mjs';
import { receptiveField } from './demo/receptive-field.mjs';
import { sound } from './demo/sound.mjs';
import { streaming } from './demo/streaming.mjs';
import { serve } from './server.mjs';

/**
 * What is tested: `run` gets a `Hands` (or a plain Demo) that has the panel open.
 * @typedef {object} Test
 * @property {(demo: Demo) => Promise<void>} run
 * @property {boolean} [everywhere]  also without the isolation headers
 * @property {boolean} [looksOnly]  takes no mouse or keyboard; WebKitGTK runs it, too
 * @property {boolean} [fieldsOnly]  takes no more than `click`, `type` and `choose`; WebKitGTK runs it, too
 * @property {string[]} [engines]  only these
 *
 * `id` is the panel's; `name` what the tests are called by, if it is another.
 * @type {{ id: string, name?: string, Hands?: typeof Demo, tests: Record<string, Test> }[]}
 */
const panels = [wholePage, playground, code, receptiveField, race, sound, streaming, machine];

const inRoot = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

let built = null;

/** Builds the page once for all engines. */
function buildPage() {
  built ??= build({ configFile: inRoot('web-demo/vite.config.ts'), logLevel: 'error' });
  return built;
}

/**
 * @param {import('./engines.mjs').Engine} engine
 * @param {{ isolated: boolean, only?: string }} options  `only`: the tests whose name has these words
 * @returns {Promise<{ builds: object[], passed: number, failed: object[], skipped: object[] }>}
 */
export async function testDemo(engine, { isolated, only = '' }) {
  await buildPage();
  const server = await serve({ root: inRoot('build/demo'), isolated });
  const result = { builds: [], passed: 0, failed: [], skipped: [] };
  try {
    const page = await engine.open('about:blank');
    if (!page.native && engine.name !== 'webkit')
      throw new Error(`${engine.name}: no native page to click and type in`);
    page.native?.on('console', (message) => {
      if (/^warn/.test(message.type())) page.log.push(message.text());
    });
    const onMachine = new Demo(page, server.url, isolated, 'machine', engine.name);
    await onMachine.open();
    result.builds.push(await readMachine(onMachine));
    for (const { id, name: group = id, tests, Hands = Demo } of panels) {
      const demo = new Hands(page, server.url, isolated, id, engine.name);
      for (const [name, test] of Object.entries(tests)) {
        if ((!isolated && !test.everywhere) || !`${group}: ${name}`.includes(only)) continue;
        const reason = whyNot(test, engine, page);
        if (reason) skip(result, group, reason);
        else await runTest(result, `${group}: ${name}`, test, demo);
      }
    }
    await page.close();
  } finally {
    await server.close();
  }
  return result;
}

/** Counts those of a panel that share a reason. */
function skip({ skipped }, name, reason) {
  const same = skipped.find((other) => other.name === name && other.reason === reason);
  if (same) ++same.count;
  else skipped.push({ name, count: 1, reason });
}

function whyNot({ engines, looksOnly, fieldsOnly }, engine, page) {
  if (engines && !engines.includes(engine.name)) return `for ${engines.join(' and ')}`;
  return page.native || looksOnly || fieldsOnly
    ? null
    : 'this driver has no mouse and keyboard but for fields and buttons';
}

async function runTest(result, name, { run }, demo) {
  try {
    await demo.open();
    await run(demo);
    const said = demo.takeLog();
    expect(said.length === 0, `the console says ${said.join('; ')}`);
    ++result.passed;
  } catch (error) {
    result.failed.push({ name, message: error.message });
    demo.takeLog();
  }
}
