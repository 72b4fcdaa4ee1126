// npm run lint [-- --fix]: layout and likely mistakes in C++, TypeScript and JavaScript; --fix mends what it can.
import { extname } from 'node:path';
import { buildPreset } from './lib/cmake.mjs';
import { filesBelow } from './lib/files.mjs';
import { ensureModules } from './lib/install.mjs';
import { asCommand, inRoot, isMain, run, say } from './lib/run.mjs';
import { ensureToolchain } from './toolchain.mjs';

const npmTool = (path, ...args) => run(process.execPath, [inRoot('node_modules', path), ...args]);

export async function lint({ fix = false } = {}) {
  await ensureModules();
  const tools = await ensureToolchain({ native: true });
  const sources = [inRoot('cpp'), inRoot('tests/cpp'), inRoot('tests/prove/native')]
    .flatMap((folder) => filesBelow(folder))
    .filter((path) => ['.cpp', '.h'].includes(extname(path)));
  say('clang-format');
  await run(tools.clangFormat, [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources]);
  say('Prettier');
  await npmTool('prettier/bin/prettier.cjs', fix ? '--write' : '--check', '--log-level=warn', '.');
  say('tsc');
  await npmTool('typescript/bin/tsc', '-p', inRoot(), '--noEmit');
  await npmTool('typescript/bin/tsc', '-p', inRoot('web-demo'));
  say('TypeDoc');
  await npmTool('typedoc/bin/typedoc', '--emit', 'none', '--logLevel', 'Warn');
  say('ESLint');
  await npmTool('eslint/bin/eslint.js', '--max-warnings=0', ...(fix ? ['--fix'] : []), '.');
  say('Circles of imports');
  const { refuseCircles } = await import('./lib/circles.mjs'); // it needs npm packages, perhaps installed just now
  refuseCircles(['cpp', 'js', 'web-demo/src', 'bench', 'scripts', 'tests']);
  say('clang-tidy');
  // As a build, it looks only at what changed since the last time; it goes on to show all there is.
  await buildPreset('tidy', tools, ['-k', '0', 'all', 'conv1d_random', 'conv1d_memory']);
}

if (isMain(import.meta)) {
  await asCommand(async () => {
    await lint({ fix: process.argv.includes('--fix') });
    say('Nothing to complain of');
  });
}
