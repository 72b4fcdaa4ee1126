// Streaming equals offline: what the panel says of the two outputs, recomputed from the outputs themselves.

import { Demo, expect, expectEqual, selectOptions } from './driver.mjs';

const kLength = 16384;

class Hands extends Demo {
  /** With the first stream through. */
  async open(hash) {
    await super.open(hash);
    await this.through();
  }

  async through() {
    await this.until(`document.querySelector('#streaming-view').ariaBusy === 'false'`, 'the end of the stream');
  }

  async figure(name) {
    return parseFloat((await this.text(`#streaming-${name}`)).replaceAll(',', ''));
  }

  /** Both outputs, as the page shows them. */
  async outputs() {
    await this.look(`document.querySelector('#streaming-values').open = true`);
    await this.until(`document.querySelector('#streaming-streamed-values').value !== ''`, 'the values');
    const read = async (id) => (await this.value(id)).split(', ').map(Number);
    return [await read('streaming-offline-values'), await read('streaming-streamed-values')];
  }

  /** That all is the same, by the page's figures and by the values. */
  async expectSame(outputs = kLength) {
    await this.through();
    expectEqual(await this.text('#streaming-difference'), '0', 'the difference');
    const total = outputs.toLocaleString('en');
    expectEqual(await this.text('#streaming-difference-note'), `0 of ${total} differ`, 'what differs');
    expect((await this.text('#streaming-verdict')).includes(`all ${total} outputs`), 'the verdict is another one');
    const [offline, streamed] = await this.outputs();
    expectEqual([offline.length, streamed.length], [outputs, outputs], 'the numbers of outputs');
    const apart = offline.findIndex((value, i) => !Object.is(value, streamed[i]));
    expect(apart < 0, `output ${apart} is ${streamed[apart]} instead of ${offline[apart]}`);
    expect(new Set(offline).size > outputs / 2, 'the output is nearly constant');
  }
}

