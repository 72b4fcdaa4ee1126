import uPlot from 'uplot';
import { axis, colour, fitPlot } from '../common/plots';

const lowest = 30;
const highest = 20_000;
const points = 240;
/** Of what is drawn, and of what is seen. */
const silence = -200;
const floor = -110;
const ceiling = -10;
/** Milliseconds between pictures for those who want little motion. */
const calmInterval = 1000;

const frequencies = Float64Array.from({ length: points }, (_, i) => lowest * (highest / lowest) ** (i / (points - 1)));
// The plot's own axis is linear, and shows logarithms.
const positions = Array.from(frequencies, Math.log10);
const marks = [50, 100, 200, 500, 1000, 2000, 5000, 10_000];
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** The spectra before and after, over frequencies on a logarithmic axis, drawn while something plays. */
export class Spectrum {
  readonly #plot: uPlot;
  readonly #curves = [0, 1].map(() => new Float64Array(points).fill(silence)) as [Float64Array, Float64Array];
  #bins = new Float32Array();
  #frame = 0;
  #drawnAt = 0;

  constructor(host: HTMLElement) {
    const line = (name: string): uPlot.Series => ({
      stroke: () => colour(name),
      width: 1.6,
      points: { show: false },
    });
    this.#plot = new uPlot(
      {
        width: host.clientWidth || 300,
        height: host.clientHeight || 200,
        padding: [8, 10, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: [Math.log10(lowest), Math.log10(highest)] },
          y: { range: [floor, ceiling] },
        },
        axes: [
          {
            ...axis(26, () => marks.map((hertz) => (hertz < 1000 ? `${hertz}` : `${hertz / 1000}k`)), 40),
            splits: () => marks.map(Math.log10),
          },
          axis(44, (_u, splits) => splits.map((level) => `${level}`.replace('-', '−')), 30),
        ],
        series: [{}, line('input'), { ...line('output'), width: 2.2 }],
      },
      [positions, ...this.#curves] as unknown as uPlot.AlignedData,
      host,
    );
    fitPlot(host, this.#plot);
  }

  /** Draws what the two nodes hear until `stop`. */
  start(before: AnalyserNode, after: AnalyserNode): void {
    this.stop();
    const draw = (now: number) => {
      this.#frame = requestAnimationFrame(draw);
      if (calm.matches && now - this.#drawnAt < calmInterval) return;
      this.#drawnAt = now;
      this.#take(before, this.#curves[0]);
      this.#take(after, this.#curves[1]);
      this.#draw();
    };
    this.#frame = requestAnimationFrame(draw);
  }

  /** Leaves an empty picture. */
  stop(): void {
    cancelAnimationFrame(this.#frame);
    for (const curve of this.#curves) curve.fill(silence);
    this.#draw();
  }

  #draw(): void {
    this.#plot.setData([positions, ...this.#curves] as unknown as uPlot.AlignedData, false);
    this.#plot.redraw(false);
  }

  /** The loudest bin around each frequency; between bins, where they lie far apart, what a line between them has. */
  #take(analyser: AnalyserNode, curve: Float64Array): void {
    if (this.#bins.length !== analyser.frequencyBinCount) this.#bins = new Float32Array(analyser.frequencyBinCount);
    const bins = this.#bins;
    analyser.getFloatFrequencyData(bins);
    const binsPerHertz = (2 * bins.length) / analyser.context.sampleRate;
    const halfStep = (highest / lowest) ** (0.5 / (points - 1));
    const at = (bin: number) => Math.max(silence, bins[Math.min(bins.length - 1, bin)] ?? silence);
    for (let i = 0; i < points; ++i) {
      const centre = (frequencies[i] ?? 0) * binsPerHertz;
      const [first, last] = [Math.ceil(centre / halfStep), Math.floor(centre * halfStep)];
      if (first > last) {
        const whole = Math.floor(centre);
        curve[i] = at(whole) + (centre - whole) * (at(whole + 1) - at(whole));
        continue;
      }
      let loudest = silence;
      for (let bin = first; bin <= last; ++bin) loudest = Math.max(loudest, at(bin));
      curve[i] = loudest;
    }
  }
}
