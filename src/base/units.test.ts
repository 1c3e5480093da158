import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError } from './errors.js';
import {
  formatAddress,
  formatBytes,
  formatBytesAlike,
  formatCount,
  formatMiB,
  GIB,
  KIB,
  MIB,
  parseSize,
  TIB,
} from './units.js';

test('parseSize reads bytes with and without a unit', () => {
  const sizes: [string, number][] = [
    ['0', 0],
    ['4096', 4096],
    ['4096b', 4096],
    ['512K', 512 * KIB],
    ['1.5G', 1.5 * GIB],
    ['4GiB', 4 * GIB],
    ['4 gb', 4 * GIB],
    ['2t', 2 * TIB],
    ['0x40000000', GIB],
    ['0XFF', 255],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes, text);
});

test('parseSize refuses what is no whole number of bytes, and names it', () => {
  for (const text of [
    '',
    ' ',
    'K',
    '-1',
    '1e3',
    '4X',
    '1.5',
    '0x',
    '.5K',
    '1,5G',
    '4G-5G',
    '9007199254740993',
  ]) {
    assert.throws(
      () => parseSize(text),
      (error) => error instanceof ArgumentError && error.message.includes(`'${text}'`),
      text,
    );
  }
});

test('parseSize reads back what formatBytes writes of whole and quarter units', () => {
  const unit = fc.constantFrom<[string, number]>(['K', KIB], ['M', MIB], ['G', GIB], ['T', TIB]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1023 }), unit, (count, [letter, bytes]) => {
      assert.equal(parseSize(`${count}${letter}`), count * bytes);
      assert.equal(parseSize(formatBytes(count * bytes)), count * bytes);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 399 }), unit, (quarters, [, bytes]) => {
      assert.equal(parseSize(formatBytes((quarters * bytes) / 4)), (quarters * bytes) / 4);
    }),
  );
});

test('formatBytes takes the largest unit that leaves a number of at least 1', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1023 * TIB }), (bytes) => {
      const [number, unit] = formatBytes(bytes).split(' ') as [string, string];
      const size = { B: 1, KiB: KIB, MiB: MIB, GiB: GIB, TiB: TIB }[unit]!;
      assert.ok(
        bytes < 1024 ? unit === 'B' : bytes >= size && bytes < 1024 * size,
        `${bytes}: ${number} ${unit}`,
      );
      // Half of the last digit that is shown.
      const digits = number.split('.')[1]?.length ?? 0;
      assert.ok(
        Math.abs(Number(number) - bytes / size) <= 0.5 * 10 ** -digits + 1e-9,
        `${bytes}: ${number} ${unit}`,
      );
    }),
  );
});

test('formatBytes shows two decimals under 100, one under 1000, none above', () => {
  assert.equal(formatBytes(1.71 * MIB), '1.71 MiB');
  assert.equal(formatBytes(99.5 * KIB), '99.50 KiB');
  assert.equal(formatBytes(100.5 * KIB), '100.5 KiB');
  assert.equal(formatBytes(999.5 * KIB), '999.5 KiB');
  assert.equal(formatBytes(1023), '1023 B');
  assert.equal(formatBytes(1010.25 * KIB), '1010 KiB');
});

test('other formats', () => {
  assert.equal(formatMiB(1.5 * MIB), '1.50 MiB');
  assert.equal(formatMiB(4 * GIB), '4096.0 MiB');
  assert.equal(formatAddress(0x140000000), '0x140000000');
  assert.deepEqual([0, 999, 1000, 337378, 1234567].map(formatCount), [
    '0',
    '999',
    '1,000',
    '337,378',
    '1,234,567',
  ]);
});

test('sizes of one sentence are written alike', () => {
  assert.deepEqual(formatBytesAlike([8 * GIB - 2 * MIB, 5 * GIB]), ['8.00 GiB', '5.00 GiB']);
  assert.deepEqual(formatBytesAlike([4 * GIB, GIB]), ['4 GiB', '1 GiB']);
});
