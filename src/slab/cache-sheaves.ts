/**
 * Which sheaves a new cache gets: those that its creation asks for, else what the machine's caches get, else what suits its objects.
 */
import { ArgumentError } from '../base/index.js';
import { type CacheRow, checkAskedCapacity } from './cache/index.js';
import { type KernelProfile, SLAB_DEBUG_FLAGS } from './kernel/index.js';
import type { CacheOptions, SheafDefaults } from './machine-options.js';
import { checkCapacity, type SheafAllocator, type SheafOptions, usualSheafCapacity } from './sheaf/index.js';

/** What a creation says of sheaves, checked; undefined if it says nothing and the machine's caches have none. */
export function sheavesAsked(
  kernel: KernelProfile,
  hasSheaves: boolean,
  { sheafCapacity, liveCheck }: CacheOptions,
): Partial<SheafOptions> | undefined {
  if (kernel.has.sheaves) {
    // They are the kernel's own, and part of the cache's layout.
    if (sheafCapacity !== undefined) checkAskedCapacity(kernel, sheafCapacity);
    return undefined;
  }
  if (sheafCapacity !== undefined) checkCapacity(sheafCapacity);
  if (!hasSheaves) {
    if (sheafCapacity !== undefined && sheafCapacity > 0)
      throw new ArgumentError('this machine has no sheaves: make it with `sheafCapacity` or as `library`');
    return undefined;
  }
  return {
    ...(sheafCapacity !== undefined && { sheafCapacity }),
    ...(liveCheck !== undefined && { liveCheck }),
  };
}

/** Gives a new cache its sheaves; a debugged one has none. Throws LedgerFullError. */
export function addSheaves(
  allocator: SheafAllocator,
  { sheafCapacity, liveCheck }: SheafDefaults,
  id: number,
  { flags, size, sheaves }: CacheRow,
): void {
  if (flags & SLAB_DEBUG_FLAGS) return;
  allocator.addSheaves(id, {
    sheafCapacity: sheaves?.sheafCapacity ?? sheafCapacity ?? usualSheafCapacity(size),
    liveCheck: sheaves?.liveCheck ?? liveCheck,
  });
}
