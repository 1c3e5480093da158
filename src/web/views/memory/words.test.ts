import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FrameCells, HOLDER, HOLDER_SHIFT } from '../../../lab/index.js';
import { byWords, cellWords, frameWords, objectWords, pagesWords, rankWords } from './words.js';

const cells = (code: number, share: number, free: number, use: number): FrameCells => ({
  from: 100,
  to: 120,
  framesPerCell: 10,
  holder: Uint32Array.of(0, code),
  share: Float32Array.of(1, share),
  free: Float32Array.of(0, free),
  used: Float32Array.of(0, 1 - free),
  use: Float32Array.of(0, use),
  caches: new Map([[7, 'dentry']]),
});
const BY = {
  row: 3,
  time: 1e9,
  age: 2.5e6,
  cpu: 0,
  pid: 12,
  comm: 'find',
  site: '__d_alloc+0x2a',
  bytes: 192,
};

test('a cell says who has most of it, what is free, and how full its slabs are', () => {
  const slab = (HOLDER.SLAB << HOLDER_SHIFT) | 7;
  assert.deepEqual(cellWords(cells(slab, 0.5, 0.25, 0.75), 115), [
    '50.0 % dentry',
    '25.0 % free',
    '75.0 % of its slabs live',
  ]);
  assert.deepEqual(cellWords(cells((HOLDER.FREE << HOLDER_SHIFT) | 3, 1, 1, 0), 110), ['free']);
  assert.deepEqual(cellWords(cells(HOLDER.PAGES << HOLDER_SHIFT, 1, 0, 0), 119), ['pages that are no slab']);
  assert.deepEqual(cellWords(cells(slab, 1, 0, 1), 120), [], 'behind the last cell there is none');
});

test('frames, objects and who allocated them are told in words', () => {
  assert.equal(pagesWords(1), '1 page');
  assert.equal(pagesWords(4096), '4,096 pages');
  const frame = { frame: 9, pfn: 9, address: 0x9000, zone: 'DMA', first: 8, order: 1, cache: null, by: null };
  assert.equal(
    frameWords({ ...frame, what: 'free' }, 4096),
    'Free: a block of 2 pages (order 1, 8 KiB), page 1 of it.',
  );
  assert.match(frameWords({ ...frame, what: 'none' }, 4096), /^No memory/);
  assert.equal(byWords(BY), '__d_alloc+0x2a (find, 12), 2.5 ms ago');
  assert.equal(byWords({ ...BY, site: '' }), 'find, 12, 2.5 ms ago');
  const object = { index: 2, address: 0x1000, place: null, by: null };
  assert.deepEqual(objectWords({ ...object, state: 'live', by: BY }, 'dentry'), [
    'dentry object 2 · 0x1000',
    'live',
    '__d_alloc+0x2a (find, 12), 2.5 ms ago',
  ]);
  assert.equal(objectWords({ ...object, state: 'free', place: 0 }, 'x')[1], 'free, next on its list');
  assert.equal(objectWords({ ...object, state: 'free', place: 4 }, 'x')[1], 'free, 5th on its list');
  const ranks = [0, 1, 2, 3, 10, 11, 12, 20, 21, 100, 110].map(rankWords);
  assert.equal(ranks.join(' '), 'next 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th');
  assert.match(objectWords({ ...object, state: 'cached' }, 'x')[1]!, /sheaf/);
});
