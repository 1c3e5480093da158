/** Strategies, workloads, comparison, and the engine held against recordings. */
export * from './compare.js';
export * from './compare-result.js';
export * from './compare-words.js';
export * from './layout-report.js';
export * from './peak.js';
export * from './script.js';
export * from './strategies.js';
export * from './strategy.js';
export * from './verify/index.js';
export * from './workload.js';
export * from './workload-v7s.js';
