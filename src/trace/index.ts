export { memoryBytes } from './byte-cursor.js';
export { cacheOfSite } from './class-sites.js';
export * from './classes.js';
export {
  createTextTraceReader,
  detectFormat,
  TEXT_READERS,
  type TextFormat,
  type TraceFormat,
} from './detect.js';
export * from './events.js';
export type { Symbols } from './kallsyms.js';
export { type GivenSymbols, readSymbols, withNames } from './name-sites.js';
export { type PerfDataOptions, readPerfData } from './perf-data.js';
export type { ZstdDecoder } from './perf-data-session.js';
export * from './pointer-table.js';
export * from './read-events.js';
export * from './resolve.js';
export { fromUtf8, Strings, utf8 } from './strings.js';
export * from './trace.js';
export { readTraceDat, type TraceDatOptions } from './trace-dat.js';
export type { Inflate } from './trace-dat-cpu.js';
export * from './trace-file.js';
export * from './trace-store.js';
export * from './unpack.js';
