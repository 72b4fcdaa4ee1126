// Packages of Debian trixie, unpacked into a folder of our own: no root, nothing installed, nothing changed elsewhere.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join, relative } from 'node:path';
import { filesBelow } from './files.mjs';
import { capture, run, say, which } from './run.mjs';

const suite = 'trixie';
const debianSuites = /^(old)*(stable|testing)$|^(unstable|sid|bullseye|bookworm|trixie|forky|duke)$/;
const archiveKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

// deb822 stanzas and one-line entries alike, as { types, uris, suites, components, signedBy, enabled }.
function readSources() {
  const folder = '/etc/apt/sources.list.d';
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const files = names.map((name) => join(folder, name));
  const words = (text = '') => text.trim().split(/\s+/).filter(Boolean);
  const read = (path) => readFileSync(path, 'utf8').replace(/^#.*\n?/gm, '');
  const stanzas = files
    .filter((path) => path.endsWith('.sources'))
    .flatMap((path) => read(path).split(/\n\s*\n/))
    .map((stanza) => {
      const field = (name) => stanza.match(new RegExp(`^${name}:(.*(?:\\n[ \\t].*)*)`, 'im'))?.[1]?.trim();
      return {
        types: words(field('Types')),
        uris: words(field('URIs')),
        suites: words(field('Suites')),
        components: words(field('Components')),
        signedBy: field('Signed-By'),
        enabled: !/^(no|false|0)$/i.test(field('Enabled') ?? ''),
      };
    });
  const lines = ['/etc/apt/sources.list', ...files.filter((path) => path.endsWith('.list'))]
    .filter((path) => existsSync(path))
    .flatMap((path) => [...read(path).matchAll(/^\s*(deb)\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.*)$/gm)])
    .map(([, type, options = '', uri, suiteName, components]) => ({
      types: [type],
      uris: [uri],
      suites: [suiteName],
      components: words(components.replace(/#.*/, '')),
      signedBy: options.match(/signed-by=(\S+)/i)?.[1],
      enabled: true,
    }));
  return [...stanzas, ...lines];
}

// The first entry that is Debian's own archive: a third party may use Debian's suite names, but not Debian's keyring.
function findMirror() {
  const entry = readSources().find(
    (source) =>
      source.enabled &&
      source.types.includes('deb') &&
      source.components.includes('main') &&
      source.suites.some((name) => debianSuites.test(name)) &&
      (source.signedBy === undefined ? existsSync(archiveKeyring) : /debian-archive/.test(source.signedBy)),
  );
  const uri = entry?.uris.find((text) => !text.startsWith('cdrom:'));
  return uri && { uri, keyring: entry.signedBy ?? archiveKeyring };
}

// Whether packages can be unpacked here at all.
export const isDebian = () => ['apt-get', 'dpkg-deb', 'tar'].every(which) && findMirror() !== undefined;

// Options that put our settings on top of the machine's own (its proxy, say): every path private, no hooks.
function privateApt(folder, architectures) {
  const mirror = findMirror();
  for (const name of ['lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(join(folder, name), { recursive: true });
  const sources = join(folder, `${suite}.sources`);
  const stanza = [
    `Types: deb\nURIs: ${mirror.uri}\nSuites: ${suite}\nComponents: main`,
    `Targets: Packages\nSigned-By: ${mirror.keyring}\n`,
  ];
  writeFileSync(sources, stanza.join('\n'));
  writeFileSync(join(folder, 'status'), '');
  const settings = {
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'APT::Sandbox::User': userInfo().username, // root's apt would hand over to _apt, which may not write here
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  const lines = [
    ...['APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success'].map((hook) => `#clear ${hook};`),
    ...[...architectures].map((name) => `APT::Architectures:: "${name}";`),
    ...Object.entries(settings).map(([key, value]) => `${key} "${value}";`),
  ];
  const config = join(folder, 'apt.conf');
  writeFileSync(config, `${lines.join('\n')}\n`);
  return ['-c', config];
}

// Where an unpacked tree has its libraries, and the loader that comes with them.
export function findLibraries(root) {
  const triplet = readdirSync(join(root, 'usr/lib')).find((name) => name.endsWith('-linux-gnu'));
  const libraries = join(root, 'usr/lib', triplet);
  const loader = readdirSync(libraries).find((name) => name.startsWith('ld-linux-'));
  return { libraries, loader: join(libraries, loader) };
}

// Programs start through the unpacked loader and find the unpacked libraries, whatever libc the machine itself has.
// They carry an old-style RPATH, which also counts for the libraries' own needs as long as those have no RUNPATH.
function patchElf(temporary, final, programs) {
  const usr = join(temporary, 'usr');
  const { libraries, loader } = findLibraries(temporary);
  const patchelf = (...args) => execFileSync(loader, ['--library-path', libraries, join(usr, 'bin/patchelf'), ...args]);
  const inFinal = (path) => join(final, relative(temporary, path));
  for (const path of filesBelow(libraries)) {
    if (/\/lib(LLVM|clang)[^/]*\.so/.test(path)) patchelf('--remove-rpath', path);
  }
  for (const program of new Set(programs.map((name) => realpathSync(join(usr, 'bin', name))))) {
    patchelf('--set-interpreter', inFinal(loader), '--force-rpath', '--set-rpath', inFinal(libraries), program);
  }
}

const contains = (all, some) => some.every((item) => all.includes(item));

// Unpacks `packages` into `folder`/root, unless an earlier run did. `programs` are those in usr/bin that must run here;
// `exclude` are tar patterns of what is not worth its disk space; `finish` puts the last touches on the new tree.
// A package of another architecture is named as apt does: `libc6:arm64`.
export async function unpack(folder, { packages, programs = [], exclude = [], finish = () => {} }) {
  mkdirSync(folder, { recursive: true });
  // The programs hold the folder's real name: a link to another checkout's folder does, a moved one unpacks anew.
  const final = join(realpathSync(folder), 'root');
  const stamp = join(final, 'complete.json');
  if (existsSync(stamp)) {
    const done = JSON.parse(readFileSync(stamp, 'utf8'));
    const same = done.final === final && `${done.exclude}` === `${exclude}`;
    if (same && contains(done.packages, packages) && contains(done.programs, programs)) return;
  }

  say(`Unpacking ${packages.length} packages of Debian ${suite} into ${folder} (up to 360 MB to download, once)`);
  const own = capture('dpkg', ['--print-architecture']).trim();
  const others = packages.flatMap((name) => name.split(':')[1] ?? []);
  const options = privateApt(join(folder, 'apt'), new Set([own, ...others]));
  const debs = join(folder, 'apt/debs');
  const apt = (...args) => run('apt-get', [...options, ...args], { cwd: debs });
  await apt('update');
  const shown = capture('apt-cache', [...options, 'show', '--no-all-versions', ...packages]);
  const files = shown
    .trim()
    .split(/\n\n+/)
    .map((stanza) => {
      const field = (name) => stanza.match(new RegExp(`^${name}: (.*)$`, 'm'))[1];
      const name = `${field('Package')}_${field('Version').replaceAll(':', '%3a')}_${field('Architecture')}.deb`;
      return { path: join(debs, name), sha256: field('SHA256') };
    });
  // What a broken run had fetched is not fetched again; apt itself would take any file of the right size.
  for (const { path, sha256 } of files) {
    if (existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') !== sha256) rmSync(path);
  }
  await apt('download', ...packages);

  say('Unpacking what was downloaded');
  const temporary = join(folder, 'root.new');
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  const tar = ['-x', '-C', temporary, ...exclude.map((pattern) => `--exclude=${pattern}`)];
  for (const { path } of files) {
    await run('bash', ['-o', 'pipefail', '-c', 'dpkg-deb --fsys-tarfile "$0" | tar "$@"', path, ...tar]);
  }
  if (programs.length > 0) patchElf(temporary, final, programs);
  finish(temporary, final);
  writeFileSync(join(temporary, 'complete.json'), JSON.stringify({ final, packages, programs, exclude }));
  rmSync(final, { recursive: true, force: true });
  renameSync(temporary, final);
  rmSync(join(folder, 'apt'), { recursive: true, force: true });
  say('Unpacked');
}
