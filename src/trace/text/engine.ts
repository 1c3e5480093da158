/**
 * # The engine of the text readers
 *
 * A line is read in two ways. The *careful* way takes its head apart and finds the name, whatever they look like, and remembers both. The
 * *quick* way is for lines whose head is known: it recalls the head, adds the fraction of the second, tells the name by a few of its bytes
 * and hands the fields to fields.ts. When anything is not as expected the line is read the careful way, from its beginning: there is
 * one meaning, and two speeds.
 *
 *     line ─▸ recall ─▸ fraction ─▸ name ─▸ fields ─▸ row of the batch          quick
 *        ╰──▸ blank? comment? loss? ─▸ shape.readHead ─▸ name ─▸ fields         careful
 *
 * An engine reads one text at a time and may then read another: see reader.ts.
 */
import { InputError, printable } from '../../base/index.js';
import {
  BATCH_EVENTS,
  createBatch,
  EVENT,
  EVENT_NAMES,
  type EventSink,
  fromUtf8,
  NODE_NONE,
  type ReadReport,
  Strings,
} from '../batch/index.js';
import { createFieldReader } from './fields.js';
import { TextFindings } from './findings.js';
import { createHeadReader } from './heads.js';
import { createRunMemo, createRuns, EMPTY_HASH, TO_BLANK } from './memo.js';
import { KIND_OF_NAME, KMEM, NAME_BYTES, NAME_KINDS, nameAt } from './names.js';
import { createLineWindow, LINE_BYTES_MAX, type LineSink, word } from './scan.js';
import { emptyHead, type TextShape } from './shape.js';

const TAB = 9;
const SPACE = 32;
const NEWLINE = 10;
const RETURN = 13;
const HASH = 35;
const COLON = 58;

/** Names of events that are only counted; fewer than the memo has rows and bytes for, so that it never forgets one. */
const OTHER_NAMES_MAX = 500;
const OTHER_ROWS = 1024;
const OTHER_BYTES = 64;
const EXCERPT_BYTES = 60;
const BYTES_MAX = 0xffffffff;
const CPU_MAX = 0xffff;

export interface TextEngine {
  begin(shape: TextShape, file: string, sink: EventSink): void;
  write(chunk: Uint8Array): void;
  end(): ReadReport;
  /** Lets go of the text that was read: its sink may hold a whole trace. */
  forget(): void;
}

const NOBODY: EventSink = { strings: new Strings(), take() {} };

