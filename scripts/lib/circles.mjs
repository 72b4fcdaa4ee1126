// Circles of imports: files that lead back to themselves. In C++ a header and the source with its name are one module.
import { readFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import ts from 'typescript';
import { filesBelow } from './files.mjs';
import { CommandError, inRoot } from './run.mjs';

const isCpp = (path) => ['.h', '.cpp'].includes(extname(path));
const isScript = (path) => /\.[cm]?[jt]s$/.test(path);
const moduleOf = (path) => (isCpp(path) ? path.slice(0, -extname(path).length) : path);

// The files that `path` names, as they may be called: includes also from `root` on, imports of .ts files as .js.
function namedIn(path, root) {
  const text = readFileSync(path, 'utf8');
  if (isCpp(path)) {
    const names = Array.from(text.matchAll(/^\s*#\s*include\s+"(.+)"/gm), ([, name]) => name);
    return names.map((name) => [join(dirname(path), name), join(root, name)]);
  }
  const names = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName.replace(/\?.*/, ''));
  return names
    .filter((name) => name.startsWith('.'))
    .map((name) => join(dirname(path), name))
    .map((file) => [file, file.replace(/js$/, 'ts'), `${file}.ts`, join(file, 'index.ts')]);
}

// Each module of `root` with those of `root` that it imports, types included.
function importsIn(root) {
  const files = filesBelow(root).filter((path) => isCpp(path) || isScript(path));
  const known = new Set(files);
  const imports = new Map(files.map((path) => [moduleOf(path), new Set()]));
  for (const path of files) {
    for (const names of namedIn(path, root)) {
      const found = names.find((name) => known.has(name));
      if (found !== undefined && moduleOf(found) !== moduleOf(path)) imports.get(moduleOf(path)).add(moduleOf(found));
    }
  }
  return imports;
}

// The circles below folder `root`, each as `a -> b -> a`: of those that share a module, one at least.
export function circlesIn(root) {
  const imports = importsIn(root);
  const circles = [];
  const done = new Set();
  const visit = (module, path) => {
    const start = path.indexOf(module);
    if (start >= 0) circles.push([...path.slice(start), module]);
    if (start >= 0 || done.has(module)) return;
    for (const next of imports.get(module)) visit(next, [...path, module]);
    done.add(module);
  };
  for (const module of imports.keys()) visit(module, []);
  return circles.map((circle) => circle.map((module) => relative(root, module)).join(' -> '));
}

export function refuseCircles(folders) {
  const circles = folders.flatMap((folder) => circlesIn(inRoot(folder)).map((circle) => `${folder}: ${circle}`));
  if (circles.length > 0) throw new CommandError(['Files import each other in a circle:', ...circles].join('\n'));
}
