// npm run bench: our layers beside the peers' and the machine's own limits.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { drawChart } from './chart.mjs';
import { startBrowser, startNode, withHost } from './hosts.mjs';
import { smallLayer } from './layer.js';
import { networks } from './networks/networks.js';
import { runNetworks } from './networks/run.mjs';
import { report } from './report.mjs';
import { algorithms, randomShapes } from './sweep.js';
import { runTraining, stepName } from './training/run.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = join(root, 'build/bench');
const readShapes = (file) => JSON.parse(readFileSync(new URL(file, import.meta.url)));
const shapes = readShapes('shapes.json');
const peerPackages = {
  ort: 'onnxruntime-web',
  tfjs: '@tensorflow/tfjs-backend-wasm',
  litert: '@litertjs/core',
};
const nativePackage = 'onnxruntime-node';
const nativeVersion = '1.30.0';
const trained = [...shapes, ...readShapes('training/shapes.json'), { name: stepName }];
const packedLayer = shapes.find(({ name }) => name === 'wav2vec2.conv1');

const usage = `npm run bench -- [options]
  --only NAME      only layers, or networks, whose name contains NAME (may be repeated)
  --more           the layers of more-shapes.json instead: a large dense one, long kernels
  --quick          a fifth of the time, for a first impression
  --node           in Node instead of a browser (without LiteRT.js, which needs a page)
  --engine NAME    chromium (default) or firefox
  --threads N      only at N threads; default: at one and at all there are
  --variant NAME   only our relaxed or our simd build
  --streams        pushes of streams instead of layers, one thread
  --networks       whole networks instead of layers, one thread, our relaxed build where there is one
  --training       gradients of layers and a training step instead, one thread, our relaxed build where there is one
  --sweep N        N random layers by each algorithm instead, one thread: where 'auto' is not within 10 % of the best
  --native         beside them ${nativePackage} ${nativeVersion}, which is installed below build/ at first`;

class UsageError extends Error {}

