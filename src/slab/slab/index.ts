/** SLAB: arrays of free objects in front of three lists of a node. Linux 6.8 removed it. */
export { FREE, FULL, PARTIAL } from './lists.js';
export { advanceClock, clockOf } from './reap.js';
export { createSlab, type Slab } from './slab.js';
