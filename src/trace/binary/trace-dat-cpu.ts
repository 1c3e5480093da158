/**
 * One CPU's recorded pages in trace.dat, one after the other, and the order of all CPUs' events. Each CPU's events are in order; the next
 * event of all is the earliest of the CPUs' next ones, and of the lowest CPU where times are equal. No more than one page, or one
 * compressed chunk, of each CPU is in memory.
 *
 * Compressed: `u32 chunks, chunks × (u32 compressed size, u32 size, data)`, whole pages in each.
 */
import { ByteCursor, type RandomBytes, type Tally } from '../batch/index.js';
import { PageWalker, type RingBufferFormat, STEP } from './ring-buffer.js';

/** Pages of one chunk, at most. trace-cmd writes ten. */
export const CHUNK_PAGES_MAX = 16;

/** Decompresses `bytes` into exactly `size` bytes, or throws. */
export type Inflate = (bytes: Uint8Array, size: number) => Uint8Array;

/** Where a CPU's pages lie in the file. */
export interface CpuData {
  readonly cpu: number;
  readonly offset: number;
  readonly size: number;
}

interface CpuStreamOptions {
  readonly format: RingBufferFormat;
  readonly pageBytes: number;
  readonly little: boolean;
  readonly file: string;
  /** How chunks are compressed; undefined if they are not. */
  readonly inflate: Inflate | undefined;
  readonly tally: Tally;
}

/** Decompresses chunks, one after the other. Those that cannot be read are counted, and the next one is tried. */
export class ChunkReader {
  /** Byte of the file at which the last chunk begins. */
  offset: number;
  readonly #cursor: ByteCursor;
  readonly #inflate: Inflate;
  readonly #tally: Tally;
  readonly #whose: string;
  readonly #most: number;
  #left = 0;

  /** `whose` begins the words on damage. A chunk has `most` bytes at most after decompression. */
  constructor(cursor: ByteCursor, inflate: Inflate, tally: Tally, whose: string, most: number) {
    this.#cursor = cursor;
    this.#inflate = inflate;
    this.#tally = tally;
    this.#whose = whose;
    this.#most = most;
    this.offset = cursor.at;
    if (cursor.left >= 4) this.#left = cursor.u32('a count of chunks');
    else if (cursor.left > 0) this.#damage('its data end before the count of chunks');
  }

  /** The next chunk's data; undefined at the end. */
  next(): Uint8Array | undefined {
    const cursor = this.#cursor;
    while (this.#left > 0) {
      this.#left--;
      this.offset = cursor.at;
      if (cursor.left < 8) return this.#endsWithin('the head of a chunk');
      const compressed = cursor.u32('the compressed size of a chunk');
      const size = cursor.u32('the size of a chunk');
      if (compressed > cursor.left) return this.#endsWithin(`a chunk of ${compressed} bytes`);
      const data = cursor.bytes(compressed, 'a chunk');
      if (size > this.#most) {
        this.#damage(`a chunk says that it has ${size} bytes, more than ${this.#most}`);
        continue;
      }
      try {
        const bytes = this.#inflate(data, size);
        if (bytes.length !== size) throw new RangeError(`it has ${bytes.length} bytes, not ${size}`);
        if (size > 0) return bytes;
      } catch (error) {
        this.#damage(`a chunk cannot be decompressed: ${error instanceof Error ? error.message : error}`);
      }
    }
    return undefined;
  }

  #endsWithin(what: string): undefined {
    this.#damage(`its data end within ${what}; ${this.#left} chunks behind it are missing`);
    this.#left = 0;
    return undefined;
  }

  #damage(why: string): void {
    this.#tally.damage(this.offset, `${this.#whose}: ${why}`);
  }
}

