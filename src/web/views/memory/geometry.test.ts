import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  cellOf,
  clamped,
  fitted,
  frameAt,
  frontier,
  gridOf,
  type MapView,
  movedBy,
  objectAt,
  pageBoxes,
  showing,
  usedStretch,
  viewFrom,
  viewText,
  zoomedAt,
  zoomsOf,
} from './geometry.js';

const PLACE = { width: 803, height: 461 };
const someFrames = fc.integer({ min: 1, max: 5_000_000 });
const someView = someFrames.chain((frames) =>
  fc.record({
    frames: fc.constant(frames),
    first: fc.integer({ min: 0, max: frames - 1 }),
    zoom: fc.constantFrom(...zoomsOf(frames)),
    x: fc.double({ min: 0, max: PLACE.width - 0.01, noNaN: true }),
    y: fc.double({ min: 0, max: PLACE.height - 0.01, noNaN: true }),
  }),
);
const check = (predicate: (given: { frames: number; view: MapView; x: number; y: number }) => void) =>
  fc.assert(
    fc.property(someView, ({ frames, first, zoom, x, y }) => {
      predicate({ frames, view: clamped({ ...zoom, first }, PLACE, frames), x, y });
    }),
    { seed: 17 },
  );

test('a point lies in the cell of its frame', () => {
  check(({ view, x, y }) => {
    const { columns, rows, cellWidth, cellHeight } = gridOf(PLACE, view);
    const frame = frameAt(view, PLACE, x, Math.min(y, rows * cellHeight - 0.01));
    const cell = cellOf(view, frame);
    assert.equal(cell % columns, Math.min(Math.floor(x / cellWidth), columns - 1));
    assert.ok(cell < columns * rows);
  });
});

test('a zoom leaves the frame under the pointer there, but at the ends of the memory', () => {
  check(({ frames, view, x, y }) => {
    for (const steps of [1, -1, 4, -7]) {
      const next = zoomedAt(view, PLACE, frames, { x, y, steps });
      const frame = Math.min(frameAt(view, PLACE, x, y), frames - 1);
      const far = Math.abs(frameAt(next, PLACE, x, y) - frame);
      const isAtEnd =
        next.first === 0 || next.first === clamped({ ...next, first: frames }, PLACE, frames).first;
      assert.ok(isAtEnd || far <= Math.max(8, next.framesPerCell), `${far} frames away`);
    }
  });
});

test('what is to be shown is in sight, as large as it can be', () => {
  check(({ frames, view }) => {
    const to = Math.min(view.first + 1000, frames);
    const fit = fitted(view.first, to, PLACE, frames);
    const { columns, rows } = gridOf(PLACE, fit);
    assert.ok(cellOf(fit, view.first) >= 0 && cellOf(fit, to - 1) <= columns * rows, viewText(fit));
    assert.ok(fitted(0, frames, PLACE, frames).first === 0);
    const shown = showing(movedBy(view, PLACE, frames, 50), PLACE, frames, view.first);
    const cell = cellOf(shown, view.first);
    const grid = gridOf(PLACE, shown);
    assert.ok(cell >= 0 && cell < grid.columns * grid.rows);
  });
});

test('fit finds where most lies, and leaves out what is alone far away', () => {
  const used = new Float32Array(100);
  for (const cell of [10, 11, 12, 15, 20]) used[cell] = 0.5;
  used[90] = 1;
  const stretch = { used, from: 1000, to: 1995, framesPerCell: 10 };
  assert.deepEqual(usedStretch(stretch), { from: 1100, to: 1210 });
  used.fill(0);
  assert.deepEqual(usedStretch(stretch), { from: 1000, to: 1995 }, 'nothing in use');
  used[99] = 0.1;
  assert.deepEqual(usedStretch(stretch), { from: 1990, to: 1995 });
});

test('an address has what is in sight, and nonsense in it is nothing', () => {
  check(({ frames, view }) => assert.deepEqual(viewFrom(viewText(view), PLACE, frames), view));
  for (const text of [undefined, '', '1', '1x', '1x0', 'x2', '-1x2', '1x2x3x4', '9999999999999x2'])
    assert.equal(viewFrom(text, PLACE, 1000), undefined, text);
  assert.equal(viewFrom('0x1x47', PLACE, 1000)!.side, 10, 'a side that there is none of is the least');
});

test('a frontier separates the cells in front of a frame from its own', () => {
  const view = { first: 0, framesPerCell: 2, side: 10 };
  const place = { width: 100, height: 50 };
  assert.deepEqual(frontier(view, place, 20), [
    [0, 10],
    [100, 10],
  ]);
  assert.deepEqual(frontier(view, place, 26), [
    [0, 20],
    [30, 20],
    [30, 10],
    [100, 10],
  ]);
  assert.deepEqual(frontier(view, place, 0), []);
  assert.deepEqual(frontier(view, place, 100), []);
});

test('each object has one place in the page that it begins in', () => {
  const slab = fc.record({
    offset: fc.integer({ min: 0, max: 200 }),
    size: fc.integer({ min: 8, max: 9000 }),
    order: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(slab, ({ offset, size, order }) => {
      const bytes = 4096 * 2 ** order;
      const objects = Math.floor((bytes - offset) / size);
      const boxes = pageBoxes({ offset, size, objects }, 4096);
      const seen = new Set<string>();
      for (const [index, { page, place }] of boxes.objects.entries()) {
        assert.ok(page < 2 ** order && place < boxes.columns * boxes.lines);
        seen.add(`${page} ${place}`);
        const x = ((place % boxes.columns) + 0.5) / boxes.columns;
        const y = (Math.floor(place / boxes.columns) + 0.5) / boxes.lines;
        assert.equal(objectAt(boxes, page, x, y), index);
      }
      assert.equal(seen.size, objects);
      assert.equal(objectAt(boxes, 2 ** order, 0.5, 0.5), undefined);
    }),
    { seed: 5, numRuns: 60 },
  );
});
