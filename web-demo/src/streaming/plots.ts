import uPlot from 'uplot';
import { airy, colour, fitPlot, sampleAxis, valueAxis, type Range } from '../common/plots';

const leastGap = 3; // CSS pixels between two cuts that are drawn
const leastSpan = 8; // samples that can be seen
const firstSpan = 2500; // short enough that single samples tell

/** The input with its cuts above the two outputs; both show the same stretch of time. */
export class StreamPlots {
  readonly #input: uPlot;
  readonly #output: uPlot;
  #cuts: readonly number[] = [];
  #length = 1;
  #offline: Float32Array = new Float32Array();
  #times: Float64Array = new Float64Array();
  #range: Range = [0, 1];

  constructor(
    input: HTMLElement,
    output: HTMLElement,
    /** Told how many cuts are in sight, and whether they are drawn. */
    readonly onCuts: (visible: number, drawn: boolean) => void,
  ) {
    this.#input = this.#plot(input, [{ stroke: () => colour('input'), width: 1.4, points: { show: false } }]);
    this.#output = this.#plot(output, [
      { stroke: () => colour('ghost'), width: 6, points: { show: false } },
      { stroke: () => colour('output'), width: 1.6, points: { show: false } },
    ]);
  }

  showSubject({ signal, offline, stride }: { signal: Float32Array; offline: Float32Array; stride: number }): void {
    const isFirst = this.#length === 1;
    this.#length = signal.length;
    this.#offline = offline;
    this.#times = Float64Array.from(offline, (_, i) => i * stride);
    this.#input.setData([Float64Array.from(signal, (_, i) => i), signal], false);
    this.#range = isFirst ? [0, firstSpan] : this.#range;
  }

  showCuts(cuts: readonly number[]): void {
    this.#cuts = cuts;
    this.#follow();
  }

  /** `streamed` is drawn as far as it has come. */
  showStreamed(streamed: Float32Array, count: number): void {
    const shown = Array.from<number, number | null>(streamed, (value, i) => (i < count ? value : null));
    this.#output.setData([this.#times, this.#offline, shown], false);
    this.#follow();
  }

  /** `factor` below 1 shows less, `shift` goes on by so many widths. */
  zoom(factor: number, shift = 0): void {
    const [min, max] = this.#range;
    const middle = (min + max) / 2 + shift * (max - min);
    const half = Math.max(leastSpan, (max - min) * factor) / 2;
    this.zoomTo([middle - half, middle + half]);
  }

  zoomTo([min, max]: Range): void {
    const end = this.#length - 1;
    const span = Math.min(end, Math.max(leastSpan, max - min));
    const from = Math.max(0, Math.min(end - span, min));
    this.#range = [from, from + span];
    this.#follow();
  }

  #follow(): void {
    const [min, max] = this.#range;
    for (const plot of [this.#input, this.#output]) plot.setScale('x', { min, max });
    const visible = this.#visibleCuts();
    this.onCuts(visible.length, this.#areApart(this.#input, visible.length));
  }

  #visibleCuts(): readonly number[] {
    const [min, max] = this.#range;
    return this.#cuts.filter((cut) => cut >= min && cut <= max);
  }

  #areApart(u: uPlot, count: number): boolean {
    return count * leastGap * devicePixelRatio <= u.bbox.width;
  }

  #plot(host: HTMLElement, lines: uPlot.Series[]): uPlot {
    const plot = new uPlot(
      {
        width: host.clientWidth,
        height: host.clientHeight,
        padding: [8, 18, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: true, y: false, setScale: false },
          sync: { key: 'streaming', setSeries: false, scales: ['x', null] },
          bind: {
            dblclick: () => () => {
              this.zoomTo([0, this.#length - 1]);
              return null;
            },
          },
        },
        scales: {
          x: { time: false, auto: false, min: 0, max: 1 },
          y: { range: (_u, low, high) => airy(low, high) },
        },
        axes: [sampleAxis(), valueAxis()],
        series: [{}, ...lines],
        hooks: {
          drawAxes: [(u) => this.#drawCuts(u)],
          setSelect: [
            (u) => {
              const { left, width } = u.select;
              if (width > 6) this.zoomTo([u.posToVal(left, 'x'), u.posToVal(left + width, 'x')]);
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
        },
      },
      [[]],
      host,
    );
    fitPlot(host, plot);
    return plot;
  }

  #drawCuts(u: uPlot): void {
    const cuts = this.#visibleCuts();
    if (!this.#areApart(u, cuts.length)) return;
    const { top, height } = u.bbox;
    u.ctx.save();
    u.ctx.fillStyle = colour('kernel');
    u.ctx.globalAlpha = 0.5;
    for (const cut of cuts) u.ctx.fillRect(Math.round(u.valToPos(cut, 'x', true)), top, devicePixelRatio, height);
    u.ctx.restore();
  }
}
