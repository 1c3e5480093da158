import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inkOn } from './ink.js';

test('ink is black on light colours and white on dark ones', () => {
  assert.deepEqual(['#ffffff', '#88ccee', '#ddcc77', '#cc6677'].map(inkOn), Array(4).fill('#000000'));
  assert.deepEqual(['#000000', '#332288', '#117733', '#882255'].map(inkOn), Array(4).fill('#ffffff'));
});
