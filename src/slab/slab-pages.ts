/**
 * Slabs come and go: pages from the page allocator, cut into objects, and given back.
 */
import { ArgumentError, type Gfp, NO_PFN, type Pfn, type PhysAddr } from '../base/index.js';
import {
  __GFP,
  C_ALLOCFLAGS,
  C_FAILED,
  C_MIN,
  C_NR_SLABS,
  C_OO,
  C_ORDER_FALLBACK,
  C_RED_LEFT_PAD,
  C_SLABS_MADE,
  C_TOTAL_OBJECTS,
  GFP_KNOWN_BITS,
  GFP_SLAB_BUG_BITS,
  giveLinks,
  giveSlabId,
  LINK_END,
  type ManagedBytes,
  type PhysicalMemory,
  shapeObjects,
  shapeOrder,
  takeLinks,
  takeSlabId,
} from '../machine/index.js';
import { type CacheReports, unexpectedGfp } from './reports.js';
import { STAT } from './statistics.js';

export interface SlabPagesOptions {
  construct(cache: number, address: PhysAddr): void;
  hasConstructor(cache: number): boolean;
  readonly reports: CacheReports;
  readonly bytes: ManagedBytes | undefined;
  objectAddress(slab: number, index: number): PhysAddr;
  /** Counts an event of the slow path that is going on. */
  count(event: number): void;
  /** A slab has its objects, which are not constructed yet; a slab is about to go. */
  onNew(id: number, slab: number): void;
  onDiscard(id: number, slab: number): void;
}

/** `c` is the first word of a cache's row. */
export interface SlabPages {
  /** SLUB's new slab, on no list: of the preferred order or, if that is not to be had, of the smallest. 0 if there is no memory. */
  newSlab(id: number, c: number, callerGfp: Gfp): number;
  /** The caller's gfp without the bits that are wrong in a slab's request, which are reported. Only here anybody looks at them. */
  checkGfp(id: number, callerGfp: Gfp): number;
  /** A block becomes a slab with all objects on its list, ascending, the first one `offset` bytes in. If it throws, they are back. */
  makeSlab(id: number, c: number, pfn: Pfn, shape: number, offset: number): number;
  /** Gives an empty slab's pages back. It is on no list. */
  discard(c: number, slab: number): void;
}

/** What of a caller's gfp reaches the page allocator. */
export const REQUEST_BITS =
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

export function createSlabPages(memory: PhysicalMemory, options: SlabPagesOptions): SlabPages {
  const { ledger, basePfn, pages } = memory;
  const { pageSize } = memory.profile;
  const { reports, bytes, objectAddress, count, onNew, onDiscard } = options;
  const { cache, slabCounters, slabNext, slabPrev, slabCache, slabFrame, slabOffset, slabLinks } = ledger;
  const { slabShape, slabSerial, frameSlab, link } = ledger;
  /** Caches whose new slab is being constructed. */
  const constructing = new Set<number>();
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);

  function checkGfp(id: number, callerGfp: Gfp): number {
    if (constructing.has(id)) {
      throw new ArgumentError(`the constructor of ${reports.cacheName(id)} allocates from its own cache`);
    }
    let gfp = callerGfp as number;
    const wrong = gfp & (GFP_SLAB_BUG_BITS | ~GFP_KNOWN_BITS);
    if (wrong !== 0) {
      gfp &= ~wrong;
      reports.warn(unexpectedGfp(wrong, gfp));
    }
    if (gfp & __GFP.ZERO && options.hasConstructor(id)) reports.zeroWithConstructor();
    return gfp;
  }

  function newSlab(id: number, c: number, callerGfp: Gfp): number {
    const gfp = checkGfp(id, callerGfp);
    const request = (gfp & REQUEST_BITS) | cache[c + C_ALLOCFLAGS]!;
    let shape = cache[c + C_OO]!;
    let pfn = pages.allocPages(firstTry(request, shape, cache[c + C_MIN]!), shapeOrder(shape));
    if (pfn === NO_PFN) {
      shape = cache[c + C_MIN]!;
      pfn = pages.allocPages(request as Gfp, shapeOrder(shape));
      if (pfn === NO_PFN) {
        cache[c + C_FAILED]!++;
        if (!(gfp & __GFP.NOWARN)) reports.outOfMemory(id, callerGfp);
        return 0;
      }
      cache[c + C_ORDER_FALLBACK]!++;
      count(STAT.order_fallback);
    }
    count(STAT.alloc_slab);
    return makeSlab(id, c, pfn, shape, cache[c + C_RED_LEFT_PAD]!);
  }

  /** The larger order is an offer, not a need: it may not warn, retry hard, reclaim, or use the reserves. */
  function firstTry(request: number, preferred: number, smallest: number): Gfp {
    let gfp = (request | __GFP.NOWARN | __GFP.NORETRY) & ~__GFP.NOFAIL;
    if (gfp & __GFP.DIRECT_RECLAIM && shapeOrder(preferred) > shapeOrder(smallest))
      gfp = (gfp | __GFP.NOMEMALLOC) & ~__GFP.RECLAIM;
    return gfp as Gfp;
  }

  function makeSlab(id: number, c: number, pfn: Pfn, shape: number, offset: number): number {
    const objects = shapeObjects(shape);
    let slab = 0;
    let links = 0;
    try {
      slab = takeSlabId(ledger);
      links = takeLinks(ledger, objects);
    } catch (error) {
      // The ledger is full: what was taken so far goes back, and the caller learns which table it was.
      if (slab !== 0) giveSlabId(ledger, slab);
      pages.freePages(pfn, shapeOrder(shape));
      throw error;
    }
    const frame = pfn - basePfn;
    slabCache[slab] = id;
    slabFrame[slab] = frame;
    slabOffset[slab] = offset;
    slabLinks[slab] = links;
    slabShape[slab] = shape;
    slabSerial[slab] = cache[c + C_SLABS_MADE]!++;
    slabNext[slab] = 0;
    slabPrev[slab] = 0;
    slabCounters[slab] = 1;
    for (let i = 0; i < objects; i++) link[links + i] = i + 1 < objects ? i + 2 : LINK_END;
    frameSlab.fill(slab, frame, frame + 2 ** shapeOrder(shape));
    cache[c + C_NR_SLABS]!++;
    cache[c + C_TOTAL_OBJECTS]! += objects;
    onNew(id, slab);
    if (options.hasConstructor(id)) constructAll(id, c, slab);
    return slab;
  }

  /** A constructor that throws ends the allocation; the slab goes as it came. */
  function constructAll(id: number, c: number, slab: number): void {
    constructing.add(id);
    try {
      for (let i = 0; i < objectsOf(slab); i++) options.construct(id, objectAddress(slab, i));
    } catch (error) {
      discard(c, slab);
      throw error;
    } finally {
      constructing.delete(id);
    }
  }

  function discard(c: number, slab: number): void {
    const frame = slabFrame[slab]!;
    const order = shapeOrder(slabShape[slab]!);
    const objects = objectsOf(slab);
    onDiscard(slabCache[slab]!, slab);
    bytes?.forget((frame + basePfn) * pageSize, pageSize * 2 ** order);
    cache[c + C_NR_SLABS]!--;
    cache[c + C_TOTAL_OBJECTS]! -= objects;
    frameSlab.fill(0, frame, frame + 2 ** order);
    giveLinks(ledger, slabLinks[slab]!, objects);
    giveSlabId(ledger, slab);
    pages.freePages((frame + basePfn) as Pfn, order);
  }

  return { newSlab, checkGfp, makeSlab, discard };
}
