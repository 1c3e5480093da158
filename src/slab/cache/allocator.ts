/**
 * What SLUB and SLAB have in common: the operations of all caches of a machine. Caches are named by their id in the ledger, CPUs by number.
 */
import type { Gfp, PhysAddr } from '../../base/index.js';
import type { ManagedBytes } from '../../machine/index.js';
import type { KernelProfile } from '../kernel/index.js';
import type { CacheReports } from './reports.js';

/** What SLUB and SLAB can both do. */
export interface CacheAllocator {
  /** An object's address, or NULL when no memory could be had. */
  alloc(cache: number, gfp: Gfp, cpu: number): PhysAddr;
  /** Throws BadFreeError for what is not a live object of this cache; then nothing changed. */
  free(cache: number, address: PhysAddr, cpu: number): void;
  /** Frees all of them, or throws BadFreeError and frees none. May leave the array's order changed, as the kernel does. */
  freeBulk(cache: number, addresses: PhysAddr[], cpu: number): void;
  /** Gives empty slabs back. Returns true if slabs are left. */
  shrink(cache: number): boolean;
  /** Takes what one CPU holds of a cache away from it, as when the CPU goes. */
  flushCpu(cache: number, cpu: number): void;
  /** Makes an end of a cache, which no other thread may keep slabs of: else throws ArgumentError. */
  whileUnkept(cache: number, act: () => void): void;
  /** Live objects, counted from the slabs. */
  live(cache: number): number;
  /** Free objects of the slabs on the node's lists: the only ones that the kernel's counters know to be free. */
  freeOnNode(cache: number): number;
  /** The slab that holds an address, or 0. */
  slabAt(address: number): number;
  /** The index in its slab of the object that begins at an address, or -1. */
  indexIn(slab: number, address: number): number;
  /** What the debug checks can do with a cache as a whole. */
  readonly debug: WholeCacheChecks;
}

/** The debug checks that look at a cache as a whole. */
export interface WholeCacheChecks {
  /** Looks at all slabs that a list holds; how many that were. */
  validate(id: number): number;
  /** Reports what keeps a cache from being destroyed. */
  reportRemaining(id: number): void;
  /** Says that a cache was destroyed in spite of them. */
  reportLeak(id: number): void;
  /** Gives back slabs in which nothing is live and everything was given up. */
  dropLost(id: number): void;
  /** All of an object of kmalloc is its caller's now, whatever was asked for. */
  useWhole(id: number, address: PhysAddr): void;
}

/** What the tracks of the following calls say. */
export interface Caller {
  /** A name or an address; a track without one is not printed. */
  site: string | number;
  pid: number;
  /** The clock, in ticks. */
  now: number;
}

/**
 * CONFIG_SLAB_FREELIST_RANDOM: the order in which the slab with this number, counted over its cache's life, hands out its objects. Returns
 * each index below `objects` once.
 */
export type FreelistOrder = (cache: string, serial: number, objects: number) => ArrayLike<number>;

/** What an allocator is given by the machine that it works for. */
export interface AllocatorOptions {
  /** Called for each object of a new slab, in ascending order. */
  construct(cache: number, address: PhysAddr): void;
  hasConstructor(cache: number): boolean;
  readonly reports: CacheReports;
  readonly profile: KernelProfile;
  /** Do what the kernel does with a bad free, instead of throwing. */
  readonly faithful: boolean;
  /** The memory, where it can be written to. */
  readonly bytes: ManagedBytes | undefined;
  /** Who the tracks name. */
  readonly caller: Readonly<Caller>;
  /** In which order a new slab hands out its objects, by their indices; ascending where this is left out. */
  readonly freelistOrder?: FreelistOrder | undefined;
  /** Bytes that kmalloc was asked for in the call that is going on, else 0. */
  askedFor(): number;
}
