// The tools that the build and the native tests need. What is on PATH and new enough is used as it is; the rest is
// unpacked from Debian's packages into .toolchain/, which takes no root and changes nothing outside that folder.
import { existsSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findLibraries, isDebian, unpack } from './lib/debian.mjs';
import { asCommand, atLeast, capture, CommandError, inRoot, isMain, run, say, which } from './lib/run.mjs';

const folder = inRoot('.toolchain');
const usr = join(folder, 'root/usr');

// Older Emscriptens encode the relaxed SIMD instructions otherwise.
const emccVersion = '3.1.69';
// The first with presets of version 3.
const cmakeVersion = '3.22';

const words = (text) => text.trim().split(/\s+/);

// Debian's packages by what they are for; `programs` are those of their programs that run here.
const emscripten = {
  packages: words('emscripten binaryen node-acorn clang-19 lld-19 llvm-19 llvm-19-linker-tools'),
  programs: words(`clang-19 wasm-ld-19 llvm-ar-19 llvm-nm-19 llvm-objcopy-19 llvm-strip-19
    wasm-opt wasm-emscripten-finalize wasm-metadce wasm-ctor-eval`),
};
const cmake = {
  packages: words(`cmake cmake-data libarchive13t64 libcurl4t64 libexpat1 libjsoncpp26 librhash1 libuv1t64
    libacl1 libbz2-1.0 liblz4-1 libnettle8t64 libbrotli1 libgssapi-krb5-2 libkrb5-3 libkrb5support0 libk5crypto3
    libcom-err2 libkeyutils1 libssl3t64 libidn2-0 libunistring5 libldap2 libsasl2-2 libnghttp2-14 libnghttp3-9
    libpsl5t64 libgmp10 libhogweed6t64 libp11-kit0 libtasn1-6 libgnutls30t64 librtmp1 libssh2-1t64`),
  programs: ['cmake'],
};
const ninja = { packages: ['ninja-build'], programs: ['ninja'] };
// The headers and the formatter are always these, so that a build and a file's layout are the same everywhere.
const native = {
  packages: words('googletest libsimde-dev nlohmann-json3-dev clang-format-19 clang-tidy-19 libclang-common-19-dev'),
  programs: words('clang-format-19 clang-tidy-19'),
};
const shared = {
  packages: words(`patchelf libc6 libstdc++6 libgcc-s1 libllvm19 libclang-cpp19 libclang1-19 libz3-4 libxml2 libicu76
    libtinfo6 zlib1g libzstd1 libedit2 libbsd0 libmd0 libffi8 liblzma5`),
  programs: [],
};

// System libraries for kinds of build that are not ours take most of Emscripten's 1.7 GB.
const exclude = [
  ...words('*/share/doc */share/man */emscripten/test */llvm-19/build */llvm-exegesis'),
  ...words('lto lto-pic pic *-ww*.a *asan*.a *sanitizer*.a libGL*-emu*.a libwasmfs*.a libwebgpu*.a').map(
    (name) => `*/sysroot/lib/wasm32-emscripten/${name}`,
  ),
];

// Debian's own configuration, with its absolute paths led into our folder. Node is the one that runs us.
function configureEmscripten(temporary, final) {
  const home = join(temporary, 'usr/share/emscripten');
  const config = join(home, '.emscripten');
  const text = readFileSync(config, 'utf8')
    .replace(/^(LLVM_ROOT|BINARYEN_ROOT) = '(.*?)'/gm, (_, key, path) => `${key} = '${join(final, path)}'`)
    .replace(/^NODE_JS = .*$/m, "import os\nNODE_JS = os.environ.get('EMSDK_NODE', 'node')");
  writeFileSync(config, text);
  symlinkSync('../nodejs', join(home, 'node_modules'));
  // Its CommonJS files would be taken for modules, as our own package.json says, were there no other one above them.
  writeFileSync(join(home, 'package.json'), '{}');
}

const versionOf = (program) => program && capture(program, ['--version'])?.match(/\d+\.\d+(\.\d+)?/)?.[0];
const newEnough = (program, version) => atLeast(versionOf(program) ?? '0', version);

