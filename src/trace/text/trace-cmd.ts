/**
 * # trace-cmd report
 *
 *     cpus=2
 *                 bash-67    [000]     7.601467: kmem_cache_alloc:     (mm_alloc+0x15) call_site=mm_alloc+0x15 ptr=0xffff888100049e00 …
 *                 snap-177   [001]    11.582574: print:                tracing_mark_write: SNAP r1 begin
 *     CPU:7 [204600 EVENTS DROPPED]
 *
 * Lines begin as those of ftrace do (ftrace.ts). Pointers are real, with 0x, call sites have no size, and what was written to trace_marker
 * is an event `print`, what the kernel printed into the trace is `print` or `bprint`: all three are MARK. With -R values are raw: gfp flags
 * are numbers, of the kernel that was traced.
 *
 * Source: the samples in truth/traces, of trace-cmd 3.1.6; older versions print `version = 6` before `cpus=`.
 */
import type { EventSink, StreamReader } from '../batch/index.js';
import { isFrame, readTaskHead } from './ftrace.js';
import { createTextReader } from './reader.js';
import type { TextShape } from './shape.js';

const HEADERS: readonly string[] = ['cpus=', 'version = ', 'trace-cmd report'];

/** One of the lines before the events. */
export function isTraceCmdHeader(bytes: Uint8Array, from: number, to: number): boolean {
  return HEADERS.some(
    (header) =>
      to - from >= header.length &&
      Array.from(header).every((sign, i) => bytes[from + i] === sign.charCodeAt(0)),
  );
}

const TRACE_CMD: TextShape = {
  format: 'trace-cmd report',
  expected: "'task-pid [cpu] time: event: …'",
  pointersMayBeHashed: false,
  prints: ['print', 'bprint', 'tracing_mark_write'],
  readHead: readTaskHead,
  isComment: (bytes, from, to) => isTraceCmdHeader(bytes, from, to) || isFrame(bytes, from, to),
};

/** Reads what `trace-cmd report` prints, also with -R, -t or -l. The reader throws InputError for a text that is none of it. */
export function createTraceCmdReader(file: string, sink: EventSink): StreamReader {
  return createTextReader(TRACE_CMD, file, sink);
}
