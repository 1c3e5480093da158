/**
 * The part of the equation of ledger.ts that only SLAB has: a cache's three lists, and its arrays.
 */
import {
  C_ARRAY_ENTRIES,
  C_ARRAYS,
  C_BATCHCOUNT,
  C_COLOUR_OFF,
  C_COLOURS,
  C_FLAGS,
  C_FREE_OBJECTS,
  C_FREE_SLABS,
  C_LIMIT,
  C_NR_PARTIAL,
  C_SHARED_AVAIL,
  C_SHARED_FACTOR,
  CACHE_WORDS,
  countersInUse,
  type Fault,
  LINK_ARRAY,
  LINK_LIVE,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  type PhysicalMemory,
  shapeObjects,
} from '../../machine/index.js';
import { arrayEntries, CFLGS_OFF_SLAB, cacheName, eachCpuLine } from '../cache/index.js';
import { FREE, FULL, PARTIAL } from '../slab/index.js';
import { createObjectAddresses } from '../slabs/index.js';

/** The states of ledger.ts by list. */
const LISTS = [
  [FULL, 6, 'full'],
  [PARTIAL, 7, 'partial'],
  [FREE, 8, 'free'],
] as const;
export type SlabListState = (typeof LISTS)[number][1];

/** What is known of the slabs that were met. */
interface KnownStates {
  has(slab: number): boolean;
  set(slab: number, state: SlabListState): unknown;
}

/** Walks a cache's three lists and notes the state of each slab on them. */
export function checkSlabLists(
  { ledger }: PhysicalMemory,
  id: number,
  states: KnownStates,
  fail: Fault,
): void {
  const { cache, slabNext, slabPrev, slabCache, slabCounters, slabShape, shape } = ledger;
  const name = cacheName(ledger, id);
  const c = id * CACHE_WORDS;
  const counts = new Map<number, number>();
  let freeObjects = 0;
  for (const [list, state, called] of LISTS) {
    let prev = 0;
    let count = 0;
    for (let slab = cache[c + list]!; slab !== 0; slab = slabNext[slab]!) {
      if (slab < 0 || slab > shape.slabs || slabCache[slab] !== id)
        return fail('cache.lists', `${name}: slab ${slab} is on its list of ${called} slabs and not its own`);
      if (states.has(slab))
        return fail('cache.lists', `${name}: slab ${slab} is on two lists, or twice on one`);
      if (slabPrev[slab] !== prev)
        return fail('cache.lists', `${name}: slab ${slab} does not point back to ${prev}`);
      const objects = shapeObjects(slabShape[slab]!);
      const free = objects - countersInUse(slabCounters[slab]!);
      const belongs = free === 0 ? 6 : free === objects ? 8 : 7;
      if (belongs !== state)
        return fail(
          'slab.list',
          `${name}: slab ${slab} is on the list of ${called} slabs and has ${free} of ${objects} objects free`,
        );
      states.set(slab, state);
      freeObjects += free;
      prev = slab;
      count++;
    }
    if (cache[c + list + 1] !== prev)
      fail(
        'cache.lists',
        `${name}: its list of ${called} slabs ends with ${prev}, not ${cache[c + list + 1]}`,
      );
    counts.set(list, count);
  }
  if (cache[c + C_NR_PARTIAL] !== counts.get(PARTIAL))
    fail(
      'cache.nrPartial',
      `${name} counts ${cache[c + C_NR_PARTIAL]} partial slabs, its list has ${counts.get(PARTIAL)}`,
    );
  if (cache[c + C_FREE_SLABS] !== counts.get(FREE))
    fail(
      'cache.freeSlabs',
      `${name} counts ${cache[c + C_FREE_SLABS]} free slabs, its list has ${counts.get(FREE)}`,
    );
  if (cache[c + C_FREE_OBJECTS] !== freeObjects)
    fail(
      'cache.freeObjects',
      `${name} counts ${cache[c + C_FREE_OBJECTS]} free objects, its slabs have ${freeObjects}`,
    );
}

/** There is no slab beside the three lists. */
export function failUnlisted(what: string, fail: Fault): void {
  fail('slab.list', `${what} is on none of its cache's lists`);
}

