import type { KmemCache } from '../../slab/index.js';
import type { CacheSummary } from './result.js';

/** What a result tells of a cache. */
export function summarizeCache(cache: KmemCache, mergedWith: string | null): CacheSummary {
  const { name, size, oo, orderFallbacks } = cache.info;
  return {
    name,
    id: cache.sysfsId,
    slabSize: size,
    order: oo.order,
    objectsPerSlab: oo.objects,
    orderFallbacks,
    mergedWith,
  };
}
