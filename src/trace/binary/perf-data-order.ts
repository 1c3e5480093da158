/**
 * # perf's records in the order of time
 *
 * perf empties one CPU's buffer after the other, so that a file's records are in order only by pieces. After each round over all buffers it
 * writes FINISHED_ROUND. What a buffer held in one round is older than what any holds in the next but one: at a round's end everything
 * up to the latest time of the round before it can go on.
 *
 *     round 1   cpu0 1 2 5 │ cpu1 1 4 │ FINISHED_ROUND                          all held; latest: 5
 *     round 2   cpu0 6 8   │ cpu1 5 7 │ FINISHED_ROUND   1 1 2 4 5 5 go on       latest: 8
 *     the end                                            6 7 8 go on
 *
 * Rows are held as columns. At the end of a round their order is found by merging the pieces, which are in order themselves; what stays
 * moves to a second set of columns. Names of tasks are settled here, in order, because a task may change its name at any time and a pid is
 * used again: COMM and FORK are rows that set a name and do not go on.
 *
 * A file without rounds would be held whole. From `most` rows on the earlier half goes on; a row that comes too late then goes on at its
 * place in the file, and is counted.
 */
import { createBatch, EVENT, type EventBatch, type EventSink } from '../batch/index.js';

/** Kinds of rows that only name tasks: `pid` is now called `name`, or as the task `bytesReq` is. EVENT's numbers are below. */
export const COMM_ROW = 254;
export const FORK_ROW = 255;
/** `perf script` calls the idle task so. */
const IDLE = 'swapper';
const FIRST_ROWS = 1 << 13;
const LATEST = 0;
const UP_TO = 1;

interface HeldRows {
  /** Columns to write the next row into, at `row`; `add` then counts it. They may be others after each `add`. */
  readonly columns: EventBatch;
  readonly row: number;
  add(): void;
  /** Names that hold from the beginning on, whatever the time. */
  readonly comms: TaskNames;
  /** FINISHED_ROUND. */
  endRound(): void;
  /** The end of the file: everything goes on. */
  end(): void;
  /** Rows that came too late to be put in order. */
  readonly late: number;
}

/** Texts by pid. */
interface TaskNames {
  set(pid: number, name: number): void;
  /** A new task is called what its parent is. */
  inherit(pid: number, parent: number): void;
  /** What `perf script` calls the task: `:pid` for one that nobody named. */
  of(pid: number): number;
}

/** `most`: rows that are held at once, at most. */
export function createHeldRows(sink: EventSink, most: number): HeldRows {
  let held = createBatch(Math.min(FIRST_ROWS, most));
  let spare = createBatch(0);
  let count = 0;
  let late = 0;
  /** The latest time of the rows so far, and up to where rows went on. In an array, because they change with every row. */
  const times = new Float64Array([0, Number.NEGATIVE_INFINITY]);
  /** What the latest time was at the end of the last round. */
  let latestOfRound = 0;
  const out = createBatch();
  const comms = createTaskNames(sink);

  const handOver = (): void => {
    sink.take(out);
    out.length = 0;
  };

  const goOn = (row: number): void => {
    const kind = held.kind[row]!;
    const pid = held.pid[row]!;
    if (kind === COMM_ROW) comms.set(pid, held.name[row]!);
    else if (kind === FORK_ROW) comms.inherit(pid, held.bytesReq[row]!);
    else {
      const to = out.length;
      copyRow(held, row, out, to);
      out.comm[to] = kind === EVENT.LOST ? 0 : comms.of(pid);
      out.length = to + 1;
      if (out.length === out.kind.length) handOver();
    }
  };

  /** Lets the first rows go on, at most `rows` and none that is later than `upTo`. */
  const flush = (rows: number, upTo: number): void => {
    const { time } = held;
    const order = orderOf(time, count);
    let at = 0;
    for (; at < rows && time[order[at]!]! <= upTo; at++) goOn(order[at]!);
    if (at > 0) times[UP_TO] = Math.max(times[UP_TO]!, time[order[at - 1]!]!);
    if (spare.kind.length < held.kind.length) spare = createBatch(held.kind.length);
    const left = count - at;
    for (let to = 0; to < left; to++) copyRow(held, order[at + to]!, spare, to);
    count = left;
    [held, spare] = [spare, held];
  };

  return {
    comms,
    get columns() {
      return held;
    },
    get row() {
      return count;
    },
    get late() {
      return late;
    },
    add() {
      const time = held.time[count]!;
      if (time > times[LATEST]!) times[LATEST] = time;
      if (time < times[UP_TO]!) late++;
      count++;
      if (count < held.kind.length) return;
      if (count >= most) flush((count + 1) >> 1, Number.POSITIVE_INFINITY);
      else {
        const larger = createBatch(Math.min(count * 2, most));
        for (let row = 0; row < count; row++) copyRow(held, row, larger, row);
        held = larger;
      }
    },
    endRound() {
      flush(count, latestOfRound);
      latestOfRound = times[LATEST]!;
    },
    end() {
      flush(count, Number.POSITIVE_INFINITY);
      if (out.length > 0) handOver();
    },
  };
}

