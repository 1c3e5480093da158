/**
 * # The slabs that a CPU keeps, in front of SLUB's node
 *
 *     own list ─▸ o ─▸ o          free objects of the active slab; no list of others holds them
 *     active   ─▸ [slab 1]
 *     partial  ─▸ [slab 2] ─▸ [slab 2]
 *
 * In Linux up to 6.19. States 1 and 2 of ledger.ts are *frozen*, as the kernel said up to 6.7: one CPU keeps the slab, and nobody else
 * moves it. ("slub: Delay freezing of partial slabs", 6.8, sets the bit for the active slab alone; who keeps what is the same.) Steps:
 *  1. `takeActive`: the active slab's own list becomes the CPU's as a whole. If it is empty the slab is full, and forgotten (1 → 4).
 *  2. `takePartial`: the first slab of the partial list becomes active (2 → 1).
 *  3. `takeFromNode`: the node's first slab becomes active (3 → 1) with all its free objects; up to cpuPartialSlabs / 2 + 1 more move to
 *     the partial list (3 → 2; in 6.12 none if the CPU may keep none).
 *  4. `keep`: a slab that was full and of which this CPU freed an object becomes the first of the partial list (4 → 2). If that holds
 *     cpuPartialSlabs already, all of it first goes to the end of the node's list (2 → 3, `makeRoom`).
 *  5. `giveUpActive`, `flush`: the CPU's own list goes in front of its slab's list, and the slab to the front of the node's (to the end if
 *     others had freed into it); the partial slabs go to the end.
 *
 * Each CPU flushes itself: nobody takes a slab from a CPU that is at work, so a shrink leaves alone what other CPUs have.
 */
import type { PhysAddr } from '../../base/index.js';
import {
  C_CPU_PARTIAL_SLABS,
  C_EXTRA_FROM_NODE,
  C_PARTIAL_HEAD,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  countersInUse,
  LINK_END,
  P_LINKS,
  P_OBJECTS,
  P_OWN,
  P_PARTIAL,
  P_PARTIAL_COUNT,
  P_SLAB,
  PD_FIRST,
  type PhysicalMemory,
  packCounters,
  shapeObjects,
} from '../../machine/index.js';
import { createEventCounter, STAT } from '../cache/index.js';
import type { SlabLocks } from '../slabs/index.js';
import type { SlubNode } from './node.js';

/** `c` is the first word of a cache's row, `p` the line of a CPU. */
export interface CpuSlabs {
  /** The slab becomes the active one; the CPU's own list is what it was. */
  activate(p: number, slab: number): void;
  /** What is free on a locked slab's own list is this CPU's now, and the slab is frozen. Returns the first object + 1. */
  takeList(p: number, slab: number, counters: number): number;
  /** Step 1. Returns the first object + 1, or 0: then the CPU has no active slab. */
  takeActive(p: number): number;
  /** Step 2. Returns false if the partial list is empty. */
  takePartial(p: number): boolean;
  /** Step 3. Returns false if the node has no partial slab. */
  takeFromNode(c: number, p: number): boolean;
  /** Step 4, where there is room. */
  keep(p: number, slab: number): void;
  /** A partial list that is full goes to the node, so that a slab can be its first. */
  makeRoom(c: number, p: number): void;
  /** Step 5 for the active slab. */
  giveUpActive(c: number, p: number): void;
  /** Step 5 for all. */
  flush(c: number, p: number): void;
  /** The CPU's own objects wait on the active slab's own list: the next alloc has to come by the slow path. */
  park(p: number): void;
}

