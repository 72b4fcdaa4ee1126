// Looks into the packed package, then installs it for each of its users and runs what they make of it.
//   node tests/package/run.mjs [--only NAME]
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { forEachAtOnce, say } from '../../scripts/lib/run.mjs';
import { engines } from '../browser/engines.mjs';
import { consumers } from './consumers.mjs';
import { contents } from './contents.mjs';
import { installInto, output, prepare } from './install.mjs';

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const names = [...Object.keys(contents), ...Object.keys(consumers)];
if (values.only && !names.includes(values.only)) {
  console.error(`--only is one of: ${names.join('; ')}`);
  process.exit(2);
}
const chosen = (table) => Object.keys(table).filter((name) => name === (values.only ?? name));

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

async function startBrowsers() {
  const started = await Promise.all([engines.chromium(), engines.firefox()]);
  return started.filter((browser) => browser !== null);
}

const packed = await prepare();
for (const name of chosen(contents)) await test(name, () => contents[name](packed));
// Each of those under way has browsers of its own, for a page in the background is not given much time.
const idle = [];
await forEachAtOnce(chosen(consumers), async (name) => {
  const browsers = idle.pop() ?? (await startBrowsers());
  await testConsumer(browsers, packed.tarball, name).catch((error) => test(name, () => Promise.reject(error)));
  idle.push(browsers);
});
for (const browser of idle.flat()) await browser.close();
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
