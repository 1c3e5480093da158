/**
 * # dma_pool: blocks of one size, cut from pages that stay
 *
 *     page 2 (newest)  | used | used | free | used | · |    ◂ gives the next block
 *     page 1           | used | used | used | used | · |
 *     page 0 (oldest)  | free | used | free | used | · |
 *                        ▲─ chain: last freed first          · never used in 6.1: see rule 2
 *
 * A driver whose device reads small structures (descriptors, command rings, page tables) makes a pool of
 * blocks of one size. The pool takes pages from the page allocator one at a time and cuts each into blocks.
 *
 * A block is in exactly one of these states:
 *  1. free: on its page's chain; `link` names the next;
 *  2. live: `link` says LIVE.
 * A page has room while its chain is not empty. Pages are given back at `destroy` only, even when all of
 * their blocks are free: a pool never shrinks from its peak.
 *
 * The equation, for every page:   blocks a page = live + on its chain
 *
 * ## The rules
 *  1. The size is at least 4 bytes and rounded up to the alignment, a power of two. A page is the larger of
 *     that and a page of the machine; from the page allocator it comes as a block of pages of the smallest
 *     order that holds it.
 *  2. A page is divided at every multiple of `boundary` (a power of two, at least the size; 0 means no
 *     boundary inside a page). In each part, blocks lie one behind the other from its start. Linux 6.1 leaves
 *     out a block that ends *exactly* at a boundary, the page's end among them, unless it is the first of its
 *     part: a page of 4 KiB gives three blocks of 1 KiB, not four. A boundary larger than the page escapes
 *     that. "dmapool: fix boundary comparison", merged after 6.1, takes these blocks too: `exactFit`.
 *  3. A fresh page gives its blocks in ascending order; a freed block is the next that its page gives.
 *  4. The newest page that has room gives the block; if none has, a page is taken from the page allocator.
 *
 *     const pool = DmaPool.create({ name: 'tables', size: 1024, align: 1024 }, memory, gfp);
 *     const table = pool.alloc();                     // NULL when there is no memory
 *     pool.free(table);
 *     pool.destroy();
 *
 * Pages with room are bits, and the highest is searched for 32 pages at a time, so that thousands of full
 * pages do not make an allocation slow (the kernel walks its list).
 *
 * Sources: behaviour of Linux 6.1's mm/dmapool.c, in own words; Documentation/core-api/dma-api, "Part Ib".
 * Not recorded in truth/.
 */
import {
  ArgumentError,
  BadFreeError,
  formatAddress,
  type Gfp,
  grown,
  isPowerOfTwo,
  KernelWouldCrashError,
  LedgerCorruptError,
  LiveObjectsError,
  NO_PFN,
  NULL,
  type Order,
  orderOf,
  type Pfn,
  type PhysAddr,
  roundDown,
  roundUp,
} from '../base/index.js';
import { __GFP, FRAME_USED, type PhysicalMemory, pfnToPhys } from '../machine/index.js';

/** What `dma_pool_create` is told. Sizes in bytes. */
export interface DmaPoolOptions {
  readonly name: string;
  /** Bytes of a block. */
  readonly size: number;
  /** A power of two; 1 unless told. */
  readonly align?: number;
  /** No block crosses a multiple of this power of two; 0 unless told: none but the page's end. */
  readonly boundary?: number;
  /** Use a block that ends exactly at a boundary, as kernels after 6.1 do. */
  readonly exactFit?: boolean;
}

const LINK_END = 0;
const LINK_LIVE = 0xffff;
const MIN_SIZE = 4;

/** The kernel's dma_pool: blocks of one size, cut from pages, which are kept until the pool is destroyed (pools/dma-pool.ts). */
export class DmaPool {
  readonly name: string;
  /** Bytes of a block, after rounding. */
  readonly size: number;
  readonly blocksPerPage: number;
  /** Bytes that a page of the pool takes from the page allocator. */
  readonly pageBytes: number;
  readonly #memory: PhysicalMemory;
  readonly #gfp: Gfp;
  readonly #order: Order;
  /** Where each block of a page begins, ascending. */
  readonly #offsets: readonly number[];
  readonly #indexOfOffset: ReadonlyMap<number, number>;
  /** Addresses of the pages, oldest first; a page's number is its index here. */
  #pages: number[] = [];
  readonly #pageAt = new Map<number, number>();
  /** Of each page: the first of its chain + 1, and how many blocks are live. */
  #first = new Uint16Array(16);
  #used = new Uint16Array(16);
  /** Of each block: the next of the chain + 1, LINK_END or LINK_LIVE. */
  #link: Uint16Array;
  /** One bit a page: it has room. No page above `#newest` has any. */
  #room = new Int32Array(1);
  #newest = -1;
  #live = 0;
  #destroyed = false;

