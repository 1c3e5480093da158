/** `__GFP_ZERO`: an object that was taken is zeroed before its caller has it. */
import type { PhysAddr } from '../../base/index.js';
import type { ManagedBytes } from '../../machine/index.js';
import type { CacheAllocator } from './allocator.js';

/** Zeroes an object that was just taken from a cache. One that cannot be zeroed is freed and handed to nobody: then it throws. */
export function zeroTaken(
  bytes: ManagedBytes,
  size: number,
  free: CacheAllocator['free'],
  id: number,
  address: PhysAddr,
  cpu: number,
): void {
  try {
    bytes.fill(address, size, 0);
  } catch (error) {
    free(id, address, cpu);
    throw error;
  }
}
