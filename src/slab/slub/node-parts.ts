/**
 * The part of SLUB that every kernel has, put together: slabs, the node, and caches that are debugged. What stands in front of it, slabs
 * of a CPU (slub.ts) or sheaves (barn/slub.ts), comes after it and is not known here.
 */
import { C_FLAGS, CACHE_WORDS, type PhysicalMemory } from '../../machine/index.js';
import type { AllocatorOptions } from '../cache/index.js';
import { createDebugParts, createDebugSlabs } from '../debug/index.js';
import { SLAB_DEBUG_FLAGS } from '../kernel/index.js';
import { createNodeLists, createObjectAddresses, createSlabLocks, createSlabPages } from '../slabs/index.js';
import { createDebuggedCaches } from './debugged.js';
import { createSlubNode } from './node.js';

/** In the order in which it is made: each part knows only those above it. */
export function createNodeParts(memory: PhysicalMemory, options: AllocatorOptions) {
  const { ledger } = memory;
  const isDebug = (id: number) => (ledger.cache[id * CACHE_WORDS + C_FLAGS]! & SLAB_DEBUG_FLAGS) !== 0;
  const lists = createNodeLists(ledger);
  const addresses = createObjectAddresses(memory);
  const locks = createSlabLocks(memory);
  const debugParts = createDebugParts(memory, options, lists, addresses);
  const { checks, strays } = debugParts;
  const pages = createSlabPages(memory, {
    ...options,
    objectAddress: addresses.objectAddress,
    onNew: (id, slab) => (isDebug(id) ? checks.setUp(id, slab) : undefined),
    onDiscard: (id, slab) => (isDebug(id) ? checks.onDiscard(id, slab) : strays.drop(slab)),
  });
  const node = createSlubNode(memory, lists, pages, locks, addresses.objectAddress);
  const { discard } = pages;
  const debugOptions = { ...options, ...debugParts, ...lists, ...addresses, newSlab: node.newSlab, discard };
  const debug = createDebugSlabs(memory, debugOptions);
  const debugged = createDebuggedCaches(memory, debug);
  return { addresses, checks, strays, locks, pages, node, debug, debugged, isDebug };
}
