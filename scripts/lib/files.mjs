import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

// All files below `folder`, as paths.
export function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

// As make has it: every output is there and no input is newer than any of them.
export function isUpToDate(outputs, inputs) {
  if (outputs.length === 0 || !outputs.every((path) => existsSync(path))) return false;
  const times = (paths) => paths.map((path) => statSync(path).mtimeMs);
  return Math.max(...times(inputs)) < Math.min(...times(outputs));
}
