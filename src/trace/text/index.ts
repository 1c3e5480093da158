/** Readers of text: ftrace, trace-cmd report, perf script. */
export { createFtraceReader, readTaskHead } from './ftrace.js';
export { createPerfScriptReader, readPerfHead } from './perf-script.js';
export { emptyHead } from './shape.js';
export { createTraceCmdReader, isTraceCmdHeader } from './trace-cmd.js';
