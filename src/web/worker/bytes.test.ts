import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemorySpool } from './bytes.js';

test('what was written into memory is read anywhere, across the borders of its pieces', () => {
  const all = Uint8Array.from({ length: 10_000_000 }, (_, i) => (i * 2654435761) >>> 24);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 3_000_000 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(10_000_000), fc.nat(5_000_000)), { maxLength: 10 }),
      (lengths, reads) => {
        const spool = new MemorySpool();
        let size = 0;
        for (const length of lengths) {
          const end = Math.min(size + length, all.length);
          spool.write(all.subarray(size, end));
          size = end;
        }
        const bytes = spool.bytes();
        assert.equal(bytes.size, size);
        for (const [offset, length] of reads) {
          const expected = all.subarray(Math.min(offset, size), Math.min(offset + length, size));
          assert.ok(
            Buffer.from(expected).equals(bytes.read(offset, length)),
            `${length} bytes at ${offset} of ${size}`,
          );
        }
      },
    ),
    { seed: 2, numRuns: 12 },
  );
});
