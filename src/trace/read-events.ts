/**
 * From the bytes of a file to its events, whatever tool wrote it: the reader that its format has, with what the reader needs. Texts are
 * read as they come; trace.dat and perf.data need their bytes at random, so the caller says where those lie.
 */
import { InputError } from '../base/index.js';
import {
  EVENT,
  EVENT_NAMES,
  type EventBatch,
  type EventSink,
  type RandomBytes,
  type ReadReport,
} from './batch/index.js';
import { type Inflate, readPerfData, readTraceDat } from './binary/index.js';
import {
  createNamingSink,
  createTextTraceReader,
  type GivenSymbols,
  otherFileWords,
  type Pieces,
  type PlainFormat,
  TEXT_READERS,
  type TextFormat,
  tracesOfPage,
  type ZstdStream,
} from './file/index.js';

/** Bytes that are open, until they are closed. */
export interface OpenBytes {
  readonly bytes: RandomBytes;
  close(): void;
}

/** What is to be read. */
export interface EventSource {
  /** What messages call it. */
  readonly file: string;
  readonly format: PlainFormat;
  /** Bytes as they are stored, packed as they may be; undefined of a pipe. */
  readonly size: number | undefined;
  /** Bytes that were taken of those so far. */
  readonly taken: number;
  readonly pieces: Pieces;
  /** The same bytes where they can be read anywhere: instead of `pieces`. */
  random(): Promise<OpenBytes>;
  /** Nobody goes through `pieces`. */
  close(): Promise<void>;
}

/** How far reading has come. */
export interface TraceProgress {
  readonly events: number;
  /** Bytes taken of the file, packed as it is, and how many it has; undefined of a pipe. */
  readonly bytes: number;
  readonly size: number | undefined;
}

/** How the parts of trace.dat and perf.data that are packed by themselves are unpacked, one after the other. */
export interface PartUnpackers {
  readonly inflate: Inflate;
  readonly zstd: Inflate;
  /** A stream that perf never ends: what is decoded so far is all there is. */
  readonly createZstd: (take: (bytes: Uint8Array) => void) => ZstdStream;
}

/** What reading events from a file of any format needs to know. */
export interface ReadEventsOptions {
  readonly unpackers: PartUnpackers;
  /** The recorded kernel's table of symbols: names for call sites that are addresses. */
  readonly symbols?: GivenSymbols | undefined;
  /** Called now and then. */
  readonly onProgress?: ((progress: TraceProgress) => void) | undefined;
}

/** Hands the events to `sink`. Throws InputError for what is no trace; what is damaged here and there is counted in the report. */
export async function readEvents(
  source: EventSource,
  sink: EventSink,
  options: ReadEventsOptions,
): Promise<ReadReport> {
  const { file, format, size } = source;
  const { symbols, onProgress = () => {} } = options;
  const naming = symbols === undefined ? { sink, notes: () => [] } : createNamingSink(sink, symbols);
  let events = 0;
  const counting: EventSink = {
    strings: sink.strings,
    take(batch: EventBatch) {
      events += batch.length;
      naming.sink.take(batch);
    },
  };
  const finished = (report: ReadReport): ReadReport => {
    const notes = naming.notes();
    return withKmem(file, notes.length === 0 ? report : { ...report, notes: [...report.notes, ...notes] });
  };
  if (isText(format) || format === 'systrace') {
    const isPage = format === 'systrace';
    const reader = createTextTraceReader(isPage ? 'ftrace' : format, file, counting);
    for await (const piece of isPage ? tracesOfPage(source.pieces, file) : source.pieces) {
      reader.write(piece);
      onProgress({ events, bytes: source.taken, size });
    }
    const report = reader.end();
    return finished(isPage ? { ...report, format: `systrace HTML, with ${report.format}` } : report);
  }
  if (format !== 'trace.dat' && format !== 'perf.data') {
    await source.close();
    throw noTrace(file, format);
  }
  const { bytes, close } = await source.random();
  const watched: RandomBytes = {
    size: bytes.size,
    read(offset, length) {
      const got = bytes.read(offset, length);
      onProgress({ events, bytes: Math.min(offset + length, bytes.size), size: bytes.size });
      return got;
    },
  };
  try {
    return finished(readBinary(format, watched, counting, { file, symbols, unpackers: options.unpackers }));
  } finally {
    close();
  }
}

const OTHERS_TOLD = 3;

/**
 * The report of a trace in which kmem events were recorded. Throws InputError for one without any, which cannot answer what allocations
 * held: it says what is in it instead, and how to record them; and for one in which all events of a kind could not be read.
 */
export function withKmem(file: string, report: ReadReport): ReadReport {
  const { byKind, others, damaged, damage, notes } = report;
  for (const [name, count] of others) {
    // Binary formats: the kernel's own description of these events lacks what they are read by.
    const note = notes.find((each) => each.startsWith(`The format of ${name} lacks`));
    if (note === undefined || byKind[EVENT_NAMES.indexOf(name)] !== 0) continue;
    throw new InputError(
      file,
      0,
      `none of its ${count} ${name} events could be read, so that no figure would be right: ${note}`,
    );
  }
  if (byKind.slice(EVENT.KMALLOC, EVENT.PAGE_EXTFRAG + 1).some((count) => count > 0)) return report;
  const most = [...others].sort((a, b) => b[1] - a[1]);
  const told = most.slice(0, OTHERS_TOLD).map(([name, count]) => `${name} ${count}`);
  if (most.length > OTHERS_TOLD) told.push('…');
  const holds = told.length > 0 ? ` (it holds other events: ${told.join(', ')})` : '';
  const bad = damaged > 0 ? `; ${damaged} places could not be read, the first: ${damage[0]?.why}` : '';
  throw new InputError(
    file,
    0,
    `no kmem event was recorded in this ${report.format}${holds}, so it does not say what allocations held${bad}; ` +
      "record them with trace-cmd record -e kmem COMMAND, or perf record -a -e 'kmem:*' COMMAND",
  );
}

function readBinary(
  format: 'trace.dat' | 'perf.data',
  bytes: RandomBytes,
  sink: EventSink,
  about: {
    readonly file: string;
    readonly symbols: GivenSymbols | undefined;
    readonly unpackers: PartUnpackers;
  },
): ReadReport {
  const { file, symbols, unpackers } = about;
  const { inflate, zstd, createZstd } = unpackers;
  if (format === 'trace.dat') return readTraceDat(bytes, sink, { file, zlib: inflate, zstd });
  const decoder = (take: (bytes: Uint8Array) => void) => {
    const stream = createZstd(take);
    return (piece: Uint8Array) => stream.push(piece);
  };
  return readPerfData(bytes, sink, { file, zstd: decoder, ...(symbols && { kallsyms: symbols.bytes }) });
}

function isText(format: string): format is TextFormat {
  return format in TEXT_READERS;
}

function noTrace(file: string, format: 'json' | 'slabinfo' | 'slt'): InputError {
  if (format === 'slt')
    return new InputError(file, 0, 'it is a saved trace: it has rows, and no events to read');
  const why =
    format === 'json'
      ? 'it is JSON: if it holds snapshots, name their trace and give it with --snapshots'
      : otherFileWords('slabinfo - version', file, 'a trace');
  return new InputError(file, 1, `expected a trace, but ${why}`);
}
