import uPlot from 'uplot';
import { short } from '../common/format';
import { axis, colour, fitPlot } from '../common/plots';

const points = 257;
const floor = -100;
const frequencies = Float64Array.from({ length: points }, (_, i) => i / (points - 1) / 2);

/** The gain of `taps`, `dilation` samples apart, at each frequency, in dB. */
export function response(taps: readonly number[], dilation: number): Float64Array {
  return frequencies.map((frequency) => {
    // A phasor that turns by one tap at a time costs no sine for each.
    const angle = 2 * Math.PI * frequency * dilation;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    let [re, im, sumRe, sumIm] = [1, 0, 0, 0];
    for (const tap of taps) {
      sumRe += tap * re;
      sumIm += tap * im;
      [re, im] = [re * cos - im * sin, re * sin + im * cos];
    }
    return Math.max(floor, 20 * Math.log10(Math.hypot(sumRe, sumIm)));
  });
}

/** How much of each frequency a kernel lets through. */
export class ResponsePlot {
  readonly #plot: uPlot;

  constructor(
    host: HTMLElement,
    /** Told the frequency under the cursor, in cycles per sample, and the gain there in dB. */
    onCursor: (at: { frequency: number; gain: number } | null) => void,
  ) {
    this.#plot = new uPlot(
      {
        width: host.clientWidth,
        height: host.clientHeight,
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 7, width: 0 }, drag: { x: false, y: false } },
        scales: { x: { time: false, range: [0, 0.5] }, y: { range: (_u, low, high) => decibels(low, high) } },
        axes: [axis(26, (_u, splits) => splits.map(short), 44), axis(38, (_u, splits) => splits.map(short), 26)],
        series: [{}, { stroke: () => colour('kernel'), width: 1.6, points: { show: false } }],
        hooks: {
          setCursor: [
            (u) => {
              const { idx } = u.cursor;
              const gain = idx == null ? undefined : u.data[1]?.[idx];
              onCursor(idx == null || gain == null ? null : { frequency: frequencies[idx] ?? 0, gain });
            },
          ],
        },
      },
      [frequencies, new Float64Array(points)],
      host,
    );
    fitPlot(host, this.#plot);
  }

  show(taps: readonly number[], dilation: number): void {
    this.#plot.setData([frequencies, response(taps, dilation)]);
  }
}

/** From some room above the highest gain to 60 dB below it, or less where there is less. */
function decibels(low: number | null, high: number | null): [number, number] {
  const top = Math.max(6, Math.ceil(((high ?? 0) + 3) / 6) * 6);
  return [Math.min(top - 12, Math.max(top - 72, Math.floor(((low ?? floor) - 3) / 6) * 6)), top];
}
