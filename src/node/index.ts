/** Files, standard input, and what ships with the package. */
export { inputName, NoPermissionError, readInput, STDIN_NAME } from './files.js';
export { IOMMU_LOADS, type IommuLoadOptions, loadIommu } from './iommu-loads.js';
export { type Output, type OutputOptions, prepareOutput, STDOUT, type Write } from './output.js';
export { OutputError } from './output-errors.js';
export { type FolderOptions, type FolderTree, type OutputFolder, prepareFolder } from './output-folder.js';
export {
  isBuiltPage,
  type PageServer,
  type PageServerOptions,
  type ServedFile,
  servedFile,
  servedStream,
  servePage,
} from './page-server.js';
export {
  openRows,
  type Row,
  type RowColumn,
  type RowFile,
  type RowFileOptions,
  type RowValue,
  rowBytes,
} from './row-files.js';
export { expandRecordings, type RecordingFile, shippedPagePath, shippedRecordings } from './shipped.js';
export { FileBytes } from './spool.js';
export { runSweep, type SweepOptions } from './sweep.js';
export { cellsOf, parseAxes, type SweepAxis, type SweepCell } from './sweep-axes.js';
export {
  type CellAnswer,
  isRowOf,
  placeOfRow,
  replayCell,
  type SweepAnswer,
  type SweepSubject,
  type SweepWorkerData,
  sweepColumns,
  sweepRow,
} from './sweep-cell.js';
export { type DigestedInput, sweepDigest } from './sweep-digest.js';
export {
  type Conversion,
  convertTrace,
  type OpenedTrace,
  type OpenTraceOptions,
  openTrace,
  type TraceReadOptions,
} from './trace-files.js';
export { openTraceInput, type TraceInput } from './trace-input.js';
export { loadWorkload, WORKLOADS, type WorkloadOptions } from './workloads.js';
