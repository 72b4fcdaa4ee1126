import type { Stack } from './stack';

interface Preset {
  label: string;
  about: string;
  rate: number;
  stack: Stack;
}

const powers = (n: number) => Array.from({ length: n }, (_, i) => 2 ** i);
const dilated = (kernelSize: number, channels: number, dilations: readonly number[]) =>
  dilations.map((dilation) => ({ kernelSize, stride: 1, dilation, channels }));

export const presets = {
  wavenet: {
    label: 'WaveNet, one stack',
    about: 'Ten layers of two taps; each doubles the dilation, and with it the field.',
    rate: 16_000,
    stack: { inChannels: 64, causal: true, layers: dilated(2, 64, powers(10)) },
  },
  tcn: {
    label: 'TCN, four levels',
    about: 'Two layers a level, as in temporal convolutional networks.',
    rate: 16_000,
    stack: { inChannels: 64, causal: true, layers: dilated(3, 64, [1, 1, 2, 2, 4, 4, 8, 8]) },
  },
  wav2vec2: {
    label: 'wav2vec 2.0, encoder',
    about: 'Strides instead of dilations: 25 ms of speech make one output, every 20 ms.',
    rate: 16_000,
    stack: {
      inChannels: 1,
      causal: false,
      layers: [
        { kernelSize: 10, stride: 5, dilation: 1, channels: 512 },
        ...Array.from({ length: 4 }, () => ({ kernelSize: 3, stride: 2, dilation: 1, channels: 512 })),
        ...Array.from({ length: 2 }, () => ({ kernelSize: 2, stride: 2, dilation: 1, channels: 512 })),
      ],
    },
  },
  hifigan: {
    label: 'HiFi-GAN, one block',
    about: 'The residual block of the last stage: eleven taps, looking both ways.',
    rate: 22_050,
    stack: { inChannels: 32, causal: false, layers: dilated(11, 32, [1, 1, 3, 1, 5, 1]) },
  },
  dense: {
    label: 'Three plain layers',
    about: 'No dilation: each layer adds as many samples as it has taps, less one.',
    rate: 16_000,
    stack: { inChannels: 16, causal: true, layers: dilated(3, 16, [1, 1, 1]) },
  },
} satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;
