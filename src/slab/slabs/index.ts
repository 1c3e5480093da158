/** Slabs: pages cut into objects, the lists that hold them, addresses of objects, groups freed together. */
export { createEachGroup, findGroup, firstBad, firstNot } from './bulk-free.js';
export { checkSysfs, countInUse, countOnNode, type SysfsCounters, sysfsCounters } from './counts.js';
export { createNodeLists, type NodeLists } from './node-list.js';
export { createObjectAddresses, type ObjectAddresses } from './object-address.js';
export { createSlabPages, REQUEST_BITS, type SlabPages } from './pages.js';
export { createSlabLists } from './slab-lists.js';
export { createSlabLocks, type SlabLocks } from './slab-locks.js';
