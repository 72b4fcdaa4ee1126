// npm run release:check [-- --tag vX.Y.Z]: what must hold before a version is published, seen on a clean tree.
import { readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { asCommand, capture, CommandError, inRoot, run, say } from './lib/run.mjs';

const read = (path) => readFileSync(inRoot(path), 'utf8');

function checkTree() {
  const changes = capture('git', ['status', '--porcelain'], { cwd: inRoot() });
  if (changes !== '') throw new CommandError(`The tree is not clean:\n${changes}`);
}

function checkVersion(tag) {
  const { version } = JSON.parse(read('package.json'));
  const inCode = read('js/version.ts').match(/version = '(.*)'/)[1];
  if (inCode !== version) throw new CommandError(`package.json has version ${version}, js/version.ts has ${inCode}`);
  if (tag === undefined) return;
  if (tag !== `v${version}`) throw new CommandError(`The tag is ${tag}, the version ${version}`);
  if (!read('CHANGELOG.md').includes(`\n## [${version}] - `)) {
    throw new CommandError(`CHANGELOG.md has no section [${version}] with a date`);
  }
}

await asCommand(async () => {
  const { values } = parseArgs({ options: { tag: { type: 'string' } } });
  checkTree();
  checkVersion(values.tag);
  rmSync(inRoot('dist'), { recursive: true, force: true });
  await run(process.execPath, [inRoot('scripts/test.mjs')]);
  await run('npm', ['run', '--silent', 'docs']);
  checkTree();
  say('Ready to be published');
});
