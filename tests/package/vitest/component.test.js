// @vitest-environment jsdom
import { Conv1dError, Tensor } from 'conv1d-wasm';
import { expect, test } from 'vitest';

test('a component that imports the package can be tested', () => {
  expect(document.body).not.toBeNull();
  expect(new Tensor([1, 2], [1, 2]).toArray()).toEqual([[1, 2]]);
  expect(() => new Tensor([1, 2], [1, 3])).toThrow(Conv1dError);
});
