// npm run bench -- --networks: whole networks beside the libraries that people run them with.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withHost } from '../hosts.mjs';
import { networks } from './networks.js';
import { networkReport, titleOf } from './report.mjs';

const models = '../shared/models'; // from the project's root
const peers = ['ours', 'ort', 'tfjs'];

/** Measures `chosen` ones of networks.js, prints what they come to, and gives all figures. */
export async function runNetworks(root, chosen, { variants, quick, ...where }) {
  const timing = quick ? { seconds: 1, rounds: 4, settle: 0 } : { seconds: 8, rounds: 10, settle: 0 };
  const measured = [];
  await withHost(where, async (host) => {
    const missing = await host.call('open', { threads: 1, variants, peers, limits: true });
    for (const [key, reason] of Object.entries(missing)) console.log(`without ${key}: ${reason}`);
    if (missing.ours) throw new Error(missing.ours);
    for (const network of chosen) {
      const paths = network.files.map((file) => [file, join(root, models, file)]);
      const absent = paths.find(([, path]) => !existsSync(path));
      if (absent) {
        console.log(`without ${titleOf(network)}: there is no ${models}/${absent[0]}`);
        continue;
      }
      const files = Object.fromEntries(paths.map(([file, path]) => [file, readFileSync(path, 'base64')]));
      const start = performance.now();
      const index = networks.indexOf(network);
      measured.push({ network, ...(await host.call('measureNetwork', index, files, timing)) });
      console.log(`${titleOf(network)}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    }
  });
  if (measured.length > 0) console.log(`\n${networkReport(measured)}`);
  if (measured.some(({ results }) => results.some(({ error }) => error))) process.exitCode = 1;
  return measured;
}
