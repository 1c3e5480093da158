/** Where the snapshots of a recording lie among the rows of its trace. */
import { OP, type Trace } from '../../trace/index.js';
import type { Snapshot } from './snapshots.js';

/** Where a snapshot lies in a trace: rows in front of its begin and of its end. */
export interface SnapshotPlace {
  readonly snapshot: Snapshot;
  readonly beginRow: number;
  readonly endRow: number;
}

/** When the first thing happened that is no marker. */
export function firstEventTime(trace: Trace): number {
  for (const { op, time, rows } of trace.chunks(['op', 'time'])) {
    for (let i = 0; i < rows; i++) if (op[i] !== OP.MARK) return time[i]!;
  }
  return trace.report.lastTime;
}

/**
 * Where snapshots lie in a trace: by their markers (`… NAME begin`, `… NAME end`) where it has them, else by their times. Those that
 * are over before the first event, or begin behind the last, are left out: markers can come before events are switched on.
 */
export function placeSnapshots(trace: Trace, snapshots: readonly Snapshot[]): SnapshotPlace[] {
  const start = firstEventTime(trace);
  const inside = snapshots.filter(({ begin, end }) => end > start && begin <= trace.report.lastTime);
  const times = inside.flatMap(({ begin, end }) => [begin, end]);
  const rows = rowsAt(trace, times);
  return inside.map((snapshot, i) => ({
    snapshot,
    beginRow: markRow(trace, snapshot.name, 'begin') ?? rows[2 * i]!,
    endRow: markRow(trace, snapshot.name, 'end') ?? rows[2 * i + 1]!,
  }));
}

/** The first snapshot that lies behind a trace. */
export function placeBehind(trace: Trace, snapshots: readonly Snapshot[]): SnapshotPlace | undefined {
  const snapshot = snapshots.find(({ begin }) => begin > trace.report.lastTime);
  return snapshot && { snapshot, beginRow: trace.rows, endRow: trace.rows };
}

function markRow(trace: Trace, name: string, edge: 'begin' | 'end'): number | undefined {
  const words = ` ${name} ${edge}`;
  return trace.marks.find(({ text }) => ` ${text.trim()}`.endsWith(words))?.row;
}

/** The first row at or behind each time. */
function rowsAt(trace: Trace, times: readonly number[]): number[] {
  const order = [...times.keys()].sort((a, b) => times[a]! - times[b]!);
  const rows = times.map(() => trace.rows);
  let next = 0;
  for (const { first, time, rows: count } of trace.chunks(['time'])) {
    for (let i = 0; i < count && next < order.length; i++) {
      while (next < order.length && time[i]! >= times[order[next]!]!) rows[order[next++]!] = first + i;
    }
    if (next === order.length) break;
  }
  return rows;
}
