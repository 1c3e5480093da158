/** What kernels do differently, as data: profiles, what allocators have, standing caches, flags, sizes, the order of a slab. */
export { BARN_7_3, type BarnProfile } from './barn-profile.js';
export { type Capabilities, SLAB_HAS } from './capabilities.js';
export type { DebugProfile } from './debug-profile.js';
export {
  debugBlockFlags,
  formatSlabFlags,
  formatSlubDebug,
  parseSlabFlags,
  parseSlubDebug,
  SLAB,
  SLAB_CMPXCHG_DOUBLE,
  SLAB_DEBUG_FLAGS,
  SLAB_DEBUG_METADATA_FLAGS,
  SLAB_MERGE_SAME,
  SLAB_NEVER_MERGE,
  SLAB_OBJECT_POISON,
  type SlubDebug,
  type SlubDebugBlock,
} from './flags.js';
export { LIBRARY } from './library-profile.js';
export { kernelBefore, kernelNamed } from './names.js';
export { type OrderRule, type OrderSearch, objectsInOrder } from './order.js';
export {
  type AllocatorName,
  hasAllocator,
  KERNELS,
  type KernelProfile,
  kernelOn,
  kernelWith,
  LINUX_6_1,
  LINUX_6_12,
  type SlabKernel,
  slabKernel,
} from './profile.js';
export type { SlabProfile } from './slab-profile.js';
export type { StandingCache } from './standing-6.1.js';
export type { StandingAliases } from './standing-aliases.js';
