// Band-limited resampling by a sinc under a Kaiser window, tabulated: J. O. Smith, "Digital Audio Resampling Home Page",
// https://ccrma.stanford.edu/~jos/resample/.

/** Zero crossings of the sinc on each side. */
const crossings = 64;
/** Points of the table from one crossing to the next. What linear interpolation adds is below 2^-21. */
const pointsPerCrossing = 1024;
/** The sinc's band edge, in terms of half the lower rate: half of the transition band lies below it, half above. */
const bandEdge = 0.95;
/** The window's parameter, for side lobes of -105 dB by Kaiser's rule: 0.1102 (105 - 8.7). */
const beta = 10.61;

/** The modified Bessel function of order 0, by its power series. */
function besselI0(x: number): number {
  let sum = 1;
  for (let term = 1, k = 1; term > 1e-12 * sum; ++k) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

let table: Float64Array | null = null;

/** The windowed sinc from its middle to its end, and a 0. */
function kernelTable(): Float64Array {
  if (table) return table;
  const size = crossings * pointsPerCrossing;
  table = new Float64Array(size + 2);
  table[0] = 1;
  for (let i = 1; i < size; ++i) {
    const x = (Math.PI * i) / pointsPerCrossing;
    table[i] = ((Math.sin(x) / x) * besselI0(beta * Math.sqrt(1 - (i / size) ** 2))) / besselI0(beta);
  }
  return table;
}

/**
 * The signals' channels, of one length, as they are at another rate: ceil(length * to / from) samples, the first at the
 * same time as before. The gain is 1 up to 0.9 of half the lower rate, and from half of it on -100 dB. The signals count as
 * silent before they begin and after they end.
 */
export function resample(channels: readonly Float32Array[], from: number, to: number): Float32Array[] {
  const length = channels[0]?.length ?? 0;
  const kernel = kernelTable();
  const cutoff = bandEdge * Math.min(1, to / from);
  const reach = crossings / cutoff;
  const results = channels.map(() => new Float32Array(Math.ceil((length * to) / from)));
  const weights = new Float64Array(2 * Math.ceil(reach) + 1);
  for (let t = 0; t < (results[0]?.length ?? 0); ++t) {
    const position = (t * from) / to;
    const first = Math.max(0, Math.ceil(position - reach));
    const count = Math.min(length, Math.floor(position + reach) + 1) - first;
    for (let i = 0; i < count; ++i) {
      const at = Math.abs(position - first - i) * cutoff * pointsPerCrossing;
      const point = Math.floor(at);
      const value = kernel[point] ?? 0;
      weights[i] = cutoff * (value + (at - point) * ((kernel[point + 1] ?? 0) - value));
    }
    channels.forEach((channel, c) => {
      let sum = 0;
      for (let i = 0; i < count; ++i) sum += (weights[i] ?? 0) * (channel[first + i] ?? 0);
      (results[c] as Float32Array)[t] = sum;
    });
  }
  return results;
}
