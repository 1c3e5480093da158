/**
 * # perf script
 *
 *                 perf    64 [001]     8.735033:            kmem:kfree: call_site=__set_cpus_allowed_ptr_locked+0x16c ptr=(nil)
 *     Web Content  2310/2344 [003] 12.104:          1 kmem:kmalloc: …            a name with a blank, pid and tid, a period
 *         ffffffff8115d0d1 kfree+0xa1 ([kernel.kallsyms])                        a frame of a call chain, behind a tab
 *
 *     task  blanks  [ pid "/" ] tid  blanks  [ "[" cpu "]" ]  time ":"  [ period ]  system ":" name ":"
 *
 * The task's name is padded to 16 columns in front; it may have blanks and digits in it, so that where padding was cut off the first number
 * that is followed by everything else is the tid. Pointers are real, `(nil)` is NULL, a page is its frame's number. There are no markers:
 * writes to trace_marker do not reach perf, unless ftrace:print was recorded.
 *
 * Sources: the samples in truth/traces, of perf 6.1.192; perf-script(1).
 */
import { type EventSink, fromUtf8, type StreamReader } from '../batch/index.js';
import { readTime } from './ftrace.js';
import { createTextReader } from './reader.js';
import { endOfDigits, endOfSpaces, numberOf } from './scan.js';
import { emptyHead, type Head, type TextShape } from './shape.js';

const SPACE = 32;
const TAB = 9;
const DASH = 45;
const SLASH = 47;
const BRACKET = 91;
const BRACKET_END = 93;

const COMM_COLUMNS = 16;
const COMM_BYTES_MAX = 32;
const CPU_MAX = 0xffff;
const PID_DIGITS_MAX = 9;

export function readPerfHead(bytes: Uint8Array, from: number, to: number, head: Head): boolean {
  head.commFrom = endOfSpaces(bytes, from, to);
  if (bytes[from + COMM_COLUMNS] === SPACE && readBehindTask(bytes, from + COMM_COLUMNS, to, head))
    return true;
  const last = Math.min(to, head.commFrom + COMM_BYTES_MAX);
  for (let at = head.commFrom; at < last; at++) {
    if (bytes[at] === SPACE && readBehindTask(bytes, at, to, head)) return true;
    if (bytes[at]! < SPACE) return false;
  }
  return false;
}

/** Everything from a blank behind the task's name on. */
function readBehindTask(bytes: Uint8Array, blank: number, to: number, head: Head): boolean {
  if (blank <= head.commFrom) return false;
  head.commTo = blank;
  while (bytes[head.commTo - 1] === SPACE) head.commTo--;
  let at = readTid(bytes, endOfSpaces(bytes, blank, to), to, head);
  if (at < 0) return false;
  head.cpu = 0;
  head.hasCpu = bytes[at] === BRACKET;
  if (head.hasCpu) {
    const end = endOfDigits(bytes, at + 1, to);
    if (end === at + 1 || end - at > 6 || bytes[end] !== BRACKET_END) return false;
    head.cpu = numberOf(bytes, at + 1, end);
    if (head.cpu > CPU_MAX) return false;
    at = endOfSpaces(bytes, end + 1, to);
  }
  // With its flags, as ftrace has them: `d..1.`.
  const flags = endOfFlags(bytes, at, to);
  if (!readTime(bytes, flags, to, head) || head.point === 0) return false;
  // The period of the event stands before its name.
  const period = endOfDigits(bytes, head.nameFrom, to);
  if (period > head.nameFrom && bytes[period] === SPACE) head.nameFrom = endOfSpaces(bytes, period, to);
  return true;
}

const FLAGS_MAX = 6;

/** Behind flags and the blanks after them; `from` where a time stands. */
function endOfFlags(bytes: Uint8Array, from: number, to: number): number {
  if (endOfDigits(bytes, from, to) > from) return from;
  let at = from;
  while (at < to && bytes[at]! > SPACE) at++;
  return at - from > FLAGS_MAX ? from : endOfSpaces(bytes, at, to);
}

/** `64`, `-1` or `64/65`, and the blanks behind it. Returns where these end, or -1. */
function readTid(bytes: Uint8Array, from: number, to: number, head: Head): number {
  const minus = bytes[from] === DASH ? 1 : 0;
  let first = from + minus;
  let end = endOfDigits(bytes, first, to);
  if (end > first && bytes[end] === SLASH) {
    first = end + 1;
    end = endOfDigits(bytes, first, to);
  }
  if (end === first || end - first > PID_DIGITS_MAX || bytes[end] !== SPACE) return -1;
  head.pid = numberOf(bytes, first, end) * (minus ? -1 : 1);
  return endOfSpaces(bytes, end, to);
}

/**
 * A line of a call chain, behind a tab or blanks: an address of any length, with whatever is known of it behind it, or, as -F asks for,
 * what is known of it alone.
 *
 *         ffffffff8115d0d1 kfree+0xa1 ([kernel.kallsyms])          0 [unknown] ([unknown])
 *                     7f31 inner (inlined)                         slub.c:4567 (discriminator 2)
 */
function isFrame(bytes: Uint8Array, from: number, to: number): boolean {
  if (bytes[from] === TAB) return true;
  if (bytes[from] !== SPACE) return false;
  const text = fromUtf8(bytes, from, Math.min(to, from + FRAME_BYTES)).trim();
  if (!FRAMES.some((shape) => shape.test(text))) return false;
  // A task may be called by a number.
  return !readPerfHead(bytes, from, to, frameHead);
}

const FRAME_BYTES = 4096;
const FRAMES: readonly RegExp[] = [
  // An address alone, or with a symbol behind it; of a branch stack several.
  /^(?:0x)?[0-9a-f]{1,16}(?:$|[ /])/,
  // A line of source, an address within a file.
  /^[^\s:=]+:\d+(?: \(discriminator \d+\))?$/,
  /^[^\s=]+\[[0-9a-f]+\]$/,
  // A symbol alone: `kfree`, `kfree+0xa1`, `[unknown]`, each with the file that it is in.
  /^(?:[\w.$:@~<>]+(?:\+0x[0-9a-f]+)?|\[unknown\])(?: \([^()]*\))?$/,
];
const frameHead = emptyHead();

const PERF_SCRIPT: TextShape = {
  format: 'perf script',
  expected: "'task tid [cpu] time: system:event: …'",
  pointersMayBeHashed: false,
  prints: ['print', 'bprint'],
  readHead: readPerfHead,
  isComment: isFrame,
};

/** Reads what `perf script` prints, also with call chains. The reader throws InputError for a text that is none of it. */
export function createPerfScriptReader(file: string, sink: EventSink): StreamReader {
  return createTextReader(PERF_SCRIPT, file, sink);
}
