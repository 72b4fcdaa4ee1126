// Coverage-guided fuzzing: libFuzzer for options and streams, Jazzer.js for the readers of files. Any input gives an error
// or a right result, never a hang, a trap or wrong memory.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { rolldown } from 'rolldown';
import { ensureModules } from '../../scripts/lib/install.mjs';
import { inRoot, say } from '../../scripts/lib/run.mjs';
import { ensureFuzzer, ensureToolchain } from '../../scripts/toolchain.mjs';
import { buildNative } from './programs.mjs';

const folder = inRoot('build/prove/fuzz');
const inputsATime = 500_000;
// By the clock: a busy machine may leave a fuzzer waiting for seconds.
const hangSeconds = 60;

const weights = (name) => readFileSync(inRoot('tests/fixtures/weights', name));

/** A .safetensors file for each tensor of one. */
function oneTensorEach(file) {
  const start = 8 + Number(file.readBigUInt64LE());
  const entries = Object.entries(JSON.parse(file.subarray(8, start))).filter(([name]) => name !== '__metadata__');
  return entries.map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => {
      const header = Buffer.from(JSON.stringify({ [name]: { dtype, shape, data_offsets: [0, end - begin] } }));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      return Buffer.concat([length, header, file.subarray(start + begin, start + end)]);
    },
  );
}

// The readers, with files to begin with.
const readers = {
  safetensors: { mostBytes: 300, flags: ['--sync'], seeds: () => oneTensorEach(weights('types.safetensors')) },
  npy: {
    mostBytes: 300,
    flags: ['--sync'],
    seeds: () =>
      JSON.parse(weights('expected.json')).arrays.map(({ begin, end }) => weights('arrays.bin').subarray(begin, end)),
  },
  npz: { mostBytes: 1100, flags: [], seeds: () => [weights('deflated.npz')] },
  torch: {
    mostBytes: 2000,
    flags: ['--sync'],
    seeds: () => ['big-endian.pt', 'module.pt', 'protocol4.pt', 'script.pt'].map(weights),
  },
};

/** What fuzzes the native code: a program each, whose arguments are libFuzzer's. */
async function nativeTargets() {
  const fuzzer = await ensureFuzzer();
  const tools = await ensureToolchain({ native: true });
  const withFuzzer = { ...tools, env: { ...tools.env, ...fuzzer } };
  const env = { ASAN_SYMBOLIZER_PATH: `${fuzzer.FUZZER_ROOT}/usr/lib/llvm-19/bin/llvm-symbolizer` };
  const targets = [];
  for (const [name, mostBytes] of [
    ['options', 128],
    ['stream', 256],
  ]) {
    const program = await buildNative('fuzz', `conv1d_fuzz_${name}`, withFuzzer);
    targets.push({
      name,
      sources: ['cpp', 'tests/prove/native'],
      mostBytes,
      command: (corpus, options) => [program, corpus, ...options],
      env,
    });
  }
  return targets;
}

/** What fuzzes the readers: a function each of one CommonJS file. */
async function readerTargets() {
  await ensureModules(inRoot('tests/prove/tools'));
  const file = `${folder}/readers.cjs`;
  const bundle = await rolldown({
    input: inRoot('tests/prove/fuzz-readers.js'),
    platform: 'node',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
  });
  await bundle.write({ file, format: 'cjs' });
  const jazzer = inRoot('tests/prove/tools/node_modules/@jazzer.js/core/dist/cli.js');
  // Its native part wants a newer C library than Debian 12 has: the one that is here for libFuzzer.
  const { FUZZER_LOADER: loader, FUZZER_LIBRARIES: libraries } = await ensureFuzzer();
  const node = [loader, '--library-path', libraries, process.execPath, jazzer, file, '--includes=readers.cjs'];
  return Object.entries(readers).map(([name, { mostBytes, flags }]) => ({
    name,
    sources: ['js', 'tests/prove/fuzz-readers.js'],
    mostBytes,
    // What its detectors look for, changed prototypes, the targets look for at a third of the cost.
    command: (corpus, options) => [
      ...node,
      `--fuzzEntryPoint=${name}`,
      '--disableBugDetectors=.*',
      `--timeout=${1000 * hangSeconds}`,
      ...flags,
      corpus,
      '--',
      ...options,
    ],
    env: {},
  }));
}

/** Runs a fuzzer and gives what it printed at its end, and whether it found something. */
function runFuzzer([program, ...args], env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-20_000)));
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ found: code !== 0, output }));
  });
}

/** Feeds a target until it had `total` inputs, or one that it does not stand. */
async function fuzzTarget({ name, mostBytes, command, env, progress }, { total, seed }) {
  const { data: state, save } = progress;
  state.inputs ??= 0;
  const corpus = `${folder}/${name}`;
  mkdirSync(corpus, { recursive: true });
  for (const [i, bytes] of (readers[name]?.seeds() ?? []).entries()) writeFileSync(`${corpus}/seed-${i}`, bytes);
  while (state.inputs < total && !state.found) {
    const runs = Math.min(inputsATime, total - state.inputs);
    const options = [
      `-runs=${runs}`,
      `-seed=${seed + state.inputs / inputsATime + 1}`,
      `-max_len=${mostBytes}`,
      `-timeout=${hangSeconds}`,
      `-artifact_prefix=${folder}/${name}-`,
      '-rss_limit_mb=4096',
    ];
    const { found, output } = await runFuzzer(command(corpus, options), env);
    if (found) state.found = output.slice(-6000);
    else state.inputs += runs;
    state.coverage = output.match(/cov: (\d+)/g)?.at(-1) ?? state.coverage;
    save();
    say(`${name}: ${state.inputs} inputs, ${state.coverage}, ${readdirSync(corpus).length} kept`);
  }
}

export const fuzz = {
  title: 'libFuzzer for options and streams, Jazzer.js for the readers',
  counts: { inputs: { full: 10_000_000, short: 5_000 } },
  async run({ counts, seed, open }) {
    mkdirSync(folder, { recursive: true });
    const targets = [...(await nativeTargets()), ...(await readerTargets())].map((target) => ({
      ...target,
      progress: open(`fuzz-${target.name}`, target.sources),
    }));
    const waiting = [...targets];
    const worker = async () => {
      for (let target = waiting.shift(); target; target = waiting.shift()) {
        await fuzzTarget(target, { total: counts.inputs, seed });
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
    const states = targets.map(({ name, progress }) => ({ name, ...progress.data }));
    return {
      figures: states.map(
        ({ name, inputs, coverage, found }) =>
          `${name}: ${inputs} inputs, ${coverage}, ${found ? 'one of them found something' : 'nothing found'}`,
      ),
      failures: states
        .filter(({ found }) => found)
        .map(({ name, found }) => `${name}: see build/prove/fuzz/${name}-*\n${found}`),
    };
  },
};
