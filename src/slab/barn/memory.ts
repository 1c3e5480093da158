/**
 * Where the memory of sheaves and barns comes from: plain kmalloc, by their size.
 *
 * A cache of kmalloc's needs sheaves too. What it asks for is taken without recursion: an object that lies at hand, else a single one of
 * a slab.
 */
import type { Gfp } from '../../base/index.js';
import { __GFP, C_FLAGS, CACHE_WORDS, type Ledger } from '../../machine/index.js';
import { SLAB } from '../kernel/index.js';
import type { SheafMemory } from './barn.js';
import type { SheafSlub } from './slub.js';

/** The plain caches of kmalloc, by size, ascending: bytes and id. */
export type PlainKmalloc = readonly (readonly [bytes: number, id: number])[];

/** Bits of the caller's request that say where its own object has to lie, or who pays for it. */
const NOT_FOR_SHEAVES =
  __GFP.DMA | __GFP.DMA32 | __GFP.HIGHMEM | __GFP.RECLAIMABLE | __GFP.ACCOUNT | __GFP.ZERO | __GFP.NOFAIL;

export function createSheafMemory(
  { cache, slabCache }: Ledger,
  plain: () => PlainKmalloc,
  allocator: () => SheafSlub,
): SheafMemory {
  const kmallocFor = (bytes: number) => plain().find(([size]) => size >= bytes)![1];
  return {
    alloc(id, bytes, gfp, cpu) {
      const asked = (gfp & ~NOT_FOR_SHEAVES) as Gfp;
      const from = kmallocFor(bytes);
      const recurses = (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB.KMALLOC) !== 0;
      return recurses ? allocator().allocAtHand(from, asked, cpu) : allocator().alloc(from, asked, cpu);
    },
    free: (_, address, cpu) => allocator().free(slabCache[allocator().slabAt(address)]!, address, cpu),
  };
}
