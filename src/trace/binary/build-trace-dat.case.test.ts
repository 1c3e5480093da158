/**
 * Makes small trace.dat files, for the tests of their reader: of any order of bytes, size of words, version and compression. What is
 * made here for little-endian machines of 64 bits was held against `trace-cmd report` 3.1.6.
 */
import { deflateSync } from 'node:zlib';
import { utf8 } from '../batch/strings.js';
import { ByteWriter, type Target } from './byte-writer.case.test.js';

/** An event in the ring buffer of one CPU. */
export interface RingEvent {
  readonly time: bigint;
  readonly record: Uint8Array;
  /** Written as an absolute time stamp, not as a delta. */
  readonly stamped?: boolean;
  /** Behind it, an event that was discarded. */
  readonly discarded?: boolean;
  /** Begins a page. */
  readonly newPage?: boolean;
  /** Events lost before it, -1 for an unknown number: begins a page. */
  readonly lost?: number;
}

const EXTEND = 1n << 27n;

/** The pages of one CPU. */
export function ringPages(
  events: readonly RingEvent[],
  { little, longBytes, pageBytes }: Target,
): Uint8Array[] {
  const head = 8 + longBytes;
  const pages: Uint8Array[] = [];
  let page = new ByteWriter(little);
  let start = 0n;
  let last = 0n;
  let lost = 0;
  const finish = () => {
    if (page.length === 0) return;
    const size = page.length;
    const stored = lost > 0 && head + size + longBytes <= pageBytes;
    const flags = lost === 0 ? 0 : stored ? 0xc000_0000 : 0x8000_0000;
    const whole = new ByteWriter(little).u64(start);
    const commit = BigInt(size) | BigInt(flags);
    whole.number(commit, longBytes).bytes(page.done());
    if (stored) whole.number(lost, longBytes);
    while (whole.length < pageBytes) whole.u8(0);
    pages.push(whole.done());
    page = new ByteWriter(little);
    lost = 0;
  };
  const entry = (type: number, delta: bigint) =>
    page.u32(little ? type | Number((delta << 5n) & 0xffff_ffffn) : ((type << 27) >>> 0) | Number(delta));
  for (const event of events) {
    const padded = Math.ceil(event.record.length / 4) * 4;
    const needs = padded + 8 + 8 + (event.discarded === true ? 16 : 0);
    if (event.lost !== undefined || event.newPage === true || head + page.length + needs > pageBytes)
      finish();
    if (page.length === 0) {
      start = event.time;
      last = event.time;
      lost = event.lost ?? 0;
    }
    let delta = event.time - last;
    if (event.stamped === true || delta < 0n) {
      const stamp = event.time & ((1n << 59n) - 1n);
      entry(31, stamp & (EXTEND - 1n)).u32(Number(stamp >> 27n));
      delta = 0n;
    } else if (delta >= EXTEND) {
      entry(30, delta & (EXTEND - 1n)).u32(Number(delta >> 27n));
      delta = 0n;
    }
    last = event.time;
    const { length } = event.record;
    if (padded <= 112 && length === padded) entry(padded / 4, delta);
    else entry(0, delta).u32(length + 4);
    page.bytes(event.record).align(4);
    // A discarded event's time counts, and what was in it does not.
    if (event.discarded === true) {
      entry(29, 3n).u32(12).u32(0xdead_beef).u32(0xdead_beef);
      last += 3n;
    }
  }
  finish();
  return pages;
}

/** What precedes the events. */
export interface RunSpec {
  readonly target: Target;
  /** Formats by system. */
  readonly formats: Readonly<Record<string, readonly string[]>>;
  readonly kallsyms: string;
  readonly comms: string;
}

export interface DatSpec extends RunSpec {
  readonly version: 6 | 7;
  readonly compression: 'none' | 'zlib';
  readonly cpus: readonly (readonly RingEvent[])[];
  readonly options?: readonly (readonly [id: number, data: Uint8Array])[];
  /** Version 6: the clock behind the table of CPUs, where the option of the clock is empty. */
  readonly clockBehind?: string;
  /** One more ring buffer. */
  readonly instance?: { readonly name: string; readonly cpus: readonly (readonly RingEvent[])[] };
  /** The trace as text instead. */
  readonly text?: string;
}

