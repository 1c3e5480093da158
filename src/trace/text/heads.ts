/**
 * # How a line begins
 *
 *     sock-62      [000] .....     3.337881: kfree: …
 *     ╰──────── head ─────────────╯╰─ fraction
 *
 * The head, up to the point of the seconds, is the same for line after line: one task on one CPU within one second. It is taken apart once
 * by a shape (ftrace.ts, perf-script.ts) and then recalled by its bytes. A time without a point is not remembered.
 */
import type { EventBatch } from '../batch/index.js';
import { createRunMemo, EMPTY_HASH, hashed } from './memo.js';
import { DECIMAL_PAIR } from './scan.js';
import type { Head } from './shape.js';

const HEAD_ROWS = 2048;
const HEAD_BYTES = 96;
/** The first bytes of a padded head are blanks: they need not be hashed. */
const HEAD_BLANKS = 8;
const HEAD_BYTES_MIN = HEAD_BLANKS + 4;
const COLON = 58;
const ZERO = 48;

interface HeadReader {
  /** Takes task, CPU and whole seconds of a line whose head is known into a row. Returns where the fraction begins, or -1. */
  recall(at: number, row: number): number;
  /** Adds the fraction to the row's time. Returns where its colon stands, -1 if it has not six or nine digits and a colon. */
  addFraction(at: number, row: number): number;
  /** Keeps the head of the line at `from`. `comm` is the text of the task's name. */
  remember(from: number, head: Head, comm: number): void;
  clear(): void;
}

export function createHeadReader(
  bytes: Uint8Array<ArrayBuffer>,
  view: DataView<ArrayBuffer>,
  { comm, pid, cpu, time }: EventBatch,
): HeadReader {
  const heads = createRunMemo(bytes, view, HEAD_ROWS, HEAD_BYTES);
  const headComm = new Uint32Array(HEAD_ROWS);
  const headPid = new Int32Array(HEAD_ROWS);
  const headCpu = new Uint16Array(HEAD_ROWS);
  const headSeconds = new Float64Array(HEAD_ROWS);
  /** Most heads of a text are equally long. */
  let usualLength = HEAD_BYTES_MIN;
  let lastRow = 0;

  function hashOf(at: number, length: number): number {
    const last = length - 4;
    let hash = EMPTY_HASH;
    for (let i = HEAD_BLANKS; i < last; i += 4) hash = hashed(hash, view.getInt32(at + i, true));
    return hashed(hash, view.getInt32(at + last, true));
  }

  function recall(at: number, row: number): number {
    // Most lines are of the task, the CPU and the second of the one before.
    let length = heads.begins(lastRow, at);
    if (length === 0) {
      length = usualLength;
      const known = heads.find(at, length, hashOf(at, length));
      if (known < 0) return -1;
      lastRow = known;
    }
    comm[row] = headComm[lastRow]!;
    pid[row] = headPid[lastRow]!;
    cpu[row] = headCpu[lastRow]!;
    time[row] = headSeconds[lastRow]!;
    return at + length;
  }

  function addFraction(at: number, row: number): number {
    const a = DECIMAL_PAIR[view.getUint16(at, true)]!;
    const b = DECIMAL_PAIR[view.getUint16(at + 2, true)]!;
    const c = DECIMAL_PAIR[view.getUint16(at + 4, true)]!;
    if ((a | b | c) < 0) return -1;
    const nanoseconds = (a * 10_000 + b * 100 + c) * 1000;
    if (bytes[at + 6] === COLON) {
      time[row] = time[row]! + nanoseconds;
      return at + 6;
    }
    const d = DECIMAL_PAIR[view.getUint16(at + 6, true)]!;
    const e = bytes[at + 8]! - ZERO;
    if (d < 0 || e < 0 || e > 9 || bytes[at + 9] !== COLON) return -1;
    time[row] = time[row]! + nanoseconds + d * 10 + e;
    return at + 9;
  }

  function remember(from: number, head: Head, commId: number): void {
    const length = head.point + 1 - from;
    if (head.point === 0 || length < HEAD_BYTES_MIN || length > HEAD_BYTES) return;
    usualLength = length;
    const hash = hashOf(from, length);
    if (heads.find(from, length, hash) >= 0) return;
    const added = heads.add(from, length, hash);
    if (added < 0) return;
    headComm[added] = commId;
    headPid[added] = head.pid;
    headCpu[added] = head.cpu;
    headSeconds[added] = head.seconds;
  }

  function clear(): void {
    heads.clear();
    usualLength = HEAD_BYTES_MIN;
  }

  return { recall, addFraction, remember, clear };
}
