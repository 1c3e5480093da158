/** A cache's sheaves, for who uses them directly: prefilled ones, and what a kernel does with a CPU's. */
import { ArgumentError, type Gfp, type PhysAddr } from '../../base/index.js';
import { GFP } from '../../machine/index.js';
import type { SheafSlub } from './slub.js';

/** Sheaves are named by their ids. CPUs are the machine's own unless told. */
export interface CacheSheaves {
  /** kmem_cache_prefill_sheaf: a sheaf with at least `count` objects; 0 for none, and where memory ran out. */
  prefill(count: number, gfp?: Gfp, cpu?: number): number;
  /** kmem_cache_alloc_from_sheaf: its top; NULL when it is empty. */
  alloc(sheaf: number): PhysAddr;
  /** kmem_cache_return_sheaf. */
  giveBack(sheaf: number, gfp?: Gfp, cpu?: number): void;
  /** kmem_cache_refill_sheaf: the sheaf that holds at least `count` objects then, which may be another one; 0 where memory ran out. */
  refill(sheaf: number, count: number, gfp?: Gfp, cpu?: number): number;
  /** What kfree_rcu put off on a CPU, and a grace period does not wait for, goes to the slabs. */
  flushRcu(cpu?: number): void;
  /** A CPU's spare and main go to the slabs, and what kfree_rcu put off there. */
  flush(cpu?: number): void;
  /** The CPU goes offline: it gives up all but its empty main sheaf. */
  offline(cpu: number): void;
}

/** Throws ArgumentError for an allocator that has none. */
export function cacheSheaves(
  allocator: Partial<SheafSlub>,
  name: string,
  id: number,
  ownCpu: number,
): CacheSheaves {
  if (allocator.prefillSheaf === undefined)
    throw new ArgumentError(`${name}: this machine's caches have no sheaves of Linux 7.0 and later`);
  const slub = allocator as SheafSlub;
  return {
    prefill: (count, gfp = GFP.KERNEL, cpu = ownCpu) => slub.prefillSheaf(id, count, gfp, cpu),
    alloc: (sheaf) => slub.allocFromSheaf(id, sheaf),
    giveBack: (sheaf, gfp = GFP.KERNEL, cpu = ownCpu) => slub.returnSheaf(id, sheaf, gfp, cpu),
    refill: (sheaf, count, gfp = GFP.KERNEL, cpu = ownCpu) => slub.refillSheaf(id, sheaf, count, gfp, cpu),
    flushRcu: (cpu = ownCpu) => slub.flushRcu(id, cpu),
    flush: (cpu = ownCpu) => slub.flushCpu(id, cpu),
    offline: (cpu) => slub.offline(id, cpu),
  };
}
