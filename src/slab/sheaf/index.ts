/** Sheaves: arrays of free objects of each CPU in front of SLUB. */
export {
  checkCapacity,
  createSheaves,
  isInSheaf,
  SHEAF_CAPACITY_MAX,
  type SheafAllocator,
  type SheafOptions,
  sheafEntries,
  usualSheafCapacity,
} from './sheaf.js';