  /** Throws ArgumentError where the kernel returns NULL. */
  static create(options: DmaPoolOptions, memory: PhysicalMemory, gfp: Gfp): DmaPool {
    return new DmaPool(options, memory, gfp);
  }

  private constructor(options: DmaPoolOptions, memory: PhysicalMemory, gfp: Gfp) {
    const { name, size, align = 1, boundary = 0, exactFit = false } = options;
    const { pageSize } = memory.profile;
    if (!Number.isInteger(size) || size < 1) throw new ArgumentError(`${name}: ${size} is no block size`);
    if (!isPowerOfTwo(align)) {
      throw new ArgumentError(`${name}: the alignment must be a power of two, not ${align}`);
    }
    this.size = roundUp(Math.max(size, MIN_SIZE), align);
    if (boundary !== 0 && !(isPowerOfTwo(boundary) && boundary >= this.size)) {
      throw new ArgumentError(
        `${name}: the boundary must be 0 or a power of two of at least ${this.size}, not ${boundary}`,
      );
    }
    const allocation = Math.max(this.size, pageSize);
    this.name = name;
    this.#memory = memory;
    this.#gfp = (gfp & ~__GFP.ZERO) as Gfp;
    this.#order = orderOf(allocation, pageSize);
    this.pageBytes = pageSize * 2 ** this.#order;
    this.#offsets = blockOffsets(this.size, allocation, boundary || allocation, exactFit);
    this.blocksPerPage = this.#offsets.length;
    if (this.#offsets.at(-1)! + this.size > allocation) {
      throw new KernelWouldCrashError(
        `${name}: with a boundary of ${boundary} the last block of a page would reach behind its end`,
        'silent nonsense',
      );
    }
    if (this.blocksPerPage >= LINK_LIVE) {
      throw new ArgumentError(`${name}: a page would have ${this.blocksPerPage} blocks`);
    }
    this.#indexOfOffset = new Map(this.#offsets.map((offset, i) => [offset, i]));
    this.#link = new Uint16Array(16 * this.blocksPerPage);
  }

  /** Pages taken from the page allocator. */
  get pages(): number {
    return this.#pages.length;
  }

  /** Blocks handed out. */
  get live(): number {
    return this.#live;
  }

  /** Bytes taken from the page allocator. */
  get heldBytes(): number {
    return this.#pages.length * this.pageBytes;
  }

  /** A block; NULL when there is no memory. */
  alloc(): PhysAddr {
    this.#checkAlive();
    const page = this.#findRoom() ? this.#newest : this.#addPage();
    if (page < 0) return NULL;
    const block = this.#first[page]! - 1;
    const at = page * this.blocksPerPage + block;
    const next = this.#link[at]!;
    this.#link[at] = LINK_LIVE;
    this.#first[page] = next;
    if (next === LINK_END) this.#room[page >>> 5]! &= ~(1 << (page & 31));
    this.#used[page]!++;
    this.#live++;
    return (this.#pages[page]! + this.#offsets[block]!) as PhysAddr;
  }

  /** Moves `#newest` down to the newest page with room. False if there is none. */
  #findRoom(): boolean {
    for (let word = this.#newest >> 5; word >= 0; word--) {
      const bits = this.#room[word]!;
      if (bits !== 0) {
        this.#newest = word * 32 + 31 - Math.clz32(bits);
        return true;
      }
    }
    this.#newest = -1;
    return false;
  }

  #addPage(): number {
    const pfn = this.#memory.pages.allocPages(this.#gfp, this.#order);
    if (pfn === NO_PFN) return -1;
    const page = this.#pages.length;
    this.#grow(page + 1);
    const address = pfnToPhys(pfn, this.#memory.profile.pageSize);
    this.#pages.push(address);
    this.#pageAt.set(address, page);
    const base = page * this.blocksPerPage;
    for (let i = 0; i < this.blocksPerPage; i++) this.#link[base + i] = i + 2;
    this.#link[base + this.blocksPerPage - 1] = LINK_END;
    this.#first[page] = 1;
    this.#room[page >>> 5]! |= 1 << (page & 31);
    this.#newest = page;
    return page;
  }

