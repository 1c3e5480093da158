/**
 * In what the kernels' debug checks differ, as data: what they notice, in which order, and how they say it.
 */
export interface DebugProfile {
  /** A free writes NULL into the object's free pointer before anything is checked, so that a free of a free object cuts its list. */
  readonly freeCutsFirst: boolean;
  /** All checks of an object are made, or none after the first that fails. */
  readonly checksAll: boolean;
  /** Whether damaged padding keeps an object from being freed or handed out. */
  readonly paddingFails: boolean;
  /** Damaged bytes have a headline of their own, or a line in front of the headline `Object corrupt`. */
  readonly damageHeadline: boolean;
  /** Every report ends in a warning. */
  readonly reportsWarn: boolean;
  /** The line about a slab's page: bits of the page flags by name, beside the zone in the two highest. */
  readonly pageFlags: {
    /** Set for every slab; 0 where being a slab is no flag. */
    readonly slab: number;
    /** Set for the slabs of a node's partial list; 0 where that is no flag. */
    readonly workingset: number;
    /** Set for a block of more than one page. */
    readonly head: number;
  };
  /** The headline about a cache that is destroyed while it has objects. */
  readonly remaining: (name: string) => string;
  /** The slab's line stands in front of its objects, or behind them. */
  readonly remainingSlabFirst: boolean;
  /** A destroy with live objects takes the cache's name away at once, or leaves all as it is. */
  readonly destroyUnlinks: boolean;
  /** A destroy first waits for the frees that RCU has put off. */
  readonly destroyWaitsForRcu: boolean;
  /** Where the warnings come from: file and function. */
  readonly sites: {
    readonly wrongCache: string;
    readonly notSlab: string;
    readonly objectReport: string;
    readonly slabReport: string;
    readonly shutdown: string;
    readonly destroy: string;
  };
}

/** Linux 6.1, as recorded in truth/. */
export const DEBUG_6_1: DebugProfile = {
  freeCutsFirst: true,
  checksAll: false,
  paddingFails: false,
  damageHeadline: true,
  reportsWarn: false,
  pageFlags: { slab: 0x200, workingset: 0, head: 0x10000 },
  remaining: (name) => `Objects remaining in ${name} on __kmem_cache_shutdown()`,
  remainingSlabFirst: true,
  destroyUnlinks: false,
  destroyWaitsForRcu: false,
  sites: {
    wrongCache: 'mm/slab.h kmem_cache_free',
    notSlab: 'mm/slab.h kmem_cache_free',
    objectReport: '',
    slabReport: '',
    shutdown: '',
    destroy: 'mm/slab_common.c kmem_cache_destroy',
  },
};

/** Linux 6.12, as recorded in truth/6.12 (a stable release: some of this is newer than 6.12.0). */
export const DEBUG_6_12: DebugProfile = {
  // "mm/slub: handle bulk and single object freeing separately", 6.8: a single free leaves the list alone.
  freeCutsFirst: false,
  checksAll: true,
  paddingFails: true,
  // "mm: slub: Print the broken data before restoring them".
  damageHeadline: false,
  // "mm: slub: call WARN() when detecting a slab corruption".
  reportsWarn: true,
  // Being a slab became a page type; the flag of a partial slab is "slub: Delay freezing of partial slabs", 6.8.
  pageFlags: { slab: 0, workingset: 0x200, head: 0x40 },
  remaining: () => 'Objects remaining on __kmem_cache_shutdown()',
  remainingSlabFirst: false,
  // "mm, slab: unlink slabinfo, sysfs and debugfs immediately", 6.12.
  destroyUnlinks: true,
  // "mm, slab: call kvfree_rcu_barrier() from kmem_cache_destroy()", 6.12.
  destroyWaitsForRcu: true,
  sites: {
    wrongCache: 'mm/slub.c kmem_cache_free',
    notSlab: 'mm/slub.c kmem_cache_free',
    objectReport: 'mm/slub.c object_err',
    slabReport: 'mm/slub.c slab_err',
    shutdown: 'mm/slub.c __kmem_cache_shutdown',
    destroy: 'mm/slab_common.c kmem_cache_destroy',
  },
};
