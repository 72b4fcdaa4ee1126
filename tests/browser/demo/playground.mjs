// The playground: what its output shows is compared with reference.mjs.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import wavefile from 'wavefile';
import { Demo, expect, expectEqual, same, selectOptions as options } from './driver.mjs';
import { convolve } from './reference.mjs';

class Hands extends Demo {
  /** With its first result, and the fields that show values open. */
  async open(hash) {
    await super.open(hash);
    await this.look(`document.querySelectorAll('details').forEach((details) => { details.open = true; })`);
    await this.until(`document.querySelector('#output-values').value !== ''`, 'the values');
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
}

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
      for (const id of ['time', 'memory', 'explain']) {
        expect(/\w/.test(await demo.text(`#${id}`)), `${id} is empty`);
      }
    },
  },

  'every signal': {
    async run(demo) {
      const seen = new Set();
      const shapes = await options(demo, 'shape');
      for (const shape of shapes.filter((name) => name !== 'drawn' && name !== 'own')) {
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
    fieldsOnly: true,
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
    fieldsOnly: true,
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
    fieldsOnly: true,
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
    fieldsOnly: true,
    async run(demo) {
      await demo.set({ length: 90, taps: '1 -2 1', biasValue: -0.3 });
      await demo.expectOutput({ bias: -0.3, ...same(90, 3) });
      for (const activation of ['relu', 'silu', 'tanh', 'sigmoid', 'elu', 'mish', 'hardtanh', 'snake']) {
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

  'a sample taken apart': {
    async run(demo) {
      await demo.set({ length: 50, taps: '1 -2 3', biasValue: 0.5, padding: 'left, right', padLeft: 2, padRight: 0 });
      const [input] = await demo.channels('input-values');
      await demo.native.focus('#output-plot');
      await demo.native.keyboard.press('Home');
      for (const [t, samples] of [
        [0, [0, 0, input[0]]],
        [1, [0, input[0], input[1]]],
        [2, [input[0], input[1], input[2]]],
      ]) {
        await demo.until(`document.querySelector('#dot').textContent.startsWith('y[${t}]')`, `y[${t}]`);
        const products = await demo.look(`Array.from(document.querySelectorAll('#dot .product'), (p) =>
          [p.querySelector('.w'), p.querySelector('.x')].map((e) => Number(e.textContent.replace(/[()]/g, '').replace('−', '-'))))`);
        const expected = [1, -2, 3].map((tap, k) => [tap, Number(samples[k].toPrecision(4))]);
        expectEqual(products, expected, `the products of y[${t}]`);
        const result = await demo.look(
          `Number(document.querySelector('#dot .y + .op + .y').textContent.replace('−', '-'))`,
        );
        const [output] = await demo.channels('output-values');
        expectEqual(result, Number(output[t].toPrecision(4)), `the sum of y[${t}]`);
        const padding = await demo.look(`document.querySelectorAll('#dot .padding').length`);
        expectEqual(padding, Math.max(0, 2 - t), `samples of the padding in y[${t}]`);
        const lit = await demo.look(`(() => {
          const canvas = document.querySelector('#input-plot .overlay');
          const { width, height } = canvas;
          return canvas.toDataURL() !== Object.assign(document.createElement('canvas'), { width, height }).toDataURL();
        })()`);
        expect(lit, `no tap of y[${t}] is lit in the input`);
        await demo.native.keyboard.press('ArrowRight');
      }
    },
  },

  'padding looks different in each mode': {
    fieldsOnly: true,
    async run(demo) {
      await demo.set({ length: 40, padding: 'both ends', padLeft: 10 });
      const seen = new Set();
      for (const mode of await options(demo, 'paddingMode')) {
        await demo.choose('paddingMode', mode);
        seen.add(await demo.look(`document.querySelector('#input-plot canvas').toDataURL()`));
      }
      expectEqual(seen.size, 4, 'the number of different pictures');
    },
  },

  'the frequency response': {
    async run(demo) {
      // A sum of two neighbours doubles what stands still, +6.02 dB, and lets nothing of the highest frequency through.
      await demo.type('taps', '1 1');
      await demo.show('#response-plot');
      const { left, top, width } = await demo.box('#response-plot .u-over');
      for (const x of [1, width / 4, width / 2, width - 8]) {
        await demo.native.mouse.move(left + x, top + 20);
        await demo.settle();
        const [, at, gain] = (await demo.text('#response-readout')).match(/^at ([\d.]+) cycles\/sample\s*(\S+) dB$/);
        expect(Math.abs(at - (0.5 * x) / width) < 0.005, `the middle of the plot is ${at} cycles/sample`);
        const expected = 20 * Math.log10(2 * Math.cos(Math.PI * at));
        expect(Math.abs(gain.replace('−', '-') - expected) < 0.05, `at ${at} it says ${gain} dB, expected ${expected}`);
      }
    },
  },

  'a signal drawn by hand': {
    async run(demo) {
      await demo.set({ length: 200, shape: 'step' });
      const [old] = await demo.channels('input-values');
      await demo.click('#draw');
      expectEqual(await demo.value('shape'), 'drawn', 'the shape');
      await demo.show('#input-plot');
      const { left, top, width, height } = await demo.box('#input-plot .u-over');
      await demo.native.mouse.move(left + width * 0.3, top + height * 0.2);
      await demo.native.mouse.down();
      await demo.native.mouse.move(left + width * 0.6, top + height * 0.2, { steps: 6 });
      await demo.native.mouse.up();
      await demo.settle();
      const [input] = await demo.channels('input-values');
      const drawn = input.slice(70, 110);
      expect(
        drawn.every((value) => value === drawn[0] && value > 0.5 && value < 1.5),
        `it became ${drawn}`,
      );
      expect(
        [10, 190].every((i) => Math.abs(input[i] - old[i]) <= 0.0051),
        'what was there before has changed',
      );
      await demo.expectOutput(same(200, 25));
      expect(await demo.look(`document.querySelector('#reset-zoom').disabled`), 'it zoomed');
      await demo.native.focus('#input-plot');
      for (const key of ['Home', 'ArrowUp']) await demo.native.keyboard.press(key);
      await demo.settle();
      const [first] = (await demo.channels('input-values'))[0];
      expect(Math.abs(first - input[0] - 0.05) < 1e-6, `sample 0 went from ${input[0]} to ${first}`);
      const before = await demo.value('input-values');
      await demo.reload();
      expectEqual(await demo.value('input-values'), before, 'the drawing after a reload');
    },
  },

  'files of one’s own': {
    async run(demo) {
      const folder = mkdtempSync(join(tmpdir(), 'conv1d-files-'));
      const open = async (name, content) => {
        writeFileSync(join(folder, name), content);
        const field = await demo.native.$('#file');
        await field.uploadFile(join(folder, name));
        await demo.until(
          `/${name.replace('.', '\\.')}[:, ]/.test(document.querySelector('#source-note').textContent)
          && !/^Reading/.test(document.querySelector('#source-note').textContent)`,
          name,
        );
        await demo.settle();
      };
      try {
        await open('numbers.csv', 'left;right\n0.5;1\n-0.25;2\n"3";4\n');
        await demo.set({ taps: '1 1', padding: 'valid', inChannels: 2 });
        expectEqual(
          await demo.channels('input-values'),
          [
            [0.5, -0.25, 3],
            [1, 2, 4],
          ],
          'the table',
        );
        await demo.expectOutput();
        await demo.set({ inChannels: 1 });

        const ramp = Float32Array.from({ length: 300 }, (_, i) => Math.fround(i / 512 - 0.25));
        const wave = new wavefile.WaveFile();
        wave.fromScratch(1, 8000, '32f', ramp);
        await open('ramp.wav', wave.toBuffer());
        expectEqual(
          await demo.text('#source-note'),
          'ramp.wav: 300 samples at 8,000 Hz, 1 channel. It stays on this machine.',
          'the note',
        );
        expectEqual(await demo.channels('input-values'), [Array.from(ramp)], 'the sound');
        await demo.set({ length: 100, start: 50 });
        expectEqual(await demo.channels('input-values'), [Array.from(ramp.slice(50, 150))], 'a part of the sound');
        await demo.type('length', 400);
        expect(
          /From sample 50 there are 250 samples/.test((await demo.problem())?.[1]),
          `it says ${await demo.problem()}`,
        );
        await demo.type('length', 250);

        await demo.look(`void (() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(['1 2 3 4'.replaceAll(' ', '\\t')], 'dropped.txt', { type: 'text/plain' }));
          document.querySelector('#signal-card').dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }));
        })()`);
        await demo.until(
          `/^dropped\\.txt: 4 samples, 1 channel/.test(document.querySelector('#source-note').textContent)`,
          'what was dropped',
        );
        await demo.settle();
        expectEqual(await demo.channels('input-values'), [[1, 2, 3, 4]], 'numbers in one line');

        const good = await demo.value('output-values');
        for (const [name, content, sentence] of [
          ['words.csv', '1\n2\nthree\n', /row 3: “three” is not a number/],
          ['ragged.csv', '1,2\n3\n', /row 2 has 1 columns, the rows before it 2/],
          ['empty.txt', '', /holds no numbers/],
          ['broken.wav', 'RIFF????WAVEnothing', /broken\.wav is neither a sound/],
          ['picture.png', 'PNG', /picture\.png is neither a sound/],
        ]) {
          await open(name, content);
          expect(sentence.test(await demo.text('#source-note')), `${name}: ${await demo.text('#source-note')}`);
          expectEqual(await demo.value('output-values'), good, `the output after ${name}`);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },

  'a recording, and no microphone': {
    async run(demo) {
      await demo.look(`void (navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(new DOMException('denied', 'NotAllowedError')))`);
      await demo.click('#record');
      await demo.until(`document.querySelector('#source-note').hasAttribute('data-trouble')`, 'the trouble');
      expect(/^The microphone was not allowed/.test(await demo.text('#source-note')), await demo.text('#source-note'));
      expectEqual(await demo.text('#record'), 'Record', 'the button');

      await demo.open();
      await demo.withMicrophone(async () => {
        await demo.click('#record');
        await demo.until(`document.querySelector('#record').textContent === 'Stop'`, 'the recording');
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await demo.click('#record');
        await demo.until(
          `/^Recording: .* stays on this machine/.test(document.querySelector('#source-note').textContent)`,
          'the end',
        );
        await demo.settle();
      });
      const [input] = await demo.channels('input-values');
      const loudest = Math.max(...input.map(Math.abs));
      expect(input.length === 10000 && loudest > 0.01, `${input.length} samples, at most ${loudest}`);
      await demo.expectOutput(same(10000, 25));
    },
  },

  'the address brings everything back': {
    fieldsOnly: true,
    async run(demo) {
      await demo.set({ shape: 'chirp', length: 333, cycles: 7.5, inChannels: 2, outChannels: 4, groups: 2 });
      await demo.set({ taps: '0.5 1e-3 -2', stride: 2, dilation: 3, padding: 'left, right', padLeft: 4, padRight: 1 });
      await demo.set({
        paddingMode: 'circular',
        biasValue: -0.25,
        activation: 'leaky_relu',
        slope: 0.2,
        dtype: 'float16',
      });
      await demo.click('[aria-label="Kernel from input channel 2 to output channel 3"]');
      await demo.type('taps', '1 2 3');
      const values = () =>
        demo.look(`Array.from(document.querySelectorAll('#playground .field:not([data-unused]) :is(input, select):not([type=file])'), (e) =>
          [e.id, e.type === 'checkbox' ? e.checked : e.value])`);
      const before = [await values(), await demo.value('input-values'), await demo.value('output-values')];
      await demo.reload();
      expectEqual([await values(), await demo.value('input-values'), await demo.value('output-values')], before, 'it');
      await demo.set({ groups: 3 });
      await demo.reload();
      expectEqual(await demo.problem(), null, 'the problem: only what computes is in the address');

      await demo.open('#playground?playground.preset=lowpass&playground.parameter-0=0.2&playground.tap-count=31');
      expectEqual((await demo.taps()).length, 31, 'taps');
      expectEqual(await demo.value('preset'), 'lowpass', 'the preset');
      await demo.expectOutput(same(600, 31));
      await demo.open('#playground?playground.preset=bandpass');
      expectEqual(
        [await demo.value('tap-count'), await demo.value('parameter-1')],
        ['61', '0.08'],
        "the preset's numbers",
      );
      expectEqual(await demo.look('location.hash'), '#playground?playground.preset=bandpass', 'the address');
      await demo.open(
        '#playground?playground.stride=x&playground.preset=none&playground.shape=toString&playground.dtype=int8&nonsense=%E0%A4%A',
      );
      await demo.expectOutput(same(600, (await demo.taps()).length));
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
        ['length', '0', 'length', /from 1 to 100,000/],
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
    fieldsOnly: true,
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
      const perSample = (await demo.box('#input-plot .u-over')).width / (599 + 24); // with twelve samples of padding at each end
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
        await demo.visit();
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

  'the page before the library, and without it': {
    async run(demo) {
      const { native } = demo;
      const missing = { status: 404, contentType: 'text/html', body: '<!doctype html>no' };
      const held = [];
      let answers = false;
      const onRequest = (request) => {
        if (!/\.wasm$/.test(request.url())) void request.continue();
        else if (answers) void request.respond(missing);
        else held.push(request);
      };
      await native.setRequestInterception(true);
      native.on('request', onRequest);
      try {
        await demo.visit();
        while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
        expectEqual(await demo.text('#pill'), 'Loading', 'the state');
        expect((await demo.painted('input-plot', '--input')) > 100, 'no input is drawn yet');
        expect((await demo.painted('kernel-plot', '--kernel')) > 100, 'no kernel is drawn yet');
        await demo.type('taps', '1 2 3');
        answers = true; // to what the page asks for instead as well
        for (const request of held) await request.respond(missing);
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

export const playground = { id: 'playground', Hands, tests };
