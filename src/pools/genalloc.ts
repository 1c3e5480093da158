/**
 * # genalloc: a pool of address ranges, one bit a granule
 *
 *     chunk     | start                                              start + size |
 *     granules  | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | …                | (rest) |
 *     used      | 1   1   1   0   0   1   1   0   0                      never    |
 *     begins    | 1   0   1   0   0   1   0   0   0                               |
 *                 └ A ─┘  └B┘         └ C ─┘
 *
 * A driver that owns a piece of memory (an SRAM, a block of pages taken beforehand) adds it to a pool as
 * *chunks* and hands parts of it out. The unit is the granule of 2^minOrder bytes. What is left behind a
 * chunk's last whole granule counts in `size` and `avail` and is never handed out.
 *
 * A granule is in exactly one of these states:
 *  1. free: its bit in `used` is clear;
 *  2. the first of an allocation: set in `used` and in `begins`;
 *  3. a further granule of an allocation: set in `used` only.
 * An allocation therefore ends where the next one begins, where a granule is free, or at the chunk's end. The
 * kernel keeps only `used` and believes what the caller of a free says; `begins` costs one more bit and
 * refuses a free from the middle or of a wrong size.
 *
 * The equation, for every chunk:   size - avail = granules in states 2 and 3 × granule
 *
 * ## Which granules
 * Chunks are tried newest first. A chunk with `avail` below the bytes asked for (not rounded up) is passed
 * over; in the others the algorithm looks for n = ⌈bytes / granule⌉ free granules in a row:
 *
 * | algorithm | takes | `data` |
 * | --- | --- | --- |
 * | first_fit | the lowest place | – |
 * | first_fit_align | the lowest place whose *address* is aligned | bytes |
 * | first_fit_order_align | the lowest multiple of n, rounded up to a power of two, from the chunk's start | – |
 * | best_fit | the smallest hole; the lowest of equals; an exact fit ends the search | – |
 * | fixed_alloc | exactly this place, in the first chunk where it is free | bytes from the chunk's start |
 *
 * An alignment becomes the mask ⌈align / granule⌉ - 1, which is used as it is: one that is no power of two
 * gives odd but deterministic places, which recordings show. `fixed_alloc` with an offset that is no multiple
 * of the granule warns and fails.
 *
 *     const pool = new GenPool({ minOrder: 10, algo: 'first_fit' });
 *     pool.add(0x8000_0000, 4 * MIB);
 *     const table = pool.alloc(1024);                 // 0 when no chunk has room
 *     pool.free(table, 1024);
 *     pool.destroy();
 *
 * Sources: truth/README.md, section "genalloc", with recordings of Linux 6.1; Linux
 * Documentation/core-api/genalloc.
 */
import {
  ArgumentError,
  BadFreeError,
  formatAddress,
  KernelWouldCrashError,
  LedgerCorruptError,
  LiveObjectsError,
  lookUp,
  NULL,
  type PhysAddr,
} from '../base/index.js';
import type { KernelLog } from '../machine/index.js';

/** Which of the kernel's algorithms finds the place of an allocation (`gen_pool_first_fit` and so on). */
export type GenPoolAlgo =
  | 'first_fit'
  | 'first_fit_align'
  | 'first_fit_order_align'
  | 'best_fit'
  | 'fixed_alloc';

/** What `gen_pool_create` and `gen_pool_set_algo` are told. */
export interface GenPoolOptions {
  /** A granule is 2^minOrder bytes. */
  readonly minOrder: number;
  readonly algo: GenPoolAlgo;
  /** What the algorithm wants to know: bytes of alignment, or bytes of offset. */
  readonly data?: number;
  readonly name?: string;
  /** Where a kernel's warnings go. */
  readonly log?: KernelLog;
}

/** For one allocation, instead of the pool's own. */
export interface GenPoolRequest {
  readonly algo?: GenPoolAlgo;
  readonly data?: number;
}

/** Finds `count` free granules of a chunk; `chunk.granules` says that there are none. */
type Search = (chunk: Chunk, count: number, data: number, granule: number) => number;

