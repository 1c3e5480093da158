/** Temporary: replaced by the layout's own. */
import type { CacheRow } from '../cache/index.js';
import { SLAB, SLAB_DEBUG_FLAGS } from '../kernel/index.js';

export function sheafCapacityOf({ size, flags, name, sheaves }: CacheRow): number {
  if (flags & (SLAB_DEBUG_FLAGS | SLAB.NOLEAKTRACE)) return 0;
  if (name === 'kmem_cache' || name === 'kmem_cache_node') return 0;
  const usual = size >= 4096 ? 4 : size >= 1024 ? 12 : size >= 256 ? 28 : 60;
  return Math.max(usual, sheaves?.sheafCapacity ?? 0);
}
