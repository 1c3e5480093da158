/**
 * What a machine can be made with, and what that means where it is left out.
 */
import { ArgumentError, type PhysAddr } from '../base/index.js';
import type { KernelLog, LedgerLimits, ManagedBytes, MemoryMap, ZoneSpec } from '../machine/index.js';
import type { FreelistOrder, MachineBoot } from './cache/index.js';
import { type AllocatorName, type KernelProfile, parseSlubDebug, type SlubDebug } from './kernel/index.js';
import type { MachineReport } from './leaks/index.js';
import { checkCapacity } from './sheaf/index.js';
import type { ManagedBuffer } from './workers/index.js';

/** What a machine is: its memory, its CPUs, its kernel and how that was booted. */
export interface MachineOptions {
  /**
   * A board's name or a memory map. `x86_64` unless told; and where `workers`, `zones` or `memory` as text say that this is no model of a
   * board, one range of RAM from address 0 (machine/flat-map.ts).
   */
  machine?: string | MemoryMap;
  /** RAM of a named board or of one range: bytes, or text such as `256M`. */
  memory?: number | string;
  /** Zones of one range, from low to high, each with the first byte behind it; what is above them is Normal. One zone unless told. */
  zones?: readonly ZoneSpec[];
  /** How many threads can be CPUs of it at the same time, the maker's included. The same as `cpus`; `kernel` is `library` then. */
  workers?: number;
  /** 4 unless told. */
  cpus?: number;
  /**
   * CONFIG_SLAB_FREELIST_RANDOM: in which order new slabs hand out their objects. Not in the ledger: a machine that is opened again makes
   * slabs in ascending order. SLUB alone.
   */
  freelistOrder?: FreelistOrder;
  /** A kernel's name or a profile. `6.1` unless told. */
  kernel?: string | KernelProfile;
  /** Which of the kernel's allocators makes the caches: `slub` unless told. What is SLUB's alone means nothing to `slab`. */
  allocator?: AllocatorName;
  /** `slab_max_order`; SLAB alone. */
  slabMaxOrder?: number;
  slubMinOrder?: number;
  slubMaxOrder?: number;
  slubMinObjects?: number;
  /** `slab_nomerge`, of either allocator. */
  slubNomerge?: boolean;
  /** What follows `slub_debug=`, such as `FZPU` or `FZ,dentry,kmalloc-*;P,inode`. */
  slubDebug?: string;
  /**
   * Objects of a sheaf (sheaf.ts), 0 for none, of all caches that do not say otherwise. Unless told, none on a kernel's machine, and with
   * the profile `library` as many as suit the object's size.
   */
  sheafCapacity?: number;
  /** Whether each alloc and free looks at the object's link where a cache has sheaves; caches may say otherwise. No unless told. */
  liveCheck?: boolean;
  /**
   * For who looks for a bug: red zones, poison and checks in all caches (`slubDebug: 'FZPU'`), bytes on paper unless others are given, and
   * the stacks of every n-th object that is allocated; `true` is every one. Debugged caches have no sheaves.
   */
  debug?: boolean | number;
  /** Note the stacks of every n-th object that is allocated, and nothing else: 1 is every one. */
  stacks?: number;
  /** Called when the machine is disposed of and objects or pages are live. */
  onLeak?: (report: MachineReport) => void;
  /** Make the caches that a booted kernel has, which new ones may merge with. */
  standing?: boolean;
  /** Answer bad arguments as the kernel does, however strange, where it survives them. */
  faithful?: boolean;
  /** Attach bytes, so that debug checks can write and read them: `true` for a machine on paper, or the memory itself. */
  bytes?: boolean | ManagedBytes | ManagedBuffer;
  /** Count events as CONFIG_SLUB_STATS does (statistics.ts). */
  statistics?: boolean;
  ledger?: LedgerLimits;
  /** Put the ledger into a SharedArrayBuffer. */
  shared?: boolean;
  log?: KernelLog;
}

/** What `Machine.open` and `Machine.attach` have to be given, because no ledger holds it. */
export interface OpenOptions {
  log?: KernelLog;
  bytes?: ManagedBytes;
  /** The profile that the machine was made with, if it is none of KERNELS. */
  kernel?: KernelProfile;
}