export function createTextEngine(): TextEngine {
  const window = createLineWindow();
  const { bytes, view } = window;
  const batch = createBatch();
  const { kind, cpu, pid, time, comm } = batch;
  const columns = Object.values(batch).filter((column) => typeof column === 'object');
  const { recall, addFraction, remember, clear: clearHeads } = createHeadReader(bytes, view, batch);
  const {
    read: readFields,
    begin: beginFields,
    failure,
    notes: fieldNotes,
  } = createFieldReader(bytes, view, batch, refuse);
  const { endOfHashed, hash } = createRuns(view);
  const otherNames = createRunMemo(bytes, view, OTHER_ROWS, OTHER_BYTES);
  const otherOfRow: string[] = [];
  const otherCounts = new Float64Array(OTHER_ROWS);
  let otherRows = 0;
  const kindCounts = new Float64Array(EVENT_NAMES.length);
  const head = emptyHead();

  let shape: TextShape;
  let file = '';
  let sink: EventSink;
  let findings: TextFindings;
  /** The row of the batch that is being filled, the line that is being read. */
  let row = 0;
  let line = 0;

  // ---- The quick way ---------------------------------------------------------------------------------------------------

  function lines(from: number, to: number): void {
    for (let at = from; at < to; ) {
      line++;
      const next = readQuickly(at);
      at = next < 0 ? readCarefully(at) : next;
    }
  }

  /** Returns where the next line begins, or -1 if the line has to be read the careful way. */
  function readQuickly(from: number): number {
    let at = recall(from, row);
    if (at < 0) return -1;
    at = addFraction(at, row);
    if (at < 0) return -1;
    do at++;
    while (bytes[at] === SPACE);
    // perf says which system an event is of.
    if (bytes[at + 4] === COLON && view.getInt32(at, true) === KMEM) at += 5;
    const name = nameAt(bytes, view, at);
    if (name === 0) return passOver(from, at);
    at += NAME_BYTES[name]!;
    if (bytes[at] !== SPACE) return -1;
    const next = readFields(at, row, NAME_KINDS[name]!);
    if (next < 0 || next - from > LINE_BYTES_MAX) return -1;
    commit(NAME_KINDS[name]!);
    return next;
  }

  /** A line of an event that is only counted, if its name is known. */
  function passOver(from: number, at: number): number {
    const to = endOfHashed(at, TO_BLANK, EMPTY_HASH);
    const known = otherNames.find(at, to - at, hash());
    if (known < 0) return -1;
    const newline = bytes.indexOf(NEWLINE, to);
    if (newline - from > LINE_BYTES_MAX) return -1;
    otherCounts[known]!++;
    return newline + 1;
  }

  function commit(which: number): void {
    kind[row] = which;
    if (++row === BATCH_EVENTS) flush();
  }

  // ---- The careful way -------------------------------------------------------------------------------------------------

  function readCarefully(from: number): number {
    const newline = bytes.indexOf(NEWLINE, from);
    const to = newline > from && bytes[newline - 1] === RETURN ? newline - 1 : newline;
    clearRow();
    // A byte order mark.
    const marked = line === 1 && bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf;
    const start = marked ? from + 3 : from;
    const why = to - start > LINE_BYTES_MAX ? TOO_LONG : understand(start, to, newline + 1);
    if (why !== '') {
      const nul = bytes.subarray(start, to).includes(0);
      tellDamage(start, to, nul ? 'a NUL byte stands in it' : why);
      clearRow();
    }
    return newline + 1;
  }

  /** Returns what is wrong with the line, '' if nothing is. */
  function understand(from: number, to: number, next: number): string {
    if (isBlank(from, to)) {
      findings.comments++;
    } else if (bytes[from] === HASH) {
      readComment(from, to);
    } else if (shape.isComment(bytes, from, to)) {
      findings.comments++;
      findings.hasHeader = true;
    } else if (!readLoss(from, to)) {
      return readEvent(from, to, next);
    }
    return '';
  }

  function isBlank(from: number, to: number): boolean {
    for (let at = from; at < to; at++) if (bytes[at] !== SPACE && bytes[at] !== TAB) return false;
    return true;
  }

  /** `# entries-in-buffer/entries-written: 476/5980   #P:2`, `#7135/7135` of the latency format: what is missing was overwritten. */
  function readComment(from: number, to: number): void {
    findings.comments++;
    const text = fromUtf8(bytes, from, to);
    findings.hasHeader ||= /^# (?:tracer:|=+$|captured on)/.test(text);
    const [, kept, written] =
      /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/.exec(text) ??
      /^# latency: .*#(\d+)\/(\d+), CPU#/.exec(text) ??
      [];
    if (kept !== undefined) findings.lost += Math.max(0, Number(written) - Number(kept));
  }

  /** `CPU:2 [LOST 123 EVENTS]`, `CPU:7 [204600 EVENTS DROPPED]`, either without its number. */
  function readLoss(from: number, to: number): boolean {
    if (view.getInt32(from, true) !== CPU_ || to - from > EXCERPT_BYTES) return false;
    const text = fromUtf8(bytes, from, to);
    const match =
      /^CPU:(\d+) \[LOST (?:(\d+) )?EVENTS\]\s*$/.exec(text) ??
      /^CPU:(\d+) \[(?:(\d+) )?EVENTS DROPPED\]\s*$/.exec(text);
    if (match === null || Number(match[1]) > CPU_MAX) return false;
    cpu[row] = Number(match[1]);
    commitLoss(Number(match[2] ?? 0));
    return true;
  }

  function commitLoss(count: number): void {
    findings.lost += count;
    batch.bytesReq[row] = Math.min(count, BYTES_MAX);
    commit(EVENT.LOST);
  }

  function readEvent(from: number, to: number, next: number): string {
    if (!shape.readHead(bytes, from, to, head)) {
      if (readPerfLoss(from, to)) return '';
      findings.unheaded(line, fromUtf8(bytes, from, Math.min(to, from + 2 * EXCERPT_BYTES)));
      return `expected ${shape.expected}`;
    }
    for (let at = head.commFrom; at < head.commTo; at++) {
      if (bytes[at]! < SPACE) return "a control character stands in the task's name";
    }
    const commId = sink.strings.intern(bytes, head.commFrom, head.commTo);
    findings.hasCounts ||= head.isCount;
    findings.lacksCpu ||= !head.hasCpu;
    comm[row] = commId;
    pid[row] = head.pid;
    cpu[row] = head.cpu;
    time[row] = head.time;
    remember(from, head, commId);
    return readNamed(head.nameFrom, to, next);
  }

  function readNamed(from: number, to: number, next: number): string {
    let at = from;
    while (at < to && bytes[at] !== SPACE) at++;
    if (bytes[at - 1] !== COLON || at - from < 2) return readNameless(from, to);
    const whole = fromUtf8(bytes, from, Math.min(at - 1, from + OTHER_BYTES));
    const name = whole.startsWith('kmem:') ? whole.slice(5) : whole;
    if (!/^[\w:./<>$@~+-]+$/.test(name) || at - from > OTHER_BYTES) {
      return `'${excerpt(from, at)}' is no name of an event`;
    }
    const known = KIND_OF_NAME.get(name);
    if (known !== undefined) {
      const end = readFields(at, row, known);
      if (end !== next) {
        findings.unread(known, line, failure());
        return `${name}: ${failure()}`;
      }
      commit(known);
    } else if (shape.prints.includes(name.slice(name.lastIndexOf(':') + 1))) {
      return readMark(name, at, to);
    } else {
      countOther(name);
      rememberOther(from + (name === whole ? 0 : 5), at, name);
    }
    return '';
  }

  /** Lines that have a head and no name with a colon: perf's records of loss, and what other tracers print. */
  function readNameless(from: number, to: number): string {
    if (readPerfLoss(from, to)) return '';
    const text = fromUtf8(bytes, from, Math.min(to, from + 2 * EXCERPT_BYTES));
    if (/^<(?:user )?stack trace\s?>/.test(text)) countOther('stack trace');
    else if (/^\S+ <-\S+$/.test(text)) countOther('function');
    else if (text.startsWith('PERF_RECORD_')) countOther(/^\w{1,40}/.exec(text)![0]);
    else return "expected an event's name and a colon";
    return '';
  }

  function readPerfLoss(from: number, to: number): boolean {
    const text = fromUtf8(bytes, Math.max(from, to - 2 * EXCERPT_BYTES), to);
    const match = /(?:^|\s)PERF_RECORD_LOST(?:_SAMPLES)?:? lost:? (\d+)\s*$/.exec(text);
    if (match) commitLoss(Number(match[1]));
    return match !== null;
  }

  /** Text that was written to trace_marker, or by a print in the kernel: behind the name of the function that wrote it. */
  function readMark(name: string, at: number, to: number): string {
    let from = at;
    if (name !== 'tracing_mark_write') {
      const colon = bytes.subarray(from, to).indexOf(COLON);
      if (colon >= 0) from += colon + 1;
    }
    from = Math.min(from + 1, to);
    if (bytes.subarray(from, to).includes(0)) return 'a NUL byte stands in it';
    batch.name[row] = sink.strings.intern(bytes, from, to);
    commit(EVENT.MARK);
    return '';
  }

  function countOther(name: string, count = 1): void {
    const { others } = findings;
    const key = others.has(name) || others.size < OTHER_NAMES_MAX ? name : 'others';
    others.set(key, (others.get(key) ?? 0) + count);
  }

  /** So that the next line of this event is passed over quickly. */
  function rememberOther(from: number, to: number, name: string): void {
    if (endOfHashed(from, TO_BLANK, EMPTY_HASH) !== to) return;
    if (otherRows >= OTHER_NAMES_MAX || otherNames.find(from, to - from, hash()) >= 0) return;
    const added = otherNames.add(from, to - from, hash());
    if (added < 0) return;
    otherRows++;
    otherOfRow[added] = name;
  }

  // ---- What could not be read ------------------------------------------------------------------------------------------

  function excerpt(from: number, to: number): string {
    const text = fromUtf8(bytes, from, Math.min(to, from + EXCERPT_BYTES));
    return printable(text) + (to - from > EXCERPT_BYTES ? '…' : '');
  }

  function tellDamage(from: number, to: number, why: string): void {
    if (findings.tellsMore()) {
      findings.damage.push({ line, offset: window.offset() + from, why: `${why}: '${excerpt(from, to)}'` });
    }
    findings.spoilt(readSoFar());
  }

  /** Events of all kinds. */
  function readSoFar(): number {
    return kindCounts.reduce((sum, count) => sum + count, row + findings.others.size);
  }

  function refuse(why: string): never {
    throw new InputError(file, line, why);
  }

  // ---- Batches ---------------------------------------------------------------------------------------------------------

  function clearRow(): void {
    for (const column of columns) column[row] = 0;
    batch.node[row] = NODE_NONE;
  }

  function clearBatch(): void {
    for (const column of columns) column.fill(0);
    batch.node.fill(NODE_NONE);
    row = 0;
  }

  function flush(): void {
    tally();
    batch.length = row;
    if (row > 0) sink.take(batch);
    clearBatch();
  }

  /** A function of its own: V8 throws away what it compiled of one that calls another text's sink. */
  function tally(): void {
    let { count, low, high } = findings.pointers;
    for (let i = 0; i < row; i++) {
      const which = kind[i]!;
      kindCounts[which]!++;
      if (which !== EVENT.KMALLOC && which !== EVENT.CACHE_ALLOC) continue;
      low |= batch.pointerLow[i]!;
      high |= batch.pointerHigh[i]!;
      if ((batch.pointerLow[i]! | batch.pointerHigh[i]!) !== 0) count++;
    }
    findings.pointers = { count, low, high };
  }

  const lineSink: LineSink = {
    lines,
    tooLong(from, to) {
      line++;
      tellDamage(from, to, TOO_LONG);
    },
  };

  function begin(newShape: TextShape, newFile: string, newSink: EventSink): void {
    shape = newShape;
    file = newFile;
    sink = newSink;
    findings = new TextFindings(shape, file);
    window.clear();
    clearHeads();
    beginFields(sink.strings);
    otherNames.clear();
    otherOfRow.length = 0;
    otherRows = 0;
    otherCounts.fill(0);
    kindCounts.fill(0);
    clearBatch();
    line = 0;
  }

  function end(): ReadReport {
    window.end(lineSink);
    flush();
    for (const [known, name] of otherOfRow.entries()) {
      if (name !== undefined && otherCounts[known]! > 0) countOther(name, otherCounts[known]);
    }
    const counts = Array.from(kindCounts);
    findings.end(line, readSoFar(), counts);
    return findings.report(window.size(), line, counts, fieldNotes());
  }

  function forget(): void {
    begin(shape, '', NOBODY);
  }

  return { begin, write: (chunk) => window.write(chunk, lineSink), end, forget };
}

const TOO_LONG = 'a line of more than 64 KiB';
const CPU_ = word('CPU:');
