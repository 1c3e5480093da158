/**
 * The engine against every public recording that it understands. Longer words about them: README.md beside this file.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyRecording } from '#lab';
import { type Change, doctored, type Path, plusOne, testPlanted, testSet } from './sets.js';

/** How many cases each recording holds, so that a reader that skips some is noticed. */
const SETS: readonly (readonly [name: string, cases: readonly number[]])[] = [
  ['create-slub-default-public', [4097]],
  ['create-slub-nomerge-public', [4097]],
  ['create-slub-debug-public', [4097]],
  ['create-slub-params-public', [2600]],
  ['merge-slub-public', [748]],
  ['merge-slub-debugF-public', [748]],
  ['seq-slub-public', [66, 16]],
  ['seq-slub-debug-public', [33, 16]],
  ['sysfs-slub', [126]],
  ['genalloc-public', [110]],
  ['page_frag-public', [104]],
  ['6.12/create-slub-default-public', [4097]],
  ['6.12/create-slub-default-usercopy-public', [4097]],
  ['6.12/create-slub-nomerge-public', [4097]],
  ['6.12/create-slub-nomerge-usercopy-public', [4097]],
  ['6.12/create-slub-debug-public', [4097]],
  ['6.12/create-slub-params-public', [3400]],
  ['6.12/create-slub-new612', [195, 720]],
  ['6.12/merge-slub-public', [748]],
  ['6.12/merge-slub-usercopy-public', [748]],
  ['6.12/merge-slub-debugF-public', [748]],
  ['6.12/merge-slub-debugF-usercopy-public', [748]],
  ['6.12/seq-slub-public', [66, 16]],
  ['6.12/seq-slub-debug-public', [33, 16]],
  ['6.12/seq-slub-tuned-6.1', [84]],
  ['6.12/seq-slub-tuned-6.12', [84]],
  ['6.12/sysfs-slub', [126]],
  ['6.12/sysfs-slub-usercopy', [126]],
  ['6.12/computed/order-ranges', [12]],
  ['7.3/create-slub-default-public', [4097]],
  ['7.3/create-slub-default-debian-public', [4097]],
  ['7.3/create-slub-nomerge-public', [4097]],
  ['7.3/create-slub-debug-public', [4097]],
  ['7.3/create-slub-params-public', [3400]],
  ['7.3/create-slub-new73', [195, 2669]],
  ['7.3/merge-slub-public', [748]],
  ['7.3/merge-slub-debugF-public', [748]],
  ['7.3/seq-slub-public', [66, 16]],
  ['7.3/seq-slub-debug-public', [33, 16]],
  ['7.3/seq-slub-kmalloc-public', [74]],
  ['7.3/seq-slub-sheaves-public', [121]],
  ['7.3/seq-slub-sheaves-debian-public', [26]],
  ['7.3/seq-slub-stats-public', [68]],
  ['7.3/sysfs-slub', [126]],
  ['7.3/sysfs-slub-debian', [4]],
];

for (const [name, cases] of SETS) testSet(name, cases);

const PLANTED: readonly (readonly [name: string, path: Path, change: Change])[] = [
  ['create-slub-default-public', ['cases', 4, 'out', 'offset'], plusOne],
  ['create-slub-default-public', ['cases', 8, 'out', 'merged_with'], () => 'dentry'],
  ['create-slub-params-public', ['settings', 'max_order0', 'cases', 7, 'out', 'cpu_partial_slabs'], plusOne],
  ['merge-slub-public', ['scenarios', 0, 'destroys', 0, 'left', 'refcount'], plusOne],
  ['seq-slub-public', ['sequences', 3, 'idx', 17], plusOne],
  ['seq-slub-public', ['sequences', 40, 'slabs', 1, 1], plusOne],
  ['seq-slub-public', ['sequences', 1, 'cp', 0, 'state', 'cpu', 0, 'free'], plusOne],
  ['seq-slub-debug-public', ['sequences', 2, 'cp', 1, 'sysfs', 'partial'], () => '77'],
  ['sysfs-slub', ['settings', 'default', 'modes', 'order'], () => '-rw-------'],
  ['sysfs-slub', ['settings', 'debug', 'writes', 7, 'ret'], plusOne],
  ['sysfs-slub', ['settings', 'default', 'directory', 70], () => 'PING -> :A-0000968'],
  ['6.12/sysfs-slub', ['settings', 'nomerge', 'cache_after', 'min_partial'], plusOne],
  ['6.12/seq-slub-tuned-6.12', ['sequences', 70, 'idx', 200], plusOne],
  ['6.12/create-slub-new612', ['cases', 30, 'out', 'flags'], () => '20001'],
  ['6.12/computed/order-ranges', ['settings', 'max_order5', 0, 1], plusOne],
  ['7.3/create-slub-default-public', ['cases', 4, 'out', 'sheaf_capacity'], plusOne],
  ['7.3/create-slub-default-debian-public', ['cases', 9, 'out', 'flags'], () => '284000'],
  ['7.3/create-slub-params-public', ['settings', 'new_debugO', 'cases', 7, 'out', 'offset'], plusOne],
  ['7.3/create-slub-new73', ['cases', 30, 'out', 'flags'], () => '44001'],
  ['7.3/create-slub-new73', ['cases', 0, 'out', 'sysfs', 'cpu_partial'], () => '30\n'],
  ['7.3/merge-slub-public', ['scenarios', 0, 'destroys', 0, 'left', 'refcount'], plusOne],
  ['7.3/seq-slub-public', ['sequences', 3, 'idx', 17], plusOne],
  ['7.3/seq-slub-sheaves-public', ['sequences', 2, 'cp', 0, 'state', 'cpu', 0, 'main', 0, 1], plusOne],
  ['7.3/seq-slub-sheaves-public', ['sequences', 2, 'cp', 0, 'state', 'barn', 'nr_full'], plusOne],
  ['7.3/seq-slub-stats-public', ['sequences', 0, 'cp', 0, 'sysfs', 'barn_get_fail'], () => '77 C0=77'],
  ['7.3/seq-slub-debug-public', ['sequences', 0, 'cp', 0, 'state', 'node_full', 0], plusOne],
  ['7.3/sysfs-slub', ['settings', 'default', 'modes', 'sheaf_capacity'], () => '-rw-------'],
  ['7.3/sysfs-slub', ['settings', 'nomerge', 'writes', 7, 'ret'], plusOne],
  ['7.3/sysfs-slub-debian', ['texts', 'sheaf_capacity'], () => '28\n'],
];

for (const [name, path, change] of PLANTED) testPlanted({ name, path, change });

test('what is no recording, or none that is understood, is an error and never a pass', () => {
  for (const wrong of [
    null,
    7,
    'x',
    {},
    [],
    { cases: [] },
    doctored('seq-slab-public', ['allocator'], () => 'SLOB'),
  ]) {
    assert.throws(() => verifyRecording(wrong, 'wrong'));
  }
  assert.throws(
    () =>
      verifyRecording(
        doctored('genalloc-public', ['pools'], () => []),
        'empty',
      ),
    /no cases/,
  );
  assert.throws(
    () =>
      verifyRecording(
        doctored('seq-slub-public', ['kernel'], () => '5.4.1'),
        'other',
      ),
    /5\.4\.1/,
  );
});
