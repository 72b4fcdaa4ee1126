// From what Emscripten linked to dist/wasm/: four binaries, three pieces of glue.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { minify } from 'terser';
import { isUpToDate } from './files.mjs';
import { CommandError, inRoot } from './run.mjs';

// Not .mjs: many servers do not know it, and send a media type that pages refuse.
const glues = ['single.js', 'threads.web.js', 'threads.node.js'];
const binaries = ['simd', 'relaxed'].flatMap((isa) => [
  { file: `conv1d-${isa}.wasm`, links: [`${isa}/single.wasm`] },
  { file: `conv1d-${isa}-threads.wasm`, links: [`${isa}/threads.web.wasm`, `${isa}/threads.node.wasm`] },
]);

// The bytes that these links have in common. One piece of glue serves both ISAs only if they call their functions by
// the same (shortened) names; likewise for one binary that serves pages and Node.
function common(folder, links) {
  const [first, ...others] = links.map((link) => readFileSync(join(folder, link)));
  if (!others.every((bytes) => bytes.equals(first))) throw new CommandError(`The links differ: ${links.join(', ')}`);
  return first;
}

function patch(text, file, pattern, replacement) {
  if (text.match(pattern)?.length !== 1) throw new CommandError(`${file}: not one place that matches ${pattern}`);
  return text.replace(pattern, replacement);
}

async function finishGlue(text, file) {
  // js/ always brings the module, and bundlers must not look for a file of this name.
  let code = patch(text, file, /new URL\("[\w.]+\.wasm",\s*import\.meta\.url\)\.href/g, '""');
  // Nor is its own address of use; a bundler that makes classic scripts asks `self` for it, which no worklet has.
  code = patch(code, file, /(?<=var _scriptName\s*=\s*)import\.meta\.url/g, '""');
  // Nor is the page's, which Cloudflare's Workers have not.
  if (file === 'single.js') code = patch(code, file, /self\.location\.href/g, '""');
  // Embind calls whatever has a pointer in its signature through arrays of the arguments, so as to make the result
  // unsigned; that is for functions that give a pointer.
  code = patch(code, file, /signature\.includes\("p"\)/g, 'signature.startsWith("p")');
  if (file.startsWith('threads')) {
    // js/ knows where this file lies, also when it runs as a part of another one.
    const ownUrl = new RegExp(`(?<=new Worker\\()new URL\\("${file}",\\s*import\\.meta\\.url\\)`, 'g');
    code = patch(code, file, ownUrl, 'Module.threadScript');
    // A wait that never ends would keep the memory of a runtime that is gone; without it workers post messages.
    code = patch(code, file, /typeof Atomics\.waitAsync\s*===?\s*"function"/g, 'false');
  }
  if (file === 'threads.node.js') {
    // A worker refuses some flags that Node itself may have been started with (--input-type, say), and needs none.
    code = patch(code, file, /workerData:"em-pthread"/g, '$&,execArgv:[]');
  }
  const { code: small } = await minify(code, { module: true, compress: { passes: 3 } });
  return small;
}

// A custom section that says which .wasm this is, so that js/ can refuse another by name.
function stamp(bytes, file) {
  const { name, version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  const text = (content) => [content.length, ...Buffer.from(content)];
  const section = [...text(name), ...Buffer.from(`${version} ${file}`)];
  return Buffer.concat([bytes, Buffer.from([0, section.length, ...section])]);
}

export async function finishWasm(folder) {
  const output = inRoot('dist/wasm');
  const links = glues.flatMap((file) => ['simd', 'relaxed'].map((isa) => `${isa}/${file}`));
  const inputs = [...links, ...binaries.flatMap((binary) => binary.links)].map((link) => join(folder, link));
  const outputs = [...glues, ...binaries.map(({ file }) => file)].map((file) => join(output, file));
  if (isUpToDate(outputs, [...inputs, inRoot('scripts/lib/glue.mjs'), inRoot('package.json')])) return;

  mkdirSync(output, { recursive: true });
  const write = (file, content) => {
    writeFileSync(join(output, `${file}.new`), content);
    renameSync(join(output, `${file}.new`), join(output, file)); // nobody ever sees half a file
  };
  for (const file of glues) {
    const text = common(folder, [`simd/${file}`, `relaxed/${file}`]).toString();
    write(file, await finishGlue(text, file));
  }
  for (const { file, links: same } of binaries) write(file, stamp(common(folder, same), file));
  // No leftovers of a file that is gone.
  for (const file of readdirSync(output)) if (!outputs.includes(join(output, file))) rmSync(join(output, file));
}
