// What every script needs: where things lie, running commands, and telling how far it is.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const inRoot = (...parts) => join(root, ...parts);

// True when the module is the command itself, not imported by another one.
export const isMain = (meta) => process.argv[1] === fileURLToPath(meta.url);

export class CommandError extends Error {}

// Runs a command to its end, its output shown as it comes and, when `tee` asks for it, returned. Throws when the
// command fails; the error has the output as well.
export function run(command, args, { cwd = root, env, tee = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['inherit', tee ? 'pipe' : 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio });
    let output = '';
    child.stdout?.on('data', (chunk) => {
      process.stdout.write(chunk);
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(output);
      const error = new CommandError(`${command} ${args.join(' ')}: ${signal ?? `exit code ${code}`}`);
      return reject(Object.assign(error, { output }));
    });
  });
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
