// Tables as the reports have them.

/** Three significant digits. */
export function short(value) {
  if (value === undefined || Number.isNaN(value)) return '-';
  if (value >= 100) return value.toFixed(0);
  if (value === 0) return '0';
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(value))));
}

export function markdownTable(header, rows) {
  const all = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  // Words to the left, numbers to the right.
  const isText = header.map((_, column) => rows.some((row) => /^[a-z]/i.test(String(row[column]))));
  const pad = (cell, i) => (isText[i] ? cell.padEnd(widths[i]) : cell.padStart(widths[i]));
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = widths.map((width, i) => (isText[i] ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(all[0].map(pad)), line(rule), ...all.slice(1).map((row) => line(row.map(pad)))].join('\n');
}
