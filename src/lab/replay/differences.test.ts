import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheDifferences, formatChange } from './differences.js';
import type { CacheResult } from './result.js';

const caches = (peaks: Readonly<Record<string, number>>, ...more: readonly [string, number][]) => ({
  caches: [...Object.entries(peaks), ...more].map(
    ([name, peakBytes]) => ({ name, peakBytes }) as CacheResult,
  ),
});

test('caches differ by their peaks, those that differ most from the first result first; caches of one name count together', () => {
  const base = caches({ dentry: 100, filp: 80, same: 5, gone: 7 });
  const more = caches({ dentry: 130, filp: 80, same: 5 }, ['new', 20], ['new', 30]);
  const less = caches({ dentry: 90, filp: 10, same: 5, gone: 7 });
  assert.deepEqual(cacheDifferences([base, more, less]), [
    { name: 'filp', peaks: [80, 80, 10], by: 70 },
    { name: 'new', peaks: [0, 50, 0], by: 50 },
    { name: 'dentry', peaks: [100, 130, 90], by: 30 },
    { name: 'gone', peaks: [7, 0, 7], by: 7 },
  ]);
  assert.deepEqual(cacheDifferences([base, base]), []);
});

test('a change is a share of what was before, and little is never rounded to nothing', () => {
  assert.equal(formatChange(200, 200), '=');
  assert.equal(formatChange(0, 5), 'new');
  assert.equal(formatChange(200, 225), '+12.5 %');
  assert.equal(formatChange(200, 50), '-75.0 %');
  assert.equal(formatChange(1e9, 1e9 + 1), '+0.01 %');
});
