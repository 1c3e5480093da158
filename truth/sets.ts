/**
 * What the tests of recordings have in common: a recording is read, each of its cases must agree, and a difference planted into one case
 * must be found.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type SetResult, verifyRecording } from '#lab';

/** Parsed JSON, by name and by index. */
export type Tree = Record<string | number, unknown>;
/** Where in a recording something lies. */
export type Path = readonly (string | number)[];
export type Change = (value: unknown) => unknown;

/** The text of a file beside this module's source, unpacked. */
export function shippedText(file: string): string {
  return gunzipSync(readFileSync(new URL(`../../truth/${file}`, import.meta.url))).toString();
}

/** The recording that was read last: all of them would be a burden to the garbage collector. */
let latest: { readonly name: string; readonly tree: Tree } | undefined;

/** A recording, which nobody changes: `doctored` makes copies. */
export function recording(name: string): Tree {
  if (latest?.name !== name) latest = { name, tree: JSON.parse(shippedText(`${name}.json.gz`)) as Tree };
  return latest.tree;
}

/**
 * Declares a test: all cases of a recording agree, and there are so many in each of its sets that a reader which skips some is noticed.
 */
export function testSet(
  name: string,
  cases: readonly number[],
  more: (results: readonly SetResult[]) => void = () => {},
): void {
  test(name, () => {
    const results = verifyRecording(recording(name), name);
    for (const { disagreements } of results) assert.deepEqual(disagreements, []);
    assert.deepEqual(
      results.map(({ total, agreed }) => [total, agreed]),
      cases.map((count) => [count, count]),
    );
    more(results);
  });
}

/** Lists of cases that stand alone, and groups of such lists: of these only the case that is doctored is played. */
const ALONE: ReadonlySet<string | number> = new Set(['cases', 'scenarios', 'sequences']);
const GROUPS: ReadonlySet<string | number> = new Set(['settings', 'machines']);
const MISUSE = 'misuse';
/** What else would be played of a recording whose doctored case is in one of them. */
const BESIDE: readonly string[] = ['zone_truth', 'args_cases'];

/** A copy of a recording with the value at `path` changed. Where cases stand alone it has no case but the one that the path leads into. */
export function doctored(name: string, path: Path, change: Change): Tree {
  const [first] = path;
  const copy = alter(recording(name), path, change);
  if (ALONE.has(first!) || GROUPS.has(first!)) for (const key of BESIDE) delete copy[key];
  // The ranges and caches of kmalloc are read without the misuse of it, which takes much longer.
  if (first === 'ranges' || first === 'kmalloc_caches')
    copy[MISUSE] = (copy[MISUSE] as unknown[]).slice(0, 1);
  return copy;
}

function alter(tree: Tree, path: Path, change: Change): Tree {
  const [key, next] = path as [string | number, (string | number)?];
  assert.ok(key in tree, `${key} is in the recording`);
  const copy = (Array.isArray(tree) ? [...tree] : { ...tree }) as Tree;
  if (next === undefined) {
    copy[key] = change(tree[key]);
    return copy;
  }
  const below = alter(tree[key] as Tree, path.slice(1), change);
  if (ALONE.has(key)) copy[key] = [below[next]];
  else if (GROUPS.has(key)) copy[key] = { [next]: below[next] };
  else if (key === MISUSE) copy[key] = sameBoot(below as unknown as Tree[], next as number);
  else copy[key] = below;
  return copy;
}

/** A case of misuse and those that ran before it on the same boot: the machine is as they left it. */
function sameBoot(cases: readonly Tree[], which: number): Tree[] {
  return cases.slice(0, which + 1).filter(({ boot }) => boot === cases[which]!.boot);
}

/** One difference: in which of the recording's sets it must be found, and nowhere else. */
export interface Planted {
  readonly name: string;
  readonly path: Path;
  readonly change: Change;
  /** Which of the results; 0 unless said. */
  readonly set?: number;
  /** What it is, where the path does not say it. */
  readonly what?: string;
}

/** Declares a test: the planted difference is one case that does not agree. */
export function testPlanted({ name, path, change, set = 0, what }: Planted): void {
  const where = `${name} ${path.join('.')}`;
  test(`a planted difference is found: ${what === undefined ? where : `${what} (${where})`}`, () => {
    const results = verifyRecording(doctored(name, path, change), name);
    assert.deepEqual(
      results.map(({ total, agreed }) => total - agreed),
      results.map((_, i) => (i === set ? 1 : 0)),
    );
    assert.equal(results[set]!.disagreements.length, 1);
  });
}

export const plusOne: Change = (value) => Number(value) + 1;
