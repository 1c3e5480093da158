/**
 * # perf.data, what `perf record -e kmem:*` writes
 *
 *     readPerfData(bytes, sink, { file: 'perf.data', kallsyms })
 *
 * A file has a head that says where everything lies; through a pipe (`perf record -o -`) come only records, with what the head would say in
 * records of their own:
 *
 *     file    "PERFILE2" u64 104 u64 attr size │ attrs, data, event types: (u64 offset, u64 size) │ 256 bits: features │ … records …
 *             behind the data (u64 offset, u64 size) for each feature: TRACING_DATA (tracing-data.ts), EVENT_DESC, …
 *     pipe    "PERFILE2" u64 16 │ HEADER_ATTR … TRACING_DATA … records …
 *     record  u32 type, u16 misc, u16 size │ body │ when and where (perf-data-attr.ts)
 *
 * A SAMPLE of a tracepoint holds the record that the kernel wrote, laid out as its format says (event-format.ts). COMM and FORK name tasks,
 * LOST counts what did not fit into a buffer, FINISHED_ROUND says up to where the order of time is settled (perf-data-order.ts). COMPRESSED
 * holds more records: all of them are one zstd stream.
 *
 * perf notes addresses of call sites and no names; with the text of the recorded kernel's /proc/kallsyms they get names.
 *
 * Sources: tools/perf/Documentation/perf.data-file-format.txt, perf_event_open(2), and files that perf 6.1 wrote.
 */
import { ByteCursor, type EventSink, type RandomBytes, type ReadReport, Tally } from '../batch/index.js';
import { readAttr } from './perf-data-attr.js';
import { createPerfSession, idOf, type PerfSession, type ZstdDecoder } from './perf-data-session.js';

/** What reading a perf.data needs to know. */
export interface PerfDataOptions {
  /** What errors call the file. */
  readonly file?: string;
  /** The text of /proc/kallsyms of the recorded kernel. */
  readonly kallsyms?: Uint8Array;
  /** For files that perf compressed (`-z`). This room has no decoder. */
  readonly zstd?: ZstdDecoder;
  /** Events that are held at once to be put in order, at most. */
  readonly heldMost?: number;
}

const MAGIC = 'PERFILE2';
const FEATURE = { TRACING_DATA: 1, HOSTNAME: 3, EVENT_DESC: 12 };
const FEATURE_BITS = 256;
const HEAD_BYTES = 104;
const PIPE_HEAD_BYTES = 16;
const ID_SECTION_BYTES = 16;
const PIECE_BYTES = 1 << 18;
const HELD_MOST = 1 << 22;

interface Part {
  readonly offset: number;
  readonly size: number;
}

/**
 * Hands the events of a perf.data to the sink, in the order of time. Throws InputError, with the byte and what was expected, for what is no
 * perf.data or does not say how its events are laid out; records that are damaged are counted.
 */
export function readPerfData(
  source: RandomBytes,
  sink: EventSink,
  options: PerfDataOptions = {},
): ReadReport {
  const file = options.file ?? 'perf.data';
  const tally = new Tally();
  const cursor = new ByteCursor(source, file, true);
  cursor.little = readMagic(cursor);
  const headBytes = cursor.u64("the head's size");
  const isPipe = headBytes === PIPE_HEAD_BYTES;
  if (!isPipe && headBytes < HEAD_BYTES) {
    throw cursor.error(
      `expected a head of ${HEAD_BYTES} bytes, or of ${PIPE_HEAD_BYTES} from a pipe; found ${headBytes}`,
      8,
    );
  }
  const head = isPipe ? undefined : readHead(cursor);
  const data =
    head === undefined
      ? { offset: PIPE_HEAD_BYTES, size: source.size - PIPE_HEAD_BYTES }
      : dataOf(head, source, tally);
  const session = createPerfSession(sink, tally, {
    file,
    little: cursor.little,
    origin: data.offset,
    kallsyms: options.kallsyms,
    zstd: options.zstd,
    heldMost: options.heldMost ?? HELD_MOST,
  });
  if (head !== undefined) {
    readAttrs(cursor, head, session);
    readFeatures(cursor, head, session);
  }
  if (isPipe || session.hasTracingData) feed(source, data, session);
  if (!session.hasTracingData) {
    const first = tally.report('', 0).damage[0];
    const why = first === undefined ? '' : ` (byte ${first.offset}: ${first.why})`;
    throw cursor.error(
      `it holds no tracing data: no tracepoint was recorded, or the recording was cut off${why}`,
      source.size,
    );
  }
  if (session.records.left > 0) {
    tally.damage(
      data.offset + data.size,
      `the data end within a record, of which ${session.records.left} bytes are there`,
    );
  }
  session.end();
  return tally.report(isPipe ? 'perf.data of a pipe' : 'perf.data', source.size);
}

/** True for a little-endian file. */
function readMagic(cursor: ByteCursor): boolean {
  const magic = cursor.left < 8 ? '' : String.fromCharCode(...cursor.bytes(8, 'the magic bytes'));
  if (magic === MAGIC) return true;
  if (magic === [...MAGIC].reverse().join('')) return false;
  throw cursor.error(`expected a perf.data, which begins with ${MAGIC}`, 0);
}

