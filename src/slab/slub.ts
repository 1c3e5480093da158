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
 *     move to the CPU's partial list (3 → 2);
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
 * to the front, and a full slab that gets an object back goes to the end.
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
import { ArgumentError, type Gfp, NO_PFN, NULL, type Pfn, type PhysAddr } from '../base/index.js';
import {
  __GFP,
  C_ALLOCFLAGS,
  C_CPU_PARTIAL_SLABS,
  C_EXTRA_FROM_NODE,
  C_FAILED,
  C_FLAGS,
  C_MIN,
  C_MIN_PARTIAL,
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_OO,
  C_ORDER_FALLBACK,
  C_PARTIAL_HEAD,
  C_SLABS_MADE,
  C_STATE,
  C_TOTAL_OBJECTS,
  CACHE_ALIVE,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  COUNTERS_INUSE,
  COUNTERS_INUSE_SHIFT,
  CPU_WORDS,
  GFP_KNOWN_BITS,
  GFP_SLAB_BUG_BITS,
  giveLinks,
  giveSlabId,
  H_SLAB_HIGH,
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
  takeLinks,
  takeSlabId,
} from '../machine/index.js';
import { divide } from './divide.js';
import { SLAB_DEBUG_FLAGS } from './flags.js';
import { createNodeLists } from './node-list.js';
import { createObjectAddresses } from './object-address.js';
import { type SlubReports, unexpectedGfp } from './reports.js';

/** The operations of all SLUB caches of a machine. Caches are named by their id in the ledger, CPUs by number. */
export interface Slub {
  /** An object's address, or NULL when no memory could be had. */
  alloc(cache: number, gfp: Gfp, cpu: number): PhysAddr;
  /** Throws BadFreeError for what is not a live object of this cache; then nothing changed. */
  free(cache: number, address: PhysAddr, cpu: number): void;
  /** Frees all of them, or throws BadFreeError and frees none. Leaves the array's order changed, as the kernel does. */
  freeBulk(cache: number, addresses: PhysAddr[], cpu: number): void;
  /** Gives empty slabs back. Returns true if slabs are left. */
  shrink(cache: number): boolean;
  /** Takes all slabs off one CPU, as when it goes away. */
  flushCpu(cache: number, cpu: number): void;
  /** Live objects, counted from the slabs. */
  live(cache: number): number;
  /** Free objects of the slabs on the node's list: the only ones that the kernel's counters know to be free. */
  freeOnNode(cache: number): number;
  /** The slab that holds an address, or 0. */
  slabAt(address: number): number;
  /** The index in its slab of the object that begins at an address, or -1. */
  indexIn(slab: number, address: number): number;
}

export interface SlubOptions {
  /** Called for each object of a new slab, in ascending order. */
  construct(cache: number, address: PhysAddr): void;
  hasConstructor(cache: number): boolean;
  readonly reports: SlubReports;
}

/** How many empty-handed neighbours a bulk free looks past before it frees the group it has. */
const BULK_LOOKAHEAD = 3;
/** Slabs with more free objects than this keep their place when a cache is shrunk. */
const SHRINK_PROMOTE_MAX = 32;

const REQUEST_BITS =
  __GFP.RECLAIM |
  __GFP.HIGH |
  __GFP.IO |
  __GFP.FS |
  __GFP.NOWARN |
  __GFP.RETRY_MAYFAIL |
  __GFP.NOFAIL |
  __GFP.NORETRY |
  __GFP.MEMALLOC |
  __GFP.NOMEMALLOC |
  __GFP.ATOMIC |
  __GFP.HARDWALL |
  __GFP.THISNODE;

