// The demo page, built and served as a user gets it, and used as a person uses it: with mouse and keyboard in Chromium and
// Firefox; in WebKitGTK, whose driver here only looks, the first result. What the page shows is compared with demo/reference.mjs.

import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { convolve } from './demo/reference.mjs';
import { serve } from './server.mjs';

const inRoot = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

let built = null;

/** Builds the page once for all engines. */
function buildPage() {
  built ??= build({ configFile: inRoot('web-demo/vite.config.ts'), logLevel: 'error' });
  return built;
}

/**
 * @param {import('./engines.mjs').Engine} engine
 * @param {{ isolated: boolean }} options
 * @returns {Promise<{ builds: object[], passed: number, failed: object[], skipped: object[] }>}
 */
export async function testDemo(engine, { isolated }) {
  await buildPage();
  const server = await serve({ root: inRoot('build/demo'), isolated });
  const result = { builds: [], passed: 0, failed: [], skipped: [] };
  try {
    const page = await engine.open(server.url);
    const hands = page.native !== undefined;
    if (!hands && engine.name !== 'webkit') throw new Error(`${engine.name}: no native page to click and type in`);
    const demo = new Demo(page, server.url, isolated);
    const names = Object.keys(tests).filter((name) => isolated || tests[name].everywhere);
    const able = names.filter((name) => hands || tests[name].looksOnly);
    await demo.ready();
    result.builds.push(await demo.machine());
    for (const name of able) await runTest(result, name, demo);
    if (able.length < names.length) {
      result.skipped.push({
        name: 'using',
        count: names.length - able.length,
        reason: 'this driver cannot click and type here',
      });
    }
    await page.close();
  } finally {
    await server.close();
  }
  return result;
}

