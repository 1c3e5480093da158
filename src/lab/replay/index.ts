/** Replay of recorded traces, what-ifs, and nearness to what was recorded. */
export type { BuiltMachine } from './build.js';
export * from './differences.js';
export * from './history.js';
export * from './measure.js';
export * from './nearness.js';
export * from './number-stack.js';
export * from './pins.js';

export * from './population.js';
export * from './replay.js';
export * from './result.js';

export { eachRow } from './rows.js';
export type { Run, RunCounts, RunSave, RunState } from './run.js';
export { type SlabRow, slabsByCache, sumOfSlabs } from './slab-states.js';
export { type StartedReplay, startReplay } from './start.js';
export type { UnseenCounts } from './unseen.js';
export * from './words.js';
