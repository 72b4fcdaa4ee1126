// Packages of Debian trixie, unpacked into a folder of our own: no root, nothing installed, nothing of the system changed.
import { execFileSync } from 'node:child_process';
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
import { join } from 'node:path';
import { capture, run, say, which } from './run.mjs';

const suite = 'trixie';
const debianSuites = /^(old)*(stable|testing)$|^(unstable|sid|bullseye|bookworm|trixie|forky|duke)$/;
const archiveKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

// deb822 stanzas and one-line entries alike, as { types, uris, suites, components, signedBy, enabled }.
function readSources() {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder)
    ? readdirSync(folder)
        .sort()
        .map((name) => join(folder, name))
    : [];
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
function privateApt(folder) {
  const mirror = findMirror();
  for (const name of ['lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(
    join(folder, `${suite}.sources`),
    `Types: deb\nURIs: ${mirror.uri}\nSuites: ${suite}\nComponents: main\nTargets: Packages\nSigned-By: ${mirror.keyring}\n`,
  );
  const settings = {
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Etc::SourceList': join(folder, `${suite}.sources`),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'APT::Sandbox::User': userInfo().username, // root's apt would hand over to _apt, which may not write here
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  const hooks = ['APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success'];
  const config = join(folder, 'apt.conf');
  writeFileSync(
    config,
    [...hooks.map((name) => `#clear ${name};`), ...Object.entries(settings).map(([k, v]) => `${k} "${v}";`), ''].join(
      '\n',
    ),
  );
  return ['-c', config];
}

function* filesBelow(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

// Programs start through the unpacked loader and find the unpacked libraries, whatever libc the machine itself has.
// They carry an old-style RPATH, which also counts for the libraries' own needs as long as those have no RUNPATH.
function patchElf(temporary, final, programs) {
  const usr = join(temporary, 'usr');
  const triplet = readdirSync(join(usr, 'lib')).find((name) => name.endsWith('-linux-gnu'));
  const libraries = join(usr, 'lib', triplet);
  const loader = join(
    'usr',
    'lib',
    triplet,
    readdirSync(libraries).find((name) => name.startsWith('ld-linux-')),
  );
  const libraryPath = [libraries, join(usr, 'lib')].join(':');
  const patchelf = (...args) =>
    execFileSync(join(temporary, loader), ['--library-path', libraryPath, join(usr, 'bin/patchelf'), ...args]);
  const isElf = (path) => readFileSync(path).subarray(0, 4).equals(Buffer.from('\x7fELF'));
  for (const path of filesBelow(libraries)) {
    if (/\/lib(LLVM|clang)[^/]*\.so/.test(path) && isElf(path)) patchelf('--remove-rpath', path);
  }
  const rpath = join(final, 'usr/lib', triplet);
  for (const program of new Set(programs.map((name) => realpathSync(join(usr, 'bin', name))))) {
    patchelf('--set-interpreter', join(final, loader), '--force-rpath', '--set-rpath', rpath, program);
  }
}

function isComplete(stamp, wanted) {
  if (!existsSync(stamp)) return false;
  const { packages, ...rest } = JSON.parse(readFileSync(stamp, 'utf8'));
  const { packages: needed, ...others } = wanted;
  return JSON.stringify(rest) === JSON.stringify(others) && needed.every((name) => packages.includes(name));
}

// Unpacks `packages` into `folder`/root, unless an earlier run did that already. `programs` are those in usr/bin that must run;
// `exclude` are tar patterns of what is not worth its disk space; `finish` puts the last touches on the new tree.
export async function unpack(folder, { packages, programs, exclude, finish }) {
  const final = join(folder, 'root');
  // The patched programs hold the folder's own name: a checkout that was moved or copied unpacks again.
  const wanted = { final, packages, programs, exclude };
  if (isComplete(join(final, 'complete.json'), wanted)) return;

  say(`Unpacking ${packages.length} packages of Debian ${suite} into ${folder} (about 350 MB to download, once)`);
  const options = privateApt(join(folder, 'apt'));
  const debs = join(folder, 'apt/debs');
  const apt = (...args) => run('apt-get', [...options, ...args], { cwd: debs });
  await apt('update');
  // A package that a broken run had fetched already is checked by its hash and not fetched again.
  await apt('download', ...packages);
  // An interrupted run may have left an older version beside a newer one: unpack the newer.
  const shown = capture('apt-cache', [...options, 'show', '--no-all-versions', ...packages]);
  const files = shown
    .trim()
    .split(/\n\n+/)
    .map((stanza) => {
      const [name, version, architecture] = ['Package', 'Version', 'Architecture'].map(
        (field) => stanza.match(new RegExp(`^${field}: (.*)$`, 'm'))[1],
      );
      return `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`;
    });

  say('Unpacking what was downloaded');
  const temporary = join(folder, 'root.new');
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  const tar = ['-x', '-C', temporary, ...exclude.map((pattern) => `--exclude=${pattern}`)];
  for (const name of files) {
    await run('bash', ['-o', 'pipefail', '-c', 'dpkg-deb --fsys-tarfile "$0" | tar "$@"', join(debs, name), ...tar]);
  }
  patchElf(temporary, final, programs);
  finish(temporary, final);
  writeFileSync(join(temporary, 'complete.json'), JSON.stringify(wanted));
  rmSync(final, { recursive: true, force: true });
  renameSync(temporary, final);
  rmSync(join(folder, 'apt'), { recursive: true, force: true });
  say('Unpacked');
}
