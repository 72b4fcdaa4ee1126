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

const entries = ['index', 'index.node', 'worklet'];
// What a page starts by its address has its glue within: some bundlers copy what is so addressed as it is, others not at
// all.
const scripts = ['convolver-processor', 'worker', 'worker.node'];
// They use the classes of the entry that they come with, for there must be one of each: a file for each entry.
const additions = ['models', 'train'].flatMap((source) => [
  { name: source, source, entry: 'index' },
  { name: `${source}.node`, source, entry: 'index.node' },
  { name: `${source}.worklet`, source, entry: 'worklet' },
]);

/** Takes the classes from `entry`, which lies beside the file. */
const classesOf = (entry) => ({
  name: 'classes',
  resolveId: (source) => (/\/(api|conv1d-error)\.js$/.test(source) ? { id: `./${entry}.js`, external: true } : null),
});

// What was made of js/ is all in dist/ but dist/wasm/.
function compiledFiles() {
  const folders = existsSync(inRoot('dist')) ? readdirSync(inRoot('dist'), { withFileTypes: true }) : [];
  return folders.flatMap((entry) => {
    const path = inRoot('dist', entry.name);
    return entry.isFile() ? [path] : entry.name === 'wasm' ? [] : filesBelow(path);
  });
}

// Each as one file, which a page without a bundler has at once instead of finding out what else it needs, again and again.
async function bundleFiles() {
  const { build: bundle } = await import('rolldown');
  const { minify } = await import('terser');
  const code = new Map();
  for (const { name, source, entry } of [
    ...[...entries, ...scripts].map((name) => ({ name, source: name })),
    ...additions,
  ]) {
    const { output } = await bundle({
      input: inRoot(`dist/${source}.js`),
      external: entries.includes(name) ? /\/wasm\// : [],
      plugins: entry ? [classesOf(entry)] : [],
      platform: name.endsWith('.node') ? 'node' : 'browser',
      logLevel: 'warn',
      write: false,
    });
    // The comments in import() are for bundlers.
    const options = { module: true, compress: { passes: 2 }, format: { comments: /webpackIgnore|@vite-ignore/ } };
    code.set(name, (await minify(output[0].code, options)).code);
  }
  for (const path of compiledFiles()) if (path.endsWith('.js')) rmSync(path);
  for (const [name, text] of code) writeFileSync(inRoot(`dist/${name}.js`), text);
  for (const name of scripts) rmSync(inRoot(`dist/${name}.d.ts`));
}

async function buildTypeScript() {
  const stamp = inRoot('build/tsc.stamp');
  const glue = filesBelow(inRoot('dist/wasm')).filter((file) => file.endsWith('.js'));
  const inputs = [inRoot('tsconfig.json'), inRoot('scripts/build.mjs'), ...glue, ...filesBelow(inRoot('js'))];
  if (existsSync(inRoot('dist/index.js')) && isUpToDate([stamp], inputs)) return;
  say('Compiling js/');
  // No leftovers of a file that is gone.
  for (const path of compiledFiles()) rmSync(path);
  await run(process.execPath, [inRoot('node_modules/typescript/bin/tsc'), '-p', inRoot()]);
  await bundleFiles();
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
