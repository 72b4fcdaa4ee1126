// The picture of README.md, an SVG. Alone: node bench/chart.mjs build/bench/chromium.json > chart.svg
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { peerNames, ratioSummary, rowsOf } from './analysis.mjs';

// Light and dark pages have each their own.
const colours = {
  text: ['#1f2328', '#e6edf3'],
  faint: ['#59636e', '#9198a1'],
  line: ['#d1d9e0', '#3d444d'],
  ours: ['#d9480f', '#ff922b'],
  'LiteRT.js': ['#3b6ea5', '#74a9d8'],
  'tfjs-backend-wasm': ['#7c9cbf', '#4f7199'],
  'onnxruntime-web': ['#b8c7d9', '#334b66'],
};
const classOf = (name) => name.toLowerCase().replaceAll(/[^a-z]/g, '-');

const width = 860;
const left = 138; // the layers' names
const right = 78; // the figures
const top = 112;
const bar = 7;
const group = 4 * bar + 11;
const mostShown = 6; // times the best peer: longer bars are cut

function style() {
  const rules = (scheme) =>
    Object.entries(colours)
      .map(([name, pair]) => `.${classOf(name)} { ${name === 'line' ? 'stroke' : 'fill'}: ${pair[scheme]}; }`)
      .join(' ');
  return `text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
    .title { font-size: 16px; font-weight: 600; } .figure { font-weight: 600; }
    ${rules(0)}
    @media (prefers-color-scheme: dark) { ${rules(1)} }`;
}

const escape = (string) => string.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const text = (x, y, content, kind = 'text', anchor = 'start') =>
  `<text x="${x}" y="${y}" class="${kind}" text-anchor="${anchor}">${escape(content)}</text>`;

/**
 * A group of bars for each layer: how fast each library is beside the best peer, one thread, every library as it is fastest
 * (its tensors where it computes, if it can keep them there).
 */
export function drawChart(result) {
  const run = result.runs.find(({ threads }) => threads === 1) ?? result.runs[0];
  const rows = rowsOf(run, 'relaxed');
  const { mean } = ratioSummary(rows, 'resident');
  const fastest = ({ js, wasm }) => Math.min(...[js, wasm].flatMap((entry) => entry?.median ?? []));
  const scale = (width - left - right) / mostShown;
  const order = peerNames.toReversed();
  const height = top + rows.length * group + 8;
  const parts = [
    text(
      16,
      28,
      `Speed of one Conv1d layer, ${run.threads} thread${run.threads > 1 ? 's' : ''}, the fastest peer = 1`,
      'title text',
    ),
    text(
      16,
      48,
      `${result.engine}, ${result.machine.cpu}; longer is faster; each library with its tensors where it is fastest`,
      'faint',
    ),
  ];
  let x = 16;
  for (const name of ['ours', ...order]) {
    const label = name === 'ours' ? `conv1d-wasm: ${mean.toFixed(1)} x, geometric mean` : name;
    parts.push(`<rect x="${x}" y="62" width="11" height="11" class="${classOf(name)}"/>`, text(x + 16, 72, label));
    x += 40 + 6.6 * label.length;
  }
  for (let times = 0; times <= mostShown; times++) {
    const at = left + times * scale;
    const dashes = times === 1 ? '' : ' stroke-dasharray="2 4"';
    parts.push(`<line x1="${at}" x2="${at}" y1="${top - 8}" y2="${height - 8}" class="line"${dashes}/>`);
    parts.push(text(at, top - 14, String(times), 'faint', 'middle'));
  }
  rows.forEach(({ layer, wasm, peers, ratios }, i) => {
    const y = top + i * group;
    const best = wasm.median * ratios.resident;
    parts.push(text(left - 10, y + 2 * bar + 4, layer.name, 'text', 'end'));
    const entries = [['ours', wasm.median], ...order.map((name) => [name, fastest(peers[name])])];
    entries.forEach(([name, milliseconds], j) => {
      if (!Number.isFinite(milliseconds)) return;
      const length = Math.min(mostShown, best / milliseconds) * scale;
      const box = `x="${left}" y="${y + j * bar}" width="${length.toFixed(1)}" height="${bar - 1}"`;
      parts.push(`<rect ${box} class="${classOf(name)}"/>`);
      if (name !== 'ours') return;
      const figure = `${ratios.resident.toFixed(1)} x`;
      parts.push(text(left + length + 6, y + bar + 1, figure, 'figure text'));
    });
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Speed of conv1d-wasm beside ${peerNames.join(', ')}">
  <style>${style()}</style>
  ${parts.join('\n  ')}
</svg>
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(drawChart(JSON.parse(readFileSync(process.argv[2]))));
}
