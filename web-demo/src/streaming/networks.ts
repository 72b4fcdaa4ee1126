import { Conv1d, Network, Tensor, type Conv1dOptions, type Runtime } from 'conv1d-wasm';
import { presetTaps } from '../common/kernels';

/** What a signal is streamed through; one channel in, one out. */
export interface Preset {
  label: string;
  /** Input samples from one output to the next. */
  stride: number;
  make: (runtime: Runtime) => { source: Conv1d | Network; layers: readonly Conv1d[] };
}

/** One layer with these taps. A stream's sums are those of algorithm 'direct'. */
function filter(taps: readonly number[], options: Partial<Conv1dOptions>): Preset['make'] {
  return (runtime) => {
    const kernelSize = taps.length;
    const layer = new Conv1d({ inChannels: 1, outChannels: 1, kernelSize, algorithm: 'direct', ...options, runtime });
    layer.weight = new Tensor(taps, [1, 1, kernelSize]);
    return { source: layer, layers: [layer] };
  };
}

/** Makes layers with weights that are the same each time. */
function layerMaker(runtime: Runtime) {
  const layers: Conv1d[] = [];
  const make = (options: Conv1dOptions) => {
    const layer = new Conv1d({ padding: 'causal', algorithm: 'direct', ...options, runtime });
    layer.resetParameters({ seed: layers.length + 1 });
    layers.push(layer);
    return layer;
  };
  return { layers, make };
}

const doubling = (count: number) => Array.from({ length: count }, (_, i) => 2 ** i);

export const presets = {
  lowpass: {
    label: 'Low-pass, 101 taps, causal',
    stride: 1,
    make: filter(presetTaps('lowpass', 101, [0.02]), { padding: 'causal' }),
  },
  centred: {
    label: 'Low-pass, 101 taps, centred, edges reflected',
    stride: 1,
    make: filter(presetTaps('lowpass', 101, [0.02]), { padding: 'same', paddingMode: 'reflect' }),
  },
  strided: {
    label: 'Low-pass, one output for 8 samples',
    stride: 8,
    make: filter(presetTaps('lowpass', 65, [0.04]), { padding: 32, stride: 8 }),
  },
  dilated: {
    label: 'Stack of 8 dilated layers, tanh',
    stride: 1,
    make: (runtime) => {
      const { layers, make } = layerMaker(runtime);
      const dilations = doubling(8);
      const channels = 8;
      for (const [i, dilation] of dilations.entries()) {
        make({
          inChannels: i === 0 ? 1 : channels,
          outChannels: i === dilations.length - 1 ? 1 : channels,
          kernelSize: 3,
          dilation,
          activation: 'tanh',
        });
      }
      return { source: new Network(layers), layers };
    },
  },
  gated: {
    label: 'WaveNet: 10 gated layers, residual sums',
    stride: 1,
    make: (runtime) => {
      const { layers, make } = layerMaker(runtime);
      const channels = 8;
      const source = new Network(1, (x) => {
        let h = x.conv(make({ inChannels: 1, outChannels: channels, kernelSize: 1 }));
        for (const dilation of doubling(10)) {
          const options = { inChannels: channels, outChannels: 2 * channels, kernelSize: 3, dilation };
          h = h.add(
            h
              .conv(make(options))
              .gate()
              .conv(make({ inChannels: channels, outChannels: channels, kernelSize: 1 })),
          );
        }
        return h.conv(make({ inChannels: channels, outChannels: 1, kernelSize: 1 }));
      });
      return { source, layers };
    },
  },
} satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;
