// Live sound: what plays, what the page says of it, and that what it saves is the library's own forward().

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import wavefile from 'wavefile';
import { Conv1d, init, Tensor } from '../../../dist/index.node.js';
import { Demo, expect, expectEqual } from './driver.mjs';

const sampleRate = 16_000;

/** A stereo WAV file of float32 samples. */
function wavOf(left, right) {
  const wave = new wavefile.WaveFile();
  wave.fromScratch(2, sampleRate, '32f', [left, right]);
  return Buffer.from(wave.toBuffer());
}

function noise(length, seed) {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const impulse = (length, at) => Float32Array.from({ length }, (_, i) => Number(i === at));

class Hands extends Demo {
  async open(hash) {
    await super.open(hash);
    // What is saved is kept where a test can look at it.
    await this.look(`void (URL.createObjectURL = (blob) => { window.saved = blob; return '#sound'; })`);
  }

  said() {
    return this.text('#sound-say');
  }

  async untilSaid(pattern) {
    await this.until(`${pattern}.test(document.querySelector('#sound-say').textContent)`, `"${pattern}"`);
    return this.said();
  }

  async chooseEffect(name) {
    await this.click(`#sound-effect-${name}`);
  }

  /** Moves a slider as its keys do. */
  async slide(name, value) {
    await this.look(`(() => {
      const range = document.querySelector('#sound-${name}');
      range.valueAsNumber = ${value};
      range.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
  }

  /** Gives the page a file through its chooser. */
  async upload(name, content) {
    const folder = await mkdtemp(path.join(tmpdir(), 'conv1d-sound-'));
    try {
      const file = path.join(folder, name);
      await writeFile(file, content);
      await this.click('#sound-source-file');
      const chooser = await this.native.$('#sound-file');
      await chooser.uploadFile(file);
      await this.untilSaid(`/${name.replace('.', '\\.')}/`);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async drop(name, text) {
    await this.look(`(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([${JSON.stringify(text)}], '${name}'));
      document.querySelector('#sound .card').dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true }));
    })()`);
  }

  /** The two channels of what the page makes of its file. */
  async save() {
    await this.look(`void delete window.saved`);
    await this.click('#sound-save');
    await this.untilSaid('/^Saved/');
    const base64 = await this.page.evaluate(`window.saved.arrayBuffer().then((buffer) => {
      let text = '';
      for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
      return btoa(text);
    })`);
    const wave = new wavefile.WaveFile(Buffer.from(base64, 'base64'));
    expectEqual([wave.fmt.sampleRate, wave.bitDepth], [sampleRate, '32f'], 'the format of what was saved');
    return wave.getSamples(false, Float32Array);
  }

  async saveOf(left, right) {
    await this.upload('test.wav', wavOf(left, right));
    return this.save();
  }
}

/** `forward` of two channels, each with a kernel of its own, and silence after them. */
async function forward(signals, responses) {
  await init();
  const kernelSize = responses[0].length;
  const length = signals[0].length + kernelSize - 1;
  const layer = new Conv1d({ inChannels: 2, outChannels: 2, groups: 2, kernelSize, padding: 'causal', bias: false });
  layer.weight = new Tensor(
    responses.flatMap((response) => Array.from(response.toReversed())),
    [2, 1, kernelSize],
  );
  const input = new Float32Array(2 * length);
  signals.forEach((signal, c) => input.set(signal, c * length));
  const { data } = layer.forward(new Tensor(input, [2, length]));
  return [data.slice(0, length), data.slice(length)];
}

function expectClose(got, expected, what) {
  expectEqual(got.length, expected.length, `the length of ${what}`);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest > 0.01, `${what} is expected to be silent`);
  const off = expected.reduce((most, value, i) => Math.max(most, Math.abs(got[i] - value)), 0);
  expect(off <= 1e-5 * largest, `${what} is off by ${off}, where the largest sample is ${largest}`);
}

/** The gain in dB that an impulse response has at a frequency. */
function gainAt(response, hertz) {
  const sum = (wave) => response.reduce((total, y, i) => total + y * wave((2 * Math.PI * hertz * i) / sampleRate), 0);
  return 20 * Math.log10(Math.hypot(sum(Math.cos), sum(Math.sin)));
}

const power = (samples) => samples.reduce((sum, value) => sum + value * value, 0);

/** The page's answer to an impulse in each channel, and to noise, which `forward` must give, too. */
async function expectForward(demo) {
  const [left, right] = await demo.saveOf(impulse(1, 0), impulse(1, 0));
  const signals = [noise(5000, 1), noise(5000, 2)];
  const saved = await demo.saveOf(...signals);
  const expected = await forward(signals, [left, right]);
  expectClose(saved[0], expected[0], 'the left channel');
  expectClose(saved[1], expected[1], 'the right channel');
  return [left, right];
}

const tests = {
  'the loop plays through every effect': {
    everywhere: true,
    engines: ['chromium'], // which plays without a device for sound
    async run(demo) {
      await demo.click('#sound-start');
      await demo.untilSaid('/^Playing the loop at [\\d,]+ samples a second/');
      await demo.slide('seconds', 0.3);
      const names = {
        bypass: /^2 × 1 tap$/,
        equaliser: /^2 × 511 taps$/,
        reverb: /^2 × 1[34],\d+ taps$/,
        amp: /^6 gated layers$/,
      };
      for (const [effect, name] of Object.entries(names)) {
        await demo.chooseEffect(effect);
        await demo.until(`${name}.test(document.querySelector('#sound-effect').textContent)`, effect);
        await demo.look(`document.querySelector('#sound-load').textContent = ''`);
        await demo.until(`/^\\d+\\.\\d %$/.test(document.querySelector('#sound-load').textContent)`, 'the load');
      }
      expect(/^\d+$/.test(await demo.text('#sound-dropouts')), `dropouts are ${await demo.text('#sound-dropouts')}`);
      for (const colour of ['--input', '--output']) {
        const painted = await demo.painted('sound-spectrum', colour);
        expect(painted > 200, `${painted} pixels of the spectrum have ${colour}`);
      }
      await demo.click('#sound-start');
      expectEqual(await demo.said(), 'Stopped.', 'what is said');
      expectEqual(await demo.text('#sound-start'), 'Start', 'the button');
      await demo.settle();
      expectEqual(await demo.painted('sound-spectrum', '--output'), 0, 'pixels of sound after the end');
    },
  },

  'leaving the panel ends the sound': {
    engines: ['chromium'],
    async run(demo) {
      await demo.click('#sound-start');
      await demo.untilSaid('/^Playing/');
      await demo.click(`#nav a[href='#machine']`);
      await demo.click(`#nav a[href='#sound']`);
      expectEqual(await demo.said(), 'Stopped.', 'what is said');
    },
  },

  'a start gives sound or a sentence': {
    everywhere: true,
    async run(demo) {
      await demo.native.focus('#sound-start');
      await demo.native.keyboard.press('Enter');
      await demo.untilSaid('/^Playing|did not start to play/');
      const plays = (await demo.said()).startsWith('Playing');
      expectEqual(await demo.text('#sound-start'), plays ? 'Stop' : 'Start', 'the button');
    },
  },

  'an equaliser is what its sliders say, and its sound is forward()': {
    everywhere: true,
    async run(demo) {
      await demo.slide('low', 9);
      await demo.slide('peak', -12);
      await demo.slide('peakHz', Math.log2(10));
      await demo.slide('high', 6);
      const [response] = await expectForward(demo);
      expectEqual(response.length, 511, 'taps');
      expectClose(response.toReversed(), response, 'the reversed response');
      // The bands reach into each other a little: the sums are those of the formulas that the panel states.
      for (const [hertz, gain] of [
        [20, 9],
        [1000, -12 + 9 / 17 + 6 / (1 + 3.5 ** 2)],
        [7000, 6 / (1 + 0.25) - 12 * Math.exp(-2 * Math.log2(7) ** 2)],
      ]) {
        const got = gainAt(response, hertz) + 6; // the output level is -6 dB
        expect(Math.abs(got - gain) < 0.6, `the gain at ${hertz} Hz is ${got} dB, expected ${gain}`);
      }
      // The dry half comes as late as the filter's middle.
      await demo.slide('mix', 0.5);
      const [mixed] = await demo.saveOf(impulse(1, 0), impulse(1, 0));
      expectClose(mixed.toReversed(), mixed, 'the reversed response with dry sound');
      const expected = response.map((value, i) => 0.5 * value + (i === 255 ? 0.5 * 10 ** (-6 / 20) : 0));
      expectClose(mixed, expected, 'the response with dry sound');
    },
  },

  'a reverberation is forward(), dry sound included': {
    everywhere: true,
    async run(demo) {
      await demo.chooseEffect('reverb');
      await demo.slide('seconds', 0.3);
      await demo.slide('mix', 0.5);
      const [left, right] = await expectForward(demo);
      expectEqual(left.length, 0.3 * sampleRate, 'taps');
      const level = 10 ** (-6 / 20);
      expect(Math.abs(left[0] / level - 0.5) < 0.01, `the dry half is ${left[0] / level}`);
      expect(
        left.some((value, i) => value !== right[i]),
        'left and right are the same',
      );
      const decay = 10 * Math.log10(power(left.slice(2400, 3600)) / power(left.slice(3600)));
      expect(Math.abs(decay - 15) < 4, `a quarter of the length takes ${decay} dB, expected 60 / 4`);
    },
  },

  'the stack saturates': {
    async run(demo) {
      await demo.chooseEffect('amp');
      const [quiet, loud] = [0.01, 1].map((level) => noise(4000, 5).map((value) => level * value));
      const silence = new Float32Array(4000);
      const gains = [];
      for (const signal of [quiet, loud]) {
        const [left, right] = await demo.saveOf(signal, silence);
        gains.push(Math.sqrt(power(left) / power(signal)));
        expectEqual(power(right), 0, 'what the other channel hears');
      }
      expect(gains[0] > 4 * gains[1], `quiet sound gets gain ${gains[0]}, loud sound ${gains[1]}`);
    },
  },

  'a bad file gets a sentence and changes nothing': {
    async run(demo) {
      await demo.drop('notes.wav', 'RIFF is how it begins, but a sound it is not');
      await demo.untilSaid('/^notes\\.wav is not a sound that this browser can read\\.$/');
      expectEqual(await demo.look(`document.querySelector('#sound-source-loop').checked`), true, 'the loop is chosen');
      await demo.click('#sound-source-file');
      await demo.click('#sound-start');
      await demo.untilSaid('/^Choose a file first/');
      expectEqual(await demo.text('#sound-start'), 'Start', 'the button');
      await demo.upload('empty.wav', wavOf([], []));
      await demo.untilSaid('/^empty\\.wav (holds no samples|is not a sound)/');
      await demo.upload('good.wav', wavOf(noise(1600, 1), noise(1600, 2)));
      expectEqual(await demo.said(), 'good.wav: 0.1 s, 16,000 samples a second.', 'what is said');
      await demo.drop('worse.wav', 'RIFF');
      await demo.untilSaid('/^worse/');
      const [left] = await demo.save();
      expectEqual(left.length, 1600 + 510, 'the length of what is saved of the good file');
    },
  },

  'a microphone': {
    engines: ['chromium'], // its driver can answer for the user
    async run(demo) {
      const { origin } = new URL(demo.url);
      const context = demo.native.browserContext();
      try {
        await context.overridePermissions(origin, []);
        await demo.click('#sound-source-microphone');
        expectEqual(await demo.look(`document.querySelector('#sound-save').disabled`), true, 'saving is off');
        await demo.click('#sound-start');
        await demo.untilSaid('/^The microphone was not allowed/');
        expectEqual(await demo.text('#sound-start'), 'Start', 'the button');

        await demo.click('#sound-source-loop');
        await demo.click('#sound-start');
        await demo.untilSaid('/^Playing the loop/');
        await demo.click('#sound-source-microphone');
        await demo.untilSaid('/^The microphone was not allowed/');
        expectEqual(await demo.look(`document.querySelector('#sound-source-loop').checked`), true, 'the loop plays on');

        await context.overridePermissions(origin, ['microphone']);
        await demo.click('#sound-source-microphone');
        await demo.untilSaid('/^Playing what the microphone hears/');
        await demo.click('#sound-start');
      } finally {
        await context.clearPermissionOverrides();
      }
    },
  },

  'the address keeps it': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      await demo.visit('#sound?sound.effect=reverb&sound.seconds=1.7&sound.mix=0.4&sound.level=-9');
      expectEqual(await demo.look(`document.querySelector('#sound-effect-reverb').checked`), true, 'reverb is chosen');
      const shown = await demo.look(`Array.from(
        document.querySelectorAll('#sound-sliders > div:not([hidden]) .value, #sound .levels .value'),
        ({ textContent }) => textContent)`);
      expectEqual(shown, ['1.7 s', '40 % wet', '−9 dB'], 'what is shown');
      await demo.slide('seconds', 0.8);
      await demo.until(`location.hash.includes('sound.seconds=0.8')`, 'the address');
      await demo.visit(`#sound?sound.effect=nonsense&sound.seconds=1e9&sound.mix=-3&sound.peakHz=many`);
      expectEqual(await demo.look(`document.querySelector('#sound-effect-equaliser').checked`), true, 'the default');
      const values = ['seconds', 'mix', 'peakHz'].map(
        (name) => `document.querySelector('#sound-${name}').ariaValueText`,
      );
      expectEqual(await demo.look(`[${values}]`), ['2 s', '0 % wet', '1,000 Hz'], 'what becomes of nonsense');
    },
  },
};

export const sound = { id: 'sound', Hands, tests };
