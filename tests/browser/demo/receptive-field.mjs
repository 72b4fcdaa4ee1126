// The receptive field: the numbers beside the library's own and beside what a plain search finds.

import { Conv1d, init, Network, Tensor } from '../../../dist/index.node.js';
import { Demo, expect, expectEqual } from './driver.mjs';

/** Layers are [kernelSize, stride, dilation, channels]. */
const stacks = {
  wavenet: { causal: true, layers: Array.from({ length: 10 }, (_, i) => [2, 1, 2 ** i, 64]), inChannels: 64 },
  wav2vec2: {
    causal: false,
    layers: [[10, 5, 1, 512], ...Array(4).fill([3, 2, 1, 512]), ...Array(2).fill([2, 2, 1, 512])],
    inChannels: 1,
  },
  gaps: {
    causal: true,
    layers: [
      [2, 1, 3, 4],
      [3, 2, 5, 6],
      [2, 1, 7, 2],
    ],
    inChannels: 3,
  },
  centred: {
    causal: false,
    layers: [
      [4, 1, 2, 5],
      [5, 3, 1, 1],
    ],
    inChannels: 2,
  },
};

/** The library's layers of a stack, with channels or with one. */
function layersOf({ causal, layers, inChannels }, oneChannel) {
  return layers.map(([kernelSize, stride, dilation, channels], i) => {
    const reach = dilation * (kernelSize - 1);
    const left = causal ? reach : Math.floor(reach / 2);
    return new Conv1d({
      inChannels: oneChannel ? 1 : (layers[i - 1]?.[3] ?? inChannels),
      outChannels: oneChannel ? 1 : channels,
      kernelSize,
      stride,
      dilation,
      padding: [left, reach - left],
      algorithm: 'direct',
    });
  });
}

/** How many inputs change an output in the middle when each is changed alone. */
function countInputs(stack, field, stride) {
  const layers = layersOf(stack, true);
  const network = new Network(layers);
  // Weights far from 0, so that no change is lost in rounding.
  for (const layer of layers) {
    layer.weight = new Tensor(
      Array.from({ length: layer.weight.size }, (_, i) => 1 + (i % 3)),
      [1, 1, layer.weight.size],
    );
  }
  const output = Math.ceil(field / stride);
  const length = (2 * output + 1) * stride;
  const at = (input) => network.forward(new Tensor(input, [1, length])).data[output];
  const zero = at(new Float32Array(length));
  let found = 0;
  for (let i = 0; i < length; ++i) {
    const input = new Float32Array(length);
    input[i] = 1;
    if (at(input) !== zero) ++found;
  }
  return found;
}

const address = ({ causal, layers, inChannels }, rate) =>
  `#receptive-field?receptive-field.layers=${layers.map((layer) => layer.join(',')).join(';')}` +
  `&receptive-field.causal=${causal}&receptive-field.inChannels=${inChannels}&receptive-field.rate=${rate}`;

class Hands extends Demo {
  async open(hash) {
    await super.open(hash);
    await this.measured();
  }

  measured() {
    return this.until(
      `/\\d/.test(document.querySelector('#receptive-field-field').textContent)`,
      'the library’s numbers',
    );
  }

  async number(tile) {
    return Number((await this.text(`#receptive-field-${tile}`)).replace(/,| samples?/g, ''));
  }

  layers() {
    return this.look(`Array.from(document.querySelectorAll('#receptive-field-layers .layer:not(.names)'), (row) =>
      Array.from(row.querySelectorAll('input'), (field) => field.valueAsNumber))`);
  }

  async typeInto(layer, field, text) {
    const selector = `#receptive-field-layers input[data-layer='${layer}'][data-field='${field}']`;
    await this.look(`void (document.querySelector("${selector}").id = 'tested')`);
    await this.type('tested', text);
    await this.look(`void document.querySelector('#tested').removeAttribute('id')`);
  }

  press(label) {
    return this.click(`#receptive-field-layers button[aria-label='${label}']`);
  }

  said() {
    return this.text('#receptive-field-problem');
  }
}

const rate = 16_000;

