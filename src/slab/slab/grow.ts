/**
 * A SLAB cache gets a slab, and gives one back (slab.ts, step 4).
 */
import { type Gfp, NO_PFN, NULL, type PhysAddr } from '../../base/index.js';
import {
  __GFP,
  C_ALLOCFLAGS,
  C_COLOUR_NEXT,
  C_COLOUR_OFF,
  C_COLOURS,
  C_FAILED,
  C_FLAGS,
  C_FREELIST_SIZE,
  C_OO,
  CACHE_WORDS,
  type PhysicalMemory,
  shapeOrder,
} from '../../machine/index.js';
import { type AllocatorOptions, CFLGS_OFF_SLAB } from '../cache/index.js';
import { createSlabPages, type ObjectAddresses, REQUEST_BITS } from '../slabs/index.js';

/** What SLAB needs of kmalloc: lists of free objects that lie outside their slabs are objects of it. */
export interface FreelistMemory {
  alloc(size: number, gfp: Gfp, cpu: number): PhysAddr;
  free(address: PhysAddr, cpu: number): void;
}

interface SlabGrowth {
  /** A slab with all objects on its list and on none of its cache's lists, or 0 if there is no memory. */
  grow(id: number, callerGfp: Gfp, cpu: number): number;
  /** Gives back an empty slab that is on no list, then its list of free objects. */
  destroy(slab: number, cpu: number): void;
}

/** The list of free objects is nobody's of a node or a CPU set. */
const CONSTRAINT_BITS = __GFP.HARDWALL | __GFP.THISNODE;

export function createSlabGrowth(
  memory: PhysicalMemory,
  { objectAddress }: ObjectAddresses,
  options: AllocatorOptions,
  freelists: () => FreelistMemory,
): SlabGrowth {
  const { ledger, pages } = memory;
  const { cache, slabCache, slabFreelist } = ledger;
  const { checkGfp, makeSlab, discard } = createSlabPages(memory, {
    ...options,
    objectAddress,
    onNew: (_, slab) => {
      slabFreelist[slab] = freelistOfNew;
    },
    onDiscard: () => {},
  });
  let freelistOfNew: PhysAddr = NULL;

  function grow(id: number, callerGfp: Gfp, cpu: number): number {
    const c = id * CACHE_WORDS;
    // A slab may fail to come, whatever the caller demands: there is nobody here who could wait for it.
    const gfp = checkGfp(id, (callerGfp & ~__GFP.NOFAIL) as Gfp) & REQUEST_BITS;
    const shape = cache[c + C_OO]!;
    const pfn = pages.allocPages((gfp | cache[c + C_ALLOCFLAGS]!) as Gfp, shapeOrder(shape));
    if (pfn === NO_PFN) return fail(c);
    const offset = nextColour(c);
    let freelist: PhysAddr = NULL;
    if (cache[c + C_FLAGS]! & CFLGS_OFF_SLAB) {
      try {
        freelist = freelists().alloc(cache[c + C_FREELIST_SIZE]!, (gfp & ~CONSTRAINT_BITS) as Gfp, cpu);
      } finally {
        if (freelist === NULL) pages.freePages(pfn, shapeOrder(shape));
      }
      if (freelist === NULL) return fail(c);
    }
    freelistOfNew = freelist;
    try {
      return makeSlab(id, c, pfn, shape, offset);
    } catch (error) {
      if (freelist !== NULL) freelists().free(freelist, cpu);
      throw error;
    }
  }

  function fail(c: number): number {
    cache[c + C_FAILED]!++;
    return 0;
  }

  /** The counter goes on before it is used: a cache's first slab has the second colour, if there are two. */
  function nextColour(c: number): number {
    const next = cache[c + C_COLOUR_NEXT]! + 1;
    const colour = next < cache[c + C_COLOURS]! ? next : 0;
    cache[c + C_COLOUR_NEXT] = colour;
    return colour * cache[c + C_COLOUR_OFF]!;
  }

  function destroy(slab: number, cpu: number): void {
    const freelist = slabFreelist[slab]! as PhysAddr;
    slabFreelist[slab] = 0;
    discard(slabCache[slab]! * CACHE_WORDS, slab);
    if (freelist !== NULL) freelists().free(freelist, cpu);
  }

  return { grow, destroy };
}
