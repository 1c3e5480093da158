/**
 * # Lists made anew from what is true
 *
 * A CPU that died with a lock in hand leaves lists that may be half written. Each structure has marks that are written as one word and in
 * such an order that they are right at every moment:
 *
 *     zone      `frameState` says USED       everything else of the zone that is not virgin is free
 *     links     `slabCache` names a cache    the slab's id is taken, and the links at `slabLinks`
 *
 * Lists, counts and heads follow from the marks. Free blocks come out in another order than they were in: after a death nobody
 * can expect the kernel's next address. Both are called by who has the lock, and may be cut off and called again.
 */

import { blocksOf, createFreeBlocks } from './free-blocks.js';
import {
  C_NR_SLABS,
  C_TOTAL_OBJECTS,
  CACHE_WORDS,
  FRAME_ORDER,
  FRAME_USED,
  H_LINK_CLASSES,
  H_LINKPAGE_FREE,
  H_LINKPAGE_HIGH,
  H_SLAB_FREE,
  H_SLAB_HIGH,
  L_CLASS,
  L_FREE_SLOT,
  L_NEXT,
  L_PREV,
  L_USED,
  type Ledger,
  LINK_CLASS_WORDS,
  LINKPAGE_WORDS,
  LINKS_PER_PAGE,
  R_END,
  R_START,
  R_VIRGIN,
  R_VIRGIN_END,
  RANGE_WORDS,
  shapeObjects,
  Z_COUNT,
  Z_END,
  Z_FREE,
  Z_HEAD,
  Z_START,
  ZONE_WORDS,
} from './ledger.js';
import { CLASS_LINKS, freeLinkPage, linkClassOf, listLinkPage, slotsOf, WHOLE_PAGES } from './links.js';

/** The free lists of a zone, from the blocks that are handed out. */
export function rebuildZone(ledger: Ledger, z: number, orders: number): void {
  const { zone, range, shape } = ledger;
  const row = z * ZONE_WORDS;
  zone.fill(0, row + Z_HEAD, row + Z_HEAD + orders);
  zone.fill(0, row + Z_COUNT, row + Z_COUNT + orders);
  zone[row + Z_FREE] = 0;
  for (let i = 0; i < shape.ranges; i++) {
    const r = i * RANGE_WORDS;
    const start = range[r + R_START]!;
    if (start < zone[row + Z_START]! || start >= zone[row + Z_END]!) continue;
    listBetweenUsed(ledger, row, start, range[r + R_VIRGIN]!, orders);
    listBetweenUsed(ledger, row, range[r + R_VIRGIN_END]!, range[r + R_END]!, orders);
    zone[row + Z_FREE]! += range[r + R_VIRGIN_END]! - range[r + R_VIRGIN]!;
  }
}

function listBetweenUsed(ledger: Ledger, row: number, from: number, to: number, orders: number): void {
  const { frameState } = ledger;
  let free = from;
  for (let frame = from; frame < to; ) {
    const state = frameState[frame]!;
    if (!(state & FRAME_USED)) {
      frameState[frame] = 0;
      frame++;
      continue;
    }
    listFree(ledger, row, free, frame, orders);
    frame += 2 ** (state & FRAME_ORDER);
    free = frame;
  }
  listFree(ledger, row, free, to, orders);
}

/** Free frames, cut into the largest blocks that fit; each becomes the first of its list. */
function listFree(ledger: Ledger, row: number, from: number, to: number, orders: number): void {
  const { list } = createFreeBlocks(ledger);
  for (const [frame, order] of blocksOf(from, to, orders)) {
    list(row, frame, order);
    ledger.zone[row + Z_FREE]! += 2 ** order;
  }
}

/** Free slab ids, link pages, and each cache's slabs and objects, from the slabs that have a cache. */
export function rebuildLinks(ledger: Ledger): void {
  const { header, linkPage, link, slabCache, slabNext, slabLinks, slabShape, cache, shape } = ledger;
  header[H_SLAB_FREE] = 0;
  header[H_LINKPAGE_FREE] = 0;
  header.fill(0, H_LINK_CLASSES, H_LINK_CLASSES + LINK_CLASS_WORDS);
  linkPage.fill(0, 0, header[H_LINKPAGE_HIGH]! * LINKPAGE_WORDS);
  for (let id = 1; id <= shape.caches; id++) {
    cache[id * CACHE_WORDS + C_NR_SLABS] = 0;
    cache[id * CACHE_WORDS + C_TOTAL_OBJECTS] = 0;
  }
  /** Slots in use, by page. */
  const taken = new Map<number, Set<number>>();
  for (let slab = header[H_SLAB_HIGH]!; slab > 0; slab--) {
    const id = slabCache[slab]!;
    if (id === 0) {
      slabNext[slab] = header[H_SLAB_FREE]!;
      header[H_SLAB_FREE] = slab;
      continue;
    }
    const objects = shapeObjects(slabShape[slab]!);
    cache[id * CACHE_WORDS + C_NR_SLABS]!++;
    cache[id * CACHE_WORDS + C_TOTAL_OBJECTS]! += objects;
    const page = Math.floor(slabLinks[slab]! / LINKS_PER_PAGE);
    if (objects > LINKS_PER_PAGE) {
      for (let i = 0; i < Math.ceil(objects / LINKS_PER_PAGE); i++)
        linkPage[(page + i) * LINKPAGE_WORDS + L_CLASS] = WHOLE_PAGES;
      continue;
    }
    const linkClass = linkClassOf(objects);
    linkPage[page * LINKPAGE_WORDS + L_CLASS] = linkClass + 1;
    const slots = taken.get(page) ?? new Set();
    slots.add((slabLinks[slab]! - page * LINKS_PER_PAGE) / CLASS_LINKS[linkClass]!);
    taken.set(page, slots);
  }
  for (let page = header[H_LINKPAGE_HIGH]! - 1; page >= 0; page--) {
    const row = page * LINKPAGE_WORDS;
    const linkClass = linkPage[row + L_CLASS]! - 1;
    if (linkClass < 0) freeLinkPage(ledger, page);
    const slots = taken.get(page);
    if (slots === undefined) continue;
    linkPage[row + L_USED] = slots.size;
    linkPage[row + L_FREE_SLOT] = 0;
    linkPage[row + L_NEXT] = 0;
    linkPage[row + L_PREV] = 0;
    for (let slot = slotsOf(linkClass) - 1; slot >= 0; slot--) {
      if (slots.has(slot)) continue;
      link[page * LINKS_PER_PAGE + slot * CLASS_LINKS[linkClass]!] = linkPage[row + L_FREE_SLOT]!;
      linkPage[row + L_FREE_SLOT] = slot + 1;
    }
    if (linkPage[row + L_FREE_SLOT] !== 0) listLinkPage(ledger, page, H_LINK_CLASSES + linkClass);
  }
}
