/**
 * SLAB's creations, merges and kmalloc held against the public recordings of 6.1. What its arrays and lists do is in slab.test.ts; the caches of
 * a booted machine are in src/lab/verify/standing.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyRecording } from '#lab';
import { type Change, type Path, plusOne, recording, type Tree, testPlanted, testSet } from './sets.js';

/** How many cases each recording holds, so that a reader that skips some is noticed. */
const SETS: readonly (readonly [name: string, cases: readonly number[]])[] = [
  ['create-slab-default-public', [4097]],
  ['create-slab-nomerge-public', [4097]],
  ['create-slab-params-public', [1200]],
  ['merge-slab-public', [748]],
  ['kmalloc-slab', [702, 44, 52]],
];

for (const [name, cases] of SETS) testSet(name, cases);

test('of kmalloc-slab it is said what was compared, and what no machine determines', () => {
  const { note = '' } = verifyRecording(recording('kmalloc-slab'), 'kmalloc-slab').at(-1)!;
  assert.match(note, /^compared 24 lines of 21 logs, 0 bytes of dumps/);
  assert.match(note, /; 324 bytes of objects \(892 are the machine's own or nobody's\)$/);
});

/** The place of the first case that is so. */
function firstCase(name: string, list: string, is: (each: Tree & { out: Tree }) => boolean): number {
  const index = (recording(name)[list] as (Tree & { out: Tree })[]).findIndex(is);
  assert.ok(index >= 0);
  return index;
}

function misuse(boot: string, word: string): number {
  return firstCase(
    'kmalloc-slab',
    'misuse',
    (each) => each.boot === boot && String(each.case).startsWith(word),
  );
}

const DEFAULT = 'create-slab-default-public';
const offSlab = firstCase(DEFAULT, 'cases', ({ out }) => out.off_slab === 1);
const coloured = firstCase(DEFAULT, 'cases', ({ out }) => Number(out.colour) > 3);
const merged = firstCase(DEFAULT, 'cases', ({ out }) => out.merged_with !== undefined);
const refused = firstCase(DEFAULT, 'cases', ({ out }) => out.null === true);

const PLANTED: readonly (readonly [what: string, name: string, set: number, path: Path, change: Change])[] = [
  ['a place of the list', DEFAULT, 0, ['cases', offSlab, 'out', 'off_slab'], () => 0],
  ['a flag', DEFAULT, 0, ['cases', offSlab, 'out', 'flags'], () => '0'],
  ['a colour', DEFAULT, 0, ['cases', coloured, 'out', 'colour'], plusOne],
  ['a limit for free objects', DEFAULT, 0, ['cases', 3, 'out', 'free_limit'], plusOne],
  ['a merge', DEFAULT, 0, ['cases', merged, 'out', 'merged_with'], () => 'dentry'],
  ['a refusal', DEFAULT, 0, ['cases', refused, 'out', 'null'], () => false],
  ['a batch', 'create-slab-nomerge-public', 0, ['cases', 40, 'out', 'batchcount'], plusOne],
  [
    'an order',
    'create-slab-params-public',
    0,
    ['settings', 'max_order3', 'cases', 9, 'out', 'gfporder'],
    plusOne,
  ],
  [
    'a shared array',
    'create-slab-params-public',
    0,
    ['settings', 'smp1', 'cases', 9, 'out', 'shared'],
    () => 8,
  ],
  ['a count of users', 'merge-slab-public', 0, ['scenarios', 0, 'destroys', 0, 'refs_before'], plusOne],
  ['a size that grew', 'merge-slab-public', 0, ['scenarios', 0, 'creates', 1, 'out', 'object_size'], plusOne],
  ['a cache of kmalloc', 'kmalloc-slab', 0, ['ranges', 'GFP_KERNEL', 2, 2], () => 'kmalloc-96'],
  ['its usable size', 'kmalloc-slab', 0, ['ranges', 'GFP_KERNEL', 3, 3], () => 128],
  ['its alignment', 'kmalloc-slab', 1, ['kmalloc_caches', 7, 'align'], plusOne],
  ['its count of users', 'kmalloc-slab', 1, ['kmalloc_caches', 43, 'refcount'], () => -1],
  [
    'an answer',
    'kmalloc-slab',
    2,
    ['misuse', misuse('default', 'double_free'), 'answer', 'next_equal'],
    () => 0,
  ],
  [
    'a survival',
    'kmalloc-slab',
    2,
    ['misuse', misuse('default', 'create mis_zero 0 0 0x2000'), 'survived'],
    () => true,
  ],
  [
    'a byte that was freed',
    'kmalloc-slab',
    2,
    ['misuse', misuse('default', 'fresh_bytes'), 'answer', 'freed_left'],
    (hex) => String(hex).replace(/^41/, '42'),
  ],
  [
    'a zone',
    'kmalloc-slab',
    2,
    ['misuse', misuse('nomerge', 'alloc_dma32_plain'), 'answer', 'zone_DMA32'],
    () => 63,
  ],
  [
    'a log',
    'kmalloc-slab',
    2,
    ['misuse', misuse('nomerge', 'alloc_movable'), 'log'],
    (log) => (log as string[]).map((line) => line.replace('0x100cc8', '0x100cc9')),
  ],
];

for (const [what, name, set, path, change] of PLANTED) testPlanted({ what, name, set, path, change });
