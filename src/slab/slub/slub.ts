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
 * to the front, and a full slab that gets an object back goes to the end (debug/slabs.ts).
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
 * A slab's state word (`slabCounters`) packs first free object, objects in use and frozen, and it is the slab's lock (machine/locks.ts).
 *
 * ## Several CPUs at once
 * Steps a and f touch nothing but the CPU's own line and links of its active slab that no list of others holds: they lock nothing. In
 * all others, what is locked is:
 *  - a slab, while its own list or `frozen` changes (b, c, d, g): whether it is frozen and who keeps it change in the same section;
 *  - the node, while slabs come to its list or leave it (d, i, the last two of g), and all that a debugged cache does.
 * A slab that is not frozen and has a free object is on the node's list, always, unless the node is locked. A word is read
 * before it is locked to know whether the node has to be locked first; if it is another one by then, the step begins again.
 * Each CPU flushes itself: nobody takes a slab from a CPU that is at work, so a shrink leaves alone what other CPUs have.
 *
 * Which slab an address lies in is looked up before that slab is locked. Until it is, another CPU may free the object, the slab may go, and
 * its id may become another slab's: under the lock is looked again whose slab it is and whether the object is live. So an object that two
 * CPUs free at the same moment is refused to the second one; only where one of them owns the active slab nobody looks.
 *
 * Rules: truth/README.md, "SLUB at run time", learnt from recorded sequences of a real Linux 6.1 and checked against
 * them: slab, index, birth and death of every slab, list order, sysfs counters. Ideas: Christoph Lameter, "SLUB: The unqueued
 * slab allocator" (2007); Bonwick, "The Slab Allocator" (USENIX 1994).
 */
import { ArgumentError, type Gfp, NULL, type PhysAddr } from '../../base/index.js';
import {
  C_CPU_PARTIAL_SLABS,
  C_EXTRA_FROM_NODE,
  C_FLAGS,
  C_LOCK,
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
  H_CONCURRENT,
  J_SENT,
  LINK_END,
  LINK_LIVE,
  noSuchCpu,
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
} from '../../machine/index.js';
import { type AllocatorOptions, type CacheAllocator, divide, STAT, statisticsOf } from '../cache/index.js';
import { createSlubDebug, type DebugSlabs, zeroing } from '../debug/index.js';
import { SLAB_DEBUG_FLAGS } from '../kernel/index.js';
import {
  countInUse,
  countOnNode,
  createNodeLists,
  createObjectAddresses,
  createSlabPages,
} from '../slabs/index.js';
import { whileOnNode, whileUnkept } from '../workers/index.js';
import { type BulkFree, createBulkFree } from './bulk.js';

/** The operations of all SLUB caches of a machine. */
export interface Slub extends CacheAllocator, Pick<BulkFree, 'freeIndices'> {
  readonly kind: 'slub';
  /**
   * One of the objects that the cache has already, for a CPU that there is; NULL rather than a new slab. Not for a debugged cache.
   */
  allocHeld(cache: number, gfp: Gfp, cpu: number): PhysAddr;
  readonly debug: DebugSlabs;
  /**
   * The same as `freeIndices` for objects whose links lead from one to the next: `head` is the first one's index + 1, `tailLink` the last
   * one's link. While one thread has the machine.
   */
  freeChain(cache: number, cpu: number, slab: number, head: number, tailLink: number, freed: number): void;
  /** What this thread's CPU has in hand goes back (slabs/pages.ts). */
  emptyHand(): void;
}

