// Makes an extension with the library in it, and lets one of its pages ask its background page.
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const inRoot = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

export async function testExtension(engine) {
  if (!engine.installExtension) {
    const reason = `nothing here puts an unpacked extension into ${engine.name}`;
    return { passed: 0, failed: [], skipped: [{ name: 'a background page', count: 1, reason }] };
  }
  const folder = inRoot('build/extension');
  rmSync(folder, { recursive: true, force: true });
  cpSync(inRoot('tests/browser/extension'), folder, { recursive: true });
  for (const file of ['scope.js', 'scope-worker.js', 'testing.js']) {
    cpSync(inRoot(`tests/browser/${file}`), `${folder}/${file}`);
  }
  cpSync(inRoot('dist'), `${folder}/dist`, { recursive: true });
  return engine.run(`chrome-extension://${await engine.installExtension(folder)}/page.html`);
}
