/**
 * What a recorder copies from /sys/kernel/tracing and /proc before the events: how the ring buffer and the events are laid out, which
 * function is where, which task is called what. trace.dat has it up to version 6 as one run, from version 7 on in sections, and perf.data
 * has that run in its feature TRACING_DATA:
 *
 *     "header_page\0"  u64 size, text        "header_event\0"  u64 size, text
 *     u32 n, n × (u64 size, format)                            the events of ftrace itself
 *     u32 n, n × (name\0, u32 m, m × (u64 size, format))       the events of each system
 *     u32 size, /proc/kallsyms
 *     u32 size, printk_formats
 *     u64 size, saved_cmdlines                                 perf.data: from its version 0.6 on
 */
import { type ByteCursor, fromUtf8, parseKallsyms, printable, type Symbols } from '../batch/index.js';
import { type EventFormat, parseEventFormat } from './event-format.js';

/** The first bytes of trace.dat and of perf.data's tracing data. */
export const TRACING_MAGIC = '\x17\x08\x44tracing';

export interface TracingData {
  headerPage: string;
  headerEvent: string;
  readonly formats: EventFormat[];
  /** What was read of /proc/kallsyms; empty if the recorder left it out. */
  kallsyms: Uint8Array;
  /** Names of tasks by pid. */
  comms: ReadonlyMap<number, string>;
}

export function emptyTracingData(): TracingData {
  return { headerPage: '', headerEvent: '', formats: [], kallsyms: new Uint8Array(0), comms: new Map() };
}

/** The whole run, behind what precedes it in its file. */
export function readTracingData(cursor: ByteCursor, hasComms: boolean): TracingData {
  const data = emptyTracingData();
  readHeaders(cursor, data);
  readFtraceFormats(cursor, data);
  readSystems(cursor, data);
  data.kallsyms = readKallsyms(cursor);
  cursor.skip(cursor.u32('the size of printk_formats'), 'printk_formats');
  if (hasComms) data.comms = readComms(cursor);
  return data;
}

export function readHeaders(cursor: ByteCursor, data: TracingData): void {
  data.headerPage = headerText(cursor, 'header_page');
  data.headerEvent = headerText(cursor, 'header_event');
}

function headerText(cursor: ByteCursor, name: string): string {
  const start = cursor.at;
  const found = cursor.nulText(`the word ${name}`, name.length + 1);
  if (found !== name) throw cursor.error(`expected the word ${name}, found '${printable(found)}'`, start);
  return cursor.text(cursor.u64(`the size of ${name}`), name);
}

/** The events that ftrace has without tracepoints, such as `print`. */
export function readFtraceFormats(cursor: ByteCursor, data: TracingData): void {
  readFormats(cursor, data, 'ftrace');
}

export function readSystems(cursor: ByteCursor, data: TracingData): void {
  for (let left = cursor.u32('the count of event systems'); left > 0; left--) {
    readFormats(cursor, data, cursor.nulText("an event system's name"));
  }
}

function readFormats(cursor: ByteCursor, data: TracingData, system: string): void {
  for (let left = cursor.u32(`the count of ${system} events`); left > 0; left--) {
    const text = cursor.text(cursor.u64("the size of an event's format"), "an event's format");
    const format = parseEventFormat(text, system);
    if (format !== undefined) data.formats.push(format);
  }
}

export function readKallsyms(cursor: ByteCursor): Uint8Array {
  return cursor.bytes(cursor.u32('the size of kallsyms'), 'kallsyms');
}

/** `pid name`, a task a line. */
export function readComms(cursor: ByteCursor): Map<number, string> {
  const bytes = cursor.bytes(cursor.u64('the size of saved_cmdlines'), 'saved_cmdlines');
  const comms = new Map<number, string>();
  for (const line of fromUtf8(bytes, 0, bytes.length).split('\n')) {
    const task = /^\s*(\d+) (.+)$/.exec(line);
    if (task !== null) comms.set(Number(task[1]), task[2]!);
  }
  return comms;
}

/** undefined if the table names nothing: it is empty, or was read without permission. */
export function symbolsOf(kallsyms: Uint8Array): Symbols | undefined {
  const symbols = parseKallsyms(kallsyms);
  return symbols.count === 0 ? undefined : symbols;
}
