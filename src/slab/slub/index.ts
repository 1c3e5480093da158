/** SLUB: slabs of a CPU in front of the lists of a node. */

export { createSlub, type Slub } from './slub.js';
