/**
 * # SLUB: where the next object comes from
 *
 *     CPU 0                                            cache's node
 *     own list ─▸ o ─▸ o          (free objects of     partial ─▸ [slab 3] ⇄ [slab 3] ⇄ [slab 3]
 *     active   ─▸ [slab 1]         the active slab)
 *     partial  ─▸ [slab 2] ─▸ [slab 2]                 full slabs are on no list: [slab 4] [slab 4]
 *
 * Each slab has a list of free objects of its own as well; objects that other CPUs free to an active slab wait there. A slab is in
 * one of the states of ledger.ts: 1 active, 2 CPU-partial, 3 node-partial, 4 full. States 1 and 2 are *frozen*: one CPU
 * keeps the slab, and nobody else moves it.
 *
 * ## alloc takes the first of these that has an object
 *  a. the CPU's own list, newest free first;
 *  b. the active slab's own list, which then becomes the CPU's list as a whole. If it is empty the slab is full (1 → 4) and forgotten;
 *  c. the first slab of the CPU's partial list, which becomes active (2 → 1), then b;
 *  d. the first slab of the node's partial list becomes active (3 → 1) with all its free objects; up to cpuPartialSlabs / 2 + 1 more
 *     move to the CPU's partial list (3 → 2; in 6.12 none if the CPU may keep none);
 *  e. a new slab, whose objects are handed out in ascending order. Only here the page allocator is asked, and only here the
 *     caller's gfp flags are looked at: bits that name a zone are wrong, reported, and dropped, for the zone is the cache's.
 *
 * ## free puts the object
 *  f. on the CPU's own list, if it belongs to this CPU's active slab;
 *  g. else on its slab's own list. That moves the slab only if it is not frozen:
 *     - a full slab becomes the first of the *freeing* CPU's partial list (4 → 2). If that list holds cpuPartialSlabs already, all of
 *       it first goes to the end of the node's list (2 → 3), where empty slabs are discarded once minPartial are there;
 *     - a node-partial slab that becomes empty is discarded if the node has at least minPartial partial slabs, this one included;
 *       else it stays where it is.
 *
 * A cache with a debug flag has no per-CPU part: each alloc takes one object from the first slab of the node's list, a new slab goes
 * to the front, and a full slab that gets an object back goes to the end (debug-slabs.ts).
 *
 * ## In bulk, and shrinking
 *  h. A bulk allocation is so many single ones. A bulk free takes the array from its end in groups of one slab (bulk-free.ts); the last
 *     element of a group is the first to be handed out again.
 *  i. To shrink, each CPU gives up its slabs: its own list goes in front of its slab's list, and the slab to the front of the node's
 *     (to the end if others had freed into it), its partial slabs to the end. Then empty slabs are discarded, and those with up to 32
 *     free objects move to the front, fewest free first, equals in reverse: nearly full slabs fill up, sparse ones drain.
 *
 * So the next object on a CPU is: the one freed last to its active slab; when there is none, the one freed last by others to that slab;
 * then the one freed last to the slab that became CPU-partial last; then to the node's first; then index 0 of a new slab.
 *
 *     const cache = machine.kmemCacheCreate('tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 });
 *     const table = cache.alloc(GFP.ATOMIC, cpu);        // 0 if there is no memory
 *     cache.free(table, cpu);
 *
 * ## What is stored
 * A slab's state word (`slabCounters`) packs first free object, objects in use and frozen, so that another CPU's free is one write of
 * a link and one exchange of that word. The word may come back to the same value in between: harmless, because a push
 * depends on the head alone, and a live object keeps its slab from being discarded.
 *
 * Rules: truth/README.md, "SLUB at run time", learnt from recorded sequences of a real Linux 6.1 and checked against
 * them: slab, index, birth and death of every slab, list order, sysfs counters. Ideas: Christoph Lameter, "SLUB: The unqueued
 * slab allocator" (2007); Bonwick, "The Slab Allocator" (USENIX 1994).
 */
