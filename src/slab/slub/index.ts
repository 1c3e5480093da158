/** SLUB: slabs of a CPU in front of the lists of a node. */

export type { DebuggedCaches } from './debugged.js';
export type { SlubNode } from './node.js';
export { createNodeParts } from './node-parts.js';
export { createSlub, type Slub } from './slub.js';
