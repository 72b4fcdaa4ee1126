// Who uses the package, and how. A consumer gets a folder with the package, the files of shared/ and those of its `source`
// in here. There the commands of `build` run, and then:
//   `program`  a command that prints the names of what it checked, if it checks what shared/check.js does
//   `pages`    a page that leaves them in window.__result, in each way in which it is served
// `needs` is a file without which it is skipped.
import { inRoot } from '../../scripts/lib/run.mjs';
import { there, tool } from './install.mjs';
import { behindProxy, files, started, viteDev } from './servers.mjs';

const everywhere = ['forward', 'models', 'train', 'forwardAsync'];
const isolated = [...everywhere, 'threads'];
const inScript = [...isolated, 'simd wasmBinary'];
// What require() gives is what import() gives, where Node can require() a module.
const inCommonJs = [...isolated, ...(process.features.require_module ? ['require'] : [])];
const inPage = [...everywhere, 'audio'];
const inIsolatedPage = [...isolated, 'audio'];

const node = (...args) => [process.execPath, ...args];
const npmTool = (name, ...args) => node(tool(name), ...args);

const deno = there('node_modules/@deno/linux-x64-glibc/deno');
// For tools that refuse an older one.
const node22 = inRoot('tests/nodes/node_modules/node22/bin/node');
const bun = there('node_modules/@oven/bun-linux-x64/bin/bun');

/** The page in folder `root`, with the isolation headers and without. */
const bothWays = (root, { page = inPage, isolatedPage = inIsolatedPage } = {}) => [
  { how: 'isolated', serve: files({ root, isolated: true }), checks: isolatedPage },
  { how: 'not isolated', serve: files({ root, isolated: false }), checks: page },
];

const isolatedOnly = (serve) => [{ how: 'isolated', serve, checks: inIsolatedPage }];

const strictlyBelow = {
  how: 'below /app/demo/, under a strict policy',
  serve: files({
    root: 'out',
    path: 'app/demo/',
    isolated: true,
    headers: { 'Content-Security-Policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" },
  }),
  checks: inIsolatedPage,
};

/** A bundler that makes out/main.js, with the page put beside it. */
const bundler = (source, command) => ({
  source,
  build: [command, ['cp', 'index.html', 'out']],
  pages: bothWays('out'),
});

const html = 'a tensor of 1 x 2';

const parcel = (...args) => npmTool('parcel', 'build', '--cache-dir', '.parcel-cache', ...args);

const next = (...options) => ({
  source: 'next',
  build: [npmTool('next', 'build', ...options)],
  pages: [{ how: 'isolated', serve: started(npmTool('next', 'start')), checks: inIsolatedPage, html }],
});

/** A framework that needs Node 22, and whose server leaves headers to who stands before it. */
const framework = (source, build, start, more = []) => {
  const serve = started([node22, ...start]);
  return {
    source,
    needs: node22,
    build: [[node22, ...build]],
    pages: [
      { how: 'not isolated', serve, checks: inPage, html },
      { how: 'isolated', serve: behindProxy(serve), checks: inIsolatedPage },
      ...more.map(({ path, ...page }) => ({ ...page, serve: started([node22, ...start], path) })),
    ],
  };
};

const typescript = (path, resolution, module = resolution) => ({
  source: 'typescript',
  program: node(there('node_modules', path, 'bin/tsc'), '--module', module, '--moduleResolution', resolution),
});

export const consumers = {
  node: { source: 'node', program: node('main.js'), checks: inScript },
  'node, CommonJS': { source: 'node', program: node('commonjs.cjs'), checks: inCommonJs },
  deno: { source: 'node', needs: deno, program: [deno, 'run', '-A', 'main.js'], checks: inScript },
  bun: { source: 'node', needs: bun, program: [bun, 'main.js'], checks: inScript },
  'cloudflare workers': {
    source: 'cloudflare',
    needs: there('node_modules/@cloudflare/workerd-linux-64/bin/workerd'),
    program: node('main.js'),
    checks: ['worklet: [[21,42]], threads 1', 'whole: [[21,42]], threads 1'],
  },
  vitest: { source: 'vitest', needs: node22, program: [node22, tool('vitest'), 'run'] },
  jest: { source: 'jest', program: node('--experimental-vm-modules', tool('jest')) },
  'typescript, node16': typescript('typescript', 'node16'),
  'typescript, nodenext': typescript('typescript', 'nodenext'),
  'typescript, bundler': typescript('typescript', 'bundler', 'esnext'),
  'typescript 5.7': typescript('typescript57', 'nodenext'),
  'typescript 5.7, node10': typescript('typescript57', 'node10', 'esnext'),
  plain: { source: 'plain', pages: bothWays('.') },
  vite: {
    build: [npmTool('vite', 'build', '--base', './', '--outDir', 'out/app/demo')],
    pages: [...bothWays('out/app/demo'), strictlyBelow],
  },
  'vite, with ?url': {
    source: 'vite-url',
    build: [npmTool('vite', 'build', '--outDir', 'out')],
    pages: bothWays('out', { page: ['wasmUrl'], isolatedPage: ['wasmUrl'] }),
  },
  'vite, own processor': {
    source: 'processor',
    build: [npmTool('vite', 'build', '--outDir', 'out')],
    pages: bothWays('out', { page: ['processor'], isolatedPage: ['processor'] }),
  },
  'vite, in development': { pages: isolatedOnly(viteDev('vite')) },
  'vite 7, in development': { source: 'vite7', pages: isolatedOnly(viteDev('vite7')) },
  webpack: bundler('webpack', npmTool('webpack')),
  rollup: bundler('rollup', npmTool('rollup', '-c')),
  esbuild: bundler('esbuild', node('build.js')),
  parcel: {
    build: [parcel('index.html', '--dist-dir', 'out')],
    pages: bothWays('out'),
  },
  'parcel, own processor': { source: 'processor', program: parcel('processor.js') },
  worker: {
    source: 'worker',
    build: [npmTool('vite', 'build', '--outDir', 'out')],
    pages: bothWays('out', { page: everywhere, isolatedPage: isolated }),
  },
  'next, Turbopack': next(),
  'next, webpack': next('--webpack'),
  nuxt: framework('nuxt', [tool('nuxt'), 'build'], ['.output/server/index.mjs']),
  'svelte kit': framework('svelte-kit', [tool('vite'), 'build'], ['build']),
  astro: framework('astro', [tool('astro'), 'build'], ['dist/server/entry.mjs']),
  'react router': framework(
    'react-router',
    [tool('react-router'), 'build'],
    [tool('react-router-serve'), 'build/server/index.js'],
    [{ path: '/own-headers', how: 'isolated by its own headers', checks: ['one thread'] }],
  ),
};
