/**
 * SLAB at run time against recorded kernels: sequences of allocations and frees, with several colours too, and the zones that slabs
 * come from with both allocators. See README.md. Creation, merging and kmalloc: slab-create.test.ts.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { verifyRecording } from '#lab';

const read = new Map<string, unknown>();

function recording(name: string): unknown {
  let parsed = read.get(name);
  if (parsed === undefined) {
    const file = readFileSync(new URL(`../../truth/${name}.json.gz`, import.meta.url));
    parsed = JSON.parse(gunzipSync(file).toString());
    read.set(name, parsed);
  }
  return parsed;
}

/** How many cases each recording holds, so that a reader that skips some is noticed. */
const SETS: readonly (readonly [name: string, cases: readonly number[]])[] = [
  ['seq-slab-public', [66, 16]],
  ['seq-slab-colour-public', [21, 16]],
  ['slab-zones', [8 + 8 * 11]],
];

for (const [name, cases] of SETS) {
  test(name, () => {
    const results = verifyRecording(recording(name), name);
    assert.deepEqual(
      results.map((r) => r.total),
      cases,
    );
    for (const result of results) {
      assert.deepEqual(result.disagreements, []);
      assert.equal(result.agreed, result.total);
    }
  });
}

type Path = readonly (string | number)[];

/** The sequence or the machine's case that a path leads into, alone, with one value in it changed. */
function doctored(name: string, [kind, which, ...path]: Path, change: (value: unknown) => unknown): unknown {
  const { zone_truth: _, ...rest } = recording(name) as Record<string, Record<string | number, unknown>>;
  const chosen = structuredClone(rest[kind!]![which!]) as Record<string | number, unknown>;
  let at = chosen;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  const last = path.at(-1)!;
  at[last] = change(at[last]);
  if (kind === 'sequences') return { ...rest, sequences: [chosen] };
  const cases = path[0] === 'cases' ? [(chosen.cases as unknown[])[path[1] as number]] : [];
  return { ...rest, machines: { [which!]: { ...chosen, cases } } };
}

const plusOne = (value: unknown) => Number(value) + 1;
const reversed = (value: unknown) => (value as unknown[]).toReversed();

const PLANTED: readonly (readonly [name: string, path: Path, change: (value: unknown) => unknown])[] = [
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

for (const [name, path, change] of PLANTED) {
  test(`a planted difference is found: ${name} ${path.join('.')}`, () => {
    const [result] = verifyRecording(doctored(name, path, change), name);
    assert.equal(result!.agreed, result!.total - 1);
    assert.equal(result!.disagreements.length, 1);
  });
}
