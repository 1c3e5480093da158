import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grown, largestOf, pushAll, smallestOf } from './arrays.js';

test('a grown array is of the same kind, has what was there, and then zeros', () => {
  const words = Int32Array.of(1, -2, 3);
  assert.deepEqual(grown(words, 5), Int32Array.of(1, -2, 3, 0, 0));
  assert.deepEqual(grown(new Uint16Array([65_535]), 2), Uint16Array.of(65_535, 0));
  assert.deepEqual(words, Int32Array.of(1, -2, 3), 'the old one stays');
});

test('lists are as long as they like', () => {
  const many = Array.from({ length: 1_000_000 }, (_, i) => i - 500_000);
  const into = [7];
  pushAll(into, many);
  assert.deepEqual([into.length, into[0], into.at(-1)], [1_000_001, 7, 499_999]);
  assert.deepEqual([largestOf(many), smallestOf(many)], [499_999, -500_000]);
  assert.deepEqual(
    [largestOf([]), smallestOf(new Set<number>())],
    [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  );
});
