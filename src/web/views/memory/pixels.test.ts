import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colourOf, createPixels, mixed } from './pixels.js';

test('colours are bytes in the order of a canvas, and mix', () => {
  assert.equal(colourOf('#102030'), 0xff302010);
  assert.equal(colourOf('rgb(1 2 3)'), 0xff808080, 'what is no hex is grey');
  assert.equal(colourOf('#8ce'), colourOf('#88ccee'));
  const [black, white] = [colourOf('#000000'), colourOf('#ffffff')];
  assert.equal(mixed(white, black, 0), black);
  assert.equal(mixed(white, black, 1), white);
  assert.equal(mixed(white, black, 0.2), colourOf('#333333'));
});

test('boxes fill the pixels of the screen that they cover, and none outside', () => {
  const [ground, paint] = [colourOf('#000000'), colourOf('#ffffff')];
  const pixels = createPixels(8, 6, 2, ground);
  pixels.rect(1, 1, 2, 1, paint);
  const rows = Array.from({ length: 6 }, (_, row) =>
    [...pixels.data.subarray(row * 8, row * 8 + 8)].map((each) => (each === paint ? '#' : '.')).join(''),
  );
  assert.deepEqual(rows, ['........', '........', '..####..', '..####..', '........', '........']);
  pixels.rect(-5, -5, 100, 100, paint);
  assert.ok(pixels.data.every((each) => each === paint));
});

test('a diagonal has one pixel in each column, going up', () => {
  const [ground, paint] = [colourOf('#000000'), colourOf('#ffffff')];
  const pixels = createPixels(4, 4, 1, ground);
  pixels.diagonal(0, 0, 4, 4, paint);
  const at = [...pixels.data].flatMap((each, i) => (each === paint ? [i] : []));
  assert.deepEqual(at, [3, 6, 9, 12]);
  pixels.diagonal(0, 0, 0, 0, paint);
  pixels.diagonal(3, 3, 5, 5, paint);
});
