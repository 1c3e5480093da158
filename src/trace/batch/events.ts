/**
 * # Recorded events, as columns
 *
 * Every reader of this room turns what a tool wrote into the same thing: batches of events, one typed array a field, and one table of
 * texts. A batch is filled in place and handed to a sink when it is full, so that memory stays bounded whatever the file's size.
 *
 *     reader ──▸ batch.kind[i] = EVENT.KMALLOC; batch.site[i] = strings.intern(…); … batch.length = i + 1 ──▸ sink.take(batch)
 *
 * A field that an event does not have holds 0 (`node`: NODE_NONE). What the columns mean, by kind:
 *
 * | kind | pointer | bytesReq, bytesAlloc | gfp | name | order |
 * | --- | --- | --- | --- | --- | --- |
 * | KMALLOC | of the object, NULL for an allocation that failed | bytes | yes | – | – |
 * | CACHE_ALLOC | as of KMALLOC | bytes | yes | the cache's, of kernels after 6.17 | – |
 * | KFREE | of the object; NULL and ZERO_SIZE_PTR do occur | – | – | – | – |
 * | CACHE_FREE | of the object | – | – | the cache's, from 5.12 on | – |
 * | PAGE_ALLOC | the pfn; PFN_NONE for an allocation that failed | – | yes | – | yes |
 * | PAGE_FREE, PAGE_FREE_BATCHED, PAGE_ZONE_LOCKED, PAGE_PCPU_DRAIN, PAGE_EXTFRAG | the pfn | – | – | – | yes |
 * | MARK | – | – | – | what was written to trace_marker | – |
 * | LOST | – | bytesReq: how many events are missing here, 0 if the tool does not say | – | – | – |
 *
 * kmalloc_node and kmem_cache_alloc_node (up to 6.0) are KMALLOC and CACHE_ALLOC with a node.
 *
 * Sources: include/trace/events/kmem.h of the kernels named in truth/traces/README.md, as recorded there.
 */
import { formatCount } from '../../base/index.js';
import type { Strings } from './strings.js';

/** What an event is. Stored in files: numbers are never reused. */
export const EVENT = {
  KMALLOC: 1,
  KFREE: 2,
  CACHE_ALLOC: 3,
  CACHE_FREE: 4,
  PAGE_ALLOC: 5,
  PAGE_FREE: 6,
  PAGE_FREE_BATCHED: 7,
  PAGE_ZONE_LOCKED: 8,
  PAGE_PCPU_DRAIN: 9,
  PAGE_EXTFRAG: 10,
  MARK: 11,
  LOST: 12,
} as const;

/** The tracepoint's name by kind; MARK and LOST are none. */
export const EVENT_NAMES: readonly string[] = [
  '',
  'kmalloc',
  'kfree',
  'kmem_cache_alloc',
  'kmem_cache_free',
  'mm_page_alloc',
  'mm_page_free',
  'mm_page_free_batched',
  'mm_page_alloc_zone_locked',
  'mm_page_pcpu_drain',
  'mm_page_alloc_extfrag',
  'mark',
  'lost',
];

/** `node` of an event that names none. */
export const NODE_NONE = -1;

/** What both halves of `pointer` hold where a page allocation failed: the kernel's own `-1UL`. */
export const PFN_NONE = 0xffffffff;

/** `accounted` of an object's allocation, from 6.1 on: whether it is charged to a memory cgroup, by its gfp or by its cache. */
export const ACCOUNTED = { UNSTATED: 0, NO: 1, YES: 2 } as const;

/** Events of a batch, at most. */
export const BATCH_EVENTS = 8192;