async function runTest(result, name, demo) {
  try {
    await demo.open();
    await tests[name].run(demo);
    const said = demo.takeLog();
    expect(said.length === 0, `the console says ${said.join('; ')}`);
    ++result.passed;
  } catch (error) {
    result.failed.push({ name, message: error.message });
    demo.takeLog();
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

function expectEqual(got, expected, what) {
  const [a, b] = [got, expected].map((value) => JSON.stringify(value));
  expect(a === b, `${what} is ${brief(a)}, expected ${brief(b)}`);
}

const brief = (text) => (text?.length > 300 ? `${text.slice(0, 300)}...` : text);

// ---- the page in somebody's hands

const kReadyLimit = 60_000; // ends a page that never gets ready, says nothing about speed

class Demo {
  #warnings = [];

  constructor(page, url, isolated) {
    this.page = page;
    this.native = page.native;
    this.url = url;
    this.isolated = isolated;
    this.native?.on('console', (message) => {
      if (/^warn/.test(message.type())) this.#warnings.push(message.text());
    });
  }

  /** What the console got since the last time. */
  takeLog() {
    return [...this.page.log.splice(0), ...this.#warnings.splice(0)];
  }

  /** A fresh page with its first result, and the fields that show values open. */
  async open() {
    if (this.native) await this.native.goto(this.url);
    await this.ready();
    await this.look(`document.querySelectorAll('details').forEach((details) => { details.open = true; })`);
    await this.until(`document.querySelector('#output-values').value !== ''`, 'the values');
  }

  async ready() {
    await this.until(`document.querySelector('#pill').dataset.state !== 'loading'`, 'the library');
  }

  /** The value of an expression in the page. */
  look(expression) {
    return this.page.evaluate(`(() => (${expression}))()`);
  }

  async until(condition, what) {
    const end = Date.now() + kReadyLimit;
    while (!(await this.look(`Boolean(${condition})`))) {
      expect(Date.now() < end, `${what} did not come`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** An edit is on screen one frame later. */
  async settle() {
    await this.page.evaluate(
      'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))',
    );
  }

  text(selector) {
    return this.look(`document.querySelector('${selector}').textContent.trim().replace(/\\s+/g, ' ')`);
  }

  value(id) {
    return this.look(`document.querySelector('#${id}').value`);
  }

  /** Types into a field in place of what is there. */
  async type(id, text) {
    await this.native.focus(`#${id}`);
    await this.native.keyboard.down('Control');
    await this.native.keyboard.press('a');
    await this.native.keyboard.up('Control');
    await this.native.keyboard.press('Delete');
    await this.native.keyboard.type(String(text));
    await this.settle();
  }

  async choose(id, value) {
    await this.native.select(`#${id}`, value);
    await this.settle();
  }

  async click(selector) {
    await this.native.click(selector);
    await this.settle();
  }

  async set(fields) {
    for (const [id, value] of Object.entries(fields)) {
      const isSelect = await this.look(`document.querySelector('#${id}').matches('select')`);
      await (isSelect ? this.choose(id, value) : this.type(id, value));
    }
  }

  /** Channels of numbers as a text field shows them. */
  async channels(id) {
    const text = await this.value(id);
    return text.split('\n').map((line) => line.split(',').map(Number));
  }

  async taps() {
    return (await this.value('taps')).split(/[\s,;]+/).map(Number);
  }

  /** Compares the output that the page shows with the definition. */
  async expectOutput(options = {}, kernel = null) {
    const taps = await this.taps();
    const input = await this.channels('input-values');
    const output = await this.channels('output-values');
    const { output: expected, tolerance } = convolve(input, kernel ?? (() => taps), options);
    expectEqual(
      output.map((channel) => channel.length),
      expected.map((channel) => channel.length),
      'the length of the output channels',
    );
    expected.forEach((channel, o) => {
      channel.forEach((value, t) => {
        const off = Math.abs(Math.fround(output[o][t]) - value);
        expect(off <= tolerance[o][t], `output ${t} of channel ${o} is ${output[o][t]}, expected ${value}`);
      });
    });
    const { left = 0, right = 0, stride = 1, dilation = 1 } = options;
    const terms = [input[0].length, left, right, dilation, taps.length, stride, expected[0].length];
    expectEqual(
      await this.look(`Array.from(document.querySelectorAll('#formula b'), (b) => Number(b.textContent))`),
      terms,
      'the formula',
    );
    expectEqual(await this.problem(), null, 'the problem');
  }

  /** The sentence on what is wrong and the field that it is at, or null. */
  problem() {
    return this.look(`(() => {
      const field = document.querySelector('[aria-invalid=true]');
      return field && [field.id, document.getElementById(field.getAttribute('aria-describedby')).textContent];
    })()`);
  }

  machine() {
    return this.look(`({
      variant: document.querySelector('#machine').textContent.match(/The (\\w+) build/)?.[1],
      threads: Number(document.querySelector('#threads').textContent),
      threadsReason: document.querySelector('#machine').textContent.match(/Why not more: (.*)\\.$/)?.[1],
    })`);
  }

  box(selector) {
    return this.look(`(({ left, top, width, height }) => ({ left, top, width, height }))(
      document.querySelector('${selector}').getBoundingClientRect())`);
  }

  async show(selector) {
    await this.look(`document.querySelector('${selector}').scrollIntoView({ block: 'center' })`);
    await this.settle();
  }

  /** How many pixels of a plot's canvas have about the colour of a CSS variable. */
  painted(plot, variable) {
    return this.look(`(() => {
      const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('${variable}').trim();
      probe.fillRect(0, 0, 1, 1);
      const wanted = probe.getImageData(0, 0, 1, 1).data;
      const canvas = document.querySelector('#${plot} canvas');
      const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
      const context = copy.getContext('2d', { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, copy.width, copy.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) {
        const near = (c) => Math.abs(data[i + c] - wanted[c]) < 24;
        if (data[i + 3] > 200 && near(0) && near(1) && near(2)) ++count;
      }
      return count;
    })()`);
  }
}

/** 'same' padding: ceil(length / stride) outputs, the odd sample on the right. */
function same(length, taps, stride = 1, dilation = 1) {
  const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + dilation * (taps - 1) + 1 - length);
  return { left: Math.floor(total / 2), right: Math.ceil(total / 2) };
}

const options = (demo, id) => demo.look(`Array.from(document.querySelectorAll('#${id} option'), (o) => o.value)`);

// ---- what is tested; `everywhere`: without isolation headers, too; `looksOnly`: takes no mouse or keyboard

const tests = {
  'the first result': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      const taps = await demo.taps();
      await demo.expectOutput(same((await demo.channels('input-values'))[0].length, taps.length));
      for (const [plot, colour] of [
        ['input-plot', '--input'],
        ['kernel-plot', '--kernel'],
        ['output-plot', '--output'],
      ]) {
        expect((await demo.painted(plot, colour)) > 100, `nothing is drawn in ${plot}`);
      }
      const { variant, threads, threadsReason } = await demo.machine();
      expect(variant === 'relaxed' || variant === 'simd', `the variant is ${variant}`);
      const canThread = await demo.look(`typeof SharedArrayBuffer !== 'undefined'`);
      if (!canThread) expectEqual(threads, 1, 'threads');
      const missing = canThread ? /./ : demo.isolated ? /no SharedArrayBuffer/ : /Opener-Policy.*Embedder-Policy/;
      expect(threads >= 1 && missing.test(threadsReason), `${threads} threads, because "${threadsReason}"`);
      for (const id of ['build', 'time', 'memory', 'explain']) {
        expect(/\w/.test(await demo.text(`#${id}`)), `${id} is empty`);
      }
    },
  },

  'every signal': {
    async run(demo) {
      const seen = new Set();
      for (const shape of await options(demo, 'shape')) {
        await demo.set({ shape, length: 257 });
        await demo.expectOutput(same(257, 25));
        seen.add(await demo.value('input-values'));
      }
      expectEqual(seen.size, 8, 'the number of different signals');
      await demo.set({ shape: 'sines', length: 10000 });
      await demo.expectOutput(same(10000, 25));
    },
  },

  'every preset': {
    async run(demo) {
      const seen = new Set();
      for (const preset of await options(demo, 'preset')) {
        await demo.choose('preset', preset);
        const taps = await demo.taps();
        expectEqual(taps.length, Number(await demo.value('tap-count')), `${preset}: taps`);
        await demo.expectOutput(same(600, taps.length));
        seen.add(taps.join());
      }
      expectEqual(seen.size, 10, 'the number of different kernels');
      await demo.set({ preset: 'lowpass', 'tap-count': 101, 'parameter-0': 0.02 });
      const taps = await demo.taps();
      const sum = taps.reduce((a, b) => a + b, 0);
      expect(taps.length === 101 && Math.abs(sum - 1) < 1e-3, `${taps.length} taps with the sum ${sum}`);
      await demo.expectOutput(same(600, 101));
    },
  },

  'typed taps': {
    everywhere: true,
    async run(demo) {
      await demo.set({ taps: '1, 0 -2.5e-1;0.125', padding: 'valid' });
      expectEqual(await demo.value('preset'), 'custom', 'the preset');
      expectEqual(await demo.value('kernelSize'), '4', 'the kernel size');
      await demo.expectOutput({}, () => [1, 0, -0.25, 0.125]);
      await demo.click('#reverse');
      await demo.expectOutput({}, () => [0.125, -0.25, 0, 1]);
      await demo.click('#normalise');
      expectEqual((await demo.taps()).reduce((a, b) => a + b, 0).toFixed(3), '1.000', 'the sum');
    },
  },

  'a dragged tap': {
    async run(demo) {
      await demo.set({ preset: 'average', 'tap-count': 9 });
      await demo.show('#kernel-plot');
      const { left, top, width, height } = await demo.box('#kernel-plot .u-over');
      // moves along until the page says that this is tap 3
      let x = left;
      for (; !/^w\[3\]/.test(await demo.text('#kernel-readout')); x += 5) {
        expect(x < left + width, 'no place of the plot is tap 3');
        await demo.native.mouse.move(x, top + height / 2);
        await demo.settle();
      }
      const before = await demo.taps();
      await demo.native.mouse.down();
      await demo.native.mouse.move(x, top + height * 0.6, { steps: 4 });
      await demo.native.mouse.move(x, top + height * 0.25, { steps: 4 });
      await demo.settle();
      const during = await demo.taps();
      await demo.expectOutput(same(600, 9));
      await demo.native.mouse.up();
      await demo.settle();
      const after = await demo.taps();
      expectEqual(after, during, 'the taps after letting go');
      const changed = after.flatMap((tap, k) => (tap === before[k] ? [] : [k]));
      expectEqual(changed, [3], 'the taps that changed');
      expect(after[3] > 0.07 && after[3] < 0.13, `tap 3 became ${after[3]}`);
      expectEqual(await demo.value('preset'), 'custom', 'the preset');
    },
  },

  'taps by keyboard': {
    async run(demo) {
      await demo.type('taps', '0.5 0.5 0.5');
      await demo.native.focus('#kernel-plot');
      for (const key of ['ArrowRight', 'Delete', 'ArrowRight', 'ArrowUp']) await demo.native.keyboard.press(key);
      await demo.settle();
      const [first, second, third] = await demo.taps();
      expect(first === 0.5 && second === 0 && third > 0.5 && third < 0.6, `the taps are ${[first, second, third]}`);
      await demo.expectOutput(same(600, 3));
      expect(
        /tap 2 of 0 to 2/.test(await demo.look(`document.querySelector('#kernel-plot').ariaValueText`)),
        'it is not told',
      );
    },
  },

  'stride, dilation and padding': {
    async run(demo) {
      await demo.set({ length: 101, taps: '1 2 3 4', stride: 3, dilation: 2 });
      await demo.expectOutput({ stride: 3, dilation: 2, ...same(101, 4, 3, 2) });
      await demo.choose('padding', 'causal');
      await demo.expectOutput({ stride: 3, dilation: 2, left: 6 });
      await demo.set({ padding: 'both ends', padLeft: 5, stride: 2 });
      await demo.expectOutput({ stride: 2, dilation: 2, left: 5, right: 5 });
      await demo.set({ padding: 'left, right', padLeft: 7, padRight: 2 });
      for (const mode of await options(demo, 'paddingMode')) {
        await demo.choose('paddingMode', mode);
        await demo.expectOutput({ stride: 2, dilation: 2, left: 7, right: 2, mode });
      }
    },
  },

  'channels, groups and one kernel of many': {
    async run(demo) {
      const taps = [0.25, 0.5, 0.25];
      await demo.set({ length: 64, taps: taps.join(' '), inChannels: 4, outChannels: 2 });
      await demo.expectOutput({ outChannels: 2, ...same(64, 3) });
      await demo.type('groups', 2);
      await demo.expectOutput({ outChannels: 2, groups: 2, ...same(64, 3) });
      const cell = '[aria-label="Kernel from input channel 4 to output channel 2"]';
      await demo.click(cell);
      await demo.type('taps', '1 0 -1');
      const kernel = (o, c) => (o === 1 && c === 3 ? [1, 0, -1] : taps);
      await demo.expectOutput({ outChannels: 2, groups: 2, ...same(64, 3) }, kernel);
      expectEqual(
        await demo.look(`document.querySelectorAll('#kernel-grid button:enabled').length`),
        5,
        'kernels to choose',
      );
      await demo.native.keyboard.press('Tab');
      await demo.set({ inChannels: 2, groups: 2 });
      await demo.expectOutput({ outChannels: 2, groups: 2, ...same(64, 3) }, () => taps);
    },
  },

  'bias, activation and float16': {
    async run(demo) {
      await demo.set({ length: 90, taps: '1 -2 1', biasValue: -0.3 });
      await demo.expectOutput({ bias: -0.3, ...same(90, 3) });
      for (const activation of ['relu', 'silu', 'tanh', 'sigmoid']) {
        await demo.choose('activation', activation);
        await demo.expectOutput({ bias: -0.3, activation, ...same(90, 3) });
      }
      await demo.set({ activation: 'leaky_relu', slope: 0.2 });
      await demo.expectOutput({ bias: -0.3, activation: 'leaky_relu', slope: 0.2, ...same(90, 3) });
      await demo.set({ dtype: 'float16', computeMode: 'float32', algorithm: 'direct' });
      await demo.expectOutput({ bias: -0.3, activation: 'leaky_relu', slope: 0.2, half: true, ...same(90, 3) });
      await demo.click('#bias');
      await demo.expectOutput({ activation: 'leaky_relu', slope: 0.2, half: true, ...same(90, 3) });
      expect(/dtype=float16/.test(await demo.text('#layer-text')), 'the layer in one line has no dtype');
    },
  },

  'what is wrong is said where it is wrong': {
    async run(demo) {
      await demo.set({ inChannels: 4, outChannels: 4, groups: 2 });
      const good = await demo.value('output-values');
      const wrong = [
        ['groups', '3', 'groups', /^4 input channels cannot be split into 3 equal groups\.$/],
        ['groups', '0', 'groups', /^Groups must be an integer >= 1, got 0\.$/],
        ['groups', '', 'groups', /^Type a number/],
        ['inChannels', '9', 'inChannels', /up to 4 channels/],
        ['inChannels', '3', 'inChannels', /3 input channels cannot be split into 2/],
        ['stride', '1.5', 'stride', /^Stride must be an integer/],
        ['length', '0', 'length', /from 1 to 10,000/],
        ['taps', '1, two', 'taps', /“two” is not a number/],
        ['taps', ' ', 'taps', /at least one/],
        ['tap-count', '0', 'tap-count', /from 1 to 1,000 taps/],
        ['biasValue', '', 'biasValue', /Type a number/],
        ['convMode', 'convolution', 'convMode', /reverse each kernel/],
      ];
      for (const [id, value, field, sentence] of wrong) {
        const was = await demo.value(id);
        await demo.set({ [id]: value });
        const problem = await demo.problem();
        expect(
          problem?.[0] === field && sentence.test(problem[1]),
          `${id} = "${value}" says ${JSON.stringify(problem)}`,
        );
        // The beginning of what was typed into the taps was good.
        if (id !== 'taps') expectEqual(await demo.value('output-values'), good, `${id} = "${value}": the output`);
        expect(
          /^This is the last good output/.test(await demo.text('#stale')),
          `${id} = "${value}": no word at the output`,
        );
        await demo.set({ [id]: was });
        expectEqual(await demo.problem(), null, `${id} is "${was}" again: the problem`);
        expectEqual(await demo.value('output-values'), good, `${id} is "${was}" again: the output`);
      }
      await demo.set({ groups: 3 });
      expectEqual(
        await demo.text('#stale'),
        'This is the last good output. ERR_OPTION: inChannels (4) must be divisible by groups (3)',
        "the library's own words",
      );
    },
  },

  'shapes that do not fit': {
    async run(demo) {
      await demo.set({ padding: 'valid', length: 20 });
      expect(
        /spans 25 samples, the padded signal has 20/.test((await demo.problem())?.[1]),
        `it says ${await demo.problem()}`,
      );
      await demo.set({ padding: 'same', paddingMode: 'reflect', length: 12 });
      expect(/at most 11, not 12/.test((await demo.problem())?.[1]), `it says ${await demo.problem()}`);
      await demo.type('length', 13);
      await demo.expectOutput({ ...same(13, 25), mode: 'reflect' });
      await demo.set({ paddingMode: 'circular', length: 11 });
      expect(/at most 11 samples, not 12/.test((await demo.problem())?.[1]), `it says ${await demo.problem()}`);
      await demo.set({ paddingMode: 'zeros', length: 1, taps: '3' });
      await demo.expectOutput();
    },
  },

  'cursor and zoom go together': {
    async run(demo) {
      await demo.show('#output-plot');
      const over = await demo.box('#output-plot .u-over');
      await demo.native.mouse.move(over.left + over.width / 2, over.top + over.height / 2);
      await demo.until(
        `/^y\\[/.test(document.querySelector('#output-readout').textContent)`,
        'the output under the cursor',
      );
      const output = await demo.text('#output-readout');
      const input = await demo.text('#input-readout');
      expectEqual(input.match(/\[(\d+)\]/)?.[1], output.match(/\[(\d+)\]/)?.[1], 'the sample');
      const band = await demo.box('#input-plot .band');
      const perSample = (await demo.box('#input-plot .u-over')).width / 599;
      expect(Math.abs(band.width - 24 * perSample - 8) < 2, `the window of 25 taps is ${band.width} wide`);

      const ticks = () => demo.painted('input-plot', '--input');
      const before = await ticks();
      await demo.native.mouse.move(over.left + over.width * 0.3, over.top + 20);
      await demo.native.mouse.down();
      await demo.native.mouse.move(over.left + over.width * 0.4, over.top + 30, { steps: 5 });
      await demo.native.mouse.up();
      await demo.until(`!document.querySelector('#reset-zoom').disabled`, 'the zoom');
      const near = (await demo.box('#input-plot .band')).width;
      expect(near > 5 * band.width, `zoomed in, the window is ${near} wide, before it was ${band.width}`);
      expect((await ticks()) !== before, 'the input is drawn as before');
      await demo.click('#reset-zoom');
      await demo.until(`document.querySelector('#reset-zoom').disabled`, 'the end of the zoom');

      await demo.native.focus('#input-plot');
      await demo.native.keyboard.press('Home');
      await demo.native.keyboard.press('ArrowRight');
      await demo.until(
        `/^x\\[1\\]/.test(document.querySelector('#input-readout').textContent)`,
        'sample 1 by keyboard',
      );
      await demo.native.keyboard.press('+');
      await demo.until(`!document.querySelector('#reset-zoom').disabled`, 'the zoom by keyboard');
      await demo.native.keyboard.press('Escape');
      await demo.until(`document.querySelector('#reset-zoom').disabled`, 'the end of the zoom by keyboard');
    },
  },

  'every width, without a jump': {
    async run(demo) {
      for (const width of [360, 390, 800, 861, 1280, 1920]) {
        await demo.page.resize({ width, height: 900 });
        await demo.native.goto(demo.url);
        // Where everything is before the library is there, and after; what runs is said at the end of the last card.
        const places = `JSON.stringify(Array.from(document.querySelectorAll('.card, .plot, .field, .formula, .tiles div'), (e) => {
          const { left, top, width, height } = e.getBoundingClientRect();
          return [left, top, width, e.matches('.card') ? 0 : height].map(Math.round);
        }))`;
        const early = await demo.look(places);
        await demo.ready();
        await demo.settle();
        expectEqual(await demo.look(places), early, `at ${width} pixels: what moved`);
        const wide = await demo.look('document.documentElement.scrollWidth');
        expect(wide <= width, `at ${width} pixels the page is ${wide} wide`);
      }
      await demo.page.resize({ width: 1280, height: 900 });
    },
  },

  'every control has a name': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      const nameless =
        await demo.look(`Array.from(document.querySelectorAll('input, select, textarea, button, [role=slider]'))
        .filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim())).map((e) => e.outerHTML)`);
      expectEqual(nameless, [], 'without a name');
      const ids = await demo.look(`Array.from(document.querySelectorAll('[id]'), (e) => e.id)`);
      expectEqual(new Set(ids).size, ids.length, 'the number of different ids');
    },
  },

  'the page before the library, and without it': {
    async run(demo) {
      const { native } = demo;
      let held = null;
      const onRequest = (request) => {
        if (/\.wasm$/.test(request.url())) held = request;
        else void request.continue();
      };
      await native.setRequestInterception(true);
      native.on('request', onRequest);
      try {
        await native.goto(demo.url);
        while (!held) await new Promise((resolve) => setTimeout(resolve, 20));
        expectEqual(await demo.text('#pill'), 'Loading', 'the state');
        expect((await demo.painted('input-plot', '--input')) > 100, 'no input is drawn yet');
        expect((await demo.painted('kernel-plot', '--kernel')) > 100, 'no kernel is drawn yet');
        await demo.type('taps', '1 2 3');
        await held.respond({ status: 404, contentType: 'text/html', body: '<!doctype html>no' });
        await demo.ready();
        expectEqual(await demo.text('#pill'), 'Not loaded', 'the state');
        expect(
          /could not be loaded.*404/.test(await demo.text('#output-veil')),
          `it says ${await demo.text('#output-veil')}`,
        );
        demo.takeLog(); // browsers write the 404 there themselves
      } finally {
        native.off('request', onRequest);
        await native.setRequestInterception(false);
      }
    },
  },
};
