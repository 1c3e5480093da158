/**
 * SLAB at run time against recorded kernels: sequences of allocations and frees, with several colours too, and the zones that slabs
 * come from with both allocators. See README.md. Creation, merging and kmalloc: slab-create.test.ts.
 */
import { type Change, type Path, plusOne, testPlanted, testSet } from './sets.js';

/** How many cases each recording holds, so that a reader that skips some is noticed. */
const SETS: readonly (readonly [name: string, cases: readonly number[]])[] = [
  ['seq-slab-public', [66, 16]],
  ['seq-slab-colour-public', [21, 16]],
  ['slab-zones', [8 + 8 * 11]],
];

for (const [name, cases] of SETS) testSet(name, cases);

const reversed: Change = (value) => (value as unknown[]).toReversed();

const PLANTED: readonly (readonly [name: string, path: Path, change: Change])[] = [
  ['seq-slab-public', ['sequences', 3, 'idx', 17], plusOne],
  ['seq-slab-public', ['sequences', 20, 'ord', 900], plusOne],
  ['seq-slab-public', ['sequences', 40, 'slabs', 1, 0], plusOne],
  ['seq-slab-public', ['sequences', 40, 'slabs', 1, 1], plusOne],
  ['seq-slab-public', ['sequences', 2, 'slabs', 100, 2], () => 'DMA32'],
  ['seq-slab-public', ['sequences', 7, 'cache', 'freelist_size'], plusOne],
  ['seq-slab-public', ['sequences', 16, 'cp', 1, 'live'], plusOne],
  ['seq-slab-public', ['sequences', 22, 'cp', 2, 'state', 'cpu', 3, 'e'], reversed],
  ['seq-slab-public', ['sequences', 22, 'cp', 2, 'state', 'shared', 'avail'], plusOne],
  ['seq-slab-public', ['sequences', 22, 'cp', 2, 'state', 'slabs_full', 0, 1], plusOne],
  ['seq-slab-public', ['sequences', 20, 'cp', 5, 'state', 'slabs_partial'], reversed],
  ['seq-slab-public', ['sequences', 8, 'cp', 3, 'state', 'free_objects'], plusOne],
  ['seq-slab-public', ['sequences', 30, 'shrink_ret'], plusOne],
  ['seq-slab-colour-public', ['sequences', 13, 'slabs', 5, 3], (colour) => Number(colour) + 64],
  ['seq-slab-colour-public', ['sequences', 3, 'cp', 0, 'state', 'colour_next'], plusOne],
  ['seq-slab-colour-public', ['sequences', 9, 'cp', 0, 'state', 'free_limit'], plusOne],
  ['slab-zones', ['machines', 'slab-6G', 'cases', 2, 'zones', 'DMA32', 'slabs'], plusOne],
  [
    'slab-zones',
    ['machines', 'slub-2G', 'cases', 4, 'zones'],
    () => ({ DMA32: { objects: 2000, slabs: 65 } }),
  ],
  ['slab-zones', ['machines', 'slab-4G', 'cases', 0, 'objs_per_slab'], plusOne],
  ['slab-zones', ['machines', 'slab-2G', 'cases', 8, 'max_phys_below_4g'], () => false],
  // Where a zone ran dry only what is far off can be told.
  [
    'slab-zones',
    ['machines', 'slab-2G', 'cases', 10, 'zones', 'DMA', 'slabs'],
    (slabs) => Number(slabs) - 300,
  ],
  [
    'slab-zones',
    ['machines', 'slub-6G', 'cases', 9, 'zones', 'DMA32', 'objects'],
    (count) => Number(count) + 60,
  ],
  ['slab-zones', ['machines', 'slab-512M', 'zones', 1, 'wmark', 0], (mark) => Number(mark) * 2],
];

for (const [name, path, change] of PLANTED) testPlanted({ name, path, change });