export function headerPage({ longBytes, pageBytes }: Target): string {
  const head = 8 + longBytes;
  return [
    '\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;',
    `\tfield: local_t commit;\toffset:8;\tsize:${longBytes};\tsigned:1;`,
    '\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;',
    `\tfield: char data;\toffset:${head};\tsize:${pageBytes - head};\tsigned:1;\n`,
  ].join('\n');
}

export const HEADER_EVENT = `# compressed entry header
	type_len    :    5 bits
	time_delta  :   27 bits
	array       :   32 bits

	padding     : type == 29
	time_extend : type == 30
	time_stamp : type == 31
	data max type_len  == 28
`;

function writeHeaders(to: ByteWriter, spec: RunSpec): void {
  for (const [name, text] of [
    ['header_page', headerPage(spec.target)],
    ['header_event', HEADER_EVENT],
  ] as const) {
    to.nulText(name).u64(text.length).text(text);
  }
}

function writeFormats(to: ByteWriter, formats: readonly string[]): void {
  to.u32(formats.length);
  for (const text of formats) to.u64(text.length).text(text);
}

function writeSystems(to: ByteWriter, { formats }: RunSpec): void {
  const systems = Object.keys(formats).filter((system) => system !== 'ftrace');
  to.u32(systems.length);
  for (const system of systems) writeFormats(to.nulText(system), formats[system]!);
}

function writeSized(to: ByteWriter, text: string, sizeBytes: number): void {
  const bytes = utf8(text);
  to.number(bytes.length, sizeBytes).bytes(bytes);
}

/** Formats, kallsyms and names of tasks as version 6 and perf.data have them. */
export function writeRun(to: ByteWriter, spec: RunSpec): void {
  writeHeaders(to, spec);
  writeFormats(to, spec.formats.ftrace ?? []);
  writeSystems(to, spec);
  writeSized(to, spec.kallsyms, 4);
  writeSized(to, '', 4);
  writeSized(to, spec.comms, 8);
}

function writeHead(target: Target, version: string): ByteWriter {
  const to = new ByteWriter(target.little);
  to.text('\x17\x08\x44tracing')
    .nulText(version)
    .u8(target.little ? 0 : 1)
    .u8(target.longBytes);
  return to.u32(target.pageBytes);
}

export function buildTraceDat(spec: DatSpec): Uint8Array {
  return spec.version === 6 ? buildVersion6(spec) : buildVersion7(spec);
}

function buildVersion6(spec: DatSpec): Uint8Array {
  const { target, cpus, instance } = spec;
  const to = writeHead(target, '6');
  writeRun(to, spec);
  to.u32(cpus.length).nulText('options  ');
  for (const [id, data] of spec.options ?? []) to.u16(id).u32(data.length).bytes(data);
  let instanceAt = 0;
  if (instance !== undefined) {
    to.u16(3).u32(8 + instance.name.length + 1);
    instanceAt = to.length;
    to.u64(0).nulText(instance.name);
  }
  to.u16(0);
  if (spec.text !== undefined) return to.nulText('latency  ').text(spec.text).done();
  writeFlyrecord(to, target, cpus, spec.clockBehind);
  if (instance !== undefined) {
    to.patch(instanceAt, to.length);
    writeFlyrecord(to, target, instance.cpus);
  }
  return to.done();
}

/** A table of CPUs, and their pages behind it. */
function writeFlyrecord(to: ByteWriter, target: Target, cpus: DatSpec['cpus'], clock?: string): void {
  to.nulText('flyrecord');
  const table = to.length;
  for (let left = cpus.length; left > 0; left--) to.u64(0).u64(0);
  if (clock !== undefined) to.u64(clock.length).text(clock);
  cpus.forEach((events, cpu) => {
    to.align(target.pageBytes);
    const start = to.length;
    for (const page of ringPages(events, target)) to.bytes(page);
    to.patch(table + cpu * 16, start);
    to.patch(table + cpu * 16 + 8, to.length - start);
  });
}

const CHUNK_PAGES = 3;

