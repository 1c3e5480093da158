/**
 * Records as columns: what the ring buffer and perf.data hold of an event is the same bytes, laid out as the kernel's format file says. For
 * each event of interest a plan is made once (which column is where, how wide), and a record is read by its plan.
 */
import { __GFP } from '../../machine/index.js';
import {
  ACCOUNTED,
  addressText,
  EVENT,
  type EventBatch,
  type EventSink,
  NODE_NONE,
  PFN_NONE,
  type Symbols,
  type Tally,
} from '../batch/index.js';
import {
  createGfpTranslator,
  type EventFormat,
  type FormatField,
  type GfpTranslator,
  gfpNames,
} from './event-format.js';

/** No event of interest: counted by its name. */
export const OTHER = 0;
/** A record that cannot be read: `why` says what is wrong. */
export const UNREADABLE = -1;

export interface RecordDecoder {
  /**
   * Reads the record of `length` bytes at `at` into row `row` of `batch`: all columns but cpu, time and comm. `view` and `bytes` are the
   * same memory. Returns its EVENT, OTHER or UNREADABLE; then the row holds nothing of use.
   */
  decode(
    view: DataView,
    bytes: Uint8Array,
    at: number,
    length: number,
    batch: EventBatch,
    row: number,
  ): number;
  /** What was wrong with the last UNREADABLE record. */
  readonly why: string;
  /** Hands what was counted to the tally. Once, at the end. */
  finish(): void;
}

/**
 * Where a record's columns lie, in bytes from its beginning, -1 for what it does not have. Of 64-bit fields both halves are named; the
 * upper half of a 32-bit one does not exist.
 */
interface Plan {
  readonly kind: number;
  readonly name: string;
  /** A record needs this many bytes. */
  readonly bytes: number;
  readonly pid: number;
  readonly pointerLow: number;
  readonly pointerHigh: number;
  readonly siteLow: number;
  readonly siteHigh: number;
  readonly bytesReqLow: number;
  readonly bytesReqHigh: number;
  readonly bytesAllocLow: number;
  readonly bytesAllocHigh: number;
  readonly gfp: number;
  readonly order: number;
  readonly node: number;
  readonly accounted: number;
  /** What `accounted` is where no field holds it: a flag of gfp, or the same for all. */
  readonly accountedBits: number;
  readonly accountedElse: number;
  readonly text: FormatField | undefined;
  readonly translate: GfpTranslator;
  seen: number;
}

interface Shape {
  readonly kind: number;
  /** The field that names what was allocated or freed. */
  readonly pointer: string;
  readonly order?: string;
  readonly text?: string;
}

const SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ['kmem:kmalloc', { kind: EVENT.KMALLOC, pointer: 'ptr' }],
  ['kmem:kmalloc_node', { kind: EVENT.KMALLOC, pointer: 'ptr' }],
  ['kmem:kfree', { kind: EVENT.KFREE, pointer: 'ptr' }],
  ['kmem:kmem_cache_alloc', { kind: EVENT.CACHE_ALLOC, pointer: 'ptr', text: 'name' }],
  ['kmem:kmem_cache_alloc_node', { kind: EVENT.CACHE_ALLOC, pointer: 'ptr', text: 'name' }],
  ['kmem:kmem_cache_free', { kind: EVENT.CACHE_FREE, pointer: 'ptr', text: 'name' }],
  ['kmem:mm_page_alloc', { kind: EVENT.PAGE_ALLOC, pointer: 'pfn', order: 'order' }],
  ['kmem:mm_page_free', { kind: EVENT.PAGE_FREE, pointer: 'pfn', order: 'order' }],
  ['kmem:mm_page_free_batched', { kind: EVENT.PAGE_FREE_BATCHED, pointer: 'pfn', order: 'order' }],
  ['kmem:mm_page_alloc_zone_locked', { kind: EVENT.PAGE_ZONE_LOCKED, pointer: 'pfn', order: 'order' }],
  ['kmem:mm_page_pcpu_drain', { kind: EVENT.PAGE_PCPU_DRAIN, pointer: 'pfn', order: 'order' }],
  ['kmem:mm_page_alloc_extfrag', { kind: EVENT.PAGE_EXTFRAG, pointer: 'pfn', order: 'alloc_order' }],
  // What is written to trace_marker, and what trace_printk prints: `ip` says which.
  ['ftrace:print', { kind: EVENT.MARK, pointer: '', text: 'buf' }],
]);

