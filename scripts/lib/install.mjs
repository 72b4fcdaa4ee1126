// npm's packages: those of the project itself, and the other Node versions that the tests run on.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot, run, say } from './run.mjs';

// npm writes this file last.
const isInstalled = (folder) => {
  const installed = join(folder, 'node_modules/.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(folder, 'package-lock.json')).mtimeMs;
};

export async function ensureModules(folder = inRoot()) {
  if (isInstalled(folder)) return;
  say(`Installing npm packages in ${folder}`);
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder });
}

export const ensureNodes = () => ensureModules(inRoot('tests/nodes'));