  #grow(pages: number): void {
    if (pages <= this.#first.length) return;
    const more = 2 * this.#first.length;
    this.#first = grown(this.#first, more);
    this.#used = grown(this.#used, more);
    this.#link = grown(this.#link, more * this.blocksPerPage);
    this.#room = grown(this.#room, Math.ceil(more / 32));
  }

  /** Gives back what `alloc` returned. Throws BadFreeError; then nothing changed. */
  free(address: PhysAddr): void {
    this.#checkAlive();
    const start = roundDown(address, this.pageBytes);
    const page = this.#pageAt.get(start);
    const where = `${this.name}: ${formatAddress(address)}`;
    if (page === undefined) {
      throw new BadFreeError(address, 'unknown-address', `${where} is in no page of this pool`, this.name);
    }
    const block = this.#indexOfOffset.get(address - start);
    if (block === undefined) {
      throw new BadFreeError(
        address,
        'misaligned',
        `${where} is not the start of a block of ${this.size} bytes`,
        this.name,
      );
    }
    const at = page * this.blocksPerPage + block;
    if (this.#link[at] !== LINK_LIVE) {
      throw new BadFreeError(address, 'not-live', `${where} is free already`, this.name);
    }
    this.#link[at] = this.#first[page]!;
    this.#first[page] = block + 1;
    this.#room[page >>> 5]! |= 1 << (page & 31);
    if (page > this.#newest) this.#newest = page;
    this.#used[page]!--;
    this.#live--;
  }

  /**
   * Gives all pages back. Throws LiveObjectsError while a block is live (the kernel leaks its page); then the
   * pool goes on.
   */
  destroy(): void {
    this.#checkAlive();
    if (this.#live > 0) throw new LiveObjectsError(this.name, this.#live);
    const { pages, profile } = this.#memory;
    // Newest first, in the order of the kernel's list.
    for (const address of this.#pages.reverse())
      pages.freePages((address / profile.pageSize) as Pfn, this.#order);
    this.#pages = [];
    this.#pageAt.clear();
    this.#destroyed = true;
  }

  #checkAlive(): void {
    if (this.#destroyed) throw new ArgumentError(`${this.name} was destroyed`);
  }

  /** Checks the equation for every page. Throws LedgerCorruptError. */
  validate(): void {
    let live = 0;
    this.#pages.forEach((address, page) => {
      live += this.#used[page]!;
      this.#validatePage(address, page);
    });
    if (live !== this.#live) {
      throw new LedgerCorruptError(
        'dmapool.live',
        `${this.name} counts ${this.#live} live blocks, its pages ${live}`,
      );
    }
  }

  #validatePage(address: number, page: number): void {
    const where = `${this.name}, page ${formatAddress(address)}`;
    const base = page * this.blocksPerPage;
    const used = this.#link
      .subarray(base, base + this.blocksPerPage)
      .filter((link) => link === LINK_LIVE).length;
    let free = 0;
    for (let at = this.#first[page]!; at !== LINK_END; at = this.#link[base + at - 1]!) {
      if (at > this.blocksPerPage || free === this.blocksPerPage) {
        throw new LedgerCorruptError(
          'dmapool.chain',
          `${where}: its chain holds a live block or has a cycle`,
        );
      }
      free++;
    }
    if (used !== this.#used[page] || used + free !== this.blocksPerPage) {
      throw new LedgerCorruptError(
        'dmapool.blocks',
        `${where}: ${this.blocksPerPage} blocks are not ${used} live (counted: ${this.#used[page]}) + ${free} on its chain`,
      );
    }
    const hasRoom = (this.#room[page >>> 5]! & (1 << (page & 31))) !== 0;
    if (hasRoom !== free > 0 || (hasRoom && page > this.#newest)) {
      throw new LedgerCorruptError(
        'dmapool.room',
        `${where} has ${free} free blocks and is not found among those with room`,
      );
    }
    const { ledger, basePfn, profile } = this.#memory;
    if (ledger.frameState[address / profile.pageSize - basePfn] !== FRAME_USED + this.#order) {
      throw new LedgerCorruptError(
        'dmapool.frame',
        `${where} is no block of order ${this.#order} that was handed out`,
      );
    }
  }
}

/** Rule 2. */
function blockOffsets(size: number, allocation: number, boundary: number, exactFit: boolean): number[] {
  const offsets: number[] = [];
  for (let part = 0; part < allocation; part += boundary) {
    const end = part + boundary;
    for (let offset = part; offset < Math.min(end, allocation); offset += size) {
      const fits = exactFit ? offset + size <= end : offset + size < end;
      if (offset !== part && !fits) break;
      offsets.push(offset);
    }
  }
  return offsets;
}
