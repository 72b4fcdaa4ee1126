// The code panel: the JavaScript that it shows is run as it stands, and gives what the playground shows.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Demo, expect, expectEqual } from './driver.mjs';

// Within the package, whose name then means itself.
const folder = fileURLToPath(new URL('../../../build/demo-code/', import.meta.url));

/** Runs a script and gives the lists that it prints. */
async function run(code) {
  mkdirSync(folder, { recursive: true });
  const own = mkdtempSync(folder); // other engines run theirs at the same time
  const file = `${own}/shown.mjs`;
  writeFileSync(file, code);
  try {
    // All of a list, where the console would shorten it.
    const start = `import util from 'node:util'; Object.assign(util.inspect.defaultOptions, { maxArrayLength: null, depth: null });`;
    const args = [`--import=data:text/javascript,${encodeURIComponent(start)}`, file];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return JSON.parse(stdout.replace(/,?\s*\]/g, ']'));
  } finally {
    rmSync(own, { recursive: true });
  }
}

class Hands extends Demo {
  async panelOf(hash) {
    await this.look(`void (location.hash = '${hash}')`);
    await this.until(
      `!document.querySelector('${hash}').hidden && document.querySelector('${hash} .panel-body').dataset.state`,
      hash,
    );
    await this.settle();
  }

  code(language) {
    return this.look(`document.querySelector('#code-${language}').textContent`);
  }
}

/** What the playground's output text says. */
const shownOutput = (demo) =>
  demo.look(`(() => {
    const area = document.querySelector('#output-values');
    area.closest('details').open = true;
    return area.value.split('\\n').map((line) => line.split(',').map(Number));
  })()`);

const layers = {
  'a first visit': '',
  'everything at once':
    'shape=ecg&length=90&inChannels=4&outChannels=2&groups=2&stride=2&dilation=3&padding=left, right&padLeft=7&padRight=2' +
    '&paddingMode=reflect&biasValue=-0.25&activation=leaky_relu&slope=0.2&dtype=float16&computeMode=float32' +
    '&preset=custom&kernels=1,-2,0.5;0.1:3,2,1',
  'no bias, and a long kernel':
    'bias=false&preset=echo&tap-count=500&parameter-0=40&parameter-1=0.5&padding=causal&activation=silu',
  'a drawing': 'shape=drawn&drawn=0,100,50,-20&length=40&noise=0&preset=custom&kernels=1&padding=valid',
};

const addressOf = (settings) =>
  settings
    .split('&')
    .filter(Boolean)
    .map((pair) => `playground.${pair.replaceAll(' ', '%20')}`)
    .join('&');

