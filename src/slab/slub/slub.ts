/**
 * # SLUB: where the next object comes from
 *
 *     CPU 0  (cpu-slab.ts)                             cache's node  (node.ts)
 *     own list ─▸ o ─▸ o          (free objects of     partial ─▸ [slab 3] ⇄ [slab 3] ⇄ [slab 3]
 *     active   ─▸ [slab 1]         the active slab)
 *     partial  ─▸ [slab 2] ─▸ [slab 2]                 full slabs are on no list: [slab 4] [slab 4]
 *
 * SLUB has two layers: the node knows slabs, its list of partial ones, and when an empty slab is discarded; in front of it each CPU
 * keeps slabs of its own. This file is the way through both, and puts them together.
 *
 * Each slab has a list of free objects of its own; objects that other CPUs free to an active slab wait there. A slab is in one of the
 * states of ledger.ts: 1 active, 2 CPU-partial, 3 node-partial, 4 full. States 1 and 2 are *frozen*: one CPU owns the slab, and nobody else
 * moves it. (Kernels say so up to 6.7; since "slub: Delay freezing of partial slabs", 6.8, only the active slab has the bit.)
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
 *  g. else on its slab's own list (slab-frees.ts). That moves the slab only if it is not frozen:
 *     - a full slab becomes the first of the *freeing* CPU's partial list (4 → 2). If that list holds cpuPartialSlabs already, all of
 *       it first goes to the end of the node's list (2 → 3), where empty slabs are discarded once minPartial are there;
 *     - a node-partial slab that becomes empty is discarded if the node has at least minPartial partial slabs, this one included;
 *       else it stays where it is.
 *
 * A cache with a debug flag has no per-CPU part (debugged.ts).
 *
 * ## In bulk, and shrinking
 *  h. A bulk allocation is so many single ones. A bulk free takes the array from its end in groups of one slab (bulk.ts); the last
 *     element of a group is the first to be handed out again.
 *  i. To shrink, each CPU gives up its slabs, and then the node is shrunk.
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
  C_NR_SLABS,
  C_STATE,
  CACHE_ALIVE,
  CACHE_WORDS,
  CPU_WORDS,
  LINK_LIVE,
  noSuchCpu,
  P_LINKS,
  P_OBJECTS,
  P_ODD_INVERSE,
  P_OWN,
  P_SHIFT,
  P_SIZE,
  P_SLAB,
  PD_FIRST,
  type PhysicalMemory,
} from '../../machine/index.js';
import {
  type AllocatorOptions,
  type CacheAllocator,
  createEventCounter,
  divide,
  STAT,
} from '../cache/index.js';
import { BAD_FREE, createFreeBad, type DebugSlabs, zeroing } from '../debug/index.js';
import { countInUse, countOnNode } from '../slabs/index.js';
import { whileUnkept } from '../workers/index.js';
import { type BulkFree, createBulkFree } from './bulk.js';
import { createCpuSlabs } from './cpu-slab.js';
import { createNodeParts } from './node-parts.js';
import { createSlabFrees } from './slab-frees.js';

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
  const { ledger, locks } = memory;
  const { faithful, bytes } = options;
  const parts = createNodeParts(memory, options);
  const { addresses, strays, pages, node, debugged, isDebug } = parts;
  const { slabAt, indexIn, objectAddress } = addresses;
  const cpuSlabs = createCpuSlabs(memory, node, parts.locks, objectAddress);
  const freeBad = createFreeBad(ledger, { ...options, ...parts, ...addresses });
  const { concurrent, takeSlab } = parts.locks;
  const { activate, takeList, takeActive, takePartial, takeFromNode } = cpuSlabs;
  const frees = createSlabFrees(memory, node, cpuSlabs, parts.locks);
  const { takeForFree, isStill, letGo, freeToSlab } = frees;
  const { cache, cpuCache, cpuDouble, slabCounters, slabCache, slabLinks, link } = ledger;
  const cacheRows = ledger.shape.caches + 1;
  const { cpus } = ledger.shape;

  const COUNTING = ledger.statistics.length > 0;
  const count = createEventCounter(ledger);
  /**
   * The address of a free that goes on in `freeElsewhere`, which is not compiled into its caller: as an argument it would be a number on
   * the heap.
   */
  const addressElsewhere = new Float64Array(1);

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
    count(p, STAT.alloc_slowpath);
    if (isDebug(id)) return debugged.alloc(id, gfp, p);
    // Each round either finds an object, gives up the active slab, or takes a slab off a list: it ends.
    while (true) {
      const active = cpuCache[p + P_SLAB]!;
      if (active !== 0) {
        const stray = strays.some ? strays.takeAny(active) : undefined;
        if (stray !== undefined) return stray as PhysAddr;
        const own = takeActive(p);
        if (own !== 0) return takeOwn(p, own);
      }
      if (takePartial(p)) continue;
      if (takeFromNode(c, p)) {
        if (strays.some) parkStrays(p);
        if (cpuCache[p + P_OWN] === 0) continue;
        return takeOwn(p, cpuCache[p + P_OWN]!);
      }
      const slab = grows ? pages.newSlab(id, c, p, gfp) : 0;
      if (slab === 0) return NULL;
      // A constructor may have freed to this cache and taken from it: then this CPU has an active slab again.
      if (cpuCache[p + P_SLAB] !== 0) cpuSlabs.giveUpActive(c, p);
      activate(p, slab);
      pages.putDown();
      return takeOwn(p, takeList(p, slab, takeSlab(slab, p)));
    }
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
      addressElsewhere[0] = address;
      return freeElsewhere(id, p, cpu);
    }
    const at = cpuCache[p + P_LINKS]! + index;
    if (link[at] !== LINK_LIVE) return refuse(id, p, address, cpu);
    link[at] = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = index + 1;
    if (COUNTING) count(p, STAT.free_fastpath);
  }

  /** An object of another slab than the active one, or something that is no object. Its address is `addressElsewhere`. */
  function freeElsewhere(id: number, p: number, cpu: number): void {
    const address = addressElsewhere[0] as PhysAddr;
    // The handle of a cache that was closed: by a destroy, or because this thread is no CPU any more.
    if (id === 0) locks.check();
    if (isDebug(id)) return finish(debugged.free(id, p, address), p, address, cpu);
    const slab = slabAt(address);
    if (slab === 0 || slabCache[slab] !== id) return refuse(id, p, address, cpu);
    const index = indexIn(slab, address);
    if (index < 0) return refuse(id, p, address, cpu);
    const at = slabLinks[slab]! + index;
    if (link[at] !== LINK_LIVE) return refuse(id, p, address, cpu);
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
    refuse(id, p, address, cpu);
  }

  /** What is no live object of the cache: an error, or in the faithful mode what is left to do of what a kernel does. */
  function refuse(id: number, p: number, address: PhysAddr, cpu: number): void {
    finish(freeBad(id, p, address, cpu), p, address, cpu);
  }

  /** What a bad free leaves to the layer that has slabs of CPUs (debug/bad-free.ts). */
  function finish(outcome: number, p: number, address: PhysAddr, cpu: number): void {
    if (outcome === BAD_FREE.ELSEWHERE) freePlain(slabCache[slabAt(address)]!, address, cpu);
    else if (outcome === BAD_FREE.STRAY && slabAt(address) === cpuCache[p + P_SLAB]) parkStrays(p);
  }

  /** Where a stray lies on the active slab, its objects wait on the slab's own list: the next alloc has to come by the slow path. */
  function parkStrays(p: number): void {
    const slab = cpuCache[p + P_SLAB]!;
    if (slab !== 0 && strays.count(slab) !== 0) cpuSlabs.park(p);
  }

  /** A live object of `id`, as a CPU frees it that has another active slab. */
  function freePlain(id: number, address: PhysAddr, cpu: number): void {
    const slab = slabAt(address);
    const index = indexIn(slab, address);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    if (concurrent()) return freeAmong(id, p, slab, index, address, cpu);
    freeToSlab(id, p, slab, slabCounters[slab]!, index + 1, slabLinks[slab]! + index, 1);
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

  // ---- bulk, shrink, flush, count ----------------------------------------------------------------------------------------

  const bulk = createBulkFree(memory, addresses, {
    ...frees,
    faithful,
    concurrent,
    free,
    countOwn: (p) => count(p, STAT.free_fastpath),
    isDebug,
    freeGroupDebug: debugged.freeGroup,
  });

  /**
   * The CPU's own objects return to their slab, in front of what others freed there; then its slabs go to the node. A CPU that is another
   * thread's keeps what it has.
   */
  function flushCpu(id: number, cpu: number): void {
    locks.check();
    if (concurrent() && cpu !== locks.cpu) return;
    cpuSlabs.flush(id * CACHE_WORDS, (cpu * cacheRows + id) * CPU_WORDS);
  }

  function shrink(id: number): boolean {
    const c = id * CACHE_WORDS;
    for (let cpu = 0; cpu < cpus; cpu++) flushCpu(id, cpu);
    node.shrink(c);
    return cache[c + C_NR_SLABS] !== 0;
  }

  return {
    kind: 'slub',
    alloc: bytes === undefined ? alloc : zeroing(bytes, parts.checks, { alloc, free }),
    free,
    freeBulk(id, objects, cpu) {
      if (cpu >>> 0 !== cpu || cpu >= cpus) throw refuseCpu(cpu);
      if (id === 0) locks.check();
      bulk.freeBulk(id, objects, cpu);
    },
    allocHeld,
    freeIndices: bulk.freeIndices,
    freeChain,
    shrink,
    flushCpu,
    whileUnkept: (id, act) => whileUnkept(memory, id, act),
    live: (id) => countInUse(ledger, id) - (isDebug(id) ? parts.debug.lost(id) : 0),
    freeOnNode: (id) => countOnNode(ledger, id).free,
    slabAt,
    indexIn,
    debug: debugged.whole,
    emptyHand: pages.emptyHand,
  };
}
