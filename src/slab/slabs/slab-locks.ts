/**
 * The locks of a slab and of a cache's node, as allocators take them (machine/locks.ts). They are small, so that they are compiled into
 * their callers: a machine of one thread pays a look at a constant, one in shared memory a look at a word.
 */
import { C_LOCK, H_CONCURRENT, type PhysicalMemory } from '../../machine/index.js';

export interface SlabLocks {
  /** Whether other threads have been let into the machine. */
  concurrent(): boolean;
  /** Locks a slab for the CPU with the line `p`. Returns its word (ledger.ts, `slabCounters`). */
  takeSlab(slab: number, p: number): number;
  /** Writes a slab's word, which unlocks it. */
  releaseSlab(slab: number, counters: number): void;
  /** Locks the node of the cache whose row begins at `c`: the list of its partial slabs. */
  takeNode(c: number): void;
  releaseNode(c: number): void;
}

export function createSlabLocks({ ledger, locks }: PhysicalMemory): SlabLocks {
  const { cache, header, slabCounters } = ledger;
  const SHARED = locks.shared;
  const concurrent = () => SHARED && header[H_CONCURRENT] !== 0;
  return {
    concurrent,
    takeSlab: (slab, p) => (concurrent() ? locks.takeSlab(slab, p) : slabCounters[slab]!),
    releaseSlab(slab, counters) {
      if (concurrent()) locks.releaseSlab(slab, counters);
      else slabCounters[slab] = counters;
    },
    takeNode(c) {
      if (concurrent()) locks.take(cache, c + C_LOCK, 'the node of a cache');
    },
    releaseNode(c) {
      if (concurrent()) locks.release(cache, c + C_LOCK);
    },
  };
}
