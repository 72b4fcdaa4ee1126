// npm run prove [-- PART...] [--short] [--seed N] [--COUNT N]: the checks that take too long for npm test. One that was
// broken off goes on where it was, as long as seed and sources are the same.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parts } from '../tests/prove/parts.mjs';
import { build } from './build.mjs';
import { filesBelow } from './lib/files.mjs';
import { ensureModules } from './lib/install.mjs';
import { asCommand, CommandError, inRoot, say, seconds } from './lib/run.mjs';

const folder = inRoot('build/prove');

function readArguments() {
  const counts = Object.values(parts).flatMap(({ counts }) => Object.keys(counts));
  const names = ['seed', ...counts];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  let parsed;
  try {
    parsed = parseArgs({ allowPositionals: true, options: { short: { type: 'boolean' }, ...options } });
  } catch (error) {
    throw new CommandError(`${error.message}\nParts: ${Object.keys(parts)}; counts: ${counts}; --short; --seed`);
  }
  const { values, positionals } = parsed;
  const unknown = positionals.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0) throw new CommandError(`No part ${unknown}: ${Object.keys(parts)}`);
  const wrong = names.find((name) => values[name] !== undefined && !/^\d{1,15}$/.test(values[name]));
  if (wrong) throw new CommandError(`--${wrong} must be a whole number, got '${values[wrong]}'`);
  return { chosen: positionals.length > 0 ? positionals : Object.keys(parts), values };
}

function hashOf(paths) {
  const hash = createHash('sha256');
  const files = paths.flatMap((path) => (statSync(inRoot(path)).isFile() ? inRoot(path) : filesBelow(inRoot(path))));
  for (const file of files.sort()) hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

// What was done with this seed while these files and folders were what they are: `data`, and save() after each change
// that is to outlast the run.
function openProgress(name, seed, sources) {
  const path = `${folder}/${name}.json`;
  const key = `${seed} ${hashOf(sources)}`;
  const kept = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
  const data = kept?.key === key ? kept.data : {};
  return { data, save: () => writeFileSync(path, JSON.stringify({ key, data }, null, 1)) };
}

await asCommand(async () => {
  const { chosen, values } = readArguments();
  const seed = Number(values.seed ?? 12);
  const failures = [];
  const summary = [];
  await ensureModules();
  await build();
  mkdirSync(folder, { recursive: true });
  for (const name of chosen) {
    const part = parts[name];
    const counts = Object.fromEntries(
      Object.entries(part.counts).map(([count, { full, short }]) => [
        count,
        Number(values[count] ?? (values.short ? short : full)),
      ]),
    );
    const since = performance.now();
    say([`${name}: ${part.title}; seed ${seed}`, ...Object.entries(counts).map((count) => count.join(' '))].join(', '));
    const report = await part
      .run({ counts, seed, open: (file, sources) => openProgress(file, seed, sources) })
      .catch((error) => {
        if (!(error instanceof CommandError)) throw error;
        return { figures: [], failures: [error.message] };
      });
    failures.push(...report.failures.map((text) => `${name}: ${text}`));
    summary.push(`${name} (${seconds(since)})`, ...report.figures.map((line) => `  ${line}`));
  }
  console.log(`\n${summary.join('\n')}`);
  if (failures.length > 0) throw new CommandError(`${failures.length} failed:\n${failures.join('\n')}`);
  say('Nothing found');
});
