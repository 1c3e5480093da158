import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPointerTable, NONE } from './pointer-table.js';

type Step = readonly [what: 'get' | 'put' | 'take', low: number, high: number, value: number];

const key = (low: number, high: number) => `${high >>> 0}:${low >>> 0}`;

/** Few pointers, so that they meet again: neighbours as slabs have them, hashes, and halves that are exchanged. */
const half = fc.oneof(
  fc.nat(40).map((n) => n * 192),
  fc.nat(15).map((n) => n * 4096),
  fc.constantFrom(0, 1, 0xffff8881, 0xffffffff, 0x80000000, 0x7fffffff),
);
const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('get' as const, 'put' as const, 'put' as const, 'take' as const),
  half,
  fc.oneof(fc.constant(0xffff8881), half),
  fc.nat(0x7ffffffe),
);

/** Does a step on both and compares what they say. */
function both(
  table: ReturnType<typeof createPointerTable>,
  model: Map<string, number>,
  [what, low, high, value]: Step,
) {
  const had = model.get(key(low, high)) ?? NONE;
  if (what === 'get') assert.equal(table.get(low, high), had);
  else if (what === 'put') {
    assert.equal(table.put(low, high, value), had);
    model.set(key(low, high), value);
  } else {
    assert.equal(table.take(low, high), had);
    model.delete(key(low, high));
  }
  assert.equal(table.size, model.size);
}

function contents(table: ReturnType<typeof createPointerTable>): Map<string, number> {
  const found = new Map<string, number>();
  table.each((low, high, value) => {
    assert.ok(!found.has(key(low, high)), 'each pointer is there once');
    found.set(key(low, high), value);
  });
  return found;
}

test('a pointer table does what a Map does, step by step', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.constantFrom(1, 4, 64), (steps, room) => {
      const table = createPointerTable(room);
      const model = new Map<string, number>();
      for (const each of steps) both(table, model, each);
      assert.deepEqual(new Map([...contents(table)].sort()), new Map([...model].sort()));
    }),
    { numRuns: 300 },
  );
});

test('entries that share a home move up when one in front of them goes, also around the end of the table', () => {
  // 16 entries take 4 pointers before they are 32: four of one home fill a run that may begin at the last entry.
  const homeOf = (low: number) => (Math.imul(low, 0x9e3779b1) >>> 28) & 15;
  for (let home = 0; home < 16; home++) {
    const same = Array.from({ length: 4096 }, (_, low) => low)
      .filter((low) => homeOf(low) === home)
      .slice(0, 4);
    for (let gone = 0; gone < 4; gone++) {
      const table = createPointerTable(1);
      for (const [value, low] of same.entries()) assert.equal(table.put(low, 0, value), NONE);
      assert.equal(table.take(same[gone]!, 0), gone);
      assert.equal(table.take(same[gone]!, 0), NONE);
      for (const [value, low] of same.entries())
        assert.equal(table.get(low, 0), value === gone ? NONE : value);
    }
  }
});

test('it grows with what is live, and many that come and go leave nothing behind', () => {
  const table = createPointerTable();
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 50_000; i++) table.put(i * 64, 0xffff8880 + (i & 3), i);
    assert.equal(table.size, 50_000);
    for (let i = 49_999; i >= 0; i--) assert.equal(table.take(i * 64, 0xffff8880 + (i & 3)), i);
    assert.equal(table.size, 0);
    assert.equal(contents(table).size, 0);
  }
});
