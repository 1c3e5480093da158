/**
 * kmem_cache_create: what it refuses, which standing cache it shares, and what it makes anew.
 */
import { KernelPanicError, KernelWouldCrashError } from '../base/index.js';
import { cacheLayout, findMergeable, joinCache, withBootDebug } from './cache/index.js';
import { sheavesAsked } from './cache-sheaves.js';
import type { Caches } from './caches.js';
import { freeptrFits, refuseNonsense, usercopyRegion } from './create-checks.js';
import { SLAB } from './kernel/index.js';
import type { KmemCache } from './kmem-cache.js';
import type { CacheOptions } from './machine-options.js';

const EINVAL = 22;
const E2BIG = 7;
const ENOMEM = 12;

/** As `Machine.kmemCacheCreate`. Nobody else must be at work on the table of caches. */
export function createCache(
  caches: Caches,
  name: string | null,
  size: number,
  options: CacheOptions,
): KmemCache | null {
  const { ledger, kernel, boot, faithful, memory } = caches;
  const { ctor, align = 0, flags: givenFlags = 0 } = options;
  const fail = (error = EINVAL) => failCreate(caches, name, givenFlags, error);
  if (givenFlags & ~kernel.permittedFlags) return fail();
  if (name === null && faithful && ctor !== undefined) return fail(ENOMEM);
  refuseNonsense(caches, name, size, align, options);
  const asked = options.sheafCapacity ?? 0;
  const alone = kernel.has.sheaves && asked > 0 ? SLAB.NO_MERGE : SLAB.NONE;
  const flags = (givenFlags & kernel.createMask) | kernel.createAdds | alone;
  const { useroffset, usersize } = usercopyRegion(kernel, memory.log, options, size);
  const sheaves = sheavesAsked(kernel, caches.hasSheaves, options);
  const request = { name: name!, size, align, flags, ctor: ctor !== undefined, usersize };
  // A cache that asks for its own sheaf capacity is not merged.
  const ownSheaves = sheaves !== undefined && Object.keys(sheaves).length > 0;
  const shared = ownSheaves ? 0 : findMergeable(ledger, kernel, boot, request);
  if (shared !== 0) {
    caches.link(name!, caches.of(shared));
    joinCache(ledger, kernel, shared, size);
    return caches.of(shared);
  }
  if (name === null) return fail(ENOMEM);
  if (!freeptrFits(kernel, size, options)) return fail();
  const layout = cacheLayout(kernel, boot, {
    ...request,
    flags: withBootDebug(flags, boot.debug, name),
    freeptrOffset: options.freeptrOffset,
    sheafCapacity: asked,
  });
  if (layout === null) return fail(boot.allocator === 'slab' ? E2BIG : EINVAL);
  if (!faithful && layout.size < size)
    throw new KernelWouldCrashError(
      `${name}: ${size} bytes wrap at 32 bits`,
      `silent nonsense: an object gets ${layout.size}`,
    );
  const cache = caches.adopt({
    ...layout,
    name,
    refcount: 1,
    useroffset,
    usersize,
    ctor: request.ctor,
    ...(sheaves && { sheaves }),
  });
  if (ctor !== undefined) caches.constructors.add(cache.id, ctor);
  return cache;
}

function failCreate({ kernel, memory }: Caches, name: string | null, flags: number, error: number): null {
  const { createFunction } = kernel;
  const shown = name ?? '(null)';
  if (flags & SLAB.PANIC) {
    throw new KernelPanicError(`${createFunction}: Failed to create slab '${shown}'. Error -${error}`);
  }
  memory.log.add(`${createFunction}(${shown}) failed with error -${error}`);
  return null;
}
