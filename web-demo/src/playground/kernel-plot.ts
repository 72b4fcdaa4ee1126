import uPlot from 'uplot';
import { short } from '../common/format';
import { airy, colour, fitPlot, sampleAxis, valueAxis, type Range } from '../common/plots';

/** What a kernel plot tells. */
export interface KernelEvents {
  /** Somebody moved a tap. */
  onTap(k: number, value: number): void;
  /** The pointer is at a tap, or has left. */
  onHover(k: number | null): void;
}

/** The taps as stems that can be dragged, at the distances that dilation gives them. */
export class KernelPlot {
  readonly #plot: uPlot;
  #taps: readonly number[] = [0];
  #ghosts: readonly (readonly number[])[] = [];
  #dilation = 1;
  /** The tap of the keyboard. */
  #picked = 0;
  #hovered: number | null = null;
  #dragged: number | null = null;
  #frozen: Range = [0, 1];

  constructor(
    readonly host: HTMLElement,
    readonly events: KernelEvents,
  ) {
    this.#plot = new uPlot(
      {
        width: host.clientWidth,
        height: host.clientHeight,
        padding: [8, 10, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: () => this.#xRange() },
          y: { range: () => this.#yRange() },
        },
        axes: [sampleAxis(), valueAxis()],
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: {
          draw: [
            () => {
              this.#draw();
            },
          ],
        },
      },
      [[0], [0]],
      host,
    );
    fitPlot(host, this.#plot);
    this.#listen();
  }

  /** `ghosts` are kernels to show faintly behind. */
  show(taps: readonly number[], ghosts: readonly (readonly number[])[], dilation: number): void {
    this.#taps = taps;
    this.#ghosts = ghosts;
    this.#dilation = dilation;
    this.#picked = Math.min(this.#picked, taps.length - 1);
    this.#plot.setData([taps.map((_, k) => k * dilation), [...taps]]);
    this.#describe();
  }

  #xRange(): Range {
    const last = (this.#taps.length - 1) * this.#dilation;
    const air = Math.max(0.75, last * 0.03);
    return [-air, last + air];
  }

  #yRange(): Range {
    const all = [0, ...this.#taps, ...this.#ghosts.flat()];
    const range = airy(Math.min(...all), Math.max(...all));
    if (this.#dragged === null) return range;
    // Under the pointer the scale only grows.
    this.#frozen = [Math.min(range[0], this.#frozen[0]), Math.max(range[1], this.#frozen[1])];
    return this.#frozen;
  }

  #draw(): void {
    const { ctx, bbox } = this.#plot;
    const x = (k: number) => this.#plot.valToPos(k * this.#dilation, 'x', true);
    const y = (value: number) => this.#plot.valToPos(value, 'y', true);
    const ratio = devicePixelRatio;
    const spacing = Math.abs(x(1) - x(0)) / ratio;
    const radius = Math.max(1.5, Math.min(5.5, spacing * 0.36));
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - 8 * ratio, bbox.width, bbox.height + 16 * ratio);
    ctx.clip();

    ctx.strokeStyle = colour('axis');
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y(0));
    ctx.lineTo(bbox.left + bbox.width, y(0));
    ctx.stroke();

