// What every script needs: where things lie, running commands, and telling how far it is.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const inRoot = (...parts) => join(root, ...parts);

// True when the module is the command itself, not imported by another one.
export const isMain = (meta) => process.argv[1] === fileURLToPath(meta.url);

export class CommandError extends Error {}

// Runs a command to its end, its output shown as it comes and, when `tee` asks for it, returned; `together` shows it when
// the command has ended, so that nothing comes between its lines. Throws when the command fails; the error has the
// output as well.
export function run(command, args, { cwd = root, env, tee = false, together = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['inherit', tee || together ? 'pipe' : 'inherit', together ? 'pipe' : 'inherit'];
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        if (!together) process.stdout.write(text);
        output += text;
      });
    }
    child.on('close', () => together && process.stdout.write(output));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(output);
      const error = new CommandError(`${command} ${args.join(' ')}: ${signal ?? `exit code ${code}`}`);
      return reject(Object.assign(error, { output }));
    });
  });
}

// Calls f(item) for each, in turn and as many at once as there are cores. After a failure none is started any more; it is
// thrown when those under way have ended.
export async function forEachAtOnce(items, f, most = availableParallelism()) {
  const waiting = [...items];
  const failures = [];
  const work = async () => {
    while (waiting.length > 0 && failures.length === 0) {
      await f(waiting.shift()).catch((error) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: most }, work));
  if (failures.length > 0) throw failures[0];
}

// What a short command prints, or null when it is missing or fails.
export function capture(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options });
  return result.status === 0 ? result.stdout : null;
}

export function which(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return null;
}

// "3.1.69" is at least "3.1.7": compared number by number.
export function atLeast(version, wanted) {
  const [a, b] = [version, wanted].map((v) => v.split('.').map(Number));
  for (let i = 0; i < b.length; i++) {
    if ((a[i] ?? 0) !== b[i]) return (a[i] ?? 0) > b[i];
  }
  return true;
}

const start = performance.now();
export const seconds = (since = start) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

// One line of progress, with the time since the script began.
export const say = (text) => console.log(`[${seconds()}] ${text}`);

// Runs `main` as a command does: an error is one readable line, unless it is a bug of our own.
export async function asCommand(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof CommandError ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}
