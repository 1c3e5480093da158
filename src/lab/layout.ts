/** The layout of a cache by itself: a door of its own, for who needs nothing else of the lab. */
export * from './layout-boxes.js';
export * from './layout-facts.js';
export * from './layout-report.js';
export * from './layout-result.js';
