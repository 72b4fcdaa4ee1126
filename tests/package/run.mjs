// Installs the packed package for each of its users, and runs what they make of it.
//   node tests/package/run.mjs [--only NAME]
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { say } from '../../scripts/lib/run.mjs';
import { engines } from '../browser/engines.mjs';
import { consumers } from './consumers.mjs';
import { installInto, output, prepare } from './install.mjs';

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const chosen = Object.keys(consumers).filter((name) => name === (values.only ?? name));
if (chosen.length === 0) {
  console.error(`--only is one of: ${Object.keys(consumers).join('; ')}`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };

async function test(name, body) {
  try {
    await body();
    ++total.passed;
    say(`passed: ${name}`);
  } catch (error) {
    ++total.failed;
    say(`FAILED: ${name}\n${error.message}`);
  }
}

function compare(checked, expected) {
  const [got, wanted] = [checked, expected].map((names) => names.toSorted().join(', '));
  if (got !== wanted) throw new Error(`it checked ${got}; expected ${wanted}`);
}

async function testProgram(folder, { program, checks }) {
  const text = await output(program, folder);
  if (checks) compare(JSON.parse(text), checks);
}

async function testHtml(url, expected) {
  const html = await (await fetch(url)).text();
  if (!html.includes(expected)) throw new Error(`the server sent no "${expected}" in ${html.length} characters`);
}

async function testPage(browsers, name, folder, { how, serve, checks, html }) {
  const { url, close } = await serve(folder);
  try {
    if (html) await test(`${name}, rendered on the server`, () => testHtml(url, html));
    for (const browser of browsers) {
      const title = `${name} in ${browser.name}, ${how}`;
      await test(title, async () => compare((await browser.run(url)).checked, checks));
    }
  } finally {
    await close();
  }
}

async function testConsumer(browsers, tarball, name) {
  const { source, needs, build = [], program, pages = [], ...rest } = consumers[name];
  if (needs && !existsSync(needs)) {
    ++total.skipped;
    say(`skipped: ${name}, which npm has for Linux on x64 alone`);
    return;
  }
  const folder = await installInto(name, tarball, source);
  for (const command of build) await output(command, folder);
  if (program) await test(name, () => testProgram(folder, { program, ...rest }));
  for (const page of pages) await testPage(browsers, name, folder, page);
}

const tarball = await prepare();
const started = await Promise.all([engines.chromium(), engines.firefox()]);
const browsers = started.filter((browser) => browser !== null);
for (const name of chosen) {
  await testConsumer(browsers, tarball, name).catch((error) => test(name, () => Promise.reject(error)));
}
for (const browser of browsers) await browser.close();
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