import { ArgumentError, type Gfp, NULL, type PhysAddr } from '../base/index.js';
import {
  C_CPU_PARTIAL_SLABS,
  C_EXTRA_FROM_NODE,
  C_FLAGS,
  C_MIN_PARTIAL,
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_PARTIAL_HEAD,
  C_STATE,
  CACHE_ALIVE,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  CPU_WORDS,
  countersInUse,
  LINK_END,
  LINK_LIVE,
  P_LINKS,
  P_OBJECTS,
  P_ODD_INVERSE,
  P_OWN,
  P_PARTIAL,
  P_PARTIAL_COUNT,
  P_SHIFT,
  P_SIZE,
  P_SLAB,
  PD_FIRST,
  type PhysicalMemory,
  packCounters,
  shapeObjects,
} from '../machine/index.js';
import type { AllocatorOptions, CacheAllocator } from './allocator.js';
import { eachGroup, firstBad } from './bulk-free.js';
import { createSlubDebug, zeroing } from './debug.js';
import type { DebugSlabs } from './debug-slabs.js';
import { divide } from './divide.js';
import { SLAB_DEBUG_FLAGS } from './flags.js';
import { createNodeLists } from './node-list.js';
import { createObjectAddresses } from './object-address.js';
import { countInUse, countOnNode } from './slab-counts.js';
import { createSlabPages } from './slab-pages.js';
import { STAT, statisticsOf } from './statistics.js';

/** The operations of all SLUB caches of a machine. */
export interface Slub extends CacheAllocator {
  readonly kind: 'slub';
  readonly debug: DebugSlabs;
  /**
   * A bulk free of what is known to be objects of this cache, in use, each once: nothing is looked at. Whatever their links say is
   * overwritten. Leaves the array's order changed.
   */
  freeKnown(cache: number, objects: PhysAddr[], cpu: number): void;
}

/** Slabs with more free objects than this keep their place when a cache is shrunk. */
const SHRINK_PROMOTE_MAX = 32;