const tests = {
  'the JavaScript gives what the page shows': {
    fieldsOnly: true,
    async run(demo) {
      for (const [name, settings] of Object.entries(layers)) {
        await demo.open(`#playground?${addressOf(settings)}`);
        await demo.until(`document.querySelector('#output-veil').hidden`, 'the output');
        await shownOutput(demo);
        await demo.until(`document.querySelector('#output-values').value !== ''`, 'the values');
        const shown = await shownOutput(demo);
        await demo.panelOf('#code');
        const isWhole = await demo.look(`document.querySelector('#code-whole').checked`);
        if (!isWhole) await demo.click('#code-whole');
        const got = await run(await demo.code('javascript'));
        expectEqual(
          got.map(({ length }) => length),
          shown.map(({ length }) => length),
          `${name}: the shape`,
        );
        const unit = /float16/.test(settings) ? 2 ** -10 : 2 ** -20; // this Node may have no relaxed SIMD
        const largest = Math.max(...shown.flat().map(Math.abs));
        got.flat().forEach((value, i) => {
          const off = Math.abs(value - shown.flat()[i]);
          expect(off <= unit * largest, `${name}: output ${i} is ${value}, the page shows ${shown.flat()[i]}`);
        });
      }
    },
  },

  'long lists come when they are asked for': {
    fieldsOnly: true,
    async run(demo) {
      await demo.open(`#code?${addressOf('preset=echo&tap-count=500&length=80')}`);
      const short = await demo.code('javascript');
      const shortRun = await run(short);
      expect(/put the 500 taps here/.test(short) && short.length < 900, `it is ${short}`);
      expectEqual([shortRun.length, shortRun[0].length], [1, 80], 'what the short code gives');
      await demo.click('#code-whole');
      for (const language of ['javascript', 'pytorch', 'megengine']) {
        expect((await demo.code(language)).length > 2000, `${language}: ${await demo.code(language)}`);
      }
      await demo.reload();
      expect(await demo.look(`document.querySelector('#code-whole').checked`), 'it is forgotten');
    },
  },

  'PyTorch and MegEngine say the same': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      const cases = [
        ['', [/nn\.Conv1d\(1, 1, kernel_size=25, padding='same'\)/], [/M\.Conv1d\(1, 1, kernel_size=25, padding=12\)/]],
        [
          'padding=causal&dilation=2&preset=custom&kernels=1,2&inChannels=2&paddingMode=circular',
          [/F\.pad\(x, \(2, 0\), mode='circular'\)/, /expand\(1, 2, 2\)/, /dilation=2/],
          [/no circular/, /F\.concat\(\[x\[:, :, 598:\], x\], axis=2\)/, /np\.array\(taps \* 2/],
        ],
        [
          'padding=left, right&padLeft=1&padRight=3&paddingMode=replicate&activation=gelu_tanh&biasValue=0.5',
          [/F\.pad\(x, \(1, 3\), mode='replicate'\)/, /approximate='tanh'/, /bias\.fill_\(0\.5\)/],
          [
            /F\.nn\.pad\(x, \(\(0, 0\), \(0, 0\), \(1, 3\)\), mode='replicate'\)/,
            /no tanh form/,
            /np\.full\(\(1, 1, 1\), 0\.5/,
          ],
        ],
        [
          'padding=both ends&padLeft=4&paddingMode=reflect&stride=2&groups=2&inChannels=2&outChannels=4&dtype=float16&bias=false',
          [/padding=4, groups=2, bias=False, padding_mode='reflect'\)/, /\.half\(\)/],
          [/padding=4, groups=2, bias=False, padding_mode='reflect'\)/, /'float16'\)\.reshape\(2, 2, 1, 25\)/],
        ],
      ];
      for (const [settings, torch, engine] of cases) {
        await demo.open(`#code?${addressOf(settings)}`);
        for (const [language, patterns] of Object.entries({ pytorch: torch, megengine: engine })) {
          const code = await demo.code(language);
          for (const pattern of patterns) expect(pattern.test(code), `${settings}: ${pattern} is not in ${code}`);
        }
      }
    },
  },

  'copying, and not being let': {
    async run(demo) {
      await demo.look(
        `void (window.__copied = [], navigator.clipboard.writeText = async (text) => void window.__copied.push(text))`,
      );
      await demo.click('#code-pytorch-copy');
      await demo.until(`document.querySelector('#code-pytorch-copy').textContent === 'Copied'`, 'the feedback');
      await demo.click('#code-link');
      const [code, link] = await demo.look('window.__copied');
      expectEqual(code, await demo.code('pytorch'), 'what is copied');
      expectEqual(link.replace(/.*#/, '#'), '#playground', 'the address');
      await demo.until(
        `document.querySelector('#code-pytorch-copy').textContent === 'Copy'`,
        'the end of the feedback',
      );
      await demo.look(`void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))`);
      await demo.click('#code-pytorch-copy');
      await demo.until(`/Ctrl\\+C/.test(document.querySelector('#code-note').textContent)`, 'the sentence');
      expectEqual(await demo.look('getSelection().toString().trim()'), code.trim(), 'what is selected');
    },
  },

  'an address of nonsense': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      const settings =
        'shape=toString&preset=constructor&dtype=int8&padding=valueOf&activation=x&stride=y&drawn=z&a%26b=1';
      await demo.open(`#code?${addressOf(settings)}`);
      const said = await demo.code('javascript');
      await demo.open('#code');
      expectEqual(said, await demo.code('javascript'), 'the code');
    },
  },

  'a layer that cannot be': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      for (const settings of ['groups=3', 'groups=0', 'inChannels=1e9', 'length=1e12', 'tap-count=-4&preset=lowpass']) {
        await demo.open(`#code?${addressOf(settings)}`);
        const said = await demo.text('#code-note');
        const code = await demo.code('javascript');
        expect(
          /^There is no code/.test(said) || (settings.includes('tap-count') && /kernelSize: 1,/.test(code)),
          `${settings}: ${said} ${code}`,
        );
      }
    },
  },
};

export const code = { id: 'code', Hands, tests };
