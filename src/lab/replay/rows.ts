/** Single rows of a trace, looked up. */
import type { Trace, TraceChunk, TraceColumn } from '../../trace/index.js';

/** Calls back with each of the rows, which ascend, by its place in a chunk and in the list. Chunks without any are passed over. */
export function eachRow(
  trace: Trace,
  columns: readonly TraceColumn[],
  rows: ArrayLike<number>,
  visit: (chunk: TraceChunk, at: number, place: number) => void,
): void {
  let next = 0;
  const wants = (first: number, count: number) => next < rows.length && rows[next]! < first + count;
  for (const chunk of trace.chunks(columns, wants)) {
    for (; wants(chunk.first, chunk.rows); next++) visit(chunk, rows[next]! - chunk.first, next);
    if (next === rows.length) break;
  }
}
