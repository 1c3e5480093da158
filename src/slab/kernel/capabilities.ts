/**
 * What an allocator has, as data: `machine.kernel.has.sysfsTree`.
 *
 * Who differs by such a thing asks for the thing, and neither for the allocator's name nor for a release: SLUB of one kernel keeps slabs
 * for each CPU, and SLUB of another may not. An entry is here because somebody asks for it.
 */
export interface Capabilities {
  /** A CPU keeps slabs of its own: the active one, and a list of partial ones (`cpu_partial`). */
  readonly cpuSlabs: boolean;
  /** A CPU keeps sheaves of objects and a node keeps a barn of them, instead of a CPU's slabs (`sheaf_capacity`). */
  readonly sheaves: boolean;
  /** A CPU keeps an array of single objects, and all CPUs share one more (`limit`, `batchcount`, `shared`). */
  readonly cpuArrays: boolean;
  /**
   * A slab's free objects are named by one list of indices, which may take some of its bytes. Otherwise each free object holds a pointer to
   * the next one.
   */
  readonly indexFreelist: boolean;
  /** A node keeps the slabs that are wholly free in a list of their own. */
  readonly freeSlabs: boolean;
  /** Free objects and slabs go back as time passes, though nobody allocates or frees. */
  readonly reaper: boolean;
  /** `slab_min_order`, `slab_max_order` and `slab_min_objects` bound the order of a slab. Otherwise only the highest can be told. */
  readonly orderRange: boolean;
  /** Caches can have red zones, poison and tracks: `slab_debug`. */
  readonly debugFlags: boolean;
  /** Events are counted by cache: CONFIG_SLUB_STATS. */
  readonly statistics: boolean;
  /** Each cache is a directory or a link in /sys/kernel/slab. */
  readonly sysfsTree: boolean;
  /** A write to /proc/slabinfo tunes a cache. */
  readonly tunables: boolean;
}

/** SLUB up to Linux 6.12, as recorded in truth/. */
export const SLUB_HAS: Capabilities = {
  cpuSlabs: true,
  sheaves: false,
  cpuArrays: false,
  indexFreelist: false,
  freeSlabs: false,
  reaper: false,
  orderRange: true,
  debugFlags: true,
  statistics: true,
  sysfsTree: true,
  tunables: false,
};

/** SLUB since Linux 7.0, as recorded in truth/7.3. */
export const SLUB_WITH_SHEAVES_HAS: Capabilities = { ...SLUB_HAS, cpuSlabs: false, sheaves: true };

/** SLAB, which was not built with CONFIG_DEBUG_SLAB, as recorded in truth/. It was the same in every kernel that had it. */
export const SLAB_HAS: Capabilities = {
  cpuSlabs: false,
  sheaves: false,
  cpuArrays: true,
  indexFreelist: true,
  freeSlabs: true,
  reaper: true,
  orderRange: false,
  debugFlags: false,
  statistics: false,
  sysfsTree: false,
  tunables: true,
};
