/**
 * # The reports of the kernel's slabinfo tool
 *
 *     const caches = slabinfoCaches(sysfsTree(machine, { cacheDma32: true }), 4096);
 *     slabinfoList(sortCaches(caches, 'size'), {})       // what `slabinfo -S` prints
 *
 *     Name                   Objects Objsize           Space Slabs/Part/Cpu  O/S O %Fr %Ef Flg
 *     :D-0001024                5104    1024            5.2M      318/0/1   16 2   0 100 D
 *
 * Everything is read from the files of /sys/kernel/slab: from a machine, or from wherever else somebody has them. A file that is not
 * there reads as 0. What the columns mean:
 *  1. a cache that several names share is shown by its directory, one with a single name by that name. With `firstAlias` all are shown
 *     by a name, the longest, or the longest up to one that begins with `kmall`. A cache that no name leads to is left out;
 *  2. `Objects` is what SLUB calls active: slabs that CPUs hold count as used in full. `Space` is all its slabs, `Loss` what no such
 *     object uses of them;
 *  3. `Slabs/Part/Cpu` are slabs that no CPU holds, node-partial ones, and those that CPUs hold; `O/S` objects a slab and `O` its order;
 *  4. `%Fr` is the share of partial slabs and `%Ef` that of bytes that objects use, both whole and rounded down;
 *  5. `Flg`: `*` shared, `d` DMA, `D` DMA32, `A` HWCACHE_ALIGN, `P` poison, `a` reclaim accounting, `Z` red zones, `F` consistency
 *     checks, `U` user tracking, `T` trace. `D`, and its line in a report, came with the series that slablab grew from; the series'
 *     kernel part without this was merged, so the tool of a released kernel never prints it;
 *  6. sizes have one decimal, cut off, of a thousand, a million or a thousand million bytes.
 *
 * A link whose directory is gone ends the kernel's tool; here it is left out. Rules: the tool's own output; the
 * totals follow in slabinfo-totals.ts.
 */
import { largestOf } from '../base/index.js';
import { STATISTICS, type Statistic } from '../slab/index.js';
import type { SysfsTree } from './sysfs.js';

/** One cache as its files have it. Sizes in bytes. */
export interface SlabinfoCache {
  /** Its directory. */
  readonly id: string;
  /** What the reports call it. */
  readonly name: string;
  /** The names that lead to it; empty for a cache whose directory is its name. */
  readonly names: readonly string[];
  readonly aliases: number;
  readonly align: number;
  readonly objectSize: number;
  /** From one object to the next. */
  readonly size: number;
  readonly order: number;
  readonly objectsPerSlab: number;
  readonly objects: number;
  readonly objectsPartial: number;
  readonly totalObjects: number;
  readonly slabs: number;
  readonly partial: number;
  readonly cpuSlabs: number;
  readonly slabBytes: number;
  /** All slabs, and what objects use of them. */
  readonly space: number;
  readonly used: number;
  readonly cacheDma: boolean;
  readonly cacheDma32: boolean;
  readonly destroyByRcu: boolean;
  readonly hwcacheAlign: boolean;
  readonly poison: boolean;
  readonly reclaimAccount: boolean;
  readonly redZone: boolean;
  readonly sanityChecks: boolean;
  readonly storeUser: boolean;
  readonly trace: boolean;
  /** Such as `*DA`. */
  readonly flags: string;
  /** All 0 on a kernel without CONFIG_SLUB_STATS. */
  readonly stats: Readonly<Record<Statistic, number>>;
  readonly hasStats: boolean;
}

/** Which directories of /sys/kernel/slab count as caches. */
export interface CachesOptions {
  /** Show shared caches by one of their names. */
  readonly firstAlias?: boolean;
  /** Also those that no name leads to, as `*`: the totals count them. */
  readonly unnamed?: boolean;
}

/** All caches that a name leads to, in the order of the tree. */
export function slabinfoCaches(
  tree: SysfsTree,
  pageSize: number,
  options: CachesOptions = {},
): SlabinfoCache[] {
  const caches: SlabinfoCache[] = [];
  for (const [id, files] of tree.directories) {
    const names = [...tree.links].filter(([, target]) => target === id).map(([name]) => name);
    const name = shownName(id, names, options.firstAlias === true) ?? (options.unnamed ? '*' : undefined);
    if (name !== undefined) caches.push(readCache(id, name, names, files, pageSize));
  }
  return caches;
}

function shownName(id: string, names: readonly string[], firstAlias: boolean): string | undefined {
  if (!id.startsWith(':') || (names.length > 1 && !firstAlias)) return id;
  // A name takes over when it is longer than all before it, and the first such that begins with kmall ends the search.
  let best: string | undefined;
  for (const name of names) {
    if (best !== undefined && name.length <= best.length) continue;
    best = name;
    if (name.startsWith('kmall')) break;
  }
  return best;
}