/** Bits are counted in 31-bit numbers; a chunk of more granules than that would need a bitmap of 256 MiB. */
const MAX_GRANULES = 0x7fffffff;

class Chunk {
  readonly granules: number;
  readonly used: Uint32Array;
  readonly begins: Uint32Array;
  avail: number;
  /** No granule below this one is free: where every search may begin. */
  firstFree = 0;

  constructor(
    readonly start: number,
    readonly size: number,
    /** Physical address of `start`; -1 if nobody said. */
    readonly phys: number,
    granule: number,
  ) {
    this.granules = Math.floor(size / granule);
    this.used = new Uint32Array(Math.ceil(this.granules / 32));
    this.begins = new Uint32Array(this.used.length);
    this.avail = size;
  }

  holds(address: number): boolean {
    return address >= this.start && address < this.start + this.size;
  }

  /** The granule behind the allocation that begins at `first`. */
  endOf(first: number): number {
    const nextFree = nextClear(this.used, first, this.granules);
    return nextSet(this.begins, first + 1, nextFree);
  }
}

/** The kernel's genalloc: memory that was added beforehand, handed out in granules (pools/genalloc.ts). */
export class GenPool {
  readonly name: string;
  readonly granule: number;
  readonly #algo: GenPoolAlgo;
  readonly #data: number;
  readonly #log: KernelLog | undefined;
  /** Newest first. */
  #chunks: Chunk[] = [];
  #size = 0;
  #avail = 0;
  #live = 0;
  #destroyed = false;

  constructor(options: GenPoolOptions) {
    const { minOrder, algo, data = 0, name = 'gen_pool' } = options;
    if (!Number.isInteger(minOrder) || minOrder < 0 || minOrder > 30) {
      throw new ArgumentError(`a pool's granule is 2^0 to 2^30 bytes, not 2^${minOrder}`);
    }
    this.name = name;
    this.granule = 2 ** minOrder;
    this.#algo = algo;
    this.#data = data;
    this.#log = options.log;
    lookUp('genalloc algorithm', algo, SEARCHES);
    this.#checkData(algo, data);
  }

  /** Bytes of all chunks. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of all chunks that are not handed out, with those that never can be. */
  get avail(): number {
    return this.#avail;
  }

  /** Allocations that were not freed yet. */
  get live(): number {
    return this.#live;
  }

