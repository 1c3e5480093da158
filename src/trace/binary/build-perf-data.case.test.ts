/**
 * Makes small perf.data files, for the tests of their reader: of a file or a pipe, with samples of any contents, compressed or not. What
 * is made here for little-endian machines of 64 bits was held against `perf script` 6.1.
 */
import { writeRun } from './build-trace-dat.case.test.js';
import { ByteWriter, type Target } from './byte-writer.case.test.js';

/** A record of perf: a sample's raw data, or another record's type and body. */
export type PerfRecordSpec =
  | {
      readonly cpu: number;
      readonly time: bigint;
      readonly pid: number;
      readonly event: number;
      readonly raw: Uint8Array;
    }
  | {
      readonly type: number;
      readonly misc?: number;
      readonly body: Uint8Array;
      readonly time?: bigint;
      readonly cpu?: number;
      readonly payload?: Uint8Array;
    };

export interface PerfSpec {
  readonly target: Target;
  readonly pipe: boolean;
  /** Bits of sample_type beside TID, TIME, CPU and RAW. */
  readonly sampleType: number;
  readonly readFormat: number;
  readonly formats: Readonly<Record<string, readonly string[]>>;
  /** Tracepoint IDs, an event each. */
  readonly events: readonly number[];
  readonly records: readonly PerfRecordSpec[];
  /** Compresses records, such as with zstd: given all bytes, returns the bodies of COMPRESSED records. */
  readonly compress?: (bytes: Uint8Array) => readonly Uint8Array[];
}

export const SAMPLE = {
  IP: 1,
  TID: 2,
  TIME: 4,
  ADDR: 8,
  READ: 0x10,
  CALLCHAIN: 0x20,
  ID: 0x40,
  CPU: 0x80,
  PERIOD: 0x100,
  STREAM_ID: 0x200,
  RAW: 0x400,
  IDENTIFIER: 0x10000,
};
const ATTR_BYTES = 128;
const SAMPLE_ID_ALL = 18n;

function sampleType(spec: PerfSpec): number {
  return spec.sampleType | SAMPLE.TID | SAMPLE.TIME | SAMPLE.CPU | SAMPLE.RAW;
}

/** perf's ID of an event. */
function idOf(event: number): number {
  return 100 + event;
}

function attr(spec: PerfSpec, event: number): Uint8Array {
  const to = new ByteWriter(spec.target.little);
  to.u32(2).u32(ATTR_BYTES).u64(spec.events[event]!).u64(1).u64(sampleType(spec)).u64(spec.readFormat);
  to.u64(spec.target.little ? 1n << SAMPLE_ID_ALL : 1n << (63n - SAMPLE_ID_ALL));
  while (to.length < ATTR_BYTES) to.u8(0);
  return to.done();
}

function tracingData(spec: PerfSpec): Uint8Array {
  const to = new ByteWriter(spec.target.little);
  const { target } = spec;
  to.text('\x17\x08\x44tracing')
    .nulText('0.6')
    .u8(target.little ? 0 : 1)
    .u8(target.longBytes)
    .u32(target.pageBytes);
  writeRun(to, { target, formats: spec.formats, kallsyms: '', comms: '' });
  return to.done();
}

function writeRecord(to: ByteWriter, spec: PerfSpec, record: PerfRecordSpec): void {
  const body = new ByteWriter(spec.target.little);
  const type = sampleType(spec);
  const has = (bit: number) => (type & bit) !== 0;
  if ('raw' in record) {
    const id = idOf(record.event);
    if (has(SAMPLE.IDENTIFIER)) body.u64(id);
    if (has(SAMPLE.IP)) body.u64(0xffff_ffff_8100_0000n);
    body.u32(record.pid).u32(record.pid).u64(record.time);
    if (has(SAMPLE.ADDR)) body.u64(77);
    if (has(SAMPLE.ID)) body.u64(id);
    if (has(SAMPLE.STREAM_ID)) body.u64(78);
    body.u32(record.cpu).u32(0);
    if (has(SAMPLE.PERIOD)) body.u64(1);
    if (has(SAMPLE.READ)) writeRead(body, spec.readFormat, id);
    if (has(SAMPLE.CALLCHAIN)) body.u64(2).u64(1).u64(2);
    const bytes = Math.ceil((record.raw.length + 4) / 8) * 8 - 4;
    body.u32(bytes).bytes(record.raw).align(8);
    to.u32(9)
      .u16(1)
      .u16(8 + body.length)
      .bytes(body.done());
    return;
  }
  body.bytes(record.body);
  if (record.type < 64) {
    body
      .align(8)
      .u32(0)
      .u32(0)
      .u64(record.time ?? 0);
    if (has(SAMPLE.ID)) body.u64(idOf(0));
    if (has(SAMPLE.STREAM_ID)) body.u64(78);
    body.u32(record.cpu ?? 0).u32(0);
    if (has(SAMPLE.IDENTIFIER)) body.u64(idOf(0));
  }
  to.u32(record.type)
    .u16(record.misc ?? 0)
    .u16(8 + body.length)
    .bytes(body.done());
  if (record.payload !== undefined) to.bytes(record.payload);
}

