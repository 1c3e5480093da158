/**
 * # A trace in a file: .slt
 *
 *     const writer = createTraceFile((bytes) => writeSync(fd, bytes));
 *     const resolver = createResolver({ chunk: (chunk) => writer.chunk(chunk) });
 *     const read = …any reader, with the resolver as its sink…;
 *     writer.finish(resolver.finish(), { file: 'boot.txt', read });
 *
 *     const trace = openTraceFile(bytes, 'boot.slt');             // at once: its rows stay where they are
 *     for (const chunk of trace.chunks(['op', 'class'])) …        // reads these two columns and no others
 *
 * A .slt is a file of columns (column-file.ts): those of a resolved trace (trace.ts), row by row, and beside them everything else that a
 * trace has, its classes, texts and marks, and what its reader and its resolver reported. So whoever opens one learns the same, and
 * replays the same, as whoever reads the text that it was made from. docs/slt.md describes it for other readers and writers.
 *
 * What a file says of itself is checked when it is opened (trace-directory.ts), and each number of a row that leads somewhere (a class, a
 * slot, a text) when its chunk is read. A checksum finds what a disk did; this finds what another writer did. A column that nobody asks for
 * is not read, so that its damage goes unnoticed: whoever wants to know asks for all of them, as convert does, which copies every column.
 */
import { InputError, largestOf } from '../../base/index.js';
import {
  CHUNK_ROWS,
  type Column,
  createChunk,
  NO_SLOT,
  OP,
  OP_MASK,
  type RandomBytes,
  type ReadReport,
  Strings,
  TRACE_COLUMNS,
  type Trace,
  type TraceChunk,
  type TraceColumn,
  utf8,
  type WantsRows,
} from '../batch/index.js';
import type { TraceHead } from '../resolve/index.js';
import { type ColumnFile, type ColumnType, createColumnFile, openColumnFile } from './column-file.js';
import { checkedTraceDirectory, type SavedText, type TraceDirectory } from './trace-directory.js';

/** What a saved trace's directory calls itself. */
export const TRACE_FILE_SCHEMA = 'slablab-trace-1';

const COLUMN_TYPES: Readonly<Record<TraceColumn, ColumnType>> = {
  op: 'u8',
  cpu: 'u16',
  class: 'u32',
  slot: 'i32',
  time: 'f64',
  pid: 'i32',
  comm: 'u32',
  site: 'u32',
};

/** What a trace was made from. */
export interface TraceSource {
  /** As it was called then. */
  readonly file: string;
  readonly read: ReadReport;
}

/** A trace that was opened, with what it was made from. */
export interface SavedTrace extends Trace {
  readonly source: TraceSource;
}

/** Writes a .slt. */
export interface TraceFileWriter {
  /** Adds a chunk of a resolver's, in the order in which they come. */
  chunk(chunk: TraceChunk): void;
  finish(head: TraceHead, source: TraceSource): void;
  /** Bytes written so far. */
  readonly bytes: number;
}

// ---- Writing -------------------------------------------------------------------------------------------------------------

/** Hands the bytes of a .slt to `write`, piece by piece. */
export function createTraceFile(write: (bytes: Uint8Array) => void): TraceFileWriter {
  const file = createColumnFile(COLUMN_TYPES, write);
  return {
    get bytes() {
      return file.bytes;
    },
    chunk(chunk) {
      file.chunk(chunk as unknown as Record<string, Column>, chunk.rows);
    },
    finish({ rows, slots, cpus, strings, classes, marks, report }, source) {
      const { others, ...read } = source.read;
      const extra: TraceDirectory = {
        schema: TRACE_FILE_SCHEMA,
        rows,
        slots,
        cpus,
        strings: Array.from({ length: strings.count }, (_, id) => savedText(strings, id)),
        classes,
        marks,
        report,
        file: source.file,
        read: { ...read, others: [...others] },
      };
      file.finish(extra);
    },
  };
}

function savedText(strings: Strings, id: number): SavedText {
  const text = strings.text(id);
  // Only where a byte could not be read, or really was that sign.
  if (!text.includes('\ufffd')) return text;
  const bytes = strings.bytes(id);
  const back = utf8(text);
  return back.length === bytes.length && back.every((byte, i) => byte === bytes[i]) ? text : [...bytes];
}

// ---- Reading -------------------------------------------------------------------------------------------------------------

