/**
 * # Which pages are a slab's own?
 *
 * When a slab allocator takes pages, no event says so. What a trace shows is an mm_page_alloc, and then, from the same task on the same
 * CPU, the event of the object for which it was: the object's comes second, for it is told when it is handed out.
 *
 *     mm_page_alloc     pfn=0x103eb6 order=0 gfp_flags=GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY
 *     kmem_cache_alloc  ptr=ffff888103eb6000 …                        ffff888103eb6000 / 4096 - 0x103eb6 = 0xffff888000000
 *
 * 1. Where pointers are real the object lies in those pages. The kernel maps all memory at one place, so pointer / page size - pfn is the
 *    same for all such pairs, and a majority vote finds it (Boyer and Moore's, with 4, 16 and 64 KiB pages side by side) among the pairs
 *    of rule 2 that took one page, and of objects that are whole pages themselves; a block that comes and goes has one vote. From then on
 *    a pair is one if and only if the object lies in the block; interrupts may put other events between the two.
 * 2. Where they are not, or not yet: the object's event must be the CPU's very next, and the page's flags what a slab allocator leaves of
 *    its caller's. It takes ZERO, ACCOUNT, HIGHMEM and MOVABLE away; SLUB's first try adds NOWARN and NORETRY, SLAB always COMP.
 *
 * Sources: truth/traces/README.md; the flags from the recorded events.
 */
import { __GFP } from '../../machine/index.js';
import type { TraceChunk } from '../batch/index.js';

interface SlabPageFinder {
  /** Bytes of a page if pointers are real, else 0. */
  readonly pageSize: number;
  /** Whether a CPU has taken pages for which no object was seen yet. */
  waits(cpu: number): boolean;
  /** Pages were allocated: what the event says, their slot, and the row's place in its chunk. */
  pages(
    cpu: number,
    pid: number,
    pfn: number,
    order: number,
    gfp: number,
    slot: number,
    chunk: TraceChunk,
    at: number,
  ): void;
  /** Something else happened on a CPU that waits. */
  passed(cpu: number): void;
  /**
   * An object was allocated on a CPU that waits. Returns the row of the block that was taken for it, or undefined. `isSlabs` is false for
   * an object that is whole pages itself: its caller's flags were left as they were.
   */
  object(cpu: number, pid: number, low: number, high: number, isSlabs: boolean): PageRow | undefined;
}

/** A block of pages that was taken for an object, and the place of its row in a chunk. */
interface PageRow {
  readonly slot: number;
  readonly order: number;
  readonly chunk: TraceChunk;
  readonly at: number;
}

/** So many events may come between. */
const PATIENCE = 16;
/** As many as a batch's column can name. */
const CPUS_MAX = 1 << 16;
/** A candidate for the direct map wins when it leads the votes by this. */
const LEAD = 8;
/** What the upper half of a pointer counts. */
const HALF = 2 ** 32;
const PAGE_SHIFTS = [12, 14, 16] as const;

const NEVER_SLABS = __GFP.ZERO | __GFP.ACCOUNT | __GFP.HIGHMEM | __GFP.MOVABLE;
const SLUB_FIRST_TRY = __GFP.NOWARN | __GFP.NORETRY;

interface Waiting {
  slot: number;
  pid: number;
  pfn: number;
  order: number;
  gfp: number;
  chunk: TraceChunk;
  at: number;
  /** Events that came since. */
  passed: number;
}

export function createSlabPageFinder(): SlabPageFinder {
  const waiting: (Waiting | undefined)[] = [];
  const isWaiting = new Uint8Array(CPUS_MAX);
  const votes = PAGE_SHIFTS.map((shift) => ({ shift, offset: 0, lead: 0 }));
  /** The winner: where the direct map begins, in pages, and a page's bits. */
  let mapOffset = 0;
  let mapShift = 0;
  let lastVoter = -1;

  function waits(cpu: number): boolean {
    return isWaiting[cpu] === 1;
  }

  function pages(
    cpu: number,
    pid: number,
    pfn: number,
    order: number,
    gfp: number,
    slot: number,
    chunk: TraceChunk,
    at: number,
  ): void {
    isWaiting[cpu] = 1;
    const page = waiting[cpu];
    if (page === undefined) {
      waiting[cpu] = { slot, pid, pfn, order, gfp, chunk, at, passed: 0 };
      return;
    }
    page.slot = slot;
    page.pid = pid;
    page.pfn = pfn;
    page.order = order;
    page.gfp = gfp;
    page.chunk = chunk;
    page.at = at;
    page.passed = 0;
  }

  function passed(cpu: number): void {
    const page = waiting[cpu]!;
    if (++page.passed > PATIENCE) isWaiting[cpu] = 0;
  }

  function object(
    cpu: number,
    pid: number,
    low: number,
    high: number,
    isSlabs: boolean,
  ): PageRow | undefined {
    const page = waiting[cpu]!;
    const looksLikeOne = page.passed === 0 && page.pid === pid && (!isSlabs || isLeftBySlabs(page.gfp));
    // In a larger slab the object need not lie in the first page; a large kmalloc begins there.
    if (mapShift === 0 && looksLikeOne && (page.order === 0 || !isSlabs)) vote(page.pfn, low, high);
    if (page.pid !== pid || !(mapShift === 0 ? looksLikeOne : liesIn(page, low, high))) {
      passed(cpu);
      return undefined;
    }
    const { slot, order, chunk, at } = page;
    isWaiting[cpu] = 0;
    return { slot, order, chunk, at };
  }

  function liesIn({ pfn, order }: Waiting, low: number, high: number): boolean {
    const frame = pageOf(low, high, mapShift) - mapOffset - pfn;
    return frame >= 0 && frame < 1 << order;
  }

  function vote(pfn: number, low: number, high: number): void {
    if (pfn === lastVoter) return;
    lastVoter = pfn;
    for (const candidate of votes) {
      const offset = pageOf(low, high, candidate.shift) - pfn;
      if (candidate.lead === 0) candidate.offset = offset;
      candidate.lead += candidate.offset === offset ? 1 : -1;
      if (candidate.lead < LEAD) continue;
      mapOffset = offset;
      mapShift = candidate.shift;
      return;
    }
  }

  return {
    get pageSize() {
      return mapShift === 0 ? 0 : 1 << mapShift;
    },
    waits,
    pages,
    passed,
    object,
  };
}

/** Whether a slab allocator may have asked for pages with these flags. */
function isLeftBySlabs(gfp: number): boolean {
  return (gfp & NEVER_SLABS) === 0 && ((gfp & SLUB_FIRST_TRY) === SLUB_FIRST_TRY || (gfp & __GFP.COMP) !== 0);
}

/** A pointer in pages: below 2^52, exact. */
export function pageOf(low: number, high: number, shift: number): number {
  return (high >>> 0) * (HALF / (1 << shift)) + (low >>> shift);
}