  /** Gives the pool a range of addresses. The chunk added last is searched first. */
  add(address: number, size: number, phys?: number): void {
    this.#checkAlive();
    const where = `${this.name}: the chunk ${formatAddress(address)} + ${size}`;
    if (!Number.isSafeInteger(address) || address <= 0 || !Number.isSafeInteger(size) || size <= 0) {
      throw new ArgumentError(`${where} must begin above 0 (which is NULL) and be at least a byte long`);
    }
    if (!Number.isSafeInteger(address + size) || size / this.granule > MAX_GRANULES) {
      throw new ArgumentError(
        `${where} is too large: at most 2^31 granules of ${this.granule} bytes below 2^53`,
      );
    }
    if (phys !== undefined && !(Number.isSafeInteger(phys) && phys >= 0)) {
      throw new ArgumentError(`${where}: ${phys} is no physical address`);
    }
    const other = this.#chunks.find(
      (chunk) => address < chunk.start + chunk.size && chunk.start < address + size,
    );
    if (other) throw new ArgumentError(`${where} overlaps the chunk at ${formatAddress(other.start)}`);
    this.#chunks.unshift(new Chunk(address, size, phys ?? -1, this.granule));
    this.#size += size;
    this.#avail += size;
  }

  /** `size` bytes, rounded up to granules; NULL when no chunk has room for them, and for 0 bytes. */
  alloc(size: number, request?: GenPoolRequest): PhysAddr {
    this.#checkAlive();
    const algo = request?.algo ?? this.#algo;
    const data = request?.data ?? (algo === this.#algo ? this.#data : 0);
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ArgumentError(`${this.name}: ${size} is no number of bytes`);
    }
    const search = lookUp('genalloc algorithm', algo, SEARCHES);
    this.#checkData(algo, data);
    if (size === 0) return NULL;
    if (algo === 'fixed_alloc' && data % this.granule !== 0) {
      this.#log?.add(
        `WARNING: gen_pool_fixed_alloc: offset ${formatAddress(data)} is no multiple of ${this.granule} bytes`,
      );
      return NULL;
    }
    const count = Math.ceil(size / this.granule);
    for (const chunk of this.#chunks) {
      if (size > chunk.avail || count > chunk.granules) continue;
      chunk.firstFree = nextClear(chunk.used, chunk.firstFree, chunk.granules);
      const first = search(chunk, count, data, this.granule);
      if (first < chunk.granules) return this.#take(chunk, first, count);
    }
    return NULL;
  }

  #take(chunk: Chunk, first: number, count: number): PhysAddr {
    setBits(chunk.used, first, count);
    setBits(chunk.begins, first, 1);
    chunk.avail -= count * this.granule;
    this.#avail -= count * this.granule;
    this.#live++;
    return (chunk.start + first * this.granule) as PhysAddr;
  }

  /**
   * Gives back what `alloc` returned, with the size that was asked for. Throws BadFreeError; then nothing
   * changed.
   */
  free(address: PhysAddr, size: number): void {
    this.#checkAlive();
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ArgumentError(`${this.name}: ${size} is no number of bytes`);
    }
    const count = Math.ceil(size / this.granule);
    const { chunk, first } = this.#find(address, count);
    clearBits(chunk.used, first, count);
    clearBits(chunk.begins, first, 1);
    if (first < chunk.firstFree) chunk.firstFree = first;
    chunk.avail += count * this.granule;
    this.#avail += count * this.granule;
    this.#live--;
  }

  /**
   * The allocation at an address, if it is one of `count` granules. The kernel has a BUG for the first two
   * errors; on the others it frees the granules that it is told, whosever they are.
   */
  #find(address: number, count: number): { chunk: Chunk; first: number } {
    const where = `${this.name}: ${formatAddress(address)}`;
    const chunk = this.#chunkOf(address);
    if (!chunk) {
      throw new BadFreeError(address, 'unknown-address', `${where} is in no chunk of this pool`, this.name);
    }
    const first = Math.floor((address - chunk.start) / this.granule);
    if (first >= chunk.granules || !testBit(chunk.used, first)) {
      throw new BadFreeError(
        address,
        'not-live',
        `${where} is not handed out; it may be free already`,
        this.name,
      );
    }
    if (!testBit(chunk.begins, first) || chunk.start + first * this.granule !== address) {
      throw new BadFreeError(
        address,
        'misaligned',
        `${where} is inside an allocation, not at its start`,
        this.name,
      );
    }
    const granules = chunk.endOf(first) - first;
    if (granules !== count) {
      throw new BadFreeError(
        address,
        'wrong-size',
        `${where} was handed out with ${granules} granules of ${this.granule} bytes and freed with ${count}`,
        this.name,
      );
    }
    return { chunk, first };
  }

  #chunkOf(address: number): Chunk | undefined {
    for (const chunk of this.#chunks) if (chunk.holds(address)) return chunk;
    return undefined;
  }

  /** True if all of the range lies in one chunk, handed out or not. */
  hasAddr(address: number, size: number): boolean {
    const chunk = this.#chunkOf(address);
    return chunk !== undefined && address + size <= chunk.start + chunk.size;
  }

  /**
   * The physical address of an address of the pool; -1 for one that is in no chunk. As in the kernel, a chunk
   * that was added without a physical address counts on from -1.
   */
  virtToPhys(address: number): number {
    const chunk = this.#chunkOf(address);
    return chunk ? chunk.phys + (address - chunk.start) : -1;
  }

  /**
   * Ends the pool. Throws LiveObjectsError while anything is handed out (the kernel has a BUG there); then
   * the pool goes on.
   */
  destroy(): void {
    this.#checkAlive();
    if (this.#live > 0) throw new LiveObjectsError(this.name, this.#live);
    this.#destroyed = true;
    this.#chunks = [];
    this.#size = 0;
    this.#avail = 0;
  }

  /** Checks the equation for every chunk. Throws LedgerCorruptError. */
  validate(): void {
    let live = 0;
    let avail = 0;
    for (const chunk of this.#chunks) {
      avail += chunk.avail;
      live += this.#validateChunk(chunk);
    }
    if (avail !== this.#avail) {
      throw new LedgerCorruptError(
        'genpool.avail',
        `${this.name} counts ${this.#avail} bytes, its chunks ${avail}`,
      );
    }
    if (live !== this.#live) {
      throw new LedgerCorruptError(
        'genpool.live',
        `${this.name} counts ${this.#live} allocations, its chunks ${live}`,
      );
    }
  }

  #validateChunk(chunk: Chunk): number {
    const where = `${this.name}, chunk ${formatAddress(chunk.start)}`;
    const used = countBits(chunk.used);
    if (used * this.granule !== chunk.size - chunk.avail) {
      throw new LedgerCorruptError(
        'genpool.used',
        `${where}: ${used} granules are used; size - avail is ${chunk.size - chunk.avail} bytes`,
      );
    }
    if (nextClear(chunk.used, 0, chunk.firstFree) < chunk.firstFree) {
      throw new LedgerCorruptError(
        'genpool.firstFree',
        `${where}: a granule below ${chunk.firstFree} is free`,
      );
    }
    let inAllocations = 0;
    for (let first = nextSet(chunk.begins, 0, chunk.granules); first < chunk.granules; ) {
      const end = chunk.endOf(first);
      inAllocations += end - first;
      first = nextSet(chunk.begins, Math.max(end, first + 1), chunk.granules);
    }
    if (inAllocations !== used) {
      throw new LedgerCorruptError(
        'genpool.begins',
        `${where}: ${used} granules are used, allocations have ${inAllocations}`,
      );
    }
    return countBits(chunk.begins);
  }

  #checkAlive(): void {
    if (this.#destroyed) throw new ArgumentError(`${this.name} was destroyed`);
  }

  #checkData(algo: GenPoolAlgo, data: number): void {
    if (!Number.isSafeInteger(data) || data < 0 || data / this.granule > MAX_GRANULES) {
      throw new ArgumentError(`${this.name}: ${algo} cannot use ${data} as its alignment or offset in bytes`);
    }
    if (algo === 'first_fit_align' && data === 0) {
      throw new KernelWouldCrashError(
        `${this.name}: first_fit_align needs an alignment of at least 1`,
        'silent nonsense',
      );
    }
  }
}

