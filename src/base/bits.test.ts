import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alignMask32, fls, isPowerOfTwo, log2Floor, orderOf, roundDown, roundUp } from './bits.js';

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const wholeNumber = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test('fls and log2Floor name the highest set bit', () => {
  assert.equal(fls(0), 0);
  assert.deepEqual([1, 2, 3, 4, 0x80000000, 0xffffffff].map(fls), [1, 2, 2, 3, 32, 32]);
  fc.assert(
    fc.property(u32, (x) => {
      assert.equal(fls(x), x === 0 ? 0 : x.toString(2).length);
      if (x > 0) assert.equal(log2Floor(x), x.toString(2).length - 1);
    }),
  );
});

test('isPowerOfTwo knows all of them up to 2^52 and nothing else', () => {
  const powers = new Set(Array.from({ length: 53 }, (_, bit) => 2 ** bit));
  for (const power of powers) assert.ok(isPowerOfTwo(power), String(power));
  for (const other of [0, -1, -8, 0.5, 3, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.ok(!isPowerOfTwo(other), String(other));
  }
  fc.assert(fc.property(wholeNumber, (x) => assert.equal(isPowerOfTwo(x), powers.has(x))));
});

test('roundUp and roundDown are exact below 2^53 for any unit', () => {
  const unit = fc.integer({ min: 1, max: 2 ** 48 });
  fc.assert(
    fc.property(wholeNumber, fc.oneof(unit, fc.integer({ min: 1, max: 100_000 })), (x, by) => {
      const down = BigInt(x) - (BigInt(x) % BigInt(by));
      const up = down === BigInt(x) ? down : down + BigInt(by);
      assert.equal(roundDown(x, by), Number(down));
      if (up < 2n ** 53n) assert.equal(roundUp(x, by), Number(up));
    }),
    { numRuns: 1000 },
  );
});

test('alignMask32 is ALIGN on unsigned int, also for alignments that are no power of two', () => {
  assert.equal(alignMask32(100, 8), 104);
  assert.equal(alignMask32(0xffffffff, 8), 0, 'wraps to 0');
  fc.assert(
    fc.property(u32, fc.oneof(u32, fc.integer({ min: 1, max: 4096 })), (x, a) => {
      const mask = BigInt.asUintN(32, ~BigInt.asUintN(32, BigInt(a) - 1n));
      assert.equal(BigInt(alignMask32(x, a)), BigInt.asUintN(32, BigInt(x) + BigInt(a) - 1n) & mask);
    }),
    { numRuns: 1000 },
  );
});

test('orderOf is the smallest order whose block holds the bytes', () => {
  assert.deepEqual(
    [0, 1, 4096, 4097, 8192, 8193].map((n) => orderOf(n, 4096)),
    [0, 0, 0, 1, 1, 2],
  );
  fc.assert(
    fc.property(u32, fc.constantFrom(4096, 16384, 65536), (bytes, pageSize) => {
      const order = orderOf(bytes, pageSize);
      assert.ok(pageSize * 2 ** order >= bytes);
      assert.ok(order === 0 || pageSize * 2 ** (order - 1) < bytes);
    }),
  );
});
