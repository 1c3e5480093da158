/**
 * # Which cache is a class?
 *
 * kmem_cache_alloc says which cache it took from after 6.17 only, kmem_cache_free from 5.12 on, and both say the name of the oldest of the
 * caches that were merged: an epoll item is freed as a `pid`. A class (trace.ts) is one call site's objects of one size, so its cache
 * is found once for all of them, by the first of these that gives one:
 *
 *  1. kmalloc: the type follows from the flags, asked for in this order: DMA, RECLAIMABLE, ACCOUNT, none; the class of sizes is the
 *     smallest of that type with objects in this distance that is large enough (with SLAB those of kmalloc-96 lie 128 bytes apart, as
 *     those of kmalloc-128 do);
 *  2. the name that its allocations give; without one its frees: the name that most of them gave;
 *  3. its pages: at the trace's end it had live objects in pages in which others had some too, and those are known; a slab is one cache's;
 *  4. its exact size: one known cache has objects of just these bytes, in just this distance;
 *  5. its function: frees of the same function's objects of the same distance gave a name. `bytes_req` is the cache's object size, which
 *     grows while a system boots and others merge with it, so an earlier class has fewer bytes;
 *  6. its size: one known cache has this distance and is large enough;
 *  7. its function once more: of the caches that are left, one is known to be what this function allocates from (class-sites.ts).
 *
 * In 4, 6 and 7 a cache is out if it charges its objects to memory cgroups and this class is not charged, or the reverse, or if the class
 * has more live objects than the cache, less what is known to be others', ever had room for. Where several are left one is taken, and
 * `how` says so; where none is, the class gets a cache of its own, `?function/size`. Nothing is guessed silently: `why` is for people.
 *
 * Rules: truth/traces/README.md, what the events lack, 1 to 5.
 */
import { __GFP } from '../machine/index.js';
import { cacheOfSite } from './class-sites.js';
import { ACCOUNTED } from './events.js';
import { PlaceQueue } from './place-queue.js';
import { CLASS_KIND, type TraceClass } from './trace.js';

/** A cache that the traced machine is known to have had. */
export interface KnownCache {
  /** The one name under which it is spoken of: its directory in sysfs where that is known. */
  readonly name: string;
  /** All names that lead to it. */
  readonly names: readonly string[];
  /** Bytes from one object to the next. */
  readonly size: number;
  /** Bytes of an object; 0 if unknown. */
  readonly objectSize: number;
  /** Whether it charges its objects to memory cgroups, if known. */
  readonly accounted?: boolean | undefined;
  /** Objects that it ever had room for, if known. */
  readonly capacity?: number | undefined;
}

/** How a class's cache was found: by which of the rules of trace/classes.ts. `none` is for what is no object of a cache. */
export type HowNamed =
  | 'kmalloc'
  | 'event'
  | 'frees'
  | 'pages'
  | 'site'
  | 'size'
  | 'choice'
  | 'unnamed'
  | 'none';

/** The cache of a class. */
export interface ClassCache {
  /** '' for what is no object of a cache. */
  readonly name: string;
  readonly how: HowNamed;
  /** Such as `from its frees, 4822 of 4822`. */
  readonly why: string;
}

const NONE: ClassCache = { name: '', how: 'none', why: 'no object of a cache' };

/** The caches of all classes, in their order. */
export function nameClasses(classes: readonly TraceClass[], known: readonly KnownCache[]): ClassCache[] {
  const naming = new Naming(classes, known);
  classes.forEach(({ kind, bytesReq, bytesAlloc, gfp, names, freedAs, frees, allocatedAs, allocs }, id) => {
    if (kind === CLASS_KIND.KMALLOC) {
      const name = naming.kmalloc(kmallocPrefixOf(gfp), bytesReq, bytesAlloc);
      naming.set(id, { name, how: 'kmalloc', why: 'by its size and flags' });
    } else if (kind === CLASS_KIND.CACHE_FREE && freedAs !== '') {
      naming.set(id, {
        name: naming.canonical(freedAs),
        how: 'frees',
        why: `from its frees, ${frees} of ${frees}`,
      });
    } else if (kind === CLASS_KIND.CACHE && allocatedAs !== '') {
      const why = `from its allocations, ${allocs} of ${allocs}`;
      naming.set(id, { name: naming.canonical(allocatedAs), how: 'event', why });
    } else if (kind === CLASS_KIND.CACHE && names.length > 0) {
      const of = names.reduce((sum, [, count]) => sum + count, 0);
      const [first, agree] = naming.majority(names)!;
      naming.set(id, { name: first, how: 'frees', why: `from its frees, ${agree} of ${of}` });
    } else if (kind !== CLASS_KIND.CACHE) {
      naming.set(id, NONE);
    }
  });
  naming.learnAccounting();
  naming.byPages();
  naming.bySize(true);
  naming.bySite();
  naming.bySize(false);
  return naming.rest();
}