// ---- Searches ----------------------------------------------------------------------------------------------

const SEARCHES: ReadonlyMap<string, Search> = new Map<GenPoolAlgo, Search>([
  ['first_fit', (chunk, count) => findRoom(chunk, chunk.firstFree, count, 0, 0)],
  ['first_fit_align', firstFitAlign],
  [
    'first_fit_order_align',
    (chunk, count) => findRoom(chunk, chunk.firstFree, count, nextPowerOfTwo(count) - 1, 0),
  ],
  ['best_fit', bestFit],
  ['fixed_alloc', fixedPlace],
]);

function firstFitAlign(chunk: Chunk, count: number, align: number, granule: number): number {
  const mask = Math.ceil(align / granule) - 1;
  // The chunk itself need not be aligned: what its start lies above an aligned address moves the places that
  // qualify.
  const above = Math.floor(and53(chunk.start, align - 1) / granule);
  return findRoom(chunk, chunk.firstFree, count, mask, above);
}

function bestFit(chunk: Chunk, count: number): number {
  const { used, granules } = chunk;
  let best = granules;
  let bestLength = granules + 1;
  let first = findRoom(chunk, chunk.firstFree, count, 0, 0);
  while (first < granules) {
    const end = nextSet(used, first + count, granules);
    if (end - first < bestLength) {
      best = first;
      bestLength = end - first;
      if (bestLength === count) break;
    }
    first = findRoom(chunk, end + 1, count, 0, 0);
  }
  return best;
}

