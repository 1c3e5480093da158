/**
 * # Which cache is a class?
 *
 * kmem_cache_alloc says from 6.17 on which cache it took from, kmem_cache_free from 5.12 on: the name of the oldest of the caches that were
 * merged, so an epoll item is freed as a `pid`. A class (trace.ts) is one call site's objects of one size, so its cache is found once for
 * all of them. The evidence, in this order; the first that gives a cache counts:
 *
 *  1. its own events: the name that its allocations gave. kmalloc: the type follows from the flags, asked for in this order: DMA,
 *     RECLAIMABLE, ACCOUNT, none; the class of sizes from `bytes_alloc` (with SLAB those of kmalloc-96 lie 128 bytes apart, as those of
 *     kmalloc-128 do, and `bytes_req` tells them apart);
 *  2. its frees: the name that most of them gave;
 *  3. its pages: at the trace's end it had live objects in pages in which others of the same distance had some too, and those are known; a
 *     slab is one cache's. A free without a name is of the cache between whose live objects it lay;
 *  4. its exact size in a snapshot: one cache has objects of just these bytes, in just this distance;
 *  5. its function: frees of the same function's objects of the same distance gave a name. `bytes_req` is the cache's object size, which
 *     grows while a system boots and others merge with it, so an earlier class has fewer bytes;
 *  6. its size in a snapshot: one cache has this distance and is large enough;
 *  7. its function once more: it is known to allocate from a cache (class-sites.ts). Where there is a snapshot that cache must be one of
 *     those that fit;
 *  8. what is left in a snapshot: several fit and one is taken;
 *  9. its exact size in a preset, which is what a booted kernel of some configuration has (`isPreset`): one cache has it.
 *
 * Where nothing gives a cache the class gets one of its own, called by what is known of it: `?function/size`; those that share pages share
 * it. What 1 to 4 say is certain; what the others say is likely, and marked so wherever the name is shown.
 *
 * A preset knows names, not this machine: its sizes rule nothing out. What the trace says of a name's size holds, and where two sizes go by
 * one name they are two caches, the one with fewer objects called `name/size`.
 *
 * In 4, 6, 7 and 8 a cache is out if it charges its objects to memory cgroups and this class is not charged, or the reverse, or if the
 * class has more live objects than the cache, less what is known to be others', ever had room for. `why` is for people.
 *
 * Rules: truth/traces/README.md, what the events lack, 1 to 5.
 */
import { isPowerOfTwo } from '../../base/index.js';
import {
  __GFP,
  KMALLOC_NORMAL,
  KMALLOC_TYPES,
  kmallocTypeIn,
  kmallocTypeOf,
  sizeSuffix,
} from '../../machine/index.js';
import { ACCOUNTED, CLASS_KIND, PlaceQueue, type TraceClass } from '../batch/index.js';
import { cacheOfSite } from './class-sites.js';

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
  /** Whether it is not this machine's but what a booted kernel usually has: a name, whose size may be another here. */
  readonly isPreset?: boolean;
}

/** How a class's cache was found: by which of the rules of trace/resolve/classes.ts. `none` is for what is no object of a cache. */
export type HowNamed =
  | 'event'
  | 'kmalloc'
  | 'frees'
  | 'pages'
  | 'site'
  | 'function'
  | 'size'
  | 'choice'
  | 'preset'
  | 'unnamed'
  | 'none';

/** The cache of a class. */
export interface ClassCache {
  /** '' for what is no object of a cache. */
  readonly name: string;
  readonly how: HowNamed;
  /** Whether the trace or a snapshot says so. What is not certain is likely; what is `unnamed` is certainly no known cache's. */
  readonly isCertain: boolean;
  /** Such as `from its frees, 4822 of 4822`. */
  readonly why: string;
}

const NONE: ClassCache = { name: '', how: 'none', isCertain: true, why: 'no object of a cache' };

/** The caches of all classes, in their order. */
export function nameClasses(classes: readonly TraceClass[], known: readonly KnownCache[]): ClassCache[] {
  const naming = new Naming(classes, known);
  classes.forEach((traced, id) => {
    const found = naming.told(traced);
    if (found !== undefined) naming.set(id, found);
  });
  naming.learnAccounting();
  naming.byPages();
  naming.bySize(true);
  naming.bySite();
  naming.bySize(false);
  naming.rest();
  return naming.apart();
}

const KMALLOC_NAME = /^(?:dma-)?kmalloc-/;

