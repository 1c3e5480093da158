/**
 * perf's records as rows: which event a sample is of, when and where it was, and what its raw data say.
 */
import { ArgumentError, InputError } from '../../base/index.js';
import { ByteCursor, EVENT, type EventSink, memoryBytes, type Tally } from '../batch/index.js';
import { type PerfAttr, rawAt, readAttr } from './perf-data-attr.js';
import { COMM_ROW, createHeldRows, FORK_ROW } from './perf-data-order.js';
import { createRecordQueue, type RecordQueue } from './perf-data-records.js';
import { clearRow, createRecordDecoder, OTHER, type RecordDecoder } from './record-decoder.js';
import { readTracingData, symbolsOf, TRACING_MAGIC } from './tracing-data.js';

const RECORD = {
  LOST: 2,
  COMM: 3,
  FORK: 7,
  SAMPLE: 9,
  LOST_SAMPLES: 13,
  ATTR: 64,
  TRACING_DATA: 66,
  FINISHED_ROUND: 68,
  AUXTRACE: 71,
  COMPRESSED: 81,
  COMPRESSED2: 83,
};
/** LOST_SAMPLES: a filter of the recorder dropped them on purpose. */
const MISC_DROPPED_BY_FILTER = 1 << 15;
const SMALL_IDS = 1 << 14;
const TRACING_DATA_MAX = 2 ** 28;

export interface PerfSession {
  /** An event, and the IDs that its samples carry. */
  addAttr(attr: PerfAttr, ids: readonly number[]): void;
  /** What perf calls the events, in the order of their attrs. */
  nameAttrs(names: readonly string[]): void;
  setTracingData(cursor: ByteCursor): void;
  readonly hasTracingData: boolean;
  /** Records, one behind the other. */
  readonly records: RecordQueue;
  end(): void;
}

/** Decodes one zstd stream: returns what takes its pieces, and hands on what they decode to. Throws where the data is none. */
export type ZstdDecoder = (take: (bytes: Uint8Array) => void) => (piece: Uint8Array) => void;

interface SessionOptions {
  readonly file: string;
  readonly little: boolean;
  /** Offset of the first record in the file. */
  readonly origin: number;
  readonly kallsyms: Uint8Array | undefined;
  readonly zstd: ZstdDecoder | undefined;
  /** Rows that are held at once, at most. */
  readonly heldMost: number;
}