/** Columns of up to BATCH_EVENTS events. Filled by a reader, read by a sink before `take` returns, then used again. */
export interface EventBatch {
  length: number;
  /** EVENT. */
  readonly kind: Uint8Array;
  readonly cpu: Uint16Array;
  readonly pid: Int32Array;
  /** Nanoseconds of the trace's clock. Texts give microseconds. */
  readonly time: Float64Array;
  /** An object's address as the trace prints it, which may be a hash of it, or a pfn. 64 bits: never one number. */
  readonly pointerLow: Uint32Array;
  readonly pointerHigh: Uint32Array;
  /** Who called: a text such as `prepare_creds+0x21`, or a bare address `0xffffffff81234567`; never with the function's size. */
  readonly site: Uint32Array;
  /** The task's name, a text. */
  readonly comm: Uint32Array;
  /** Bytes; 2^32 - 1 stands for that and more. */
  readonly bytesReq: Uint32Array;
  readonly bytesAlloc: Uint32Array;
  /** The bits as 6.1 numbers them (machine/gfp.ts), whatever kernel the trace is from. */
  readonly gfp: Uint32Array;
  readonly name: Uint32Array;
  readonly order: Uint8Array;
  readonly node: Int16Array;
  /** ACCOUNTED. */
  readonly accounted: Uint8Array;
}

/** Empty columns of `n` rows. */
export function createBatch(n = BATCH_EVENTS): EventBatch {
  return {
    length: 0,
    kind: new Uint8Array(n),
    cpu: new Uint16Array(n),
    pid: new Int32Array(n),
    time: new Float64Array(n),
    pointerLow: new Uint32Array(n),
    pointerHigh: new Uint32Array(n),
    site: new Uint32Array(n),
    comm: new Uint32Array(n),
    bytesReq: new Uint32Array(n),
    bytesAlloc: new Uint32Array(n),
    gfp: new Uint32Array(n),
    name: new Uint32Array(n),
    order: new Uint8Array(n),
    node: new Int16Array(n),
    accounted: new Uint8Array(n),
  };
}

/** Where a reader's events go. */
export interface EventSink {
  /** Texts of the events: one table for a whole trace. */
  readonly strings: Strings;
  /** Called with a full batch, and at the end with what is left. The batch is the reader's again afterwards. */
  take(batch: EventBatch): void;
}

/** Damage is counted in full, and told of this much. */
export const DAMAGE_TOLD = 20;

/** What a reader could not use, with the place. */
export interface Damage {
  /** Line of the text, from 1 on, or 0 where the input is no text. */
  readonly line: number;
  /** Byte of the (decompressed) input, from 0 on. */
  readonly offset: number;
  /** What was expected there and what stands there. */
  readonly why: string;
}

/**
 * What was in the input, told when it ended. Of a text it holds that
 *
 *     lines = events of all kinds + others + comments + damaged
 */
export interface ReadReport {
  /** Such as `ftrace text`, `trace-cmd report`, `perf script`, `trace.dat version 7`, `perf.data`. */
  readonly format: string;
  /** Bytes, after decompression, and lines of text. */
  readonly bytes: number;
  readonly lines: number;
  /** Events of each kind, by EVENT. */
  readonly byKind: readonly number[];
  /** Events that this room does not read, such as rss_stat, by name. */
  readonly others: ReadonlyMap<string, number>;
  /** Lines that are no events: blank, comments, frames of call chains. 0 where the input is no text. */
  readonly comments: number;
  /** Events that the recorder lost, as far as the input says. */
  readonly lost: number;
  /** Lines or records that could not be read, and the first few of them. */
  readonly damaged: number;
  readonly damage: readonly Damage[];
  /** What a person should know of this input: one sentence each (pointers are hashed, names are blank, …). */
  readonly notes: readonly string[];
}

/**
 * A reader of something that arrives in pieces of any size. Throws InputError, with the line and what was expected, where the input cannot
 * be of its format at all; what is damaged here and there it counts.
 */
export interface StreamReader {
  write(chunk: Uint8Array): void;
  /** The input is over: hands the last batch to the sink. */
  end(): ReadReport;
}

/** Bytes that can be read anywhere, for formats that are no streams. */
export interface RandomBytes {
  readonly size: number;
  /** A view or a copy; shorter only at the end. Valid until the next call. */
  read(offset: number, length: number): Uint8Array;
}

/** `12 events were lost while …`: what a recorder says that it lost. */
export function lostWords(events: number): string {
  const [were, they] = events === 1 ? ['event was', 'it'] : ['events were', 'they'];
  return `${formatCount(events)} ${were} lost while this was recorded: what ${they} allocated and freed is not in it.`;
}
