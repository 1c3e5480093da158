/**
 * A machine's kmalloc: over the caches of its own that are there, or over new ones.
 */
import { C_SHEAF_CAPACITY, CACHE_WORDS, type ManagedBytes } from '../machine/index.js';
import { cacheName } from './cache/index.js';
import type { Caches } from './caches.js';
import { SLAB } from './kernel/index.js';
import { addKmallocCaches, createKmalloc, type Kmalloc, kmallocNames } from './kmalloc/index.js';

/** Nobody else must be at work on the table of caches. Throws LedgerFullError; then none was added. */
export function openKmalloc(caches: Caches, bytes: ManagedBytes | undefined): Kmalloc {
  const { memory, ledger, kernel, boot, allocator } = caches;
  const names = kmallocNames(kernel, memory.zoneNames.includes('DMA'));
  // The kernel's own are the oldest of their name, and no other cache of 6.1 can have their flag.
  const own = caches.all().filter((cache) => cache.info.flags & SLAB.KMALLOC);
  const known = names.map((row) => row.map((name) => own.find((cache) => cache.name === name)?.id));
  const isNew = known.flat().includes(undefined);
  const ids = isNew
    ? addKmallocCaches(memory, kernel, boot, (id, row) => caches.addSheaves(id, row))
    : (known as number[][]);
  for (const id of ids.flat()) caches.link(cacheName(ledger, id), caches.of(id));
  caches.plainKmalloc = kernel.kmallocSizes.map(([size], i) => [size, ids[0]![i]!]);
  // Their sheaves come from them: the first ones are single objects of slabs.
  if (isNew && caches.hasBarns) openBarns(caches, ids.flat());
  return createKmalloc(memory, kernel, allocator, ids, bytes, caches.ownCpu);
}

/** As long as a cache has no barn, what is asked of it comes from its slabs. */
function openBarns(caches: Caches, ids: readonly number[]): void {
  const { cache } = caches.ledger;
  const capacities = ids.map((id) => cache[id * CACHE_WORDS + C_SHEAF_CAPACITY]!);
  for (const id of ids) cache[id * CACHE_WORDS + C_SHEAF_CAPACITY] = 0;
  for (const [i, id] of ids.entries()) caches.openBarn(id, capacities[i]!);
}
