/**
 * # SLAB: where the next object comes from
 *
 *     CPU 0          CPU 1          shared            the cache's node
 *     │ o │ ◂ top    │   │          │ o o o o    │    full     [slab 3] ⇄ [slab 1]
 *     │ o │          │   │          └────────────┘    partial  [slab 7] ⇄ [slab 4] ⇄ [slab 6]
 *     │ o │ ◂ oldest │ o │                            free     [slab 8]
 *     └───┘          └───┘
 *
 * SLUB gives a CPU whole slabs. SLAB gives it single objects: each CPU has an *array* of free ones, from any slabs, and uses it as a
 * stack. Slabs stay with the node, on one of three lists: states 6 full, 7 partial and 8 free of ledger.ts. What lies in an array is free
 * for whoever asks for an object and in use for its slab: a slab all of whose objects are in arrays is full.
 *
 * ## Arrays
 * A CPU's array holds `limit` objects at most. When it is empty or full, `batchcount` of them move. Between the CPUs and the slabs stands
 * the *shared* array of `sharedFactor` batches: through it, what one CPU only frees reaches the CPU that only allocates. Caches of objects
 * larger than a page have none, nor have machines with one CPU. The usual numbers hang on the size of an object (layout-slab.ts):
 *
 *     bytes up to        256   1024   4096   131072   more
 *     limit              120     54     24        8      1
 *     batchcount          60     27     12        4      1
 *     shared array       480    216     96        0      0
 *
 * ## alloc
 * takes the top of the CPU's array. An empty array is filled first: with a batch, or with 16 objects if that is less and the CPU has not
 * allocated since the array was made or the reaper last looked (`touched`). The batch comes from the first of these that has any:
 *  1. the shared array: its top, in its order;
 *  2. the first partial slab, then the next, and when there is none the first free one, until the batch is complete or the node has
 *     nothing. Each gives the objects of its own list in their order, and is then the first of the partial or of the full slabs;
 *  3. a new slab. Only here the page allocator is asked, for one order and no other, and only here the caller's gfp flags are looked
 *     at: bits that name a zone are wrong, reported, and dropped, for the zone is the cache's.
 *
 * ## free
 * puts the object on top of the CPU's array, whichever slab it belongs to. A full array first gives up its *oldest* batch:
 *  4. to the shared array, as many as that has room for; if it has no room at all,
 *  5. to their slabs, one after the other. The object becomes the first of its slab's list, and the slab the *last* of the partial ones,
 *     where it has the most time to get its other objects back, or the *first* of the free ones. After the batch, while
 *     the slabs hold more than `freeLimit` free objects, the *last* free slab is destroyed.
 *
 * So the next object on a CPU is the one that was freed last on that CPU. If its array is empty, it is the one that came last into the
 * shared array. If that is empty too, it is the end of a batch from the slabs: of a new slab the 16th object, then 15 downwards, and then
 * the next batch from its end.
 *
 * ## In bulk, shrinking, tuning
 *  6. A bulk is so many single calls, in the order of the array.
 *  7. To shrink, the CPUs' arrays go back to the slabs, each by 5, then the shared one. Then all free slabs are destroyed, last first.
 *     Destroying a cache is shrinking it.
 *  8. New tunables make new arrays, empty and untouched. The CPUs' old ones go back to the slabs; `freeLimit` becomes a batch a CPU, one
 *     more, and the objects of a slab; then the shared one goes back.
 *  9. Slabs that are destroyed together go in the reverse of the order in which they were found to be too many.
 * 10. What lies unused in arrays and free slabs is taken back over time by the reaper (reap.ts).
 *
 * ## Colouring
 * Objects at the same place of every slab would meet in the same lines of a processor's cache. What a slab has left over lets its first
 * object lie further in: each slab begins one *colour* further than the one before, round and round. A colour is a cache line, or
 * the alignment if that is more. The counter goes on before it is used, so a cache's first slab has colour 1. 12 objects of 328 bytes
 * leave 160, which makes colours 0 and 1:
 *
 *     first slab     |░░░░| 0 | 1 | 2 | … | 11 |░░|
 *     second slab    | 0 | 1 | 2 | … | 11 |░░░░░░░|
 *     third slab     |░░░░| 0 | 1 | 2 | … | 11 |░░|
 *
 * ## The list of free objects, and its three places
 * A kernel keeps a slab's list as an array of indices, a byte each, with a count of the objects in use. The indices from that count on
 * name the free ones. Taking an object counts up; putting one back counts down and writes its index there. It is a stack:
 *
 *     in use: 3      | 0 | 4 | 2 | 1 | 3 | 5 |      the next object is 1, then 3, then 5; three others are out
 *                                  ▴
 *
 * That array has to lie somewhere (layout-slab.ts says which place a cache takes):
 *
 *     in a free object    |░░| 0 | 1 | 2 | 3 | 4 | 0 1 2 3 4 5 |░░|         the one that is named last: it is taken last
 *     outside             |░░| 0 | 1 | 2 | 3 | 4 | 5 |░░░░░░░░░░░░|  ─▸     kmalloc-32: | 0 1 2 3 4 5 |
 *     in the slab         |░░| 0 | 1 | 2 | 3 | 4 |░░░| 0 1 2 3 4  |         at its end, where it costs room for objects
 *
 * Here the list is links in the ledger, as with SLUB, and gives the objects in the same order. What the array costs is real: a list
 * outside is an object of kmalloc that is there before its slab has objects, and is freed behind the slab. What a kernel needs for
 * a cache itself, its node and its arrays, costs nothing here.
 *
 * ## Misuse
 * An object in an array says so in its link: a second free is refused like any other of what is not live. In the faithful mode a free is
 * what it is in a kernel without CONFIG_DEBUG_SLAB, which looks at nothing: the address lies on the array and is handed out again, also
 * that of another cache's object, or of none. On its way back to a slab it would damage a kernel's lists; here it is forgotten. A
 * cache that is destroyed with live objects stays, with a warning.
 *
 *     const machine = Machine.create({ allocator: 'slab', cpus: 4 });
 *     const cache = machine.kmemCacheCreate('tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 })!;
 *     const table = cache.alloc(GFP.ATOMIC, cpu);        // 0 if there is no memory
 *     cache.free(table, cpu);
 *     machine.advance(10_000);                           // each CPU's reaper came five times
 *
 * Not here are the parts that one node without swap over a network never uses: arrays for other nodes' objects, and slabs set aside for
 * those who free memory.
 *
 * Rules: truth/README.md, "SLAB at run time", learnt from recorded sequences of a real Linux 6.1 and checked against them: slab, index and
 * colour of every object, birth and death of every slab, all arrays and lists. Tuning and the reaper, which were not recorded: mm/slab.c of
 * 6.1. Ideas: Bonwick, "The Slab Allocator" (USENIX 1994), and for the arrays Bonwick and Adams, "Magazines and Vmem" (USENIX 2001).
 */
