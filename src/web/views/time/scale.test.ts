import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  byteTicks,
  clockScale,
  LEAST_ROWS,
  moved,
  rowOfTime,
  rowScale,
  showing,
  stretchOf,
  stretchText,
  ticks,
  timeOfRow,
  zoomed,
} from './scale.js';

const ROWS = 10_000;
const stretches = fc
  .tuple(
    fc.double({ min: 0, max: ROWS - LEAST_ROWS, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .map(([from, share]) => ({ from, to: from + LEAST_ROWS + share * (ROWS - from - LEAST_ROWS) }));

test('however it is zoomed and moved, a stretch stays within the trace', () => {
  fc.assert(
    fc.property(
      stretches,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      fc.double({ min: -5, max: 5, noNaN: true }),
      (stretch, share, factor, by) => {
        const about = stretch.from + share * (stretch.to - stretch.from);
        for (const each of [
          zoomed(stretch, ROWS, about, factor),
          moved(stretch, ROWS, by),
          showing(stretch, ROWS, about * by),
        ]) {
          assert.ok(each.from >= 0 && each.to <= ROWS + 1e-6, JSON.stringify(each));
          assert.ok(each.to - each.from >= LEAST_ROWS - 1e-6, JSON.stringify(each));
        }
        const near = zoomed(stretch, ROWS, about, 0.5);
        assert.ok(
          about >= near.from - 1e-6 && about <= near.to + 1e-6,
          'what it is zoomed about stays in sight',
        );
      },
    ),
    { seed: 3, numRuns: 300 },
  );
});

test('a trace of fewer rows than a screen takes is shown whole', () => {
  assert.deepEqual(zoomed({ from: 0, to: 3 }, 3, 1, 0.1), { from: 0, to: 3 });
  assert.deepEqual(showing({ from: 0, to: 100 }, 1000, 500), { from: 450, to: 550 });
  assert.deepEqual(showing({ from: 0, to: 100 }, 1000, 100), { from: 0, to: 100 });
});

test('a stretch in an address is read back', () => {
  assert.deepEqual(stretchOf(stretchText({ from: 12.3456, to: 900 })), { from: 12.35, to: 900 });
  for (const text of ['', '5-5', '9-2', 'a-b', '-1-5', undefined])
    assert.equal(stretchOf(text), undefined, text);
});

test('by row and by the clock, what is at a place leads back to it', () => {
  const clock = { rows: [0, 10, 20, 100], times: [1000, 1001, 5000, 5200] };
  assert.equal(timeOfRow(clock, 15), 3000.5);
  assert.equal(rowOfTime(clock, 3000.5), 15);
  assert.equal(timeOfRow(clock, 1000), 5200);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 100, noNaN: true }), (row) => {
      for (const scale of [rowScale({ from: 0, to: 100 }, 640), clockScale({ from: 0, to: 100 }, 640, clock)])
        assert.ok(Math.abs(scale.row(scale.x(row)) - row) < 1e-6);
    }),
    { seed: 3, numRuns: 200 },
  );
});

test('scales have round numbers', () => {
  assert.deepEqual(ticks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks(1234, 5678, 4), [2000, 4000]);
  assert.deepEqual(
    byteTicks(10 * 2 ** 20, 5),
    [0, 2, 4, 6, 8, 10].map((mib) => mib * 2 ** 20),
  );
  assert.deepEqual(byteTicks(0, 5), [0]);
});
