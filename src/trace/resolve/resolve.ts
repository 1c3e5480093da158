/**
 * # The resolver: from events to a trace
 *
 *     reader ─▸ EventBatch ─▸ resolver ─▸ TraceChunk          (trace.ts has the picture)
 *
 * One pass, and what it remembers is what is live: pointers and page frames in tables (pointer-table.ts), a slot for each. What makes it
 * more than a join of allocations and frees is what kernels do not tell:
 *
 *  1. *Freed without an event* (kmem_cache_free_bulk, kfree_bulk, most of kfree_rcu): the pointer is allocated again while it is live. The
 *     slot goes to the new object, and the row says OVER. Two objects whose hashed pointers print alike look the same.
 *  2. *Allocated without an event* (before the trace, or by kmem_cache_alloc_bulk): a free of a pointer that is not live. The row says
 *     UNSEEN, and AGAIN if the pointer was seen before, for then it was not there before the trace. From the first such free of a name on,
 *     what is freed by that name is kept in a bitmap of fixed size, by hash: of many millions of pointers a few will be taken for another.
 *  3. *Nothing*: kfree of NULL and of ZERO_SIZE_PTR are events. Where pointers are hashed, ZERO_SIZE_PTR looks like any other, but kfree
 *     gets it again and again while nobody allocates it.
 *  4. *Names*: kmem_cache_free has one from 5.12 on, kmem_cache_alloc since 6.17. What an allocation's own event says is part of its class;
 *     and each class counts the names that frees of its objects gave. A free that gives none, of an object whose allocation was not seen,
 *     may lie among objects that were: in the same page, a whole number of distances from a live one (owners.ts).
 *  5. *Slab pages*: see slab-pages.ts. Their rows say SLAB_PAGES, so that nobody counts the memory twice.
 *  6. *mm_page_free_batched* repeats an mm_page_free. A block may be freed piece by piece (split_page): its row is the last piece's.
 *
 *     const resolver = createResolver({ chunk: (chunk) => keep(chunk) });
 *     const report = await read(file, resolver);          // any reader: the resolver is its sink
 *     const trace = resolver.finish();
 *
 * Rules: truth/traces/README.md, what the events lack.
 */
import { EngineError, grown } from '../../base/index.js';
import {
  AGAIN,
  CHUNK_ROWS,
  CLASS_KIND,
  createChunk,
  EVENT,
  type EventBatch,
  type EventSink,
  GREW,
  judgePointers,
  LARGE_PAGES,
  NO_SLOT,
  OP,
  OVER,
  PFN_NONE,
  SLAB_PAGES,
  Strings,
  type Trace,
  type TraceChunk,
  UNSEEN,
} from '../batch/index.js';
import { countIn, createClassTable } from './class-table.js';
import { createPageOwners } from './owners.js';
import { createPointerTable, NONE } from './pointer-table.js';
import { createSlabPageFinder } from './slab-pages.js';
import { createResolveTally, neighboursOf } from './tally.js';

/** Who takes the rows of a trace, and what its kernel is like. */
export interface ResolverOptions {
  /** Takes each chunk as it is complete. It is the taker's to keep. */
  readonly chunk: (chunk: TraceChunk) => void;
  /** Bytes of the largest kmalloc cache; more are whole pages. Unless told two pages, of 4 KiB until pointers show that they are larger. */
  readonly largestKmalloc?: number;
}

/** All of a trace but its rows. */
export type TraceHead = Omit<Trace, 'chunks'>;

/** Takes events, one after the other, and makes a trace of them. */
export interface Resolver extends EventSink {
  /** The events are over: hands out the last chunk. */
  finish(): TraceHead;
}

/** Of a page, as long as nothing shows that it is another. */
const USUAL_PAGE = 4096;
/** The largest kmalloc cache has objects of so many pages. */
const KMALLOC_PAGES = 2;
/** What kmalloc(0) returns. */
const ZERO_SIZE_PTR = 16;
const SEEN_BITS = 25;
const SEEN_WORDS = 2 ** (SEEN_BITS - 5);
const TOP_ORDER = 10;
const kindOfFree = (isCache: boolean) => (isCache ? CLASS_KIND.CACHE_FREE : CLASS_KIND.KFREE);
/** No kernel has more; a damaged file may say so. */
const ORDER_MAX = 30;
/** What the upper half of a pointer counts. */
const HALF = 2 ** 32;

