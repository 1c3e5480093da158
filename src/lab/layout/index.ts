/** The layout of a cache by itself: a door of its own, for who needs nothing else of the lab. */
export * from './boxes.js';
export * from './facts.js';
export * from './report.js';
export * from './result.js';
