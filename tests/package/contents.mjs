// What is in the tarball: files, metadata, declarations, sizes.
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { build } from 'rolldown';
import { CommandError, inRoot, say } from '../../scripts/lib/run.mjs';
import { output } from './install.mjs';

const documents = [
  ...['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'],
  ...['models', 'train', 'worklet', 'worklet/models', 'worklet/train'].map((entry) => `${entry}/package.json`),
];
const runtimeFile = /^dist\/([\w.-]+\.js|([\w-]+\/)*[\w.-]+\.d\.ts|wasm\/[\w.-]+\.(js|wasm))$/;

// Kilobytes after gzip. What a page loads at the start is the entry; the glue and a .wasm file come when it calls init().
const budgets = [
  ...['simd', 'relaxed'].flatMap((isa) =>
    ['', '-threads'].map((threads) => ({ file: `wasm/conv1d-${isa}${threads}.wasm`, most: 116, read: readFileSync })),
  ),
  { file: 'index.js', most: 39, read: bundle },
  { file: 'worklet.js', most: 24, read: bundle },
  { file: 'models.js', most: 7, read: readFileSync },
  { file: 'train.js', most: 9, read: readFileSync },
];

async function bundle(input) {
  const { output: chunks } = await build({ input, external: /\/wasm\//, write: false, output: { minify: true } });
  return chunks[0].code;
}

function fail(problems) {
  if (problems.length > 0) throw new CommandError(problems.join('\n'));
}

/** Checks by name; each throws what is wrong. `files` are the paths in the tarball. */
export const contents = {
  files({ files }) {
    const strange = files.filter((path) => !documents.includes(path) && !runtimeFile.test(path));
    const missing = documents.filter((path) => !files.includes(path));
    fail([...strange.map((path) => `${path} does not belong there`), ...missing.map((path) => `${path} is missing`)]);
  },

  dependencies() {
    const {
      dependencies = {},
      peerDependencies = {},
      scripts,
    } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
    const names = Object.keys({ ...dependencies, ...peerDependencies });
    const hooks = ['preinstall', 'install', 'postinstall'].filter((name) => scripts[name]);
    fail([...names.map((name) => `it depends on ${name}`), ...hooks.map((name) => `it has a script ${name}`)]);
  },

  /** What the library reaches by an address beside its own. */
  addresses({ files }) {
    const targets = files
      .filter((path) => path.endsWith('.js'))
      .flatMap((path) => {
        const found = readFileSync(inRoot(path), 'utf8').matchAll(
          /new URL\(["'`](\.[^"'`]+)["'`],\s*import\.meta\.url\)/g,
        );
        return Array.from(found, ([, target]) => posix.join(posix.dirname(path), target));
      });
    if (targets.length === 0) throw new CommandError('no address is found');
    fail(targets.filter((path) => !files.includes(path)).map((path) => `${path} is missing`));
  },

  async publint() {
    const { messages, pkg } = await publint({ pkgDir: inRoot(), strict: true });
    // "browser" is for bundlers that do not read "exports".
    const wrong = messages.filter(({ code }) => code !== 'USE_EXPORTS_BROWSER');
    fail(wrong.map((message) => formatMessage(message, pkg)));
  },

  async 'are the types wrong'({ tarball }) {
    const attw = inRoot('node_modules/@arethetypeswrong/cli/dist/index.js');
    // What it warns of is meant: TypeScript knows nothing of require() of an ECMAScript module.
    await output([process.execPath, attw, tarball, '--ignore-rules', 'cjs-resolves-to-esm'], inRoot());
  },

  async sizes() {
    const tooLarge = [];
    for (const { file, most, read } of budgets) {
      const size = gzipSync(await read(inRoot('dist', file)), { level: 9 }).length / 1000;
      const text = `${file}: ${size.toFixed(1)} of ${most} KB gzipped`;
      say(text);
      if (size > most) tooLarge.push(text);
    }
    fail(tooLarge);
  },
};
