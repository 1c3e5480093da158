import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { barWords, fullnessBars } from './histogram.js';

test('few objects have a bar each, empty and full ones included', () => {
  assert.deepEqual(fullnessBars([2, 0, 5, 1]), [
    { from: 0, to: 0, slabs: 2 },
    { from: 1, to: 1, slabs: 0 },
    { from: 2, to: 2, slabs: 5 },
    { from: 3, to: 3, slabs: 1 },
  ]);
  assert.deepEqual(
    fullnessBars([1, 3]).map((bar) => barWords(bar, 1)),
    ['no object live', 'full: 1 live'],
  );
});

test('many objects share bars, in order and each once; no slab is lost', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(9), { minLength: 2, maxLength: 600 }),
      fc.integer({ min: 3, max: 40 }),
      (counts, most) => {
        const bars = fullnessBars(counts, most);
        assert.ok(bars.length <= most);
        let next = 0;
        for (const { from, to } of bars) {
          assert.equal(from, next);
          assert.ok(to >= from);
          next = to + 1;
        }
        assert.equal(next, counts.length);
        const sum = (all: readonly number[]) => all.reduce((total, each) => total + each, 0);
        assert.equal(sum(bars.map(({ slabs }) => slabs)), sum(counts));
        assert.equal(bars[0]!.slabs, counts[0]);
        assert.equal(bars.at(-1)!.slabs, counts.at(-1));
      },
    ),
    { seed: 417, numRuns: 200 },
  );
});
