/** slub_debug: what is written into objects, what is checked, what is reported. */
export { createFreeBad } from './bad-free.js';
export { createDebugParts, zeroing } from './debug.js';
export { createDebugReport } from './report.js';
export { BAD_FREE, type BadFreeOutcome, createDebugSlabs, type DebugSlabs } from './slabs.js';