export function createCpuSlabs(
  memory: PhysicalMemory,
  node: SlubNode,
  { takeSlab, releaseSlab, takeNode, releaseNode }: SlabLocks,
  objectAddress: (slab: number, index: number) => PhysAddr,
): CpuSlabs {
  const { ledger } = memory;
  const { cache, cpuCache, cpuDouble, slabLinks, slabNext, slabShape, link } = ledger;
  const count = createEventCounter(ledger);
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);

  // ---- slabs come to a CPU ---------------------------------------------------------------------------------------------

  function activate(p: number, slab: number): void {
    cpuCache[p + P_SLAB] = slab;
    cpuCache[p + P_LINKS] = slabLinks[slab]!;
    cpuDouble[(p >> 1) + PD_FIRST] = objectAddress(slab, 0);
    cpuCache[p + P_OBJECTS] = objectsOf(slab);
  }

  function takeList(p: number, slab: number, counters: number): number {
    const first = counters & COUNTERS_FREE;
    cpuCache[p + P_OWN] = first;
    releaseSlab(slab, packCounters(LINK_END, objectsOf(slab), COUNTERS_FROZEN));
    return first;
  }

  function takeActive(p: number): number {
    const slab = cpuCache[p + P_SLAB]!;
    const counters = takeSlab(slab, p);
    if ((counters & COUNTERS_FREE) === LINK_END) {
      forgetActive(p);
      releaseSlab(slab, packCounters(LINK_END, countersInUse(counters), 0));
      count(p, STAT.deactivate_bypass);
      return 0;
    }
    count(p, STAT.alloc_refill);
    return takeList(p, slab, counters);
  }

  function takePartial(p: number): boolean {
    const slab = cpuCache[p + P_PARTIAL]!;
    if (slab === 0) return false;
    // In this order: a CPU that dies in between holds the slab twice, and not nowhere.
    activate(p, slab);
    cpuCache[p + P_PARTIAL] = slabNext[slab]!;
    cpuCache[p + P_PARTIAL_COUNT]!--;
    count(p, STAT.cpu_partial_alloc);
    return true;
  }

  function takeFromNode(c: number, p: number): boolean {
    if (cache[c + C_PARTIAL_HEAD] === 0) return false;
    takeNode(c);
    const first = node.pull(c);
    if (first !== 0) {
      const counters = takeSlab(first, p);
      activate(p, first);
      takeList(p, first, counters);
      count(p, STAT.alloc_from_partial);
      takeExtra(c, p);
    }
    releaseNode(c);
    return first !== 0;
  }

  function takeExtra(c: number, p: number): void {
    const extra = cache[c + C_EXTRA_FROM_NODE]! >>> 0;
    for (let moved = 0; moved < extra; moved++) {
      const slab = node.pull(c);
      if (slab === 0) break;
      const counters = takeSlab(slab, p);
      keep(p, slab);
      releaseSlab(slab, counters | COUNTERS_FROZEN);
      count(p, STAT.cpu_partial_node);
    }
  }

  function keep(p: number, slab: number): void {
    slabNext[slab] = cpuCache[p + P_PARTIAL]!;
    cpuCache[p + P_PARTIAL] = slab;
    cpuCache[p + P_PARTIAL_COUNT]!++;
  }

  // ---- slabs leave a CPU -----------------------------------------------------------------------------------------------

  /** The CPU has no active slab: no object can be one of its. */
  function forgetActive(p: number): void {
    cpuCache[p + P_SLAB] = 0;
    cpuCache[p + P_OWN] = 0;
    cpuCache[p + P_OBJECTS] = 0;
  }

  function makeRoom(c: number, p: number): void {
    if (cpuCache[p + P_PARTIAL] === 0) return;
    if (cpuCache[p + P_PARTIAL_COUNT]! < cache[c + C_CPU_PARTIAL_SLABS]! >>> 0) return;
    giveUpPartial(c, p);
    count(p, STAT.cpu_partial_drain);
  }

  /** All slabs of a CPU's partial list go to the node, in their order. */
  function giveUpPartial(c: number, p: number): void {
    if (cpuCache[p + P_PARTIAL] === 0) return;
    takeNode(c);
    for (let slab = cpuCache[p + P_PARTIAL]!; slab !== 0; slab = cpuCache[p + P_PARTIAL]!) {
      const counters = takeSlab(slab, p) & ~COUNTERS_FROZEN;
      cpuCache[p + P_PARTIAL] = slabNext[slab]!;
      cpuCache[p + P_PARTIAL_COUNT]!--;
      releaseSlab(slab, counters);
      node.place(c, p, slab, counters, false, STAT.free_add_partial);
    }
    releaseNode(c);
  }

  function giveUpActive(c: number, p: number): void {
    deactivate(c, p);
    count(p, STAT.cpuslab_flush);
  }

  function deactivate(c: number, p: number): void {
    const slab = cpuCache[p + P_SLAB]!;
    takeNode(c);
    const counters = takeSlab(slab, p);
    // A slab with nothing free is full and goes on no list; objects that others freed send it to the end.
    const toFront = (counters & COUNTERS_FREE) === LINK_END;
    if (!toFront) count(p, STAT.deactivate_remote_frees);
    const left = withOwn(slab, counters, cpuCache[p + P_OWN]!);
    forgetActive(p);
    releaseSlab(slab, left);
    if ((left & COUNTERS_FREE) === LINK_END) count(p, STAT.deactivate_full);
    node.place(c, p, slab, left, toFront, toFront ? STAT.deactivate_to_head : STAT.deactivate_to_tail);
    releaseNode(c);
  }

  /** Puts a CPU's own objects in front of their slab's list. Returns the slab's word after that, not frozen. */
  function withOwn(slab: number, counters: number, own: number): number {
    const remote = counters & COUNTERS_FREE;
    let returned = 0;
    let last = 0;
    for (let object = own; object !== LINK_END; object = link[last]!) {
      last = slabLinks[slab]! + object - 1;
      returned++;
    }
    if (own !== 0) link[last] = remote;
    return packCounters(own !== 0 ? own : remote, countersInUse(counters) - returned, 0);
  }

  function flush(c: number, p: number): void {
    if (cpuCache[p + P_SLAB] !== 0) giveUpActive(c, p);
    giveUpPartial(c, p);
  }

  function park(p: number): void {
    const slab = cpuCache[p + P_SLAB]!;
    const own = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = 0;
    releaseSlab(slab, withOwn(slab, takeSlab(slab, p), own) | COUNTERS_FROZEN);
  }

  return {
    activate,
    takeList,
    takeActive,
    takePartial,
    takeFromNode,
    keep,
    makeRoom,
    giveUpActive,
    flush,
    park,
  };
}