const tests = {
  'the first stream': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      await demo.expectSame();
      expectEqual(
        await demo.figure('pushes'),
        Math.ceil(kLength / Number(await demo.value('streaming-chunk'))),
        'pushes',
      );
      for (const [plot, colour] of [
        ['streaming-input', '--input'],
        ['streaming-output', '--output'],
        ['streaming-output', '--ghost'],
      ]) {
        expect((await demo.painted(plot, colour)) > 100, `nothing is drawn in ${colour} in ${plot}`);
      }
      await demo.until(`/µs/.test(document.querySelector('#streaming-time').textContent)`, 'the time of a push');
    },
  },

  'what the address says': {
    looksOnly: true,
    async run(demo) {
      await demo.open('#streaming?streaming.network=gated&streaming.chunk=1&streaming.shape=chirp');
      expectEqual(await demo.value('streaming-shape'), 'chirp', 'the signal');
      expectEqual(await demo.figure('pushes'), kLength, 'pushes');
      await demo.expectSame();
      await demo.open('#streaming?streaming.network=strided&streaming.chunk=99&streaming.random=true&streaming.seed=3');
      expect((await demo.figure('pushes')) > kLength / 99, 'the cuts are not random');
      await demo.expectSame(kLength / 8);
      await demo.open('#streaming?streaming.network=nonsense&streaming.chunk=-7');
      expectEqual(await demo.value('streaming-chunk'), '1', 'the size');
      await demo.expectSame();
    },
  },

  'every network': {
    fieldsOnly: true,
    async run(demo) {
      const expected = {
        lowpass: [0, 101],
        centred: [50, 101],
        strided: [32, 65],
        dilated: [0, 1 + 2 * (2 ** 8 - 1)],
        gated: [0, 1 + 2 * (2 ** 10 - 1)],
      };
      expectEqual(await selectOptions(demo, 'streaming-network'), Object.keys(expected), 'the networks');
      for (const [network, figures] of Object.entries(expected)) {
        await demo.choose('streaming-network', network);
        await demo.expectSame(network === 'strided' ? kLength / 8 : kLength);
        expectEqual(
          [await demo.figure('latency'), await demo.figure('field')],
          figures,
          `${network}: latency and field`,
        );
      }
    },
  },

  'every signal': {
    async run(demo) {
      for (const shape of await selectOptions(demo, 'streaming-shape')) {
        await demo.choose('streaming-shape', shape);
        await demo.through();
        const [offline, streamed] = await demo.outputs();
        expect(offline.length === kLength && offline.every((value, i) => value === streamed[i]), `${shape} differs`);
      }
    },
  },

  'the size by keyboard and mouse': {
    async run(demo) {
      const size = async () => Number(await demo.value('streaming-chunk'));
      const expectPushes = async () => {
        await demo.expectSame();
        expectEqual(await demo.figure('pushes'), Math.ceil(kLength / (await size())), 'pushes');
      };
      await demo.native.focus('#streaming-slider');
      const visited = [];
      for (const key of ['End', 'ArrowLeft', 'Home', 'ArrowRight']) {
        await demo.native.keyboard.press(key);
        await demo.settle();
        await expectPushes();
        visited.push(await size());
      }
      expectEqual(visited, [4096, 3756, 1, 2], 'the sizes by keyboard');
      expectEqual(
        await demo.look(`document.querySelector('#streaming-slider').getAttribute('aria-valuetext')`),
        '2 samples',
        'what is told of the slider',
      );
      const { left, top, width, height } = await demo.box('#streaming-slider');
      await demo.native.mouse.move(left + width / 2, top + height / 2);
      await demo.native.mouse.down();
      await demo.native.mouse.move(left + width * 0.6, top + height / 2, { steps: 5 });
      const dragged = await size();
      await demo.native.mouse.up();
      await demo.settle();
      expect(dragged > 64 && dragged < 512, `the slider was dragged to ${dragged}`);
      await expectPushes();
      await demo.type('streaming-chunk', 441);
      await expectPushes();
      expectEqual(await size(), 441, 'the typed size');
    },
  },

  'random cuts': {
    fieldsOnly: true,
    async run(demo) {
      await demo.click('#streaming-random');
      await demo.expectSame();
      const seen = new Set();
      for (let i = 0; i < 4; ++i) {
        seen.add(await demo.figure('pushes'));
        await demo.click('#streaming-new-cuts');
        await demo.expectSame();
      }
      expect(seen.size > 1, `always ${[...seen]} pushes`);
    },
  },

  'a bit that is turned over': {
    fieldsOnly: true,
    async run(demo) {
      await demo.click('#streaming-flip');
      await demo.through();
      const [offline, streamed] = await demo.outputs();
      const apart = offline.flatMap((value, i) => (Object.is(value, streamed[i]) ? [] : [i]));
      expectEqual(apart, [kLength / 2], 'the outputs that differ');
      const difference = Math.abs(offline[apart[0]] - streamed[apart[0]]);
      expectEqual(await demo.figure('difference'), Number(difference.toPrecision(4)), 'the difference');
      expect(
        /: 1 of 16,384 outputs/.test(await demo.text('#streaming-verdict')),
        await demo.text('#streaming-verdict'),
      );
      await demo.click('#streaming-flip');
      await demo.expectSame();
    },
  },

  'a size that cannot be': {
    fieldsOnly: true,
    async run(demo) {
      // What was typed on the way counted.
      for (const [wrong, last] of [
        ['4097', 409],
        ['0', 409],
        ['1.5', 1],
      ]) {
        await demo.type('streaming-chunk', wrong);
        expectEqual(await demo.problem(), ['streaming-chunk', 'A whole number from 1 to 4,096.'], 'the problem');
        await demo.expectSame();
        expectEqual(await demo.figure('pushes'), Math.ceil(kLength / last), 'pushes');
      }
      await demo.type('streaming-chunk', 4096);
      expectEqual(await demo.problem(), null, 'the problem');
      await demo.expectSame();
      expectEqual(await demo.figure('pushes'), 4, 'pushes');
    },
  },

  'looking closer': {
    async run(demo) {
      await demo.type('streaming-chunk', 1);
      await demo.through();
      const crowded = () => demo.text('#streaming-cuts-note');
      expect(/cuts, closer than pixels/.test(await crowded()), `"${await crowded()}" about 2,500 cuts`);
      for (let i = 0; i < 6; ++i) await demo.click('#streaming-zoom-in');
      expectEqual(await crowded(), '', 'what is said of few cuts');
      await demo.click('#streaming-later');
      for (let i = 0; i < 12; ++i) await demo.click('#streaming-zoom-out');
      expect((await crowded()).startsWith('16,383 cuts'), await crowded());
    },
  },
};

export const streaming = { id: 'streaming', Hands, tests };