/** Functions of the kernel that write what a person put into trace_marker. */
const MARKERS = /^(?:tracing_mark_write|write_marker_to_buffer)\+/;
const IDS = 1 << 16;
/** Of the memories of addresses and of gfp values: powers of two. */
const SITES = 1 << 12;
const GFPS = 1 << 8;
const NEWLINE = 10;

/** `symbols` names call sites; without them they stay addresses. */
export function createRecordDecoder(
  formats: Iterable<EventFormat>,
  little: boolean,
  sink: EventSink,
  symbols: Symbols | undefined,
  tally: Tally,
): RecordDecoder {
  const { strings } = sink;
  const { plans, byId, typeAt } = readFormats(formats, little, tally);
  const siteText = createSiteMemory(symbols, (text) => strings.internText(text));
  const gfpOf = createGfpMemory();
  let why = '';

  const unreadable = (reason: string): number => {
    why = reason;
    return UNREADABLE;
  };
  const upper = (view: DataView, at: number, offset: number): number =>
    offset < 0 ? 0 : view.getUint32(at + offset, little);
  /** A count of bytes, at most 2^32 - 1. */
  const count = (view: DataView, at: number, low: number, high: number): number =>
    low < 0 ? 0 : upper(view, at, high) !== 0 ? 0xffff_ffff : view.getUint32(at + low, little);

  /** The text of a field, -1 if it lies beyond the record. */
  const textOf = (
    view: DataView,
    bytes: Uint8Array,
    at: number,
    length: number,
    field: FormatField,
  ): number => {
    if (field.shape === 'value') return 0;
    let from = field.offset;
    let to = field.size === 0 ? length : from + field.size;
    if (field.shape !== 'array') {
      const where = view.getUint32(at + field.offset, little);
      from = (where & 0xffff) + (field.shape === 'rel_loc' ? field.offset + field.size : 0);
      to = from + (where >>> 16);
    }
    if (to > length) return -1;
    let end = at + from;
    while (end < at + to && bytes[end] !== 0) end++;
    if (end > at + from && bytes[end - 1] === NEWLINE) end--;
    return strings.intern(bytes, at + from, end);
  };

  const decode = (
    view: DataView,
    bytes: Uint8Array,
    at: number,
    length: number,
    batch: EventBatch,
    row: number,
  ): number => {
    if (length < typeAt + 2) return unreadable(`a record of ${length} bytes has no common_type`);
    const plan = byId[view.getUint16(at + typeAt, little)];
    if (plan === undefined) return unreadable(`no format has ID ${view.getUint16(at + typeAt, little)}`);
    if (length < plan.bytes) {
      return unreadable(
        `a record of ${plan.name} has ${length} bytes, its format says at least ${plan.bytes}`,
      );
    }
    const { kind } = plan;
    if (kind === OTHER) {
      plan.seen++;
      return OTHER;
    }
    batch.pid[row] = plan.pid < 0 ? 0 : view.getInt32(at + plan.pid, little);
    const name = plan.text === undefined ? 0 : textOf(view, bytes, at, length, plan.text);
    if (name < 0) return unreadable(`the text of a record of ${plan.name} lies beyond its end`);
    batch.name[row] = name;
    if (kind === EVENT.MARK) return mark(plan, view, at, batch, row);
    batch.kind[row] = kind;
    let low = view.getUint32(at + plan.pointerLow, little);
    let high = upper(view, at, plan.pointerHigh);
    if (kind >= EVENT.PAGE_ALLOC && low === PFN_NONE && (high === PFN_NONE || plan.pointerHigh < 0)) {
      low = PFN_NONE;
      high = PFN_NONE;
    }
    batch.pointerLow[row] = low;
    batch.pointerHigh[row] = high;
    batch.site[row] =
      plan.siteLow < 0
        ? 0
        : siteText(view.getUint32(at + plan.siteLow, little), upper(view, at, plan.siteHigh));
    batch.bytesReq[row] = count(view, at, plan.bytesReqLow, plan.bytesReqHigh);
    batch.bytesAlloc[row] = count(view, at, plan.bytesAllocLow, plan.bytesAllocHigh);
    const gfp = plan.gfp < 0 ? 0 : gfpOf(view.getUint32(at + plan.gfp, little), plan.translate);
    batch.gfp[row] = gfp;
    batch.order[row] = plan.order < 0 ? 0 : view.getUint32(at + plan.order, little);
    batch.node[row] = plan.node < 0 ? NODE_NONE : view.getInt32(at + plan.node, little);
    const accounted = plan.accounted < 0 ? gfp & plan.accountedBits : bytes[at + plan.accounted]!;
    batch.accounted[row] = accounted !== 0 ? ACCOUNTED.YES : plan.accountedElse;
    return kind;
  };

  /** A `print` event: of trace_marker it is a mark, of trace_printk another event. Whose it is, only a symbol can say. */
  const mark = (plan: Plan, view: DataView, at: number, batch: EventBatch, row: number): number => {
    if (plan.siteLow >= 0 && symbols !== undefined) {
      const site = symbols.nameOf(view.getUint32(at + plan.siteLow, little), upper(view, at, plan.siteHigh));
      if (site !== undefined && !MARKERS.test(site)) {
        plan.seen++;
        return OTHER;
      }
    }
    batch.kind[row] = EVENT.MARK;
    clearRow(batch, row);
    return EVENT.MARK;
  };

  const finish = () => {
    const unknown = new Set<string>();
    for (const plan of plans) {
      if (plan.seen > 0) tally.other(plan.name, plan.seen);
      for (const name of plan.translate.unknown) unknown.add(name);
    }
    if (unknown.size > 0) {
      tally.note(`gfp flags that Linux 6.1 does not have are left out: ${[...unknown].sort().join(', ')}.`);
    }
  };
  return {
    decode,
    finish,
    get why() {
      return why;
    },
  };
}

