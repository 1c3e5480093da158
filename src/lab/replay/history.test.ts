import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { evenRuns } from './history.js';

test('holes are as many as were asked for, each place is one once, and all are there', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.nat(250), fc.integer({ min: 1, max: 300 }), (full, holes, stretches) => {
      let end = 0;
      let count = 0;
      for (const [from, to] of evenRuns(full, holes, stretches)) {
        assert.ok(from >= end && to > from && to <= full, `${from} to ${to} behind ${end}, of ${full}`);
        count += to - from;
        end = to;
      }
      assert.equal(count, Math.min(full, holes));
    }),
  );
});

test('runs that are longer than their stretches do not overlap', () => {
  assert.deepEqual(
    [...evenRuns(5, 5, 3)],
    [
      [0, 2],
      [2, 3],
      [3, 5],
    ],
  );
});
