// npm run build: makes dist/, the four .wasm files with their glue and the TypeScript face. Skips what is up to date.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { buildPreset } from './lib/cmake.mjs';
import { filesBelow, isUpToDate } from './lib/files.mjs';
import { ensureModules } from './lib/install.mjs';
import { asCommand, inRoot, isMain, run, say } from './lib/run.mjs';
import { ensureToolchain } from './toolchain.mjs';

async function buildWasm() {
  const folder = await buildPreset('wasm', await ensureToolchain());
  const { finishWasm } = await import('./lib/glue.mjs'); // it needs npm packages, perhaps installed just now
  await finishWasm(folder);
}

// What a page starts by its address is one file: some bundlers copy what is so addressed as it is, others not at all.
async function bundleScripts() {
  const { build: bundle } = await import('rolldown');
  for (const name of ['convolver-processor', 'worker']) {
    const file = inRoot(`dist/${name}.js`);
    await bundle({ input: file, output: { file, minify: true }, logLevel: 'warn' });
    rmSync(inRoot(`dist/${name}.d.ts`));
  }
}

async function buildTypeScript() {
  const stamp = inRoot('build/tsc.stamp');
  const inputs = ['tsconfig.json', 'scripts/build.mjs', 'dist/wasm/single.mjs'].map((path) => inRoot(path));
  inputs.push(...filesBelow(inRoot('js')));
  if (existsSync(inRoot('dist/index.js')) && isUpToDate([stamp], inputs)) return;
  say('Compiling js/');
  // No leftovers of a file that is gone.
  for (const name of existsSync(inRoot('dist')) ? readdirSync(inRoot('dist')) : []) {
    if (/\.(js|d\.ts)$/.test(name)) rmSync(inRoot('dist', name));
  }
  await run(process.execPath, [inRoot('node_modules/typescript/bin/tsc'), '-p', inRoot()]);
  await bundleScripts();
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
