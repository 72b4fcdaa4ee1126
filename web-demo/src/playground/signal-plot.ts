import uPlot from 'uplot';
import { short } from '../common/format';
import { airy, colour, fitPlot, sampleAxis, valueAxis, type Range } from '../common/plots';
import { drawPadding, isOutside, type Padding } from './padding';
import type { Spot } from './source';

const channelColours = ['channel-2', 'channel-3', 'channel-4'];

/** Plots that show the same stretch of time: they zoom together, and the cursor is in all of them. */
export class TimeLink {
  readonly plots: SignalPlot[] = [];
  /** Told whether only a part is shown. */
  onZoom: (zoomed: boolean) => void = () => undefined;
  #full: Range = [0, 1];
  #zoom: Range | null = null;

  get range(): Range {
    return this.#zoom ?? this.#full;
  }

  /** What there is to see. */
  setFull(min: number, max: number): void {
    this.#full = [min, Math.max(max, min + 1)];
    if (this.#zoom && (this.#zoom[0] > max || this.#zoom[1] < min)) this.zoomTo(null);
  }

  zoomTo(range: Range | null): void {
    this.#zoom = range && range[1] - range[0] >= 1 ? range : null;
    this.onZoom(this.#zoom !== null);
    for (const plot of this.plots) plot.follow();
  }

  moveCursor(x: number): void {
    for (const plot of this.plots) plot.moveCursor(x);
  }
}

/** A sample that an output is made of, and how much it counts: from 0 to 1. */
export interface Mark {
  index: number;
  c: number;
  value: number;
  strength: number;
}

/** Signals over time, one line for each channel. */
export class SignalPlot {
  /** Told where somebody draws, while that is what the pointer does. */
  onDraw: ((from: Spot, to: Spot) => void) | null = null;
  readonly #plot: uPlot;
  readonly #band = document.createElement('div');
  readonly #overlay = document.createElement('canvas');
  #padding: Padding = { left: 0, right: 0, mode: 'zeros' };
  #spot: Spot | null = null;
  #frozen: Range | null = null;
  #x: Float64Array = new Float64Array();
  #channels: readonly Float32Array[] = [];
  /** What lies between two channels, which are drawn one below the other. */
  #lane = 0;

  constructor(
    readonly host: HTMLElement,
    readonly role: 'input' | 'output',
    readonly link: TimeLink,
    /** Told which sample the cursor is at. */
    readonly onCursor: (index: number | null) => void,
  ) {
    const [min, max] = link.range;
    const x: uPlot.Scale = { time: false, auto: false, min, max };
    this.#plot = new uPlot(
      {
        width: host.clientWidth,
        height: host.clientHeight,
        padding: [8, 10, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          points: { size: 7, width: 0 },
          drag: { x: true, y: false, setScale: false },
          sync: { key: 'time', setSeries: false, scales: ['x', null] },
          bind: {
            dblclick: () => () => {
              link.zoomTo(null);
              return null;
            },
          },
        },
        scales: { x, y: { range: (_u, low, high) => this.#yRange(low, high) } },
        axes: [sampleAxis(), this.#yAxis()],
        series: [{}],
        hooks: {
          setSelect: [
            (u) => {
              const { left, width } = u.select;
              if (width > 6) link.zoomTo([u.posToVal(left, 'x'), u.posToVal(left + width, 'x')]);
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
          setCursor: [(u) => onCursor(this.#indexAt(u))],
          draw: [(u) => drawPadding(u, this.#channels, this.#lane, this.#padding)],
        },
      },
      [[]],
      host,
    );
    this.#band.className = 'band';
    this.#band.hidden = true;
    this.#overlay.className = 'overlay';
    this.#plot.over.append(this.#band, this.#overlay);
    fitPlot(host, this.#plot);
    link.plots.push(this);
    host.addEventListener('keydown', (event) => {
      this.#onKey(event);
    });
    this.#listenToPen();
  }

  /** `channels[c][i]` is drawn at time `x[i]`. */
  show(x: Float64Array, channels: readonly Float32Array[], padding = this.#padding): void {
    const u = this.#plot;
    this.#x = x;
    this.#channels = channels;
    this.#padding = padding;
    u.batch(() => {
      while (u.series.length - 1 > channels.length) u.delSeries(u.series.length - 1);
      while (u.series.length - 1 < channels.length) u.addSeries(this.#series(u.series.length - 1));
      this.#lane = laneOf(channels);
      u.setData([x, ...channels.map((channel, c) => lowered(channel, c * this.#lane))]);
      this.follow();
    });
    this.host.setAttribute('aria-valuemin', '0');
    this.host.setAttribute('aria-valuemax', String(Math.max(0, x.length - 1)));
    this.describe(u.cursor.idx ?? null);
    onNext(() => this.onCursor(this.#indexAt(u)));
  }

  /** Shows the link's stretch of time. */
  follow(): void {
    const [min, max] = this.link.range;
    this.#plot.setScale('x', { min, max });
  }

  moveCursor(x: number): void {
    this.#plot.setCursor({ left: this.#plot.valToPos(x, 'x'), top: 0 });
  }

  /** Marks a stretch of time, its ends included. */
  markBand(range: Range | null): void {
    this.#band.hidden = range === null;
    if (!range) return;
    const [left, right] = range.map((x) => this.#plot.valToPos(x, 'x')) as Range;
    this.#band.style.transform = `translateX(${left - 4}px)`;
    this.#band.style.width = `${right - left + 8}px`;
  }

  /** Marks samples, of the padding as well. */
  mark(marks: readonly Mark[]): void {
    const { clientWidth: width, clientHeight: height } = this.#plot.over;
    const ratio = devicePixelRatio;
    Object.assign(this.#overlay, { width: width * ratio, height: height * ratio }); // clears it, too
    const ctx = this.#overlay.getContext('2d');
    if (!ctx || marks.length === 0) return;
    ctx.scale(ratio, ratio);
    ctx.fillStyle = ctx.strokeStyle = colour('kernel');
    const radius = marks.length > 200 ? 2 : 3.5;
    for (const { index, c, value, strength } of marks) {
      ctx.globalAlpha = 0.25 + 0.75 * strength;
      ctx.beginPath();
      ctx.arc(
        this.#plot.valToPos(index, 'x'),
        this.#plot.valToPos(value - c * this.#lane, 'y'),
        radius,
        0,
        2 * Math.PI,
      );
      if (strength > 0) ctx.fill();
      else ctx.stroke();
    }
  }

  /** Tells screen readers where the cursor is. */
  describe(index: number | null): void {
    const i = Math.min(index ?? 0, Math.max(0, this.#x.length - 1));
    const values = this.#channels.map((channel) => short(channel[i] ?? NaN)).join(', ');
    this.host.setAttribute('aria-valuenow', String(i));
    this.host.setAttribute('aria-valuetext', `sample ${i}: ${values}`);
  }

  #yRange(low: number | null, high: number | null): Range {
    const { left, right, mode } = this.#padding;
    const hasZeros = mode === 'zeros' && left + right > 0 && low !== null && high !== null;
    const range = hasZeros ? airy(Math.min(0, low), Math.max(0, high)) : airy(low, high);
    if (!this.onDraw) return range;
    // There must be room to draw in, and it must not move under the pen.
    this.#frozen = this.#spot && this.#frozen ? this.#frozen : [Math.min(-1.5, range[0]), Math.max(1.5, range[1])];
    return this.#frozen;
  }

  /** The sample at the cursor, that of the padding as well. */
  #indexAt(u: uPlot): number | null {
    const { cursor } = u;
    if (cursor.idx == null) return null;
    const { left, right } = this.#padding;
    const index = Math.round(u.posToVal(cursor.left ?? 0, 'x'));
    const isPadding = isOutside(index, this.#x.length) && index >= -left && index < this.#x.length + right;
    return isPadding ? index : cursor.idx;
  }

  /** What the pointer draws while `onDraw` is set; else it zooms. */
  #listenToPen(): void {
    const { host } = this;
    const { over } = this.#plot;
    const spotAt = ({ clientX, clientY }: MouseEvent): Spot => {
      const box = over.getBoundingClientRect();
      const sample = Math.round(this.#plot.posToVal(clientX - box.left, 'x'));
      const value = this.#plot.posToVal(clientY - box.top, 'y');
      return { sample: Math.max(0, Math.min(this.#x.length - 1, sample)), value };
    };
    const draw = (event: MouseEvent, begin: boolean) => {
      const spot = spotAt(event);
      const from = begin ? spot : this.#spot;
      if (!from) return;
      this.#spot = spot;
      this.onDraw?.(from, spot);
    };
    over.addEventListener('pointerdown', (event) => {
      if (!this.onDraw || event.button !== 0) return;
      over.setPointerCapture(event.pointerId);
      draw(event, true);
    });
    over.addEventListener('pointermove', (event) => {
      if (this.#spot) draw(event, false);
    });
    for (const type of ['pointerup', 'pointercancel'] as const) {
      over.addEventListener(type, () => {
        this.#spot = null;
      });
    }
    // Before uPlot hears of it and begins to zoom.
    host.addEventListener(
      'mousedown',
      (event) => {
        if (this.onDraw && over.contains(event.target as Node)) event.stopPropagation();
      },
      { capture: true },
    );
  }

  /** Numbers for one channel; for several the zero line of each, with its number. */
  #yAxis(): uPlot.Axis {
    const zeros = () => this.#channels.map((_, c) => -c * this.#lane);
    return {
      ...valueAxis(),
      splits: (_u, _axis, min, max, step) => (this.#channels.length > 1 ? zeros() : ticks(min, max, step)),
      values: (_u, splits) => splits.map((y, c) => (this.#channels.length > 1 ? `ch ${c + 1}` : short(y))),
    };
  }

  #series(c: number): uPlot.Series {
    const stroke = () => colour([this.role, ...channelColours][c] ?? 'muted');
    return {
      stroke,
      width: 1.6,
      fill: () => `color-mix(in srgb, ${stroke()} 9%, transparent)`,
      fillTo: () => -c * this.#lane,
      points: { size: 5, width: 0, fill: stroke },
    };
  }

  #onKey(event: KeyboardEvent): void {
    const last = this.#x.length - 1;
    const now = this.#plot.cursor.idx ?? Math.round(last / 2);
    const step = event.shiftKey ? 10 : 1;
    const moves: Record<string, number> = { ArrowLeft: now - step, ArrowRight: now + step, Home: 0, End: last };
    const [min, max] = this.link.range;
    const centre = this.#x[now] ?? 0;
    const zoom = (factor: number): Range => [centre + (min - centre) * factor, centre + (max - centre) * factor];
    const target = moves[event.key];
    if (target !== undefined) this.link.moveCursor(this.#x[Math.max(0, Math.min(last, target))] ?? 0);
    else if (this.onDraw && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) this.#nudge(now, event.key);
    else if (event.key === '+') this.link.zoomTo(zoom(0.5));
    else if (event.key === '-') this.link.zoomTo(zoom(2));
    else if (event.key === 'Escape') this.link.zoomTo(null);
    else return;
    event.preventDefault();
  }

  /** Draws by keyboard. */
  #nudge(sample: number, key: string): void {
    const value = (this.#channels[0]?.[sample] ?? 0) + (key === 'ArrowUp' ? 0.05 : -0.05);
    this.onDraw?.({ sample, value }, { sample, value });
  }
}

function laneOf(channels: readonly Float32Array[]): number {
  let low = 0;
  let high = 0;
  for (const channel of channels) {
    for (const value of channel) {
      if (value < low) low = value;
      else if (value > high && value < Infinity) high = value;
    }
  }
  return channels.length > 1 ? (Number.isFinite(high - low) && high > low ? high - low : 1) : 0;
}

function lowered(channel: Float32Array, by: number): Float32Array {
  return by === 0 ? channel : channel.map((value) => value - by);
}

/** Multiples of `step` from `min` to `max`. */
function ticks(min: number, max: number, step: number): number[] {
  const first = Math.ceil(min / step);
  return Array.from({ length: Math.max(0, Math.floor(max / step) - first + 1) }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

// uPlot applies what it was told in a microtask.
function onNext(action: () => void): void {
  queueMicrotask(() => queueMicrotask(action));
}