/** SLUB over a machine's memory. All of its state is in the ledger. */
export function createSlub(memory: PhysicalMemory, options: AllocatorOptions): Slub {
  const { ledger } = memory;
  const { faithful, bytes } = options;
  const { locks } = memory;
  const SHARED = locks.shared;
  const nodeLists = createNodeLists(ledger);
  const { listFirst, listLast, unlist } = nodeLists;
  const addresses = createObjectAddresses(memory);
  const { slabAt, indexIn, objectAddress } = addresses;
  const { cache, cpuCache, cpuDouble, slabCounters, slabNext, slabCache } = ledger;
  const { slabLinks, slabShape, link } = ledger;
  const { header, journal } = ledger;
  const cacheRows = ledger.shape.caches + 1;
  const { cpus } = ledger.shape;

  const COUNTING = ledger.statistics.length > 0;
  /** An address on its way into a function that is not compiled into its caller: as an argument it would be a number on the heap. */
  const given = new Float64Array(1);
  /** The CPU's line that a slow path works for. */
  let line = 0;
  const count = (p: number, event: number) => {
    ledger.statistics[statisticsOf(p) + event]!++;
  };

  const countSlow = (event: number) => (COUNTING ? count(line, event) : undefined);
  const isDebug = (id: number) => (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB_DEBUG_FLAGS) !== 0;
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);
  const cpuOf = (p: number) => Math.floor(p / (cacheRows * CPU_WORDS));
  const { newSlab, discard, putDown, emptyHand } = createSlabPages(memory, {
    ...options,
    objectAddress,
    count: countSlow,
    onNew: (id, slab) => (isDebug(id) ? checks.setUp(id, slab) : undefined),
    onDiscard: (id, slab) => (isDebug(id) ? checks.onDiscard(id, slab) : strays.drop(slab)),
  });
  const hooks = { isDebug, newSlab: newForDebug, discard, freePlain, park, count: countSlow };
  const parts = { ...options, ...nodeLists, ...addresses, ...hooks };
  const { checks, debug, strays, freeBad } = createSlubDebug(memory, parts);

  // Small, so that they are compiled into their callers: what one thread pays is a look at a constant, and in shared memory at a word.
  const concurrent = () => SHARED && header[H_CONCURRENT] !== 0;
  const takeSlab = (slab: number, p: number): number =>
    concurrent() ? locks.takeSlab(slab, p) : slabCounters[slab]!;
  const releaseSlab = (slab: number, counters: number): void => {
    if (concurrent()) locks.releaseSlab(slab, counters);
    else slabCounters[slab] = counters;
  };
  const takeNode = (c: number): void => {
    if (concurrent()) locks.take(cache, c + C_LOCK, 'the node of a cache');
  };
  const releaseNode = (c: number): void => {
    if (concurrent()) locks.release(cache, c + C_LOCK);
  };

  /** Does something to a debugged cache, of which nothing happens outside the node's lock. */
  const onNode = <T>(c: number, act: () => T): T => whileOnNode(memory, c, act);

  /** The slab's place is what a debugged cache makes of it next; nobody else can look at the node before. */
  function newForDebug(id: number, c: number, gfp: Gfp): number {
    const slab = newSlab(id, c, gfp);
    if (slab !== 0 && concurrent()) {
      slabCounters[slab]! &= ~COUNTERS_FROZEN;
      putDown();
    }
    return slab;
  }

  // Functions of their own: one that makes a closure pays for it at each call, whether it comes to that or not.
  function allocDebug(id: number, gfp: Gfp, p: number): PhysAddr {
    return onNode(id * CACHE_WORDS, () => debug.alloc(id, gfp, cpuOf(p)));
  }

  function freeDebug(id: number, address: PhysAddr, cpu: number): void {
    onNode(id * CACHE_WORDS, () => debug.free(id, address, cpu));
  }

  function freeGroupDebug(id: number, p: number, slab: number, chain: readonly PhysAddr[]): void {
    line = p;
    onNode(id * CACHE_WORDS, () => debug.freeGroup(id, slab, chain, cpuOf(p)));
  }

  const bulk = createBulkFree(memory, addresses, {
    faithful,
    concurrent,
    takeForFree,
    isStill,
    letGo,
    freeToSlab,
    free,
    countOwn: (p) => (COUNTING ? count(p, STAT.free_fastpath) : undefined),
    isDebug,
    freeGroupDebug,
  });

  // ---- alloc -----------------------------------------------------------------------------------------------------------

  function alloc(id: number, gfp: Gfp, cpu: number): PhysAddr {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw refuseCpu(cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const own = cpuCache[p + P_OWN]!;
    if (own === 0) return allocSlow(id, gfp, p, true);
    if (COUNTING) count(p, STAT.alloc_fastpath);
    return takeOwn(p, own);
  }

  function allocHeld(id: number, gfp: Gfp, cpu: number): PhysAddr {
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const own = cpuCache[p + P_OWN]!;
    return own === 0 ? allocSlow(id, gfp, p, false) : takeOwn(p, own);
  }

  /** Hands out the first object of the CPU's own list. */
  function takeOwn(p: number, own: number): PhysAddr {
    const at = cpuCache[p + P_LINKS]! + own - 1;
    cpuCache[p + P_OWN] = link[at]!;
    link[at] = LINK_LIVE;
    return (cpuDouble[(p >> 1) + PD_FIRST]! + (own - 1) * cpuCache[p + P_SIZE]!) as PhysAddr;
  }

  function allocSlow(id: number, gfp: Gfp, p: number, grows: boolean): PhysAddr {
    const c = id * CACHE_WORDS;
    if (id === 0) locks.check();
    if (cache[c + C_STATE] !== CACHE_ALIVE) throw new ArgumentError(`cache ${id} does not exist (any more)`);
    line = p;
    if (COUNTING) count(p, STAT.alloc_slowpath);
    if (isDebug(id)) return allocDebug(id, gfp, p);
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
        // In this order: a CPU that dies in between holds the slab twice, and not nowhere.
        activate(p, partial);
        cpuCache[p + P_PARTIAL] = slabNext[partial]!;
        cpuCache[p + P_PARTIAL_COUNT]!--;
        if (COUNTING) count(p, STAT.cpu_partial_alloc);
        continue;
      }
      if (takeFromNode(c, p)) {
        if (strays.some) park(p);
        if (cpuCache[p + P_OWN] === 0) continue;
        return takeOwn(p, cpuCache[p + P_OWN]!);
      }
      const slab = grows ? newSlab(id, c, gfp) : 0;
      if (slab === 0) return NULL;
      // A constructor may have freed to this cache and taken from it: then this CPU has an active slab again.
      if (cpuCache[p + P_SLAB] !== 0) giveUpActive(c, p);
      activate(p, slab);
      putDown();
      return takeOwn(p, takeList(p, slab, takeSlab(slab, p)));
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
    const counters = takeSlab(slab, p);
    if ((counters & COUNTERS_FREE) === LINK_END) {
      leave(p);
      releaseSlab(slab, packCounters(LINK_END, countersInUse(counters), 0));
      if (COUNTING) count(p, STAT.deactivate_bypass);
      return 0;
    }
    if (COUNTING) count(p, STAT.alloc_refill);
    return takeList(p, slab, counters);
  }

  /** What is free on a locked slab's own list is this CPU's now, and the slab is frozen. Returns the first object + 1. */
  function takeList(p: number, slab: number, counters: number): number {
    const first = counters & COUNTERS_FREE;
    cpuCache[p + P_OWN] = first;
    releaseSlab(slab, packCounters(LINK_END, objectsOf(slab), COUNTERS_FROZEN));
    return first;
  }

  /** Step d. Returns false if the node has no partial slab. */
  function takeFromNode(c: number, p: number): boolean {
    if (cache[c + C_PARTIAL_HEAD] === 0) return false;
    takeNode(c);
    const first = cache[c + C_PARTIAL_HEAD]!;
    if (first !== 0) {
      unlist(c, first);
      const counters = takeSlab(first, p);
      activate(p, first);
      takeList(p, first, counters);
      if (COUNTING) count(p, STAT.alloc_from_partial);
      takeExtra(c, p);
    }
    releaseNode(c);
    return first !== 0;
  }

  function takeExtra(c: number, p: number): void {
    const extra = cache[c + C_EXTRA_FROM_NODE]! >>> 0;
    for (let moved = 0; moved < extra; moved++) {
      const slab = cache[c + C_PARTIAL_HEAD]!;
      if (slab === 0) break;
      unlist(c, slab);
      const counters = takeSlab(slab, p);
      pushCpuPartial(p, slab);
      releaseSlab(slab, counters | COUNTERS_FROZEN);
      if (COUNTING) count(p, STAT.cpu_partial_node);
    }
  }

  function pushCpuPartial(p: number, slab: number): void {
    slabNext[slab] = cpuCache[p + P_PARTIAL]!;
    cpuCache[p + P_PARTIAL] = slab;
    cpuCache[p + P_PARTIAL_COUNT]!++;
  }

  // ---- slabs leave a CPU ------------------------------------------------------------------------------------

  /**
   * A slab that is on no list and frozen no more finds its place under the node's lock: full on no list, empty nowhere where the node has
   * enough partial ones, else node-partial. `counters` is its word as it was when it left the CPU.
   */
  function place(c: number, slab: number, counters: number, toFront: boolean, listed: number): void {
    if (countersInUse(counters) === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) {
      if (COUNTING) count(line, STAT.deactivate_empty);
      if (COUNTING) count(line, STAT.free_slab);
      discard(c, slab);
      return;
    }
    if (countersInUse(counters) === objectsOf(slab)) return;
    if (COUNTING) count(line, listed);
    if (toFront) listFirst(c, slab);
    else listLast(c, slab);
  }

  /** All slabs of a CPU's partial list go to the node, in their order. */
  function unfreezePartial(c: number, p: number): void {
    if (cpuCache[p + P_PARTIAL] === 0) return;
    takeNode(c);
    for (let slab = cpuCache[p + P_PARTIAL]!; slab !== 0; slab = cpuCache[p + P_PARTIAL]!) {
      const counters = takeSlab(slab, p) & ~COUNTERS_FROZEN;
      cpuCache[p + P_PARTIAL] = slabNext[slab]!;
      cpuCache[p + P_PARTIAL_COUNT]!--;
      releaseSlab(slab, counters);
      place(c, slab, counters, false, STAT.free_add_partial);
    }
    releaseNode(c);
  }

  // ---- free --------------------------------------------------------------------------------------------------------------

  function free(id: number, address: PhysAddr, cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw refuseCpu(cpu);
    // Step f needs nothing but this CPU's line and the link: what divides is an object of the active slab.
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const distance = address - cpuDouble[(p >> 1) + PD_FIRST]!;
    const offset = distance | 0;
    const index = divide(offset, cpuCache[p + P_ODD_INVERSE]!, cpuCache[p + P_SHIFT]!);
    if (index >= cpuCache[p + P_OBJECTS]! || offset !== distance) {
      given[0] = address;
      return freeElsewhere(id, p, cpu);
    }
    const at = cpuCache[p + P_LINKS]! + index;
    if (link[at] !== LINK_LIVE) return freeBad(id, p, address, cpu);
    link[at] = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = index + 1;
    if (COUNTING) count(p, STAT.free_fastpath);
  }

  /** An object of another slab than the active one, or something that is no object. Its address is `given`. */
  function freeElsewhere(id: number, p: number, cpu: number): void {
    const address = given[0] as PhysAddr;
    line = p;
    // The handle of a cache that was closed: by a destroy, or because this thread is no CPU any more.
    if (id === 0) locks.check();
    if (isDebug(id)) return freeDebug(id, address, cpu);
    const slab = slabAt(address);
    if (slab === 0 || slabCache[slab] !== id) return freeBad(id, p, address, cpu);
    const index = indexIn(slab, address);
    if (index < 0) return freeBad(id, p, address, cpu);
    const at = slabLinks[slab]! + index;
    if (link[at] !== LINK_LIVE) return freeBad(id, p, address, cpu);
    if (concurrent()) return freeAmong(id, p, slab, index, address, cpu);
    freeToSlab(id, p, slab, slabCounters[slab]!, index + 1, at, 1);
  }

  /** The same among several CPUs. */
  function freeAmong(
    id: number,
    p: number,
    slab: number,
    index: number,
    address: PhysAddr,
    cpu: number,
  ): void {
    const counters = takeForFree(id, p, slab, 1);
    // Another CPU may have freed it in the meantime: then it is not live, or its slab is gone, or the slab's id is another slab's.
    const there =
      slabAt(address) === slab && isStill(id, slab, counters, 1) && indexIn(slab, address) === index;
    const at = slabLinks[slab]! + index;
    if (there && link[at] === LINK_LIVE) {
      locks.noteChain(index + 1, LINK_LIVE);
      return freeToSlab(id, p, slab, counters, index + 1, at, 1);
    }
    letGo(id, slab, counters, 1);
    freeBad(id, p, address, cpu);
  }

  /** Under its lock: the slab is one of this cache, and has so many objects in use. An empty one may be on its way out. */
  function isStill(id: number, slab: number, counters: number, freed: number): boolean {
    return slabCache[slab] === id && countersInUse(counters) >= freed;
  }

  /** A live object of `id`, as a CPU frees it that has another active slab. */
  function freePlain(id: number, address: PhysAddr, cpu: number): void {
    const slab = slabAt(address);
    const index = indexIn(slab, address);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    if (concurrent()) return freeAmong(id, p, slab, index, address, cpu);
    freeToSlab(id, p, slab, slabCounters[slab]!, index + 1, slabLinks[slab]! + index, 1);
  }

  /** Where a stray lies on the active slab, its objects wait on the slab's own list: the next alloc has to come by the slow path. */
  function park(p: number): void {
    const slab = cpuCache[p + P_SLAB]!;
    if (slab === 0 || strays.count(slab) === 0) return;
    const own = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = 0;
    releaseSlab(slab, withOwn(slab, takeSlab(slab, p), own) | COUNTERS_FROZEN);
  }

  /**
   * Among several CPUs: locks a slab of which objects will be freed, and the node too if the slab may leave its list; makes room on the
   * CPU's partial list if the slab will go there. Returns the slab's word. Until it is locked the slab may go, and its id may become
   * another's: whoever calls looks again whose it is.
   */
  function takeForFree(id: number, p: number, slab: number, freed: number): number {
    const c = id * CACHE_WORDS;
    line = p;
    // Each round that begins again saw another CPU's step succeed.
    while (true) {
      const seen = slabCounters[slab]!;
      const leaves = emptiesPartial(slab, seen, freed);
      if (leaves) takeNode(c);
      else if (isFull(slab, seen)) makeRoom(c, p);
      const counters = locks.takeSlab(slab, p, true);
      if (emptiesPartial(slab, counters, freed) === leaves) return counters;
      releaseSlab(slab, counters);
      if (leaves) releaseNode(c);
    }
  }

  /** The slab is node-partial, and these are its last objects in use. Holds for a locked word too. */
  function emptiesPartial(slab: number, counters: number, freed: number): boolean {
    const used = countersInUse(counters);
    return counters >= 0 && used === freed && used !== objectsOf(slab);
  }

  /** Nothing is free and nobody keeps it: the CPU that frees to it gets it. */
  function isFull(slab: number, counters: number): boolean {
    return counters >= 0 && countersInUse(counters) === objectsOf(slab);
  }

  /** Unlocks what `takeForFree` locked; nothing was freed. */
  function letGo(id: number, slab: number, counters: number, freed: number): void {
    const leaves = emptiesPartial(slab, counters, freed);
    releaseSlab(slab, counters);
    if (leaves) releaseNode(id * CACHE_WORDS);
  }

  /**
   * Step g: puts a chain of `freed` objects on the own list of a slab, which `takeForFree` locked among several CPUs; `head` is the first
   * object + 1, `tailLink` the last one's link.
   */
  function freeToSlab(
    id: number,
    p: number,
    slab: number,
    counters: number,
    head: number,
    tailLink: number,
    freed: number,
  ): void {
    const c = id * CACHE_WORDS;
    const prior = counters & COUNTERS_FREE;
    const used = countersInUse(counters) - freed;
    const frozen = counters & COUNTERS_FROZEN;
    link[tailLink] = prior;
    // Whatever else this CPU notes of the group (sheaf/flush.ts): it is gone when the slab is unlocked.
    if (concurrent()) journal[locks.journal + J_SENT] = 1;
    line = p;
    if (COUNTING) count(p, STAT.free_slowpath);
    if (frozen !== 0) {
      releaseSlab(slab, packCounters(head, used, frozen));
      if (COUNTING) count(p, STAT.free_frozen);
    } else if (prior === LINK_END) {
      // Among several CPUs there is room already: the node comes before the slab.
      if (!concurrent()) makeRoom(c, p);
      pushCpuPartial(p, slab);
      releaseSlab(slab, packCounters(head, used, COUNTERS_FROZEN));
      if (COUNTING) count(p, STAT.cpu_partial_free);
    } else {
      releaseSlab(slab, packCounters(head, used, 0));
      if (used === 0) leaveNode(c, p, slab);
    }
  }

  /** A node-partial slab is empty now, and this CPU has the node's lock, which it lets go. */
  function leaveNode(c: number, p: number, slab: number): void {
    if (cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) {
      if (COUNTING) count(p, STAT.free_remove_partial);
      if (COUNTING) count(p, STAT.free_slab);
      unlist(c, slab);
      discard(c, slab);
    }
    releaseNode(c);
  }

  /** A CPU's partial list that is full goes to the node, so that a slab can be its first. */
  function makeRoom(c: number, p: number): void {
    if (cpuCache[p + P_PARTIAL] === 0) return;
    if (cpuCache[p + P_PARTIAL_COUNT]! < cache[c + C_CPU_PARTIAL_SLABS]! >>> 0) return;
    unfreezePartial(c, p);
    if (COUNTING) count(p, STAT.cpu_partial_drain);
  }

  function freeChain(
    id: number,
    cpu: number,
    slab: number,
    head: number,
    tailLink: number,
    freed: number,
  ): void {
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    if (slab !== cpuCache[p + P_SLAB])
      return freeToSlab(id, p, slab, slabCounters[slab]!, head, tailLink, freed);
    link[tailLink] = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = head;
    if (COUNTING) count(p, STAT.free_fastpath);
  }

  /** A thread that is no CPU any more is told that. */
  function refuseCpu(cpu: number): ArgumentError {
    locks.check();
    return noSuchCpu(cpus, cpu);
  }

  // ---- shrink, flush, count ----------------------------------------------------------------------------------------------

  /**
   * The CPU's own objects return to their slab, in front of what others freed there; then its slabs go to the node. A CPU that is another
   * thread's keeps what it has.
   */
  function flushCpu(id: number, cpu: number): void {
    locks.check();
    if (concurrent() && cpu !== locks.cpu) return;
    const c = id * CACHE_WORDS;
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    line = p;
    if (cpuCache[p + P_SLAB] !== 0) giveUpActive(c, p);
    unfreezePartial(c, p);
  }

  function giveUpActive(c: number, p: number): void {
    line = p;
    deactivate(c, p);
    if (COUNTING) count(p, STAT.cpuslab_flush);
  }

  function deactivate(c: number, p: number): void {
    const slab = cpuCache[p + P_SLAB]!;
    takeNode(c);
    const counters = takeSlab(slab, p);
    // A slab with nothing free is full and goes on no list; objects that others freed send it to the end.
    const toFront = (counters & COUNTERS_FREE) === LINK_END;
    if (COUNTING && !toFront) count(p, STAT.deactivate_remote_frees);
    const left = withOwn(slab, counters, cpuCache[p + P_OWN]!);
    leave(p);
    releaseSlab(slab, left);
    if (COUNTING && (left & COUNTERS_FREE) === LINK_END) count(p, STAT.deactivate_full);
    place(c, slab, left, toFront, toFront ? STAT.deactivate_to_head : STAT.deactivate_to_tail);
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

  function shrink(id: number): boolean {
    const c = id * CACHE_WORDS;
    for (let cpu = 0; cpu < cpus; cpu++) flushCpu(id, cpu);
    onNode(c, () => nodeLists.shrinkNode(c, discard));
    return cache[c + C_NR_SLABS] !== 0;
  }

  const live = (id: number) => countInUse(ledger, id) - (isDebug(id) ? debug.lost(id) : 0);
  const freeOnNode = (id: number) => countOnNode(ledger, id).free;
  const allocZeroed = bytes === undefined ? alloc : zeroing(bytes, checks, { alloc, free });
  const kept = (id: number, act: () => void) => whileUnkept(memory, id, act);
  const whole: DebugSlabs = {
    ...debug,
    validate: (id) => onNode(id * CACHE_WORDS, () => debug.validate(id)),
    dropLost: (id) => onNode(id * CACHE_WORDS, () => debug.dropLost(id)),
  };
  const operations = {
    alloc: allocZeroed,
    free,
    freeBulk: (id: number, objects: PhysAddr[], cpu: number) => {
      if (cpu >>> 0 !== cpu || cpu >= cpus) throw refuseCpu(cpu);
      if (id === 0) locks.check();
      bulk.freeBulk(id, objects, cpu);
    },
    allocHeld,
    freeIndices: bulk.freeIndices,
    freeChain,
    shrink,
    flushCpu,
    live,
    freeOnNode,
  };
  return { kind: 'slub', ...operations, slabAt, indexIn, debug: whole, emptyHand, whileUnkept: kept };
}