function readCache(
  id: string,
  name: string,
  names: readonly string[],
  files: ReadonlyMap<string, string>,
  pageSize: number,
): SlabinfoCache {
  // Text behind the number, by node or by CPU, does not count.
  const number = (file: string) => Number(/^\s*(\d+)/.exec(files.get(file) ?? '')?.[1] ?? 0);
  const flag = (file: string) => number(file) !== 0;
  const slabBytes = pageSize * 2 ** number('order');
  const cache = {
    id,
    name,
    names,
    aliases: number('aliases'),
    align: number('align'),
    objectSize: number('object_size'),
    size: number('slab_size'),
    order: number('order'),
    objectsPerSlab: number('objs_per_slab'),
    objects: number('objects'),
    objectsPartial: number('objects_partial'),
    totalObjects: number('total_objects'),
    slabs: number('slabs'),
    partial: number('partial'),
    cpuSlabs: number('cpu_slabs'),
    slabBytes,
    space: number('slabs') * slabBytes,
    used: number('objects') * number('object_size'),
    cacheDma: flag('cache_dma'),
    cacheDma32: flag('cache_dma32'),
    destroyByRcu: flag('destroy_by_rcu'),
    hwcacheAlign: flag('hwcache_align'),
    poison: flag('poison'),
    reclaimAccount: flag('reclaim_account'),
    redZone: flag('red_zone'),
    sanityChecks: flag('sanity_checks'),
    storeUser: flag('store_user'),
    trace: flag('trace'),
    stats: Object.fromEntries(STATISTICS.map((stat) => [stat, number(stat)])) as Record<Statistic, number>,
    hasStats: files.has('alloc_fastpath'),
  };
  return { ...cache, flags: flagLetters(cache) };
}

/** What the letters of `Flg` say. */
export type SlabinfoMarks = Pick<
  SlabinfoCache,
  | 'aliases'
  | 'cacheDma'
  | 'cacheDma32'
  | 'hwcacheAlign'
  | 'poison'
  | 'reclaimAccount'
  | 'redZone'
  | 'sanityChecks'
  | 'storeUser'
  | 'trace'
>;

/** The column `Flg`, such as `*DA`. */
export function flagLetters(cache: SlabinfoMarks): string {
  const letters: readonly (readonly [set: boolean, letter: string])[] = [
    [cache.aliases !== 0, '*'],
    [cache.cacheDma, 'd'],
    [cache.cacheDma32, 'D'],
    [cache.hwcacheAlign, 'A'],
    [cache.poison, 'P'],
    [cache.reclaimAccount, 'a'],
    [cache.redZone, 'Z'],
    [cache.sanityChecks, 'F'],
    [cache.storeUser, 'U'],
    [cache.trace, 'T'],
  ];
  return letters.map(([set, letter]) => (set ? letter : '')).join('');
}

// ---- order ---------------------------------------------------------------------------------------------------------------

/** What a list is ordered by. */
export type SlabinfoSort = 'name' | 'size' | 'loss' | 'partial' | 'activity';

/** What comes first: the largest of these, or the first by name. */
const SORT_KEYS: Readonly<Record<SlabinfoSort, (cache: SlabinfoCache) => number>> = {
  name: () => 0,
  size: ({ space }) => space,
  loss: ({ space, used }) => space - used,
  partial: ({ partial }) => partial,
  activity: ({ stats }) =>
    stats.alloc_fastpath + stats.alloc_slowpath + stats.free_fastpath + stats.free_slowpath,
};

/** The words of SlabinfoSort, for those who let a person choose. */
export const SLABINFO_SORTS: ReadonlyMap<string, SlabinfoSort> = new Map(
  Object.keys(SORT_KEYS).map((name) => [name, name as SlabinfoSort]),
);

/** A new list, largest first; equals by name, whatever its case. */
export function sortCaches(caches: readonly SlabinfoCache[], sort: SlabinfoSort): SlabinfoCache[] {
  const key = SORT_KEYS[sort];
  const name = (cache: SlabinfoCache) => cache.name.toLowerCase();
  return [...caches].sort((a, b) => key(b) - key(a) || (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0));
}

// ---- list ----------------------------------------------------------------------------------------------------------------

/** How the list of caches is written; the kernel's tool has these as options. */
export interface ListOptions {
  /** Show what is lost instead of the space taken. */
  readonly loss?: boolean;
  /** Show allocations and frees instead of memory. */
  readonly activity?: boolean;
  /** Whole bytes instead of K, M and G. */
  readonly bytes?: boolean;
  /** Columns of the terminal. Those of the list get narrower where that is needed, down to what stands in them. */
  readonly width?: number;
}

interface ListColumn {
  readonly head: string;
  readonly width: number;
  readonly cell: (cache: SlabinfoCache) => string | number;
  /** May become narrower; the lowest number first. */
  readonly gives?: number;
}

