/**
 * Links: one 16-bit word an object, in pages of 2048.
 *
 *     page 0  | slot | slot | slot | slot | …        16 links a slot: slabs of 15 or 16 objects
 *     page 1  | slot          | slot          | …    40 links a slot
 *     page 2  | whole pages, for slabs of more than 2048 objects
 *
 * A page belongs to one size class while any of its slots is used, and is given back when empty, so that the ledger follows what
 * is live: 1.15 to 1.3 times the peak need under churn, where a bump allocator with a free list per exact size took 2.5 to 4.
 *
 * Slab ids, link pages and how many slabs a cache has change together, under the links' lock. The truth is in the rows of the slabs:
 * what has a cache is in use, with the links that it names; all else can be made anew from that (rebuild.ts).
 */
import { assert, EngineError, LedgerFullError } from '../base/index.js';
import {
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
  MAX_OBJECTS_PER_SLAB,
} from './ledger.js';

/**
 * Slot sizes: every count up to 8, then four a doubling, so that a slot is at most a quarter larger than what it holds. Above
 * LINKS_PER_PAGE a slab takes whole pages, one behind the other.
 */
export const CLASS_LINKS: readonly number[] = (() => {
  const sizes = [1, 2, 3, 4, 5, 6, 7, 8];
  for (let base = 8; base < LINKS_PER_PAGE; base *= 2) {
    for (let quarter = 5; quarter <= 8; quarter++) sizes.push((base * quarter) / 4);
  }
  return sizes;
})();

/** Page classes that are not slots: part of a run of whole pages. */
export const WHOLE_PAGES = 0x7fff;

