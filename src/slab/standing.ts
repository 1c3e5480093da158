/**
 * The caches that a booted kernel has, which new ones may merge with, in the order in which it made them, and what has joined them.
 */
import { ArgumentError } from '../base/index.js';
import { C_REFCOUNT, CACHE_WORDS, type Ledger } from '../machine/index.js';
import {
  type CacheRow,
  cacheLayout,
  cpusCountedEarly,
  joinCache,
  type MachineBoot,
  withBootDebug,
} from './cache/index.js';
import type { KernelProfile, StandingCache } from './kernel/index.js';
import type { KmemCache } from './kmem-cache.js';

/** What of a machine they are made with. */
export interface BootingMachine {
  readonly kernel: KernelProfile;
  readonly boot: MachineBoot;
  readonly ledger: Ledger;
  /** kmalloc's caches come among them, as the newest by then. */
  addKmalloc(): void;
  adopt(row: CacheRow): KmemCache;
  find(name: string): KmemCache | undefined;
  /** Gives a cache one more name in sysfs. */
  link(name: string, cache: KmemCache): void;
}

/** Throws ArgumentError where one of them has no layout, LedgerFullError where the ledger has no room for them. */
export function addStandingCaches(machine: BootingMachine): void {
  const { standing, standingBeforeKmalloc } = machine.kernel;
  standing.forEach((cache, place) => {
    // The first ones are the caches that caches are made of; kmalloc's come next.
    if (place === standingBeforeKmalloc) machine.addKmalloc();
    addStanding(machine, cache, place);
  });
  addAliases(machine);
}

function addStanding(machine: BootingMachine, standing: StandingCache, place: number): void {
  const { kernel, boot, ledger } = machine;
  const [name, size, grown, align, flags, ctor, useroffset, usersize, refcount, freeptrOffset] = standing;
  const early = place < (kernel.slab?.standingBeforeCpus ?? 0);
  const layout = cacheLayout(kernel, boot, {
    size,
    align,
    flags: withBootDebug(flags, boot.debug, name),
    ctor: ctor !== 0,
    freeptrOffset,
    ...(early && { cpusCounted: cpusCountedEarly(ledger.shape.cpus) }),
  });
  if (layout === null) throw new ArgumentError(`${name} has no layout under these boot parameters`);
  // Where nothing merges, nobody shares it.
  const users = boot.noMerge ? Math.min(refcount, 1) : refcount;
  const { id } = machine.adopt({
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

function addAliases(machine: BootingMachine): void {
  const { kernel, ledger } = machine;
  for (const [name, ...aliases] of kernel.standingAliases) {
    const cache = machine.find(name);
    // The lists are x86_64's: a machine without that cache of kmalloc has none for them to share.
    if (cache === undefined) continue;
    // Where nothing merges, they would be caches of their own.
    const shared = cache.sysfsId !== name;
    if (shared) for (const alias of aliases) machine.link(alias, cache);
    ledger.cache[cache.id * CACHE_WORDS + C_REFCOUNT] = shared ? aliases.length + 1 : 1;
  }
}