const tests = {
  'the numbers are the library’s': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      await init();
      for (const [name, stack] of Object.entries(stacks)) {
        await demo.visit(address(stack, rate));
        await demo.measured();
        const stream = new Network(layersOf(stack, true)).stream({ maxChunk: 1 });
        expectEqual(await demo.number('field'), stream.receptiveField, `${name}: the receptive field`);
        expectEqual(await demo.number('latency'), stream.latency, `${name}: the latency`);
        const stride = stack.layers.reduce((product, [, s]) => product * s, 1);
        expectEqual(await demo.number('stride'), stride, `${name}: the stride`);
        const milliseconds = Number(((1000 * stream.receptiveField) / rate).toPrecision(4));
        expectEqual(await demo.text('#receptive-field-field-note'), `${milliseconds} ms`, `${name}: its time`);
        const found = countInputs(stack, stream.receptiveField, stride);
        expectEqual(await demo.number('counting'), found, `${name}: the inputs that count`);

        const layers = layersOf(stack, false);
        const parameters = layers.reduce((sum, { weight, bias }) => sum + weight.size + bias.size, 0);
        expectEqual(await demo.number('parameters'), parameters, `${name}: parameters`);
        let length = 100 * stride;
        const flops = layers.reduce((sum, layer) => {
          const inChannels = layer.weight.shape[1];
          const explained = layer.explain([inChannels, length]).flops;
          length = layer.outputShape([inChannels, length])[1];
          return sum + explained;
        }, 0);
        const perSecond = (flops / (100 * stride)) * rate;
        const [value, unit] = (await demo.text('#receptive-field-flops')).split(' ');
        const shown = Number(value) * { FLOP: 1, kFLOP: 1e3, MFLOP: 1e6, GFLOP: 1e9 }[unit];
        expect(Math.abs(shown / perSecond - 1) < 0.01, `${name}: ${value} ${unit} a second, expected ${perSecond}`);
        for (const layer of layers) layer.dispose();
      }
    },
  },

  'nonsense in the address': {
    everywhere: true,
    looksOnly: true,
    async run(demo) {
      await demo.visit('#receptive-field?receptive-field.layers=3,0,1,4;x&receptive-field.output=-7.5');
      await demo.measured();
      expectEqual(await demo.number('field'), 61, 'the receptive field of the default');
      expectEqual(await demo.text('#receptive-field-readout'), 'Output 0: inputs 0 to 60', 'the output');
    },
  },

  'presets, and a stack of one’s own': {
    everywhere: true,
    async run(demo) {
      await demo.choose('receptive-field-preset', 'wavenet');
      expectEqual(await demo.layers(), stacks.wavenet.layers, 'the layers of WaveNet');
      expectEqual(await demo.number('field'), 1024, 'its receptive field');
      await demo.typeInto(9, 'dilation', 1024);
      expectEqual(await demo.number('field'), 1024 + 512, 'the field with another dilation');
      expectEqual(await demo.value('receptive-field-preset'), '', 'the preset');
      await demo.choose('receptive-field-preset', 'dense');
      await demo.click('#receptive-field-add');
      expectEqual(await demo.number('field'), 9, 'the field of four layers of three taps');
      await demo.typeInto(3, 'stride', 2);
      await demo.press('Move layer 4 up');
      expectEqual(
        await demo.layers(),
        [
          [3, 1, 1, 16],
          [3, 1, 1, 16],
          [3, 2, 1, 16],
          [3, 1, 1, 16],
        ],
        'the layers after a move',
      );
      expectEqual(await demo.number('field'), 2 * 3 + 1 + 2 * 2, 'the field with a stride before the last layer');
      await demo.press('Remove layer 3');
      expectEqual(await demo.number('field'), 7, 'the field of three layers');
      await demo.choose('receptive-field-causal', 'false');
      expectEqual(await demo.number('latency'), 3, 'the latency when it looks both ways');
      await demo.until(`location.hash.includes('receptive-field.layers=3,1,1,16;3,1,1,16;3,1,1,16')`, 'the address');
    },
  },

  'an output is chosen by mouse and keyboard': {
    everywhere: true,
    async run(demo) {
      await demo.choose('receptive-field-preset', 'dense');
      const readout = () => demo.text('#receptive-field-readout');
      expectEqual(await readout(), 'Output 0: inputs 0 to 6', 'the first output');
      await demo.native.focus('#receptive-field-cone');
      await demo.native.keyboard.press('ArrowRight');
      await demo.native.keyboard.press('ArrowRight');
      await demo.settle();
      expectEqual(await readout(), 'Output 2: inputs 2 to 8', 'the third output');
      await demo.native.keyboard.press('End');
      await demo.settle();
      expectEqual(await readout(), 'Output 8: inputs 8 to 14', 'the last output');
      expectEqual(
        await demo.look(`document.querySelector('#receptive-field-cone').getAttribute('aria-valuenow')`),
        '8',
        'what the slider says',
      );
      await demo.show('#receptive-field-cone');
      const { left, top, width, height } = await demo.box('#receptive-field-cone');
      await demo.native.mouse.move(left + width - 1, top + height / 2);
      await demo.native.mouse.move(left + 1, top + height / 2);
      await demo.settle();
      expectEqual(await readout(), 'Output 0: inputs 0 to 6', 'the output at the left');
      for (const colour of ['--output', '--kernel', '--input']) {
        let painted = 0;
        // It grows from the output down to the input.
        for (let frame = 0; frame < 200 && painted <= 20; ++frame) {
          await demo.settle();
          painted = await demo.painted('receptive-field-cone', colour);
        }
        expect(painted > 20, `${painted} pixels have ${colour}`);
      }
    },
  },

  'what makes no sense gets a sentence and changes nothing': {
    fieldsOnly: true,
    everywhere: true,
    async run(demo) {
      const before = await demo.number('field');
      await demo.typeInto(2, 'kernelSize', 0);
      expectEqual(await demo.said(), 'Kernel of layer 3 must be a whole number from 1 to 4,096.', 'what is said');
      const wrong = `document.querySelector('#receptive-field [aria-invalid=true]').getAttribute('aria-label')`;
      expectEqual(await demo.look(wrong), 'Layer 3, kernel size', 'the field at fault');
      expectEqual(await demo.number('field'), before, 'the receptive field');
      await demo.typeInto(2, 'kernelSize', 3);
      expectEqual(await demo.said(), '', 'what is said');
      await demo.type('receptive-field-rate', -1);
      expectEqual(await demo.said(), 'The sample rate must be a number above 0.', 'what is said of the rate');
      await demo.type('receptive-field-rate', 8000);
      await demo.typeInto(0, 'kernelSize', 4096);
      await demo.typeInto(0, 'dilation', 1000000);
      expectEqual(
        await demo.said(),
        'One output would look at 4,095,000,059 samples; 4,000,000 is the most here.',
        'what is said of a field of billions',
      );
      await demo.typeInto(0, 'dilation', 900);
      expectEqual(await demo.number('field'), 4095 * 900 + 1 + 58, 'a field of millions');
      expectEqual(await demo.text('#receptive-field-counting'), 'not computed', 'the inputs that count');
    },
  },
};

export const receptiveField = { id: 'receptive-field', Hands, tests };
