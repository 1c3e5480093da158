/**
 * # Raw ftrace text, and what trace-cmd report prints
 *
 * `/sys/kernel/tracing/trace`, `trace_pipe`, and `trace-cmd report` begin a line alike:
 *
 *            sock-62      (     62) [000] d....     3.337881: kfree: …       one line
 *            sock-62                [000]           3.337881: kfree: …       without TGID, without the flags (noirq-info)
 *     rcu_sche-11        1d.h.. 3337518us!: kfree: …                         latency-format
 *         sock-94      1.....    16.261174678: kfree: …                      trace-cmd report -l -t
 *
 *                 sock      94   1 0 00000000 00000012 [000f8b2c] 1018.668ms (+0.001ms): kfree: …       latency-format, verbose
 *
 *     task - pid  blanks  [ "(" tgid ")" ]  ( "[" cpu "]"  [ flags ]  |  cpu flags )  time ":"  name
 *
 * A task's name has up to 15 bytes of any kind, a `-`, blanks and brackets among them; it is padded to 16 columns, so that the `-` before
 * the pid is the seventeenth byte. Where blanks were cut off, the first `-` that is followed by everything else is the one. The time is in
 * seconds, or in microseconds with `us`, or a bare count of a clock that does not count seconds (`counter`, `x86-tsc`).
 *
 * Sources: the samples in truth/traces, recorded with Linux 6.1.192 and trace-cmd 3.1.6; the kernel's Documentation/trace/ftrace.rst for
 * columns of other versions (four flags up to 5.10, five then).
 */
import type { EventSink, StreamReader } from '../batch/index.js';
import { createTextReader } from './reader.js';
import { endOfDigits, endOfSpaces, numberOf } from './scan.js';
import type { Head, TextShape } from './shape.js';

const SPACE = 32;
const OPEN = 40;
const CLOSE = 41;
const DASH = 45;
const POINT = 46;
const COLON = 58;
const BRACKET = 91;
const BRACKET_END = 93;

/** The column of the `-` behind a task's name that is padded. */
const DASH_COLUMN = 16;
/** A task's name is no longer than this, with some room for tools that know more of it than the kernel kept. */
const COMM_BYTES_MAX = 32;
const CPU_MAX = 0xffff;
const PID_DIGITS_MAX = 9;

/** Takes apart how a line begins. */
export function readTaskHead(bytes: Uint8Array, from: number, to: number, head: Head): boolean {
  head.commFrom = endOfSpaces(bytes, from, to);
  if (bytes[from + DASH_COLUMN] === DASH && readBehindTask(bytes, from + DASH_COLUMN, to, head)) return true;
  const last = Math.min(to, head.commFrom + COMM_BYTES_MAX);
  for (let at = head.commFrom; at < last; at++) {
    if (bytes[at] === DASH && readBehindTask(bytes, at, to, head)) return true;
    if (bytes[at]! < SPACE) break;
  }
  return readVerboseHead(bytes, from, to, head);
}

/** latency-format with verbose: task, pid, CPU, flags, depth of preemption, number of the line, microseconds in hexadecimal. */
const VERBOSE = new RegExp(
  String.raw`^( *)(\S.{0,31}?) +(\d{1,9}) +(\d{1,5}) \d{1,3} [\da-f]{8} (?:[\da-f]{8} )?` +
    String.raw`\[([\da-f]{8,16})\] (\d+\.\d{3}ms \(\+\d+\.\d{3}ms\)|\d+ \(\+\d+\)): +`,
);
const VERBOSE_BYTES = 200;

function readVerboseHead(bytes: Uint8Array, from: number, to: number, head: Head): boolean {
  // One byte a sign, so that offsets are those of the bytes.
  const text = String.fromCharCode(...bytes.subarray(from, Math.min(to, from + VERBOSE_BYTES)));
  const found = VERBOSE.exec(text);
  if (found === null) return false;
  const [whole, blanks, comm, pid, cpu, time, since] = found as unknown as string[];
  head.commFrom = from + blanks!.length;
  head.commTo = head.commFrom + comm!.length;
  head.pid = Number(pid);
  head.cpu = Number(cpu);
  head.hasCpu = true;
  head.isCount = !since!.includes('ms');
  head.time = Number.parseInt(time!, 16) * (head.isCount ? 1 : 1000);
  head.point = 0;
  head.nameFrom = from + whole!.length;
  return head.cpu <= CPU_MAX;
}

