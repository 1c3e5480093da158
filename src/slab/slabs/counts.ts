/**
 * What is counted from the slabs when somebody asks: nobody keeps these numbers.
 */
import { ArgumentError } from '../../base/index.js';
import {
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_PARTIAL_HEAD,
  C_TOTAL_OBJECTS,
  CACHE_WORDS,
  countersInUse,
  H_SLAB_HIGH,
  type Ledger,
  LINK_END,
  LINK_LOST,
  MAX_OBJECTS_PER_SLAB,
  P_LINKS,
  P_OWN,
  P_PARTIAL_COUNT,
  P_SLAB,
  shapeObjects,
} from '../../machine/index.js';
import { eachCpuLine } from '../cache/index.js';

/** Objects of a cache that are on no list: live ones, and lost ones where a debug check gave some up. */
export function countInUse(ledger: Ledger, id: number): number {
  const { cpuCache, slabCache, slabCounters, link } = ledger;
  let count = 0;
  const high = ledger.header[H_SLAB_HIGH]!;
  for (let slab = 1; slab <= high; slab++) {
    if (slabCache[slab] === id) count += countersInUse(slabCounters[slab]!);
  }
  // A CPU's own objects count as in use.
  eachCpuLine(ledger, id, (p) => {
    let own = cpuCache[p + P_OWN]!;
    // A list that its CPU changes meanwhile may lead to a live object; it ends there, and has an end.
    for (let left = MAX_OBJECTS_PER_SLAB; own !== LINK_END && own < LINK_LOST && left > 0; left--) {
      own = link[cpuCache[p + P_LINKS]! + own - 1]!;
      count--;
    }
  });
  return count;
}

/** Objects of the slabs on the node's list: in use, and free. */
export function countOnNode(ledger: Ledger, id: number): { inUse: number; free: number } {
  const { cache, slabCounters, slabNext, slabShape } = ledger;
  let inUse = 0;
  let objects = 0;
  // Others may change the list under a report's eyes: it ends all the same.
  let left = ledger.shape.slabs;
  for (let slab = cache[id * CACHE_WORDS + C_PARTIAL_HEAD]!; slab !== 0 && left > 0; slab = slabNext[slab]!) {
    left--;
    inUse += countersInUse(slabCounters[slab]!);
    objects += shapeObjects(slabShape[slab]!);
  }
  return { inUse, free: objects - inUse };
}

/** What a machine's counters are read from. */
interface CountedMachine {
  readonly ledger: Ledger;
  readonly kernel: { readonly has: { readonly sysfsTree: boolean } };
}

/** Throws ArgumentError for a machine that has no /sys/kernel/slab. */
export function checkSysfs({ kernel }: CountedMachine): void {
  if (!kernel.has.sysfsTree)
    throw new ArgumentError(
      "with SLAB there is no /sys/kernel/slab, which is SLUB's alone; its numbers are in /proc/slabinfo",
    );
}

/**
 * The counters of a cache that sysfs shows. They tell less than they seem to: a slab that a CPU holds counts as fully used, so `objects` is
 * no count of live objects, and `cpuSlabs` is 0 for a CPU that has CPU-partial slabs but no active one (truth/README.md, "SLUB at run
 * time").
 */
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

/** The numbers behind a cache's files in /sys/kernel/slab. Throws ArgumentError on a machine with SLAB, which has none. */
export function sysfsCounters(machine: CountedMachine, { id }: { readonly id: number }): SysfsCounters {
  checkSysfs(machine);
  const { ledger } = machine;
  const word = (at: number) => ledger.cache[id * CACHE_WORDS + at]!;
  const totalObjects = word(C_TOTAL_OBJECTS);
  const onNode = countOnNode(ledger, id);
  let cpuSlabs = 0;
  const cpuPartialSlabs: number[] = [];
  eachCpuLine(ledger, id, (p) => {
    const partial = ledger.cpuCache[p + P_PARTIAL_COUNT]!;
    if (ledger.cpuCache[p + P_SLAB] !== 0) cpuSlabs += 1 + partial;
    cpuPartialSlabs.push(partial);
  });
  return {
    objects: totalObjects - onNode.free,
    totalObjects,
    slabs: word(C_NR_SLABS),
    objectsPartial: onNode.inUse,
    partial: word(C_NR_PARTIAL),
    cpuSlabs,
    cpuPartialSlabs,
  };
}
