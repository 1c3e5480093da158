/**
 * What perf was asked to record: one `perf_event_attr` an event. It says what a sample of the event holds, and in which order that is,
 * follows from the bits of `sample_type`:
 *
 *     IDENTIFIER id · IP · TID pid, tid · TIME · ADDR · ID · STREAM_ID · CPU · PERIOD        8 bytes each
 *     READ        value(s), as `read_format` says
 *     CALLCHAIN   u64 n, n × u64
 *     RAW         u32 size, data: the tracepoint's record                                    what follows is not needed
 *
 * All other records may end in a shorter version of the first line (`sample_id_all`): TID · TIME · ID · STREAM_ID · CPU · IDENTIFIER.
 *
 * Source: perf_event_open(2); tools/perf/Documentation/perf.data-file-format.txt.
 */
import type { ByteCursor } from '../batch/index.js';

const SAMPLE = {
  IP: 0x1,
  TID: 0x2,
  TIME: 0x4,
  ADDR: 0x8,
  READ: 0x10,
  CALLCHAIN: 0x20,
  ID: 0x40,
  CPU: 0x80,
  PERIOD: 0x100,
  STREAM_ID: 0x200,
  RAW: 0x400,
  IDENTIFIER: 0x1_0000,
};
/** Words of 8 bytes in a sample, in their order, up to those of variable length. */
const IN_SAMPLE = ['IDENTIFIER', 'IP', 'TID', 'TIME', 'ADDR', 'ID', 'STREAM_ID', 'CPU', 'PERIOD'] as const;
/** The same behind other records. */
const BEHIND = ['TID', 'TIME', 'ID', 'STREAM_ID', 'CPU', 'IDENTIFIER'] as const;
const READ = { TIME_ENABLED: 1, TIME_RUNNING: 2, ID: 4, GROUP: 8, LOST: 16 };
const TYPE_TRACEPOINT = 2;
const SAMPLE_ID_ALL = 18;
/** Bytes of the first version of an attr. */
const ATTR_BYTES_MIN = 64;
const ATTR_BYTES_MAX = 4096;

type Word = (typeof IN_SAMPLE)[number];

export interface PerfAttr {
  readonly isTracepoint: boolean;
  readonly type: number;
  readonly config: number;
  /** Bytes from a sample's body to the word; -1 for one that it does not have. */
  readonly inSample: Readonly<Record<Word, number>>;
  /** Bytes of the words that every sample of the event begins with. */
  readonly fixedBytes: number;
  readonly hasRead: boolean;
  readonly readFormat: number;
  readonly hasCallchain: boolean;
  readonly hasRaw: boolean;
  /** Bytes from a record's end back to the word; -1 for one that it does not have. */
  readonly behind: Readonly<Record<(typeof BEHIND)[number], number>>;
  /** Bytes behind other records than samples. */
  readonly behindBytes: number;
}

/** Reads an attr that says itself how long it is. The cursor stands behind it afterwards. */
export function readAttr(cursor: ByteCursor): PerfAttr {
  const start = cursor.at;
  const type = cursor.u32("an event's type");
  const size = cursor.u32("an attr's size") || ATTR_BYTES_MIN;
  if (size < ATTR_BYTES_MIN || size > ATTR_BYTES_MAX) {
    throw cursor.error(
      `expected an attr of ${ATTR_BYTES_MIN} to ${ATTR_BYTES_MAX} bytes, found ${size}`,
      start + 4,
    );
  }
  const config = cursor.pair("an event's config").low;
  cursor.skip(8, 'a period');
  const sampleType = cursor.pair('a sample type').low;
  const readFormat = cursor.pair('a read format').low;
  const flags = cursor.pair('the flags of an attr');
  // Bits of C are counted from the other end on big-endian machines.
  const hasBehind = cursor.little
    ? (flags.low >>> SAMPLE_ID_ALL) & 1
    : (flags.high >>> (31 - SAMPLE_ID_ALL)) & 1;
  cursor.at = start;
  cursor.skip(size, 'an attr');
  const has = (word: Word) => (sampleType & SAMPLE[word]) !== 0;
  const inSample = {} as Record<Word, number>;
  let fixedBytes = 0;
  for (const word of IN_SAMPLE) {
    inSample[word] = has(word) ? fixedBytes : -1;
    if (has(word)) fixedBytes += 8;
  }
  const behind = {} as Record<(typeof BEHIND)[number], number>;
  let behindBytes = 0;
  for (const word of BEHIND.toReversed()) {
    if (has(word) && hasBehind === 1) behindBytes += 8;
    behind[word] = has(word) && hasBehind === 1 ? behindBytes : -1;
  }
  return {
    isTracepoint: type === TYPE_TRACEPOINT,
    type,
    config,
    inSample,
    fixedBytes,
    hasRead: (sampleType & SAMPLE.READ) !== 0,
    readFormat,
    hasCallchain: (sampleType & SAMPLE.CALLCHAIN) !== 0,
    hasRaw: (sampleType & SAMPLE.RAW) !== 0,
    behind,
    behindBytes,
  };
}

/** Where a sample's raw data's size stands, between `at`, its body's beginning, and `end`; -1 if the sample ends before. */
export function rawAt(attr: PerfAttr, view: DataView, at: number, end: number, little: boolean): number {
  let here = at + attr.fixedBytes;
  if (attr.hasRead) {
    const { readFormat } = attr;
    const times =
      ((readFormat & READ.TIME_ENABLED) !== 0 ? 8 : 0) + ((readFormat & READ.TIME_RUNNING) !== 0 ? 8 : 0);
    const each = 8 + ((readFormat & READ.ID) !== 0 ? 8 : 0) + ((readFormat & READ.LOST) !== 0 ? 8 : 0);
    if ((readFormat & READ.GROUP) === 0) here += each + times;
    else {
      if (here + 8 > end) return -1;
      here += 8 + times + each * view.getUint32(little ? here : here + 4, little);
    }
  }
  if (attr.hasCallchain) {
    if (here + 8 > end) return -1;
    here += 8 + 8 * view.getUint32(little ? here : here + 4, little);
  }
  return here + 4 > end ? -1 : here;
}