function copyRow(from: EventBatch, row: number, to: EventBatch, at: number): void {
  to.kind[at] = from.kind[row]!;
  to.cpu[at] = from.cpu[row]!;
  to.pid[at] = from.pid[row]!;
  to.time[at] = from.time[row]!;
  to.pointerLow[at] = from.pointerLow[row]!;
  to.pointerHigh[at] = from.pointerHigh[row]!;
  to.site[at] = from.site[row]!;
  to.comm[at] = from.comm[row]!;
  to.bytesReq[at] = from.bytesReq[row]!;
  to.bytesAlloc[at] = from.bytesAlloc[row]!;
  to.gfp[at] = from.gfp[row]!;
  to.name[at] = from.name[row]!;
  to.order[at] = from.order[row]!;
  to.node[at] = from.node[row]!;
  to.accounted[at] = from.accounted[row]!;
}

function createTaskNames(sink: EventSink): TaskNames {
  const { strings } = sink;
  const names = new Map<number, number>([[0, strings.internText(IDLE)]]);
  let lastPid = 0;
  let lastName = names.get(0)!;
  return {
    set(pid, name) {
      names.set(pid, name);
      if (pid === lastPid) lastName = name;
    },
    inherit(pid, parent) {
      const name = names.get(parent);
      if (pid === parent) return;
      if (name === undefined) names.delete(pid);
      else names.set(pid, name);
      lastPid = 0;
      lastName = names.get(0)!;
    },
    of(pid) {
      if (pid === lastPid) return lastName;
      lastPid = pid;
      lastName = names.get(pid) ?? strings.internText(`:${pid}`);
      return lastName;
    },
  };
}

/** The order of the first `count` times, equal ones in the order of their rows: runs that are in order are merged two by two. */
function orderOf(time: Float64Array, count: number): Uint32Array {
  let order = new Uint32Array(count);
  let runs: number[] = [];
  for (let i = 0; i < count; i++) {
    order[i] = i;
    if (i === 0 || time[i]! < time[i - 1]!) runs.push(i);
  }
  let merged = runs.length > 1 ? new Uint32Array(count) : order;
  while (runs.length > 1) {
    const longer: number[] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const from = runs[i]!;
      const middle = runs[i + 1] ?? count;
      const to = runs[i + 2] ?? count;
      longer.push(from);
      mergeRuns(time, order, merged, from, middle, to);
    }
    [order, merged] = [merged, order];
    runs = longer;
  }
  return order;
}

/** Merges order[from … middle) and order[middle … to) into `merged`. */
function mergeRuns(
  time: Float64Array,
  order: Uint32Array,
  merged: Uint32Array,
  from: number,
  middle: number,
  to: number,
): void {
  let left = from;
  let right = middle;
  for (let at = from; at < to; at++) {
    const takesLeft = left < middle && (right >= to || time[order[left]!]! <= time[order[right]!]!);
    merged[at] = takesLeft ? order[left++]! : order[right++]!;
  }
}
