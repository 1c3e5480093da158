/**
 * # The page allocator: blocks of 2^order page frames, by zone
 *
 *     order 2   zone ▸ [head] ⇄ block ⇄ block            lists of free blocks, newest first
 *     order 1   zone ▸ [head] ⇄ block
 *     order 10  zone ▸ [head] ⇄ block … then virgin      4 MiB blocks; those never used come last, lowest first
 *
 * A block of order n is 2^n frames and begins at a multiple of 2^n, so its *buddy* is at `pfn ^ 2^n`. The states are those of
 * ledger.ts:
 *  - to allocate, take the first block of the smallest order that has one, halve it until it fits, keep the lower half and list
 *    the upper ones (state 3 or 2 → 4);
 *  - to free, join the block with its buddy as long as the buddy is free and whole, then list it first (state 4 → 3).
 *
 * At boot the kernel frees its memory upwards in the largest blocks and appends them, so that the lowest is handed out first.
 * Here the blocks that nobody has used yet are not listed one by one: `range` remembers where they begin, which gives the same
 * order and makes a machine of 1 TiB cost nothing.
 *
 * ## Which zone
 * The gfp mask names the highest zone; from there the request falls down, Normal to DMA32 to DMA, never up. A zone is passed over
 * when giving the block would leave it at or below its watermark plus what it keeps back from requests that could have been
 * satisfied higher up (`lowmem_reserve`). The first round asks for the low watermark, the second for the min watermark, of which
 * `__GFP_HIGH` may use half and `GFP_ATOMIC` five eighths. There is nothing to reclaim and nobody to wait for: after the second
 * round the request fails and the caller gets `NO_PFN`. Even `__GFP_NOFAIL` does: the kernel would loop for ever.
 *
 * All of it happens under the zone's lock. What is handed out says so in `frameState`, and that is the truth: from those marks alone the
 * lists can be made anew (rebuild.ts). A request that takes a block for a slab notes it in its CPU's hand before it marks it.
 *
 *     const pfn = pages.allocPages(GFP.KERNEL | GFP.DMA32, 2);
 *     if (pfn === NO_PFN) return -ENOMEM;
 *     pages.freePages(pfn, 2);
 *
 * Not modelled: migrate types, per-CPU page lists, watermark boost, reclaim. They change which frame comes next, not how
 * many there are; figures for a zone run dry agree with the recorded ones to about a hundred pages (truth/README.md).
 *
 * Sources: the rules are stated in truth/README.md, section "Page allocator", from recordings of zones running dry; buddy system:
 * Knowlton 1965; Linux Documentation/admin-guide/mm.
 */
import {
  ArgumentError,
  BadFreeError,
  type BadFreeReason,
  formatAddress,
  type Gfp,
  NO_PFN,
  type Order,
  type Pfn,
} from '../base/index.js';
import { createFreeBlocks } from './free-blocks.js';
import { __GFP, formatGfp } from './gfp.js';
import {
  FRAME_FREE,
  FRAME_ORDER,
  FRAME_USED,
  J_HAND,
  J_HAND_FRAME,
  J_HAND_ORDER,
  type Ledger,
  R_VIRGIN,
  R_VIRGIN_END,
  RANGE_WORDS,
  Z_END,
  Z_FREE,
  Z_HEAD,
  Z_LOCK,
  Z_MANAGED,
  Z_PEAK,
  Z_RANGE,
  Z_RANGE_END,
  Z_RESERVE,
  Z_START,
  Z_WMARK_LOW,
  Z_WMARK_MIN,
  ZONE_WORDS,
} from './ledger.js';
import type { Locks } from './locks.js';
import type { KernelLog } from './log.js';
import type { ZoneName } from './memory-map.js';
import type { PageProfile } from './profile.js';

/** The page allocator: blocks of 2^order page frames (machine/page-allocator.ts). */
export interface PageAllocator {
  /** 2^order frames, or NO_PFN when no allowed zone can give them. */
  allocPages(gfp: Gfp, order: Order): Pfn;
  /** Gives back what `allocPages` returned, with the same order. Throws BadFreeError; then nothing changed. */
  freePages(pfn: Pfn, order: Order): void;
  /** Index of the highest zone that the mask allows. */
  highestZone(gfp: Gfp): number;
  /** Index of the zone that manages a frame, or -1. */
  zoneOf(pfn: Pfn): number;
}

