/** Readers of trace.dat and perf.data. */

export { readPerfData } from './perf-data.js';

export { readTraceDat } from './trace-dat.js';
export type { Inflate } from './trace-dat-cpu.js';