function writeRead(to: ByteWriter, format: number, id: number): void {
  const values = (format & 8) === 0 ? 1 : 3;
  if ((format & 8) !== 0) to.u64(values);
  else to.u64(5);
  if ((format & 1) !== 0) to.u64(6);
  if ((format & 2) !== 0) to.u64(7);
  for (let i = 0; i < values; i++) {
    if ((format & 8) !== 0) to.u64(5);
    if ((format & 4) !== 0) to.u64(id);
    if ((format & 16) !== 0) to.u64(0);
  }
}

export function buildPerfData(spec: PerfSpec): Uint8Array {
  const { little } = spec.target;
  const records = new ByteWriter(little);
  for (const record of spec.records) writeRecord(records, spec, record);
  let data = records.done();
  if (spec.compress !== undefined) {
    const packed = new ByteWriter(little);
    for (const bytes of spec.compress(data))
      packed
        .u32(81)
        .u16(0)
        .u16(8 + bytes.length)
        .bytes(bytes);
    data = packed.done();
  }
  const tracing = tracingData(spec);
  const to = new ByteWriter(little).text(little ? 'PERFILE2' : '2ELIFREP');
  if (spec.pipe) {
    to.u64(16);
    spec.events.forEach((_, event) => {
      to.u32(64)
        .u16(0)
        .u16(8 + ATTR_BYTES + 8)
        .bytes(attr(spec, event))
        .u64(idOf(event));
    });
    const padded = Math.ceil(tracing.length / 8) * 8;
    to.u32(66).u16(0).u16(16).u32(padded).u32(0).bytes(tracing);
    for (let left = padded - tracing.length; left > 0; left--) to.u8(0);
    return to.bytes(data).done();
  }
  const attrsAt = 104 + spec.events.length * 8;
  const dataAt = attrsAt + spec.events.length * (ATTR_BYTES + 16);
  to.u64(104)
    .u64(ATTR_BYTES + 16)
    .u64(attrsAt)
    .u64(spec.events.length * (ATTR_BYTES + 16));
  to.u64(dataAt).u64(data.length).u64(0).u64(0);
  const features = featuresOf(spec);
  writeFeatureBits(
    to,
    features.map(([bit]) => bit),
    spec.target,
  );
  spec.events.forEach((_, event) => {
    to.u64(idOf(event));
  });
  spec.events.forEach((_, event) => {
    to.bytes(attr(spec, event))
      .u64(104 + event * 8)
      .u64(8);
  });
  to.bytes(data);
  let at = to.length + features.length * 16;
  for (const [, bytes] of features) {
    to.u64(at).u64(bytes.length);
    at += bytes.length;
  }
  for (const [, bytes] of features) to.bytes(bytes);
  return to.done();
}

/** Features behind the data, by bit: tracing data, the host's name, how records are compressed. */
function featuresOf(spec: PerfSpec): (readonly [bit: number, bytes: Uint8Array])[] {
  const write = () => new ByteWriter(spec.target.little);
  const features: (readonly [bit: number, bytes: Uint8Array])[] = [
    [1, tracingData(spec)],
    [3, write().u32(8).nulText('machine').done()],
  ];
  if (spec.compress !== undefined) features.push([27, write().u32(1).u32(1).u32(1).u32(1).u32(4096).done()]);
  return features;
}

/** 256 bits, in words of the recording machine's long. */
function writeFeatureBits(to: ByteWriter, bits: readonly number[], { longBytes }: Target): void {
  for (let first = 0; first < 256; first += longBytes * 8) {
    let word = 0n;
    for (const bit of bits)
      if (bit >= first && bit < first + longBytes * 8) word |= 1n << BigInt(bit - first);
    to.number(word, longBytes);
  }
}