function buildVersion7(spec: DatSpec): Uint8Array {
  const { target } = spec;
  const isCompressed = spec.compression === 'zlib';
  const to = writeHead(target, '7').nulText(spec.compression).nulText('1.0');
  const optionsAt = to.length;
  to.u64(0);
  const section = (id: number, bytes: Uint8Array, compressed: boolean): number => {
    const start = to.length;
    const data = compressed ? deflateSync(bytes) : bytes;
    to.u16(id)
      .u16(compressed ? 1 : 0)
      .u32(0)
      .u64(data.length + (compressed ? 8 : 0));
    if (compressed) to.u32(data.length).u32(bytes.length);
    to.bytes(data);
    return start;
  };
  const options: (readonly [number, Uint8Array])[] = [...(spec.options ?? [])];
  const part = (id: number, write: (part: ByteWriter) => void) => {
    const data = new ByteWriter(target.little);
    write(data);
    options.push([id, new ByteWriter(target.little).u64(section(id, data.done(), isCompressed)).done()]);
  };
  part(16, (data) => writeHeaders(data, spec));
  part(17, (data) => writeFormats(data, spec.formats.ftrace ?? []));
  part(18, (data) => writeSystems(data, spec));
  part(19, (data) => writeSized(data, spec.kallsyms, 4));
  part(21, (data) => writeSized(data, spec.comms, 8));
  options.push(
    spec.text === undefined
      ? [3, writeBuffer(to, spec, '', isCompressed)]
      : [22, writeTextBuffer(to, spec.text, isCompressed)],
  );
  if (spec.instance !== undefined) {
    const { name, cpus } = spec.instance;
    options.push([3, writeBuffer(to, { ...spec, cpus }, name, isCompressed)]);
  }
  // Two sections of options, of which the second ends the chain.
  const half = options.length >> 1;
  const chain = (list: typeof options, next: number): number => {
    const data = new ByteWriter(target.little);
    for (const [id, bytes] of list) data.u16(id).u32(bytes.length).bytes(bytes);
    data.u16(0).u32(8).u64(next);
    return section(0, data.done(), false);
  };
  to.patch(optionsAt, chain(options.slice(0, half), chain(options.slice(half), 0)));
  return to.done();
}

/** The section of the pages. Returns the option that describes it. */
function writeBuffer(
  to: ByteWriter,
  { target, cpus }: DatSpec,
  name: string,
  isCompressed: boolean,
): Uint8Array {
  const start = to.length;
  to.u16(3)
    .u16(isCompressed ? 1 : 0)
    .u32(0)
    .u64(0);
  const option = new ByteWriter(target.little)
    .u64(start)
    .nulText(name)
    .nulText('mono')
    .u32(target.pageBytes)
    .u32(cpus.length);
  cpus.forEach((events, cpu) => {
    to.align(target.pageBytes);
    const at = to.length;
    const pages = ringPages(events, target);
    if (isCompressed && pages.length > 0) writeChunks(to, pages);
    else for (const page of pages) to.bytes(page);
    // The size of compressed data does not count the word before them.
    option
      .u32(cpu)
      .u64(at)
      .u64(Math.max(0, to.length - at - (isCompressed ? 4 : 0)));
  });
  return option.done();
}

function writeTextBuffer(to: ByteWriter, text: string, isCompressed: boolean): Uint8Array {
  const start = to.length;
  to.u16(22)
    .u16(isCompressed ? 1 : 0)
    .u32(0)
    .u64(utf8(text).length);
  if (isCompressed) writeChunks(to, [utf8(text.slice(0, 100)), utf8(text.slice(100))], 1);
  else to.text(text);
  return new ByteWriter(to.little).u64(start).nulText('').nulText('local').done();
}

function writeChunks(to: ByteWriter, pages: readonly Uint8Array[], inChunk = CHUNK_PAGES): void {
  const chunks = Math.ceil(pages.length / inChunk);
  to.u32(chunks);
  for (let i = 0; i < chunks; i++) {
    const all = Buffer.concat(pages.slice(i * inChunk, (i + 1) * inChunk));
    const data = deflateSync(all);
    to.u32(data.length).u32(all.length).bytes(data);
  }
}