/** What the allocator must know of the machine beside its ledger. */
interface PageAllocatorOptions {
  readonly profile: PageProfile;
  /** In the ledger's order, lowest first. */
  readonly zoneNames: readonly ZoneName[];
  readonly basePfn: number;
  readonly log: KernelLog;
  readonly locks: Locks;
}

/** The page allocator of a ledger. It keeps nothing of its own: all of its state is in the ledger. */
export function createPageAllocator(ledger: Ledger, options: PageAllocatorOptions): PageAllocator {
  const { zone, range, frameState, frameSlab } = ledger;
  const { list, unlist } = createFreeBlocks(ledger);
  const { journal } = ledger;
  const { zoneNames, basePfn, log, locks } = options;
  const { orders, pageSize } = options.profile;
  const zones = zoneNames.length;
  const topOrder = orders - 1;

  // ---- which zone ------------------------------------------------------------------------------------------------------

  const normal = zoneNames.indexOf('Normal');
  // A kernel built without a zone sends its requests to Normal.
  const dma = zoneNames.includes('DMA') ? zoneNames.indexOf('DMA') : normal;
  const dma32 = zoneNames.includes('DMA32') ? zoneNames.indexOf('DMA32') : normal;

  function highestZone(gfp: Gfp): number {
    const dmaBits = gfp & (__GFP.DMA | __GFP.DMA32 | __GFP.HIGHMEM);
    if (dmaBits === 0 || dmaBits === __GFP.HIGHMEM) return normal;
    if (dmaBits === __GFP.DMA) return dma;
    if (dmaBits === __GFP.DMA32) return dma32;
    // Two zones at once name none: the kernel's table has nothing there and the lowest zone comes out.
    log.addOnce(
      `impossible-zone-${dmaBits}`,
      `gfp ${formatGfp(dmaBits, options.profile.gfp)} names an impossible zone: none is two of DMA, DMA32 and HIGHMEM at once; ` +
        `the lowest zone (${zoneNames[0]}) is taken`,
    );
    return 0;
  }

  function zoneOfFrame(frame: number): number {
    for (let z = 0; z < zones; z++) {
      const row = z * ZONE_WORDS;
      if (frame >= zone[row + Z_START]! && frame < zone[row + Z_END]!) return z;
    }
    return -1;
  }

  /** The mark that this request may go down to in its second round. */
  function lowestMark(row: number, gfp: number): number {
    let mark = zone[row + Z_WMARK_MIN]!;
    if (gfp & __GFP.HIGH) mark -= mark >> 1;
    // Atomic requests may not wait for reclaim, so they may go deeper, unless they promise not to touch the reserves.
    if (gfp & __GFP.ATOMIC && !(gfp & __GFP.NOMEMALLOC)) mark -= mark >> 2;
    return mark;
  }

  function hasBlock(row: number, order: Order): boolean {
    for (let o = order; o <= topOrder; o++) if (zone[row + Z_HEAD + o] !== 0) return true;
    return hasVirgin(row);
  }

  function allocPages(gfp: Gfp, order: Order): Pfn {
    if (!Number.isInteger(order) || order < 0)
      throw new ArgumentError(`an order is a whole number from 0, not ${order}`);
    if (order > topOrder) {
      if (!(gfp & __GFP.NOWARN)) {
        log.addOnce(
          'order-too-large',
          `WARNING: order ${order} >= ${orders}, gfp_mask=${formatGfp(gfp, options.profile.gfp)}: no block is that large`,
        );
      }
      return NO_PFN;
    }
    const highest = highestZone(gfp);
    const pages = 2 ** order;
    const rounds = gfp & __GFP.MEMALLOC && !(gfp & __GFP.NOMEMALLOC) ? 1 : 2;
    for (let round = 0; round < rounds; round++) {
      for (let z = highest; z >= 0; z--) {
        const row = z * ZONE_WORDS;
        if (zone[row + Z_MANAGED] === 0) continue;
        let mark = -1;
        if (rounds === 2) {
          mark = round === 0 ? zone[row + Z_WMARK_LOW]! : lowestMark(row, gfp);
          mark += pages - 1 + zone[row + Z_RESERVE + highest]!;
        }
        if (zone[row + Z_FREE]! <= mark) continue;
        locks.take(zone, row + Z_LOCK, 'a zone');
        // Looked at again: others may have been faster.
        const fits = zone[row + Z_FREE]! > mark && zone[row + Z_FREE]! >= pages && hasBlock(row, order);
        const frame = fits ? takeBlock(row, order) : -1;
        locks.release(zone, row + Z_LOCK);
        if (frame >= 0) return (frame + basePfn) as Pfn;
      }
    }
    return NO_PFN;
  }

  // ---- blocks ----------------------------------------------------------------------------------------------------------

  function hasVirgin(row: number): boolean {
    while (zone[row + Z_RANGE]! < zone[row + Z_RANGE_END]!) {
      const r = zone[row + Z_RANGE]! * RANGE_WORDS;
      if (range[r + R_VIRGIN]! < range[r + R_VIRGIN_END]!) return true;
      zone[row + Z_RANGE]!++;
    }
    return false;
  }

  function takeBlock(row: number, order: Order): number {
    let have = order;
    while (have <= topOrder && zone[row + Z_HEAD + have] === 0) have++;
    let frame: number;
    if (have <= topOrder) {
      frame = zone[row + Z_HEAD + have]! - 1;
      unlist(row, frame, have);
    } else {
      have = topOrder;
      const r = zone[row + Z_RANGE]! * RANGE_WORDS;
      frame = range[r + R_VIRGIN]!;
      range[r + R_VIRGIN] = frame + 2 ** topOrder;
    }
    while (have > order) {
      have--;
      list(row, frame + 2 ** have, have);
    }
    // What a slab is being made of is in hand before it counts as handed out.
    const j = locks.journal;
    if (locks.concurrent() && journal[j + J_HAND] !== 0) {
      journal[j + J_HAND_ORDER] = order;
      journal[j + J_HAND_FRAME] = frame + 1;
    }
    frameState[frame] = FRAME_USED + order;
    zone[row + Z_FREE]! -= 2 ** order;
    const taken = zone[row + Z_MANAGED]! - zone[row + Z_FREE]!;
    if (taken > zone[row + Z_PEAK]!) zone[row + Z_PEAK] = taken;
    return frame;
  }

  function freePages(pfn: Pfn, order: Order): void {
    const frame = pfn - basePfn;
    checkFree(pfn, frame, order);
    const row = zoneOfFrame(frame) * ZONE_WORDS;
    locks.take(zone, row + Z_LOCK, 'a zone');
    try {
      // Of two who free one block at the same time, the second is refused here.
      if (locks.concurrent()) checkFree(pfn, frame, order);
      giveBlock(row, frame, order);
    } finally {
      locks.release(zone, row + Z_LOCK);
    }
  }

  function giveBlock(row: number, frame: number, order: Order): void {
    const j = locks.journal;
    zone[row + Z_FREE]! += 2 ** order;
    frameState[frame] = 0;
    if (locks.concurrent() && journal[j + J_HAND_FRAME] === frame + 1) journal[j + J_HAND_FRAME] = 0;
    let block = frame;
    let size = order;
    while (size < topOrder) {
      // xor on 32 bits is enough: frames are counted from the machine's first and stay below 2^31.
      const buddy = block ^ (1 << size);
      if (frameState[buddy] !== FRAME_FREE + size) break;
      if (buddy < zone[row + Z_START]! || buddy >= zone[row + Z_END]!) break;
      unlist(row, buddy, size);
      block &= ~(1 << size);
      size++;
    }
    list(row, block, size);
  }

  /** Throws BadFreeError unless a block of this order was handed out here and is no slab's. */
  function checkFree(pfn: Pfn, frame: number, order: Order): void {
    // One look at the two words says yes to nearly every free; for a frame that is not there they are undefined.
    const usual = order >>> 0 === order && order <= topOrder;
    if (!usual || frameState[frame] !== FRAME_USED + order || frameSlab[frame] !== 0)
      refuseFree(pfn, frame, order);
  }

  function refuseFree(pfn: Pfn, frame: number, order: Order): never {
    const address = pfn * pageSize;
    const refused = (reason: BadFreeReason, words: string) =>
      new BadFreeError(address, reason, `pfn ${pfn} (${formatAddress(address)}) ${words}`);
    if (!Number.isInteger(frame) || zoneOfFrame(frame) < 0)
      throw refused('unknown-address', "is not in this machine's memory");
    const state = frameState[frame]!;
    if (!(state & FRAME_USED))
      throw refused('not-live', 'is not the start of a block that was handed out; it may be free already');
    if (frameSlab[frame] !== 0)
      throw refused('not-live', "is a slab's page: free its objects, not its pages");
    const had = state & FRAME_ORDER;
    throw refused('wrong-order', `was handed out with order ${had} and freed with order ${order}`);
  }

  return { allocPages, freePages, highestZone, zoneOf: (pfn) => zoneOfFrame(pfn - basePfn) };
}
