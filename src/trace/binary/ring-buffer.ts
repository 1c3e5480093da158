/**
 * # Pages of ftrace's ring buffer
 *
 * ftrace keeps a ring of pages for each CPU, and recorders save these pages as they are. A page, where `commit` says how many bytes of
 * data it has and, in its highest bits, whether events were lost just before its first one:
 *
 *     ┌──────────────┬────────────────────┬──────┬──────┬──────┬───   ───┬──────────────┬─────────┐
 *     │ timestamp 64 │ commit             │ head │ data │ head │ …       │ lost, if     │ not     │
 *     │ of the page  │ MISSED STORED size │      │      │      │         │ STORED       │ used    │
 *     └──────────────┴────────────────────┴──────┴──────┴──────┴───   ───┴──────────────┴─────────┘
 *
 * A head is 32 bits, `type_len` (5) and `time_delta` (27), the time since the entry before in the clock's units:
 *
 *     1 … 28   an event: type_len × 4 bytes of data follow
 *     0        an event: the next word is its length and counts itself; data follow
 *     29       padding: without a delta the page ends here; with one, an event was discarded, and the next word is its length
 *     30       time extend: no event; the next word holds the delta's upper 32 bits
 *     31       time stamp: no event; the time itself, whose upper 5 of 64 bits are those of the time before
 *
 * Where fields lie and what the types are called is in the file itself (`header_page`, `header_event`), because it depends on the machine's
 * words and on the size of the pages, which `buffer_subbuf_size_kb` changes. On big-endian machines type_len is the upper 5 bits.
 *
 * Times are two numbers, the upper and the lower 32 bits: a `tai` or `boot` clock can be beyond 2^53 nanoseconds, and a page's events
 * must keep their order.
 *
 * Sources: header_page and header_event as recorded in truth/; Documentation/trace/ring-buffer-design.rst; `trace-cmd report` on made-up
 * pages, which decides what the documents leave open (a discarded event's delta counts).
 */
import type { ByteCursor } from '../batch/index.js';
import { parseFields } from './event-format.js';

const HIGH = 2 ** 32;
const MISSED_EVENTS = 0x8000_0000;
const MISSED_STORED = 0x4000_0000;
const COMMIT_SIZE = 0x07ff_ffff;
const PAGE_BYTES_MAX = 1 << 26;

export interface RingBufferFormat {
  readonly little: boolean;
  readonly timestampAt: number;
  readonly commitAt: number;
  /** Bytes of a kernel's `long`: 4 or 8. */
  readonly commitBytes: number;
  readonly dataAt: number;
  /** Bytes of a page, its head included. */
  readonly pageBytes: number;
  readonly typeBits: number;
  readonly padding: number;
  readonly timeExtend: number;
  readonly timeStamp: number;
  /** The highest type that is an event with its length in it. */
  readonly dataMax: number;
}

/** Reads the two texts that describe a ring buffer. `cursor` stands where errors should point to. */
export function parseRingBufferFormat(
  headerPage: string,
  headerEvent: string,
  cursor: ByteCursor,
): RingBufferFormat {
  const fields = parseFields(headerPage);
  const field = (name: string, sizes: readonly number[]) => {
    const found = fields.get(name);
    if (found === undefined || (sizes.length > 0 && !sizes.includes(found.size))) {
      const sign = found === undefined ? 'it has none' : `its size is ${found.size}`;
      throw cursor.error(
        `expected header_page with a field ${name} of ${sizes.join(' or ')} bytes, but ${sign}`,
      );
    }
    return found;
  };
  const timestamp = field('timestamp', [8]);
  const commit = field('commit', [4, 8]);
  const data = field('data', []);
  const pageBytes = data.offset + data.size;
  if (
    data.offset < commit.offset + commit.size ||
    data.offset < timestamp.offset + 8 ||
    pageBytes > PAGE_BYTES_MAX
  ) {
    throw cursor.error(
      `expected header_page with data behind its other fields, found data at ${data.offset}`,
    );
  }
  const number = (pattern: RegExp, usual: number) => Number(pattern.exec(headerEvent)?.[1] ?? usual);
  const typeBits = number(/type_len\s*:\s*(\d+) bits/, 5);
  if (typeBits < 1 || typeBits > 16 || number(/time_delta\s*:\s*(\d+) bits/, 27) !== 32 - typeBits) {
    throw cursor.error('expected header_event with type_len and time_delta that share 32 bits');
  }
  return {
    little: cursor.little,
    timestampAt: timestamp.offset,
    commitAt: commit.offset,
    commitBytes: commit.size,
    dataAt: data.offset,
    pageBytes,
    typeBits,
    padding: number(/padding\s*:\s*type == (\d+)/, 29),
    timeExtend: number(/time_extend\s*:\s*type == (\d+)/, 30),
    timeStamp: number(/time_stamp\s*:\s*type == (\d+)/, 31),
    dataMax: number(/data max type_len\s*==\s*(\d+)/, 28),
  };
}

/** What `next` found. */
export const STEP = { RECORD: 0, END: 1, DAMAGE: 2 } as const;