/** A resolver of one trace (trace/resolve/resolve.ts). */
export function createResolver(options: ResolverOptions): Resolver {
  const strings = new Strings();
  const classes = createClassTable(strings);
  const pointers = createPointerTable();
  const pages = createPointerTable();
  const finder = createSlabPageFinder();
  const tally = createResolveTally();
  const seen = new Int32Array(SEEN_WORDS);
  const owners = createPageOwners();
  /** By class of nameless frees: whose objects they lay beside. */
  const beside = new Map<number, Map<number, number>>();
  let live = 0;
  let peakLive = 0;
  /** All pointers of allocations, or-ed. */
  let lowBits = 0;
  let highBits = 0;
  /** By name: something of it was freed whose allocation was not seen. */
  let isWatched = new Uint8Array(1024);
  let chunk = createChunk(0, CHUNK_ROWS);
  /** Rows of the chunk that are filled. */
  let filled = 0;

  // ---- slots -------------------------------------------------------------------------------------------------------------

  let slotClass = new Int32Array(1024);
  /** Of pages: how many are not freed yet, and SLAB_PAGES or LARGE_PAGES if objects lie in them. */
  let slotPages = new Int32Array(1024);
  let slotUse = new Uint8Array(1024);
  let freeSlots = new Int32Array(1024);
  let freeCount = 0;
  let slots = 0;

  const nextSlot = () => (freeCount > 0 ? freeSlots[freeCount - 1]! : slots);

  /** Takes the slot that `nextSlot` promised. */
  function takeSlot(): void {
    if (freeCount > 0) {
      freeCount--;
      return;
    }
    slots++;
    if (slots < slotClass.length) return;
    const length = slotClass.length * 2;
    slotClass = grown(slotClass, length);
    slotPages = grown(slotPages, length);
    freeSlots = grown(freeSlots, length);
    slotUse = grown(slotUse, length);
  }

  function giveSlot(slot: number): void {
    freeSlots[freeCount++] = slot;
  }

  // ---- objects -----------------------------------------------------------------------------------------------------------

  /** What has no more bytes need not be asked about. */
  const leastLarge = largestKmalloc();

  function largestKmalloc(): number {
    return options.largestKmalloc ?? KMALLOC_PAGES * (finder.pageSize || USUAL_PAGE);
  }

  function allocObject(batch: EventBatch, i: number, at: number): void {
    const low = batch.pointerLow[i]!;
    const high = batch.pointerHigh[i]!;
    const bytes = batch.bytesAlloc[i]!;
    let kind: number = batch.kind[i] === EVENT.KMALLOC ? CLASS_KIND.KMALLOC : CLASS_KIND.CACHE;
    if (kind === CLASS_KIND.KMALLOC && bytes > leastLarge && bytes > largestKmalloc())
      kind = CLASS_KIND.LARGE;
    if ((low | high) === 0) {
      tally.failed++;
      chunk.op[at] = OP.NONE;
      return;
    }
    const id = classes.allocation(
      kind,
      batch.site[i]!,
      batch.bytesReq[i]!,
      bytes,
      batch.gfp[i]!,
      batch.accounted[i]!,
      kind === CLASS_KIND.CACHE ? batch.name[i]! : 0,
    );
    let slot = nextSlot();
    let op: number = OP.ALLOC;
    const old = pointers.put(low, high, slot);
    if (old === NONE) {
      takeSlot();
      if (++live > peakLive) peakLive = live;
    } else {
      pointers.put(low, high, old);
      slot = old;
      op |= OVER;
      classes.died(slotClass[old]!);
      tally.over(classes.siteOf(slotClass[old]!));
    }
    slotClass[slot] = id;
    classes.born(id);
    lowBits |= low;
    highBits |= high;
    if (owners.isAsked && kind === CLASS_KIND.CACHE) owners.allocated(low, high, id);
    const cpu = batch.cpu[i]!;
    if (finder.waits(cpu)) {
      const isLarge = kind === CLASS_KIND.LARGE;
      const page = finder.object(cpu, batch.pid[i]!, low, high, !isLarge);
      // A chunk that is handed out already cannot be told any more; then the pages count as somebody else's.
      if (page !== undefined && page.chunk === chunk) {
        const use = isLarge ? LARGE_PAGES : SLAB_PAGES;
        chunk.op[page.at]! |= use;
        slotUse[page.slot] = use;
        if (!isLarge) {
          op |= GREW;
          classes.grew(id, page.order);
          tally.slabBlocks++;
        }
      }
    }
    chunk.op[at] = op;
    chunk.class[at] = id;
    chunk.slot[at] = slot;
    tally.allocs++;
  }

  function freeObject(batch: EventBatch, i: number, at: number): void {
    const low = batch.pointerLow[i]!;
    const high = batch.pointerHigh[i]!;
    const cpu = batch.cpu[i]!;
    if (finder.waits(cpu)) finder.passed(cpu);
    if (high === 0 && (low === 0 || low === ZERO_SIZE_PTR)) {
      tally.freesOfNothing++;
      chunk.op[at] = OP.NONE;
      return;
    }
    const slot = pointers.take(low, high);
    if (slot === NONE) return freeUnseen(batch, i, at);
    const id = slotClass[slot]!;
    giveSlot(slot);
    live--;
    classes.died(id);
    const isCache = classes.kindOf(id) === CLASS_KIND.CACHE;
    if ((batch.kind[i] === EVENT.CACHE_FREE) !== isCache) tally.mixed++;
    else if (isCache) {
      const name = batch.name[i]!;
      if (name !== 0) classes.learn(id, name);
      if (name < isWatched.length && isWatched[name] === 1) markSeen(low, high);
    }
    chunk.op[at] = OP.FREE;
    chunk.class[at] = id;
    chunk.slot[at] = slot;
    tally.frees++;
  }

  function freeUnseen(batch: EventBatch, i: number, at: number): void {
    const low = batch.pointerLow[i]!;
    const high = batch.pointerHigh[i]!;
    const isCache = batch.kind[i] === EVENT.CACHE_FREE;
    const name = isCache ? batch.name[i]! : 0;
    const text = name !== 0 ? name : classes.functionOf(batch.site[i]!);
    const id =
      isCache && name === 0 ? namelessFree(text, low, high) : classes.unseen(kindOfFree(isCache), text);
    const again = isCache && markSeen(low, high);
    if (isCache) watch(name);
    classes.died(id);
    tally.unseen(text, again);
    if (!isCache) tally.unseenKfree(low, high);
    chunk.op[at] = OP.FREE | UNSEEN | (again ? AGAIN : 0);
    chunk.class[at] = id;
    chunk.slot[at] = NO_SLOT;
  }

  /** The class of a free that says nothing but where: who has live objects beside it is who it belongs to. */
  function namelessFree(text: number, low: number, high: number): number {
    if (!owners.isAsked)
      owners.ask((visit) =>
        pointers.each((low, high, slot) => {
          if (classes.kindOf(slotClass[slot]!) === CLASS_KIND.CACHE) visit(low, high, slotClass[slot]!);
        }),
      );
    const owner = owners.ownerOf(low, high, classes.bytesOf, classAt);
    const id = classes.nameless(text, owner === NONE ? 0 : classes.bytesOf(owner));
    if (owner !== NONE) countIn(beside, id, owner);
    return id;
  }

  /** The class of the live object of a cache at a pointer, or NONE. */
  function classAt(low: number, high: number): number {
    const slot = pointers.get(low, high);
    if (slot === NONE) return NONE;
    const id = slotClass[slot]!;
    return classes.kindOf(id) === CLASS_KIND.CACHE ? id : NONE;
  }

  function watch(name: number): void {
    if (name >= isWatched.length) isWatched = grown(isWatched, 2 ** Math.ceil(Math.log2(name + 1)));
    isWatched[name] = 1;
  }

  /** Returns whether the pointer, or one with its hash, had been seen. */
  function markSeen(low: number, high: number): boolean {
    const hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> (32 - SEEN_BITS);
    const bit = 1 << (hash & 31);
    const was = seen[hash >>> 5]!;
    seen[hash >>> 5] = was | bit;
    return (was & bit) !== 0;
  }

  // ---- pages -------------------------------------------------------------------------------------------------------------

  function allocPages(batch: EventBatch, i: number, at: number): void {
    const low = batch.pointerLow[i]!;
    const high = batch.pointerHigh[i]!;
    if (low === PFN_NONE && high === PFN_NONE) {
      tally.pagesFailed++;
      chunk.op[at] = OP.NONE;
      return;
    }
    const order = Math.min(batch.order[i]!, ORDER_MAX);
    const id = classes.pages(order, batch.gfp[i]!);
    let slot = nextSlot();
    let op: number = OP.PAGE_ALLOC;
    const old = pages.put(low, high, slot);
    if (old === NONE) takeSlot();
    else {
      pages.put(low, high, old);
      slot = old;
      op |= OVER;
      classes.died(slotClass[old]!);
      tally.pagesOver++;
      tally.livePages -= slotPages[old]!;
    }
    slotClass[slot] = id;
    slotPages[slot] = 1 << order;
    slotUse[slot] = 0;
    classes.born(id);
    tally.pageAllocs++;
    tally.livePages += 1 << order;
    finder.pages(batch.cpu[i]!, batch.pid[i]!, high * HALF + low, order, batch.gfp[i]!, slot, chunk, at);
    chunk.op[at] = op;
    chunk.class[at] = id;
    chunk.slot[at] = slot;
  }

  function freePages(batch: EventBatch, i: number, at: number): void {
    const low = batch.pointerLow[i]!;
    const high = batch.pointerHigh[i]!;
    const cpu = batch.cpu[i]!;
    if (finder.waits(cpu)) finder.passed(cpu);
    const order = Math.min(batch.order[i]!, ORDER_MAX);
    const head = headOf(low, high, order);
    if (head < 0) {
      const id = classes.unseen(CLASS_KIND.PAGE_FREE, 0);
      classes.died(id);
      tally.pagesUnseen++;
      chunk.op[at] = OP.PAGE_FREE | UNSEEN;
      chunk.class[at] = id;
      chunk.slot[at] = NO_SLOT;
      return;
    }
    const slot = pages.get(head | 0, high);
    const left = slotPages[slot]! - (1 << order);
    tally.livePages -= Math.min(1 << order, slotPages[slot]!);
    slotPages[slot] = left;
    if (left > 0) {
      chunk.op[at] = OP.NONE;
      return;
    }
    const id = slotClass[slot]!;
    if (order !== classes.orderOf(id)) tally.pagesSplit++;
    pages.take(head | 0, high);
    giveSlot(slot);
    classes.died(id);
    tally.pageFrees++;
    chunk.op[at] = OP.PAGE_FREE | slotUse[slot]!;
    chunk.class[at] = id;
    chunk.slot[at] = slot;
  }

  /** The low word of the first pfn of the block that holds these pages; -1 for none. */
  function headOf(low: number, high: number, order: number): number {
    if (pages.get(low, high) !== NONE) return low;
    for (let o = order + 1; o <= TOP_ORDER; o++) {
      const head = (low & -(1 << o)) >>> 0;
      const slot = pages.get(head, high);
      if (slot !== NONE) return classes.orderOf(slotClass[slot]!) >= o ? head : -1;
    }
    return -1;
  }

  // ---- rows --------------------------------------------------------------------------------------------------------------

  function resolveRow(batch: EventBatch, i: number, at: number): void {
    switch (batch.kind[i]) {
      case EVENT.KMALLOC:
      case EVENT.CACHE_ALLOC:
        return allocObject(batch, i, at);
      case EVENT.KFREE:
      case EVENT.CACHE_FREE:
        return freeObject(batch, i, at);
      case EVENT.PAGE_ALLOC:
        return allocPages(batch, i, at);
      case EVENT.PAGE_FREE:
        return freePages(batch, i, at);
      case EVENT.MARK: {
        const text = strings.text(batch.name[i]!);
        const where = { row: chunk.first + at, time: batch.time[i]!, text };
        tally.mark({ ...where, live, livePages: tally.livePages });
        chunk.op[at] = OP.MARK;
        chunk.slot[at] = NO_SLOT;
        return;
      }
      case EVENT.LOST:
        tally.lost += batch.bytesReq[i]!;
        chunk.op[at] = OP.LOST;
        chunk.slot[at] = batch.bytesReq[i]!;
        return;
      default:
        chunk.op[at] = OP.NONE;
    }
  }

  function take(batch: EventBatch): void {
    for (let from = 0; from < batch.length; ) {
      const count = Math.min(batch.length - from, CHUNK_ROWS - filled);
      chunk.cpu.set(batch.cpu.subarray(from, from + count), filled);
      chunk.time.set(batch.time.subarray(from, from + count), filled);
      chunk.pid.set(batch.pid.subarray(from, from + count), filled);
      chunk.comm.set(batch.comm.subarray(from, from + count), filled);
      chunk.site.set(batch.site.subarray(from, from + count), filled);
      for (let i = 0; i < count; i++) resolveRow(batch, from + i, filled + i);
      tally.times(batch, from, count);
      filled += count;
      from += count;
      if (filled === CHUNK_ROWS) handOut(createChunk(chunk.first + CHUNK_ROWS, CHUNK_ROWS));
    }
  }

  function handOut(next: TraceChunk): void {
    options.chunk({ ...chunk, rows: filled });
    chunk = next;
    filled = 0;
  }

  let finished = false;
  function finish(): TraceHead {
    if (finished) throw new EngineError('this trace is finished');
    finished = true;
    const rows = chunk.first + filled;
    if (filled > 0) handOut(createChunk(rows, 0));
    const { pageSize } = finder;
    const isCache = (id: number) => classes.kindOf(id) === CLASS_KIND.CACHE;
    const classOf = (slot: number) => slotClass[slot]!;
    const look = judgePointers({ count: tally.allocs, low: lowBits, high: highBits });
    // Hashes tell nothing of where an object lies.
    const neighbours =
      look === 'wide' || look === 'narrow'
        ? neighboursOf(pointers, classOf, isCache, pageSize || USUAL_PAGE)
        : new Map<number, Map<number, number>>();
    if (look === 'wide' || look === 'narrow') for (const [id, by] of beside) neighbours.set(id, by);
    return {
      rows,
      slots,
      cpus: tally.cpus,
      strings,
      classes: classes.list(neighbours, largestKmalloc()),
      marks: tally.marks,
      report: tally.report({
        rows,
        live,
        peakLive,
        look,
        livePageBlocks: pages.size,
        pageSize,
        strings,
      }),
    };
  }

  return { strings, take, finish };
}
