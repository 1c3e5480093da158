/**
 * What happened to a cache, counted as a kernel with CONFIG_SLUB_STATS counts it: one counter a CPU and event, on a machine that was made
 * with `statistics`. A fast path counts nothing otherwise.
 *
 *     statistics(machine.ledger, cache.id).get('alloc_fastpath')        // { total: 12, cpus: [10, 2] }
 *
 * The events, by the steps of slub.ts:
 *  - alloc: a is `alloc_fastpath`, all others `alloc_slowpath`; b is `alloc_refill`, or `deactivate_bypass` where the slab had nothing; c
 *    `cpu_partial_alloc`; d `alloc_from_partial`, and `cpu_partial_node` for each slab that comes along; e `alloc_slab`, with
 *    `order_fallback` where the preferred order was not available;
 *  - free: f is `free_fastpath`, g `free_slowpath`; into a frozen slab `free_frozen`; a full slab that goes to the CPU's list is
 *    `cpu_partial_free`, and `cpu_partial_drain` if the old list had to go first; each slab of that is `free_add_partial`, or
 *    `deactivate_empty` and `free_slab`; the last object of a node-partial slab is `free_remove_partial` and `free_slab`;
 *  - a CPU that gives up its slab counts `cpuslab_flush`, and `deactivate_remote_frees` if others had freed into it; then
 *    `deactivate_full`, `deactivate_empty` or `deactivate_to_head` and `deactivate_to_tail`, by where it goes.
 *
 * Names and meanings: Linux Documentation/ABI/testing/sysfs-kernel-slab. The counters of failed exchanges stay 0 on one thread.
 */
import { CPU_WORDS, type Ledger, STATISTICS_WORDS } from '../../machine/index.js';
import { eachCpuLine } from './table.js';

/** In the order of the kernel's files. */
export const STATISTICS = [
  'alloc_fastpath',
  'alloc_slowpath',
  'free_fastpath',
  'free_slowpath',
  'free_frozen',
  'free_add_partial',
  'free_remove_partial',
  'alloc_from_partial',
  'alloc_slab',
  'alloc_refill',
  'alloc_node_mismatch',
  'free_slab',
  'cpuslab_flush',
  'deactivate_full',
  'deactivate_empty',
  'deactivate_to_head',
  'deactivate_to_tail',
  'deactivate_remote_frees',
  'deactivate_bypass',
  'order_fallback',
  'cmpxchg_double_cpu_fail',
  'cmpxchg_double_fail',
  'cpu_partial_alloc',
  'cpu_partial_free',
  'cpu_partial_node',
  'cpu_partial_drain',
] as const;

/** Those that came with sheaves, 7.0. */
const SHEAF_STATISTICS = [
  'free_rcu_sheaf',
  'free_rcu_sheaf_fail',
  'sheaf_flush',
  'sheaf_refill',
  'sheaf_alloc',
  'sheaf_free',
  'barn_get',
  'barn_get_fail',
  'barn_put',
  'barn_put_fail',
  'sheaf_prefill_fast',
  'sheaf_prefill_slow',
  'sheaf_prefill_oversize',
  'sheaf_return_fast',
  'sheaf_return_slow',
] as const;

/** An event that CONFIG_SLUB_STATS counts: the name of its file in /sys/kernel/slab. */
export type Statistic = (typeof STATISTICS)[number] | (typeof SHEAF_STATISTICS)[number];

/** Those of SLUB with sheaves, in the order of the kernel's files. */
const STATISTICS_WITH_SHEAVES: readonly Statistic[] = [
  'alloc_fastpath',
  'alloc_slowpath',
  'free_rcu_sheaf',
  'free_rcu_sheaf_fail',
  'free_fastpath',
  'free_slowpath',
  'free_add_partial',
  'free_remove_partial',
  'alloc_slab',
  'alloc_node_mismatch',
  'free_slab',
  'order_fallback',
  'cmpxchg_double_fail',
  'sheaf_flush',
  'sheaf_refill',
  'sheaf_alloc',
  'sheaf_free',
  'barn_get',
  'barn_get_fail',
  'barn_put',
  'barn_put_fail',
  'sheaf_prefill_fast',
  'sheaf_prefill_slow',
  'sheaf_prefill_oversize',
  'sheaf_return_fast',
  'sheaf_return_slow',
];

/** Of every kernel. */
export const ALL_STATISTICS: readonly Statistic[] = [...STATISTICS, ...SHEAF_STATISTICS];

/** The index of an event's counter. */
export const STAT = Object.fromEntries(ALL_STATISTICS.map((name, i) => [name, i])) as Readonly<
  Record<Statistic, number>
>;

/** How often an event happened, as its file in /sys/kernel/slab says it. */
export interface StatisticCounts {
  readonly total: number;
  /** By CPU. */
  readonly cpus: readonly number[];
}

/** What the SLUB of a ledger's machine counts: its files in /sys/kernel/slab, in their order. */
function statisticNames({ shape }: Ledger): readonly Statistic[] {
  return shape.sheaves > 0 ? STATISTICS_WITH_SHEAVES : STATISTICS;
}

/** The first counter of a CPU's line. */
export function statisticsOf(p: number): number {
  return (p / CPU_WORDS) * STATISTICS_WORDS;
}

/** Counts an event, or several, for the CPU of a line; does nothing on a machine that does not count. */
export function createEventCounter({
  statistics,
}: Ledger): (p: number, event: number, times?: number) => void {
  const counting = statistics.length > 0;
  return (p, event, times = 1) => {
    if (counting) statistics[statisticsOf(p) + event]! += times;
  };
}

/** The counters of a cache; undefined on a machine that does not count. */
export function statistics(
  ledger: Ledger,
  cache: number,
  names = statisticNames(ledger),
): ReadonlyMap<Statistic, StatisticCounts> | undefined {
  if (ledger.statistics.length === 0) return undefined;
  return new Map(
    names.map((name) => {
      const cpus: number[] = [];
      eachCpuLine(ledger, cache, (p) => cpus.push(ledger.statistics[statisticsOf(p) + STAT[name]]! >>> 0));
      return [name, { total: cpus.reduce((sum, n) => sum + n, 0), cpus }];
    }),
  );
}

/** Sets a cache's counters to 0, as writing 0 to a counter's file does for that one. */
export function clearStatistics(
  ledger: Ledger,
  cache: number,
  names: readonly Statistic[] = ALL_STATISTICS,
): void {
  eachCpuLine(ledger, cache, (p) => {
    for (const name of names)
      if (ledger.statistics.length > 0) ledger.statistics[statisticsOf(p) + STAT[name]] = 0;
  });
}
