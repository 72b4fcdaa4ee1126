// The codes of errors, which C++ and TypeScript both name.
import { readFileSync } from 'node:fs';
import { filesBelow } from '../../../scripts/lib/files.mjs';
import { fromRoot } from '../support.js';

const codesIn = (path) => new Set(readFileSync(path, 'utf8').match(/\bERR_[A-Z_]+(?=['"])/g));

test('C++ knows no code that TypeScript does not declare', () => {
  const declared = codesIn(fromRoot('js/common/conv1d-error.ts'));
  const used = codesIn(fromRoot('cpp/errors.cpp'));
  expect([...used].filter((code) => !declared.has(code))).toEqual([]);
  expect(used.size).toBe(5);
});

test('all of them are in one file', () => {
  const others = filesBelow(fromRoot('cpp')).filter((path) => !path.endsWith('errors.cpp') && codesIn(path).size > 0);
  expect(others).toEqual([]);
});
