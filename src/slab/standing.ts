/**
 * The caches that a booted kernel has, which new ones may merge with, in the order in which it made them, and what has joined them.
 */
import { ArgumentError } from '../base/index.js';
import { C_REFCOUNT, CACHE_WORDS } from '../machine/index.js';
import { cacheLayout, cpusCountedEarly, joinCache, withBootDebug } from './cache/index.js';
import type { Caches } from './caches.js';
import type { StandingCache } from './kernel/index.js';

/**
 * `addKmalloc` adds kmalloc's, which come among them. Throws ArgumentError where one has no layout, LedgerFullError where the ledger has
 * no room for them.
 */
export function addStandingCaches(caches: Caches, addKmalloc: () => void): void {
  const { standing, standingBeforeKmalloc } = caches.kernel;
  standing.forEach((cache, place) => {
    // The first ones are the caches that caches are made of; kmalloc's come next.
    if (place === standingBeforeKmalloc) addKmalloc();
    addStanding(caches, cache, place);
  });
  addAliases(caches);
}

function addStanding(caches: Caches, standing: StandingCache, place: number): void {
  const { kernel, boot, ledger } = caches;
  const [name, size, grown, align, flags, ctor, useroffset, usersize, refcount, ...rest] = standing;
  const [freeptrOffset, sheafCapacity] = rest;
  const early = place < (kernel.slab?.standingBeforeCpus ?? 0);
  const layout = cacheLayout(kernel, boot, {
    size,
    align,
    flags: withBootDebug(flags, boot.debug, name),
    ctor: ctor !== 0,
    usersize,
    freeptrOffset,
    sheafCapacity,
    ...(early && { cpusCounted: cpusCountedEarly(ledger.shape.cpus) }),
  });
  if (layout === null) throw new ArgumentError(`${name} has no layout under these boot parameters`);
  // Where nothing merges, nobody shares it.
  const users = boot.noMerge ? Math.min(refcount, 1) : refcount;
  const { id } = caches.adopt({
    ...layout,
    name,
    refcount: users,
    useroffset,
    usersize,
    ctor: ctor !== 0,
  });
  if (grown === size || boot.noMerge) return;
  joinCache(ledger, kernel, id, grown);
  ledger.cache[id * CACHE_WORDS + C_REFCOUNT] = refcount;
}

function addAliases(caches: Caches): void {
  const { kernel, ledger } = caches;
  for (const [name, ...aliases] of kernel.standingAliases) {
    const cache = caches.find(name);
    // The lists are x86_64's: a machine without that cache of kmalloc has none for them to share.
    if (cache === undefined) continue;
    // Where nothing merges, they would be caches of their own.
    const shared = cache.sysfsId !== name;
    if (shared) for (const alias of aliases) caches.link(alias, cache);
    ledger.cache[cache.id * CACHE_WORDS + C_REFCOUNT] = shared ? aliases.length + 1 : 1;
  }
}