    ctx.fillStyle = colour('ghost');
    for (const ghost of this.#ghosts) {
      ghost.forEach((tap, k) => {
        disc(ctx, x(k), y(tap), radius * 0.7 * ratio);
      });
    }
    ctx.strokeStyle = ctx.fillStyle = colour('kernel');
    ctx.lineCap = 'round';
    ctx.lineWidth = Math.max(1, Math.min(2.5, spacing * 0.3)) * ratio;
    ctx.beginPath();
    this.#taps.forEach((tap, k) => {
      ctx.moveTo(x(k), y(0));
      ctx.lineTo(x(k), y(tap));
    });
    ctx.stroke();
    this.#taps.forEach((tap, k) => {
      disc(ctx, x(k), y(tap), radius * ratio);
    });

    const marked = this.#dragged ?? this.#hovered ?? (this.host.matches(':focus-visible') ? this.#picked : null);
    const tap = marked === null ? undefined : this.#taps[marked];
    if (marked !== null && tap !== undefined) {
      ctx.lineWidth = 2 * ratio;
      ctx.globalAlpha = 0.45;
      ctx.beginPath();
      ctx.arc(x(marked), y(tap), (radius + 4) * ratio, 0, 2 * Math.PI);
      ctx.stroke();
    }
    ctx.restore();
  }

  #listen(): void {
    const { over } = this.#plot;
    over.addEventListener('pointermove', (event) => {
      if (this.#dragged === null) this.#hover(this.#nearest(event));
      else this.#dragTo(event);
    });
    over.addEventListener('pointerleave', () => {
      if (this.#dragged === null) this.#hover(null);
    });
    over.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || (event.pointerType === 'touch' && !this.#isNear(event))) return;
      over.setPointerCapture(event.pointerId);
      this.#frozen = [this.#plot.scales.y?.min ?? -1, this.#plot.scales.y?.max ?? 1];
      this.#picked = this.#dragged = this.#nearest(event);
      this.#hover(this.#dragged);
      this.#dragTo(event);
    });
    for (const type of ['pointerup', 'pointercancel']) {
      over.addEventListener(type, () => {
        if (this.#dragged === null) return;
        this.#dragged = null;
        this.#plot.setData(this.#plot.data);
      });
    }
    // A finger beside the taps scrolls the page, one on a tap moves it.
    over.addEventListener(
      'touchstart',
      (event) => {
        if (event.touches[0] && this.#isNear(event.touches[0])) event.preventDefault();
      },
      { passive: false },
    );
    this.host.addEventListener('keydown', (event) => {
      this.#onKey(event);
    });
    for (const type of ['focus', 'blur']) {
      this.host.addEventListener(type, () => {
        this.events.onHover(type === 'focus' && this.host.matches(':focus-visible') ? this.#picked : null);
        this.#plot.redraw(false);
      });
    }
  }

  #nearest(at: { clientX: number }): number {
    const left = at.clientX - this.#plot.over.getBoundingClientRect().left;
    const k = Math.round(this.#plot.posToVal(left, 'x') / this.#dilation);
    return Math.max(0, Math.min(this.#taps.length - 1, k));
  }

  #isNear(at: { clientX: number; clientY: number }): boolean {
    const k = this.#nearest(at);
    const box = this.#plot.over.getBoundingClientRect();
    const x = this.#plot.valToPos(k * this.#dilation, 'x') + box.left;
    const y = this.#plot.valToPos(this.#taps[k] ?? 0, 'y') + box.top;
    return Math.hypot(at.clientX - x, at.clientY - y) < 28;
  }

  #dragTo(event: PointerEvent): void {
    if (this.#dragged === null) return;
    const top = event.clientY - this.#plot.over.getBoundingClientRect().top;
    this.events.onTap(this.#dragged, round(this.#plot.posToVal(top, 'y'), this.#frozen));
  }

  #hover(k: number | null): void {
    if (k === this.#hovered) return;
    this.#hovered = k;
    this.events.onHover(k);
    this.#plot.redraw(false);
  }

  #onKey(event: KeyboardEvent): void {
    const last = this.#taps.length - 1;
    const range = this.#yRange();
    const step = ((range[1] - range[0]) / 50) * (event.shiftKey ? 5 : 1);
    const tap = this.#taps[this.#picked] ?? 0;
    const pick = (k: number) => {
      this.#picked = Math.max(0, Math.min(last, k));
      this.#plot.redraw(false);
    };
    const change = (value: number) => {
      this.events.onTap(this.#picked, round(value, range));
    };
    const keys: Record<string, () => void> = {
      ArrowLeft: () => pick(this.#picked - 1),
      ArrowRight: () => pick(this.#picked + 1),
      Home: () => pick(0),
      End: () => pick(last),
      ArrowUp: () => change(tap + step),
      ArrowDown: () => change(tap - step),
      Delete: () => change(0),
    };
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action();
    this.#describe();
    this.events.onHover(this.#picked);
  }

  #describe(): void {
    const tap = this.#taps[this.#picked] ?? 0;
    this.host.setAttribute('aria-valuenow', String(tap));
    this.host.setAttribute('aria-valuetext', `tap ${this.#picked} of 0 to ${this.#taps.length - 1}: ${short(tap)}`);
  }
}

function disc(ctx: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
}

/** To about a two-hundredth of the range: what a pointer can mean. */
function round(value: number, [min, max]: Range): number {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(max - min)));
  return Number(value.toFixed(Math.min(20, digits)));
}
