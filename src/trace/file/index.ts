/** Files: what one is, how it is unpacked, and .slt with its columns. */
export {
  createTextTraceReader,
  detectFormat,
  TEXT_READERS,
  type TextFormat,
  type TraceFormat,
} from './detect.js';
export { createNamingSink, type GivenSymbols, readSymbols, withNames } from './name-sites.js';
export { otherFileWords, refuseOtherFile, type WantedFile } from './other-file.js';
export { beginsWith, PACKERS, type Packer } from './packers.js';
export { tracesOfPage } from './systrace.js';
export {
  createTraceFile,
  openTraceFile,
  type SavedTrace,
  TRACE_FILE_SCHEMA,
  type TraceFileWriter,
  type TraceSource,
} from './trace-file.js';
export {
  createTraceStore,
  type Spool,
  type StoredTrace,
  type TraceStore,
  type TraceStoreOptions,
} from './trace-store.js';
export {
  cutOff,
  joined,
  type Pieces,
  type PlainFormat,
  type Unpacked,
  type Unpackers,
  unpack,
  unzstd,
  type ZstdStream,
} from './unpack.js';