/** Opens a .slt. `file` is its name in messages. Throws InputError for what is none, is damaged, or is newer than this. */
export function openTraceFile(source: RandomBytes, file: string): SavedTrace {
  const columns = openColumnFile(source, file);
  for (const name of TRACE_COLUMNS)
    if (!columns.has(name)) throw new InputError(file, 0, `the column '${name}' of a trace is not in it`);
  const rows = columns.chunkRows.reduce((sum, each) => sum + each, 0);
  // Whatever a column is coded by, each value that differs from all others takes a byte of it.
  const room = columns.chunkRows.map((each, chunk) => Math.min(each, columns.bytesOf(chunk, 'slot')));
  const mostSlots = room.reduce((sum, each) => sum + each, 0);
  const extra = checkedTraceDirectory(columns.extra, TRACE_FILE_SCHEMA, { rows, slots: mostSlots }, file);
  const strings = new Strings();
  for (const [id, text] of extra.strings.entries()) {
    const bytes = typeof text === 'string' ? utf8(text) : Uint8Array.from(text);
    if (strings.intern(bytes, 0, bytes.length) !== id)
      throw new InputError(file, 0, `its text ${id} is one that it had before: '${strings.text(id)}'`);
  }
  const { slots, cpus, marks, report, read } = extra;
  const classes = extra.classes.map((each) => ({ ...each, allocatedAs: each.allocatedAs ?? '' }));
  const below: ReadonlyMap<TraceColumn, number> = new Map([
    ['class', classes.length],
    ['cpu', cpus],
    ['comm', strings.count],
    ['site', strings.count],
  ]);
  return {
    rows,
    slots,
    cpus,
    strings,
    classes,
    marks,
    report,
    source: { file: extra.file, read: { ...read, others: new Map(read.others) } },
    chunks: (asked = TRACE_COLUMNS, wants = () => true) =>
      chunksOf(columns, file, asked, below, slots, wants),
  };
}

function* chunksOf(
  columns: ColumnFile,
  file: string,
  asked: readonly TraceColumn[],
  below: ReadonlyMap<TraceColumn, number>,
  slots: number,
  wants: WantsRows,
): Iterable<TraceChunk> {
  const into = createChunk(0, Math.min(CHUNK_ROWS, Math.max(0, largestOf(columns.chunkRows))));
  let first = 0;
  for (const [number, rows] of columns.chunkRows.entries()) {
    if (!wants(first, rows)) {
      first += rows;
      continue;
    }
    for (const name of asked) {
      const most = columns.read(number, name, into[name]);
      const limit = below.get(name);
      if (limit === undefined || most < limit) continue;
      const row = firstFrom(into[name], rows, limit);
      if (row < rows) {
        throw new InputError(
          file,
          0,
          `column '${name}' of row ${first + row} holds ${into[name][row]}, and there are ${limit}`,
        );
      }
    }
    if (asked.includes('op')) {
      const row = firstOddOp(into.op, rows);
      if (row < rows)
        throw new InputError(file, 0, `row ${first + row} holds the op ${into.op[row]}, which is none`);
    }
    if (asked.includes('time')) {
      const row = firstNotFinite(into.time, rows);
      if (row < rows)
        throw new InputError(file, 0, `column 'time' of row ${first + row} holds ${into.time[row]}`);
    }
    if (asked.includes('op') && asked.includes('slot')) {
      const row = strayRow(into, rows, slots);
      if (row < rows) {
        const stands = `slot ${into.slot[row]}, and there are ${slots}`;
        throw new InputError(file, 0, `row ${first + row} holds ${stands}`);
      }
    }
    yield { ...into, first, rows };
    first += rows;
  }
}

/** The first row whose value is `limit` or more; `rows` if there is none. Rows that have no such thing hold 0. */
function firstFrom(values: Column, rows: number, limit: number): number {
  const most = Math.max(limit, 1);
  let row = 0;
  while (row < rows && values[row]! < most) row++;
  return row;
}

/** The first row whose value is no number; `rows` if there is none. */
function firstNotFinite(values: Float64Array, rows: number): number {
  let row = 0;
  while (row < rows && values[row]! - values[row]! === 0) row++;
  return row;
}

/** The first row whose op is none; `rows` if there is none. */
function firstOddOp(ops: Uint8Array, rows: number): number {
  let row = 0;
  while (row < rows && (ops[row]! & OP_MASK) <= OP.LOST) row++;
  return row;
}

/** The first row with a slot that is none; `rows` if there is none. Of lost events there stands a count. */
function strayRow({ op, slot }: TraceChunk, rows: number, slots: number): number {
  let row = 0;
  // From NO_SLOT up, all in one comparison.
  while (row < rows && (slot[row]! - NO_SLOT) >>> 0 <= slots) row++;
  while (row < rows && ((slot[row]! - NO_SLOT) >>> 0 <= slots || (op[row]! & OP_MASK) === OP.LOST)) row++;
  return row;
}