/** Everything from the `-` before the pid on. */
function readBehindTask(bytes: Uint8Array, dash: number, to: number, head: Head): boolean {
  // A task that is gone may be -1.
  const minus = bytes[dash + 1] === DASH ? 1 : 0;
  const pidFrom = dash + 1 + minus;
  const pidEnd = endOfDigits(bytes, pidFrom, to);
  if (pidEnd === pidFrom || pidEnd - pidFrom >= PID_DIGITS_MAX || dash < head.commFrom) return false;
  head.commTo = dash;
  head.pid = numberOf(bytes, pidFrom, pidEnd) * (minus === 1 ? -1 : 1);
  let at = endOfSpaces(bytes, pidEnd, to);
  if (at === pidEnd) return false;
  if (bytes[at] === OPEN) {
    while (at < to && bytes[at] !== CLOSE) at++;
    at = endOfSpaces(bytes, at + 1, to);
  }
  const inBrackets = bytes[at] === BRACKET;
  const cpuFrom = inBrackets ? at + 1 : at;
  const cpuEnd = endOfDigits(bytes, cpuFrom, to);
  if (cpuEnd === cpuFrom || cpuEnd - cpuFrom > 5) return false;
  head.cpu = numberOf(bytes, cpuFrom, cpuEnd);
  head.hasCpu = true;
  if (head.cpu > CPU_MAX || (inBrackets && bytes[cpuEnd] !== BRACKET_END)) return false;
  at = inBrackets ? endOfSpaces(bytes, cpuEnd + 1, to) : cpuEnd;
  if (endOfDigits(bytes, at, to) === at) {
    while (at < to && bytes[at]! > SPACE) at++;
    at = endOfSpaces(bytes, at, to);
  }
  return readTime(bytes, at, to, head);
}

/** A time with its colon, and the blanks behind it. */
export function readTime(bytes: Uint8Array, from: number, to: number, head: Head): boolean {
  let at = endOfDigits(bytes, from, to);
  if (at === from || at - from > 18) return false;
  const whole = numberOf(bytes, from, at);
  head.point = 0;
  head.isCount = false;
  if (bytes[at] === POINT) {
    const end = endOfDigits(bytes, at + 1, to);
    const digits = end - at - 1;
    if (digits < 1 || digits > 9) return false;
    head.point = at;
    head.seconds = whole * 1e9;
    head.time = head.seconds + numberOf(bytes, at + 1, end) * 10 ** (9 - digits);
    at = end;
  } else if (bytes[at] === 0x75 && bytes[at + 1] === 0x73) {
    head.time = whole * 1000;
    // How long it is until the next line: a blank, or one of `+!#*@$`.
    at += bytes[at + 2] === COLON ? 2 : 3;
  } else {
    head.time = whole;
    head.isCount = true;
  }
  if (bytes[at] !== COLON || at >= to) return false;
  head.nameFrom = endOfSpaces(bytes, at + 1, to);
  return true;
}

/** `=> vfs_read`: a frame of a stack trace, as the option `stacktrace` and trace-cmd print it. */
export function isFrame(bytes: Uint8Array, from: number, to: number): boolean {
  const at = endOfSpaces(bytes, from, to);
  return bytes[at] === 0x3d && bytes[at + 1] === 0x3e && bytes[at + 2] === SPACE;
}

const FTRACE: TextShape = {
  format: 'ftrace text',
  expected: "'task-pid [cpu] flags time: event: …'",
  pointersMayBeHashed: true,
  prints: ['tracing_mark_write'],
  readHead: readTaskHead,
  isComment: isFrame,
};

/**
 * Reads what `cat /sys/kernel/tracing/trace` and `trace_pipe` print. The reader throws InputError (with `file`, line and reason) for a text
 * that is none of it, for one printed with the option raw, and for pointers that are all equal.
 */
export function createFtraceReader(file: string, sink: EventSink): StreamReader {
  return createTextReader(FTRACE, file, sink);
}
