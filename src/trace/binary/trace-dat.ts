/**
 * # trace.dat, what `trace-cmd record` writes
 *
 *     readTraceDat(bytes, sink, { file: 'trace.dat', zlib: inflateSync })
 *
 * Two layouts. Up to version 6 everything stands in one row, and version 7 has sections, which options point to and which may be
 * compressed:
 *
 *     6   magic "6\0" endian long pagesize │ tracing data │ u32 CPUs │ "options  \0" … │ "flyrecord\0" CPUs × (offset, size) │ pages
 *     7   magic "7\0" endian long pagesize "zstd\0" "1.5\0" u64 options ──▸ section of options ──▸ … ──▸ 0
 *         a section: u16 ID, u16 flags (1: compressed), u32 description, u64 size, [u32 compressed size, u32 size,] data
 *
 * tracing data: tracing-data.ts. The pages are the ring buffers' own (ring-buffer.ts), each CPU's in a row; the events of all CPUs come
 * out in the order of their times. An instance's buffer is read like the main one. `latency` recordings hold the trace as text.
 *
 * Times are those that `trace-cmd report` prints: the offsets that the recorder noted (`--date`, `--ts-offset`) are added, and ticks of a
 * time-stamp counter become nanoseconds where it noted how. The shift of a guest's clock to its host's needs both files and is left.
 *
 * Sources: trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5), and files that trace-cmd 3.1.6 wrote.
 */
import { formatCount, InputError } from '../../base/index.js';
import {
  ByteCursor,
  createBatch,
  EVENT,
  type EventSink,
  memoryBytes,
  printable,
  type RandomBytes,
  type ReadReport,
  type StreamReader,
  Tally,
} from '../batch/index.js';
import { createFtraceReader } from '../text/index.js';
import { clearRow, createRecordDecoder, OTHER } from './record-decoder.js';
import { parseRingBufferFormat, type RingBufferFormat } from './ring-buffer.js';
import {
  CHUNK_PAGES_MAX,
  ChunkReader,
  type CpuData,
  CpuStream,
  type Inflate,
  mergeStreams,
} from './trace-dat-cpu.js';
import {
  CPUS_MAX,
  currentClock,
  type DatOptions,
  emptyOptions,
  type RecordedBuffer,
  readOptions,
} from './trace-dat-options.js';
import {
  emptyTracingData,
  readComms,
  readFtraceFormats,
  readHeaders,
  readKallsyms,
  readSystems,
  readTracingData,
  symbolsOf,
  TRACING_MAGIC,
  type TracingData,
} from './tracing-data.js';

/** What reading a trace.dat needs to know. */
export interface TraceDatOptions {
  /** What errors call the file. */
  readonly file?: string;
  /** For files that were compressed. This room has no decoders: whoever opens files does. */
  readonly zlib?: Inflate;
  readonly zstd?: Inflate;
  /** Reads the text of a `latency` recording, unless told the reader of raw ftrace text. */
  readonly text?: (sink: EventSink) => StreamReader;
}

const SECTION = {
  OPTIONS: 0,
  HEADER_INFO: 16,
  FTRACE_EVENTS: 17,
  EVENT_FORMATS: 18,
  KALLSYMS: 19,
  CMDLINES: 21,
};
const COMPRESSED = 1;
/** Clocks that count nanoseconds. The others count jiffies, ticks or events. */
const NANOSECONDS = /^(?:local|global|perf|mono|mono_raw|boot|tai|tsc2nsec)$/;
/** All pages that are in memory at once. */
const PAGES_BYTES_MAX = 2 ** 30;
/** Of a compressed section, when decompressed. */
const SECTION_BYTES_MAX = 2 ** 28;
const CHUNK_COUNT_BYTES = 4;
const TEXT_PIECE = 1 << 16;
const COMMS = 1 << 10;

/** What the head of the file says. */
interface Head {
  readonly version: number;
  readonly little: boolean;
  /** undefined if nothing is compressed. */
  readonly inflate: Inflate | undefined;
  /** The file, behind its head. */
  readonly cursor: ByteCursor;
}

interface Contents {
  readonly tracing: TracingData;
  readonly options: DatOptions;
  readonly buffers: readonly RecordedBuffer[];
}

/**
 * Hands the events of a trace.dat to the sink, in the order of time. Throws InputError, with the byte and what was expected, for what is no
 * trace.dat or ends before its events begin; pages and records that are damaged are counted.
 */