export function createSlub(memory: PhysicalMemory, options: SlubOptions): Slub {
  const { ledger, basePfn, pages } = memory;
  const { reports } = options;
  const { listFirst, listLast, unlist } = createNodeLists(ledger);
  const { slabAt, indexIn, objectAddress, badFree } = createObjectAddresses(memory);
  const {
    cache,
    cpuCache,
    cpuDouble,
    slabCounters,
    slabNext,
    slabPrev,
    slabCache,
    slabFrame,
    slabLinks,
    slabShape,
    slabSerial,
  } = ledger;
  const { frameSlab, link } = ledger;
  const cacheRows = ledger.shape.caches + 1;
  const { cpus } = ledger.shape;

  const isDebug = (id: number) => (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB_DEBUG_FLAGS) !== 0;
  const inUse = (counters: number) => (counters >>> COUNTERS_INUSE_SHIFT) & COUNTERS_INUSE;
  const pack = (free: number, used: number, frozen: number) => free | (used << COUNTERS_INUSE_SHIFT) | frozen;
  const objectsOf = (slab: number) => slabShape[slab]! & 0xffff;

  // ---- alloc -----------------------------------------------------------------------------------------------------------

  function alloc(id: number, gfp: Gfp, cpu: number): PhysAddr {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const own = cpuCache[p + P_OWN]!;
    if (own === 0) return allocSlow(id, gfp, p);
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
    if (isDebug(id)) return allocDebug(id, c, gfp);
    // Each round either finds an object, gives up the active slab, or takes a slab off a list: it ends.
    while (true) {
      if (cpuCache[p + P_SLAB] !== 0) {
        const own = takeSlabsList(p);
        if (own !== 0) return takeOwn(p, own);
      }
      const partial = cpuCache[p + P_PARTIAL]!;
      if (partial !== 0) {
        cpuCache[p + P_PARTIAL] = slabNext[partial]!;
        cpuCache[p + P_PARTIAL_COUNT]!--;
        activate(p, partial);
        continue;
      }
      if (takeFromNode(c, p)) return takeOwn(p, cpuCache[p + P_OWN]!);
      const slab = newSlab(id, c, gfp);
      if (slab === 0) return NULL;
      activate(p, slab);
      const first = slabCounters[slab]! & COUNTERS_FREE;
      cpuCache[p + P_OWN] = first;
      slabCounters[slab] = pack(LINK_END, objectsOf(slab), COUNTERS_FROZEN);
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
      slabCounters[slab] = pack(LINK_END, inUse(counters), 0);
      leave(p);
      return 0;
    }
    slabCounters[slab] = pack(LINK_END, objectsOf(slab), COUNTERS_FROZEN);
    cpuCache[p + P_OWN] = first;
    return first;
  }

  /** Step d. Returns false if the node has no partial slab. */
  function takeFromNode(c: number, p: number): boolean {
    const first = cache[c + C_PARTIAL_HEAD]!;
    if (first === 0) return false;
    unlist(c, first);
    activate(p, first);
    cpuCache[p + P_OWN] = slabCounters[first]! & COUNTERS_FREE;
    slabCounters[first] = pack(LINK_END, objectsOf(first), COUNTERS_FROZEN);
    const extra = cache[c + C_EXTRA_FROM_NODE]!;
    for (let moved = 0; moved < extra; moved++) {
      const slab = cache[c + C_PARTIAL_HEAD]!;
      if (slab === 0) break;
      unlist(c, slab);
      slabCounters[slab]! |= COUNTERS_FROZEN;
      pushCpuPartial(p, slab);
    }
    return true;
  }

  function pushCpuPartial(p: number, slab: number): void {
    slabNext[slab] = cpuCache[p + P_PARTIAL]!;
    cpuCache[p + P_PARTIAL] = slab;
    cpuCache[p + P_PARTIAL_COUNT]!++;
  }

  function allocDebug(id: number, c: number, gfp: Gfp): PhysAddr {
    let slab = cache[c + C_PARTIAL_HEAD]!;
    if (slab === 0) {
      slab = newSlab(id, c, gfp);
      if (slab === 0) return NULL;
      listFirst(c, slab);
    }
    const counters = slabCounters[slab]!;
    const first = counters & COUNTERS_FREE;
    const at = slabLinks[slab]! + first - 1;
    const next = link[at]!;
    link[at] = LINK_LIVE;
    slabCounters[slab] = pack(next, inUse(counters) + 1, 0);
    if (next === LINK_END) unlist(c, slab);
    return objectAddress(slab, first - 1);
  }

  // ---- slabs come and go -------------------------------------------------------------------------------------------------

  /** Step e: a slab with all objects on its own list, ascending, and none in use. 0 if there is no memory. */
  function newSlab(id: number, c: number, callerGfp: Gfp): number {
    let gfp = callerGfp as number;
    const wrong = gfp & (GFP_SLAB_BUG_BITS | ~GFP_KNOWN_BITS);
    if (wrong !== 0) {
      gfp &= ~wrong;
      reports.warn(unexpectedGfp(wrong, gfp));
    }
    if (gfp & __GFP.ZERO && options.hasConstructor(id)) reports.zeroWithConstructor();
    const request = (gfp & REQUEST_BITS) | cache[c + C_ALLOCFLAGS]!;
    let shape = cache[c + C_OO]!;
    let pfn = pages.allocPages(firstTry(request, shape, cache[c + C_MIN]!), shape >> 16);
    if (pfn === NO_PFN) {
      shape = cache[c + C_MIN]!;
      pfn = pages.allocPages(request as Gfp, shape >> 16);
      if (pfn === NO_PFN) {
        cache[c + C_FAILED]!++;
        if (!(gfp & __GFP.NOWARN)) reports.outOfMemory(id, callerGfp);
        return 0;
      }
      cache[c + C_ORDER_FALLBACK]!++;
    }
    return makeSlab(id, c, pfn, shape);
  }

  /** The larger order is an offer, not a need: it may not warn, retry hard, reclaim, or use the reserves. */
  function firstTry(request: number, preferred: number, smallest: number): Gfp {
    let gfp = (request | __GFP.NOWARN | __GFP.NORETRY) & ~__GFP.NOFAIL;
    if (gfp & __GFP.DIRECT_RECLAIM && preferred >> 16 > smallest >> 16)
      gfp = (gfp | __GFP.NOMEMALLOC) & ~__GFP.RECLAIM;
    return gfp as Gfp;
  }

  function makeSlab(id: number, c: number, pfn: Pfn, shape: number): number {
    const objects = shape & 0xffff;
    let slab = 0;
    let links = 0;
    try {
      slab = takeSlabId(ledger);
      links = takeLinks(ledger, objects);
    } catch (error) {
      // The ledger is full: what was taken so far goes back, and the caller learns which table it was.
      if (slab !== 0) giveSlabId(ledger, slab);
      pages.freePages(pfn, shape >> 16);
      throw error;
    }
    const frame = pfn - basePfn;
    slabCache[slab] = id;
    slabFrame[slab] = frame;
    slabLinks[slab] = links;
    slabShape[slab] = shape;
    slabSerial[slab] = cache[c + C_SLABS_MADE]!++;
    slabNext[slab] = 0;
    slabPrev[slab] = 0;
    slabCounters[slab] = pack(1, 0, 0);
    for (let i = 0; i < objects; i++) link[links + i] = i + 1 < objects ? i + 2 : LINK_END;
    frameSlab.fill(slab, frame, frame + 2 ** (shape >> 16));
    cache[c + C_NR_SLABS]!++;
    cache[c + C_TOTAL_OBJECTS]! += objects;
    if (options.hasConstructor(id)) constructAll(id, c, slab);
    return slab;
  }

  /** A constructor that throws ends the allocation; the slab goes as it came. */
  function constructAll(id: number, c: number, slab: number): void {
    try {
      for (let i = 0; i < objectsOf(slab); i++) options.construct(id, objectAddress(slab, i));
    } catch (error) {
      discard(c, slab);
      throw error;
    }
  }

  /** Gives an empty slab's pages back. It is on no list. */
  function discard(c: number, slab: number): void {
    const frame = slabFrame[slab]!;
    const order = slabShape[slab]! >> 16;
    const objects = objectsOf(slab);
    cache[c + C_NR_SLABS]!--;
    cache[c + C_TOTAL_OBJECTS]! -= objects;
    frameSlab.fill(0, frame, frame + 2 ** order);
    giveLinks(ledger, slabLinks[slab]!, objects);
    giveSlabId(ledger, slab);
    pages.freePages((frame + basePfn) as Pfn, order);
  }

  // ---- slabs leave a CPU ------------------------------------------------------------------------------------

  /** Discards an empty slab where the node has enough partial ones; else it becomes node-partial. For slabs that are on no list. */
  function unfreeze(c: number, slab: number, toFront: boolean): void {
    const counters = slabCounters[slab]! & ~COUNTERS_FROZEN;
    slabCounters[slab] = counters;
    if (inUse(counters) === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) discard(c, slab);
    else if (toFront) listFirst(c, slab);
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
    if (index >= cpuCache[p + P_OBJECTS]! || offset !== distance) return freeElsewhere(id, p, address);
    const at = cpuCache[p + P_LINKS]! + index;
    if (link[at] !== LINK_LIVE) throw badFree(id, address);
    link[at] = cpuCache[p + P_OWN]!;
    cpuCache[p + P_OWN] = index + 1;
  }

  /** An object of another slab than the active one, or something that is no object. */
  function freeElsewhere(id: number, p: number, address: PhysAddr): void {
    const slab = slabAt(address);
    if (slab === 0 || slabCache[slab] !== id) throw badFree(id, address);
    const index = indexIn(slab, address);
    if (index < 0) throw badFree(id, address);
    const at = slabLinks[slab]! + index;
    if (link[at] !== LINK_LIVE) throw badFree(id, address);
    freeToSlab(id, p, slab, index + 1, at, 1);
  }

  /** Step g: puts a chain of `count` objects on a slab's own list; `head` is the first object + 1, `tailLink` the last one's link. */
  function freeToSlab(
    id: number,
    p: number,
    slab: number,
    head: number,
    tailLink: number,
    count: number,
  ): void {
    const c = id * CACHE_WORDS;
    const counters = slabCounters[slab]!;
    const prior = counters & COUNTERS_FREE;
    const used = inUse(counters) - count;
    const frozen = counters & COUNTERS_FROZEN;
    link[tailLink] = prior;
    slabCounters[slab] = pack(head, used, frozen);
    if (frozen !== 0) return;
    if (isDebug(id)) return settleDebugSlab(c, slab, prior === LINK_END, used);
    if (prior === LINK_END) {
      slabCounters[slab] = pack(head, used, COUNTERS_FROZEN);
      keepOnCpu(c, p, slab);
    } else if (used === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!) {
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
    unfreezeChain(c, drained);
  }

  function unfreezeChain(c: number, first: number): void {
    for (let slab = first; slab !== 0; ) {
      const next = slabNext[slab]!;
      unfreeze(c, slab, false);
      slab = next;
    }
  }

  /** A slab that was full does not count itself among the partial ones that its node has. */
  function settleDebugSlab(c: number, slab: number, wasFull: boolean, used: number): void {
    const discardIt = used === 0 && cache[c + C_NR_PARTIAL]! >= cache[c + C_MIN_PARTIAL]!;
    if (wasFull && !discardIt) listLast(c, slab);
    if (!wasFull && discardIt) unlist(c, slab);
    if (discardIt) discard(c, slab);
  }

  /**
   * From the end of the array: the last object begins a group, objects of the same slab in front of it join, up to two of other
   * slabs are passed over, the third ends the group. A group is put on its list at once with the array's last object first.
   */
  function freeBulk(id: number, addresses: PhysAddr[], cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpu);
    checkBulk(id, addresses);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    let left = addresses.length;
    while (left > 0) {
      const slab = slabAt(addresses[left - 1]!);
      let groupStart = left;
      let lookahead = BULK_LOOKAHEAD;
      for (let i = left - 1; i >= 0; i--) {
        if (slabAt(addresses[i]!) !== slab) {
          if (--lookahead === 0) break;
          continue;
        }
        groupStart--;
        // What was passed over moves to the front, so that the group lies together at the end.
        const passed = addresses[groupStart]!;
        addresses[groupStart] = addresses[i]!;
        addresses[i] = passed;
      }
      freeGroup(id, p, slab, addresses, groupStart, left);
      left = groupStart;
    }
  }

  function freeGroup(
    id: number,
    p: number,
    slab: number,
    addresses: readonly PhysAddr[],
    from: number,
    to: number,
  ): void {
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
  }

  /** Refuses the whole call if anything in it is not live, or is there twice. */
  function checkBulk(id: number, addresses: readonly PhysAddr[]): void {
    let checked = 0;
    let bad: PhysAddr | undefined;
    for (const address of addresses) {
      const slab = slabAt(address);
      const index = slab !== 0 && slabCache[slab] === id ? indexIn(slab, address) : -1;
      if (index < 0 || link[slabLinks[slab]! + index] !== LINK_LIVE) {
        bad = address;
        break;
      }
      // Marked as not live until all were looked at: a second occurrence shows.
      link[slabLinks[slab]! + index] = LINK_END;
      checked++;
    }
    for (let i = 0; i < checked; i++) {
      const slab = slabAt(addresses[i]!);
      link[slabLinks[slab]! + indexIn(slab, addresses[i]!)] = LINK_LIVE;
    }
    if (bad !== undefined) throw badFree(id, bad);
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
    if (active !== 0) {
      const own = cpuCache[p + P_OWN]!;
      leave(p);
      deactivate(c, active, own);
    }
    const partial = cpuCache[p + P_PARTIAL]!;
    cpuCache[p + P_PARTIAL] = 0;
    cpuCache[p + P_PARTIAL_COUNT] = 0;
    unfreezeChain(c, partial);
  }

  function deactivate(c: number, slab: number, own: number): void {
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
    slabCounters[slab] = pack(first, inUse(counters) - returned, 0);
    // A slab with nothing free is full and goes on no list; objects that others freed send it to the end.
    if (first !== LINK_END) unfreeze(c, slab, remote === LINK_END);
  }

  function shrink(id: number): boolean {
    const c = id * CACHE_WORDS;
    for (let cpu = 0; cpu < cpus; cpu++) flushCpu(id, cpu);
    const byFree: number[][] = Array.from({ length: SHRINK_PROMOTE_MAX }, () => []);
    const rest: number[] = [];
    for (let slab = cache[c + C_PARTIAL_HEAD]!; slab !== 0; ) {
      const next = slabNext[slab]!;
      const freeObjects = objectsOf(slab) - inUse(slabCounters[slab]!);
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

  function live(id: number): number {
    let count = 0;
    const high = ledger.header[H_SLAB_HIGH]!;
    for (let slab = 1; slab <= high; slab++) {
      if (slabCache[slab] === id) count += inUse(slabCounters[slab]!);
    }
    for (let cpu = 0; cpu < cpus; cpu++) {
      const p = (cpu * cacheRows + id) * CPU_WORDS;
      for (
        let object = cpuCache[p + P_OWN]!;
        object !== LINK_END;
        object = link[cpuCache[p + P_LINKS]! + object - 1]!
      )
        count--;
    }
    return count;
  }

  function freeOnNode(id: number): number {
    let count = 0;
    for (let slab = cache[id * CACHE_WORDS + C_PARTIAL_HEAD]!; slab !== 0; slab = slabNext[slab]!) {
      count += objectsOf(slab) - inUse(slabCounters[slab]!);
    }
    return count;
  }

  return { alloc, free, freeBulk, shrink, flushCpu, live, freeOnNode, slabAt, indexIn };
}
