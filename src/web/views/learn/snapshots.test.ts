import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { restoreSnapshot, takeSnapshot } from './snapshots.js';

test('a snapshot is the buffer as it was, and shares what did not change with the one before', () => {
  const words = new Int32Array(3 * 1024 + 5);
  words.fill(7);
  const first = takeSnapshot(words.buffer);
  words[2048] = 8;
  const second = takeSnapshot(words.buffer, first);
  words.fill(0);
  assert.equal(second.pages[0], first.pages[0]);
  assert.notEqual(second.pages[2], first.pages[2]);
  assert.deepEqual([...new Int32Array(restoreSnapshot(first))], new Array(3 * 1024 + 5).fill(7));
  assert.equal(new Int32Array(restoreSnapshot(second))[2048], 8);
});

test('whatever is written between them, each snapshot gives back its own bytes', () => {
  const write = fc.record({ at: fc.nat(4999), value: fc.integer() });
  const property = fc.property(fc.array(fc.array(write, { maxLength: 5 }), { maxLength: 8 }), (rounds) => {
    const words = new Int32Array(5000);
    let last = takeSnapshot(words.buffer);
    const taken = rounds.map((writes) => {
      for (const { at, value } of writes) words[at] = value;
      last = takeSnapshot(words.buffer, last);
      return { model: words.slice(), snapshot: last };
    });
    for (const { model, snapshot } of taken)
      assert.deepEqual(new Int32Array(restoreSnapshot(snapshot)), model);
  });
  fc.assert(property, { seed: 2, numRuns: 50 });
});
