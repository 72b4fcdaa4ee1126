// npm run lint [-- --fix]: layout and likely mistakes in C++, TypeScript and JavaScript; --fix mends what it can.
import { extname } from 'node:path';
import { buildPreset } from './lib/cmake.mjs';
import { filesBelow } from './lib/files.mjs';
import { ensureModules } from './lib/install.mjs';
import { asCommand, forEachAtOnce, inRoot, isMain, run, say } from './lib/run.mjs';
import { ensureToolchain } from './toolchain.mjs';

const npmTool = (path, ...args) => [process.execPath, inRoot('node_modules', path), ...args];

export async function lint({ fix = false } = {}) {
  await ensureModules();
  const tools = await ensureToolchain({ native: true });
  const sources = [inRoot('cpp'), inRoot('tests/cpp'), inRoot('tests/prove/native')]
    .flatMap((folder) => filesBelow(folder))
    .filter((path) => ['.cpp', '.h'].includes(extname(path)));
  const tsc = 'typescript/bin/tsc';
  const linters = {
    ESLint: npmTool('eslint/bin/eslint.js', '--max-warnings=0', ...(fix ? ['--fix'] : []), '.'),
    TypeDoc: npmTool('typedoc/bin/typedoc', '--emit', 'none', '--logLevel', 'Warn'),
    Prettier: npmTool('prettier/bin/prettier.cjs', fix ? '--write' : '--check', '--log-level=warn', '.'),
    tsc: npmTool(tsc, '-p', inRoot(), '--noEmit'),
    'tsc of the demo': npmTool(tsc, '-p', inRoot('web-demo')),
    'clang-format': [tools.clangFormat, ...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources],
  };
  const runLinter = async ([title, [command, ...args]]) => {
    await run(command, args, { together: true });
    say(title);
  };
  await forEachAtOnce(Object.entries(linters), runLinter, fix ? 1 : undefined); // two would mend one file
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
