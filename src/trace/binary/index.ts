/** Readers of trace.dat and perf.data. */

export { type PerfDataOptions, readPerfData } from './perf-data.js';
export type { ZstdDecoder } from './perf-data-session.js';
export { readTraceDat, type TraceDatOptions } from './trace-dat.js';
export type { Inflate } from './trace-dat-cpu.js';
