/** Replay of recorded traces, what-ifs, and nearness to what was recorded. */
export * from './history.js';
export * from './measure.js';
export * from './nearness.js';
export * from './pins.js';
export * from './plan.js';
export * from './population.js';
export * from './replay.js';
export * from './result.js';
export type { RunCounts } from './run.js';
export * from './snapshots.js';
export * from './what-if.js';
export * from './words.js';