export function createPerfSession(sink: EventSink, tally: Tally, options: SessionOptions): PerfSession {
  const { file, little, origin } = options;
  const { strings } = sink;
  const rows = createHeldRows(sink, options.heldMost);
  const attrs: PerfAttr[] = [];
  const others: number[] = [];
  let names: readonly string[] = [];
  const attrOfId = new Map<number, number>();
  /** The same for the IDs that occur: perf counts them from a small number on. */
  const attrOfSmallId = new Int32Array(SMALL_IDS).fill(-1);
  let decoder: RecordDecoder | undefined;
  let lostInBuffers = 0;
  let lostOfEvents = 0;
  /** The last sample's time. In an array: a number that changes with every sample is best kept out of a closure. */
  const lastTime = new Float64Array(1);
  let hasCpu = true;
  let hasTime = true;

  let lastView: DataView | undefined;
  let lastBytes = new Uint8Array(0);
  /** The same memory as bytes. A queue's view seldom changes. */
  const bytesOf = (view: DataView): Uint8Array => {
    if (view !== lastView) {
      lastView = view;
      lastBytes = new Uint8Array(view.buffer as ArrayBuffer);
    }
    return lastBytes;
  };
  const wide = (view: DataView, at: number): number =>
    view.getUint32(little ? at + 4 : at, little) * 2 ** 32 + view.getUint32(little ? at : at + 4, little);

  /** The number of the attr that a sample is of, or -1. */
  const attrOf = (view: DataView, at: number, end: number): number => {
    const first = attrs[0];
    if (first === undefined) return -1;
    const idAt = first.inSample.IDENTIFIER >= 0 ? first.inSample.IDENTIFIER : first.inSample.ID;
    if (idAt < 0 || attrOfId.size === 0) return attrs.length === 1 ? 0 : -1;
    if (at + idAt + 8 > end) return -1;
    const low = view.getUint32(little ? at + idAt : at + idAt + 4, little);
    const high = view.getUint32(little ? at + idAt + 4 : at + idAt, little);
    if (high === 0 && low < SMALL_IDS) return attrOfSmallId[low]!;
    return attrOfId.get(high * 2 ** 32 + low) ?? -1;
  };

  const sample = (view: DataView, at: number, end: number, offset: number): void => {
    const number = attrOf(view, at, end);
    const attr = attrs[number];
    if (attr === undefined)
      return tally.damage(offset, 'a sample of an event that the file does not describe');
    if (!attr.isTracepoint || !attr.hasRaw) {
      others[number]!++;
      return;
    }
    const raw = rawAt(attr, view, at, end, little);
    const size = raw < 0 ? 0 : view.getUint32(raw, little);
    if (raw < 0 || raw + 4 + size > end)
      return tally.damage(offset, 'a sample that ends before its raw data');
    const { columns, row } = rows;
    const kind = decoder!.decode(view, bytesOf(view), raw + 4, size, columns, row);
    if (kind === OTHER) return;
    if (kind < OTHER) return tally.damage(offset, decoder!.why);
    const { TIME, CPU, TID } = attr.inSample;
    if (TIME >= 0) lastTime[0] = wide(view, at + TIME);
    else hasTime = false;
    if (CPU < 0) hasCpu = false;
    columns.time[row] = lastTime[0]!;
    columns.cpu[row] = CPU < 0 ? 0 : view.getUint32(at + CPU, little);
    if (TID >= 0) columns.pid[row] = view.getInt32(at + TID + 4, little);
    tally.byKind[kind]!++;
    rows.add();
  };

  /** The attr that says what stands behind a record: all of perf's own agree on it. */
  const behindOf = (view: DataView, at: number, end: number): PerfAttr | undefined => {
    const first = attrs[0];
    const attr =
      first !== undefined && first.behind.IDENTIFIER >= 0 && end - at >= 8
        ? attrOfId.get(wide(view, end - 8))
        : 0;
    return attrs[attr ?? 0];
  };
  /** When a record that is no sample was written; 0 if it does not say. */
  const timeBehind = (view: DataView, at: number, end: number): number => {
    const back = behindOf(view, at, end)?.behind.TIME ?? -1;
    return back < 0 || end - back < at ? 0 : wide(view, end - back);
  };

  const comm = (view: DataView, at: number, end: number): void => {
    if (end - at < 8) return;
    const bytes = bytesOf(view);
    let nul = at + 8;
    while (nul < end && bytes[nul] !== 0) nul++;
    const name = strings.intern(bytes, at + 8, nul);
    const pid = view.getInt32(at + 4, little);
    const time = timeBehind(view, at + 8, end);
    if (time === 0) rows.comms.set(pid, name);
    else addTaskRow(COMM_ROW, pid, name, 0, time);
  };
  const fork = (view: DataView, at: number, end: number): void => {
    if (end - at < 24) return;
    const pid = view.getInt32(at + 8, little);
    const parent = view.getInt32(at + 12, little);
    const time = timeBehind(view, at + 24, end);
    if (time === 0) rows.comms.inherit(pid, parent);
    else addTaskRow(FORK_ROW, pid, 0, parent, time);
  };
  const addTaskRow = (kind: number, pid: number, name: number, parent: number, time: number): void => {
    const { columns, row } = rows;
    clearRow(columns, row);
    columns.kind[row] = kind;
    columns.pid[row] = pid;
    columns.name[row] = name;
    columns.bytesReq[row] = parent;
    columns.time[row] = time;
    rows.add();
  };

  const loss = (count: number, view: DataView, at: number, end: number): void => {
    const { columns, row } = rows;
    const cpuBack = behindOf(view, at, end)?.behind.CPU ?? -1;
    clearRow(columns, row);
    columns.kind[row] = EVENT.LOST;
    columns.pid[row] = 0;
    columns.name[row] = 0;
    columns.cpu[row] = cpuBack < 0 || end - cpuBack < at ? 0 : view.getUint32(end - cpuBack, little);
    columns.time[row] = timeBehind(view, at, end) || lastTime[0]!;
    columns.bytesReq[row] = Math.min(count, 0xffff_ffff);
    tally.lost += count;
    tally.byKind[EVENT.LOST]!++;
    rows.add();
  };
  /** perf counts losses twice: as buffers overflow, and at the end by event. Only what the second adds is told again. */
  const lossOfEvents = (count: number, view: DataView, at: number, end: number): void => {
    lostOfEvents += count;
    const more = lostOfEvents - lostInBuffers;
    if (more <= 0) return;
    lostInBuffers += more;
    loss(more, view, at, end);
  };

  const attrRecord = (view: DataView, at: number, end: number): void => {
    const bytes = bytesOf(view).slice(at, end);
    const cursor = new ByteCursor(memoryBytes(bytes), `${file}: HEADER_ATTR`, little);
    const attr = readAttr(cursor);
    const ids: number[] = [];
    while (cursor.left >= 8) ids.push(idOf(cursor));
    addAttr(attr, ids);
  };
  const addAttr = (attr: PerfAttr, ids: readonly number[]): void => {
    for (const id of ids) {
      attrOfId.set(id, attrs.length);
      if (id < SMALL_IDS) attrOfSmallId[id] = attrs.length;
    }
    attrs.push(attr);
    others.push(0);
  };

  const tracingDataRecord = (view: DataView, at: number, end: number, offset: number): void => {
    const bytes = end - at < 4 ? 0 : view.getUint32(at, little);
    if (bytes > TRACING_DATA_MAX)
      throw new InputError(
        file,
        0,
        `byte ${offset}: tracing data of ${bytes} bytes: at most ${TRACING_DATA_MAX} are read`,
      );
    // Once is enough.
    if (decoder !== undefined) return queue.payload(bytes);
    queue.payload(bytes, (data) =>
      setTracingData(new ByteCursor(memoryBytes(data), `${file}: TRACING_DATA`, little)),
    );
  };
  const setTracingData = (cursor: ByteCursor): void => {
    const magic = cursor.text(TRACING_MAGIC.length, 'the magic bytes of tracing data');
    if (magic !== TRACING_MAGIC)
      throw cursor.error(
        "expected tracing data, which begin with 17 08 44 'tracing'",
        cursor.at - TRACING_MAGIC.length,
      );
    const version = Number(cursor.nulText("tracing data's version"));
    cursor.little = cursor.u8('a byte for the order of bytes') === 0;
    cursor.skip(5, 'the sizes of a long and of a page');
    const data = readTracingData(cursor, version >= 0.6);
    const symbols = symbolsOf(options.kallsyms ?? data.kallsyms);
    if (symbols === undefined) {
      tally.note(
        'perf.data names no call sites: they are addresses, unless /proc/kallsyms of the recorded kernel is given.',
      );
    }
    if (!data.formats.some((format) => format.system === 'kmem')) {
      tally.note('It holds no format of a kmem event: none was recorded.');
    }
    decoder = createRecordDecoder(data.formats, cursor.little, sink, symbols, tally);
  };

  // What COMPRESSED records hold are records again, all of one stream.
  let push: ((bytes: Uint8Array) => void) | undefined;
  let inner: RecordQueue | undefined;
  let zstdBroken = false;
  const compressed = (view: DataView, at: number, end: number, offset: number): void => {
    if (zstdBroken) return tally.damage(offset, 'a compressed record behind a damaged one');
    inner ??= createRecordQueue(
      little,
      (type, misc, v, from, to) => record(type, misc, v, from, to, offset),
      (_, why) => tally.damage(offset, why),
    );
    const into = inner;
    try {
      if (options.zstd === undefined) throw new ArgumentError('no decoder for zstd was given');
      push ??= options.zstd((bytes) => into.push(bytes));
      push(bytesOf(view).slice(at, end));
    } catch (error) {
      zstdBroken = true;
      tally.damage(
        offset,
        `compressed records cannot be read: ${error instanceof Error ? error.message : error}`,
      );
    }
  };

  const record = (
    type: number,
    misc: number,
    view: DataView,
    at: number,
    end: number,
    offset: number,
  ): void => {
    switch (type) {
      case RECORD.SAMPLE:
        if (decoder === undefined) tally.damage(offset, 'a sample before the tracing data');
        else sample(view, at, end, offset);
        return;
      case RECORD.COMM:
        return comm(view, at, end);
      case RECORD.FORK:
        return fork(view, at, end);
      case RECORD.LOST:
        if (end - at < 16) return;
        lostInBuffers += wide(view, at + 8);
        return loss(wide(view, at + 8), view, at + 16, end);
      case RECORD.LOST_SAMPLES:
        if (end - at >= 8 && (misc & MISC_DROPPED_BY_FILTER) === 0)
          lossOfEvents(wide(view, at), view, at + 8, end);
        return;
      case RECORD.FINISHED_ROUND:
        return rows.endRound();
      case RECORD.ATTR:
        return attrRecord(view, at, end);
      case RECORD.TRACING_DATA:
        return tracingDataRecord(view, at, end, offset);
      case RECORD.AUXTRACE:
        if (end - at >= 8) queue.payload(wide(view, at));
        return;
      case RECORD.COMPRESSED:
        return compressed(view, at, end, offset);
      case RECORD.COMPRESSED2:
        if (end - at >= 8) compressed(view, at + 8, Math.min(end, at + 8 + wide(view, at)), offset);
        return;
      default:
    }
  };
  const queue = createRecordQueue(
    little,
    (type, misc, view, at, end, offset) => record(type, misc, view, at, end, origin + offset),
    (offset, why) => tally.damage(origin + offset, why),
  );

  return {
    addAttr,
    nameAttrs(given) {
      names = given;
    },
    setTracingData,
    get hasTracingData() {
      return decoder !== undefined;
    },
    records: queue,
    end() {
      rows.end();
      decoder?.finish();
      if ((inner?.left ?? 0) > 0) tally.damage(0, `compressed records end within a record`);
      attrs.forEach(({ type, config }, i) => {
        if (others[i]! > 0)
          tally.other(names[i] ?? `perf event of type ${type}, config ${config}`, others[i]);
      });
      if (rows.late > 0)
        tally.note(
          `${rows.late} records came later than the file's rounds allow: they are not in the order of time.`,
        );
      if (!hasTime) tally.note('Samples hold no time: events are in the order of the file.');
      if (!hasCpu) tally.note('Samples hold no CPU: all events are read as of CPU 0.');
    },
  };
}

/** An ID as a number: perf's are small. */
export function idOf(cursor: ByteCursor): number {
  const { high, low } = cursor.pair('the ID of an event');
  return high * 2 ** 32 + low;
}