/** Sets what neither a mark nor a loss has, all but kind, name, pid, cpu, time and comm. */
export function clearRow(batch: EventBatch, row: number): void {
  batch.pointerLow[row] = 0;
  batch.pointerHigh[row] = 0;
  batch.site[row] = 0;
  batch.bytesReq[row] = 0;
  batch.bytesAlloc[row] = 0;
  batch.gfp[row] = 0;
  batch.order[row] = 0;
  batch.node[row] = NODE_NONE;
  batch.accounted[row] = ACCOUNTED.UNSTATED;
}

/** A text's number by address. The last few thousand addresses are remembered, each in the one place that its bits name. */
function createSiteMemory(
  symbols: Symbols | undefined,
  intern: (text: string) => number,
): (low: number, high: number) => number {
  const lows = new Uint32Array(SITES);
  const highs = new Uint32Array(SITES);
  const ids = new Uint32Array(SITES);
  return (low, high) => {
    const at = (low ^ (low >>> 12)) & (SITES - 1);
    if (lows[at] !== low || highs[at] !== high || ids[at] === 0) {
      ids[at] = intern(symbols?.nameOf(low, high) ?? addressText(low, high));
      lows[at] = low;
      highs[at] = high;
    }
    return ids[at]!;
  };
}

/** gfp bits in 6.1's numbers. What was translated is remembered, because few values occur. */
function createGfpMemory(): (bits: number, translate: GfpTranslator) => number {
  const keys = new Uint32Array(GFPS);
  const values = new Uint32Array(GFPS);
  let translator: GfpTranslator | undefined;
  return (bits, translate) => {
    if (bits === 0) return 0;
    if (translate !== translator) {
      translator = translate;
      keys.fill(0);
    }
    const at = (bits ^ (bits >>> 8) ^ (bits >>> 16)) & (GFPS - 1);
    if (keys[at] !== bits) {
      values[at] = translate(bits);
      keys[at] = bits;
    }
    return values[at]!;
  };
}

// ---- Plans -------------------------------------------------------------------------------------------------------------

