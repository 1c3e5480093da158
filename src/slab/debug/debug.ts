/**
 * The parts of SLUB's debugging put together: objects' bytes (object.ts), tracks (track.ts), checks (checks.ts),
 * their words (report.ts), and the caches that have them (slabs.ts).
 */
import { NULL } from '../../base/index.js';
import { __GFP, type ManagedBytes, type PhysicalMemory } from '../../machine/index.js';
import { type AllocatorOptions, type CacheAllocator, zeroTaken } from '../cache/index.js';
import type { NodeLists, ObjectAddresses } from '../slabs/index.js';
import { createDebugChecks, type DebugChecks } from './checks.js';
import { createDebugReport, type DebugReport } from './report.js';
import { createStrays, type Strays } from './strays.js';
import { createTracks } from './track.js';

/** What the debug checks of a machine share. */
interface DebugParts {
  readonly strays: Strays;
  readonly report: DebugReport;
  readonly checks: DebugChecks;
}

export function createDebugParts(
  memory: PhysicalMemory,
  { profile, bytes, caller, askedFor, faithful }: AllocatorOptions,
  lists: NodeLists,
  addresses: ObjectAddresses,
): DebugParts {
  const strays = createStrays();
  const tracks = bytes && createTracks(bytes, profile.trackSize, caller);
  const report = createDebugReport(memory, profile, bytes, tracks);
  const view = { profile, bytes, report, strays, addresses, lists };
  const checks = createDebugChecks(memory, { ...view, tracks, faithful, askedFor });
  return { strays, report, checks };
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
