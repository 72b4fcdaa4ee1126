// The race: what the page shows is compared with what its workers told it.

import { readFileSync } from 'node:fs';
import { describeLayer } from '../../../bench/layer.js';
import { median } from '../../../bench/statistics.js';
import { Demo, expect, expectEqual } from './driver.mjs';
import { readMachine } from './machine.mjs';

const shapes = JSON.parse(readFileSync(new URL('../../../bench/shapes.json', import.meta.url)));
const layerOf = (name) => describeLayer(shapes.find((shape) => shape.name === name));
const lanes = ['ours', 'litert', 'tfjs', 'ort', 'plain'];

/** As the page writes what was measured. */
const measured = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3));

class Hands extends Demo {
  async choices(choices) {
    await this.open(`#race?${new URLSearchParams(choices)}`);
    await this.until(`!document.querySelector('#race-start').disabled`, 'the start button');
  }

  /** From now on the page keeps what workers say in `told`; `broken` is a lane whose worker fails. */
  async listen(broken = null) {
    await this.look(`void (() => {
      const Original = Worker;
      globalThis.told = [];
      globalThis.Worker = class extends Original {
        constructor(url, options) {
          super(options.name === 'race-${broken}' ? 'data:text/javascript,throw new Error("broken")' : url, options);
          this.addEventListener('message', ({ data }) => {
            if ('id' in data) told.push({ lane: options.name?.replace('race-', ''), ...data });
          });
        }
      };
    })()`);
  }

  status() {
    return this.text('#race-status');
  }

  async finish() {
    const status = `document.querySelector('#race-status').textContent`;
    await this.until(`/^Done|broke off/.test(${status})`, 'the end of the race');
    expectEqual(await this.status(), 'Done.', 'the end');
    await this.settle();
  }

  /** The texts of the cells of a layer's row, or of a library's. */
  row(key, layer = null) {
    const table = layer ? `#race-results [data-layer="${layer}"]` : '#race-libraries';
    return this.look(
      `Array.from(document.querySelectorAll('${table} [data-row=${key}] > *'), (cell) => cell.textContent)`,
    );
  }

  rowState(key, layer) {
    return this.look(`document.querySelector('#race-results [data-layer="${layer}"] [data-row=${key}]').dataset.state`);
  }

  /** What a lane's worker measured: the samples of its only entrant. */
  samples(lane) {
    return this.page.evaluate(
      `told.filter((message) => message.lane === '${lane}' && Array.isArray(message.value)).flatMap(({ value }) => value)`,
    );
  }

  standing(lane) {
    return this.page.evaluate(
      `told.find((message) => message.lane === '${lane}' && message.value?.standings)?.value.standings[0]`,
    );
  }

  /** That the rows of the only layer say what the workers measured, and agree on the output. */
  async expectTrue(name) {
    const layer = layerOf(name);
    // Two sums of so many terms in [-1, 1], each as far from the truth as float32 may be.
    const tolerance = 2 * (layer.sums + 2) * 2 ** -24 * (layer.sums + 1);
    const medians = {};
    for (const lane of lanes) {
      const samples = await this.samples(lane);
      expect(samples.length >= 5, `${lane} has ${samples.length} samples`);
      const time = (medians[lane] = median(samples));
      const { state, difference } = await this.standing(lane);
      const [, speed, shownTime, warmUp, count, shownDifference] = await this.row(lane, name);
      expectEqual(state, 'ready', lane);
      expectEqual(
        [speed, shownTime, count],
        [measured(layer.flops / time / 1e6), measured(time), samples.length.toLocaleString('en')],
        `${lane}: GFLOP/s, median, samples`,
      );
      expect(Number(warmUp) > 0, `${lane}: the warm-up took ${warmUp}`);
      if (lane === 'ours') {
        expectEqual([difference, shownDifference], [null, '✓'], 'our difference from ourselves');
      } else {
        expect(difference >= 0 && difference <= tolerance, `${lane} differs by ${difference}, allowed ${tolerance}`);
        const shown = difference === 0 ? '0' : difference.toExponential(1);
        expectEqual(shownDifference, `✓ ${shown}`, `${lane}: difference`);
      }
      const [, , first, download] = await this.row(lane);
      expect(/^\d+ ms$/.test(first) && /^[\d.]+ [KM]?i?B$/.test(download), `${lane}: ${first}, ${download}`);
    }
    const best = Math.min(...lanes.filter((lane) => lane !== 'ours').map((lane) => medians[lane]));
    const summary = await this.text('#race-summary');
    expect(summary.includes(`${(best / medians.ours).toFixed(2)} times as fast as the best other`), summary);
    const bars = await this.look(`Array.from(document.querySelectorAll('#race .bar'), (bar) => bar.clientWidth)`);
    const order = (numbers) => numbers.map((_, i) => i).sort((a, b) => numbers[a] - numbers[b] || a - b);
    const speeds = lanes.map((lane) => 1 / medians[lane]);
    expect(Math.max(...bars) > 50, `the bars are ${bars} wide`);
    const close = speeds.some((a, i) => speeds.some((b, j) => i !== j && Math.abs(a / b - 1) < 0.05));
    if (!close) expectEqual(order(bars), order(speeds), 'the order of the bars');
  }
}

