/**
 * # page_frag: fragments cut downwards from a chunk of pages
 *
 *     chunk of 32 KiB   | 0                       offset ▾                      32768 |
 *                       |          not cut yet           |  D  |  C  |   B   |   A    |
 *                       |                                 newest              oldest  |
 *
 * A network driver takes many short-lived buffers in order. The cache cuts them off the end of one chunk and
 * counts them with the page's own reference count; a chunk that it is done with goes back when the last
 * fragment is freed, in whatever order that happens. A freed fragment is never handed out again by itself:
 * one long-lived fragment keeps its whole chunk.
 *
 * A chunk is in exactly one of these states:
 *  1. current: fragments are cut from it; the cache holds `pagecntBias` of its references;
 *  2. given up: the cache holds none; the last fragment freed gives the pages back.
 * An address handed out is *live* until it is freed, once. The set of live addresses is kept beside the
 * memory.
 *
 * The equation, for every chunk:   refcount = live fragments + (current ? pagecntBias : 0)
 *
 * ## The rules
 *  1. A fresh chunk has 32768 + 1 references, all of them the cache's, so that cutting is a subtraction from
 *     `pagecntBias` and no atomic operation. A fragment is taken from `pagecntBias`; a free is taken from the
 *     reference count.
 *  2. A fragment begins at (offset - size) & -align, which becomes the new offset. Without an alignment
 *     nothing is rounded. One that is no power of two is used as the mask it makes.
 *  3. When a request does not fit below the offset, the cache drops its references. If none is left, all
 *     fragments were freed: the same chunk is current again with all references, and is cut from its end.
 *     Otherwise it is given up and a fresh one is current. Nothing else reuses a chunk: one whose fragments
 *     are all freed goes on where it was until a request does not fit.
 *  4. A request larger than the chunk goes through 3 and then fails. What happened on the way stays: a chunk
 *     with fragments was given up for a fresh one; one without was taken again, *but keeps its offset*.
 *  5. A chunk is 2^chunkOrder pages (order 3 = 32 KiB), asked for without using the reserves; if it is not to
 *     be had, one page. The next chunk is tried with the full order again.
 *  6. A drain drops the cache's references. The bias that `state` shows stays as it was; nothing is current.
 *  7. A size of 0 is cut like any other: several live fragments may then share an address, and on a chunk
 *     that nothing was cut from it lies behind the chunk. The kernel would free the neighbour's page with it;
 *     here it counts for the chunk it came from.
 *
 *     const cache = new PageFragCache(memory, { gfp: GFP.ATOMIC });
 *     const buffer = cache.alloc(1536, 64);           // NULL when there is no memory, and above 32 KiB
 *     cache.free(buffer);
 *     cache.drain();                                  // what a driver does when it goes away
 *
 * Sources: truth/README.md, section "page_frag", with recordings of Linux 6.1; Linux
 * Documentation/mm/page_frags.
 */
import {
  ArgumentError,
  BadFreeError,
  formatAddress,
  type Gfp,
  KernelWouldCrashError,
  LedgerCorruptError,
  NO_PFN,
  NULL,
  type Order,
  type Pfn,
  type PhysAddr,
  roundDown,
} from '../base/index.js';
import { __GFP, FRAME_USED, type PhysicalMemory, pfnToPhys } from '../machine/index.js';

/** What the fragments of a cache are cut from. */
export interface PageFragOptions {
  /** What its chunks may be made of. */
  readonly gfp: Gfp;
  /** The order that is tried first; the kernel's is 3. With 0 every chunk is a page. */
  readonly chunkOrder?: Order;
}

/** The cache as a recording shows it. */
export interface PageFragState {
  /**
   * The current chunk, counted from 0 in the order in which chunks gave their first fragment; -1 for none, or
   * before it gave one.
   */
  readonly page: number;
  /** Where it begins; NULL for none. */
  readonly address: PhysAddr;
  /** References that the cache may still give away. Stays as it was when there is no current chunk. */
  readonly pagecntBias: number;
  /** References to the current chunk; -1 for none. */
  readonly pageRefcount: number;
  /** Bytes of the current chunk that are not cut yet; -1 for none. */
  readonly offset: number;
}

/** A chunk that is held. */
export interface PageFragChunk {
  /** As in PageFragState. */
  readonly page: number;
  readonly address: PhysAddr;
  readonly bytes: number;
  /** Live fragments. */
  readonly fragments: number;
  readonly current: boolean;
}

interface Chunk {
  readonly pfn: Pfn;
  readonly order: Order;
  readonly address: PhysAddr;
  readonly bytes: number;
  page: number;
  refcount: number;
  fragments: number;
}

/**
 * References beside the page's own; also the largest fragment of the kernel's chunks, so that one byte each
 * never runs out.
 */
