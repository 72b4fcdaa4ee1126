// The package as its users get it: packed by npm and installed from the tarball, for each of them in a folder of its own.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureModules, ensureNodes } from '../../scripts/lib/install.mjs';
import { CommandError, inRoot } from '../../scripts/lib/run.mjs';

const here = (...parts) => inRoot('tests/package', ...parts);
export const there = (...parts) => inRoot('build/package', ...parts);

/** A program that one of the users' tools brings. */
export const tool = (name) => there('node_modules/.bin', name);

/** Of all their tools: they neither colour what they print nor tell anybody that they run. */
export const toolEnvironment = {
  ...process.env,
  NO_COLOR: '1',
  NEXT_TELEMETRY_DISABLED: '1',
  ASTRO_TELEMETRY_DISABLED: '1',
};

/** What a command prints to its output. Throws, with all that it said, when it fails. */
export function output([command, ...args], cwd) {
  const child = spawn(command, args, { cwd, env: toolEnvironment });
  const said = { stdout: '', all: '' };
  const keep = (name) => (text) => {
    said.all += text;
    if (name === 'stdout') said.stdout += text;
  };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', keep(name));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(said.stdout);
      else reject(new CommandError(`${command} ${args.join(' ')}: exit code ${code}\n${said.all}`));
    });
  });
}

/** Installs the users' tools, and packs the package. Gives the tarball and the paths of the files in it. */
export async function prepare() {
  mkdirSync(there(), { recursive: true });
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
    cpSync(here(file), there(file), { preserveTimestamps: true });
  }
  await ensureModules(there());
  await ensureNodes();
  const packed = await output(['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', there()], inRoot());
  const [{ filename, files }] = JSON.parse(packed);
  return { tarball: there(filename), files: files.map(({ path }) => path) };
}

/** A fresh folder with the package in it, the files of `source`, and those that all users have in common. */
export async function installInto(name, tarball, source) {
  const folder = there(name.replace(/\W+/g, '-'));
  rmSync(folder, { recursive: true, force: true });
  cpSync(here('shared'), folder, { recursive: true });
  if (source) cpSync(here(source), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const options = ['--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund'];
  await output(['npm', 'install', ...options, tarball], folder);
  return folder;
}
