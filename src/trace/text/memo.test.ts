/** A memo finds what was added and nothing else, also when hashes collide and when it has forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRunMemo, createRuns, EMPTY_HASH, hashed, type RunMemo, TO_BLANK, TO_CONTROL } from './memo.js';

const ROWS = 32;
const RUN_BYTES = 24;

interface Bench {
  readonly memo: RunMemo;
  /** Puts a run at some offset of the bytes. */
  put(run: Uint8Array): { from: number; length: number };
}

function bench(): Bench {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  let at = 0;
  return {
    memo: createRunMemo(bytes, view, ROWS, RUN_BYTES),
    put(run) {
      at = (at + 37) % 3000;
      // What stands behind a run must not matter.
      bytes.fill(at & 0xff, at, at + 64);
      bytes.set(run, at);
      return { from: at, length: run.length };
    },
  };
}

const run = fc.oneof(
  fc.uint8Array({ min: 1, minLength: 1, maxLength: RUN_BYTES + 3 }),
  // Few bytes, so that runs are alike; some are no number when read as a double.
  fc
    .array(fc.constantFrom(0x61, 0x62, 0xff, 0x7f, 0x80), { minLength: 1, maxLength: 12 })
    .map((list) => Uint8Array.from(list)),
);

test('against a plain Map, with bad hashes', () => {
  fc.assert(
    fc.property(fc.array(run, { maxLength: 80 }), fc.integer({ min: 1, max: 4 }), (list, hashes) => {
      const { memo, put } = bench();
      const model = new Map<string, number>();
      for (const each of list) {
        const { from, length } = put(each);
        const key = each.join();
        const hash = each.reduce((total, byte) => total + byte, 0) % hashes;
        const row = memo.find(from, length, hash);
        const expected = model.get(key);
        // What is no number when read as a double is not found again.
        const isOdd = each.includes(0xff) || each.includes(0x7f);
        if (row >= 0 || (expected !== undefined && !isOdd)) {
          assert.equal(row, expected);
          assert.equal(memo.begins(row, from), length);
          continue;
        }
        const added = memo.add(from, length, hash);
        assert.equal(added >= 0, length <= RUN_BYTES);
        // Row 0 is the first of a memo that has forgotten everything.
        if (added === 0) model.clear();
        if (added >= 0) model.set(key, added);
        assert.ok(model.size <= ROWS);
      }
    }),
  );
});

test('a run is found by all of its bytes', () => {
  const { memo, put } = bench();
  const text = Uint8Array.from({ length: 21 }, (_, i) => 40 + i);
  const { from, length } = put(text);
  const row = memo.add(from, length, 5);
  assert.equal(memo.find(put(text).from, 21, 5), row);
  for (let i = 0; i < 21; i++) {
    const other = text.slice();
    other[i]! ^= 1;
    assert.equal(memo.find(put(other).from, 21, 5), -1, `byte ${i}`);
    assert.equal(memo.begins(row, put(other).from), 0);
  }
  assert.equal(memo.find(put(text).from, 20, 5), -1);
  assert.equal(memo.find(put(text).from, 21, 6), -1);
  assert.equal(memo.add(put(Uint8Array.from([65, 0, 66])).from, 3, 1), -1, 'a NUL byte');
  memo.clear();
  assert.equal(memo.find(put(text).from, 21, 5), -1);
});

test('a run ends where a blank or a control character stands, and its hash is of its bytes alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(7), (list, shift) => {
      const bytes = new Uint8Array(64);
      bytes.set(list, shift);
      const { endOf, endOfHashed, hash } = createRuns(new DataView(bytes.buffer));
      const firstBelow = (limit: number) => shift + bytes.subarray(shift).findIndex((byte) => byte < limit);
      assert.equal(endOf(shift), firstBelow(0x21));
      assert.equal(endOfHashed(shift, TO_CONTROL, EMPTY_HASH), firstBelow(0x20));
      assert.equal(endOfHashed(shift, TO_BLANK, EMPTY_HASH), firstBelow(0x21));
      const found = hash();
      const alone = new Uint8Array(64);
      alone.set(bytes.subarray(shift, firstBelow(0x21)));
      alone[firstBelow(0x21) - shift] = 10;
      const again = createRuns(new DataView(alone.buffer));
      again.endOfHashed(0, TO_BLANK, EMPTY_HASH);
      assert.equal(again.hash(), found);
    }),
  );
  assert.notEqual(hashed(EMPTY_HASH, 1), hashed(EMPTY_HASH, 2));
});