export function readTraceDat(
  source: RandomBytes,
  sink: EventSink,
  options: TraceDatOptions = {},
): ReadReport {
  const tally = new Tally();
  const head = readHead(new ByteCursor(source, options.file ?? 'trace.dat', true), options);
  const contents = head.version < 7 ? readRow(head) : readSections(head, tally);
  tellOptions(contents, tally);
  const texts = contents.buffers.filter((buffer) => buffer.isText);
  const pages = contents.buffers.filter((buffer) => !buffer.isText);
  const format = `trace.dat version ${head.version}`;
  if (texts.length > 0 && pages.length === 0) return readText(head, texts, sink, options, format);
  for (const { name } of texts)
    tally.note(`The buffer '${name}' holds its trace as text, which is not read beside pages.`);
  readPages(head, contents, pages, sink, tally);
  tally.lost = Math.max(tally.lost, contents.options.lost);
  return tally.report(format, source.size);
}

// ---- The file's layout -------------------------------------------------------------------------------------------------

function readHead(cursor: ByteCursor, options: TraceDatOptions): Head {
  const magic = cursor.source.read(0, TRACING_MAGIC.length);
  if (String.fromCharCode(...magic) !== TRACING_MAGIC) {
    throw cursor.error(`expected a trace.dat, which begins with 17 08 44 'tracing'; found ${hexOf(magic)}`);
  }
  cursor.skip(TRACING_MAGIC.length, 'the magic bytes');
  const text = cursor.nulText('a version');
  const version = Number(text);
  if (!Number.isInteger(version) || version < 1 || version > 7) {
    throw cursor.error(
      `expected a trace.dat of version 6 or 7, found version '${printable(text)}'`,
      TRACING_MAGIC.length,
    );
  }
  const endian = cursor.u8('a byte for the order of bytes');
  if (endian > 1)
    throw cursor.error(`expected 0 (little-endian) or 1 (big-endian), found ${endian}`, cursor.at - 1);
  cursor.little = endian === 0;
  // How pages are laid out says header_page; these two are user space's.
  cursor.skip(5, 'the sizes of a long and of a page');
  return {
    version,
    little: cursor.little,
    inflate: version < 7 ? undefined : readInflate(cursor, options),
    cursor,
  };
}

