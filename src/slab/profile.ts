/**
 * A kernel as data: everything in which kernels differ and the engine must follow. Code asks the profile, never the version.
 */
import type { PageProfile } from '../machine/index.js';
import { SLAB } from './flags.js';
import { type OrderRule, orderByFewerObjects } from './slab-order.js';

export interface KernelProfile extends PageProfile {
  /** Such as `6.1`. */
  readonly name: string;
  /** Bytes of a pointer: objects are rounded up to it and the free pointer is one. */
  readonly wordSize: number;
  /** Bytes; `SLAB_HWCACHE_ALIGN`. */
  readonly cacheLineSize: number;
  /** Bytes; every object is aligned to this at least. */
  readonly minAlign: number;
  /** What a caller may pass to kmem_cache_create; another bit is -EINVAL. */
  readonly permittedFlags: number;
  /** What the allocator keeps of it. */
  readonly createMask: number;
  /** How the preferred order of a slab is found. */
  readonly orderRule: OrderRule;
  /** `slub_max_order` unless told: PAGE_ALLOC_COSTLY_ORDER. */
  readonly defaultMaxOrder: number;
  /** Whether a cache's page requests carry __GFP_COMP at order 0 too. */
  readonly alwaysCompound: boolean;
  /** Whether a cache remembers which bytes of its objects user space may copy, and stays unmerged for it. */
  readonly hardenedUsercopy: boolean;
  /** Bytes of one `struct track`: there are two an object with SLAB_STORE_USER. */
  readonly trackSize: number;
  /** Bytes that kmalloc caches add to the tracks, for the size that was asked for. */
  readonly kmallocTrackExtra: number;
  /** `cpu_partial` in objects by slab size in bytes: the first row whose size is reached. */
  readonly cpuPartialBySize: readonly (readonly [minSize: number, objects: number])[];
  /** `min_partial` lies between these. */
  readonly minPartial: readonly [low: number, high: number];
  /** Object sizes of the kmalloc caches, ascending, with their names. */
  readonly kmallocSizes: readonly (readonly [bytes: number, name: string])[];
  /** Whether a kmalloc cache whose size is no power of two is aligned to the largest power of two that divides it. */
  readonly kmallocAlignsToDivisor: boolean;
  /** The name in the kernel's messages about a create that failed. */
  readonly createFunction: string;
}

const KMALLOC_SIZES: readonly (readonly [number, string])[] = [
  [8, '8'],
  [16, '16'],
  [32, '32'],
  [64, '64'],
  [96, '96'],
  [128, '128'],
  [192, '192'],
  [256, '256'],
  [512, '512'],
  [1024, '1k'],
  [2048, '2k'],
  [4096, '4k'],
  [8192, '8k'],
];

/** Linux 6.1, x86_64, as recorded in truth/. */
export const LINUX_6_1: KernelProfile = {
  name: '6.1',
  pageSize: 4096,
  orders: 11,
  watermarkScaleFactor: 10,
  lowmemReserveRatio: { DMA: 256, DMA32: 256, Normal: 32 },
  wordSize: 8,
  cacheLineSize: 64,
  minAlign: 8,
  permittedFlags: 0x14bfed00,
  createMask: 0x14bfed00 & ~SLAB.MEM_SPREAD,
  orderRule: orderByFewerObjects,
  defaultMaxOrder: 3,
  alwaysCompound: false,
  hardenedUsercopy: true,
  trackSize: 32,
  kmallocTrackExtra: 4,
  cpuPartialBySize: [
    [4096, 6],
    [1024, 24],
    [256, 52],
    [0, 120],
  ],
  minPartial: [5, 10],
  kmallocSizes: KMALLOC_SIZES,
  kmallocAlignsToDivisor: false,
  createFunction: 'kmem_cache_create_usercopy',
};

export const KERNELS: ReadonlyMap<string, KernelProfile> = new Map([[LINUX_6_1.name, LINUX_6_1]]);