export function createSlub(memory: PhysicalMemory, options: AllocatorOptions): Slub {
  const { ledger } = memory;
  const { faithful, bytes } = options;
  const nodeLists = createNodeLists(ledger);
  const { listFirst, listLast, unlist } = nodeLists;
  const addresses = createObjectAddresses(memory);
  const { slabAt, indexIn, objectAddress, badFree } = addresses;
  const { cache, cpuCache, cpuDouble, slabCounters, slabNext, slabCache, slabLinks, slabShape, link } =
    ledger;
  const cacheRows = ledger.shape.caches + 1;
  const { cpus } = ledger.shape;

  const COUNTING = ledger.statistics.length > 0;
  /** The CPU's line that a slow path works for. */
  let line = 0;
  const count = (p: number, event: number) => {
    ledger.statistics[statisticsOf(p) + event]!++;
  };

  const countSlow = (event: number) => (COUNTING ? count(line, event) : undefined);
  const isDebug = (id: number) => (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB_DEBUG_FLAGS) !== 0;
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);
  const cpuOf = (p: number) => Math.floor(p / (cacheRows * CPU_WORDS));
  const { newSlab, discard } = createSlabPages(memory, {
    ...options,
    objectAddress,
    count: countSlow,
    onNew: (id, slab) => (isDebug(id) ? checks.setUp(id, slab) : undefined),
    onDiscard: (id, slab) => (isDebug(id) ? checks.onDiscard(id, slab) : strays.drop(slab)),
  });
  const hooks = { isDebug, newSlab, discard, freePlain, park, count: countSlow };
  const parts = { ...options, ...nodeLists, ...addresses, ...hooks };
  const { checks, debug, strays, freeBad } = createSlubDebug(memory, parts);

  // ---- alloc -----------------------------------------------------------------------------------------------------------

  function alloc(id: number, gfp: Gfp, cpu: number): PhysAddr {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const own = cpuCache[p + P_OWN]!;
    if (own === 0) return allocSlow(id, gfp, p);
    if (COUNTING) count(p, STAT.alloc_fastpath);
    return takeOwn(p, own);
  }

  /** Hands out the first object of the CPU's own list. */
  function takeOwn(p: number, own: number): PhysAddr {
    const at = cpuCache[p + P_LINKS]! + own - 1;
    cpuCache[p + P_OWN] = link[at]!;
    link[at] = LINK_LIVE;
    return (cpuDouble[(p >> 1) + PD_FIRST]! + (own - 1) * cpuCache[p + P_SIZE]!) as PhysAddr;
  }

  function allocSlow(id: number, gfp: Gfp, p: number): PhysAddr {
    const c = id * CACHE_WORDS;
    if (cache[c + C_STATE] !== CACHE_ALIVE) throw new ArgumentError(`cache ${id} does not exist (any more)`);
    line = p;
    if (COUNTING) count(p, STAT.alloc_slowpath);
    if (isDebug(id)) return debug.alloc(id, gfp, cpuOf(p));
    // Each round either finds an object, gives up the active slab, or takes a slab off a list: it ends.
    while (true) {
      const active = cpuCache[p + P_SLAB]!;
      if (active !== 0) {
        const stray = strays.some ? strays.takeAny(active) : undefined;
        if (stray !== undefined) return stray as PhysAddr;
        const own = takeSlabsList(p);
        if (own !== 0) return takeOwn(p, own);
      }
      const partial = cpuCache[p + P_PARTIAL]!;
      if (partial !== 0) {
        cpuCache[p + P_PARTIAL] = slabNext[partial]!;
        cpuCache[p + P_PARTIAL_COUNT]!--;
        activate(p, partial);
        if (COUNTING) count(p, STAT.cpu_partial_alloc);
        continue;
      }
      if (takeFromNode(c, p)) {
        if (strays.some) park(p);
        if (cpuCache[p + P_OWN] === 0) continue;
        return takeOwn(p, cpuCache[p + P_OWN]!);
      }
      const slab = newSlab(id, c, gfp);
      if (slab === 0) return NULL;
      activate(p, slab);
      const first = slabCounters[slab]! & COUNTERS_FREE;
      cpuCache[p + P_OWN] = first;
      slabCounters[slab] = packCounters(LINK_END, objectsOf(slab), COUNTERS_FROZEN);
      return takeOwn(p, first);
    }
  }

  function activate(p: number, slab: number): void {
    cpuCache[p + P_SLAB] = slab;
    cpuCache[p + P_LINKS] = slabLinks[slab]!;
    cpuDouble[(p >> 1) + PD_FIRST] = objectAddress(slab, 0);
    cpuCache[p + P_OBJECTS] = objectsOf(slab);
  }

  /** The CPU has no active slab: no object can be one of its. */
  function leave(p: number): void {
    cpuCache[p + P_SLAB] = 0;
    cpuCache[p + P_OWN] = 0;
    cpuCache[p + P_OBJECTS] = 0;
  }

  /** Step b: the active slab's own list becomes the CPU's. An empty one makes the slab full. Returns the first object + 1. */
  function takeSlabsList(p: number): number {
    const slab = cpuCache[p + P_SLAB]!;
    const counters = slabCounters[slab]!;
    const first = counters & COUNTERS_FREE;
    if (first === LINK_END) {
      slabCounters[slab] = packCounters(LINK_END, countersInUse(counters), 0);
      leave(p);
      if (COUNTING) count(p, STAT.deactivate_bypass);
      return 0;
    }
    slabCounters[slab] = packCounters(LINK_END, objectsOf(slab), COUNTERS_FROZEN);
    cpuCache[p + P_OWN] = first;
    if (COUNTING) count(p, STAT.alloc_refill);
    return first;
  }

  /** Step d. Returns false if the node has no partial slab. */
  function takeFromNode(c: number, p: number): boolean {
    const first = cache[c + C_PARTIAL_HEAD]!;
    if (first === 0) return false;
    unlist(c, first);
    activate(p, first);
    if (COUNTING) count(p, STAT.alloc_from_partial);
    cpuCache[p + P_OWN] = slabCounters[first]! & COUNTERS_FREE;
    slabCounters[first] = packCounters(LINK_END, objectsOf(first), COUNTERS_FROZEN);
    const extra = cache[c + C_EXTRA_FROM_NODE]!;
    for (let moved = 0; moved < extra; moved++) {
      const slab = cache[c + C_PARTIAL_HEAD]!;
      if (slab === 0) break;
      unlist(c, slab);
      slabCounters[slab]! |= COUNTERS_FROZEN;
      pushCpuPartial(p, slab);
      if (COUNTING) count(p, STAT.cpu_partial_node);
    }
    return true;
  }

  function pushCpuPartial(p: number, slab: number): void {
    slabNext[slab] = cpuCache[p + P_PARTIAL]!;
    cpuCache[p + P_PARTIAL] = slab;
    cpuCache[p + P_PARTIAL_COUNT]!++;
  }

  // ---- slabs leave a CPU ------------------------------------------------------------------------------------

  /** Discards an empty slab where the node has enough partial ones; else it becomes node-partial. For slabs that are on no list. */
  function unfreeze(c: number, slab: number, toFront: boolean, listed: number): void {
    const counters = slabCounters[slab]! & ~COUNTERS_FROZEN;
    slabCounters[slab] = counters;
    if (countersInUse(counters) === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) {
      if (COUNTING) count(line, STAT.deactivate_empty);
      if (COUNTING) count(line, STAT.free_slab);
      discard(c, slab);
      return;
    }
    if (COUNTING) count(line, listed);
    if (toFront) listFirst(c, slab);
    else listLast(c, slab);
  }

  // ---- free --------------------------------------------------------------------------------------------------------------

  function free(id: number, address: PhysAddr, cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpu);
    // Step f needs nothing but this CPU's line and the link: what divides is an object of the active slab.
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const distance = address - cpuDouble[(p >> 1) + PD_FIRST]!;
    const offset = distance | 0;
    const index = divide(offset, cpuCache[p + P_ODD_INVERSE]!, cpuCache[p + P_SHIFT]!);
    if (index >= cpuCache[p + P_OBJECTS]! || offset !== distance) return freeElsewhere(id, p, address, cpu);
    const at = cpuCache[p + P_LINKS]! + index;
    if (link[at] !== LINK_LIVE) return freeBad(id, p, address, cpu);
    link[at] = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = index + 1;
    if (COUNTING) count(p, STAT.free_fastpath);
  }

  /** An object of another slab than the active one, or something that is no object. */
  function freeElsewhere(id: number, p: number, address: PhysAddr, cpu: number): void {
    line = p;
    if (isDebug(id)) return debug.free(id, address, cpu);
    const slab = slabAt(address);
    if (slab === 0 || slabCache[slab] !== id) return freeBad(id, p, address, cpu);
    const index = indexIn(slab, address);
    if (index < 0) return freeBad(id, p, address, cpu);
    const at = slabLinks[slab]! + index;
    if (link[at] !== LINK_LIVE) return freeBad(id, p, address, cpu);
    freeToSlab(id, p, slab, index + 1, at, 1);
  }

  /** A live object of `id`, as a CPU frees it that has another active slab. */
  function freePlain(id: number, address: PhysAddr, cpu: number): void {
    const slab = slabAt(address);
    const index = indexIn(slab, address);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    freeToSlab(id, p, slab, index + 1, slabLinks[slab]! + index, 1);
  }

  /** Where a stray lies on the active slab, its objects wait on the slab's own list: the next alloc has to come by the slow path. */
  function park(p: number): void {
    const slab = cpuCache[p + P_SLAB]!;
    if (slab === 0 || strays.count(slab) === 0) return;
    const own = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = 0;
    returnOwn(slab, own, COUNTERS_FROZEN);
  }

  /** Step g: puts a chain of `count` objects on a slab's own list; `head` is the first object + 1, `tailLink` the last one's link. */
  function freeToSlab(
    id: number,
    p: number,
    slab: number,
    head: number,
    tailLink: number,
    freed: number,
  ): void {
    const c = id * CACHE_WORDS;
    const counters = slabCounters[slab]!;
    const prior = counters & COUNTERS_FREE;
    const used = countersInUse(counters) - freed;
    const frozen = counters & COUNTERS_FROZEN;
    link[tailLink] = prior;
    slabCounters[slab] = packCounters(head, used, frozen);
    line = p;
    if (COUNTING) count(p, STAT.free_slowpath);
    if (COUNTING && frozen !== 0) count(p, STAT.free_frozen);
    if (frozen !== 0) return;
    if (prior === LINK_END) {
      slabCounters[slab] = packCounters(head, used, COUNTERS_FROZEN);
      keepOnCpu(c, p, slab);
      if (COUNTING) count(p, STAT.cpu_partial_free);
    } else if (used === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) {
      if (COUNTING) count(p, STAT.free_remove_partial);
      if (COUNTING) count(p, STAT.free_slab);
      unlist(c, slab);
      discard(c, slab);
    }
  }

  /** A full slab that got an object back: first of this CPU's partial list, after a list that is full has gone to the node. */
  function keepOnCpu(c: number, p: number, slab: number): void {
    let drained = 0;
    const first = cpuCache[p + P_PARTIAL]!;
    if (first !== 0 && cpuCache[p + P_PARTIAL_COUNT]! >= cache[c + C_CPU_PARTIAL_SLABS]!) {
      drained = first;
      cpuCache[p + P_PARTIAL] = 0;
      cpuCache[p + P_PARTIAL_COUNT] = 0;
    }
    pushCpuPartial(p, slab);
    if (drained === 0) return;
    unfreezeChain(c, drained);
    if (COUNTING) count(p, STAT.cpu_partial_drain);
  }

  function unfreezeChain(c: number, first: number): void {
    for (let slab = first; slab !== 0; ) {
      const next = slabNext[slab]!;
      unfreeze(c, slab, false, STAT.free_add_partial);
      slab = next;
    }
  }

  function freeBulk(id: number, objects: PhysAddr[], cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpu);
    const bad = firstBad(ledger, addresses, id, objects);
    if (bad !== undefined && !faithful) throw badFree(id, bad);
    if (bad === undefined) return freeKnown(id, objects, cpu);
    // What happens to a bad one is told where it is freed alone.
    for (let i = objects.length - 1; i >= 0; i--) free(id, objects[i]!, cpu);
  }

  function freeKnown(id: number, objects: PhysAddr[], cpu: number): void {
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    eachGroup(objects, slabAt, (slab, from, to) => freeGroup(id, p, slab, objects, from, to));
  }

  function freeGroup(
    id: number,
    p: number,
    slab: number,
    addresses: readonly PhysAddr[],
    from: number,
    to: number,
  ): void {
    line = p;
    if (isDebug(id)) return debug.freeGroup(id, slab, addresses.slice(from, to).reverse(), cpuOf(p));
    const links = slabLinks[slab]!;
    const head = indexIn(slab, addresses[to - 1]!) + 1;
    let at = links + head - 1;
    for (let i = to - 2; i >= from; i--) {
      const index = indexIn(slab, addresses[i]!);
      link[at] = index + 1;
      at = links + index;
    }
    if (slab !== cpuCache[p + P_SLAB]) return freeToSlab(id, p, slab, head, at, to - from);
    link[at] = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = head;
    if (COUNTING) count(p, STAT.free_fastpath);
  }

  function noSuchCpu(cpu: number): ArgumentError {
    return new ArgumentError(`this machine has CPUs 0 to ${cpus - 1}, not ${cpu}`);
  }

  // ---- shrink, flush, count ----------------------------------------------------------------------------------------------

  /** The CPU's own objects return to their slab, in front of what others freed there; then its slabs go to the node. */
  function flushCpu(id: number, cpu: number): void {
    const c = id * CACHE_WORDS;
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const active = cpuCache[p + P_SLAB]!;
    line = p;
    if (active !== 0) {
      const own = cpuCache[p + P_OWN]!;
      leave(p);
      deactivate(c, active, own);
      if (COUNTING) count(p, STAT.cpuslab_flush);
    }
    const partial = cpuCache[p + P_PARTIAL]!;
    cpuCache[p + P_PARTIAL] = 0;
    cpuCache[p + P_PARTIAL_COUNT] = 0;
    unfreezeChain(c, partial);
  }

  function deactivate(c: number, slab: number, own: number): void {
    const remote = slabCounters[slab]! & COUNTERS_FREE;
    if (COUNTING && remote !== LINK_END) count(line, STAT.deactivate_remote_frees);
    // A slab with nothing free is full and goes on no list; objects that others freed send it to the end.
    const toFront = remote === LINK_END;
    if (returnOwn(slab, own, 0) !== LINK_END) {
      unfreeze(c, slab, toFront, toFront ? STAT.deactivate_to_head : STAT.deactivate_to_tail);
    } else if (COUNTING) count(line, STAT.deactivate_full);
  }

  /** Puts a CPU's own objects in front of their slab's list. Returns that list's first. */
  function returnOwn(slab: number, own: number, frozen: number): number {
    const counters = slabCounters[slab]!;
    const remote = counters & COUNTERS_FREE;
    let returned = 0;
    let last = 0;
    for (let object = own; object !== LINK_END; object = link[last]!) {
      last = slabLinks[slab]! + object - 1;
      returned++;
    }
    if (own !== 0) link[last] = remote;
    const first = own !== 0 ? own : remote;
    slabCounters[slab] = packCounters(first, countersInUse(counters) - returned, frozen);
    return first;
  }

  function shrink(id: number): boolean {
    const c = id * CACHE_WORDS;
    for (let cpu = 0; cpu < cpus; cpu++) flushCpu(id, cpu);
    const byFree: number[][] = Array.from({ length: SHRINK_PROMOTE_MAX }, () => []);
    const rest: number[] = [];
    for (let slab = cache[c + C_PARTIAL_HEAD]!; slab !== 0; ) {
      const next = slabNext[slab]!;
      const freeObjects = objectsOf(slab) - countersInUse(slabCounters[slab]!);
      unlist(c, slab);
      if (freeObjects === objectsOf(slab)) discard(c, slab);
      else if (freeObjects <= SHRINK_PROMOTE_MAX) byFree[freeObjects - 1]!.push(slab);
      else rest.push(slab);
      slab = next;
    }
    // Fewest free objects first, so that nearly full slabs fill up and sparse ones drain; equals come out in reverse.
    for (const slabs of byFree) for (const slab of slabs.reverse()) listLast(c, slab);
    for (const slab of rest) listLast(c, slab);
    return cache[c + C_NR_SLABS] !== 0;
  }

  const live = (id: number) => countInUse(ledger, id) - (isDebug(id) ? debug.lost(id) : 0);
  const freeOnNode = (id: number) => countOnNode(ledger, id).free;
  const allocZeroed = bytes === undefined ? alloc : zeroing(bytes, checks, alloc);
  const operations = { alloc: allocZeroed, free, freeBulk, freeKnown, shrink, flushCpu, live, freeOnNode };
  return { kind: 'slub', ...operations, slabAt, indexIn, debug };
}
