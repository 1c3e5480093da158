/** What kernels do differently, as data: profiles, what allocators have, standing caches, flags, sizes, the order of a slab. */
export { builtWith } from './build-options.js';
export { type Capabilities, SLAB_HAS } from './capabilities.js';
export type { DebugProfile } from './debug-profile.js';
export {
  debugBlockFlags,
  type FlagBit,
  formatSlabFlags,
  formatSlubDebug,
  parseSlabFlags,
  parseSlubDebug,
  SLAB,
  SLAB_CMPXCHG_DOUBLE,
  SLAB_DEBUG_FLAGS,
  SLAB_DEBUG_METADATA_FLAGS,
  SLAB_FLAG_NAMES,
  SLAB_INTERNAL_FLAGS,
  SLAB_MAY_ACCOUNT,
  SLAB_NO_SHEAVES,
  SLAB_OBJ_EXT_IN_OBJ,
  SLAB_OBJECT_POISON,
  type SlubDebug,
  type SlubDebugBlock,
} from './flags.js';
export { KERNELS } from './kernels.js';
export { LIBRARY } from './library-profile.js';
export { LINUX_6_1 } from './linux-6.1.js';
export { LINUX_6_12 } from './linux-6.12.js';
export { LINUX_7_3 } from './linux-7.3.js';
export { kernelBefore, kernelNamed } from './names.js';
export { type OrderRule, type OrderSearch, objectsInOrder } from './order.js';
export {
  type AllocatorName,
  hasAllocator,
  type KernelProfile,
  kernelOn,
  kernelWith,
  type MoreSysfsFile,
  type SheafRule,
  type SlabKernel,
  slabKernel,
} from './profile.js';
export type { SlabProfile } from './slab-profile.js';
export type { StandingCache } from './standing-6.1.js';
export type { StandingAliases } from './standing-aliases.js';
