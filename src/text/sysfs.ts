/**
 * # /sys/kernel/slab
 *
 *     :D-0001024/objs_per_slab          a directory a cache, one file a number
 *     dentry/…                          a cache that none may share has its own name
 *     tables -> :D-0001024              each name that shares one is a link, the first too
 *
 *     sysfsFiles(machine, cache).get('objs_per_slab')        // "16\n"
 *     sysfsTree(machine).links.get('tables')                 // ":D-0001024"
 *     sysfsWrite(machine, cache, 'shrink', '1')              // 1, in sysfs-write.ts
 *
 * It is SLUB's alone: a machine with SLAB has no such directory, and asking for it is an ArgumentError.
 */
import { C_MIN_PARTIAL_HIGH, C_MIN_PARTIAL_LOW, CACHE_WORDS } from '../machine/index.js';
import {
  ALL_STATISTICS,
  checkSysfs,
  type KmemCache,
  type Machine,
  type MoreSysfsFile,
  SLAB,
  type StatisticCounts,
  statistics,
  sysfsCounters,
} from '../slab/index.js';

/** `96(12) C0=64(8) C1=32(4)`: objects, as if each slab were half free, and slabs. */
function slabsCpuPartial(counts: readonly number[], objectsPerSlab: number): string {
  const half = (slabs: number) => Math.floor((slabs * objectsPerSlab) / 2);
  const total = counts.reduce((sum, slabs) => sum + slabs, 0);
  const parts = counts.map((slabs, cpu) => (slabs === 0 ? '' : ` C${cpu}=${half(slabs)}(${slabs})`));
  return `${half(total)}(${total})${parts.join('')}`;
}

/** The files that root may write; all others only root may read. */
const WRITABLE: ReadonlySet<string> = new Set([
  'cpu_partial',
  'min_partial',
  'remote_node_defrag_ratio',
  'shrink',
  'skip_kfence',
  'validate',
  ...ALL_STATISTICS,
]);

/** The permissions of a cache's file. */
export function sysfsMode(file: string): number {
  return WRITABLE.has(file) ? 0o600 : 0o400;
}

/** The most that the engine keeps of min_partial; no cache has as many slabs. What was written beyond it is in two words of their own. */
export const MIN_PARTIAL_MOST = 0x7fffffff;

function minPartialText({ ledger }: Machine, { id, info }: KmemCache): string {
  if (info.minPartial < MIN_PARTIAL_MOST) return String(info.minPartial);
  const word = (at: number) => BigInt(ledger.cache[id * CACHE_WORDS + at]! >>> 0);
  const written = (word(C_MIN_PARTIAL_HIGH) << 32n) | word(C_MIN_PARTIAL_LOW);
  return String(written === 0n ? info.minPartial : written);
}

/** Which files a directory of /sys/kernel/slab has. */
export interface SysfsView {
  /**
   * With `cache_dma32` beside `cache_dma`. The series that added SLAB_CACHE_DMA32 had it, its reviewers asked who would read it, and it
   * was never merged: no released kernel has this file, and it is not there unless asked for.
   */
  readonly cacheDma32?: boolean;
}

/** `12 C0=10 C1=2`: all, and by CPU where there were any. */
function statisticText({ total, cpus }: StatisticCounts): string {
  return `${total}${cpus.map((count, cpu) => (count === 0 ? '' : ` C${cpu}=${count}`)).join('')}\n`;
}

/** Every file of a cache's directory that the machine's kernel has, by name. Text ends in a newline; write-only files are empty. */
export function sysfsFiles(machine: Machine, cache: KmemCache, view: SysfsView = {}): Map<string, string> {
  const info = cache.info;
  const counters = sysfsCounters(machine, cache);
  // A kernel with NUMA says of what is counted by node how much that is of each.
  const isNuma = machine.kernel.moreSysfsFiles.includes('remote_node_defrag_ratio');
  const byNode = (count: number) => (isNuma && count > 0 ? `${count} N0=${count}` : count);
  const flag = (bit: number) => (info.flags & bit ? 1 : 0);
  const files: Record<string, number | string> = {
    aliases: Math.max(info.refcount - 1, 0),
    align: info.align,
    cache_dma: flag(SLAB.CACHE_DMA),
    ...(view.cacheDma32 && { cache_dma32: flag(SLAB.CACHE_DMA32) }),
    cpu_partial: info.cpuPartial,
    cpu_slabs: byNode(counters.cpuSlabs),
    destroy_by_rcu: flag(SLAB.TYPESAFE_BY_RCU),
    hwcache_align: flag(SLAB.HWCACHE_ALIGN),
    min_partial: minPartialText(machine, cache),
    object_size: info.objectSize,
    objects: byNode(counters.objects),
    objects_partial: byNode(counters.objectsPartial),
    objs_per_slab: info.oo.objects,
    order: info.oo.order,
    partial: byNode(counters.partial),
    poison: flag(SLAB.POISON),
    reclaim_account: flag(SLAB.RECLAIM_ACCOUNT),
    red_zone: flag(SLAB.RED_ZONE),
    sanity_checks: flag(SLAB.CONSISTENCY_CHECKS),
    slab_size: info.size,
    slabs: byNode(counters.slabs),
    slabs_cpu_partial: slabsCpuPartial(counters.cpuPartialSlabs, info.oo.objects),
    store_user: flag(SLAB.STORE_USER),
    total_objects: byNode(counters.totalObjects),
    trace: flag(SLAB.TRACE),
  };
  const more: Readonly<Record<MoreSysfsFile, number>> = {
    remote_node_defrag_ratio: 100,
    sheaf_capacity: info.sheafCapacity ?? 0,
    skip_kfence: 0,
    usersize: info.usersize,
  };
  for (const file of machine.kernel.moreSysfsFiles) files[file] = more[file];
  const texts = Object.entries(files).map(([name, value]): [string, string] => [name, `${value}\n`]);
  for (const [name, counts] of statistics(machine.ledger, cache.id) ?? [])
    texts.push([name, statisticText(counts)]);
  // A constructor prints as its symbol, which only a running kernel has.
  return new Map([...texts, ['ctor', ''], ['shrink', ''], ['validate', '']]);
}

/** /sys/kernel/slab as a whole. */
export interface SysfsTree {
  /** Files of each directory by name. */
  readonly directories: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Names that are links, each with the directory that it names. Where that is not there, the link dangles. */
  readonly links: ReadonlyMap<string, string>;
}

/** A name as sysfs takes it: a slash would be another directory. */
const entryName = (name: string) => name.replaceAll('/', '!');

/** All directories and links, by name. Of two caches of one name the newer has the directory. */
export function sysfsTree(machine: Machine, view: SysfsView = {}): SysfsTree {
  checkSysfs(machine);
  const directories = machine
    .caches()
    .map((cache) => [entryName(cache.sysfsId), sysfsFiles(machine, cache, view)] as const);
  const links = machine.links().map(({ name, target }) => [entryName(name), target] as const);
  return { directories: sorted(directories), links: sorted(links) };
}

/** By code units, as `LC_ALL=C ls` lists. */
function sorted<T>(entries: readonly (readonly [name: string, what: T])[]): Map<string, T> {
  return new Map([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
