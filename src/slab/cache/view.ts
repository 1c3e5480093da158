/**
 * One cache as one CPU sees it: two functions that can be taken along by themselves.
 *
 *     const { alloc, free } = cache.cpu(2);
 *     free(alloc());
 */
import type { Gfp, PhysAddr } from '../../base/index.js';
import { C_BORN, CACHE_WORDS, GFP, type Ledger } from '../../machine/index.js';
import type { CacheAllocator } from './allocator.js';
import { isCache } from './table.js';

/** A cache as one CPU sees it. `cache.cpu(n)` gives `alloc` and `free` of it. */
export interface CacheView {
  /** One object, or NULL. `cpu` is the view's own unless told; a CPU that the machine lacks is an ArgumentError. */
  alloc(gfp?: Gfp, cpu?: number): PhysAddr;
  /** Throws BadFreeError for what is not an object of this cache; then nothing changed. */
  free(address: PhysAddr, cpu?: number): void;
  /** The cache is gone: from now on both throw. */
  close(): void;
}

/** The view of a cache without a hot path of its own. */
export function plainView(
  allocator: Pick<CacheAllocator, 'alloc' | 'free'>,
  ledger: Ledger,
  id: number,
  ownCpu: number,
): CacheView {
  const shared = !(ledger.buffer instanceof ArrayBuffer);
  const born = ledger.cache[id * CACHE_WORDS + C_BORN]!;
  let open = true;
  /** The row, as long as it is this cache's: another thread may destroy the cache, and another cache may get the row. */
  const owner = () => (open && (!shared || isCache(ledger, id, born)) ? id : 0);
  return {
    alloc: (gfp: Gfp = GFP.KERNEL, cpu = ownCpu) => allocator.alloc(owner(), gfp, cpu),
    free: (address, cpu = ownCpu) => allocator.free(owner(), address, cpu),
    close() {
      open = false;
    },
  };
}
