import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { gunzipMembers, InflateError, inflateZlib } from './inflate.js';

/** Bytes that repeat themselves here and there, as packed data should. */
const texts = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(60)), { maxLength: 40 })
  .map((parts) =>
    Buffer.concat(parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))),
  );

test('what zlib packs comes out again, at every level and strategy', () => {
  fc.assert(
    fc.property(
      texts,
      fc.constantFrom(0, 1, 6, 9),
      fc.constantFrom(...STRATEGIES),
      (bytes, level, strategy) => {
        assert.deepEqual(Buffer.from(inflateZlib(deflateSync(bytes, { level, strategy }))), bytes);
      },
    ),
    { seed: 7, numRuns: 150 },
  );
});

const STRATEGIES = [
  constants.Z_DEFAULT_STRATEGY,
  constants.Z_FIXED,
  constants.Z_HUFFMAN_ONLY,
  constants.Z_RLE,
];

test('several gzip members are one file, with zeros behind them', () => {
  fc.assert(
    fc.property(fc.array(texts, { minLength: 1, maxLength: 4 }), fc.nat(20), (members, zeros) => {
      const packed = Buffer.concat([...members.map((each) => gzipSync(each)), Buffer.alloc(zeros)]);
      assert.deepEqual(Buffer.concat([...gunzipMembers(packed)]), Buffer.concat(members));
    }),
    { seed: 7, numRuns: 50 },
  );
});

test('data that is cut off says so, and data that is damaged is refused or comes out otherwise', () => {
  const bytes = Buffer.from('the quick brown fox jumps over the lazy dog, '.repeat(50));
  const packed = deflateSync(bytes);
  for (let length = 2; length < packed.length; length++) {
    const cut = () => inflateZlib(packed.subarray(0, length));
    assert.throws(cut, (error) => error instanceof InflateError && error.endsTooEarly, `${length}`);
  }
  for (let at = 0; at < packed.length; at++) {
    const damaged = Buffer.from(packed);
    damaged[at]! ^= 0x41;
    assert.throws(() => inflateZlib(damaged), InflateError, `${at}`);
  }
});