const tests = {
  'what there is, and what is missing': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      await demo.open('#machine');
      const machine = await readMachine(demo);
      await demo.choices({});
      const names = await demo.look(
        `Array.from(document.querySelectorAll('#race [data-layer]'), (e) => e.dataset.layer)`,
      );
      expect(
        names.length > 3 && names.every((name) => shapes.some((shape) => shape.name === name)),
        `layers: ${names}`,
      );
      for (const [name, able] of [
        ['threads', machine.threads > 1],
        ['relaxed', machine.variant === 'relaxed'],
      ]) {
        expectEqual(await demo.look(`document.querySelector('#race-${name}').disabled`), !able, `${name} are missing`);
        const why = await demo.text(`#race-${name}-why`);
        expect(able !== why.startsWith('Not here: ') && why.length > 20, `${name}: "${why}"`);
      }
      const peers = await demo.look(`performance.getEntriesByType('resource').map(({ name }) => name)`);
      expectEqual(
        peers.filter((name) => /litert|tfjs|ort-/.test(name)),
        [],
        'what came before the start',
      );
    },
  },

  'a race, cancelled and run again': {
    everywhere: true,
    async run(demo) {
      await demo.choices({ 'race.layers': 'kws.40x16' });
      await demo.listen();
      await demo.click('#race-start');
      expectEqual(await demo.look(`document.querySelector('#race-start').disabled`), true, 'start, while it runs');
      await demo.until(`told.length > 0`, 'the first library');
      await demo.click('#race-cancel');
      await demo.until(`/^Cancelled/.test(document.querySelector('#race-status').textContent)`, 'the end');
      const heard = await demo.look('told.splice(0).length');
      expect(heard < 10, `${heard} messages came before it was cancelled`);
      const said = demo.takeLog().filter((line) => !/ABORTED/.test(line)); // what was on its way is given up
      expectEqual(said, [], 'what the console says');
      await demo.click('#race-start');
      await demo.finish();
      await demo.expectTrue('kws.40x16');
      const threads = demo.isolated ? await demo.look('Math.min(8, navigator.hardwareConcurrency)') : 1;
      const [, runs] = await demo.row('litert');
      expect(runs.startsWith(`${threads} thread`), `LiteRT.js runs on ${runs}, not ${threads}`);
      expectEqual(await demo.look(`document.querySelector('#race-half').disabled`), true, 'float16 for a small layer');
    },
  },

  'switches, and a copy of the results': {
    async run(demo) {
      await demo.choices({ 'race.layers': 'tcn.64' });
      await demo.listen();
      await demo.click('#race-half');
      await demo.click('#race-threads');
      await demo.click('#race-relaxed');
      await demo.choose('race-resident', 'false');
      expectEqual(await demo.text('#race-half-why'), 'Only timed where tensors stay.', 'why there is no float16');
      await demo.choose('race-resident', 'true');
      await demo.click('#race-start');
      await demo.finish();
      expectEqual(await demo.rowState('half', 'tcn.64'), 'timed', 'the row of float16');
      expectEqual((await demo.row('ours'))[1], 'SIMD, 1 thread, tensors in its own memory', 'what runs');
      const kept = await demo.look('decodeURIComponent(location.hash)');
      for (const part of ['layers=tcn.64', 'half=true', 'threads=false', 'relaxed=false']) {
        expect(kept.includes(`race.${part}`), `the address is ${kept}, without ${part}`);
      }

      await demo.click('#race-copy');
      await demo.until(`/^Copied/.test(document.querySelector('#race-status').textContent)`, 'the copy');
      await demo.look(
        `document.querySelector('#race').append(Object.assign(document.createElement('textarea'), { id: 'race-pasted' }))`,
      );
      await demo.native.focus('#race-pasted');
      await demo.native.keyboard.down('Control');
      await demo.native.keyboard.press('v');
      await demo.native.keyboard.up('Control');
      const text = await demo.value('race-pasted');
      const [, speed, time] = await demo.row('ours', 'tcn.64');
      const rows = text.split('\n').filter((line) => line.startsWith('| tcn.64'));
      expectEqual(rows.length, 1, 'rows in the copy');
      expect(rows[0].includes(`| ${time} ms, ${speed} (✓) |`), `the copy has ${rows[0]}`);
      expect(/\| LiteRT\.js \| 1 thread, tensors in its own memory \| \d+ ms \| [\d.]+ MiB \|/.test(text), text);

      await demo.look(`void (navigator.clipboard.writeText = () => Promise.reject(new Error('refused')))`);
      await demo.click('#race-copy');
      expect(/does not let/.test(await demo.status()), await demo.status());
      expectEqual((await demo.value('race-markdown')).split('\n')[0], text.split('\n')[0], 'the text to copy by hand');
    },
  },

  'a library that fails': {
    async run(demo) {
      await demo.choices({ 'race.layers': 'grouped32.256', 'race.threads': 'false', 'race.resident': 'false' });
      await demo.listen('ort');
      await demo.click('#race-start');
      await demo.finish();
      demo.takeLog(); // of the broken worker
      expect(/^Takes no part: its worker failed/.test((await demo.row('ort'))[1]), (await demo.row('ort'))[1]);
      expectEqual((await demo.row('ort', 'grouped32.256'))[1], 'takes no part', 'its row');
      expectEqual((await demo.row('tfjs', 'grouped32.256'))[1], 'has no such layer', 'a row without such a layer');
      for (const lane of ['ours', 'litert', 'plain']) {
        expectEqual(await demo.rowState(lane, 'grouped32.256'), 'timed', lane);
        expect(/1 thread, tensors in arrays$/.test((await demo.row(lane))[1]), (await demo.row(lane))[1]);
      }
    },
  },
};

export const race = { id: 'race', Hands, tests };