export class CpuStream {
  readonly cpu: number;
  readonly walker: PageWalker;
  /** The bytes that the walker's `recordAt` counts in. */
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Events were lost before the current one; how many, as far as it is known. */
  lossPending = false;
  lostCount = 0;
  readonly #options: CpuStreamOptions;
  readonly #cursor: ByteCursor;
  readonly #chunks: ChunkReader | undefined;
  /** What of `view` was not gone over yet, in pages. */
  #nextPage = 0;
  #viewBytes = 0;
  /** Byte of the file at which `view` begins, where it is not compressed. */
  #viewOffset = 0;
  #page: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(source: RandomBytes, data: CpuData, options: CpuStreamOptions) {
    this.cpu = data.cpu;
    this.#options = options;
    this.walker = new PageWalker(options.format);
    const end = Math.min(data.offset + data.size, source.size);
    this.#cursor = new ByteCursor(source, options.file, options.little, Math.min(data.offset, end), end);
    const { inflate, tally, pageBytes } = options;
    if (inflate !== undefined) {
      const most = CHUNK_PAGES_MAX * pageBytes;
      this.#chunks = new ChunkReader(this.#cursor, inflate, tally, `CPU ${data.cpu}`, most);
    }
  }

  /** Goes to the next event. False at the end. */
  next(): boolean {
    const { walker } = this;
    for (;;) {
      const step = walker.next();
      if (step === STEP.RECORD) return true;
      if (step === STEP.DAMAGE) this.#damage(walker.damageAt, walker.damage);
      if (!this.#openPage()) return false;
    }
  }

  /** Where in the file byte `at` of the view lies, or the chunk that it is in. */
  offsetOf(at: number): number {
    return this.#chunks === undefined ? this.#viewOffset + at : this.#chunks.offset;
  }

  /** If this one's current event comes before the other's. */
  isBefore(other: CpuStream): boolean {
    const a = this.walker;
    const b = other.walker;
    if (a.timeHigh !== b.timeHigh) return a.timeHigh < b.timeHigh;
    if (a.timeLow !== b.timeLow) return a.timeLow < b.timeLow;
    return this.cpu < other.cpu;
  }

  #damage(at: number, why: string): void {
    this.#options.tally.damage(this.offsetOf(at), `CPU ${this.cpu}: ${why}`);
  }

  #openPage(): boolean {
    while (this.#nextPage >= this.#viewBytes) if (!this.#load()) return false;
    const { walker } = this;
    const at = this.#nextPage;
    this.#nextPage += this.#options.pageBytes;
    if (!walker.open(this.view, at, Math.min(this.#nextPage, this.#viewBytes))) {
      this.#damage(walker.damageAt, walker.damage);
    }
    if (walker.lost !== 0) {
      this.lossPending = true;
      this.lostCount += Math.max(0, walker.lost);
    }
    return true;
  }

  /** The next page, or the next chunk of pages, into memory. */
  #load(): boolean {
    const bytes = this.#chunks === undefined ? this.#readPage() : this.#chunks.next();
    if (bytes === undefined) return false;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#viewBytes = bytes.length;
    this.#nextPage = 0;
    return true;
  }

  #readPage(): Uint8Array | undefined {
    const cursor = this.#cursor;
    const length = Math.min(this.#options.pageBytes, cursor.left);
    if (length === 0) return undefined;
    this.#viewOffset = cursor.at;
    const bytes = cursor.source.read(cursor.at, length);
    if (bytes.length === 0) return undefined;
    cursor.at += bytes.length;
    // What was read is valid until the next read: each CPU keeps its own page.
    if (this.#page.length < bytes.length) this.#page = new Uint8Array(bytes.length);
    this.#page.set(bytes);
    return this.#page.subarray(0, bytes.length);
  }
}

/**
 * Calls `emit` for each stream's each event in the order of time. A stream's events stay in their own order, also where its clock jumps
 * back.
 */
export function mergeStreams(streams: readonly CpuStream[], emit: (stream: CpuStream) => void): void {
  /** A heap: each stream's next event is not after those of the two below it. */
  const heap: CpuStream[] = [];
  const sink = (from: number) => {
    const moving = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.isBefore(heap[child]!)) child++;
      if (!heap[child]!.isBefore(moving)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moving;
  };
  for (const stream of streams) if (stream.next()) heap.push(stream);
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(at);

  while (heap.length > 0) {
    const first = heap[0]!;
    const left = heap[1];
    const right = heap[2];
    const second = right !== undefined && left !== undefined && right.isBefore(left) ? right : left;
    let more: boolean;
    do {
      emit(first);
      more = first.next();
    } while (more && (second === undefined || !second.isBefore(first)));
    if (!more) {
      const last = heap.pop()!;
      if (heap.length === 0) break;
      heap[0] = last;
    }
    sink(0);
  }
}
