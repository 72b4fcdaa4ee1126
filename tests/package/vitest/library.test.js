import { expect, test } from 'vitest';
import { check } from './check.js';

test('a test can compute', async () => {
  expect(await check()).toEqual(['forward', 'models', 'train', 'forwardAsync', 'threads']);
});
