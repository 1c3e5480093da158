/** What the kernel and its tools print, written from a machine's state, and read again. */

export * from './proc.js';
export * from './proc-write.js';
export * from './slabinfo-cache.js';
export * from './slabinfo-report.js';
export * from './slabinfo-totals.js';
export * from './sysfs.js';
export * from './sysfs-write.js';
