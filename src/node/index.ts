/** Files, standard input, and what ships with the package. */
export * from './files.js';
export * from './shipped.js';
export * from './workloads.js';