import { ArgumentError, type Gfp, NULL, type PhysAddr } from '../../base/index.js';
import {
  __GFP,
  C_ARRAYS,
  C_BATCHCOUNT,
  C_FREE_HEAD,
  C_FREE_LIMIT,
  C_FREE_OBJECTS,
  C_FREE_TAIL,
  C_FREE_TOUCHED,
  C_FULL_HEAD,
  C_LIMIT,
  C_NEXT_REAP,
  C_OBJECT_SIZE,
  C_OO,
  C_PARTIAL_HEAD,
  C_SHARED_AVAIL,
  C_SHARED_FACTOR,
  C_SHARED_TOUCHED,
  C_SIZE,
  C_STATE,
  CACHE_ALIVE,
  CACHE_WORDS,
  COUNTERS_FREE,
  CPU_WORDS,
  countersInUse,
  H_SLAB_HIGH,
  LINK_ARRAY,
  LINK_END,
  LINK_LIVE,
  noSuchCpu,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_TOUCHED,
  type PhysicalMemory,
  packCounters,
  shapeObjects,
} from '../../machine/index.js';
import {
  type AllocatorOptions,
  arrayEntries,
  type CacheAllocator,
  findEntries,
  NODE_REAP_MS,
  type SlabTunables,
  setArrays,
  slabFreeLimit,
  zeroTaken,
} from '../cache/index.js';
import { createDebugReport } from '../debug/index.js';
import { createObjectAddresses, firstBad } from '../slabs/index.js';
import { createSlabGrowth, type FreelistMemory } from './grow.js';
import { createNodeSlabs, FREE, PARTIAL } from './lists.js';