/** The class of the smallest slots that hold so many links: an index of CLASS_LINKS. */
export function linkClassOf(objects: number): number {
  let low = 0;
  let high = CLASS_LINKS.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (CLASS_LINKS[middle]! < objects) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many slots of a class a page of links has. */
export function slotsOf(linkClass: number): number {
  return Math.floor(LINKS_PER_PAGE / CLASS_LINKS[linkClass]!);
}

/** Room for the links of `objects` objects: the index of the first. Throws LedgerFullError; then nothing was taken. */
export function takeLinks(ledger: Ledger, objects: number): number {
  assert(objects >= 1 && objects <= MAX_OBJECTS_PER_SLAB, `a slab of ${objects} objects`);
  if (objects > LINKS_PER_PAGE)
    return takeWholePages(ledger, Math.ceil(objects / LINKS_PER_PAGE)) * LINKS_PER_PAGE;
  const { header, linkPage, link } = ledger;
  const linkClass = linkClassOf(objects);
  const head = H_LINK_CLASSES + linkClass;
  if (header[head] === 0) addLinkPage(ledger, linkClass);
  const page = header[head]! - 1;
  const row = page * LINKPAGE_WORDS;
  const slot = linkPage[row + L_FREE_SLOT]! - 1;
  const first = page * LINKS_PER_PAGE + slot * CLASS_LINKS[linkClass]!;
  linkPage[row + L_FREE_SLOT] = link[first]!;
  linkPage[row + L_USED]!++;
  if (linkPage[row + L_FREE_SLOT] === 0) unlistLinkPage(ledger, page, head);
  return first;
}

/** Gives back what `takeLinks(ledger, objects)` returned. */
export function giveLinks(ledger: Ledger, first: number, objects: number): void {
  const { header, linkPage, link } = ledger;
  const page = Math.floor(first / LINKS_PER_PAGE);
  if (objects > LINKS_PER_PAGE) {
    const pages = Math.ceil(objects / LINKS_PER_PAGE);
    for (let i = pages - 1; i >= 0; i--) freeLinkPage(ledger, page + i);
    return;
  }
  const linkClass = linkClassOf(objects);
  const row = page * LINKPAGE_WORDS;
  assert(
    linkPage[row + L_CLASS] === linkClass + 1,
    `link page ${page} holds class ${linkPage[row + L_CLASS]}`,
  );
  const head = H_LINK_CLASSES + linkClass;
  const slot = (first - page * LINKS_PER_PAGE) / CLASS_LINKS[linkClass]!;
  const wasFull = linkPage[row + L_FREE_SLOT] === 0;
  link[first] = linkPage[row + L_FREE_SLOT]!;
  linkPage[row + L_FREE_SLOT] = slot + 1;
  linkPage[row + L_USED]!--;
  if (wasFull) listLinkPage(ledger, page, head);
  // The last page of a class stays, so that one slab coming and going does not move a page each time.
  if (linkPage[row + L_USED] === 0 && !(header[head] === page + 1 && linkPage[row + L_NEXT] === 0)) {
    unlistLinkPage(ledger, page, head);
    freeLinkPage(ledger, page);
  }
}

function addLinkPage(ledger: Ledger, linkClass: number): void {
  const { header, linkPage, link } = ledger;
  assert(CLASS_LINKS.length <= LINK_CLASS_WORDS, 'the header has a word for each link class');
  const chained = header[H_LINKPAGE_FREE]!;
  let page: number;
  if (chained !== 0) {
    page = chained - 1;
    header[H_LINKPAGE_FREE] = linkPage[page * LINKPAGE_WORDS + L_NEXT]!;
  } else {
    page = takeWholePages(ledger, 1);
  }
  const row = page * LINKPAGE_WORDS;
  const size = CLASS_LINKS[linkClass]!;
  const slots = slotsOf(linkClass);
  for (let slot = 0; slot < slots; slot++) {
    link[page * LINKS_PER_PAGE + slot * size] = slot + 1 < slots ? slot + 2 : 0;
  }
  linkPage[row + L_CLASS] = linkClass + 1;
  linkPage[row + L_USED] = 0;
  linkPage[row + L_FREE_SLOT] = 1;
  listLinkPage(ledger, page, H_LINK_CLASSES + linkClass);
}

/** New pages at the high-water mark, or a run of ones given back. */
function takeWholePages(ledger: Ledger, count: number): number {
  const { header, linkPage } = ledger;
  let first = count > 1 ? takeFreeRun(ledger, count) : -1;
  if (first < 0) {
    first = header[H_LINKPAGE_HIGH]!;
    if (first + count > ledger.shape.linkPages) {
      throw new LedgerFullError('link pages', ledger.shape.linkPages, 'ledger.linkPages');
    }
    header[H_LINKPAGE_HIGH] = first + count;
  }
  for (let i = 0; i < count; i++) linkPage[(first + i) * LINKPAGE_WORDS + L_CLASS] = WHOLE_PAGES;
  return first;
}

/** Slabs of more than 2048 objects are rare (8-byte objects at order 3), so a search from the bottom will do. */
function takeFreeRun(ledger: Ledger, count: number): number {
  const { header, linkPage } = ledger;
  const high = header[H_LINKPAGE_HIGH]!;
  for (let first = 0, run = 0, page = 0; page < high; page++) {
    if (linkPage[page * LINKPAGE_WORDS + L_CLASS] !== 0) {
      run = 0;
      first = page + 1;
      continue;
    }
    if (++run < count) continue;
    // Take the run's pages out of the chain.
    let at = H_LINKPAGE_FREE;
    let words = header;
    while (words[at] !== 0) {
      const candidate = words[at]! - 1;
      const next = candidate * LINKPAGE_WORDS + L_NEXT;
      if (candidate >= first && candidate < first + count) {
        words[at] = linkPage[next]!;
      } else {
        words = linkPage;
        at = next;
      }
    }
    return first;
  }
  return -1;
}

/** Gives a page of links back: the next one that is wanted is this one. */
export function freeLinkPage(ledger: Ledger, page: number): void {
  const { header, linkPage } = ledger;
  const row = page * LINKPAGE_WORDS;
  linkPage[row + L_CLASS] = 0;
  linkPage[row + L_NEXT] = header[H_LINKPAGE_FREE]!;
  header[H_LINKPAGE_FREE] = page + 1;
}

/** Puts a page of links first on a list. `head` is the list's word in the header. */
export function listLinkPage(ledger: Ledger, page: number, head: number): void {
  const { header, linkPage } = ledger;
  const row = page * LINKPAGE_WORDS;
  const next = header[head]!;
  linkPage[row + L_NEXT] = next;
  linkPage[row + L_PREV] = 0;
  if (next !== 0) linkPage[(next - 1) * LINKPAGE_WORDS + L_PREV] = page + 1;
  header[head] = page + 1;
}

function unlistLinkPage(ledger: Ledger, page: number, head: number): void {
  const { header, linkPage } = ledger;
  const row = page * LINKPAGE_WORDS;
  const next = linkPage[row + L_NEXT]!;
  const prev = linkPage[row + L_PREV]!;
  if (prev !== 0) linkPage[(prev - 1) * LINKPAGE_WORDS + L_NEXT] = next;
  else if (header[head] === page + 1) header[head] = next;
  else throw new EngineError(`link page ${page} is not on its list`);
  if (next !== 0) linkPage[(next - 1) * LINKPAGE_WORDS + L_PREV] = prev;
  linkPage[row + L_NEXT] = 0;
  linkPage[row + L_PREV] = 0;
}

/** For reports: link pages in use, and bytes of links that they hold. */
export function linkPagesInUse(ledger: Ledger): number {
  let used = 0;
  for (let page = 0; page < ledger.header[H_LINKPAGE_HIGH]!; page++) {
    if (ledger.linkPage[page * LINKPAGE_WORDS + L_CLASS] !== 0) used++;
  }
  return used;
}

/** Checks the link pages: every page on the list it should be on, free slots and used ones add up to the page. */
export function checkLinkPages(ledger: Ledger, fail: (term: string, message: string) => void): void {
  const { header, linkPage, link } = ledger;
  for (const [linkClass, size] of CLASS_LINKS.entries()) {
    let prev = 0;
    let steps = 0;
    for (let page = header[H_LINK_CLASSES + linkClass]!; page !== 0; ) {
      const row = (page - 1) * LINKPAGE_WORDS;
      if (++steps > ledger.shape.linkPages)
        return fail('link.list', `class ${size}: the list of link pages has a cycle`);
      if (linkPage[row + L_CLASS] !== linkClass + 1 || linkPage[row + L_PREV] !== prev) {
        return fail('link.list', `link page ${page - 1} is on the list of class ${size} and says otherwise`);
      }
      prev = page;
      page = linkPage[row + L_NEXT]!;
    }
  }
  for (let page = 0; page < header[H_LINKPAGE_HIGH]!; page++) {
    const row = page * LINKPAGE_WORDS;
    const linkClass = linkPage[row + L_CLASS]! - 1;
    if (linkClass < 0 || linkClass >= CLASS_LINKS.length) continue;
    let free = 0;
    const slots = slotsOf(linkClass);
    for (let slot = linkPage[row + L_FREE_SLOT]!; slot !== 0 && free <= slots; free++) {
      slot = link[page * LINKS_PER_PAGE + (slot - 1) * CLASS_LINKS[linkClass]!]!;
    }
    if (free + linkPage[row + L_USED]! !== slots) {
      fail(
        'link.slots',
        `link page ${page}: ${linkPage[row + L_USED]} used + ${free} free slots are not ${slots}`,
      );
    }
  }
}

// ---- Slab ids: a free chain in front of a high-water mark --------------------------------------------------------------

/** A slab id of its own, its row to be filled by the caller. Throws LedgerFullError. */
export function takeSlabId(ledger: Ledger): number {
  const { header, slabNext } = ledger;
  const free = header[H_SLAB_FREE]!;
  if (free !== 0) {
    header[H_SLAB_FREE] = slabNext[free]!;
    return free;
  }
  const id = header[H_SLAB_HIGH]! + 1;
  if (id > ledger.shape.slabs) throw new LedgerFullError('slabs', ledger.shape.slabs, 'ledger.slabs');
  header[H_SLAB_HIGH] = id;
  return id;
}

/** Gives a slab id back: the next one that is wanted is this one. */
export function giveSlabId(ledger: Ledger, id: number): void {
  const { header, slabNext, slabCache } = ledger;
  slabCache[id] = 0;
  slabNext[id] = header[H_SLAB_FREE]!;
  header[H_SLAB_FREE] = id;
}