interface PerfHead {
  readonly attrBytes: number;
  readonly attrs: Part;
  readonly data: Part;
  /** Numbers of the features that the file has. */
  readonly features: readonly number[];
}

function readPart(cursor: ByteCursor, what: string): Part {
  return { offset: cursor.u64(`the offset of ${what}`), size: cursor.u64(`the size of ${what}`) };
}

function readHead(cursor: ByteCursor): PerfHead {
  const attrBytes = cursor.u64("an attr's size");
  const attrs = readPart(cursor, 'the attrs');
  const data = readPart(cursor, 'the data');
  readPart(cursor, 'the event types');
  const features = featureBits(cursor);
  return { attrBytes, attrs, data, features };
}

/**
 * The numbers of the features that a file has, in order. The bits lie in words of the recording machine's long, which on big-endian
 * machines makes a difference: words of 32 bits are meant where words of 64 bits would not have HOSTNAME, which every recorder writes.
 */
function featureBits(cursor: ByteCursor): number[] {
  const start = cursor.at;
  const inWords = (bits: number): number[] => {
    cursor.at = start;
    const features: number[] = [];
    for (let first = 0; first < FEATURE_BITS; first += bits) {
      const word = bits === 32 ? { low: cursor.u32('the features'), high: 0 } : cursor.pair('the features');
      for (let bit = 0; bit < bits; bit++) {
        if ((((bit < 32 ? word.low : word.high) >>> (bit & 31)) & 1) === 1) features.push(first + bit);
      }
    }
    return features;
  };
  const wide = inWords(64);
  if (wide.includes(FEATURE.HOSTNAME)) return wide;
  const narrow = inWords(32);
  return narrow.includes(FEATURE.HOSTNAME) ? narrow : wide;
}

/** Where the records lie. A recorder that was killed did not note how many they are. */
function dataOf({ data }: PerfHead, source: RandomBytes, tally: Tally): Part {
  const offset = Math.min(data.offset, source.size);
  const end = Math.min(offset + data.size, source.size);
  if (offset + data.size > source.size)
    tally.damage(source.size, `expected ${data.size} bytes of data from byte ${offset} on`);
  return { offset, size: end - offset };
}

function readAttrs(cursor: ByteCursor, { attrs, attrBytes }: PerfHead, session: PerfSession): void {
  if (attrBytes <= ID_SECTION_BYTES) throw cursor.error(`attrs of ${attrBytes} bytes`, PIPE_HEAD_BYTES);
  for (let i = 0; (i + 1) * attrBytes <= attrs.size; i++) {
    cursor.at = attrs.offset + i * attrBytes;
    const attr = readAttr(cursor);
    cursor.at = attrs.offset + (i + 1) * attrBytes - ID_SECTION_BYTES;
    const part = readPart(cursor, "an event's IDs");
    cursor.at = part.offset;
    const ids: number[] = [];
    for (let left = Math.floor(part.size / 8); left > 0; left--) ids.push(idOf(cursor));
    session.addAttr(attr, ids);
  }
}

function readFeatures(cursor: ByteCursor, { data, features }: PerfHead, session: PerfSession): void {
  const table = data.offset + data.size;
  features.forEach((feature, i) => {
    if (feature !== FEATURE.TRACING_DATA && feature !== FEATURE.EVENT_DESC) return;
    cursor.at = Math.min(table + i * 16, cursor.end);
    const { offset, size } = readPart(cursor, `feature ${feature}`);
    if (offset + size > cursor.end) {
      throw cursor.error(
        `feature ${feature} has ${size} bytes from byte ${offset} on, but the file ends: it was cut off`,
        cursor.end,
      );
    }
    cursor.at = offset;
    if (feature === FEATURE.TRACING_DATA)
      session.setTracingData(
        new ByteCursor(cursor.source, cursor.file, cursor.little, offset, offset + size),
      );
    else session.nameAttrs(readEventNames(cursor));
  });
}

/** EVENT_DESC: what perf calls each event, and its IDs once more. */
function readEventNames(cursor: ByteCursor): string[] {
  const names: string[] = [];
  const count = cursor.u32('a count of events');
  const attrBytes = cursor.u32("an attr's size");
  for (let i = 0; i < count; i++) {
    cursor.skip(attrBytes, 'an attr');
    const ids = cursor.u32('a count of IDs');
    names.push(cursor.text(cursor.u32("the length of an event's name"), "an event's name"));
    cursor.skip(ids * 8, 'IDs');
  }
  return names;
}

function feed(source: RandomBytes, data: Part, session: PerfSession): void {
  const end = data.offset + data.size;
  for (let at = data.offset; at < end; ) {
    const piece = source.read(at, Math.min(PIECE_BYTES, end - at));
    if (piece.length === 0) return;
    session.records.push(piece);
    at += piece.length;
  }
}
