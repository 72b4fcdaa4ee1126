// Configuring and building a preset of CMakePresets.json, with the tools that scripts/toolchain.mjs found.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot, run } from './run.mjs';

// Emscripten loads what it has linked into Node, and Node 20 wants a flag for that.
const emscriptenNode = process.version.startsWith('v20.') ? inRoot('scripts/lib/node20') : process.execPath;

export async function buildPreset(preset, tools, ninjaOptions = []) {
  const folder = inRoot('build', preset);
  const env = { ...tools.env, EMSCRIPTEN_ROOT: tools.emscriptenRoot, EM_NODE_JS: emscriptenNode };
  const configure = ['--preset', preset, `-DCMAKE_MAKE_PROGRAM=${tools.ninja}`, '-Wno-dev', '--log-level=WARNING'];
  // CMake runs itself again when CMakeLists.txt changes, but not for these.
  const inputs = JSON.stringify([tools.emscriptenRoot, configure, readFileSync(inRoot('CMakePresets.json'), 'utf8')]);
  const stamp = join(folder, 'configured.json');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== inputs) {
    rmSync(folder, { recursive: true, force: true });
    await run(tools.cmake, configure, { env });
    writeFileSync(stamp, inputs);
  }
  await run(tools.ninja, ['-C', folder, ...ninjaOptions], { env });
  return folder;
}
