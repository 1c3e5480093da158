/**
 * The classes of a trace while it is resolved: what is constant of an allocation, found again for each event.
 *
 * A call site mostly allocates one thing over and over, so the class that a site had last is tried first; then an open-addressing table
 * over all fields. Sites are interned texts such as `seq_open+0x2a`; a class has the function alone, for the same call is at another offset
 * in another build.
 */
import { grown } from '../../base/index.js';
import { CLASS_KIND, type Strings, type TraceClass } from '../batch/index.js';

interface ClassTable {
  readonly count: number;
  /** The class of an object's allocation at a call site, a text, from the cache that the event names, a text or 0. */
  allocation(
    kind: number,
    site: number,
    bytesReq: number,
    bytesAlloc: number,
    gfp: number,
    accounted: number,
    name: number,
  ): number;
  /** The class of a block of pages. */
  pages(order: number, gfp: number): number;
  /** The class of a free whose allocation was not seen, by a text: the cache's name, or the caller. */
  unseen(kind: number, text: number): number;
  /** The class of a kmem_cache_free without a name whose allocation was not seen, by its function and what it lay among. */
  nameless(text: number, bytesAlloc: number): number;
  kindOf(id: number): number;
  bytesOf(id: number): number;
  orderOf(id: number): number;
  /** The text of its function. */
  siteOf(id: number): number;
  born(id: number): void;
  died(id: number): void;
  /** The free of an object gave this name, a text. */
  learn(id: number, name: number): void;
  /** The slab allocator took a block of pages for an object. */
  grew(id: number, order: number): void;
  /** The function of a call site, both texts. */
  functionOf(site: number): number;
  /**
   * All of it, with the neighbours that the caller found. What was taken for whole pages and has no more bytes than `largestKmalloc` is
   * kmalloc's after all: larger pages were seen later.
   */
  list(neighbours: ReadonlyMap<number, ReadonlyMap<number, number>>, largestKmalloc: number): TraceClass[];
}

// Words of a class.
const KIND = 0;
const FUNCTION = 1;
const BYTES_REQ = 2;
const BYTES_ALLOC = 3;
const GFP = 4;
/** Accounted, or the order of pages, or NAMELESS. */
const DETAIL = 5;
const ALLOCS = 6;
const FREES = 7;
/** The first name that a free gave, and how often it came. */
const NAME = 8;
const NAMED = 9;
const HASH = 10;
/** The name that its allocations give, or 0. */
const ALLOCATED_AS = 11;
const WORDS = 12;

/** Detail of an unseen free that gave no name: its text is its function. */
const NAMELESS = 1;

const SPREAD = 0x9e3779b1 | 0;