function fixedPlace(chunk: Chunk, count: number, offset: number, granule: number): number {
  const first = offset / granule;
  if (first + count > chunk.granules) return chunk.granules;
  return nextSet(chunk.used, first, first + count) === first + count ? first : chunk.granules;
}

/**
 * The lowest run of `count` free granules from `from` on, at a place where place + `above` has none of the
 * bits of `mask`. Rounding up may not be idempotent if the mask is no power of two less one, so each
 * candidate is rounded once, as the kernel does.
 */
function findRoom(chunk: Chunk, from: number, count: number, mask: number, above: number): number {
  const { used, granules } = chunk;
  // Each round ends or goes on behind a used granule that lies at or above `at`, so it comes to an end.
  for (let at = from; ; ) {
    const free = nextClear(used, at, granules);
    const first = mask === 0 ? free : maskUp(free + above, mask) - above;
    const end = first + count;
    if (end > granules) return granules;
    const taken = nextSet(used, first, end);
    if (taken === end) return first;
    at = taken + 1;
  }
}

/** `(x + mask) & ~mask` for an x beyond 32 bits and a mask below 2^31. */
function maskUp(x: number, mask: number): number {
  const sum = x + mask;
  return sum - (sum & mask);
}

/** `a & b` of two numbers below 2^53. */
function and53(a: number, b: number): number {
  const high = Math.floor(a / 2 ** 32) & Math.floor(b / 2 ** 32);
  return high * 2 ** 32 + ((a & b) >>> 0);
}

function nextPowerOfTwo(x: number): number {
  return x <= 1 ? 1 : 2 ** (32 - Math.clz32(x - 1));
}

// ---- Bits: words of 32, the lowest bit first ----------------------------------------------------------------

/** The first clear bit of [from, end), or end. Full words cost one comparison. */
function nextClear(map: Uint32Array, from: number, end: number): number {
  if (from >= end) return end;
  const last = (end - 1) >>> 5;
  let word = from >>> 5;
  let bits = ~map[word]! & (-1 << (from & 31));
  while (bits === 0) {
    if (word === last) return end;
    bits = ~map[++word]!;
  }
  return Math.min(word * 32 + lowestBit(bits), end);
}

/** The first set bit of [from, end), or end. */
function nextSet(map: Uint32Array, from: number, end: number): number {
  if (from >= end) return end;
  const last = (end - 1) >>> 5;
  let word = from >>> 5;
  let bits = map[word]! & (-1 << (from & 31));
  while (bits === 0) {
    if (word === last) return end;
    bits = map[++word]!;
  }
  return Math.min(word * 32 + lowestBit(bits), end);
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function testBit(map: Uint32Array, bit: number): boolean {
  return (map[bit >>> 5]! & (1 << (bit & 31))) !== 0;
}

function setBits(map: Uint32Array, first: number, count: number): void {
  for (let bit = first, left = count; left > 0; ) {
    const inWord = Math.min(32 - (bit & 31), left);
    map[bit >>> 5]! |= wordMask(bit & 31, inWord);
    bit += inWord;
    left -= inWord;
  }
}

function clearBits(map: Uint32Array, first: number, count: number): void {
  for (let bit = first, left = count; left > 0; ) {
    const inWord = Math.min(32 - (bit & 31), left);
    map[bit >>> 5]! &= ~wordMask(bit & 31, inWord);
    bit += inWord;
    left -= inWord;
  }
}

/** `count` ones, 1 to 32, from bit `shift` on. */
function wordMask(shift: number, count: number): number {
  return (-1 >>> (32 - count)) << shift;
}

function countBits(map: Uint32Array): number {
  let total = 0;
  for (const word of map) {
    // Sums of pairs, of nibbles, of bytes, and the product adds the four bytes up.
    let x = word - ((word >>> 1) & 0x55555555);
    x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
    x = (x + (x >>> 4)) & 0x0f0f0f0f;
    total += Math.imul(x, 0x01010101) >>> 24;
  }
  return total;
}
