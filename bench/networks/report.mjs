// The table of npm run bench -- --networks.
import { markdownTable, short } from '../table.mjs';

export const titleOf = ({ name, what }) => `${name}, ${what}`;

const gflopsOf = ({ amount, median }) => amount / median / 1e6;

/** GFLOP/s of the machine, with the instructions that our build has. */
function peakOf({ limits, variant }) {
  const find = (name) => limits.find((limit) => limit.name === name);
  return gflopsOf((variant === 'relaxed' && find('fma')) || find('muladd'));
}

/**
 * What a measured network comes to: `peak`, the share of the machine's; `realTime`, seconds of signal a second; `peer`, times
 * as fast as the fastest peer; and whether its targets are `met`.
 */
function networkRow(measured) {
  const { network, results } = measured;
  const [ours, ...peers] = results;
  const differences = peers.flatMap(({ difference }) => difference ?? []);
  const failed = results.some(({ error }) => error);
  // Of a peer that takes another stretch of signal in a run, the time for as much.
  const timeOf = ({ median, seconds }) => median && (median * (ours.seconds ?? 1)) / (seconds ?? 1);
  const times = peers.map(({ name, ...peer }) => ({ name, milliseconds: timeOf(peer) }));
  const fastest = Math.min(...times.flatMap(({ milliseconds }) => milliseconds ?? []));
  const figures = ours.median && {
    peak: ours.flops && gflopsOf({ amount: ours.flops, median: ours.median }) / peakOf(measured),
    realTime: ours.seconds && (1000 * ours.seconds) / ours.median,
    peer: Number.isFinite(fastest) ? fastest / ours.median : undefined,
  };
  const met = !failed && Object.entries(network.target).every(([kind, least]) => figures[kind] >= least);
  return { network, ours, times, differences, failed, ...figures, met };
}

const units = { peak: 'x the peak', realTime: 'x real time', peer: 'x the peer' };

const peerText = ({ name, milliseconds }) => `${name} ${milliseconds ? `${short(milliseconds)} ms` : 'failed'}`;

function cells({ network, ours, times, differences, failed, peak, realTime, peer, met }) {
  return [
    titleOf(network),
    short(ours.median),
    short(realTime),
    peak ? `${short(100 * peak)} %` : '-',
    times.map(peerText).join(', ') || '-',
    short(peer),
    differences.length > 0 ? Math.max(...differences).toExponential(0) : '-',
    Object.entries(network.target)
      .map(([kind, least]) => `>= ${least} ${units[kind]}`)
      .join(', '),
    failed ? 'failed' : met ? 'yes' : 'no',
  ];
}

/** The report of what run.mjs measured, as Markdown. */
export function networkReport(measured) {
  const rows = measured.map(networkRow);
  const peaks = measured.map(peakOf);
  const header = ['network', 'ours, ms', 'x real time', 'of the peak', 'peers', 'x the fastest', 'difference', 'target', 'met']; // prettier-ignore
  const failures = measured.flatMap(({ network, results }) =>
    results.flatMap(({ name, error }) => (error ? `FAILED ${titleOf(network)}: ${name}: ${error}` : [])),
  );
  return [
    `One thread, ${measured[0].variant} build, peak ${short(Math.min(...peaks))} to ${short(Math.max(...peaks))} GFLOP/s`,
    '',
    markdownTable(header, rows.map(cells)),
    ...failures,
  ].join('\n');
}