const REFERENCES = 32768;

/** Above this the kernel's `int` offset turns round and hands out memory that is not the chunk's. */
const MAX_REQUEST = 0x7fffffff;

/** The kernel's page_frag: fragments cut from a chunk, which is used again when all of them are free (pools/page-frag.ts). */
export class PageFragCache {
  readonly #memory: PhysicalMemory;
  readonly #gfp: Gfp;
  readonly #chunkOrder: Order;
  readonly #chunkBytes: number;
  readonly #references: number;
  /** By first address. */
  readonly #chunks = new Map<number, Chunk>();
  /**
   * How many live fragments begin at an address: one, unless some have no size. A fragment behind its chunk
   * (rule 7) is kept under its negative address, because the address itself belongs to the next chunk.
   */
  readonly #fragments = new Map<number, number>();
  #current: Chunk | undefined;
  #offset = 0;
  #bias = 0;
  #pages = 0;
  #heldBytes = 0;

  constructor(memory: PhysicalMemory, options: PageFragOptions) {
    const { gfp, chunkOrder = 3 } = options;
    if (!Number.isInteger(chunkOrder) || chunkOrder < 0 || chunkOrder >= memory.profile.orders) {
      throw new ArgumentError(
        `a chunk of page fragments has an order from 0 to ${memory.profile.orders - 1}, not ${chunkOrder}`,
      );
    }
    this.#memory = memory;
    this.#gfp = gfp;
    this.#chunkOrder = chunkOrder;
    this.#chunkBytes = memory.profile.pageSize * 2 ** chunkOrder;
    this.#references = Math.max(REFERENCES, this.#chunkBytes);
  }

  /** Chunks that are held, by fragments or as the current one. */
  get liveChunks(): number {
    return this.#chunks.size;
  }

