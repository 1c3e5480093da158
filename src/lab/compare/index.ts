/** Strategies held against each other on a workload. */
export { summarizeCache } from './cache-summary.js';
export { type CompareOptions, compare, summarizeMachine } from './compare.js';
export { machineAtPeak } from './peak.js';
export type {
  CacheSummary,
  CompareResult,
  MachineSummary,
  RecordedCheck,
  StrategyResult,
  WorkloadSummary,
} from './result.js';
export { STRATEGIES } from './strategies.js';
export type { ObjectRequest, Strategy, StrategyKind } from './strategy.js';
export { compareWords, formatRatio, ramWords } from './words.js';
export { type SlabSample, steadyWorkload, type Workload, WorkloadBuilder } from './workload.js';
export { readV7sWorkload } from './workload-v7s.js';
