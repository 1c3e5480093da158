import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from './random.js';

function first(seed: number, count: number): number[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.next());
}

test('a seed gives one sequence, another seed another', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (a, b) => {
      assert.deepEqual(first(a, 20), first(a, 20));
      if (a !== b) assert.notDeepEqual(first(a, 4), first(b, 4));
    }),
  );
  // Seed 0 would be a generator that stands still.
  assert.equal(new Set(first(0, 100)).size, 100);
});

test('numbers are whole, of 32 bits, and below the limit that was asked for', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, limit) => {
      const random = new Random(seed);
      for (let i = 0; i < 50; i++) {
        const wide = random.next();
        const narrow = random.below(limit);
        assert.ok(Number.isInteger(wide) && wide >= 0 && wide < 2 ** 32);
        assert.ok(Number.isInteger(narrow) && narrow >= 0 && narrow < limit);
      }
    }),
  );
});

test('numbers fall evenly', () => {
  const counts = new Array<number>(10).fill(0);
  const random = new Random(2018);
  for (let i = 0; i < 10_000; i++) counts[random.below(10)]!++;
  for (const count of counts) assert.ok(count > 850 && count < 1150, counts.join());
});
