// esbuild leaves `new URL(file, import.meta.url)` as it is: the files are put beside the bundle, as they lie in the package.
import { cpSync } from 'node:fs';
import { build } from 'esbuild';

await build({ entryPoints: ['main.js'], bundle: true, minify: true, format: 'esm', outdir: 'out' });
for (const file of ['wasm', 'worker.js', 'convolver-processor.js']) {
  cpSync(`node_modules/conv1d-wasm/dist/${file}`, `out/${file}`, { recursive: true });
}
