import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { arrowsOf, boxAt, indexAt, neighbour, slabBoxes } from './slab-boxes.js';

test('every object has a box of its own within the width, and a point in it leads back', () => {
  const given = fc.record({
    objects: fc.integer({ min: 1, max: 9000 }),
    width: fc.integer({ min: 60, max: 2000 }),
  });
  fc.assert(
    fc.property(given, ({ objects, width }) => {
      const boxes = slabBoxes(objects, width);
      assert.ok(boxes.columns * boxes.rows >= objects && boxes.columns * (boxes.rows - 1) < objects);
      for (const index of [0, objects >> 1, objects - 1]) {
        const { x, y } = boxAt(boxes, index);
        assert.ok(x >= 0 && x + boxes.width <= width + 1e-6);
        assert.equal(indexAt(boxes, objects, x + boxes.width / 2, y + boxes.height / 2), index);
      }
      assert.equal(indexAt(boxes, objects, width + 1, 1), undefined);
      assert.equal(indexAt(boxes, objects, 1, boxes.rows * boxes.height + 1), undefined);
    }),
    { seed: 2 },
  );
});

test('arrows go along the list, one fewer than there are objects', () => {
  const boxes = slabBoxes(12, 400);
  assert.deepEqual(arrowsOf(boxes, []), []);
  assert.deepEqual(arrowsOf(boxes, [3]), []);
  const list = [3, 4, 0, 11];
  const arrows = arrowsOf(boxes, list);
  assert.equal(arrows.length, 3);
  for (const [i, { from, to }] of arrows.entries()) {
    assert.equal(indexAt(boxes, 12, from[0], from[1]), list[i]);
    assert.equal(indexAt(boxes, 12, to[0], to[1]), list[i + 1]);
  }
});

test('arrow keys go to neighbours, and stay at the ends', () => {
  const boxes = slabBoxes(10, 200);
  const { columns } = boxes;
  assert.equal(neighbour(boxes, 10, 0, 'ArrowLeft'), 0);
  assert.equal(neighbour(boxes, 10, 0, 'ArrowRight'), 1);
  assert.equal(neighbour(boxes, 10, 0, 'ArrowDown'), columns);
  assert.equal(neighbour(boxes, 10, columns + 1, 'ArrowUp'), 1);
  assert.equal(neighbour(boxes, 10, 9, 'ArrowDown'), 9);
});
