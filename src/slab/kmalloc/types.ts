/** What makes a kmalloc cache one of its type. */
import { KMALLOC_NORMAL } from '../../machine/index.js';
import { type KernelProfile, SLAB } from '../kernel/index.js';

/** By KMALLOC_TYPES. */
const TYPE_FLAGS: readonly number[] = [SLAB.NONE, SLAB.ACCOUNT, SLAB.RECLAIM_ACCOUNT, SLAB.CACHE_DMA];

/** `SLAB_*` flags of the kmalloc caches of a type. */
export function kmallocCacheFlags(type: number, profile: KernelProfile): number {
  // The plain ones are kept from merging; the others only by their usercopy region, where there is one.
  const own = type === KMALLOC_NORMAL ? profile.plainKmalloc.flags : TYPE_FLAGS[type]! | profile.createAdds;
  return own | profile.kmallocFlags | SLAB.KMALLOC;
}
