import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { short } from './format';

export type Range = [min: number, max: number];

const colours = new Map<string, string>();
const plots = new Set<uPlot>();

/** A colour of theme.css, as canvases need it: `colour('accent')` is that of `--accent`. */
export function colour(name: string): string {
  const known = colours.get(name);
  if (known !== undefined) return known;
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  colours.set(name, value);
  return value;
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  colours.clear();
  for (const plot of plots) plot.redraw(false);
});

const font = '11px system-ui, sans-serif';

export const axis = (size: number, values: uPlot.Axis['values'], space: number): uPlot.Axis => ({
  stroke: () => colour('muted'),
  font,
  size,
  space,
  gap: 6,
  ...(values ? { values } : {}),
  grid: { stroke: () => colour('grid'), width: 1 },
  ticks: { show: false },
});

/** For sample numbers. */
export const sampleAxis = () => axis(26, (_u, splits) => splits.map((x) => (Number.isInteger(x) ? short(x) : '')), 60);
export const valueAxis = () => axis(50, (_u, splits) => splits.map(short), 26);

/** `[min, max]` with some air; around what is only one value, one unit or a tenth of it. */
export function airy(min: number | null, max: number | null): Range {
  if (!Number.isFinite(min) || !Number.isFinite(max) || min === null || max === null) return [-1, 1];
  const air = max > min ? (max - min) * 0.08 : Math.max(Math.abs(max) * 0.1, 1e-6);
  return max === min && max === 0 ? [-1, 1] : [min - air, max + air];
}

/** Keeps a plot as large as its host, and in the theme's colours. */
export function fitPlot(host: HTMLElement, plot: uPlot): void {
  plots.add(plot);
  new ResizeObserver(() => {
    // In a panel that is not open it has no size.
    if (host.clientWidth > 0) plot.setSize({ width: host.clientWidth, height: host.clientHeight });
  }).observe(host);
}
