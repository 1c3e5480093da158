/** slub_debug: what is written into objects, what is checked, what is reported. */
export { createSlubDebug, zeroing } from './debug.js';
export { createDebugReport } from './report.js';
export type { DebugSlabs } from './slabs.js';