/** A plan for each format, by its ID; and where the ID lies in a record, which is the same in all formats of a kernel. */
function readFormats(formats: Iterable<EventFormat>, little: boolean, tally: Tally) {
  const plans: Plan[] = [];
  const byId: (Plan | undefined)[] = [];
  let typeAt = 0;
  const translators = new Map<string, GfpTranslator>();
  const translatorOf = (format: EventFormat): GfpTranslator => {
    const names = gfpNames(format.printFmt);
    if (names.length === 0 && format.fields.has('gfp_flags')) {
      tally.note(
        `The format of ${format.name} does not name its gfp flags: their bits are taken as Linux 6.1 numbers them.`,
      );
    }
    const key = names.join();
    const translator = translators.get(key) ?? createGfpTranslator(names);
    translators.set(key, translator);
    return translator;
  };
  const none = createGfpTranslator([]);
  for (const format of formats) {
    if (format.id >= IDS) continue;
    const type = format.fields.get('common_type');
    if (type?.size === 2 && type.offset < IDS) typeAt = type.offset;
    const shape = SHAPES.get(`${format.system}:${format.name}`);
    let plan = shape === undefined ? undefined : planOf(format, shape, translatorOf(format), little);
    if (plan === undefined) {
      plan = { ...NOTHING, kind: OTHER, name: format.name, translate: none, seen: 0 };
      if (shape !== undefined) {
        tally.note(
          `The format of ${format.name} lacks fields that it needs, or they have odd sizes: these events are not read.`,
        );
      }
    }
    plans.push(plan);
    while (byId.length <= format.id) byId.push(undefined);
    byId[format.id] = plan;
  }
  return { plans, byId, typeAt };
}

const NOTHING = {
  bytes: 0,
  pid: -1,
  pointerLow: -1,
  pointerHigh: -1,
  siteLow: -1,
  siteHigh: -1,
  bytesReqLow: -1,
  bytesReqHigh: -1,
  bytesAllocLow: -1,
  bytesAllocHigh: -1,
  gfp: -1,
  order: -1,
  node: -1,
  accounted: -1,
  accountedBits: 0,
  accountedElse: ACCOUNTED.UNSTATED,
  text: undefined,
};

/** undefined if a field is missing without which the event says nothing, or has a size that no kernel gives it. */
function planOf(
  format: EventFormat,
  shape: Shape,
  translate: GfpTranslator,
  little: boolean,
): Plan | undefined {
  const { fields, printFmt } = format;
  let bytes = 0;
  let isOdd = false;
  const place = (name: string | undefined, sizes: readonly number[]): { low: number; high: number } => {
    const field = name === undefined ? undefined : fields.get(name);
    if (field === undefined) return { low: -1, high: -1 };
    const { offset, size } = field;
    if (!sizes.includes(size)) isOdd = true;
    bytes = Math.max(bytes, offset + size);
    if (size < 8) return { low: offset, high: -1 };
    return little ? { low: offset, high: offset + 4 } : { low: offset + 4, high: offset };
  };
  const isMark = shape.kind === EVENT.MARK;
  const pointer = place(shape.pointer, [4, 8]);
  const site = place(isMark ? 'ip' : 'call_site', [4, 8]);
  const bytesReq = place('bytes_req', [4, 8]);
  const bytesAlloc = place('bytes_alloc', [4, 8]);
  const plan: Plan = {
    kind: shape.kind,
    name: format.name,
    pid: place('common_pid', [4]).low,
    pointerLow: pointer.low,
    pointerHigh: pointer.high,
    siteLow: site.low,
    siteHigh: site.high,
    bytesReqLow: bytesReq.low,
    bytesReqHigh: bytesReq.high,
    bytesAllocLow: bytesAlloc.low,
    bytesAllocHigh: bytesAlloc.high,
    gfp: place('gfp_flags', [4, 8]).low,
    order: place(shape.order, [4]).low,
    node: place('node', [4]).low,
    accounted: place('accounted', [1]).low,
    // kmalloc's format computes what it prints: `(1 && (REC->gfp_flags & …))`, with 0 in a kernel without memory cgroups.
    accountedBits: /\(1 && \(REC->gfp_flags/.test(printFmt) ? __GFP.ACCOUNT : 0,
    accountedElse: printFmt.includes('accounted=') ? ACCOUNTED.NO : ACCOUNTED.UNSTATED,
    text: shape.text === undefined ? undefined : fields.get(shape.text),
    translate,
    seen: 0,
    bytes: 0,
  };
  const { text } = plan;
  if (text !== undefined) {
    bytes = Math.max(bytes, text.offset + text.size);
    if (text.shape !== 'value' && text.shape !== 'array' && text.size !== 4) isOdd = true;
  }
  if (isOdd || bytes > IDS || (pointer.low < 0 && !isMark)) return undefined;
  return { ...plan, bytes };
}
