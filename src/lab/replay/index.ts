/** Replay of recorded traces, what-ifs, and nearness to what was recorded. */
export type { BuiltMachine, ReplayCache, Route } from './build.js';
export * from './differences.js';
export * from './history.js';
export * from './measure.js';
export * from './nearness.js';
export * from './number-stack.js';
export * from './pins.js';
export * from './plan.js';
export * from './population.js';
export * from './replay.js';
export * from './result.js';
export type { RunCounts, RunState } from './run.js';
export * from './snapshots.js';
export type { UnseenCounts } from './unseen.js';
export * from './what-if.js';
export * from './what-if-text.js';
export * from './words.js';
