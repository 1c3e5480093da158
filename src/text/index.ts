/** What the kernel prints, written from a machine's state. */
export * from './sysfs.js';
