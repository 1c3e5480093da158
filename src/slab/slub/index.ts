/** SLUB: slabs of a CPU in front of the lists of a node. */

export { createDebuggedCaches, type DebuggedCaches } from './debugged.js';
export { createSlubNode, type SlubNode } from './node.js';
export { createSlub, type Slub } from './slub.js';
