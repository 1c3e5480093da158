/**
 * Caches with a debug flag in SLUB: nothing stands in front of the node. Each alloc takes one object from the first slab of its list, a new
 * slab goes to the front, and a full slab that gets an object back goes to the end (debug/slabs.ts). All of it happens under the node's
 * lock.
 */
import type { Gfp, PhysAddr } from '../../base/index.js';
import { CACHE_WORDS, CPU_WORDS, type PhysicalMemory } from '../../machine/index.js';
import type { BadFreeOutcome, DebugSlabs } from '../debug/index.js';
import { whileOnNode } from '../workers/index.js';

/** `p` is the line of the CPU for which it is done. */
export interface DebuggedCaches {
  alloc(id: number, gfp: Gfp, p: number): PhysAddr;
  free(id: number, p: number, address: PhysAddr): BadFreeOutcome;
  freeGroup(id: number, p: number, slab: number, chain: readonly PhysAddr[]): void;
  /** The checks of whole caches, each with the node locked where it changes something. */
  readonly whole: DebugSlabs;
}

export function createDebuggedCaches(memory: PhysicalMemory, debug: DebugSlabs): DebuggedCaches {
  const lineWords = (memory.ledger.shape.caches + 1) * CPU_WORDS;
  const cpuOf = (p: number) => Math.floor(p / lineWords);
  const onNode = <T>(id: number, act: () => T): T => whileOnNode(memory, id * CACHE_WORDS, act);
  return {
    alloc: (id, gfp, p) => onNode(id, () => debug.alloc(id, gfp, p, cpuOf(p))),
    free: (id, p, address) => onNode(id, () => debug.free(id, p, address, cpuOf(p))),
    freeGroup: (id, p, slab, chain) => onNode(id, () => debug.freeGroup(id, p, slab, chain, cpuOf(p))),
    whole: {
      ...debug,
      validate: (id) => onNode(id, () => debug.validate(id)),
      dropLost: (id) => onNode(id, () => debug.dropLost(id)),
    },
  };
}
