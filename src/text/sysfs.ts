/**
 * /sys/kernel/slab/<cache>/: one file a number, as the kernel writes it.
 *
 *     sysfsFiles(machine, cache).get('objs_per_slab')        // "16\n"
 *
 * Counters tell less than they seem to: a slab that a CPU holds counts as fully used, so `objects` is no count of live objects, and
 * `cpu_slabs` is 0 for a CPU that has CPU-partial slabs but no active one (truth/README.md, "SLUB at run time").
 */
import {
  C_PARTIAL_HEAD,
  CACHE_WORDS,
  COUNTERS_INUSE,
  COUNTERS_INUSE_SHIFT,
  P_PARTIAL_COUNT,
  P_SLAB,
} from '../machine/index.js';
import { eachCpuLine, type KmemCache, type Machine, SLAB } from '../slab/index.js';

/** The counters of a cache as sysfs shows them. */
export interface SysfsCounters {
  /** Objects in slabs that CPUs hold, and live ones in the node's. */
  readonly objects: number;
  readonly totalObjects: number;
  readonly slabs: number;
  /** Live objects of the node's partial slabs, and how many such slabs. */
  readonly objectsPartial: number;
  readonly partial: number;
  /** Active and CPU-partial slabs of CPUs that have an active one. */
  readonly cpuSlabs: number;
  /** CPU-partial slabs by CPU. */
  readonly cpuPartialSlabs: readonly number[];
}

export function sysfsCounters(machine: Machine, cache: KmemCache): SysfsCounters {
  const { ledger } = machine;
  const { nrSlabs, totalObjects, nrPartial } = cache.info;
  let free = 0;
  let objectsPartial = 0;
  for (
    let slab = ledger.cache[cache.id * CACHE_WORDS + C_PARTIAL_HEAD]!;
    slab !== 0;
    slab = ledger.slabNext[slab]!
  ) {
    const inUse = (ledger.slabCounters[slab]! >>> COUNTERS_INUSE_SHIFT) & COUNTERS_INUSE;
    objectsPartial += inUse;
    free += (ledger.slabShape[slab]! & 0xffff) - inUse;
  }
  let cpuSlabs = 0;
  const cpuPartialSlabs: number[] = [];
  eachCpuLine(ledger, cache.id, (p) => {
    const partial = ledger.cpuCache[p + P_PARTIAL_COUNT]!;
    if (ledger.cpuCache[p + P_SLAB] !== 0) cpuSlabs += 1 + partial;
    cpuPartialSlabs.push(partial);
  });
  return {
    objects: totalObjects - free,
    totalObjects,
    slabs: nrSlabs,
    objectsPartial,
    partial: nrPartial,
    cpuSlabs,
    cpuPartialSlabs,
  };
}

/** `96(12) C0=64(8) C1=32(4)`: objects, as if each slab were half free, and slabs. */
function slabsCpuPartial(counts: readonly number[], objectsPerSlab: number): string {
  const half = (slabs: number) => Math.floor((slabs * objectsPerSlab) / 2);
  const total = counts.reduce((sum, slabs) => sum + slabs, 0);
  const parts = counts.map((slabs, cpu) => (slabs === 0 ? '' : ` C${cpu}=${half(slabs)}(${slabs})`));
  return `${half(total)}(${total})${parts.join('')}`;
}

/** Every file of a cache's directory that the machine's kernel has, by name. Text ends in a newline; write-only files are empty. */
export function sysfsFiles(machine: Machine, cache: KmemCache): Map<string, string> {
  const info = cache.info;
  const counters = sysfsCounters(machine, cache);
  const flag = (bit: number) => (info.flags & bit ? 1 : 0);
  const files: Record<string, number | string> = {
    aliases: Math.max(info.refcount - 1, 0),
    align: info.align,
    cache_dma: flag(SLAB.CACHE_DMA),
    cpu_partial: info.cpuPartial,
    cpu_slabs: counters.cpuSlabs,
    destroy_by_rcu: flag(SLAB.TYPESAFE_BY_RCU),
    hwcache_align: flag(SLAB.HWCACHE_ALIGN),
    min_partial: info.minPartial,
    object_size: info.objectSize,
    objects: counters.objects,
    objects_partial: counters.objectsPartial,
    objs_per_slab: info.oo.objects,
    order: info.oo.order,
    partial: counters.partial,
    poison: flag(SLAB.POISON),
    reclaim_account: flag(SLAB.RECLAIM_ACCOUNT),
    red_zone: flag(SLAB.RED_ZONE),
    sanity_checks: flag(SLAB.CONSISTENCY_CHECKS),
    slab_size: info.size,
    slabs: counters.slabs,
    slabs_cpu_partial: slabsCpuPartial(counters.cpuPartialSlabs, info.oo.objects),
    store_user: flag(SLAB.STORE_USER),
    total_objects: counters.totalObjects,
    trace: flag(SLAB.TRACE),
    ...(machine.kernel.hardenedUsercopy && { usersize: info.usersize }),
  };
  const texts = Object.entries(files).map(([name, value]) => [name, `${value}\n`] as const);
  // A constructor prints as its symbol, which only a running kernel has.
  return new Map([...texts, ['ctor', ''], ['shrink', ''], ['validate', '']]);
}
