import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grown } from './arrays.js';

test('a grown array is of the same kind, has what was there, and then zeros', () => {
  const words = Int32Array.of(1, -2, 3);
  assert.deepEqual(grown(words, 5), Int32Array.of(1, -2, 3, 0, 0));
  assert.deepEqual(grown(new Uint16Array([65_535]), 2), Uint16Array.of(65_535, 0));
  assert.deepEqual(words, Int32Array.of(1, -2, 3), 'the old one stays');
});
