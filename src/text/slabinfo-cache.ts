/**
 * The slabinfo tool's report on one cache.
 *
 *     Slabcache: :D-0001024       Aliases:  0 Order :  2 Objects: 5104
 *     ** Memory is allocated in a special DMA32 zone
 *
 * Left of it are bytes of an object: `Object` as asked for, `SlabObj` to the next one, `SlabSiz` a slab, `Loss` between objects, `Align`.
 * Then slabs: all, those that are neither partial nor a CPU's, partial ones, CPUs', and objects in one. On the right memory: all slabs,
 * what objects use, what they do not, and of that what is lost between objects (`Lalig`) and at the end of slabs (`Lpadd`).
 * The counters of CONFIG_SLUB_STATS follow where there are any. The tool also says that a cache has no operations, no tracking data and
 * no NUMA nodes, which is so of every cache here and left out.
 */
import type { Statistic } from '../slab/index.js';
import type { SlabinfoCache } from './slabinfo-report.js';

const right = (value: number | string, width: number) => String(value).padStart(width);
const onOff = (on: boolean) => (on ? 'On ' : 'Off');
const sum = (stats: SlabinfoCache['stats'], names: readonly Statistic[]) =>
  names.reduce((total, name) => total + stats[name], 0);

/** One cache in the words of the kernel's slabinfo tool (`slabinfo -r`), line by line. */
export function slabinfoReport(cache: SlabinfoCache): string[] {
  const { name, size, objectSize, slabs, partial, cpuSlabs, objects, objectsPerSlab, slabBytes } = cache;
  const marks: readonly (readonly [set: boolean, text: string])[] = [
    [cache.hwcacheAlign, '** Hardware cacheline aligned'],
    [cache.cacheDma, '** Memory is allocated in a special DMA zone'],
    [cache.cacheDma32, '** Memory is allocated in a special DMA32 zone'],
    [cache.destroyByRcu, '** Slabs are destroyed via RCU'],
    [cache.reclaimAccount, '** Reclaim accounting active'],
  ];
  const row = (
    [bytes, of]: readonly [string, number],
    [counted, n]: readonly [string, number],
    [debug, on]: readonly [string, boolean],
    [memory, all]: readonly [string, number],
  ) =>
    `${bytes}: ${right(of, 7)}  ${counted}: ${right(n, 7)}   ${debug.padEnd(13)} : ${onOff(on)}  ${memory}: ${right(all, 7)}`;
  const spare = size - objectSize;
  return [
    `Slabcache: ${name.padEnd(15)}  Aliases: ${right(cache.aliases, 2)} Order : ${right(cache.order, 2)} Objects: ${objects}`,
    ...marks.filter(([set]) => set).map(([, text]) => text),
    '',
    'Sizes (bytes)     Slabs              Debug                Memory',
    '-'.repeat(72),
    row(
      ['Object ', objectSize],
      ['Total  ', slabs],
      ['Sanity Checks', cache.sanityChecks],
      ['Total', cache.space],
    ),
    row(
      ['SlabObj', size],
      ['Full   ', slabs - partial - cpuSlabs],
      ['Redzoning', cache.redZone],
      ['Used ', cache.used],
    ),
    row(
      ['SlabSiz', slabBytes],
      ['Partial', partial],
      ['Poisoning', cache.poison],
      ['Loss ', cache.space - cache.used],
    ),
    row(['Loss   ', spare], ['CpuSlab', cpuSlabs], ['Tracking', cache.storeUser], ['Lalig', spare * objects]),
    row(
      ['Align  ', cache.align],
      ['Objects', objectsPerSlab],
      ['Tracing', cache.trace],
      ['Lpadd', (slabBytes - objectsPerSlab * size) * slabs],
    ),
    ...statLines(cache),
  ];
}

/** Counters of allocations and of frees, beside each other with their shares. */
const PERF_ROWS: readonly (readonly [
  name: string,
  alloc: readonly Statistic[],
  free: readonly Statistic[],
])[] = [
  ['Fastpath', ['alloc_fastpath'], ['free_fastpath']],
  ['Slowpath', ['alloc_slowpath'], ['free_slowpath']],
  ['Page Alloc', ['alloc_slab'], ['free_slab']],
  ['Add partial', ['deactivate_to_head', 'deactivate_to_tail'], ['free_add_partial']],
  ['Remove partial', ['alloc_from_partial'], ['free_remove_partial']],
  ['Cpu partial list', ['cpu_partial_alloc'], ['cpu_partial_free']],
  ['RemoteObj/SlabFrozen', ['deactivate_remote_frees'], ['free_frozen']],
];

const DEACTIVATIONS: readonly (readonly [name: string, stat: Statistic])[] = [
  ['Slab full', 'deactivate_full'],
  ['Slab empty', 'deactivate_empty'],
  ['Moved to head of partial list', 'deactivate_to_head'],
  ['Moved to tail of partial list', 'deactivate_to_tail'],
  ['Deactivation bypass', 'deactivate_bypass'],
  ['Refilled from foreign frees', 'alloc_refill'],
  ['Node mismatch', 'alloc_node_mismatch'],
];

/** The first five are ways for a slab to leave a CPU: their sum is the whole. */
const DEACTIVATIONS_SUMMED = DEACTIVATIONS.slice(0, 5).map(([, stat]) => stat);

function statLines({ stats }: SlabinfoCache): string[] {
  const allocs = stats.alloc_fastpath + stats.alloc_slowpath;
  const frees = stats.free_fastpath + stats.free_slowpath;
  if (stats.alloc_slab === 0 || allocs === 0) return [];
  const percent = (part: number, all: number) => right(all === 0 ? 0 : Math.floor((part * 100) / all), 3);
  const lines = ['', 'Slab Perf Counter       Alloc     Free %Al %Fr', '-'.repeat(50)];
  for (const [name, alloc, free] of PERF_ROWS) {
    const [a, f] = [sum(stats, alloc), sum(stats, free)];
    lines.push(`${name.padEnd(20)} ${right(a, 8)} ${right(f, 8)} ${percent(a, allocs)} ${percent(f, frees)}`);
  }
  lines.push(`${'Total'.padEnd(20)} ${right(allocs, 8)} ${right(frees, 8)}`);
  if (stats.cpuslab_flush > 0) lines.push('', `Flushes ${right(stats.cpuslab_flush, 8)}`);
  const deactivated = sum(stats, DEACTIVATIONS_SUMMED);
  if (deactivated > 0) {
    lines.push('', 'Slab Deactivation             Occurrences %', '-'.repeat(49));
    for (const [name, stat] of DEACTIVATIONS)
      lines.push(`${name.padEnd(29)} ${right(stats[stat], 7)}  ${percent(stats[stat], deactivated)}%`);
  }
  const { cmpxchg_double_fail: locked, cmpxchg_double_cpu_fail: unlocked } = stats;
  if (locked > 0 || unlocked > 0) {
    lines.push('', 'Cmpxchg_double Looping', '-'.repeat(24));
    lines.push(`Locked Cmpxchg Double redos   ${locked}`, `Unlocked Cmpxchg Double redos ${unlocked}`);
  }
  return lines;
}