// Sees to it that the tools are there and says where. `native` asks for what the native tests and linters need, too.
export async function ensureToolchain({ native: wantNative = false } = {}) {
  const system = {
    emcc: newEnough(which('emcc'), emccVersion),
    cmake: newEnough(which('cmake'), cmakeVersion),
    ninja: which('ninja') !== null,
  };
  const tools = [
    { there: system.emcc, part: emscripten, title: `Emscripten ${emccVersion} or later (emcc), by emsdk for example` },
    { there: system.cmake, part: cmake, title: `CMake ${cmakeVersion} or later` },
    { there: system.ninja, part: ninja, title: 'Ninja' },
    { there: !wantNative, part: native, title: 'a Debian, whose packages the C++ tests and the linters use' },
  ];
  const missing = tools.filter(({ there }) => !there);
  if (missing.length > 0) {
    if (!isDebian()) {
      const titles = missing.map(({ title }) => title).join('; ');
      throw new CommandError(`Needed, and only Debian and its kin have it set up by itself: ${titles}`);
    }
    // All that may be needed later comes along at once.
    const parts = [shared, native, ...missing.map(({ part }) => part)];
    const list = (key) => [...new Set(parts.flatMap((part) => part[key]))];
    const finish = system.emcc ? () => {} : configureEmscripten;
    await unpack(folder, { packages: list('packages'), programs: list('programs'), exclude, finish });
  }
  const unpacked = (name) => join(usr, 'bin', name);
  return {
    emscriptenRoot: system.emcc ? capture('em-config', ['EMSCRIPTEN_ROOT']).trim() : join(usr, 'share/emscripten'),
    cmake: system.cmake ? 'cmake' : unpacked('cmake'),
    ninja: system.ninja ? which('ninja') : unpacked('ninja'),
    clangFormat: unpacked('clang-format-19'),
    clangTidy: unpacked('clang-tidy-19'),
    // An EM_CONFIG of another Emscripten would win over the unpacked one's own.
    env: system.emcc ? {} : { EM_CONFIG: join(usr, 'share/emscripten/.emscripten'), EMSDK_NODE: process.execPath },
  };
}

// A Clang with libFuzzer and the sanitizers, and the C++ library that they were made with: they link against no older
// one. In a folder of its own, for only `npm run prove -- fuzz` wants it.
const fuzzer = {
  packages: [
    ...shared.packages,
    ...words(`clang-19 lld-19 llvm-19 llvm-19-linker-tools libclang-rt-19-dev libclang-common-19-dev
      libc6-dev linux-libc-dev libcrypt-dev libstdc++-14-dev libgcc-14-dev`),
  ],
  programs: words('clang-19 ld.lld-19 llvm-ar-19 llvm-symbolizer-19'),
};

// The environment that preset `fuzz` wants: where it is, and what its programs start with.
export async function ensureFuzzer() {
  const home = join(folder, 'fuzzer');
  await unpack(home, {
    ...fuzzer,
    exclude: words('*/share/doc */share/man */llvm-19/build'),
    finish: linkLibraries,
  });
  const root = join(realpathSync(home), 'root');
  const { libraries, loader } = findLibraries(root);
  return { FUZZER_ROOT: root, FUZZER_LOADER: loader, FUZZER_LIBRARIES: libraries };
}

// Linkers and loaders look into /lib and /lib64, which a running Debian has as links.
function linkLibraries(temporary) {
  for (const name of ['lib', 'lib64']) {
    if (existsSync(join(temporary, 'usr', name))) symlinkSync(`usr/${name}`, join(temporary, name));
  }
}

// An emulator of a 64-bit ARM, and the libraries that Node asks for.
export async function ensureEmulator() {
  const home = join(folder, 'aarch64');
  await unpack(home, {
    packages: words('qemu-user libc6:arm64 libstdc++6:arm64 libgcc-s1:arm64 libatomic1:arm64'),
    exclude: words('*/share */bin/qemu-[b-z]*'),
    finish: linkLibraries,
  });
  const root = join(realpathSync(home), 'root');
  return [join(root, 'usr/bin/qemu-aarch64'), '-L', root];
}

const browsers = {
  chromium: 'chromium',
  'firefox-esr': 'firefox-esr',
  WebKitWebDriver: 'webkit2gtk-driver',
  Xvfb: 'xvfb',
};

// Installs the browsers of the tests system-wide where that takes no question. Returns those still missing.
export async function ensureBrowsers() {
  const missing = () => Object.entries(browsers).flatMap(([program, name]) => (which(program) ? [] : [name]));
  const names = missing();
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const mayInstall = isDebian() && (sudo.length === 0 || capture('sudo', ['-n', 'true']) !== null);
  if (names.length > 0 && mayInstall) {
    say(`Installing ${names.join(', ')}`);
    const [command, ...args] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-y'];
    // Without the net or the packages the tests still run, in the browsers that are there.
    await run(command, [...args, 'update'])
      .then(() => run(command, [...args, 'install', '--no-install-recommends', ...names]))
      .catch((error) => say(error.message));
  }
  return missing();
}

if (isMain(import.meta)) {
  await asCommand(async () => {
    const tools = await ensureToolchain({ native: true });
    say(`Toolchain ready: ${join(tools.emscriptenRoot, 'emcc')}`);
  });
}