/** Goes over one CPU's pages, entry by entry. */
export class PageWalker {
  /** The current event's data. */
  recordAt = 0;
  recordBytes = 0;
  /** Its time: `timeHigh` × 2^32 + `timeLow`. */
  timeHigh = 0;
  timeLow = 0;
  /** Why the last step was DAMAGE, and where. */
  damage = '';
  damageAt = 0;
  /** Events lost before the page's first one: 0 for none, -1 if nobody counted them. */
  lost = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #end = 0;
  readonly #format: RingBufferFormat;
  readonly #deltaBits: number;

  constructor(format: RingBufferFormat) {
    this.#format = format;
    this.#deltaBits = 32 - format.typeBits;
  }

  get time(): number {
    return this.timeHigh * HIGH + this.timeLow;
  }

  /**
   * Begins a page: the bytes of `view` from `at` to `end`, which may be fewer than a page has. False if its head is not there or says
   * that it has more data than it can; what data there are is gone over nevertheless.
   */
  open(view: DataView, at: number, end: number): boolean {
    const { little, timestampAt, commitAt, commitBytes, dataAt } = this.#format;
    this.#view = view;
    this.#at = at + dataAt;
    this.#end = this.#at;
    this.lost = 0;
    if (at + dataAt > end) return this.#damaged(at, `a page of ${end - at} bytes is shorter than its head`);
    const first = view.getUint32(at + timestampAt, little);
    const second = view.getUint32(at + timestampAt + 4, little);
    this.timeHigh = little ? second : first;
    this.timeLow = little ? first : second;
    const commit = view.getUint32(at + commitAt + (little ? 0 : commitBytes - 4), little);
    const bytes = commit & COMMIT_SIZE;
    if (this.#at + bytes > end) {
      this.#end = end;
      return this.#damaged(
        at + commitAt,
        `the page says it has ${bytes} bytes of data, ${end - this.#at} are there`,
      );
    }
    this.#end = this.#at + bytes;
    if ((commit & MISSED_EVENTS) !== 0) this.lost = this.#storedLoss(commit, end);
    return true;
  }

  /** The next event; STEP says whether there is one. After DAMAGE the page has no more. */
  next(): number {
    const view = this.#view;
    const { little, dataMax, padding, timeExtend, timeStamp, typeBits } = this.#format;
    const deltaBits = this.#deltaBits;
    for (let at = this.#at; ; ) {
      if (at + 4 > this.#end) return this.#stop(at);
      const head = view.getUint32(at, little);
      const type = little ? head & ((1 << typeBits) - 1) : head >>> deltaBits;
      const delta = little ? head >>> typeBits : head & ((2 ** deltaBits - 1) | 0);
      if (type !== 0 && type <= dataMax) {
        const bytes = type * 4;
        this.#advance(delta);
        return this.#record(at, at + 4, bytes);
      }
      if (type === padding && delta === 0) return this.#stop(this.#end);
      if (at + 8 > this.#end) return this.#broken(at, 'the page ends within an entry');
      const word = view.getUint32(at + 4, little);
      if (type === 0) {
        this.#advance(delta);
        return this.#record(at, at + 8, word < 4 ? -1 : (word - 1) & ~3);
      }
      if (type === timeExtend) {
        this.#advance(word * 2 ** deltaBits + delta);
        at += 8;
      } else if (type === timeStamp) {
        const whole = BigInt.asUintN(64, (BigInt(word) << BigInt(deltaBits)) + BigInt(delta));
        this.timeHigh = (Number(whole >> 32n) | (this.timeHigh & 0xf800_0000)) >>> 0;
        this.timeLow = Number(whole & 0xffff_ffffn);
        at += 8;
      } else if (type === padding) {
        this.#advance(delta);
        at += 4 + Math.max(4, word);
      } else {
        return this.#broken(at, `an entry has type ${type}, which header_event does not know`);
      }
    }
  }

  #record(entry: number, at: number, bytes: number): number {
    if (bytes <= 0 || at + bytes > this.#end) {
      return this.#broken(entry, `an event of ${bytes} bytes in a page of which ${this.#end - at} are left`);
    }
    this.recordAt = at;
    this.recordBytes = bytes;
    this.#at = at + bytes;
    return STEP.RECORD;
  }

  #advance(delta: number): void {
    const low = this.timeLow + delta;
    if (low >= HIGH) {
      const carry = Math.floor(low / HIGH);
      this.timeHigh += carry;
      this.timeLow = low - carry * HIGH;
    } else this.timeLow = low;
  }

  /** How many were lost, where the recorder had room to write it down behind the data. */
  #storedLoss(commit: number, end: number): number {
    const { little, commitBytes } = this.#format;
    if ((commit & MISSED_STORED) === 0 || this.#end + commitBytes > end) return -1;
    return this.#view.getUint32(this.#end + (little ? 0 : commitBytes - 4), little);
  }

  #stop(at: number): number {
    this.#at = at;
    this.#end = Math.min(at, this.#end);
    return STEP.END;
  }

  #broken(at: number, why: string): number {
    this.#damaged(at, why);
    this.#end = this.#at;
    return STEP.DAMAGE;
  }

  #damaged(at: number, why: string): boolean {
    this.damage = why;
    this.damageAt = at;
    return false;
  }
}
