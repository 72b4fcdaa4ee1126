// What README.md and the examples show is run as it is written.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fromRoot, runNode } from './support.js';

/** The JavaScript blocks of README.md. */
const blocks = [...readFileSync(fromRoot('README.md'), 'utf8').matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);
const needsAudio = /Audio(Context|Buffer|WorkletProcessor)/;

test('the blocks of README.md, one after the other', async () => {
  const code = blocks.filter((block) => !needsAudio.test(block));
  expect(code.length).toBeGreaterThan(5);
  const check = 'console.log(JSON.stringify([oup.shape, part.shape, rest.shape, whole.shape, later.shape]));';
  // Blocks after the one that disposes the layer use it.
  const script = [...code, check].join('\n').replace(/^m\.dispose\(\);$/m, '');
  mkdirSync(fromRoot('build'), { recursive: true });
  writeFileSync(fromRoot('build/readme.mjs'), script);
  const { code: exitCode, stdout, stderr } = await runNode(null, { args: [fromRoot('build/readme.mjs')] });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout.trim().split('\n').at(-1)).toBe('[[2,1,2],[4,128],[4,0],[16,1000],[2,1,2]]');
});

test.each([
  ['stream-sensor.mjs', ['7'], /: 0 of 21600 outputs differ\n24 beats found, latency 0 samples, receptive field 31\n$/],
  ['amp-model.mjs', [], /receptive field 4093 samples, latency 0\n.* times real time\n$/],
])('examples/%s', async (name, args, expected) => {
  const { code, stdout, stderr } = await runNode(null, { args: [fromRoot(`examples/${name}`), ...args] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(expected);
});