/** Whether kmalloc has a class of sizes of so many bytes, on any machine. */
function isKmallocSize(bytes: number): boolean {
  return bytes === 96 || bytes === 192 || (bytes >= 8 && isPowerOfTwo(bytes));
}

/** The smallest class of sizes that so many bytes fit into. */
function kmallocSizeOf(bytes: number): number {
  if (bytes > 64 && bytes <= 96) return 96;
  if (bytes > 128 && bytes <= 192) return 192;
  return Math.max(2 ** Math.ceil(Math.log2(Math.max(bytes, 1))), 8);
}

class Naming {
  readonly #classes: readonly TraceClass[];
  readonly #byName: ReadonlyMap<string, KnownCache>;
  /** Known caches by the distance of their objects. */
  readonly #bySize: ReadonlyMap<number, readonly KnownCache[]>;
  readonly #found: (ClassCache | undefined)[];
  /** Types of kmalloc that a snapshot has; none where there is no snapshot. */
  readonly #kmallocTypes = new Set<number>();
  /** Whether nobody told which caches this machine had. */
  readonly #isPreset: boolean;
  /** Live objects at the end that are known to be a cache's. */
  readonly #live = new Map<string, number>();
  readonly #accounted = new Map<string, boolean>();
  /** By class: those without a name that have neighbours of it. */
  readonly #sharers = new Map<number, number[]>();
  /** Distances of objects that are certainly a name's. */
  readonly #distances = new Map<string, Set<number>>();

