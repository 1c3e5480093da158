import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CacheResult } from '../../../lab/index.js';
import { cacheRows, shapesText, shapeText } from './cache-rows.js';

const cache = (name: string, peakBytes: number, bytes: number, size = 64): CacheResult => ({
  name,
  names: [name],
  isCertain: true,
  how: 'frees',
  why: 'from its frees, 1 of 1',
  size,
  objectsPerSlab: 4096 / size,
  order: 0,
  slabs: bytes / 4096,
  peakSlabs: peakBytes / 4096,
  bytes,
  peakBytes,
  live: 1,
  objects: 64,
  fullness: { empty: 0, quarter: 0, half: 0, threeQuarters: 0, most: 0, full: 0 },
  recoverable: 0,
  emptyBytes: 0,
  allocs: 1,
  frees: 0,
  allocsPerSecond: 0,
  slabsMade: 1,
  orderFallbacks: 0,
  failed: 0,
});

test('caches stand beside each other by name, those whose peaks differ most first, and those of one name are one', () => {
  const a = { caches: [cache('dentry', 40960, 8192), cache('filp', 8192, 8192), cache('same', 4096, 4096)] };
  const b = {
    caches: [
      cache('dentry', 49152, 8192, 128),
      cache('filp', 8192, 4096),
      cache('same', 4096, 4096),
      cache('new', 4096, 0),
      cache('new', 8192, 4096),
    ],
  };
  const rows = cacheRows(a, b);
  assert.deepEqual(
    rows.map(({ name, byPeak, byEnd, differs }) => [name, byPeak, byEnd, differs]),
    [
      ['new', 12288, 4096, true],
      ['dentry', 8192, 0, true],
      ['filp', 0, -4096, true],
      ['same', 0, 0, false],
    ],
  );
  assert.deepEqual(
    [shapeText(rows[0]!.a), shapeText(rows[1]!.a), shapeText(rows[1]!.b)],
    ['–', '64 × 64/2^0', '128 × 32/2^0'],
  );
});

test('two shapes are one where they are the same, and what is the same of both is told once', () => {
  const of = (size: number, objects: number, order: number) => ({
    peak: 0,
    end: 0,
    live: 0,
    recoverable: 0,
    shape: { size, objects, order },
  });
  assert.equal(shapesText(of(192, 21, 0), of(192, 21, 0)), '192 × 21/2^0');
  assert.equal(shapesText(of(712, 23, 2), of(712, 5, 0)), '712 × 23/2^2 → 5/2^0');
  assert.equal(shapesText(of(192, 21, 0), of(200, 20, 0)), '192 × 21/2^0 → 200 × 20/2^0');
  assert.equal(shapesText({ ...of(8, 1, 0), shape: undefined }, of(8, 512, 0)), '– → 8 × 512/2^0');
});
