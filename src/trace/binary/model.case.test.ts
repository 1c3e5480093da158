/**
 * Made-up kmem events of made-up kernels, for the tests of the binary readers: each event as the kernel would write it, and as it must be
 * read. A kernel has its own order of fields, its own numbers of gfp flags, and words of 32 or 64 bits.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { __GFP } from '../../machine/index.js';
import {
  ACCOUNTED,
  type EventBatch,
  type EventSink,
  NODE_NONE,
  type RandomBytes,
  type ReadReport,
} from '../batch/events.js';
import { Strings } from '../batch/strings.js';
import { type Spelt, spelt } from '../text/text.case.test.js';
import { ByteWriter, type FieldSpec, formatText, type Target } from './byte-writer.case.test.js';
import { type EventFormat, parseEventFormat } from './event-format.js';

export interface Kernel {
  readonly target: Target;
  /** Fields begin with the so-manieth. */
  readonly rotated: number;
  /** gfp flags are so many bits further up than in 6.1. */
  readonly gfpShift: number;
  /** Texts in records are placed relative to their field. */
  readonly relative: boolean;
  /** Allocations name their cache, as those of kernels after 6.17 do. */
  readonly named?: boolean;
}

export const kernels: fc.Arbitrary<Kernel> = fc.record({
  target: fc.record<Target>({
    little: fc.boolean(),
    longBytes: fc.constantFrom(4, 8),
    pageBytes: fc.constantFrom(512, 4096, 65536),
  }),
  rotated: fc.nat(6),
  gfpShift: fc.constantFrom(0, 3),
  relative: fc.boolean(),
  named: fc.boolean(),
});

/** An event; fields that its kind does not have are passed over. */
export interface ModelEvent {
  readonly kind: string;
  readonly cpu: number;
  /** Nanoseconds after the event before. */
  readonly step: number;
  readonly pid: number;
  readonly site: number;
  readonly pointer: bigint;
  readonly bytesReq: number;
  readonly bytesAlloc: number;
  readonly gfp: number;
  readonly node: number;
  readonly order: number;
  readonly accounted: boolean;
  readonly text: string;
}

/** An event of no kind, to be given what matters. */
export const NO_EVENT: ModelEvent = {
  kind: '',
  cpu: 0,
  step: 0,
  pid: 7,
  site: 2,
  pointer: 0n,
  bytesReq: 0,
  bytesAlloc: 0,
  gfp: 0,
  node: 0,
  order: 0,
  accounted: false,
  text: '',
};

const IDS: Readonly<Record<string, number>> = {
  print: 5,
  kmalloc: 253,
  kfree: 252,
  kmem_cache_alloc: 254,
  kmem_cache_free: 251,
  mm_page_alloc: 248,
  mm_page_free: 250,
  mm_page_free_batched: 249,
  mm_page_alloc_zone_locked: 247,
  mm_page_pcpu_drain: 246,
  mm_page_alloc_extfrag: 245,
  rss_stat: 244,
};
/** Tasks by pid, as saved_cmdlines has them. */
export const COMMS: ReadonlyMap<number, string> = new Map([
  [7, 'bash'],
  [8, 'a task'],
  [4096, 'kworker/1:1'],
]);
const PIDS = [0, 7, 8, 4096, 99];
const TEXTS = ['dentry', 'kmalloc-cg-64', ':A-0000064', 'x'.repeat(100)];
const SITES = 40;

const bytes = fc.oneof(fc.nat(8192), fc.constantFrom(0xffffffff, 2 ** 32 + 5));
export const events: fc.Arbitrary<readonly ModelEvent[]> = fc.array(
  fc.record<ModelEvent>({
    kind: fc.constantFrom(...Object.keys(IDS)),
    cpu: fc.nat(3),
    step: fc.oneof({ weight: 9, arbitrary: fc.nat(2000) }, { weight: 1, arbitrary: fc.nat(2 ** 31 - 1) }),
    pid: fc.constantFrom(...PIDS),
    site: fc.nat(SITES - 1),
    pointer: fc.oneof(
      fc.bigInt({ min: 0xffff888100000000n, max: 0xffff8881ffffffffn }),
      fc.constantFrom(0n, 16n, 0xffffffffffffffffn),
    ),
    bytesReq: bytes,
    bytesAlloc: bytes,
    gfp: fc.nat(0xffffff),
    node: fc.constantFrom(-1, 0, 3),
    order: fc.nat(10),
    accounted: fc.boolean(),
    text: fc.constantFrom(...TEXTS),
  }),
  { maxLength: 120 },
);

/** Flags of one bit each, by the names that kernels print. */
function flagTable(shift: number): string {
  const single = Object.entries(__GFP).filter(([, value]) => (value & (value - 1)) === 0);
  const members = single.map(([name, value]) => {
    const printed = name === 'DMA' || name === 'DMA32' ? `GFP_${name}` : `__GFP_${name}`;
    return `{( unsigned long)((( gfp_t)0x${(value * 2 ** shift).toString(16)}u)), "${printed}"}`;
  });
  return `(REC->gfp_flags) ? __print_flags(REC->gfp_flags, "|", ${members.join(', ')} ) : "none"`;
}