  constructor(classes: readonly TraceClass[], known: readonly KnownCache[]) {
    this.#classes = classes;
    this.#byName = new Map(
      known.flatMap((cache) => [cache.name, ...cache.names].map((each) => [each, cache] as const)),
    );
    const bySize = new Map<number, KnownCache[]>();
    for (const cache of known) push(bySize, cache.size, cache);
    this.#bySize = bySize;
    // Without memory cgroups, say, there are fewer types, and plain caches serve them all.
    for (const { name, isPreset } of known) {
      const type = isPreset ? -1 : kmallocTypeIn(name);
      if (type >= 0) this.#kmallocTypes.add(type);
    }
    this.#isPreset = known.length === 0 || known.some(({ isPreset }) => isPreset);
    this.#found = new Array(classes.length);
    for (const { name, accounted } of known)
      if (accounted !== undefined) this.#accounted.set(name, accounted);
  }

  /** The one name of a cache that an event may call by another. A preset's caches may have merged otherwise on this machine. */
  canonical(name: string): string {
    const cache = this.#byName.get(name);
    return cache === undefined || (cache.isPreset && cache.names[0] !== name) ? name : cache.name;
  }

  /** What a class's own events and its frees say; undefined where they do not. */
  told({
    kind,
    bytesReq,
    bytesAlloc,
    gfp,
    allocatedAs,
    allocs,
    names,
    freedAs,
    frees,
  }: TraceClass): ClassCache | undefined {
    if (kind === CLASS_KIND.KMALLOC)
      return {
        name: this.#kmalloc(kmallocTypeOf(gfp), bytesReq, bytesAlloc),
        how: 'kmalloc',
        isCertain: true,
        why: 'by its size and flags',
      };
    if (kind === CLASS_KIND.CACHE_FREE) {
      if (freedAs === '') return undefined;
      const why = `from its frees, ${frees} of ${frees}`;
      return { name: this.canonical(freedAs), how: 'frees', isCertain: true, why };
    }
    if (kind !== CLASS_KIND.CACHE) return NONE;
    if (allocatedAs !== '')
      return {
        name: this.canonical(allocatedAs),
        how: 'event',
        isCertain: true,
        why: `from its allocations, ${allocs} of ${allocs}`,
      };
    if (names.length === 0) return undefined;
    const of = names.reduce((sum, [, count]) => sum + count, 0);
    const [first, agree] = this.majority(names)!;
    return { name: first, how: 'frees', isCertain: true, why: `from its frees, ${agree} of ${of}` };
  }

  #kmalloc(asked: number, bytesReq: number, bytesAlloc: number): string {
    const type = this.#kmallocTypes.size === 0 || this.#kmallocTypes.has(asked) ? asked : KMALLOC_NORMAL;
    const [smallest] = this.#sized(bytesAlloc)
      .filter(({ name, objectSize }) => objectSize >= bytesReq && kmallocTypeIn(name) === type)
      .sort((a, b) => a.objectSize - b.objectSize);
    if (smallest !== undefined) return smallest.name;
    // With debugging objects lie further apart than the class of sizes is large.
    const bytes = isKmallocSize(bytesAlloc) ? bytesAlloc : kmallocSizeOf(bytesReq);
    return this.canonical(`${KMALLOC_TYPES[type]!.prefix}${sizeSuffix(bytes)}`);
  }

  #sized(bytes: number): readonly KnownCache[] {
    return this.#bySize.get(bytes) ?? [];
  }

  set(id: number, cache: ClassCache): void {
    this.#found[id] = cache;
    const { kind, live, bytesAlloc } = this.#classes[id]!;
    if (kind !== CLASS_KIND.CACHE) return;
    this.#live.set(cache.name, (this.#live.get(cache.name) ?? 0) + live);
    if (!cache.isCertain) return;
    const distances = this.#distances.get(cache.name) ?? new Set();
    this.#distances.set(cache.name, distances.add(bytesAlloc));
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
    const places = new Map(order.map((id, at) => [id, at]));
    for (const id of order)
      for (const [other] of this.#classes[id]!.neighbours) push(this.#sharers, other, id);
    const now = new PlaceQueue();
    let next: number[] = order.map((_, at) => at);
    while (next.length > 0) {
      for (const at of next) now.add(at);
      next = [];
      for (let at = now.take(); at !== undefined; at = now.take()) {
        const id = order[at]!;
        if (this.#found[id] !== undefined || !this.#nameByPages(id)) continue;
        for (const sharer of this.#sharers.get(id) ?? []) {
          const place = places.get(sharer)!;
          if (place > at) now.add(place);
          else next.push(place);
        }
      }
    }
  }

  #nameByPages(id: number): boolean {
    const { bytesAlloc, neighbours } = this.#classes[id]!;
    const named = neighbours.flatMap(([other, pages]) => {
      const found = this.#found[other];
      // A slab has one cache, and that one distance: what lies apart otherwise is of a page that was given to another.
      const isSame = this.#classes[other]!.bytesAlloc === bytesAlloc;
      return found === undefined || found.name === '' || !isSame ? [] : [{ found, pages }];
    });
    const first = this.majority(named.map(({ found, pages }) => [found.name, pages] as const));
    if (first === undefined) return false;
    const [name, pages] = first;
    const which = pages === 1 ? 'one of them also holds' : `${pages} of them also hold`;
    const whose = named.filter(({ found }) => found.name === name).map(({ found }) => found);
    const isUnnamed = whose.every(({ how }) => how === 'unnamed');
    this.set(id, {
      name,
      how: isUnnamed ? 'unnamed' : 'pages',
      isCertain: whose.some(({ isCertain }) => isCertain),
      why: `by its pages: ${which} other objects of ${name}`,
    });
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
    return { name: first[0], how: 'site', isCertain: false, why };
  }

  /** Classes whose size leaves one cache. */
  bySize(exact: boolean): void {
    for (const id of this.#open()) {
      const { all, left } = this.#candidates(id, exact);
      if (left.length !== 1) continue;
      const why =
        all === 1 ? 'by size, one cache has it' : `by size, accounting and number: one of ${all} caches fits`;
      this.set(id, { name: left[0]!.name, how: 'size', isCertain: exact && all === 1, why });
    }
  }

  /** What is left: by what its function is known to take, a choice between several, or unnamed. Who shares its pages goes along. */
  rest(): void {
    for (const id of this.#open()) {
      if (this.#found[id] !== undefined) continue;
      this.set(id, this.#byFunction(id) ?? this.#choice(id) ?? this.#byPreset(id) ?? this.#unnamed(id));
      this.#spread(id);
    }
  }

  /** Those who share pages with a class that has just been named, and those who share some with them. */
  #spread(id: number): void {
    for (const named = [id]; named.length > 0; ) {
      for (const sharer of this.#sharers.get(named.pop()!) ?? [])
        if (this.#found[sharer] === undefined && this.#nameByPages(sharer)) named.push(sharer);
    }
  }

  #byFunction(id: number): ClassCache | undefined {
    const { kind, site, bytesAlloc } = this.#classes[id]!;
    const knownAs = kind === CLASS_KIND.CACHE ? cacheOfSite(site, bytesAlloc) : undefined;
    if (knownAs === undefined) return undefined;
    const why = `${site} is known to allocate from ${knownAs}`;
    const { left } = this.#fitting(id);
    const ofSite = left.find(({ names }) => names.includes(knownAs));
    if (ofSite !== undefined)
      return {
        name: ofSite.name,
        how: 'function',
        isCertain: false,
        why: `${why}, one of ${left.length} caches that fit`,
      };
    const cache = this.#byName.get(knownAs);
    // A snapshot has the machine's own caches: if it is none of those that fit the function has moved on.
    if (!this.#isPreset || (cache !== undefined && !cache.isPreset)) return undefined;
    return this.#mayBe(knownAs, bytesAlloc)
      ? { name: this.canonical(knownAs), how: 'function', isCertain: false, why }
      : undefined;
  }

  /** Whether objects of this distance can be a name's: not where it is told to have others. */
  #mayBe(name: string, bytesAlloc: number): boolean {
    return this.#distances.get(this.canonical(name))?.has(bytesAlloc) ?? true;
  }

  #choice(id: number): ClassCache | undefined {
    const { left } = this.#fitting(id);
    const [most] = [...left].sort((a, b) => (b.capacity ?? 0) - (a.capacity ?? 0));
    if (most === undefined) return undefined;
    const names = left.map((cache) => cache.name).join(', ');
    const why = `one of ${left.length} caches that fit (${names}); the largest was taken`;
    return { name: most.name, how: 'choice', isCertain: false, why };
  }

  #byPreset(id: number): ClassCache | undefined {
    const { kind, bytesReq, bytesAlloc } = this.#classes[id]!;
    if (kind !== CLASS_KIND.CACHE) return undefined;
    const fit = this.#sized(bytesAlloc).filter(
      ({ name, objectSize, isPreset }) => isPreset && objectSize === bytesReq && !KMALLOC_NAME.test(name),
    );
    const [only] = fit;
    if (only === undefined || fit.length > 1 || !this.#mayBe(only.name, bytesAlloc)) return undefined;
    const why = `of the caches that such a kernel usually has this one alone has objects of ${bytesReq} bytes`;
    return { name: only.name, how: 'preset', isCertain: false, why };
  }

  #unnamed(id: number): ClassCache {
    const { site, bytesAlloc } = this.#classes[id]!;
    const why = 'unnamed: no event names it, and no known cache fits';
    return { name: `?${site}/${bytesAlloc || '?'}`, how: 'unnamed', isCertain: true, why };
  }

  /**
   * All of it. Where a name has objects of more than one distance each distance is a cache: a snapshot says which of them has the plain
   * name, else the one of most objects has.
   */
  apart(): ClassCache[] {
    const sizes = new Map<string, Map<number, number>>();
    const found = this.#found as ClassCache[];
    for (const [id, { name }] of found.entries()) {
      const { bytesAlloc, allocs, kind } = this.#classes[id]!;
      if (name === '' || kind === CLASS_KIND.CACHE_FREE) continue;
      const counts = sizes.get(name) ?? new Map<number, number>();
      sizes.set(name, counts.set(bytesAlloc, (counts.get(bytesAlloc) ?? 0) + allocs));
    }
    const plain = new Map(
      [...sizes].map(([name, counts]) => {
        const cache = this.#byName.get(name);
        const most = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0]![0];
        return [name, cache === undefined || cache.isPreset ? most : cache.size];
      }),
    );
    return found.map((cache, id) => {
      const { bytesAlloc, kind } = this.#classes[id]!;
      const isPlain = kind === CLASS_KIND.CACHE_FREE || (plain.get(cache.name) ?? bytesAlloc) === bytesAlloc;
      if (cache.name === '' || isPlain) return cache;
      const why = `${cache.why}; others of that name lie ${plain.get(cache.name)} bytes apart`;
      return { ...cache, name: `${cache.name}/${bytesAlloc}`, why };
    });
  }

  /** Classes without a cache, the ones with most live objects first: they leave the fewest caches. */
  #open(): number[] {
    return [...this.#found.keys()]
      .filter((id) => this.#found[id] === undefined)
      .sort((a, b) => this.#classes[b]!.live - this.#classes[a]!.live);
  }

  /** Caches of a class's size, how many there are, and which are left when the others are ruled out. */
  #fitting(id: number): { all: number; left: KnownCache[] } {
    const exact = this.#candidates(id, true);
    return exact.left.length > 0 ? exact : this.#candidates(id, false);
  }

  #candidates(id: number, exact: boolean): { all: number; left: KnownCache[] } {
    const { kind, bytesReq, bytesAlloc, accounted, gfp, live } = this.#classes[id]!;
    if (kind !== CLASS_KIND.CACHE) return { all: 0, left: [] };
    const sized = this.#sized(bytesAlloc).filter(({ name, objectSize, isPreset }) => {
      if (isPreset || KMALLOC_NAME.test(name)) return false;
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
