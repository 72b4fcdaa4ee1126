// npm run build: makes dist/, the four .wasm files with their glue and the TypeScript face. Skips what is up to date.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { inRoot, asCommand, isMain, run, say } from './lib/run.mjs';
import { ensureModules } from './lib/install.mjs';
import { ensureToolchain } from './toolchain.mjs';

async function buildWasm() {
  const { buildPreset } = await import('./lib/cmake.mjs');
  const { finishWasm } = await import('./lib/glue.mjs');
  await finishWasm(await buildPreset('wasm', await ensureToolchain()));
}

async function buildTypeScript() {
  const { filesBelow, isUpToDate } = await import('./lib/files.mjs');
  const stamp = inRoot('build/tsc.stamp');
  if (
    existsSync(inRoot('dist/index.js')) &&
    isUpToDate([stamp], [inRoot('tsconfig.json'), ...filesBelow(inRoot('js'))])
  )
    return;
  say('Compiling js/');
  // No leftovers of a file that is gone.
  for (const name of existsSync(inRoot('dist')) ? readdirSync(inRoot('dist')) : []) {
    if (/\.(js|d\.ts)$/.test(name)) rmSync(inRoot('dist', name));
  }
  await run(process.execPath, [inRoot('node_modules/typescript/bin/tsc'), '-p', inRoot()]);
  writeFileSync(stamp, '');
}

export async function build() {
  await ensureModules();
  say('Building the wasm files');
  await buildWasm();
  await buildTypeScript();
}

if (isMain(import.meta)) {
  await asCommand(async () => {
    await build();
    say('dist/ is up to date');
  });
}
