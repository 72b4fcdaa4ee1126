// The networks of npm run bench -- --networks, what each is fed, and what is wanted of it.
//
// `prepare` gives { contenders, flops? }: ours, then its peers, each { name, seconds?, prepare() }; what one of them prepares is
// { run(), check(), dispose() }, where check() gives, after a few runs, numbers in which all have to agree. A run takes
// `seconds` of signal, and `flops` operations. Modules are loaded when they are needed, as not every place has every library.
//
// Architectures are functions (builder, x) of a builder in libraries/: so each library gets the same network and weights.

const from = (architecture, name) => async (context) =>
  (await import(`./architectures/${architecture}.js`))[name](context);

const push = { what: 'stream, pushes of 128', seconds: 128 / 48000 };
const a1 = 'nam/wavenet_a1_standard.nam';
const a2 = 'nam/A2.nam';

/** `files` lie in ../shared/models. `target`: at least that share of the peak, times real time, times the fastest peer. */
export const networks = [
  {
    ...{ name: 'NAM A1 standard', ...push, files: [a1], prepare: from('nam', 'a1Stream') },
    target: { peak: 0.5, peer: 8 },
  },
  {
    ...{ name: 'NAM A2 full', ...push, files: [a2], prepare: from('nam', 'a2FullStream') },
    target: { peak: 0.5 },
  },
  {
    ...{ name: 'NAM A2 lite', ...push, files: [a2], prepare: from('nam', 'a2LiteStream') },
    target: { peak: 0.3 },
  },
  {
    ...{
      name: '20 gated layers, 16 -> 2 x 16 -> 16',
      ...push,
      files: [],
      prepare: from('gated-layers', 'gatedLayers'),
    },
    target: { realTime: 25 },
  },
  {
    ...{ name: 'NAM A1 standard', what: '10 s whole', seconds: 10, files: [a1], prepare: from('nam', 'a1Forward') },
    target: { peer: 1.15 },
  },
  {
    ...{ name: 'NAM A1 standard', what: '10 s whole, two threads', seconds: 10, files: [a1] },
    ...{ prepare: from('nam', 'a1TwoThreads'), target: { peer: 1.8 } },
  },
  {
    ...{ name: 'CREPE tiny', what: '64 frames', seconds: 0.64, files: ['crepe/tiny.safetensors'] },
    ...{ prepare: from('crepe', 'crepe'), target: { peer: 3 } },
  },
  {
    ...{ name: 'HiFi-GAN V3-like', what: '1 s of sound', seconds: 1, files: [], prepare: from('hifigan', 'hifigan') },
    target: { peer: 3 },
  },
  {
    ...{ name: 'ConvTranspose1d', what: '256 -> 128, k 16, stride 8, L 500', files: [] },
    ...{ prepare: from('hifigan', 'convTranspose'), target: { peak: 0.8 } },
  },
  {
    ...{ name: 'ECG ResNet-18', what: '12 leads, 5,000 samples', seconds: 10, files: [] },
    ...{ prepare: from('ecg-resnet', 'ecgResnet'), target: { peer: 3 } },
  },
  {
    ...{
      name: 'Silero VAD',
      what: 'chunks of 512',
      seconds: 512 / 16000,
      files: ['silero/silero_vad_16k.safetensors'],
    },
    ...{ prepare: from('silero', 'silero'), target: { peer: 3 } },
  },
];
