// What the figures of a run mean: a row for each layer and build, and what they come to over all layers.
import { isDense } from './layer.js';
import { geometricMean } from './statistics.js';

export const peerNames = ['onnxruntime-web', 'tfjs-backend-wasm', 'LiteRT.js'];
const ours = 'conv1d-wasm';
const native = 'onnxruntime-node';

const least = (numbers) => (numbers.length === 0 ? undefined : Math.min(...numbers));

/** Our builds that were measured in `run`. */
export const variantsOf = ({ layers }) => [
  ...new Set(layers.flatMap(({ results }) => results.flatMap((r) => r.variant ?? []))),
];

/**
 * One layer with one of our builds, by the medians (or by the minima):
 *
 * - `wasm`, `js`, `into`, `half`: our results with the tensors in wasm memory, from and to JavaScript arrays, from one and into a
 *   given one, and with float16 in wasm memory.
 * - `peers`: by name, `{ js, wasm }`: results with arrays in and out, and with the tensors kept where the peer computes.
 * - `limit`: what bounds the layer, 'fma', 'muladd' or 'copy', and the milliseconds that this takes alone.
 * - `ratios`: times faster than the best peer. `wasm`: ours with tensors in wasm memory, the peers with arrays in and out.
 *   `js`: both with arrays in and out. `into`: so, but ours into a given array. `resident`: ours in wasm memory, each peer as it is fastest.
 */
export function layerRow({ layer, limits, results }, variant, peaks, statistic = 'median') {
  const find = (wanted) => results.find((r) => Object.entries(wanted).every(([key, value]) => r[key] === value));
  const our = (placement, dtype) => find({ name: ours, variant, placement, dtype }) ?? {};
  const [wasm, js, into] = ['wasm', 'js', 'js-out'].map((placement) => our(placement, 'float32'));
  const half = our('wasm', 'float16');
  const peers = Object.fromEntries(
    peerNames.map((name) => [name, { js: find({ name, placement: 'js' }), wasm: find({ name, placement: 'wasm' }) }]),
  );
  const times = (entries) => entries.flatMap((entry) => entry?.[statistic] ?? []);
  const fromArrays = least(times(Object.values(peers).map((peer) => peer.js)));
  const fastest = least(times(Object.values(peers).flatMap((peer) => [peer.js, peer.wasm])));
  const arithmetic = variant === 'relaxed' && peaks.fma ? 'fma' : 'muladd';
  const arithmeticMilliseconds = layer.flops / peaks[arithmetic] / 1e6;
  const copy = limits.find(({ name }) => name === 'copy');
  const copyMilliseconds = copy[statistic] / copy.amount;
  const limit =
    copyMilliseconds > arithmeticMilliseconds
      ? { name: 'copy', milliseconds: copyMilliseconds }
      : { name: arithmetic, milliseconds: arithmeticMilliseconds };
  return {
    layer,
    wasm,
    js,
    into,
    half,
    peers,
    native: find({ name: native }),
    limit,
    gflops: layer.flops / wasm[statistic] / 1e6,
    share: limit.milliseconds / wasm[statistic],
    ratios: {
      wasm: fromArrays / wasm[statistic],
      js: fromArrays / js[statistic],
      into: fromArrays / into[statistic],
      resident: fastest / wasm[statistic],
    },
  };
}

export function rowsOf(run, variant, statistic) {
  const peaks = peaksOf(run);
  return run.layers.map((layer) => layerRow(layer, variant, peaks, statistic));
}

export const smallRow = (run, variant) => layerRow(run.small, variant, peaksOf(run));

/** The geometric mean and the worst of one kind of ratio: { mean, worst, layer }. */
export function ratioSummary(rows, kind) {
  const known = rows.filter(({ ratios }) => ratios[kind] > 0);
  const worst = known.toSorted((a, b) => a.ratios[kind] - b.ratios[kind])[0];
  if (!worst) return null;
  return {
    mean: geometricMean(known.map(({ ratios }) => ratios[kind])),
    worst: worst.ratios[kind],
    layer: worst.layer.name,
  };
}

/** How fast the machine multiplies and adds, { fma, muladd } in GFLOP/s: the best that was seen. */
export function peaksOf({ layers }) {
  const peak = (kind) => {
    const marks = layers.flatMap(({ limits }) => limits.filter(({ name }) => name === kind));
    return marks.length > 0 ? Math.max(...marks.map(({ amount, min }) => amount / min / 1e6)) : undefined;
  };
  return { fma: peak('fma'), muladd: peak('muladd') };
}

/** How much of its best speed the machine lacked on average, by the time that nothing but multiplying took. */
export function unrest({ layers }) {
  const marks = layers.flatMap(({ limits }) => limits.filter(({ name }) => name !== 'copy'));
  return 1 - marks.reduce((sum, { min, median: usual }) => sum + min / usual, 0) / marks.length;
}

const largeFlops = 20e6;
const extreme = (rows, value) => rows.map((row) => ({ value: value(row), layer: row.layer?.name })).filter((x) => x.value > 0).toSorted((a, b) => a.value - b.value); // prettier-ignore