function parse(config) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function readOptions() {
  const { values } = parse({
    options: {
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      node: { type: 'boolean', default: false },
      engine: { type: 'string', default: 'chromium' },
      threads: { type: 'string' },
      variant: { type: 'string' },
      native: { type: 'boolean', default: false },
      streams: { type: 'boolean', default: false },
      networks: { type: 'boolean', default: false },
      training: { type: 'boolean', default: false },
      sweep: { type: 'string' },
      more: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const check = (good, complaint) => {
    if (!good) throw new UsageError(complaint);
  };
  const threads = values.threads === undefined ? [...new Set([1, availableParallelism()])] : [Number(values.threads)];
  check(
    threads.every((count) => Number.isInteger(count) && count > 0),
    '--threads takes a number',
  );
  const variants = values.variant === undefined ? ['relaxed', 'simd'] : [values.variant];
  check(['relaxed', 'simd'].includes(variants[0]), '--variant is relaxed or simd');
  check(values.sweep === undefined || Number(values.sweep) > 0, '--sweep takes a number');
  check(['chromium', 'firefox'].includes(values.engine), '--engine is chromium or firefox');
  const all = values.networks
    ? networks
    : values.training
      ? trained
      : values.more
        ? readShapes('more-shapes.json')
        : shapes;
  const layers = all.filter(({ name }) => !values.only || values.only.some((part) => name.includes(part)));
  check(layers.length > 0, `--only: no such name; there are ${all.map(({ name }) => name).join(', ')}`);
  return { ...values, threads, variants, layers };
}

/** Where onnxruntime-node lies, as an import specifier. */
function installNative() {
  const folder = join(output, 'native');
  const entry = join(folder, 'node_modules', nativePackage, 'dist/index.js');
  if (!existsSync(entry)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    // Its install script fetches a GPU library from elsewhere; the CPU one is in the package.
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${nativePackage}@${nativeVersion}`];
    execFileSync('npm', args, { cwd: folder, stdio: 'inherit' });
  }
  return pathToFileURL(entry).href;
}

const packageVersion = (name) => JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'))).version;

/** Measures `layers` at one number of threads, every host in turn for each layer. */
async function measureThreads(threads, { variants, layers, timing, nativeModule }, openHost) {
  const hosts = [];
  const open = async (starting, config) => {
    const host = await starting;
    hosts.push(host);
    return { host, missing: await host.call('open', { threads, ...config }) };
  };
  try {
    const peers = ['ours', ...Object.keys(peerPackages)];
    const { host: main, missing } = await open(openHost(), { variants, peers, limits: true });
    if (nativeModule) {
      const native = await open(startNode(), { variants, peers: ['native'], limits: false, module: nativeModule });
      Object.assign(missing, native.missing);
    }
    for (const [key, reason] of Object.entries(missing)) console.log(`  without ${key}: ${reason}`);
    if (missing.ours) throw new Error(missing.ours);

    const measureLayer = async (shape) => {
      const start = performance.now();
      const parts = [];
      for (const host of hosts) parts.push(await host.call('measureLayer', shape, timing));
      console.log(`  ${shape.name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
      return { ...parts[0], results: parts.flatMap(({ results }) => results) };
    };
    const run = { threads, missing, layers: [], small: null, packing: null };
    // The layers last: there are some that peers do not survive.
    run.small = await measureLayer(smallLayer);
    run.packing = await main.call('measurePacking', packedLayer, timing);
    for (const shape of layers) run.layers.push(await measureLayer(shape));
    return run;
  } finally {
    for (const host of hosts) await host.close();
  }
}

const gzippedBytes = (file) => gzipSync(readFileSync(file)).length;

/** From a blank page to the first result, for each library: fresh pages, in turn. */
async function measureFirstResults(browser, pages) {
  const keys = ['ours', ...Object.keys(peerPackages)];
  const results = new Map(keys.map((key) => [key, { key, milliseconds: [] }]));
  await (await browser.openPage('bench/page.html')).close(); // the browser's own first page is nobody's
  for (let i = 0; i < pages; i++) {
    for (const [key, result] of results) {
      const config = encodeURIComponent(JSON.stringify({ key, shape: smallLayer }));
      const page = await browser.openPage(`bench/first.html#${config}`);
      const { milliseconds, files } = await page.evaluate('firstResult');
      await page.close();
      result.milliseconds.push(milliseconds);
      result.gzippedBytes = files.reduce((sum, file) => sum + gzippedBytes(join(root, decodeURIComponent(file))), 0);
    }
  }
  return [...results.values()];
}

/** Gzipped sizes of our .wasm files. */
function wasmSizes() {
  const folder = join(root, 'dist/wasm');
  const files = readdirSync(folder).filter((name) => name.endsWith('.wasm'));
  return Object.fromEntries(files.map((name) => [name, gzippedBytes(join(folder, name))]));
}

/** Pushes of streams: microseconds, and how much faster than real time at 48 kHz. */
async function runStreams({ variants, quick, ...where }) {
  await withHost(where, async (host) => {
    await host.call('open', { threads: 1, variants, peers: ['ours'], limits: false });
    const timing = quick ? { seconds: 3, rounds: 4, settle: 0 } : { seconds: 20, rounds: 10, settle: 0 };
    for (const { variant, what, push, placement, budget, median, min } of await host.call('measureStreams', timing)) {
      const microseconds = [median, min].map((milliseconds) => (1000 * milliseconds).toFixed(2).padStart(8));
      const name = `${variant.padEnd(8)}${what.padEnd(38)}${placement.padEnd(5)}${String(push).padStart(4)} samples`;
      console.log(
        `${name}  median ${microseconds[0]} us, least ${microseconds[1]} us, ${(budget / median).toFixed(1)} x real time`,
      );
    }
  });
}

const tolerated = 1.1; // times the best of all algorithms

/** The time of the algorithm that was chosen, in those of the best; and what all took. */
function judge({ choice, entries }) {
  const timeOf = (name) => entries.find(({ algorithm }) => algorithm === name).median;
  return timeOf(choice.algorithm) / Math.min(...entries.map(({ median }) => median));
}

/** Random layers by each algorithm; those where 'auto' took another than the best are measured again, for longer. */
async function runSweep({ sweep, variants, quick, ...where }) {
  const results = [];
  await withHost(where, async (host) => {
    const missing = await host.call('open', {
      threads: 1,
      variants: variants.slice(0, 1),
      peers: ['ours'],
      limits: false,
    });
    if (missing.ours) throw new Error(missing.ours);
    const timing = { seconds: quick ? 0.1 : 0.4, rounds: 4, settle: 0 };
    for (const shape of randomShapes(Number(sweep), 1)) {
      let result = await host.call('measureSweep', shape, timing);
      if (judge(result) > tolerated)
        result = await host.call('measureSweep', shape, { ...timing, seconds: 1, rounds: 10 });
      results.push({ shape, ...result });
      if (judge(result) <= tolerated) continue;
      const row = { ...shape, name: undefined };
      const times = result.entries.map(({ algorithm, median }) => `${algorithm} ${median.toPrecision(3)} ms`);
      console.log(
        `${JSON.stringify(row)}: took ${result.choice.algorithm}, ${result.choice.reason}; ${times.join(', ')}`,
      );
    }
  });
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, 'sweep.json'), JSON.stringify(results, null, 1));
  const taken = (name) => results.filter(({ choice }) => choice.algorithm === name).length;
  const misses = results.map(judge).filter((ratio) => ratio > tolerated);
  console.log(
    `\n${misses.length} of ${results.length} layers not within ${Math.round(100 * (tolerated - 1))} % of the best; 'auto' took ` +
      `${algorithms.map((name) => `${name} ${taken(name)} times`).join(', ')}`,
  );
}

async function main() {
  const options = readOptions();
  if (!options) return console.log(usage);
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('dist/ is not built: npm run build');
  if (options.streams) return runStreams(options);
  if (options.networks) {
    const measured = await runNetworks(root, options.layers, options);
    mkdirSync(output, { recursive: true });
    return writeFileSync(join(output, 'networks.json'), JSON.stringify(measured, null, 1));
  }
  if (options.training) {
    const measured = await runTraining(options.layers, shapes, options);
    mkdirSync(output, { recursive: true });
    return writeFileSync(join(output, 'training.json'), JSON.stringify(measured, null, 1));
  }
  if (options.sweep) return runSweep(options);
  const nativeModule = options.native ? installNative() : null;
  const browser = options.node ? null : await startBrowser(options.engine);
  try {
    const result = {
      date: new Date().toISOString(),
      engine: browser ? `${options.engine} ${browser.version.replace(/^.*\//, '')}` : `node ${process.versions.node}`,
      machine: { cpu: cpus()[0].model, processors: availableParallelism(), platform: `${platform()} ${arch()}` },
      versions: Object.fromEntries(Object.values(peerPackages).map((name) => [name, packageVersion(name)])),
      quick: options.quick,
      complete: !options.quick && !options.more && options.layers.length === shapes.length,
      wasmBytes: wasmSizes(),
      firstResults: browser ? await measureFirstResults(browser, options.quick ? 2 : 7) : [],
      runs: [],
    };
    const timing = options.quick ? { seconds: 1, rounds: 4 } : { seconds: 4, rounds: 10 };
    for (const threads of options.threads) {
      console.log(`${result.engine}, ${threads} thread${threads > 1 ? 's' : ''}`);
      // The threads of some peers spin on for a while after their work.
      const settled = { ...timing, settle: threads > 1 ? 30 : 0 };
      const settings = { ...options, timing: settled, nativeModule };
      result.runs.push(await measureThreads(threads, settings, browser ? browser.open : startNode));
    }
    mkdirSync(output, { recursive: true });
    const name = `${options.node ? 'node' : options.engine}${result.complete ? '' : '-partial'}`;
    writeFileSync(join(output, `${name}.json`), JSON.stringify(result, null, 1));
    console.log(`\n${report(result)}\n\nbuild/bench/${name}.json has all figures`);
    if (result.complete && options.engine === 'chromium' && browser) {
      writeFileSync(new URL('chart.svg', import.meta.url), drawChart(result));
    }
  } finally {
    await browser?.close();
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n\n${usage}` : error);
  process.exitCode = 1;
}