function hexOf(bytes: Uint8Array): string {
  return bytes.length === 0
    ? 'nothing'
    : [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** How sections are compressed: a name, and a version that nobody needs. */
function readInflate(cursor: ByteCursor, options: TraceDatOptions): Inflate | undefined {
  const start = cursor.at;
  const name = cursor.nulText("a compression's name");
  cursor.nulText("a compression's version");
  if (name === 'none') return undefined;
  const known: Readonly<Record<string, Inflate | undefined>> = { zlib: options.zlib, zstd: options.zstd };
  if (known[name] !== undefined) return checkedInflate(known[name], cursor);
  throw cursor.error(`expected sections compressed with zstd, zlib or none, found ${printable(name)}`, start);
}

/** What a decoder says of bad data, as words about this file. */
function checkedInflate(inflate: Inflate, cursor: ByteCursor): Inflate {
  return (bytes, size) => {
    try {
      return inflate(bytes, size);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new InputError(
        cursor.file,
        0,
        `a compressed chunk of ${bytes.length} bytes cannot be read: ${why}`,
      );
    }
  };
}

/** Up to version 6. */
function readRow({ version, cursor }: Head): Contents {
  const tracing = readTracingData(cursor, true);
  const options = emptyOptions();
  let cpus = cursor.u32('a count of CPUs');
  let kind = cursor.text(10, 'the word options, latency or flyrecord').trim();
  if (kind === 'options') {
    readOptions(cursor, version, options);
    kind = cursor.text(10, 'the word latency or flyrecord').trim();
  }
  cpus = options.cpuCount ?? cpus;
  const main = { name: '', clock: '', pageBytes: 0 };
  if (kind === 'latency') {
    return { tracing, options, buffers: [{ ...main, offset: cursor.at, cpus: [], isText: true }] };
  }
  if (kind !== 'flyrecord')
    throw cursor.error(`expected latency or flyrecord, found '${printable(kind)}'`, cursor.at - 10);
  const buffers = [{ ...main, offset: cursor.at, cpus: readCpuTable(cursor, cpus), isText: false }];
  if (options.clockFollows && cursor.left >= 8) {
    options.clock = currentClock(cursor.text(cursor.u64("the clock's length"), 'the clock')) ?? options.clock;
  }
  for (const instance of options.buffers) {
    cursor.at = Math.min(instance.offset, cursor.end);
    const word = cursor.text(10, 'the word flyrecord').trim();
    if (word !== 'flyrecord')
      throw cursor.error(`expected flyrecord, found '${printable(word)}'`, instance.offset);
    buffers.push({
      ...main,
      name: instance.name,
      offset: cursor.at,
      cpus: readCpuTable(cursor, cpus),
      isText: false,
    });
  }
  return { tracing, options, buffers };
}

function readCpuTable(cursor: ByteCursor, count: number): CpuData[] {
  if (count > CPUS_MAX) throw cursor.error(`a machine with ${count} CPUs: at most ${CPUS_MAX} are read`);
  const cpus: CpuData[] = [];
  for (let cpu = 0; cpu < count; cpu++) {
    cpus.push({ cpu, offset: cursor.u64("a CPU's offset"), size: cursor.u64("a CPU's size") });
  }
  return cpus;
}

/** Version 7. */
function readSections(head: Head, tally: Tally): Contents {
  const { cursor } = head;
  const options = emptyOptions();
  const seen = new Set<number>();
  for (let offset = cursor.u64('the offset of the options'); offset !== 0; ) {
    if (seen.has(offset)) throw cursor.error('the sections of options go in a circle', offset);
    seen.add(offset);
    const section = openSection(head, offset);
    if (section.id !== SECTION.OPTIONS)
      throw cursor.error(`expected a section of options, found ${section.id}`, offset);
    offset = readOptions(section.cursor, head.version, options);
  }
  const tracing = emptyTracingData();
  const at = (id: number, read: (cursor: ByteCursor) => void) => {
    const offset = options.sections.get(id);
    if (offset !== undefined) read(openSection(head, offset).cursor);
  };
  at(SECTION.HEADER_INFO, (section) => readHeaders(section, tracing));
  at(SECTION.FTRACE_EVENTS, (section) => readFtraceFormats(section, tracing));
  at(SECTION.EVENT_FORMATS, (section) => readSystems(section, tracing));
  // Names are missed, but without them the events can be read.
  const names = (id: number, read: (cursor: ByteCursor) => void) => {
    try {
      at(id, read);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      tally.damage(options.sections.get(id) ?? 0, error.message);
    }
  };
  names(SECTION.KALLSYMS, (section) => {
    tracing.kallsyms = readKallsyms(section);
  });
  names(SECTION.CMDLINES, (section) => {
    tracing.comms = readComms(section);
  });
  return { tracing, options, buffers: options.buffers };
}

function cursorAt({ little, cursor }: Head, offset: number): ByteCursor {
  const { source, file } = cursor;
  return new ByteCursor(source, file, little, Math.min(offset, source.size));
}

/** The data of a section, decompressed where they are compressed as one. */
function openSection(head: Head, offset: number) {
  const { source, file } = head.cursor;
  const cursor = cursorAt(head, offset);
  if (offset >= source.size) {
    throw cursor.error(
      `expected a section at byte ${offset}, but the file ends before it: it was cut off`,
      source.size,
    );
  }
  const { id, flags, size } = readSectionHead(cursor);
  const where = `${file}: section ${id} at byte ${offset}`;
  if ((flags & COMPRESSED) === 0) {
    const end = Math.min(cursor.at + size, source.size);
    return { id, cursor: new ByteCursor(source, file, head.little, cursor.at, end) };
  }
  const compressed = cursor.u32("a section's compressed size");
  const bytes = cursor.u32("a section's size");
  if (bytes > SECTION_BYTES_MAX) throw cursor.error(`section ${id} says it has ${bytes} bytes`, offset);
  const inflater = neededInflate(head, cursor);
  const data = cursor.bytes(compressed, 'a compressed section');
  try {
    return { id, cursor: new ByteCursor(memoryBytes(inflater(data, bytes)), where, head.little) };
  } catch (error) {
    throw cursor.error(
      `section ${id} cannot be decompressed: ${error instanceof Error ? error.message : error}`,
      offset,
    );
  }
}

function readSectionHead(cursor: ByteCursor) {
  const id = cursor.u16("a section's ID");
  const flags = cursor.u16("a section's flags");
  cursor.skip(4, "a section's description");
  return { id, flags, size: cursor.u64("a section's size") };
}

function tellOptions({ tracing, options, buffers }: Contents, tally: Tally): void {
  const named = buffers.map((buffer) => buffer.clock).filter((clock) => clock !== '');
  const clocks = new Set(named.length > 0 ? named : [options.clock]);
  for (const clock of clocks) {
    if (!NANOSECONDS.test(clock) && options.multiplier === 0) {
      tally.note(
        `The trace's clock is '${clock}', which does not count nanoseconds: times are its own ticks.`,
      );
    }
  }
  if (clocks.size > 1)
    tally.note(`Its buffers have several clocks (${[...clocks].join(', ')}): their order is not known.`);
  if (buffers.length > 1) {
    const names = buffers.map((buffer) => (buffer.name === '' ? 'the main one' : buffer.name));
    tally.note(
      `${buffers.length} buffers are read together (${names.join(', ')}): an event that several recorded counts as often.`,
    );
  }
  if (options.isGuest)
    tally.note("It is of a guest; times are the guest's own, not brought to its host's clock.");
  if (tracing.formats.length > 0 && !tracing.formats.some((format) => format.system === 'kmem')) {
    tally.note('It holds no format of a kmem event: none was recorded.');
  }
  if (options.lost > 0)
    tally.note(
      `The recorder's statistics count ${formatCount(options.lost)} lost event${options.lost === 1 ? '' : 's'}.`,
    );
}

// ---- Events ------------------------------------------------------------------------------------------------------------

function readPages(
  head: Head,
  contents: Contents,
  buffers: readonly RecordedBuffer[],
  sink: EventSink,
  tally: Tally,
): void {
  const { tracing, options } = contents;
  const format = parseRingBufferFormat(tracing.headerPage, tracing.headerEvent, head.cursor);
  const symbols = symbolsOf(tracing.kallsyms);
  if (symbols === undefined) tally.note('It has no kallsyms: call sites are addresses.');
  const decoder = createRecordDecoder(tracing.formats, head.little, sink, symbols, tally);
  const streams = openStreams(head, buffers, format, tally);
  const commOf = createComms(tracing.comms, sink);
  const nanoseconds = timeOf(options);
  const batch = createBatch();
  let row = 0;
  const handOver = () => {
    batch.length = row;
    sink.take(batch);
    row = 0;
  };
  const added = (kind: number) => {
    tally.byKind[kind]!++;
    if (++row === batch.kind.length) handOver();
  };
  const addLoss = (stream: CpuStream, time: number) => {
    batch.kind[row] = EVENT.LOST;
    batch.pid[row] = 0;
    batch.comm[row] = 0;
    batch.name[row] = 0;
    batch.cpu[row] = stream.cpu;
    batch.time[row] = time;
    clearRow(batch, row);
    batch.bytesReq[row] = Math.min(stream.lostCount, 0xffff_ffff);
    tally.lost += stream.lostCount;
    stream.lossPending = false;
    stream.lostCount = 0;
    added(EVENT.LOST);
  };
  mergeStreams(streams, (stream) => {
    const { walker, view, bytes } = stream;
    const time = nanoseconds(walker.timeHigh, walker.timeLow);
    if (stream.lossPending) addLoss(stream, time);
    const kind = decoder.decode(view, bytes, walker.recordAt, walker.recordBytes, batch, row);
    if (kind > OTHER) {
      batch.cpu[row] = stream.cpu;
      batch.time[row] = time;
      batch.comm[row] = commOf(batch.pid[row]!);
      added(kind);
    } else if (kind < OTHER)
      tally.damage(stream.offsetOf(walker.recordAt), `CPU ${stream.cpu}: ${decoder.why}`);
  });
  for (const stream of streams)
    if (stream.lossPending) addLoss(stream, nanoseconds(stream.walker.timeHigh, stream.walker.timeLow));
  if (row > 0) handOver();
  decoder.finish();
}

function openStreams(
  head: Head,
  buffers: readonly RecordedBuffer[],
  format: RingBufferFormat,
  tally: Tally,
): CpuStream[] {
  const { little, cursor, version } = head;
  const { source, file } = cursor;
  const compressed = new Set(buffers.filter((buffer) => version >= 7 && isCompressed(head, buffer)));
  const regions = withinFile(buffers, compressed, source.size, tally);
  const streams: CpuStream[] = [];
  let bytes = 0;
  for (const buffer of buffers) {
    const pageBytes = buffer.pageBytes || format.pageBytes;
    if (pageBytes < format.dataAt) throw cursor.error(`a page of ${pageBytes} bytes has no room for data`);
    const inflate = compressed.has(buffer) ? neededInflate(head, cursor) : undefined;
    for (const cpu of buffer.cpus) {
      const data = { ...cpu, size: regions.get(cpu) ?? 0 };
      if (data.size === 0) continue;
      bytes += inflate === undefined ? Math.min(pageBytes, data.size) : CHUNK_PAGES_MAX * pageBytes;
      if (bytes > PAGES_BYTES_MAX)
        throw cursor.error(`the pages of all CPUs have more than ${PAGES_BYTES_MAX} bytes`);
      streams.push(new CpuStream(source, data, { format, pageBytes, little, file, tally, inflate }));
    }
  }
  return streams;
}

/**
 * How many bytes of each CPU's data there are: none lies behind the file's end, and none where another's begin. The size of compressed data
 * does not count the word that precedes them.
 */
function withinFile(
  buffers: readonly RecordedBuffer[],
  compressed: ReadonlySet<RecordedBuffer>,
  fileBytes: number,
  tally: Tally,
): Map<CpuData, number> {
  const all = buffers.flatMap((buffer) => {
    const more = compressed.has(buffer) ? CHUNK_COUNT_BYTES : 0;
    return buffer.cpus
      .filter((cpu) => cpu.size > 0)
      .map((cpu) => ({ cpu, from: cpu.offset, to: cpu.offset + cpu.size + more }));
  });
  all.sort((a, b) => a.from - b.from);
  const sizes = new Map<CpuData, number>();
  all.forEach(({ cpu, from, to }, i) => {
    const next = Math.min(all[i + 1]?.from ?? fileBytes, fileBytes);
    sizes.set(cpu, Math.max(0, Math.min(to, next) - from));
    if (to <= next) return;
    const cut = next === fileBytes ? 'the file ends' : "another CPU's data begin";
    tally.damage(
      next,
      `CPU ${cpu.cpu} has ${cpu.size} bytes from byte ${from} on, but ${cut} at byte ${next}`,
    );
  });
  return sizes;
}

function isCompressed(head: Head, buffer: RecordedBuffer): boolean {
  return (readSectionHead(cursorAt(head, buffer.offset)).flags & COMPRESSED) !== 0;
}

/** A task's name by its pid. What trace-cmd prints for the idle task and for a task that nobody named is kept. */
function createComms(names: ReadonlyMap<number, string>, sink: EventSink): (pid: number) => number {
  const pids = new Int32Array(COMMS).fill(-1);
  const ids = new Uint32Array(COMMS);
  return (pid) => {
    const at = pid & (COMMS - 1);
    if (pids[at] !== pid) {
      ids[at] = sink.strings.internText(pid === 0 ? '<idle>' : (names.get(pid) ?? '<...>'));
      pids[at] = pid;
    }
    return ids[at]!;
  };
}

/** Nanoseconds of a time that the ring buffer holds. */
function timeOf({ multiplier, shift, offset }: DatOptions): (high: number, low: number) => number {
  if (multiplier === 0) return (high, low) => high * 2 ** 32 + low + offset;
  const factor = multiplier / 2 ** shift;
  return (high, low) => Math.floor((high * 2 ** 32 + low) * factor) + offset;
}

// ---- Recordings of text ------------------------------------------------------------------------------------------------

function readText(
  head: Head,
  texts: readonly RecordedBuffer[],
  sink: EventSink,
  options: TraceDatOptions,
  format: string,
): ReadReport {
  const reader = options.text?.(sink) ?? createFtraceReader(head.cursor.file, sink);
  const tally = new Tally();
  const { source } = head.cursor;
  for (const buffer of texts) {
    if (head.version < 7) writePieces(reader, source, buffer.offset, source.size);
    else {
      const section = cursorAt(head, buffer.offset);
      const { flags, size } = readSectionHead(section);
      if ((flags & COMPRESSED) === 0)
        writePieces(reader, source, section.at, Math.min(section.at + size, source.size));
      else
        writeChunks(
          reader,
          new ChunkReader(section, neededInflate(head, section), tally, 'the text', SECTION_BYTES_MAX),
        );
    }
  }
  const report = reader.end();
  const damage = [...report.damage, ...tally.report('', 0).damage];
  return { ...report, format: `${format}, as text`, damaged: report.damaged + tally.damaged, damage };
}

function writePieces(reader: StreamReader, source: RandomBytes, from: number, to: number): void {
  for (let at = from; at < to; ) {
    const piece = source.read(at, Math.min(TEXT_PIECE, to - at));
    if (piece.length === 0) return;
    reader.write(piece);
    at += piece.length;
  }
}

function writeChunks(reader: StreamReader, chunks: ChunkReader): void {
  for (let piece = chunks.next(); piece !== undefined; piece = chunks.next()) reader.write(piece);
}

function neededInflate({ inflate }: Head, cursor: ByteCursor): Inflate {
  if (inflate === undefined) throw cursor.error('a section is compressed, in a file that says it is not');
  return inflate;
}