// What transforms should bring: times the peak of multiplying and adding, in operations of the definition.
const peakTargets = {
  'dense.512k3': 1.5,
  'whisper.conv1': 1.35,
  'batch32.64k5': 1.35,
  'hifigan.256k11': 1.4,
  'ecg.64k16': 1.4,
  'tcn.64': 1.15,
  'encodec.32k7': 1.15,
  'hifigan.32k11': 1.15,
  'whisper.conv2': 1,
  'wav2vec2.conv1': 1,
  'demucs.enc1': 1,
};
// And times faster than onnxruntime-web, or than the best peer.
const onnxTargets = { 'fir.2ch.k1024': 25, 'reverb.mono': 150 };
const peerTargets = { 'conformer.dw144k31': 2.5, 'conformer.dw256k33': 2.5 };

/** The targets that the project set itself, as { what, target, figure }, for one build. */
export function targets(result, variant) {
  const lines = [];
  const add = (what, target, value, unit = '', layer) => {
    if (value === undefined || Number.isNaN(value)) return;
    lines.push({ what, target, figure: `${Number(value.toPrecision(3))}${unit}${layer ? ` (${layer})` : ''}` });
  };
  const worst = (what, target, list, unit) => list[0] && add(what, target, list[0].value, unit, list[0].layer);
  const single = result.runs.find(({ threads }) => threads === 1);
  for (const run of result.runs) {
    const rows = rowsOf(run, variant);
    const at = `${run.threads} thread${run.threads > 1 ? 's' : ''}`;
    const [wasm, js, into, resident] = ['wasm', 'js', 'into', 'resident'].map((kind) => ratioSummary(rows, kind));
    if (!wasm) continue;
    add(`times faster than the best peer (arrays), 'wasm', geometric mean, ${at}`, '>= 3', wasm.mean);
    add(`the same, worst layer, ${at}`, '>= 1.5', wasm.worst, '', wasm.layer);
    add(`'js' placement, geometric mean, ${at}`, '>= 1.8', js.mean);
    add(`the same into a given array, ${at}`, '', into.mean);
    add(`peers with resident tensors too, geometric mean, ${at}`, '', resident.mean);
    add(`the same, worst layer, ${at}`, '', resident.worst, '', resident.layer);
    if (run !== single && single) {
      const alone = rowsOf(single, variant);
      const speedUp = (part) => extreme(rows.filter(part), ({ layer, wasm: own }) => alone.find((row) => row.layer.name === layer.name).wasm.median / own.median); // prettier-ignore
      worst(
        `${at} against one, layers above 20 MFLOP, least`,
        '>= 1.8',
        speedUp(({ layer }) => layer.flops > largeFlops),
      );
      worst(
        `${at} against one, smaller layers, least`,
        '>= 1',
        speedUp(({ layer }) => layer.flops <= largeFlops),
      );
    }
  }
  if (!single) return lines;
  const rows = rowsOf(single, variant);
  for (const { layer, share, ratios, wasm, peers } of rows) {
    const { name } = layer;
    if (name in peakTargets) add(`${name}, times the peak`, `>= ${peakTargets[name]}`, share);
    if (name in peerTargets) add(`${name}, times the best peer`, `>= ${peerTargets[name]}`, ratios.wasm);
    if (name in onnxTargets) {
      const onnx = peers['onnxruntime-web']?.js?.median;
      add(`${name}, times onnxruntime-web`, `>= ${onnxTargets[name]}`, onnx && onnx / wasm.median);
    }
  }
  worst('dense layers, percent of the peak, least', '>= 88', extreme(rows.filter(({ layer }) => isDense(layer)), ({ share }) => 100 * share), ' %'); // prettier-ignore
  worst('layers limited by memory, times a plain copy, most', '<= 1.25', extreme(rows.filter(({ limit }) => limit.name === 'copy'), ({ share }) => 1 / share).toReversed()); // prettier-ignore
  worst('float16 against float32, dense layers, most', '<= 1.25', extreme(rows, ({ half, wasm }) => half.median / wasm.median).toReversed()); // prettier-ignore
  worst('scratch', '<= 1 MB a thread', extreme(rows, ({ wasm }) => (wasm.explanation?.scratchBytes ?? 0) / 2 ** 20).toReversed(), ' MB'); // prettier-ignore
  const small = smallRow(single, variant);
  add('one forward, 16 -> 16, k 3, 128 samples, resident', '<= 6 us', 1000 * small.wasm.median, ' us');
  add('the same from and to JavaScript arrays', '<= 9 us', 1000 * small.js.median, ' us');
  add('the same into a given array', '', 1000 * small.into.median, ' us');
  const [forward, assign] = (single.packing ?? []).filter((entry) => entry.variant === variant);
  if (assign) add("packing wav2vec2.conv1's weights", '<= 4 ms', assign.median - forward.median, ' ms');
  const besideNative = rows.filter((row) => row.native?.median);
  if (besideNative.length > 0) {
    const beaten = besideNative.filter((row) => row.wasm.median < row.native.median).length;
    add(`of ${besideNative.length} layers, faster than the native runtime at`, '>= 8', beaten);
  }
  const sizes = Object.entries(result.wasmBytes).filter(([file]) => file.includes(variant));
  worst('wasm, gzipped', '<= 75 KB', extreme(sizes.map(([name, bytes]) => ({ layer: { name }, bytes })), ({ bytes }) => bytes / 1024).toReversed(), ' KB'); // prettier-ignore
  return lines;
}
