/**
 * The parts of SLUB's debugging put together: objects' bytes (object.ts), tracks (track.ts), checks (checks.ts),
 * their words (report.ts), and the caches that have them (slabs.ts).
 */
import { NULL } from '../../base/index.js';
import {
  __GFP,
  CACHE_WORDS,
  COUNTERS_FREE,
  type ManagedBytes,
  type PhysicalMemory,
} from '../../machine/index.js';
import { type CacheAllocator, type Caller, zeroTaken } from '../cache/index.js';
import { createFreeBad, type FreeBad } from './bad-free.js';
import { createDebugChecks, type DebugChecks } from './checks.js';
import { createDebugReport } from './report.js';
import { createDebugSlabs, type DebugSlabs, type DebugSlabsOptions } from './slabs.js';
import { createStrays, type Strays } from './strays.js';
import { createTracks } from './track.js';

export interface SlubDebugOptions extends Omit<DebugSlabsOptions, 'checks' | 'report' | 'strays'> {
  readonly bytes: ManagedBytes | undefined;
  readonly caller: Readonly<Caller>;
  askedFor(): number;
  isDebug(id: number): boolean;
  /** A CPU's active slab got a stray: its next alloc has to come by the slow path. `p` is its line. */
  park(p: number): void;
}

export function createSlubDebug(
  memory: PhysicalMemory,
  options: SlubDebugOptions,
): {
  readonly checks: DebugChecks;
  readonly debug: DebugSlabs;
  readonly strays: Strays;
  readonly freeBad: FreeBad;
} {
  const { profile, bytes, listLast, unlist } = options;
  const { slabCounters, slabCache } = memory.ledger;
  const strays = createStrays();
  const tracks = bytes && createTracks(bytes, profile.trackSize, options.caller);
  const report = createDebugReport(memory, profile, bytes, tracks);
  const checks = createDebugChecks(memory, {
    profile,
    bytes,
    tracks,
    report,
    strays,
    addresses: options,
    faithful: options.faithful,
    askedFor: options.askedFor,
    // A slab that a check left without free objects is full; one that got some back is partial again.
    relist(id, slab, empty) {
      const c = id * CACHE_WORDS;
      if (empty) unlist(c, slab);
      else if (slabCache[slab] === id && (slabCounters[slab]! & COUNTERS_FREE) !== 0) listLast(c, slab);
    },
  });
  const debug = createDebugSlabs(memory, { ...options, checks, report, strays });
  return { checks, debug, strays, freeBad: createFreeBad(memory.ledger, { ...options, strays, debug }) };
}

/** An allocation that was asked for zeroed memory gets it: all of the object, or what kmalloc was asked for where the rest is red zone. */
export function zeroing(
  bytes: ManagedBytes,
  checks: DebugChecks,
  { alloc, free }: Pick<CacheAllocator, 'alloc' | 'free'>,
): CacheAllocator['alloc'] {
  return (id, gfp, cpu) => {
    const address = alloc(id, gfp, cpu);
    if (address === NULL || !(gfp & __GFP.ZERO)) return address;
    zeroTaken(bytes, checks.askedSize(id, address), free, id, address, cpu);
    return address;
  };
}