function fieldsOf(
  kind: string,
  { target: { longBytes }, relative, named }: Pick<Kernel, 'target' | 'relative' | 'named'>,
): FieldSpec[] {
  const name: FieldSpec = ['name', relative ? '__rel_loc char[]' : '__data_loc char[]', 4];
  const long = (name: string): FieldSpec => [name, 'unsigned long', longBytes];
  const int = (name: string): FieldSpec => [name, 'int', 4];
  const object = [long('call_site'), long('ptr')];
  const sizes = [long('bytes_req'), long('bytes_alloc'), long('gfp_flags'), int('node')];
  switch (kind) {
    case 'kmalloc':
      return [...object, ...sizes];
    case 'kmem_cache_alloc':
      return [...object, ...(named === true ? [name] : []), ...sizes, ['accounted', 'bool', 1]];
    case 'kmem_cache_free':
      return [...object, name];
    case 'kfree':
      return object;
    case 'mm_page_alloc':
      return [long('pfn'), int('order'), long('gfp_flags'), int('migratetype')];
    case 'mm_page_free_batched':
      return [long('pfn')];
    case 'mm_page_alloc_extfrag':
      return [long('pfn'), int('alloc_order'), int('fallback_order')];
    case 'print':
      return [long('ip'), ['buf', 'char[]', 0]];
    case 'rss_stat':
      return [int('mm_id')];
    default:
      return [long('pfn'), int('order'), int('migratetype')];
  }
}

function printFmtOf(kind: string, shift: number): string {
  if (kind === 'kmalloc')
    return `"accounted=%s", ${flagTable(shift)}, (1 && (REC->gfp_flags & 1)) ? "true" : "false"`;
  if (kind === 'kmem_cache_alloc')
    return `"accounted=%s", ${flagTable(shift)}, REC->accounted ? "true" : "false"`;
  return kind === 'mm_page_alloc' ? `"", ${flagTable(shift)}` : '""';
}

/** The format files of a kernel, by system. */
export function formatsOf(kernel: Kernel): Record<string, string[]> {
  const { rotated, gfpShift } = kernel;
  const text = (kind: string): string => {
    const fields = fieldsOf(kind, kernel);
    // What goes to the record's end stays last.
    const by = kind === 'print' ? 0 : rotated % fields.length;
    const turned = [...fields.slice(by), ...fields.slice(0, by)];
    return formatText(kind, IDS[kind]!, turned, printFmtOf(kind, gfpShift));
  };
  const kmem = Object.keys(IDS).filter((kind) => kind !== 'print');
  return { ftrace: [text('print')], kmem: kmem.map(text) };
}

function siteOf(site: number, { longBytes }: Target): bigint {
  return (longBytes === 8 ? 0xffffffff81000000n : 0xc0000000n) + BigInt(site * 0x11);
}

/** A table in which sites have names, every second of them with a module. */
export function kallsymsOf(target: Target): string {
  const lines = Array.from({ length: SITES + 1 }, (_, site) => {
    const address = siteOf(site, target)
      .toString(16)
      .padStart(target.longBytes * 2, '0');
    return `${address} t function_${site}${site % 2 === 1 ? '\t[module]' : ''}`;
  });
  // Marks are written by this function; its address is that of no site.
  const writer = (siteOf(SITES + 1, target) + 0x1000n).toString(16);
  return `${[...lines, `${writer} t tracing_mark_write`].join('\n')}\n`;
}

/** The record of an event, as the ring buffer and perf.data hold it. */
export function recordOf(
  event: ModelEvent,
  kernel: Kernel,
  formats: ReadonlyMap<string, EventFormat>,
): Uint8Array {
  const { target, gfpShift } = kernel;
  const format = formats.get(event.kind)!;
  const fixed = Math.max(...[...format.fields.values()].map((field) => field.offset + field.size));
  const out = new Uint8Array(fixed);
  const put = (name: string, value: number | bigint) => {
    const field = format.fields.get(name);
    if (field === undefined) return;
    out.set(new ByteWriter(target.little).number(value, field.size).done(), field.offset);
  };
  put('common_type', IDS[event.kind]!);
  put('common_pid', event.pid);
  put('call_site', siteOf(event.site, target));
  put('ptr', event.pointer);
  put('pfn', event.pointer);
  put('bytes_req', event.bytesReq);
  put('bytes_alloc', event.bytesAlloc);
  put('gfp_flags', event.gfp * 2 ** gfpShift);
  put('node', event.node);
  put('order', event.order);
  put('alloc_order', event.order);
  put('accounted', event.accounted ? 1 : 0);
  put('ip', siteOf(SITES + 1, target) + 0x1004n);
  const text = format.fields.get('name');
  if (text !== undefined) {
    const from = text.shape === 'rel_loc' ? fixed - text.offset - text.size : fixed;
    put('name', from + (event.text.length + 1) * 65536);
    return new ByteWriter(target.little).bytes(out).nulText(event.text).align(4).done();
  }
  if (event.kind === 'print')
    return new ByteWriter(target.little).bytes(out).nulText(`${event.text}\n`).align(4).done();
  return new ByteWriter(target.little).bytes(out).align(4).done();
}

