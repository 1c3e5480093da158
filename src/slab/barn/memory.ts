/**
 * Where the memory of sheaves and barns comes from: plain kmalloc, by their size.
 *
 * A cache of kmalloc's needs sheaves too. What it asks for is taken without recursion: an object that lies at hand, else a single one of
 * a slab.
 */
import { type Gfp, NO_PFN, NULL, orderOf, type Pfn, type PhysAddr } from '../../base/index.js';
import { __GFP, C_FLAGS, CACHE_WORDS, FRAME_ORDER, type PhysicalMemory } from '../../machine/index.js';
import { SLAB } from '../kernel/index.js';
import type { SheafMemory } from './barn.js';
import type { SheafSlub } from './slub.js';

/** The plain caches of kmalloc, by size, ascending: bytes and id. */
export type PlainKmalloc = readonly (readonly [bytes: number, id: number])[];

/** Bits of the caller's request that say where its own object has to lie, or who pays for it. */
const NOT_FOR_SHEAVES =
  __GFP.DMA | __GFP.DMA32 | __GFP.HIGHMEM | __GFP.RECLAIMABLE | __GFP.ACCOUNT | __GFP.ZERO | __GFP.NOFAIL;

export function createSheafMemory(
  memory: PhysicalMemory,
  plain: () => PlainKmalloc,
  allocator: () => SheafSlub,
): SheafMemory {
  const { ledger, pages, basePfn } = memory;
  const { cache, slabCache, frameState } = ledger;
  const { pageSize } = memory.profile;
  const kmallocFor = (bytes: number) => plain().find(([size]) => size >= bytes)?.[1];

  /** What is larger than kmalloc's largest cache is a block of pages. */
  function allocPages(bytes: number, gfp: Gfp): PhysAddr {
    const pfn = pages.allocPages((gfp | __GFP.COMP) as Gfp, orderOf(bytes, pageSize));
    return pfn === NO_PFN ? NULL : ((pfn * pageSize) as PhysAddr);
  }

  function freePages(address: PhysAddr): void {
    const pfn = address / pageSize;
    pages.freePages(pfn as Pfn, frameState[pfn - basePfn]! & FRAME_ORDER);
  }

  return {
    alloc(id, bytes, gfp, cpu) {
      const asked = (gfp & ~NOT_FOR_SHEAVES) as Gfp;
      const from = kmallocFor(bytes);
      if (from === undefined) return allocPages(bytes, asked);
      const recurses = (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB.KMALLOC) !== 0;
      return recurses ? allocator().allocAtHand(from, asked, cpu) : allocator().alloc(from, asked, cpu);
    },
    free(_, address, cpu) {
      const slab = allocator().slabAt(address);
      if (slab === 0) freePages(address);
      else allocator().free(slabCache[slab]!, address, cpu);
    },
  };
}
