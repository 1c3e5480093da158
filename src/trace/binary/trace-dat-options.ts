/**
 * The options of trace.dat, `u16 id, u32 size, data` each. Those that say how to read events are kept, the others passed over.
 */
import { ByteCursor, memoryBytes } from '../batch/index.js';
import type { CpuData } from './trace-dat-cpu.js';

const OPTION = {
  DONE: 0,
  DATE: 1,
  CPUSTAT: 2,
  BUFFER: 3,
  TRACECLOCK: 4,
  OFFSET: 7,
  CPUCOUNT: 8,
  TIME_SHIFT: 12,
  TSC2NSEC: 14,
  HEADER_INFO: 16,
  CMDLINES: 21,
  BUFFER_TEXT: 22,
} as const;

/** Columns of events hold a CPU in 16 bits. */
export const CPUS_MAX = 1 << 16;

/** A ring buffer that was recorded: ftrace's own, or one of its instances. */
export interface RecordedBuffer {
  readonly name: string;
  /** Where its section begins; up to version 6, where its table of CPUs does. */
  readonly offset: number;
  readonly clock: string;
  /** Bytes; 0 if the file does not say here. */
  readonly pageBytes: number;
  readonly cpus: readonly CpuData[];
  /** The trace as text instead of pages. */
  readonly isText: boolean;
}

export interface DatOptions {
  /** The clock of the trace, `local` unless told. */
  clock: string;
  /** Up to version 6: the clock's text follows the table of CPUs. */
  clockFollows: boolean;
  /** Added to every time, in nanoseconds. */
  offset: number;
  /** A time-stamp counter's time is `ticks * multiplier >> shift` nanoseconds. */
  multiplier: number;
  shift: number;
  /** CPUs with a row in version 6's table; undefined if the file's head says it. */
  cpuCount: number | undefined;
  /** Events that the ring buffers lost, by their own statistics. */
  lost: number;
  /** Times that would bring a guest's clock to its host's are there. */
  isGuest: boolean;
  readonly buffers: RecordedBuffer[];
  /** Offsets of sections, by their ID. */
  readonly sections: Map<number, number>;
}

export function emptyOptions(): DatOptions {
  return {
    clock: 'local',
    clockFollows: false,
    offset: 0,
    multiplier: 0,
    shift: 0,
    cpuCount: undefined,
    lost: 0,
    isGuest: false,
    buffers: [],
    sections: new Map(),
  };
}

/**
 * Reads options up to the one that ends them. Returns where they go on: the offset of the next section of options, or 0 if there is none.
 * Up to version 6 the end is an ID alone.
 */
export function readOptions(cursor: ByteCursor, version: number, options: DatOptions): number {
  for (;;) {
    const id = cursor.u16("an option's ID");
    if (id === OPTION.DONE && version < 7) return 0;
    const size = cursor.u32("an option's size");
    if (id === OPTION.DONE) return size >= 8 ? cursor.u64('the offset of the next options') : 0;
    if (size > cursor.left)
      throw cursor.error(`option ${id} says it has ${size} bytes, ${cursor.left} are left`);
    const end = cursor.at + size;
    const bytes = cursor.bytes(size, `option ${id}`);
    readOption(
      id,
      new ByteCursor(memoryBytes(bytes), `${cursor.file}: option ${id}`, cursor.little),
      version,
      options,
    );
    cursor.at = end;
  }
}

function readOption(id: number, data: ByteCursor, version: number, options: DatOptions): void {
  const text = () => data.text(data.left, 'a text');
  switch (id) {
    case OPTION.DATE:
      // Microseconds, written as hexadecimal or decimal digits.
      options.offset += integerOf(text()) * 1000;
      return;
    case OPTION.OFFSET:
      options.offset += integerOf(text());
      return;
    case OPTION.CPUSTAT:
      options.lost += lostOf(text());
      return;
    case OPTION.TRACECLOCK: {
      const clock = currentClock(text());
      if (clock === undefined) options.clockFollows = true;
      else options.clock = clock;
      return;
    }
    case OPTION.CPUCOUNT:
      options.cpuCount = cpuCount(data);
      return;
    case OPTION.TIME_SHIFT:
      options.isGuest = true;
      return;
    case OPTION.TSC2NSEC:
      if (data.left < 16) return;
      options.multiplier = data.u32('a multiplier');
      options.shift = data.u32('a shift') & 63;
      return;
    case OPTION.BUFFER:
      options.buffers.push(version < 7 ? bufferOf6(data) : bufferOf7(data));
      return;
    case OPTION.BUFFER_TEXT:
      options.buffers.push(textBuffer(data));
      return;
    default:
      if (id >= OPTION.HEADER_INFO && id <= OPTION.CMDLINES && data.left >= 8) {
        options.sections.set(id, data.u64("a section's offset"));
      }
  }
}

function cpuCount(data: ByteCursor): number {
  const count = data.u32('a count of CPUs');
  if (count > CPUS_MAX) throw data.error(`a machine with ${count} CPUs: at most ${CPUS_MAX} are read`, 0);
  return count;
}

function bufferOf6(data: ByteCursor): RecordedBuffer {
  const offset = data.u64("a buffer's offset");
  return { name: data.text(data.left, 'a name'), offset, clock: '', pageBytes: 0, cpus: [], isText: false };
}

function textBuffer(data: ByteCursor): RecordedBuffer {
  return { ...bufferOf6(data), isText: true };
}

function bufferOf7(data: ByteCursor): RecordedBuffer {
  const offset = data.u64("a buffer's offset");
  const name = data.nulText("a buffer's name");
  const clock = data.nulText("a buffer's clock");
  const pageBytes = data.u32("a page's size");
  const cpus: CpuData[] = [];
  for (let left = cpuCount(data); left > 0; left--) {
    const cpu = data.u32("a CPU's number");
    if (cpu >= CPUS_MAX) throw data.error(`a CPU has number ${cpu}: they are read below ${CPUS_MAX}`);
    cpus.push({ cpu, offset: data.u64("a CPU's offset"), size: data.u64("a CPU's size") });
  }
  return { name, offset, clock, pageBytes, cpus, isText: false };
}

/** `[mono]` among all clocks that the kernel has. */
export function currentClock(text: string): string | undefined {
  return /\[(\w[\w-]*)\]/.exec(text)?.[1];
}

/** As C's strtoll reads it with base 0. */
function integerOf(text: string): number {
  const number = /^\s*(-?)(0x[0-9a-f]+|\d+)/i.exec(text);
  return number === null ? 0 : Number(number[2]) * (number[1] === '-' ? -1 : 1);
}

/** What a CPU's statistics call overwritten or dropped. */
function lostOf(stats: string): number {
  let lost = 0;
  for (const [, count] of stats.matchAll(/^(?:overrun|commit overrun|dropped events): (\d+)/gm))
    lost += Number(count);
  return lost;
}
