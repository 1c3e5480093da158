/** Files, standard input, and what ships with the package. */
export * from './files.js';
export * from './iommu-loads.js';
export { type Output, type OutputOptions, prepareOutput, STDOUT, type Write } from './output.js';
export { OutputError } from './output-errors.js';
export { type FolderOptions, type FolderTree, type OutputFolder, prepareFolder } from './output-folder.js';
export * from './page-server.js';
export * from './row-files.js';
export * from './shipped.js';
export * from './spool.js';
export * from './sweep.js';
export * from './sweep-axes.js';
export * from './sweep-cell.js';
export * from './sweep-digest.js';
export * from './trace-files.js';
export { openTraceInput, type TraceInput } from './trace-input.js';
export * from './workloads.js';
