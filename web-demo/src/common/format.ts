/** What the library's builds are called. */
export const builds = { relaxed: 'Relaxed SIMD', simd: 'SIMD' } as const;

/** A number for people: four significant digits, no trailing zeros. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value).replace('Infinity', '∞');
  return minus(String(Number(value.toPrecision(4))));
}

/** A measured number: three significant digits, so that a column of them lines up. */
export function measured(value: number): string {
  return value >= 100 ? count(Math.round(value)) : value.toPrecision(3);
}

/** A count with thousands apart. */
export function count(value: number): string {
  return minus(value.toLocaleString('en'));
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${Number((value / 1024 ** unit).toPrecision(3))} ${units[unit]}`;
}

/** Floating-point operations. */
export function operations(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${Number((value / 1000 ** unit).toPrecision(3))} ${units[unit]}FLOP`;
}

/** `1 tap`, `2 taps`. */
export function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

function minus(text: string): string {
  return text.replace(/^-/, '−');
}
