import type uPlot from 'uplot';
import { colour } from '../common/plots';
import type { choices } from './layer';

export type PaddingMode = (typeof choices.paddingMode)[number];

/** Samples that are added to a signal. */
export interface Padding {
  left: number;
  right: number;
  mode: PaddingMode;
}

export const isOutside = (i: number, length: number) => i < 0 || i >= length;

type Shape = (ctx: CanvasRenderingContext2D, x: number, y: number, size: number) => void;

interface Kind {
  /** Which sample stands at index `i` outside of a signal of `length` samples; null is a zero. */
  source: (i: number, length: number) => number | null;
  shape: Shape;
  dash: readonly number[];
}

const polygon =
  (...corners: readonly (readonly [number, number])[]): Shape =>
  (ctx, x, y, size) => {
    for (const [i, [dx, dy]] of corners.entries()) {
      if (i === 0) ctx.moveTo(x + dx * size, y + dy * size);
      else ctx.lineTo(x + dx * size, y + dy * size);
    }
    ctx.closePath();
  };

const kinds: Record<PaddingMode, Kind> = {
  zeros: {
    source: () => null,
    shape: (ctx, x, y, size) => {
      ctx.moveTo(x + size, y);
      ctx.arc(x, y, size, 0, 2 * Math.PI);
    },
    dash: [2, 3],
  },
  reflect: {
    source: (i, length) => (i < 0 ? -i : 2 * (length - 1) - i),
    shape: polygon([0, -1.2], [1.1, 0.8], [-1.1, 0.8]),
    dash: [6, 3],
  },
  replicate: {
    source: (i, length) => (i < 0 ? 0 : length - 1),
    shape: polygon([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]),
    dash: [1, 2],
  },
  circular: {
    source: (i, length) => (i < 0 ? i + length : i - length),
    shape: polygon([0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]),
    dash: [8, 2, 2, 2],
  },
};

/** What a layer reads at index `i`, inside of the signal or not. */
export function readPadded(channel: Float32Array, i: number, mode: PaddingMode): number {
  if (!isOutside(i, channel.length)) return channel[i] ?? 0;
  const source = kinds[mode].source(i, channel.length);
  return source === null ? 0 : (channel[source] ?? 0);
}

/** The stretches on both sides, the samples in them with the marks of their mode, joined to the signal by a broken line. */
export function drawPadding(u: uPlot, channels: readonly Float32Array[], lane: number, padding: Padding): void {
  const length = channels[0]?.length ?? 0;
  const stretches = [
    { from: -padding.left, to: 0 },
    { from: length - 1, to: length - 1 + padding.right },
  ].filter(({ from, to }) => to > from);
  if (length === 0 || stretches.length === 0) return;
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const stretch of stretches) {
    shade(u, stretch, padding.mode);
    channels.forEach((channel, c) => {
      const read = (i: number) => readPadded(channel, i, padding.mode) - c * lane;
      drawStretch(u, stretch, length, read, kinds[padding.mode]);
    });
  }
  ctx.restore();
}

interface Stretch {
  from: number;
  to: number;
}

function shade(u: uPlot, { from, to }: Stretch, mode: PaddingMode): void {
  const { ctx, bbox } = u;
  const [left, right] = [u.valToPos(from, 'x', true), u.valToPos(to, 'x', true)];
  ctx.fillStyle = `color-mix(in srgb, ${colour('muted')} 8%, transparent)`;
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.fillStyle = colour('muted');
  ctx.textAlign = 'center';
  ctx.textBaseline = 'top';
  const room = right - left - 8 * devicePixelRatio;
  if (ctx.measureText(mode).width < room) ctx.fillText(mode, (left + right) / 2, bbox.top + 2 * devicePixelRatio);
}

function drawStretch(u: uPlot, { from, to }: Stretch, length: number, read: (i: number) => number, kind: Kind): void {
  const { ctx } = u;
  const ratio = devicePixelRatio;
  const x = (i: number) => u.valToPos(i, 'x', true);
  const y = (i: number) => u.valToPos(read(i), 'y', true);
  const spacing = Math.abs(x(1) - x(0)) / ratio;
  ctx.strokeStyle = colour('muted');
  ctx.lineWidth = 1.3 * ratio;
  ctx.setLineDash(kind.dash.map((part) => part * ratio));
  ctx.beginPath();
  for (let i = from; i <= to; ++i) ctx.lineTo(x(i), y(i));
  ctx.stroke();
  ctx.setLineDash([]);
  // Marks that would run into each other are thinned out.
  const step = Math.max(1, Math.ceil(7 / spacing));
  ctx.fillStyle = colour('card');
  ctx.beginPath();
  for (let i = from; i <= to; ++i) {
    if (isOutside(i, length) && (i - from) % step === 0) kind.shape(ctx, x(i), y(i), 2.6 * ratio);
  }
  ctx.fill();
  ctx.stroke();
}
