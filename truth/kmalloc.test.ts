/**
 * kmalloc, misuse and what the kernel printed about it, held against the public recordings of 6.1 and 6.12.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyRecording } from '#lab';
import { type Change, doctored, type Path, recording, testPlanted, testSet } from './sets.js';

/** Cases by set, and how many lines of how many logs there are to compare. */
const SETS: readonly (readonly [name: string, cases: readonly number[], lines: number, logs: number])[] = [
  ['kmalloc-slub', [728, 52, 165], 642, 89],
  ['6.12/kmalloc-slub', [728, 52, 165], 910, 85],
  ['6.12/kmalloc-overrun-6.1', [120], 531, 24],
  ['6.12/kmalloc-overrun-6.12', [120], 1020, 48],
];

for (const [name, cases, lines, logs] of SETS) {
  testSet(name, cases, (results) => {
    assert.match(results.at(-1)!.note ?? '', new RegExp(`^compared ${lines} lines of ${logs} logs`));
  });
}

/** The misuse case of a boot, by its place. */
function place(name: string, boot: string, word: string): number {
  const cases = recording(name).misuse as readonly { boot: string; case: string }[];
  return cases.findIndex((each) => each.boot === boot && each.case === word);
}

const line =
  (from: RegExp, to: string) =>
  (log: unknown): unknown => {
    const lines = log as string[];
    assert.ok(
      lines.some((each) => from.test(each)),
      `${from} is in the log`,
    );
    return lines.map((each) => each.replace(from, to));
  };

const PLANTED: readonly (readonly [what: string, name: string, set: number, path: Path, change: Change])[] = [
  ['a cache', 'kmalloc-slub', 0, ['ranges', 'GFP_KERNEL', 4, 2], () => 'kmalloc-128'],
  ['a field', '6.12/kmalloc-slub', 1, ['kmalloc_caches', 7, 'align'], (value) => Number(value) * 2],
  [
    'an answer',
    'kmalloc-slub',
    2,
    ['misuse', place('kmalloc-slub', 'default', 'double_free'), 'answer', 'next_equal'],
    () => 0,
  ],
  [
    'a death',
    'kmalloc-slub',
    2,
    ['misuse', place('kmalloc-slub', 'F', 'double_free'), 'survived'],
    () => true,
  ],
  [
    'a byte of an object',
    'kmalloc-slub',
    2,
    ['misuse', place('kmalloc-slub', 'FZPU', 'fresh_bytes'), 'answer', 'alloc_left'],
    (value) => String(value).replace(/^cc/, 'cd'),
  ],
  [
    'a report',
    'kmalloc-slub',
    2,
    ['misuse', place('kmalloc-slub', 'FZPU', 'overrun'), 'log'],
    line(/Right Redzone overwritten/, 'Left Redzone overwritten'),
  ],
  [
    'a byte of a dump',
    'kmalloc-slub',
    2,
    ['misuse', place('kmalloc-slub', 'FZPU', 'uaf_write'), 'log'],
    line(/: 6b 6b 6b 6b 6b 5a /, ': 6b 6b 6b 6b 6b 5b '),
  ],
  [
    'a missing line',
    '6.12/kmalloc-slub',
    2,
    ['misuse', place('6.12/kmalloc-slub', 'F', 'misaligned'), 'log'],
    (log) => (log as string[]).filter((each) => !each.startsWith('FIX ')),
  ],
  [
    'a line out of order',
    '6.12/kmalloc-slub',
    2,
    ['misuse', place('6.12/kmalloc-slub', 'Z', 'destroy_busy'), 'log'],
    (log) => [...(log as string[])].reverse(),
  ],
  [
    'what a report of an overrun says',
    '6.12/kmalloc-overrun-6.12',
    0,
    ['cases', 82, 'log'],
    line(/0x5a instead/, '0x5b instead'),
  ],
];

for (const [what, name, set, path, change] of PLANTED) testPlanted({ what, name, set, path, change });

test('a misuse case that is not known is a disagreement, never passed over', () => {
  const results = verifyRecording(
    doctored('kmalloc-slub', ['misuse', 0, 'case'], () => 'unheard_of 1 2'),
    'x',
  );
  assert.equal(results[2]!.agreed, results[2]!.total - 1);
});