/** The list with its heading; no lines where there is no cache. */
export function slabinfoList(caches: readonly SlabinfoCache[], options: ListOptions): string[] {
  if (caches.length === 0) return [];
  const columns = options.activity ? ACTIVITY_COLUMNS : memoryColumns(options);
  const cells = caches.map((cache) => columns.map(({ cell }) => String(cell(cache))));
  const needs = columns.map(({ head }, i) =>
    Math.max(head.length, largestOf(cells.map((row) => row[i]!.length))),
  );
  // A cell that is wider than its column pushes only its own line.
  const widths = columns.map(({ width }) => width);
  const lines = () =>
    [columns.map(({ head }) => head), ...cells].map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join(' ')
        .trimEnd(),
    );
  const order = columns.map(({ gives }, i) => ({ gives, i })).filter(({ gives }) => gives !== undefined);
  for (const { i } of order.sort((a, b) => a.gives! - b.gives!)) {
    const over = largestOf(lines().map((line) => line.length)) - (options.width ?? Number.POSITIVE_INFINITY);
    if (over > 0) widths[i] = Math.max(Math.min(needs[i]!, widths[i]!), widths[i]! - over);
  }
  return lines();
}

function memoryColumns({ loss, bytes }: ListOptions): ListColumn[] {
  const percent = (part: number, all: number) => (all === 0 ? 100 : Math.floor((part * 100) / all));
  return [
    { head: 'Name', width: 21, cell: ({ name }) => name, gives: 3 },
    { head: 'Objects', width: 8, cell: ({ objects }) => objects, gives: 2 },
    { head: 'Objsize', width: 7, cell: ({ objectSize }) => objectSize },
    {
      head: loss ? 'Loss' : 'Space',
      width: 15,
      cell: ({ space, used }) => slabinfoSize(loss ? space - used : space, bytes),
      gives: 1,
    },
    {
      head: 'Slabs/Part/Cpu',
      width: 14,
      cell: ({ slabs, partial, cpuSlabs }) => `${slabs - cpuSlabs}/${partial}/${cpuSlabs}`,
    },
    { head: 'O/S', width: 4, cell: ({ objectsPerSlab }) => objectsPerSlab },
    { head: 'O', width: 1, cell: ({ order }) => order },
    { head: '%Fr', width: 3, cell: ({ partial, slabs }) => percent(partial, slabs) },
    { head: '%Ef', width: 3, cell: ({ used, space }) => percent(used, space) },
    { head: 'Flg', width: 0, cell: ({ flags }) => flags },
  ];
}

const share = (part: number, all: number) => (all === 0 ? 0 : Math.floor((part * 100) / all));
const allocs = ({ stats }: SlabinfoCache) => stats.alloc_fastpath + stats.alloc_slowpath;
const frees = ({ stats }: SlabinfoCache) => stats.free_fastpath + stats.free_slowpath;

/** Whole percents of allocations and of frees that took the fast path. */
const fastShares = (cache: SlabinfoCache) => [
  share(cache.stats.alloc_fastpath, allocs(cache)),
  share(cache.stats.free_fastpath, frees(cache)),
];

const ACTIVITY_COLUMNS: readonly ListColumn[] = [
  { head: 'Name', width: 21, cell: ({ name }) => name, gives: 2 },
  { head: 'Objects', width: 8, cell: ({ objects }) => objects, gives: 1 },
  { head: 'Alloc', width: 10, cell: allocs },
  { head: 'Free', width: 10, cell: frees },
  {
    head: '%Fast',
    width: 7,
    cell: (cache) =>
      fastShares(cache)
        .map((n) => String(n).padStart(3))
        .join(' '),
  },
  { head: 'Fallb', width: 5, cell: ({ stats }) => stats.order_fallback },
  { head: 'O', width: 1, cell: ({ order }) => order },
  { head: 'CmpX', width: 4, cell: ({ stats }) => stats.cmpxchg_double_fail },
  { head: 'UL', width: 4, cell: ({ stats }) => stats.cmpxchg_double_cpu_fail },
];

/** Rule 6: `5.2M`; whole bytes where they are asked for or fewer than a thousand and one. */
export function slabinfoSize(value: number, bytes = false): string {
  const steps: readonly (readonly [above: number, letter: string])[] = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'K'],
  ];
  const step = bytes ? undefined : steps.find(([above]) => value > above);
  if (step === undefined) return String(value);
  const tenths = Math.floor(value / (step[0] / 10));
  return `${Math.floor(tenths / 10)}.${tenths % 10}${step[1]}`;
}

// ---- aliases -------------------------------------------------------------------------------------------------------------

/** The names that lead to a directory. */
export interface AliasGroup {
  readonly id: string;
  readonly names: readonly string[];
}

/** Caches with the names that share them, by directory; those with one name only if `single` is set. */
export function aliasGroups(tree: SysfsTree, single = false): AliasGroup[] {
  return [...tree.directories.keys()]
    .map((id) => ({ id, names: [...tree.links].filter(([, target]) => target === id).map(([name]) => name) }))
    .filter(({ names }) => names.length > (single ? 0 : 1))
    .sort((a, b) => (a.id.toLowerCase() < b.id.toLowerCase() ? -1 : 1));
}

/** `:A-0000064   <- anon_vma_chain fs_cache`, a line a group. */
export function aliasLines(groups: readonly AliasGroup[]): string[] {
  return groups.map(({ id, names }) => `${id.padEnd(12)} <- ${names.join(' ')}`);
}
