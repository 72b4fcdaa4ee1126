// What holds for the page as a whole, whichever panel is open.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { serve } from '../server.mjs';
import { Demo, expect, expectEqual } from './driver.mjs';
import { readMachine } from './machine.mjs';

const root = fileURLToPath(new URL('../../../build/demo', import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const mostBytes = 250 * 1024;
const base = '/somewhere/else/';

const panelsOf = (demo) => demo.look(`Array.from(document.querySelectorAll('#nav a'), (a) => a.hash.slice(1))`);
const current = (demo) =>
  demo.look(`[
    Array.from(document.querySelectorAll('#nav [aria-current=page]'), (a) => a.hash.slice(1)),
    Array.from(document.querySelectorAll('.panel:not([hidden])'), (e) => e.id),
  ]`);

/** Opens each panel of the page that is there. */
async function forEachPanel(demo, action) {
  for (const panel of await panelsOf(demo)) {
    await demo.look(`void (location.hash = '${panel}')`);
    await demo.until(`document.querySelector('#${panel}:not([hidden]) .panel-body[data-state]')`, panel);
    await demo.settle();
    await action(panel);
  }
}

const tests = {
  'all panels, by link, keyboard and history': {
    async run(demo) {
      const panels = await panelsOf(demo);
      expectEqual(panels.length, 7, 'the number of panels');
      await forEachPanel(demo, async (panel) => {
        expectEqual(await current(demo), [[panel], [panel]], 'the panel that is open');
        const title = await demo.look('document.title');
        expect(title.startsWith(await demo.text(`#${panel} h2`)), `the title is ${title}`);
        expect(
          await demo.look(`document.querySelector('#${panel} .panel-body').childElementCount > 0`),
          `${panel} is empty`,
        );
      });
      await demo.native.goBack();
      await demo.until(`!document.querySelector('#${panels.at(-2)}').hidden`, 'the panel before');
      await demo.native.focus('#nav a');
      await demo.native.keyboard.press('Tab');
      await demo.native.keyboard.press('Enter');
      await demo.until(`!document.querySelector('#${panels[1]}').hidden`, 'the second panel');
      expectEqual(await current(demo), [[panels[1]], [panels[1]]], 'the panel that is open');
    },
  },

  'the state stays in the address from panel to panel': {
    async run(demo) {
      await demo.type('stride', 3);
      await demo.click('#nav a[href="#machine"]');
      await demo.click('#nav a[href="#code"]');
      await demo.until(`location.hash === '#code?playground.stride=3'`, 'the address');
      await demo.until(
        `/stride: 3,/.test(document.querySelector('#code-javascript')?.textContent)`,
        'code with the stride',
      );
      await demo.native.goBack();
      await demo.until(`location.hash === '#machine?playground.stride=3'`, 'the address of the panel before');
      // An address that somebody was sent, put into this very page.
      await demo.look(`void (location.hash = '#playground?playground.stride=5')`);
      await demo.until(`document.querySelector('#stride')?.value === '5'`, 'the stride of another address');
      await demo.ready();
    },
  },

  'every control has a name': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      await forEachPanel(demo, () => undefined);
      const nameless =
        await demo.look(`Array.from(document.querySelectorAll('input, select, textarea, button, [role=slider]'))
        .filter((e) => !(e.labels?.length || e.ariaLabel || e.getAttribute('aria-labelledby') || e.textContent.trim()))
        .map((e) => e.outerHTML)`);
      expectEqual(nameless, [], 'without a name');
      const ids = await demo.look(`Array.from(document.querySelectorAll('[id]'), (e) => e.id)`);
      const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
      expectEqual(twice, [], 'ids that two elements have');
    },
  },

  'axe finds nothing serious, in light and dark': {
    engines: ['chromium'],
    async run(demo) {
      for (const theme of ['light', 'dark']) {
        await demo.native.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
        await demo.open();
        await demo.native.evaluate(axe);
        await forEachPanel(demo, async (panel) => {
          const { violations } = await demo.native.evaluate(`axe.run(document, { resultTypes: ['violations'] })`);
          const serious = violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(
              ({ id, nodes }) =>
                `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
            );
          expectEqual(serious, [], `${panel}, ${theme}`);
        });
      }
      await demo.native.emulateMediaFeatures([]);
    },
  },

  'no panel jumps, at any width': {
    engines: ['chromium'], // which alone tells of shifts
    async run(demo) {
      const panels = await panelsOf(demo);
      for (const width of [360, 800, 1600]) {
        await demo.page.resize({ width, height: 900 });
        for (const panel of panels) {
          await demo.open(`#${panel}`);
          await demo.settle();
          const shifts = await demo.look(`new Promise((done) => {
            const found = [];
            new PerformanceObserver((list) => found.push(...list.getEntries())).observe({ type: 'layout-shift', buffered: true });
            setTimeout(() => done(found.map(({ value, sources }) =>
              [value, ...sources.map(({ node }) => node?.id || node?.className || node?.nodeName)])), 100);
          })`);
          const sum = shifts.reduce((total, [value]) => total + value, 0);
          expect(sum < 0.02, `${panel} at ${width} pixels moves: ${JSON.stringify(shifts)}`);
          const wide = await demo.look('document.documentElement.scrollWidth');
          expect(wide <= width, `${panel} at ${width} pixels is ${wide} wide`);
        }
      }
      await demo.page.resize({ width: 1280, height: 900 });
    },
  },

  'what everything weighs without the other libraries': {
    engines: ['chromium'],
    async run(demo) {
      const seen = new Set();
      const server = await serve({ root, isolated: true, seen });
      try {
        const other = new Demo(demo.page, server.url, true, 'playground', demo.engine);
        await other.open();
        await forEachPanel(other, () => undefined);
        await demo.native.goto('about:blank');
      } finally {
        await server.close();
      }
      const files = Array.from(seen, (path) => [
        path,
        gzipSync(readFileSync(`${root}${path.replace(/\/$/, '/index.html')}`)).length,
      ]);
      const total = files.reduce((sum, [, bytes]) => sum + bytes, 0);
      expect(
        files.some(([path]) => /\.wasm$/.test(path)),
        'no .wasm was loaded',
      );
      expect(total <= mostBytes, `${total} bytes, at most ${mostBytes}: ${JSON.stringify(files)}`);
    },
  },

  'under a path of a host without headers': {
    everywhere: true,
    engines: ['chromium', 'firefox'],
    async run(demo) {
      if (demo.isolated) return;
      const server = await serve({ root, isolated: false, base });
      try {
        expectEqual(new URL(server.url).pathname, base, 'the path');
        // Without the service worker: one thread, and the first result.
        const single = new Demo(demo.page, server.url, false, 'machine', demo.engine);
        await single.open();
        expectEqual((await readMachine(single)).threads, 1, 'threads without isolation');
        await single.open('#playground');
        await single.until(`document.querySelector('#output-veil').hidden`, 'the first result');

        // With it the page comes again, isolated.
        demo.takeLog();
        await demo.native.goto(`${server.url}#playground?playground.stride=2`).catch(() => undefined);
        await single.until(`crossOriginIsolated && document.querySelector('#output-veil')?.hidden`, 'isolation');
        expectEqual(await single.value('stride'), '2', 'the state after the service worker took over');
        await demo.look(`void (location.hash = 'machine')`);
        await demo.until(`document.querySelector('#machine-threads')?.textContent > 0`, 'the threads');
        const { threads } = await readMachine(single);
        const processors = await demo.look('navigator.hardwareConcurrency');
        expect(threads > 1 || processors === 1, `${threads} threads on ${processors} processors`);
        demo.takeLog(); // what the coming again broke off
        await demo.look(
          `navigator.serviceWorker.getRegistrations().then((all) => Promise.all(all.map((one) => one.unregister())))`,
        );
        await demo.native.goto('about:blank');
      } finally {
        await server.close();
      }
    },
  },
};

export const page = { id: 'playground', name: 'page', tests };