/** The type of a kmalloc cache follows from its flags, as 6.1 numbers them. */
export function kmallocPrefixOf(gfp: number): string {
  if (gfp & __GFP.DMA) return 'dma-kmalloc-';
  if (gfp & __GFP.RECLAIMABLE) return 'kmalloc-rcl-';
  return gfp & __GFP.ACCOUNT ? 'kmalloc-cg-' : 'kmalloc-';
}

/** 192, 1k, 8k, 4M: as kmalloc caches are called. */
export function sizeSuffix(bytes: number): string {
  if (bytes >= 2 ** 20 && bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20}M`;
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024}k` : String(bytes);
}

class Naming {
  readonly #classes: readonly TraceClass[];
  readonly #canonical: ReadonlyMap<string, string>;
  /** Known caches by the distance of their objects. */
  readonly #bySize: ReadonlyMap<number, readonly KnownCache[]>;
  readonly #found: (ClassCache | undefined)[];
  /** Live objects at the end that are known to be a cache's. */
  readonly #live = new Map<string, number>();
  readonly #accounted = new Map<string, boolean>();

  constructor(classes: readonly TraceClass[], known: readonly KnownCache[]) {
    this.#classes = classes;
    this.#canonical = new Map(
      known.flatMap(({ name, names }) => [name, ...names].map((each) => [each, name] as const)),
    );
    const bySize = new Map<number, KnownCache[]>();
    for (const cache of known) push(bySize, cache.size, cache);
    this.#bySize = bySize;
    this.#found = new Array(classes.length);
    for (const { name, accounted } of known)
      if (accounted !== undefined) this.#accounted.set(name, accounted);
  }

  /** The one name of a cache that an event may call by another. */
  canonical(name: string): string {
    return this.#canonical.get(name) ?? name;
  }

  kmalloc(prefix: string, bytesReq: number, bytesAlloc: number): string {
    const type = new RegExp(`^${prefix}\\d+[kM]?$`);
    const [smallest] = this.#sized(bytesAlloc)
      .filter(({ name, objectSize }) => objectSize >= bytesReq && type.test(name))
      .sort((a, b) => a.objectSize - b.objectSize);
    return smallest?.name ?? this.canonical(`${prefix}${sizeSuffix(bytesAlloc)}`);
  }

  #sized(bytes: number): readonly KnownCache[] {
    return this.#bySize.get(bytes) ?? [];
  }

  set(id: number, cache: ClassCache): void {
    this.#found[id] = cache;
    if (this.#classes[id]!.kind === CLASS_KIND.CACHE)
      this.#live.set(cache.name, (this.#live.get(cache.name) ?? 0) + this.#classes[id]!.live);
  }

  /** The cache that most of these names lead to, and how many. */
  majority(
    names: readonly (readonly [string, number])[],
  ): readonly [name: string, count: number] | undefined {
    const counts = new Map<string, number>();
    for (const [name, count] of names)
      counts.set(this.canonical(name), (counts.get(this.canonical(name)) ?? 0) + count);
    return [...counts].sort((a, b) => b[1] - a[1])[0];
  }

  /** A cache whose objects are not charged has no accounting; one whose are, without being asked by the flags, has. */
  learnAccounting(): void {
    this.#classes.forEach(({ accounted, gfp }, id) => {
      const found = this.#found[id];
      if ((found?.how !== 'frees' && found?.how !== 'event') || this.#accounted.has(found.name)) return;
      if (accounted === ACCOUNTED.NO) this.#accounted.set(found.name, false);
      if (accounted === ACCOUNTED.YES && !(gfp & __GFP.ACCOUNT)) this.#accounted.set(found.name, true);
    });
  }

  /**
   * Who shares a page with somebody named has that name; again, for those who share one with them. Each round looks at classes in the order
   * of `#open`, and only at those of whose neighbours one was named since they were looked at last.
   */
  byPages(): void {
    const order = this.#open();
    const sharers = new Map<number, number[]>();
    for (const [at, id] of order.entries())
      for (const [other] of this.#classes[id]!.neighbours) push(sharers, other, at);
    const now = new PlaceQueue();
    let next: number[] = order.map((_, at) => at);
    while (next.length > 0) {
      for (const at of next) now.add(at);
      next = [];
      for (let at = now.take(); at !== undefined; at = now.take()) {
        const id = order[at]!;
        if (this.#found[id] !== undefined || !this.#nameByPages(id)) continue;
        for (const sharer of sharers.get(id) ?? []) {
          if (sharer > at) now.add(sharer);
          else next.push(sharer);
        }
      }
    }
  }

  #nameByPages(id: number): boolean {
    const votes = this.#classes[id]!.neighbours.flatMap(([other, pages]) => {
      const name = this.#found[other]?.name;
      return name === undefined ? [] : [[name, pages] as const];
    });
    const first = this.majority(votes);
    if (first === undefined) return false;
    const [name, pages] = first;
    const which = pages === 1 ? 'one of them also holds' : `${pages} of them also hold`;
    this.set(id, { name, how: 'pages', why: `by its pages: ${which} other objects of ${name}` });
    return true;
  }

  bySite(): void {
    // What frees say depends on the function and the two sizes alone.
    const freed = new Map<string, TraceClass[]>();
    for (const [id, each] of this.#classes.entries())
      if (each.kind === CLASS_KIND.CACHE && this.#found[id]?.how === 'frees')
        push(freed, `${each.bytesAlloc} ${each.site}`, each);
    const named = new Map<string, ClassCache | undefined>();
    for (const id of this.#open()) {
      const { site, bytesReq, bytesAlloc } = this.#classes[id]!;
      const place = `${bytesAlloc} ${site}`;
      const key = `${bytesReq} ${place}`;
      if (!named.has(key)) named.set(key, this.#ofSite(site, bytesReq, freed.get(place) ?? []));
      const cache = named.get(key);
      if (cache !== undefined) this.set(id, cache);
    }
  }

  /** What frees of a function's larger objects say. */
  #ofSite(site: string, bytesReq: number, freed: readonly TraceClass[]): ClassCache | undefined {
    const votes = freed.flatMap((other) => (other.bytesReq > bytesReq ? other.names : []));
    const first = this.majority(votes);
    if (first === undefined) return undefined;
    const of = votes.reduce((sum, [, count]) => sum + count, 0);
    const why = `from frees of other objects of ${site}, ${first[1]} of ${of}`;
    return { name: first[0], how: 'site', why };
  }

  /** Classes whose size leaves one cache. */
  bySize(exact: boolean): void {
    for (const id of this.#open()) {
      const { all, left } = this.#candidates(id, exact);
      if (left.length !== 1) continue;
      const why =
        all === 1 ? 'by size, one cache has it' : `by size, accounting and number: one of ${all} caches fits`;
      this.set(id, { name: left[0]!.name, how: 'size', why });
    }
  }

  /** What is left is a choice between several, or unnamed. */
  rest(): ClassCache[] {
    for (const id of this.#open()) {
      const { site, bytesAlloc } = this.#classes[id]!;
      const exact = this.#candidates(id, true).left;
      const left = exact.length > 0 ? exact : this.#candidates(id, false).left;
      const knownAs = cacheOfSite(site, bytesAlloc);
      const ofSite = left.find(({ names }) => knownAs !== undefined && names.includes(knownAs));
      if (ofSite !== undefined) {
        const why = `${site} is known to allocate from ${knownAs}, one of ${left.length} caches that fit`;
        this.set(id, { name: ofSite.name, how: 'size', why });
        continue;
      }
      const [most] = [...left].sort((a, b) => (b.capacity ?? 0) - (a.capacity ?? 0));
      if (most === undefined) {
        const why = 'unnamed: no free of it was seen, and no known cache fits';
        this.set(id, { name: `?${site}/${bytesAlloc}`, how: 'unnamed', why });
        continue;
      }
      const names = left.map((cache) => cache.name).join(', ');
      const why = `one of ${left.length} caches that fit (${names}); the largest was taken`;
      this.set(id, { name: most.name, how: 'choice', why });
    }
    return this.#found as ClassCache[];
  }

  /** Classes without a cache, the ones with most live objects first: they leave the fewest caches. */
  #open(): number[] {
    return [...this.#found.keys()]
      .filter((id) => this.#found[id] === undefined)
      .sort((a, b) => this.#classes[b]!.live - this.#classes[a]!.live);
  }

  /** Caches of a class's size, how many there are, and which are left when the others are ruled out. */
  #candidates(id: number, exact: boolean): { all: number; left: KnownCache[] } {
    const { bytesReq, bytesAlloc, accounted, gfp, live } = this.#classes[id]!;
    const sized = this.#sized(bytesAlloc).filter(({ name, objectSize }) => {
      if (/^(?:dma-)?kmalloc-/.test(name)) return false;
      return exact ? objectSize === bytesReq : objectSize === 0 || objectSize >= bytesReq;
    });
    const left = sized.filter(({ name, capacity }) => {
      const charges = this.#accounted.get(name);
      if (accounted === ACCOUNTED.NO && charges === true) return false;
      if (accounted === ACCOUNTED.YES && !(gfp & __GFP.ACCOUNT) && charges === false) return false;
      return capacity === undefined || live + (this.#live.get(name) ?? 0) <= capacity;
    });
    return { all: sized.length, left };
  }
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