/** A cache's arrays have a run of entries of their own, and none holds more than it can. Returns false if they are not to be walked. */
export function checkArrayRuns({ ledger }: PhysicalMemory, ids: readonly number[], fail: Fault): boolean {
  const { cache, cpuCache, shape } = ledger;
  let good = true;
  const bad = (term: string, message: string) => {
    good = false;
    fail(term, message);
  };
  let end = 0;
  let before = '';
  const byPlace = [...ids].sort(
    (a, b) => cache[a * CACHE_WORDS + C_ARRAYS]! - cache[b * CACHE_WORDS + C_ARRAYS]!,
  );
  for (const id of byPlace) {
    const word = (at: number) => cache[id * CACHE_WORDS + at]!;
    const name = cacheName(ledger, id);
    const first = word(C_ARRAYS);
    const limit = word(C_LIMIT);
    const shared = word(C_SHARED_FACTOR) * word(C_BATCHCOUNT);
    const entries = arrayEntries(shape.cpus, {
      limit,
      batchcount: word(C_BATCHCOUNT),
      sharedFactor: word(C_SHARED_FACTOR),
    });
    if (limit < 1 || shared < 0 || word(C_ARRAY_ENTRIES) !== entries)
      bad('array.run', `${name}: its arrays hold ${entries} entries and take ${word(C_ARRAY_ENTRIES)}`);
    if (first < end || first + entries > shape.arrayEntries)
      bad(
        'array.run',
        `${name}: its ${entries} entries from ${first} on are not its own, or not there${before}`,
      );
    end = first + entries;
    before = `; those of ${name} end at ${end}`;
    if (word(C_SHARED_AVAIL) < 0 || word(C_SHARED_AVAIL) > shared)
      bad('array.avail', `${name}: the shared array has ${word(C_SHARED_AVAIL)} of ${shared} objects`);
    eachCpuLine(ledger, id, (p, cpu) => {
      if (cpuCache[p + P_LIMIT] !== limit || cpuCache[p + P_ENTRIES] !== first + cpu * limit)
        bad('array.run', `${name}: CPU ${cpu}'s copy of where its array lies is wrong`);
      const avail = cpuCache[p + P_AVAIL]!;
      if (avail < 0 || avail > limit)
        bad('array.avail', `${name}: CPU ${cpu}'s array has ${avail} of ${limit} objects`);
    });
  }
  return good;
}

/** What a cache's arrays name are free objects of its own, each once. Adds up how many of each slab. */
export function checkArrayEntries(
  memory: PhysicalMemory,
  id: number,
  strays: boolean,
  inArrays: Map<number, number>,
  fail: Fault,
): void {
  const { ledger } = memory;
  const { cache, cpuCache, slabCache, slabLinks, arrayAddress, arrayLink, link } = ledger;
  const { slabAt, indexIn } = createObjectAddresses(memory);
  const name = cacheName(ledger, id);
  const seen = new Set<number>();
  const walk = (first: number, avail: number, whose: string) => {
    for (let entry = first; entry < first + avail; entry++) {
      const address = arrayAddress[entry]!;
      const at = arrayLink[entry]!;
      if (at === -1 && strays) continue;
      const slab = slabAt(address);
      const index = slab !== 0 && slabCache[slab] === id ? indexIn(slab, address) : -1;
      if (index < 0 || slabLinks[slab]! + index !== at || link[at] !== LINK_ARRAY || seen.has(at)) {
        fail(
          'array.entry',
          `${name}: ${whose} array names ${address}, link ${at}: no free object, or one that is named twice`,
        );
        continue;
      }
      seen.add(at);
      inArrays.set(slab, (inArrays.get(slab) ?? 0) + 1);
    }
  };
  const c = id * CACHE_WORDS;
  eachCpuLine(ledger, id, (p, cpu) => walk(cpuCache[p + P_ENTRIES]!, cpuCache[p + P_AVAIL]!, `CPU ${cpu}'s`));
  walk(
    cache[c + C_ARRAYS]! + ledger.shape.cpus * cache[c + C_LIMIT]!,
    cache[c + C_SHARED_AVAIL]!,
    'the shared',
  );
}

/** A slab's colour is one that its cache has, and its list of free objects is where the cache has them. */
export function checkSlabParts(memory: PhysicalMemory, slab: number, fail: Fault): void {
  const { ledger } = memory;
  const { cache, slabCache, slabOffset, slabFreelist, slabLinks, link } = ledger;
  const id = slabCache[slab]!;
  const c = id * CACHE_WORDS;
  const what = `slab ${slab} of ${cacheName(ledger, id)}`;
  const colour = slabOffset[slab]! / cache[c + C_COLOUR_OFF]!;
  if (!Number.isInteger(colour) || colour < 0 || colour >= Math.max(cache[c + C_COLOURS]!, 1))
    fail('slab.offset', `${what} begins ${slabOffset[slab]} bytes in, which is none of its colours`);
  const { slabAt, indexIn } = createObjectAddresses(memory);
  const freelist = slabFreelist[slab]!;
  const holder = freelist === 0 ? 0 : slabAt(freelist);
  const index = holder === 0 ? -1 : indexIn(holder, freelist);
  const held = index >= 0 && link[slabLinks[holder]! + index] === LINK_LIVE;
  const outside = (cache[c + C_FLAGS]! & CFLGS_OFF_SLAB) !== 0;
  if (outside ? !held : freelist !== 0)
    fail(
      'slab.freelist',
      `${what}: its list of free objects should be ${outside ? 'a live object' : 'with it'}, not at ${freelist}`,
    );
}