export function createClassTable(strings: Strings): ClassTable {
  let words = new Int32Array(256 * WORDS);
  /** A class + 1, or 0; at most half full. */
  let slots = new Int32Array(512);
  let count = 0;
  /** By site: its function, and the class + 1 that it had last. */
  let functions = new Int32Array(1024);
  let last = new Int32Array(1024);
  /** Names beyond a class's first, and orders of pages taken: rare. */
  const otherNames = new Map<number, Map<number, number>>();
  const growth = new Map<number, Map<number, number>>();

  function find(
    kind: number,
    text: number,
    bytesReq: number,
    bytesAlloc: number,
    gfp: number,
    detail: number,
    name: number,
  ): number {
    let hash = Math.imul(kind ^ Math.imul(text, SPREAD), SPREAD);
    hash = Math.imul(hash ^ bytesReq, SPREAD) ^ (hash >>> 15);
    hash = Math.imul(hash ^ bytesAlloc, SPREAD) ^ (hash >>> 13);
    hash = Math.imul(hash ^ gfp, SPREAD) ^ (hash >>> 15);
    hash = Math.imul(hash ^ detail, SPREAD) ^ (hash >>> 13);
    hash = Math.imul(hash ^ name, SPREAD);
    hash ^= hash >>> 15;
    const mask = slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const id = slots[at]! - 1;
      if (id < 0) return add(kind, text, bytesReq, bytesAlloc, gfp, detail, name, hash, at);
      if (
        words[id * WORDS + HASH] === hash &&
        is(id, kind, bytesReq, bytesAlloc, gfp, detail, name) &&
        words[id * WORDS + FUNCTION] === text
      )
        return id;
    }
  }

  /** Whether a class has these fields; its function is not looked at. */
  function is(
    id: number,
    kind: number,
    bytesReq: number,
    bytesAlloc: number,
    gfp: number,
    detail: number,
    name: number,
  ): boolean {
    const w = id * WORDS;
    return (
      words[w + BYTES_REQ] === (bytesReq | 0) &&
      words[w + BYTES_ALLOC] === (bytesAlloc | 0) &&
      words[w + GFP] === (gfp | 0) &&
      words[w + KIND] === kind &&
      words[w + DETAIL] === detail &&
      words[w + ALLOCATED_AS] === name
    );
  }

  function add(
    kind: number,
    text: number,
    bytesReq: number,
    bytesAlloc: number,
    gfp: number,
    detail: number,
    name: number,
    hash: number,
    at: number,
  ): number {
    const id = count++;
    if (count * WORDS > words.length) words = grown(words, words.length * 2);
    const w = id * WORDS;
    words[w + KIND] = kind;
    words[w + FUNCTION] = text;
    words[w + BYTES_REQ] = bytesReq;
    words[w + BYTES_ALLOC] = bytesAlloc;
    words[w + GFP] = gfp;
    words[w + DETAIL] = detail;
    words[w + HASH] = hash;
    words[w + ALLOCATED_AS] = name;
    slots[at] = id + 1;
    if (count * 2 > slots.length) rehash();
    return id;
  }

  function rehash(): void {
    slots = new Int32Array(slots.length * 2);
    const mask = slots.length - 1;
    for (let id = 0; id < count; id++) {
      let at = words[id * WORDS + HASH]! & mask;
      while (slots[at] !== 0) at = (at + 1) & mask;
      slots[at] = id + 1;
    }
  }

  function allocation(
    kind: number,
    site: number,
    bytesReq: number,
    bytesAlloc: number,
    gfp: number,
    accounted: number,
    name: number,
  ): number {
    if (site < last.length) {
      const id = last[site]! - 1;
      if (id >= 0 && is(id, kind, bytesReq, bytesAlloc, gfp, accounted, name)) return id;
    }
    const id = find(kind, functionOf(site), bytesReq, bytesAlloc, gfp, accounted, name);
    last[site] = id + 1;
    return id;
  }

  function functionOf(site: number): number {
    if (site >= functions.length) {
      const length = 2 ** Math.ceil(Math.log2(site + 1));
      functions = grown(functions, length);
      last = grown(last, length);
    }
    const known = functions[site]!;
    if (known !== 0 || site === 0) return known;
    const found = strings.internText(functionName(strings.text(site)));
    functions[site] = found;
    return found;
  }

  function learn(id: number, name: number): void {
    const w = id * WORDS;
    if (words[w + NAME] === 0) words[w + NAME] = name;
    if (words[w + NAME] === name) words[w + NAMED]!++;
    else countIn(otherNames, id, name);
  }

  function list(
    neighbours: ReadonlyMap<number, ReadonlyMap<number, number>>,
    largestKmalloc: number,
  ): TraceClass[] {
    return Array.from({ length: count }, (_, id) => {
      const w = id * WORDS;
      const isKmalloc =
        words[w + KIND] === CLASS_KIND.LARGE && words[w + BYTES_ALLOC]! >>> 0 <= largestKmalloc;
      const kind = isKmalloc ? CLASS_KIND.KMALLOC : words[w + KIND]!;
      const text = strings.text(words[w + FUNCTION]!);
      const isPages = kind === CLASS_KIND.PAGES || kind === CLASS_KIND.PAGE_FREE;
      const isFree = kind === CLASS_KIND.CACHE_FREE;
      const isNamedFree = isFree && words[w + DETAIL] !== NAMELESS;
      const names = new Map(otherNames.get(id));
      if (words[w + NAME] !== 0) names.set(words[w + NAME]!, words[w + NAMED]!);
      return {
        kind,
        site: isNamedFree ? '' : text,
        bytesReq: words[w + BYTES_REQ]! >>> 0,
        // What lies beside a hash says nothing.
        bytesAlloc: isFree && !isNamedFree && !neighbours.has(id) ? 0 : words[w + BYTES_ALLOC]! >>> 0,
        gfp: words[w + GFP]! >>> 0,
        order: isPages ? words[w + DETAIL]! : 0,
        accounted: isPages || isFree ? 0 : words[w + DETAIL]!,
        freedAs: isNamedFree ? text : '',
        allocatedAs: strings.text(words[w + ALLOCATED_AS]!),
        allocs: words[w + ALLOCS]!,
        frees: words[w + FREES]!,
        live: Math.max(words[w + ALLOCS]! - words[w + FREES]!, 0),
        grew: byCount(growth.get(id)),
        names: byCount(names).map(([name, times]) => [strings.text(name), times] as const),
        neighbours: byCount(neighbours.get(id)),
      };
    });
  }

  return {
    get count() {
      return count;
    },
    allocation,
    pages: (order, gfp) => find(CLASS_KIND.PAGES, 0, 0, 0, gfp, order, 0),
    unseen: (kind, text) => find(kind, text, 0, 0, 0, 0, 0),
    nameless: (text, bytesAlloc) => find(CLASS_KIND.CACHE_FREE, text, 0, bytesAlloc, 0, NAMELESS, 0),
    kindOf: (id) => words[id * WORDS + KIND]!,
    bytesOf: (id) => words[id * WORDS + BYTES_ALLOC]! >>> 0,
    orderOf: (id) => words[id * WORDS + DETAIL]!,
    siteOf: (id) => words[id * WORDS + FUNCTION]!,
    born: (id) => {
      words[id * WORDS + ALLOCS]!++;
    },
    died: (id) => {
      words[id * WORDS + FREES]!++;
    },
    learn,
    grew: (id, order) => countIn(growth, id, order),
    functionOf,
    list,
  };
}

/** `seq_open+0x2a` without its offset; a module's name behind it, ` [nf_tables]`, stays. A bare address is its own function. */
export function functionName(site: string): string {
  return site.replace(/\+0x[0-9a-f]+(?:\/0x[0-9a-f]+)?/, '');
}

export function countIn<K>(table: Map<K, Map<number, number>>, key: K, item: number, by = 1): void {
  let counts = table.get(key);
  if (counts === undefined) {
    counts = new Map();
    table.set(key, counts);
  }
  counts.set(item, (counts.get(item) ?? 0) + by);
}

/** Most first; equals by number. */
function byCount(counts: ReadonlyMap<number, number> | undefined): (readonly [number, number])[] {
  return [...(counts ?? [])].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}
