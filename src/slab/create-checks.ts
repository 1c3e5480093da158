/**
 * Arguments of a creation that no kernel means to take.
 */
import { ArgumentError, isPowerOfTwo, KernelWouldCrashError } from '../base/index.js';
import type { KernelLog } from '../machine/index.js';
import type { MachineBoot } from './cache/index.js';
import { type KernelProfile, SLAB } from './kernel/index.js';
import type { CacheOptions } from './machine-options.js';

const U32 = 2 ** 32;

/** What the kernel would crash on, or take without noticing. The faithful mode lets through what a kernel survives. */
export function refuseNonsense(
  { boot, faithful }: { readonly boot: MachineBoot; readonly faithful: boolean },
  name: string | null,
  size: number,
  align: number,
  { ctor, flags = 0 }: CacheOptions,
): void {
  for (const [what, value] of [
    ['size', size],
    ['align', align],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value >= U32) {
      throw new ArgumentError(`${what} is a whole number of bytes below 4 GiB, not ${value}`);
    }
  }
  const slab = boot.allocator === 'slab';
  // SLAB looks at no name to find a merge, and needs none for it.
  if (name === null && !(slab && faithful)) {
    const unseen = slab ? 'silent nonsense: a merge, else NULL' : 'oops in strlen when a merge is looked for';
    throw new KernelWouldCrashError('a cache needs a name', ctor ? 'NULL, error -12' : unseen);
  }
  if (size === 0) {
    if (flags & SLAB.HWCACHE_ALIGN)
      throw new KernelWouldCrashError(
        `${name}: an object needs a size`,
        'hang: an endless loop halves the line',
      );
    if (ctor === undefined && !slab)
      throw new KernelWouldCrashError(`${name}: an object needs a size`, 'divide error');
    if (!faithful)
      throw new KernelWouldCrashError(
        `${name}: an object needs a size`,
        'silent nonsense: objects of 0 bytes',
      );
  }
  if (!faithful && align !== 0 && !isPowerOfTwo(align)) {
    throw new KernelWouldCrashError(
      `${name}: alignment ${align} is no power of two`,
      'silent nonsense: objects are not aligned to it',
    );
  }
}

/** Looked at only when no merge was found: a bad offset that merges is never noticed. */
export function freeptrFits(
  kernel: KernelProfile,
  size: number,
  { freeptrOffset, ctor, flags = 0 }: CacheOptions,
): boolean {
  if (freeptrOffset === undefined || !kernel.freeptrOffset) return true;
  const aligned = freeptrOffset % kernel.wordSize === 0;
  const owned = (flags & SLAB.TYPESAFE_BY_RCU) !== 0 || (ctor !== undefined && kernel.freeptrOffsetWithCtor);
  return freeptrOffset >= 0 && freeptrOffset < size && aligned && owned;
}

/** A region outside the object is warned about and forgotten; the creation goes on. 32-bit arithmetic, as in the kernel. */
export function usercopyRegion(
  kernel: KernelProfile,
  log: KernelLog,
  { useroffset = 0, usersize = 0 }: CacheOptions,
  size: number,
): { useroffset: number; usersize: number } {
  if (!kernel.hardenedUsercopy) return { useroffset: 0, usersize: 0 };
  const outside =
    (usersize === 0 && useroffset !== 0) || size < usersize || (size - usersize) >>> 0 < useroffset;
  if (!outside) return { useroffset, usersize };
  log.add(`WARNING: usercopy region ${useroffset}+${usersize} does not lie in an object of ${size} bytes`);
  return { useroffset: 0, usersize: 0 };
}