/** What `kmem_cache_create` is told beside a name and a size. */
export interface CacheOptions {
  /** Bytes; 0 lets the object's size decide. */
  align?: number;
  flags?: number;
  /** Called for each object when its slab is made; it gets the object's address. */
  ctor?: (address: PhysAddr) => void;
  /** The part of an object that user space may copy. Bytes. */
  useroffset?: number;
  usersize?: number;
  /**
   * Where the free pointer of a TYPESAFE_BY_RCU cache may lie inside the object, in bytes; kernels from 6.12 on, and with 7.3 that of a
   * cache with a constructor too.
   */
  freeptrOffset?: number;
  /**
   * Objects of a sheaf, 0 for none. The machine decides unless told. A cache with a capacity of its own is not merged. On a kernel that has
   * sheaves itself: how many at least, and 0 is nothing said.
   */
  sheafCapacity?: number;
  /** Whether a second free is noticed at once although the cache has sheaves. The machine decides unless told. */
  liveCheck?: boolean;
}

/** What a machine's caches get that do not say otherwise: `null` lets an object's size decide. */
export interface SheafDefaults {
  readonly sheafCapacity: number | null;
  readonly liveCheck: boolean;
}

/** What `debug` stands for. */
export function withDebug(options: MachineOptions): MachineOptions {
  const { debug = false, ...others } = options;
  const stacks = others.stacks ?? (debug === false ? undefined : Number(debug));
  if (stacks !== undefined && (!Number.isInteger(stacks) || stacks < 1))
    throw new ArgumentError(
      `the stacks of every n-th object are noted, n a whole number from 1, not ${stacks}`,
    );
  if (debug === false) return options;
  return { slubDebug: 'FZPU', bytes: true, ...others, ...(stacks !== undefined && { stacks }) };
}

export function sheafDefaults(options: MachineOptions, kernel: KernelProfile): SheafDefaults {
  const { sheafCapacity = kernel.sheaves ? null : 0, liveCheck = false } = options;
  if (kernel.has.sheaves && options.sheafCapacity !== undefined)
    throw new ArgumentError(
      `caches of Linux ${kernel.name} have sheaves of their own: \`sheafCapacity\` is for each creation to ask for`,
    );
  if (sheafCapacity !== null) checkCapacity(sheafCapacity);
  if (sheafCapacity !== 0 && options.allocator === 'slab')
    throw new ArgumentError('SLAB has arrays of its own: sheaves are for SLUB');
  if (sheafCapacity !== 0 && options.faithful)
    throw new ArgumentError(`Linux ${kernel.name} has no sheaves: the faithful mode cannot have them`);
  return { sheafCapacity, liveCheck };
}

/** The largest `slub_min_objects`. */
export const SLUB_MIN_OBJECTS_MAX = 32767;

export function bootParameters(
  options: MachineOptions,
  kernel: KernelProfile,
  map: MemoryMap,
  cpus: number,
): MachineBoot {
  const whole = (what: string, value: number, most: number) => {
    if (!Number.isInteger(value) || value < 0 || value > most) {
      throw new ArgumentError(`${what} is a whole number from 0 to ${most}, not ${value}`);
    }
    return value;
  };
  const allocator = options.allocator ?? 'slub';
  const debug: SlubDebug = parseSlubDebug(allocator === 'slub' ? (options.slubDebug ?? '') : '');
  let minOrder = whole('slub_min_order', options.slubMinOrder ?? 0, kernel.orders - 1);
  let maxOrder = whole('slub_max_order', options.slubMaxOrder ?? kernel.defaultMaxOrder, kernel.orders - 1);
  if (kernel.ordersFollow && minOrder > maxOrder) {
    // The one that was read later wins; options keep the order in which they were written.
    const given = Object.keys(options);
    if (given.indexOf('slubMaxOrder') > given.indexOf('slubMinOrder')) minOrder = maxOrder;
    else maxOrder = minOrder;
  }
  return {
    minOrder,
    maxOrder,
    minObjects: whole('slub_min_objects', options.slubMinObjects ?? 0, SLUB_MIN_OBJECTS_MAX),
    noMerge: options.slubNomerge ?? !kernel.merges,
    debug,
    cpus,
    allocator,
    slabMaxOrder: whole(
      'slab_max_order',
      options.slabMaxOrder ?? usualSlabOrder(kernel, map),
      kernel.orders - 1,
    ),
  };
}

/** `slab_max_order` where nobody says otherwise: larger slabs on machines with more than little memory. */
function usualSlabOrder({ slab }: KernelProfile, { ram }: MemoryMap): number {
  if (slab === null) return 0;
  const { small, large, largeAbove } = slab.maxOrder;
  const bytes = ram.reduce((sum, { start, end }) => sum + end - start, 0);
  return bytes > largeAbove ? large : small;
}