/** The operations of all SLAB caches of a machine. */
export interface Slab extends CacheAllocator {
  readonly kind: 'slab';
  /** Step 8. Throws LedgerFullError where the ledger has no room for both the old arrays and the new ones; then nothing changed. */
  setTunables(cache: number, tunables: SlabTunables): void;
  /** What a CPU's reaper does to a cache (reap.ts). `now` is the clock's low word. Returns whether anything changed. */
  reap(cache: number, cpu: number, now: number): boolean;
}

/** A CPU that did not allocate lately gets no more than this at a time. */
const BATCH_REFILL_LIMIT = 16;
/** An entry of an array that is no free object, but an address that was freed unlooked at. */
const STRAY = -1;

export function createSlab(
  memory: PhysicalMemory,
  options: AllocatorOptions,
  freelists: () => FreelistMemory,
): Slab {
  const { ledger } = memory;
  const { faithful, bytes } = options;
  const addresses = createObjectAddresses(memory);
  const { slabAt, indexIn, objectAddress, badFree } = addresses;
  const { grow, destroy } = createSlabGrowth(memory, addresses, options, freelists);
  const { listOf, addFirst, addLast, remove } = createNodeSlabs(ledger);
  const { cache, cpuCache, slabCounters, slabNext, slabCache, slabLinks, slabShape, link } = ledger;
  const { arrayAddress, arrayLink } = ledger;
  const cacheRows = ledger.shape.caches + 1;
  const { cpus } = ledger.shape;
  const report = createDebugReport(memory, options.profile, undefined, undefined);

  // ---- alloc -----------------------------------------------------------------------------------------------------------

  function alloc(id: number, gfp: Gfp, cpu: number): PhysAddr {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpus, cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    if (cpuCache[p + P_AVAIL] === 0 && !refill(id, p, gfp, cpu)) return NULL;
    const avail = cpuCache[p + P_AVAIL]! - 1;
    const entry = cpuCache[p + P_ENTRIES]! + avail;
    cpuCache[p + P_AVAIL] = avail;
    cpuCache[p + P_TOUCHED] = 1;
    const at = arrayLink[entry]!;
    if (at !== STRAY) link[at] = LINK_LIVE;
    return arrayAddress[entry]! as PhysAddr;
  }

  /** Fills a CPU's empty array by steps 1 to 3. Returns false if there is no memory. */
  function refill(id: number, p: number, gfp: Gfp, cpu: number): boolean {
    const c = id * CACHE_WORDS;
    if (cache[c + C_STATE] !== CACHE_ALIVE) throw new ArgumentError(`cache ${id} does not exist (any more)`);
    let wanted = cache[c + C_BATCHCOUNT]!;
    if (cpuCache[p + P_TOUCHED] === 0 && wanted > BATCH_REFILL_LIMIT) wanted = BATCH_REFILL_LIMIT;
    if (takeShared(c, p, wanted)) return true;
    if (cache[c + C_FREE_OBJECTS]! > 0) takeFromNode(c, p, wanted);
    if (cpuCache[p + P_AVAIL] !== 0) return true;
    const slab = grow(id, gfp, cpu);
    if (slab === 0) return cpuCache[p + P_AVAIL] !== 0;
    // A constructor may have freed objects meanwhile: then the slab waits.
    if (cpuCache[p + P_AVAIL] === 0) takeFromSlab(p, slab, wanted);
    const list = listOf(slab);
    if (list === FREE) addLast(c, FREE, slab);
    else addFirst(c, list, slab);
    cache[c + C_FREE_OBJECTS]! += shapeObjects(slabShape[slab]!) - countersInUse(slabCounters[slab]!);
    return true;
  }

  /** Step 1. Returns false if the shared array is empty. */
  function takeShared(c: number, p: number, wanted: number): boolean {
    const avail = cache[c + C_SHARED_AVAIL]!;
    const count = Math.min(avail, wanted);
    if (count === 0) return false;
    const from = sharedEntries(c) + avail - count;
    moveEntries(from, cpuCache[p + P_ENTRIES]!, count);
    cache[c + C_SHARED_AVAIL] = avail - count;
    cache[c + C_SHARED_TOUCHED] = 1;
    cpuCache[p + P_AVAIL] = count;
    return true;
  }

  /** Step 2. */
  function takeFromNode(c: number, p: number, wanted: number): void {
    let left = wanted;
    while (left > 0) {
      let slab = cache[c + C_PARTIAL_HEAD]!;
      if (slab === 0) {
        cache[c + C_FREE_TOUCHED] = 1;
        slab = cache[c + C_FREE_HEAD]!;
        if (slab === 0) break;
      }
      remove(c, listOf(slab), slab);
      left -= takeFromSlab(p, slab, left);
      addFirst(c, listOf(slab), slab);
    }
    cache[c + C_FREE_OBJECTS]! -= cpuCache[p + P_AVAIL]!;
  }

  /** Up to `wanted` objects of a slab's list go onto a CPU's array. Returns how many. */
  function takeFromSlab(p: number, slab: number, wanted: number): number {
    const links = slabLinks[slab]!;
    const first = objectAddress(slab, 0);
    const size = cache[slabCache[slab]! * CACHE_WORDS + C_SIZE]!;
    const counters = slabCounters[slab]!;
    const start = cpuCache[p + P_ENTRIES]! + cpuCache[p + P_AVAIL]!;
    let object = counters & COUNTERS_FREE;
    let taken = 0;
    while (object !== LINK_END && taken < wanted) {
      const at = links + object - 1;
      arrayLink[start + taken] = at;
      arrayAddress[start + taken] = first + (object - 1) * size;
      object = link[at]!;
      link[at] = LINK_ARRAY;
      taken++;
    }
    slabCounters[slab] = packCounters(object, countersInUse(counters) + taken, 0);
    cpuCache[p + P_AVAIL]! += taken;
    return taken;
  }

  // ---- free ------------------------------------------------------------------------------------------------------------

  function free(id: number, address: PhysAddr, cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpus, cpu);
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const slab = slabAt(address);
    const index = slab !== 0 && slabCache[slab] === id ? indexIn(slab, address) : -1;
    const at = slabLinks[slab]! + index;
    if (index < 0 || link[at] !== LINK_LIVE) return freeBad(id, p, address, cpu);
    if (cpuCache[p + P_AVAIL]! >= cpuCache[p + P_LIMIT]!) flushBatch(id, p, cpu);
    link[at] = LINK_ARRAY;
    push(p, address, at);
  }

  function push(p: number, address: number, at: number): void {
    const avail = cpuCache[p + P_AVAIL]!;
    const entry = cpuCache[p + P_ENTRIES]! + avail;
    arrayAddress[entry] = address;
    arrayLink[entry] = at;
    cpuCache[p + P_AVAIL] = avail + 1;
  }

  function freeBad(id: number, p: number, address: PhysAddr, cpu: number): void {
    if (!faithful || cache[id * CACHE_WORDS + C_STATE] !== CACHE_ALIVE) throw badFree(id, address);
    if (cpuCache[p + P_AVAIL]! >= cpuCache[p + P_LIMIT]!) flushBatch(id, p, cpu);
    push(p, address, STRAY);
  }

  /** Steps 4 and 5: a full array gives up its oldest batch. */
  function flushBatch(id: number, p: number, cpu: number): void {
    const c = id * CACHE_WORDS;
    const entries = cpuCache[p + P_ENTRIES]!;
    const batch = cache[c + C_BATCHCOUNT]!;
    const shared = cache[c + C_SHARED_AVAIL]!;
    const room = cache[c + C_SHARED_FACTOR]! * batch - shared;
    const count = room > 0 ? Math.min(batch, room) : batch;
    let doomed = 0;
    if (room > 0) {
      moveEntries(entries, sharedEntries(c) + shared, count);
      cache[c + C_SHARED_AVAIL] = shared + count;
    } else doomed = freeBlock(c, entries, count);
    cpuCache[p + P_AVAIL] = moveDown(entries, cpuCache[p + P_AVAIL]!, count);
    destroyAll(doomed, cpu);
  }

  /**
   * Step 5: the objects of so many entries go back to their slabs. Returns the first of the slabs that are too many then: off all lists and
   * chained in the order in which they are to be destroyed, which is when whoever held the objects no longer names them.
   */
  function freeBlock(c: number, first: number, count: number): number {
    for (let entry = first; entry < first + count; entry++) {
      const at = arrayLink[entry]!;
      if (at === STRAY) continue;
      const slab = slabAt(arrayAddress[entry]!);
      remove(c, listOf(slab), slab);
      const counters = slabCounters[slab]!;
      link[at] = counters & COUNTERS_FREE;
      slabCounters[slab] = packCounters(at - slabLinks[slab]! + 1, countersInUse(counters) - 1, 0);
      cache[c + C_FREE_OBJECTS]!++;
      if (listOf(slab) === FREE) addFirst(c, FREE, slab);
      else addLast(c, PARTIAL, slab);
    }
    let doomed = 0;
    while (cache[c + C_FREE_OBJECTS]! > cache[c + C_FREE_LIMIT]! && cache[c + C_FREE_TAIL] !== 0) {
      const slab = takeLastFree(c);
      slabNext[slab] = doomed;
      doomed = slab;
    }
    return doomed;
  }

  function takeLastFree(c: number): number {
    const slab = cache[c + C_FREE_TAIL]!;
    remove(c, FREE, slab);
    cache[c + C_FREE_OBJECTS]! -= shapeObjects(slabShape[slab]!);
    return slab;
  }

  function destroyAll(doomed: number, cpu: number): void {
    for (let slab = doomed; slab !== 0; ) {
      const next = slabNext[slab]!;
      destroy(slab, cpu);
      slab = next;
    }
  }

  function freeBulk(id: number, objects: PhysAddr[], cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpus, cpu);
    const bad = faithful ? undefined : firstBad(ledger, addresses, id, objects, false);
    if (bad !== undefined) throw badFree(id, bad);
    for (const address of objects) free(id, address, cpu);
  }

  // ---- arrays ------------------------------------------------------------------------------------------------------------

  function sharedEntries(c: number): number {
    return cache[c + C_ARRAYS]! + cpus * cache[c + C_LIMIT]!;
  }

  function moveEntries(from: number, to: number, count: number): void {
    arrayAddress.copyWithin(to, from, from + count);
    arrayLink.copyWithin(to, from, from + count);
  }

  /** The oldest of an array's objects are gone, the others take their place. Returns how many those are. */
  function moveDown(first: number, avail: number, count: number): number {
    moveEntries(first + count, first, avail - count);
    return avail - count;
  }

  function flushCpu(id: number, cpu: number): void {
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    const doomed = freeBlock(id * CACHE_WORDS, cpuCache[p + P_ENTRIES]!, cpuCache[p + P_AVAIL]!);
    cpuCache[p + P_AVAIL] = 0;
    destroyAll(doomed, cpu);
  }

  function flushShared(id: number): void {
    const c = id * CACHE_WORDS;
    const doomed = freeBlock(c, sharedEntries(c), cache[c + C_SHARED_AVAIL]!);
    cache[c + C_SHARED_AVAIL] = 0;
    destroyAll(doomed, 0);
  }

  function setTunables(id: number, tunables: SlabTunables): void {
    const c = id * CACHE_WORDS;
    const first = findEntries(ledger, arrayEntries(cpus, tunables));
    for (let cpu = 0; cpu < cpus; cpu++) flushCpu(id, cpu);
    cache[c + C_FREE_LIMIT] = slabFreeLimit(cpus, tunables.batchcount, shapeObjects(cache[c + C_OO]!));
    flushShared(id);
    setArrays(ledger, id, first, tunables);
  }

  function shrink(id: number): boolean {
    const c = id * CACHE_WORDS;
    for (let cpu = 0; cpu < cpus; cpu++) flushCpu(id, cpu);
    flushShared(id);
    destroyFree(c, Number.POSITIVE_INFINITY, 0);
    return cache[c + C_FULL_HEAD] !== 0 || cache[c + C_PARTIAL_HEAD] !== 0;
  }

  /** Destroys up to so many free slabs, the one that was free longest first. Returns how many. */
  function destroyFree(c: number, most: number, cpu: number): number {
    let destroyed = 0;
    for (; destroyed < most && cache[c + C_FREE_TAIL] !== 0; destroyed++) destroy(takeLastFree(c), cpu);
    return destroyed;
  }

  // ---- the reaper ----------------------------------------------------------------------------------------------------------

  function reap(id: number, cpu: number, now: number): boolean {
    const c = id * CACHE_WORDS;
    const p = (cpu * cacheRows + id) * CPU_WORDS;
    let changed = cpuCache[p + P_AVAIL] !== 0;
    if (changed && cpuCache[p + P_TOUCHED] !== 0) cpuCache[p + P_TOUCHED] = 0;
    else if (changed) {
      const entries = cpuCache[p + P_ENTRIES]!;
      const count = reapCount(cpuCache[p + P_AVAIL]!, cpuCache[p + P_LIMIT]!);
      const doomed = freeBlock(c, entries, count);
      cpuCache[p + P_AVAIL] = moveDown(entries, cpuCache[p + P_AVAIL]!, count);
      destroyAll(doomed, cpu);
    }
    if (((cache[c + C_NEXT_REAP]! - now) | 0) > 0) return changed;
    cache[c + C_NEXT_REAP] = now + NODE_REAP_MS;
    if (reapShared(c, cpu)) changed = true;
    if (cache[c + C_FREE_TOUCHED] !== 0) {
      cache[c + C_FREE_TOUCHED] = 0;
      return true;
    }
    const fifth = 5 * shapeObjects(cache[c + C_OO]!);
    const slabs = Math.floor((cache[c + C_FREE_LIMIT]! + fifth - 1) / fifth);
    return destroyFree(c, slabs, cpu) > 0 || changed;
  }

  function reapShared(c: number, cpu: number): boolean {
    const avail = cache[c + C_SHARED_AVAIL]!;
    if (avail === 0) return false;
    if (cache[c + C_SHARED_TOUCHED] !== 0) {
      cache[c + C_SHARED_TOUCHED] = 0;
      return true;
    }
    const entries = sharedEntries(c);
    const count = reapCount(avail, cache[c + C_SHARED_FACTOR]! * cache[c + C_BATCHCOUNT]!);
    const doomed = freeBlock(c, entries, count);
    cache[c + C_SHARED_AVAIL] = moveDown(entries, avail, count);
    destroyAll(doomed, cpu);
    return true;
  }

  // ---- count -------------------------------------------------------------------------------------------------------------

  function live(id: number): number {
    const c = id * CACHE_WORDS;
    let count = 0;
    for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++)
      if (slabCache[slab] === id) count += countersInUse(slabCounters[slab]!);
    const less = (first: number, entries: number) => {
      for (let entry = first; entry < first + entries; entry++) if (arrayLink[entry] !== STRAY) count--;
    };
    for (let cpu = 0; cpu < cpus; cpu++) {
      const p = (cpu * cacheRows + id) * CPU_WORDS;
      less(cpuCache[p + P_ENTRIES]!, cpuCache[p + P_AVAIL]!);
    }
    less(sharedEntries(c), cache[c + C_SHARED_AVAIL]!);
    return count;
  }

  const allocZeroed: typeof alloc = (id, gfp, cpu) => {
    const address = alloc(id, gfp, cpu);
    if (address === NULL || !(gfp & __GFP.ZERO)) return address;
    zeroTaken(bytes!, cache[id * CACHE_WORDS + C_OBJECT_SIZE]! >>> 0, free, id, address, cpu);
    return address;
  };
  return {
    kind: 'slab',
    alloc: bytes === undefined ? alloc : allocZeroed,
    free,
    freeBulk,
    shrink,
    flushCpu,
    live,
    freeOnNode: (id) => cache[id * CACHE_WORDS + C_FREE_OBJECTS]!,
    // One thread plays all CPUs.
    whileUnkept: (_, act) => act(),
    slabAt,
    indexIn,
    setTunables,
    reap,
    debug: {
      validate: () => 0,
      reportRemaining: () => {},
      reportLeak: (id) => report.leak(id),
      dropLost: () => {},
      useWhole: () => {},
    },
  };
}

/** How many objects the reaper takes from an array: a fifth of what it can hold, or half of what it has if it has less. */
function reapCount(avail: number, limit: number): number {
  const fifth = Math.floor((limit + 4) / 5);
  return fifth > avail ? Math.floor((avail + 1) / 2) : fifth;
}
