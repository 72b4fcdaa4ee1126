import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const names = (list) => Object.fromEntries(list.map((name) => [name, 'readonly']));
// What the Node that runs this has, most of which pages and workers have as well.
const node = names(Object.getOwnPropertyNames(globalThis));
const browser = names([
  ...['window', 'self', 'document', 'location', 'history', 'navigator', 'localStorage', 'Worker', 'File', 'FileReader'],
  ...['addEventListener', 'removeEventListener', 'postMessage', 'onmessage', 'crossOriginIsolated', 'getComputedStyle'],
  ...['requestAnimationFrame', 'cancelAnimationFrame', 'devicePixelRatio', 'matchMedia', 'ResizeObserver', 'Option'],
  ...[
    'AudioBuffer',
    'AudioContext',
    'ConvolverNode',
    'OfflineAudioContext',
    'SharedWorker',
    'AudioWorkletNode',
    'AudioWorkletProcessor',
    'registerProcessor',
  ],
  ...['AudioBufferSourceNode', 'ConstantSourceNode', 'GainNode', 'MediaStreamAudioSourceNode', 'OscillatorNode'],
]);
const jest = names([
  ...['describe', 'test', 'it', 'expect', 'beforeAll', 'beforeEach', 'afterAll', 'afterEach', 'jest', 'gc'],
]);

export default defineConfig(
  { ignores: ['**/dist/', 'build/', '.toolchain/', '**/node_modules/'] },
  { ignores: ['tests/package/typescript/'] }, // they mean the installed package; the compiler checks them there
  js.configs.recommended,
  {
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['web-demo/vite.config.ts'] } } },
    rules: {
      // callers in JavaScript hand over what the types rule out, and are told so
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  { files: ['**/*.{js,mjs,cjs}'], languageOptions: { globals: node } },
  { files: ['{web-demo,bench,tests,examples}/**/*.{js,mjs,cjs}'], languageOptions: { globals: browser } },
  { files: ['tests/js/**', 'tests/package/jest/**'], languageOptions: { globals: jest } },
);