export function parsedFormats(
  formats: Readonly<Record<string, readonly string[]>>,
): Map<string, EventFormat> {
  const parsed = new Map<string, EventFormat>();
  for (const [system, texts] of Object.entries(formats)) {
    for (const text of texts) {
      const format = parseEventFormat(text, system)!;
      parsed.set(format.name, format);
    }
  }
  return parsed;
}

/** Each event with its time, of a trace that begins at `start`. */
export function timed(list: readonly ModelEvent[], start: bigint): { event: ModelEvent; time: bigint }[] {
  let time = start;
  return list.map((event) => {
    time += BigInt(event.step);
    return { event, time };
  });
}

/** How an event must be read. undefined for one that no column is for. */
export function expected(
  event: ModelEvent,
  time: number,
  kernel: Kernel,
  hasSymbols: boolean,
): Spelt | undefined {
  const { kind, site } = event;
  if (kind === 'rss_stat') return undefined;
  const { target } = kernel;
  const has = new Set(fieldsOf(kind, kernel).map(([name]) => name));
  const isPage = has.has('pfn');
  const mask = target.longBytes === 8 ? 0xffffffffffffffffn : 0xffffffffn;
  let pointer = kind === 'print' ? 0n : event.pointer & mask;
  if (isPage && pointer === mask) pointer = 0xffffffffffffffffn;
  const size = (value: number) => (target.longBytes === 8 ? Math.min(value, 0xffffffff) : value % 2 ** 32);
  const gfp = has.has('gfp_flags') ? event.gfp : 0;
  const isAccounted = kind === 'kmalloc' ? (gfp & __GFP.ACCOUNT) !== 0 : event.accounted;
  const name = `function_${site}+0x0${site % 2 === 1 ? ' [module]' : ''}`;
  return {
    kind: kind === 'print' ? 'mark' : kind,
    cpu: event.cpu,
    pid: event.pid,
    time,
    pointer: pointer.toString(16).padStart(16, '0'),
    site: !has.has('call_site') ? '' : hasSymbols ? name : `0x${siteOf(site, target).toString(16)}`,
    comm: '',
    bytesReq: has.has('bytes_req') ? size(event.bytesReq) : 0,
    bytesAlloc: has.has('bytes_alloc') ? size(event.bytesAlloc) : 0,
    gfp,
    name: kind === 'print' || has.has('name') ? event.text : '',
    order: has.has('order') || has.has('alloc_order') ? event.order : 0,
    node: has.has('node') ? event.node : NODE_NONE,
    accounted: !has.has('bytes_req') ? ACCOUNTED.UNSTATED : isAccounted ? ACCOUNTED.YES : ACCOUNTED.NO,
  };
}

// ---- Reading -----------------------------------------------------------------------------------------------------------

export interface ReadRows {
  readonly rows: readonly Spelt[];
  readonly report: ReadReport;
}

/** All events of a reader, with their texts. */
export function rowsOf(read: (sink: EventSink) => ReadReport): ReadRows {
  const strings = new Strings();
  const rows: Spelt[] = [];
  const report = read({
    strings,
    take(batch: EventBatch) {
      for (let i = 0; i < batch.length; i++) rows.push(spelt(batch, i, strings));
    },
  });
  return { rows, report };
}

/** As assert.deepEqual, soon also for hundreds of thousands of rows. `time` is what becomes of the actual rows' times first. */
export function assertSameRows(
  actual: readonly Spelt[],
  wanted: readonly Spelt[],
  time: (nanoseconds: number) => number,
): void {
  const keys = Object.keys(actual[0] ?? {}) as (keyof Spelt)[];
  actual.forEach((row, i) => {
    const other = wanted[i];
    const isSame =
      other !== undefined && keys.every((key) => (key === 'time' ? time(row.time) : row[key]) === other[key]);
    if (!isSame) assert.deepEqual({ ...row, time: time(row.time) }, other, `row ${i}`);
  });
  assert.equal(actual.length, wanted.length);
}

/** A file of which no read stays valid: each is a copy that the next one spoils. */
export function fleeting(bytes: Uint8Array): RandomBytes {
  let last = new Uint8Array(0);
  return {
    size: bytes.length,
    read(offset, length) {
      last.fill(0xa5);
      // Put together from windows of 100 bytes.
      const end = Math.min(offset + length, bytes.length);
      last = new Uint8Array(Math.max(0, end - offset));
      for (let at = offset; at < end; at += 100)
        last.set(bytes.subarray(at, Math.min(at + 100, end)), at - offset);
      return last;
    },
  };
}

/** saved_cmdlines. */
export const commsText = [...COMMS].map(([pid, comm]) => `${pid} ${comm}\n`).join('');
