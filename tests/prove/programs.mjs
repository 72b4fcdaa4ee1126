// The programs that the parts start.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { buildPreset } from '../../scripts/lib/cmake.mjs';
import { ensureNodes } from '../../scripts/lib/install.mjs';
import { CommandError, inRoot } from '../../scripts/lib/run.mjs';
import { ensureToolchain } from '../../scripts/toolchain.mjs';

/** Builds `target` with a preset and gives its path. */
export async function buildNative(preset, target, tools = null) {
  const folder = await buildPreset(preset, tools ?? (await ensureToolchain({ native: true })), [target]);
  return `${folder}/tests/prove/native/${target}`;
}

/** Runs a program that prints one line of JSON last; an exit code other than 0 or 1 is a failure. */
export function runForJson(program, args, { env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (text) => (output[name] += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const last = output.stdout.trimEnd().split('\n').at(-1);
      if ((code === 0 || code === 1) && last.startsWith('{')) return resolve(JSON.parse(last));
      const text = `${program} ${args.join(' ')}: ${signal ?? `exit code ${code}`}`;
      return reject(new CommandError(`${text}\n${output.stdout.slice(-2000)}${output.stderr.slice(-8000)}`));
    });
  });
}

/** The newest Node of the tests, which has relaxed SIMD; elsewhere than on Linux on x64 the one that runs this. */
export async function newestNode() {
  await ensureNodes();
  const node = inRoot('tests/nodes/node_modules/node24/bin/node');
  return existsSync(node) ? node : process.execPath;
}
