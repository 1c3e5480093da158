import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatGfp, GFP, GFP_KNOWN_BITS } from '../../machine/index.js';
import { readGfp } from './gfp-text.js';

test('what the kernel prints is read', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: GFP_KNOWN_BITS }), (bits) => {
      assert.deepEqual(readGfp(formatGfp(bits)), { bits, isNumber: false, unknown: [] });
    }),
  );
  assert.equal(readGfp('none').bits, 0);
  assert.equal(readGfp('GFP_NOWAIT|__GFP_IO|__GFP_FS').bits, GFP.NOWAIT | 0xc0);
  assert.equal(readGfp('GFP_KERNEL|0x80000000').bits, 0x80000cc0);
});

test('numbers are kept, names without a bit add none, unknown names are told', () => {
  assert.deepEqual(readGfp('0xcc0'), { bits: 0xcc0, isNumber: true, unknown: [] });
  assert.deepEqual(readGfp('3264'), { bits: 0xcc0, isNumber: true, unknown: [] });
  assert.deepEqual(readGfp('0'), { bits: 0, isNumber: false, unknown: [] });
  assert.deepEqual(readGfp('0xffffffff80000000'), { bits: 0x80000000, isNumber: true, unknown: [] });
  assert.deepEqual(readGfp('GFP_KERNEL|__GFP_NO_OBJ_EXT|__GFP_SKIP_KASAN').unknown, []);
  assert.deepEqual(readGfp('GFP_KERNEL|__GFP_NEW|').unknown, ['__GFP_NEW', '']);
  for (const text of ['5e999', '0x', '1.5', '0x12345678901234567', '9'.repeat(40), 'constructor', '-1']) {
    assert.deepEqual(readGfp(text), { bits: 0, isNumber: false, unknown: [text] });
  }
});
