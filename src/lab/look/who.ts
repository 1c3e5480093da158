/** Who allocated what, and when: rows of the trace, looked up. */
import { CLASS_KIND, type TraceColumn } from '../../trace/index.js';
import { eachRow, type Recorded } from '../replay/index.js';
import type { Allocated } from './look.js';

const COLUMNS: readonly TraceColumn[] = ['class', 'time', 'cpu', 'pid', 'comm', 'site'];

/** By row. `now` is the moment's time. */
export function whoAllocated(
  { trace, plan }: Recorded,
  rows: Iterable<number>,
  now: number,
): Map<number, Allocated> {
  const wanted = Float64Array.from(new Set(rows)).sort();
  const found = new Map<number, Allocated>();
  eachRow(trace, COLUMNS, wanted, (chunk, at) => {
    const row = chunk.first + at;
    const { kind, bytesReq, order } = trace.classes[chunk.class[at]!]!;
    const time = chunk.time[at]!;
    found.set(row, {
      row,
      time,
      age: Math.max(now - time, 0),
      cpu: chunk.cpu[at]!,
      pid: chunk.pid[at]!,
      comm: trace.strings.text(chunk.comm[at]!),
      site: trace.strings.text(chunk.site[at]!),
      bytes: kind === CLASS_KIND.PAGES ? plan.kernel.pageSize * 2 ** order : bytesReq,
    });
  });
  return found;
}