  /** Bytes of those chunks. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A fragment of `size` bytes; NULL when there is no memory or no chunk is that large. */
  alloc(size: number, align = 1): PhysAddr {
    if (!Number.isInteger(size) || size < 0) throw new ArgumentError(`${size} is no size of a page fragment`);
    if (!Number.isInteger(align) || align < 1 || align > 2 ** 31) {
      throw new ArgumentError(`${align} is no alignment of a page fragment`);
    }
    if (size > MAX_REQUEST) {
      throw new KernelWouldCrashError(`a page fragment of ${size} bytes`, 'silent nonsense');
    }
    if (this.#current === undefined && !this.#refill()) return NULL;
    if (size > this.#offset) {
      if (!this.#startAgain(size)) return NULL;
    } else if (this.#bias === 1) {
      throw new KernelWouldCrashError(
        `${this.#references} fragments of one chunk, most of size 0: one more`,
        'use after free',
      );
    }
    const chunk = this.#current!;
    this.#offset = (this.#offset - size) & -align;
    this.#bias--;
    return this.#handOut(chunk, this.#offset);
  }

  #handOut(chunk: Chunk, offset: number): PhysAddr {
    if (chunk.page < 0) chunk.page = this.#pages++;
    const address = chunk.address + offset;
    const key = offset === chunk.bytes ? -address : address;
    this.#fragments.set(key, (this.#fragments.get(key) ?? 0) + 1);
    chunk.fragments++;
    return address as PhysAddr;
  }

  /** Rules 3 and 4: true if `size` fits below the offset now. */
  #startAgain(size: number): boolean {
    const chunk = this.#current!;
    chunk.refcount -= this.#bias;
    if (chunk.refcount > 0 && !this.#refill()) return false;
    const now = this.#current!;
    now.refcount = this.#references + 1;
    this.#bias = this.#references + 1;
    if (size > now.bytes) return false;
    this.#offset = now.bytes;
    return true;
  }

  /** Rule 5. Without memory nothing is current any more. */
  #refill(): boolean {
    const { pages, profile } = this.#memory;
    this.#current = undefined;
    let order = this.#chunkOrder;
    let pfn = NO_PFN;
    if (order > 0) {
      const gfp = (this.#gfp | __GFP.COMP | __GFP.NOWARN | __GFP.NORETRY | __GFP.NOMEMALLOC) as Gfp;
      pfn = pages.allocPages(gfp, order);
    }
    if (pfn === NO_PFN) {
      order = 0;
      pfn = pages.allocPages(this.#gfp, order);
    }
    if (pfn === NO_PFN) return false;
    const address = pfnToPhys(pfn, profile.pageSize);
    const bytes = profile.pageSize * 2 ** order;
    const chunk: Chunk = {
      pfn,
      order,
      address,
      bytes,
      page: -1,
      refcount: this.#references + 1,
      fragments: 0,
    };
    this.#chunks.set(address, chunk);
    this.#heldBytes += bytes;
    this.#current = chunk;
    this.#bias = this.#references + 1;
    this.#offset = bytes;
    return true;
  }

  /** Gives back what `alloc` returned. Throws BadFreeError; then nothing changed. */
  free(address: PhysAddr): void {
    let key: number = address;
    let chunk = this.#chunkOf(address);
    let begun = this.#fragments.get(key);
    if (begun === undefined && this.#fragments.has(-address)) {
      key = -address;
      begun = this.#fragments.get(key);
      // The chunk that ends here: its last byte is in it.
      chunk = this.#chunkOf(address - 1);
    }
    if (chunk === undefined) {
      throw new BadFreeError(
        address,
        'unknown-address',
        `${formatAddress(address)} is in no chunk of this page_frag cache`,
      );
    }
    if (begun === undefined) {
      throw new BadFreeError(
        address,
        'not-live',
        `no live fragment begins at ${formatAddress(address)}, it may be free already`,
      );
    }
    if (begun > 1) this.#fragments.set(key, begun - 1);
    else this.#fragments.delete(key);
    chunk.fragments--;
    this.#drop(chunk, 1);
  }

  #drop(chunk: Chunk, references: number): void {
    chunk.refcount -= references;
    if (chunk.refcount > 0) return;
    this.#memory.pages.freePages(chunk.pfn, chunk.order);
    this.#chunks.delete(chunk.address);
    this.#heldBytes -= chunk.bytes;
  }

  #chunkOf(address: number): Chunk | undefined {
    // Blocks of pages are aligned to their size, so a chunk begins at one of two places.
    for (const unit of [this.#chunkBytes, this.#memory.profile.pageSize]) {
      const chunk = this.#chunks.get(roundDown(address, unit));
      if (chunk !== undefined && address < chunk.address + chunk.bytes) return chunk;
    }
    return undefined;
  }

  /** The cache lets go of its current chunk; the fragments keep it until the last is freed. */
  drain(): void {
    const chunk = this.#current;
    if (chunk === undefined) return;
    this.#current = undefined;
    this.#drop(chunk, this.#bias);
  }

  /** A fresh view at each call. */
  state(): PageFragState {
    const chunk = this.#current;
    return {
      page: chunk?.page ?? -1,
      address: chunk?.address ?? NULL,
      pagecntBias: this.#bias,
      pageRefcount: chunk?.refcount ?? -1,
      offset: chunk ? this.#offset : -1,
    };
  }

  /** The chunks that are held, oldest first; a fresh view at each call. */
  chunks(): PageFragChunk[] {
    return [...this.#chunks.values()].map((chunk) => ({
      page: chunk.page,
      address: chunk.address,
      bytes: chunk.bytes,
      fragments: chunk.fragments,
      current: chunk === this.#current,
    }));
  }

  /** Checks the equation for every chunk. Throws LedgerCorruptError. */
  validate(): void {
    const { ledger, basePfn } = this.#memory;
    const counted = new Map<Chunk, number>();
    for (const [key, begun] of this.#fragments) {
      const chunk = this.#chunkOf(key < 0 ? -key - 1 : key);
      if (!chunk)
        throw new LedgerCorruptError(
          'pagefrag.fragment',
          `${formatAddress(Math.abs(key))} is live and in no chunk`,
        );
      counted.set(chunk, (counted.get(chunk) ?? 0) + begun);
    }
    let bytes = 0;
    for (const chunk of this.#chunks.values()) {
      const where = `the chunk at ${formatAddress(chunk.address)}`;
      const fragments = counted.get(chunk) ?? 0;
      const bias = chunk === this.#current ? this.#bias : 0;
      bytes += chunk.bytes;
      if (fragments !== chunk.fragments) {
        throw new LedgerCorruptError(
          'pagefrag.fragments',
          `${where} counts ${chunk.fragments} live fragments, ${fragments} are`,
        );
      }
      if (chunk.refcount !== fragments + bias || chunk.refcount < 1) {
        throw new LedgerCorruptError(
          'pagefrag.refcount',
          `${where} has ${chunk.refcount} references, not ${fragments} live fragments + a bias of ${bias}`,
        );
      }
      if (ledger.frameState[chunk.pfn - basePfn] !== FRAME_USED + chunk.order) {
        throw new LedgerCorruptError(
          'pagefrag.frame',
          `${where} is no block of order ${chunk.order} that was handed out`,
        );
      }
    }
    if (bytes !== this.#heldBytes) {
      throw new LedgerCorruptError(
        'pagefrag.heldBytes',
        `${this.#heldBytes} bytes are counted, chunks hold ${bytes}`,
      );
    }
    if (this.#current && !(this.#offset >= 0 && this.#offset <= this.#current.bytes)) {
      throw new LedgerCorruptError('pagefrag.offset', `offset ${this.#offset} is outside the current chunk`);
    }
  }
}
