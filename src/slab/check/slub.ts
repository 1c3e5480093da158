/**
 * The whole equation of ledger.ts, checked. `full` looks at every object; `cheap` at lists and counters only.
 */
import {
  C_FLAGS,
  C_MIN,
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_OO,
  C_PARTIAL_HEAD,
  C_PARTIAL_TAIL,
  C_RED_LEFT_PAD,
  C_STATE,
  C_TOTAL_OBJECTS,
  C_TRACKED_FULL_HEAD,
  C_TRACKED_FULL_TAIL,
  CACHE_ABSENT,
  CACHE_LEAKED,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  checkFrames,
  checkLinkPages,
  countersInUse,
  type Fault,
  H_CACHE_HIGH,
  H_SLAB_FREE,
  H_SLAB_HIGH,
  type Ledger,
  LINK_END,
  LINK_LIVE,
  LINK_LOST,
  P_LINKS,
  P_OBJECTS,
  P_OWN,
  P_PARTIAL,
  P_PARTIAL_COUNT,
  P_SLAB,
  PD_FIRST,
  type PhysicalMemory,
  shapeObjects,
  shapeOrder,
} from '../../machine/index.js';
import { cacheIds, cacheName, eachCpuLine, hasArrays } from '../cache/index.js';
import { SLAB, SLAB_DEBUG_FLAGS } from '../kernel/index.js';
import { checkBarns } from './barn.js';
import { checkSheaves } from './sheaf.js';
import {
  checkArrayEntries,
  checkArrayRuns,
  checkSlabLists,
  checkSlabParts,
  failUnlisted,
  type SlabListState,
} from './slab.js';

/** Which of the states of ledger.ts the lists put a slab into; a slab of SLUB on no list is full (4) or disabled (5). */
type SlabState = 1 | 2 | 3 | 4 | SlabListState;

/** What was found about a slab before it is looked at itself. */
interface Holders {
  readonly state: SlabState | undefined;
  /** First object of its owner's list + 1, 0 for none. */
  readonly ownFirst: number;
  /** How many of its objects are in arrays. */
  readonly inArrays: number;
}

/** `strays`: arrays may name addresses that were freed unlooked at, as the faithful mode lets them. */
export function checkMachine(
  memory: PhysicalMemory,
  level: 'cheap' | 'full',
  fail: Fault,
  strays = false,
): void {
  const used = checkFrames(memory, level, fail);
  checkLinkPages(memory.ledger, fail);
  const { ledger } = memory;
  const high = ledger.header[H_SLAB_HIGH]!;
  if (high < 0 || high > ledger.shape.slabs)
    return fail('slab.ids', `${high} slab ids are said to be in use, there are ${ledger.shape.slabs}`);
  const states = new Map<number, SlabState>();
  const ownLists = new Map<number, number>();
  const inArrays = new Map<number, number>();
  const ids = standingIds(ledger);
  if (hasArrays(ledger)) checkSlabCaches(memory, ids, level, strays, { states, inArrays }, fail);
  else {
    for (const id of ids) {
      const name = cacheName(ledger, id);
      checkNodeList(memory, id, name, states, fail);
      checkFullList(memory, id, name, fail);
      checkCpuLists(memory, id, name, states, ownLists, fail);
    }
    if (ledger.shape.sheafEntries > 0) checkSheaves(memory, ids, level, inArrays, fail);
    if (ledger.shape.sheaves > 0) checkBarns(memory, ids, level, strays, inArrays, fail);
  }
  checkSlabIds(memory, fail);
  const totals = new Map<number, { slabs: number; objects: number }>();
  for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++) {
    const id = ledger.slabCache[slab]!;
    if (id === 0) continue;
    if (ledger.cache[id * CACHE_WORDS + C_STATE] === CACHE_ABSENT) {
      fail('slab.cache', `slab ${slab} belongs to cache ${id}, which does not exist`);
      continue;
    }
    const total = totals.get(id) ?? { slabs: 0, objects: 0 };
    total.slabs++;
    total.objects += shapeObjects(ledger.slabShape[slab]!);
    totals.set(id, total);
    const holders = {
      state: states.get(slab),
      ownFirst: ownLists.get(slab) ?? 0,
      inArrays: inArrays.get(slab) ?? 0,
    };
    checkSlab(memory, slab, holders, level, used, fail);
  }
  for (const id of ids) {
    const c = id * CACHE_WORDS;
    const { slabs, objects } = totals.get(id) ?? { slabs: 0, objects: 0 };
    if (ledger.cache[c + C_NR_SLABS] !== slabs || ledger.cache[c + C_TOTAL_OBJECTS] !== objects) {
      fail(
        'cache.slabs',
        `${cacheName(ledger, id)} counts ${ledger.cache[c + C_NR_SLABS]} slabs with ` +
          `${ledger.cache[c + C_TOTAL_OBJECTS]} objects, it has ${slabs} with ${objects}`,
      );
    }
  }
  if (level === 'full') checkSlabPages(memory, used, fail);
}

function checkSlabCaches(
  memory: PhysicalMemory,
  ids: readonly number[],
  level: 'cheap' | 'full',
  strays: boolean,
  found: { states: Map<number, SlabState>; inArrays: Map<number, number> },
  fail: Fault,
): void {
  for (const id of ids) checkSlabLists(memory, id, found.states, fail);
  const walkable = checkArrayRuns(memory, ids, fail);
  if (level === 'cheap' || !walkable) return;
  for (const id of ids) checkArrayEntries(memory, id, strays, found.inArrays, fail);
}

/** All rows in use: caches on the list, and leaked ones that no list holds. */
function standingIds(ledger: Ledger): number[] {
  const { header, cache, shape } = ledger;
  const high = Math.min(header[H_CACHE_HIGH]!, shape.caches);
  const leaked = Array.from({ length: high }, (_, i) => i + 1).filter(
    (id) => cache[id * CACHE_WORDS + C_STATE] === CACHE_LEAKED,
  );
  return [...cacheIds(ledger), ...leaked];
}

function checkNodeList(
  memory: PhysicalMemory,
  id: number,
  name: string,
  states: Map<number, SlabState>,
  fail: Fault,
): void {
  const { cache, slabNext, slabPrev, slabCache, shape } = memory.ledger;
  const c = id * CACHE_WORDS;
  let count = 0;
  let prev = 0;
  for (let slab = cache[c + C_PARTIAL_HEAD]!; slab !== 0; slab = slabNext[slab]!) {
    if (slab > shape.slabs || slabCache[slab] !== id)
      return fail('cache.partial', `${name}: slab ${slab} is on its partial list and not its own`);
    if (states.has(slab))
      return fail('cache.partial', `${name}: slab ${slab} is on two lists, or twice on one`);
    if (slabPrev[slab] !== prev)
      return fail('cache.partial', `${name}: slab ${slab} does not point back to ${prev}`);
    states.set(slab, 3);
    prev = slab;
    count++;
  }
  if (cache[c + C_PARTIAL_TAIL] !== prev)
    fail('cache.partial', `${name}: its partial list ends with ${prev}, not ${cache[c + C_PARTIAL_TAIL]}`);
  if (cache[c + C_NR_PARTIAL] !== count)
    fail('cache.nrPartial', `${name} counts ${cache[c + C_NR_PARTIAL]} partial slabs, its list has ${count}`);
}

/** A cache with SLAB_STORE_USER lists its full slabs too, but those that were given up. */
function checkFullList({ ledger }: PhysicalMemory, id: number, name: string, fail: Fault): void {
  const { cache, slabNext, slabPrev, slabCache, slabCounters, slabShape, header, shape } = ledger;
  const c = id * CACHE_WORDS;
  const isFull = (slab: number) =>
    slabCounters[slab]! >= 0 && countersInUse(slabCounters[slab]!) === shapeObjects(slabShape[slab]!);
  const listed = new Set<number>();
  let prev = 0;
  for (let slab = cache[c + C_TRACKED_FULL_HEAD]!; slab !== 0; slab = slabNext[slab]!) {
    const fits = slab > 0 && slab <= shape.slabs && slabCache[slab] === id && slabPrev[slab] === prev;
    if (!fits || listed.has(slab) || !isFull(slab))
      return fail(
        'cache.fullList',
        `${name}: its list of full slabs leads to slab ${slab}, which is not on it`,
      );
    listed.add(slab);
    prev = slab;
  }
  if (cache[c + C_TRACKED_FULL_TAIL] !== prev)
    fail(
      'cache.fullList',
      `${name}: its list of full slabs ends with ${prev}, not ${cache[c + C_TRACKED_FULL_TAIL]}`,
    );
  if ((cache[c + C_FLAGS]! & SLAB.STORE_USER) === 0) return;
  for (let slab = 1; slab <= header[H_SLAB_HIGH]!; slab++)
    if (slabCache[slab] === id && isFull(slab) && !listed.has(slab))
      fail('cache.fullList', `${name}: slab ${slab} is full and not on its list`);
}

function checkCpuLists(
  memory: PhysicalMemory,
  id: number,
  name: string,
  states: Map<number, SlabState>,
  ownLists: Map<number, number>,
  fail: Fault,
): void {
  const { cache, cpuCache, cpuDouble, slabNext, slabCache, slabLinks, slabFrame, slabShape } = memory.ledger;
  const isDebug = (cache[id * CACHE_WORDS + C_FLAGS]! & SLAB_DEBUG_FLAGS) !== 0;
  eachCpuLine(memory.ledger, id, (p, cpu) => {
    const claim = (slab: number, state: SlabState): boolean => {
      if (slabCache[slab] === id && !states.has(slab)) {
        states.set(slab, state);
        return true;
      }
      fail('cpu.slab', `${name}: CPU ${cpu} holds slab ${slab}, which is another's or on another list`);
      return false;
    };
    const active = cpuCache[p + P_SLAB]!;
    const own = cpuCache[p + P_OWN]!;
    if (isDebug && (active !== 0 || cpuCache[p + P_PARTIAL] !== 0))
      fail('cpu.slab', `${name} is debugged, yet CPU ${cpu} holds a slab`);
    if (active === 0) {
      if (own !== 0 || cpuCache[p + P_OBJECTS] !== 0) {
        fail('cpu.own', `${name}: CPU ${cpu} has objects of its own and no slab`);
      }
    } else if (claim(active, 1)) {
      ownLists.set(active, own);
      const c = id * CACHE_WORDS;
      const first =
        (slabFrame[active]! + memory.basePfn) * memory.profile.pageSize + cache[c + C_RED_LEFT_PAD]!;
      const copied = cpuCache[p + P_LINKS] === slabLinks[active] && cpuDouble[(p >> 1) + PD_FIRST] === first;
      if (!copied || cpuCache[p + P_OBJECTS] !== shapeObjects(slabShape[active]!)) {
        fail('cpu.slab', `${name}: CPU ${cpu}'s copy of where slab ${active} lies is wrong`);
      }
    }
    let count = 0;
    for (let slab = cpuCache[p + P_PARTIAL]!; slab !== 0; slab = slabNext[slab]!) {
      if (!claim(slab, 2)) break;
      count++;
    }
    if (count !== cpuCache[p + P_PARTIAL_COUNT]) {
      fail(
        'cpu.partial',
        `${name}: CPU ${cpu} counts ${cpuCache[p + P_PARTIAL_COUNT]} partial slabs, its list has ${count}`,
      );
    }
  });
}

/** The chain of free slab ids holds each id that no cache has, once. */
function checkSlabIds(memory: PhysicalMemory, fail: Fault): void {
  const { header, slabNext, slabCache } = memory.ledger;
  const high = header[H_SLAB_HIGH]!;
  let unused = 0;
  for (let slab = 1; slab <= high; slab++) if (slabCache[slab] === 0) unused++;
  let chained = 0;
  for (let slab = header[H_SLAB_FREE]!; slab !== 0 && chained <= high; slab = slabNext[slab]!) {
    if (slabCache[slab] !== 0) return fail('slab.ids', `slab ${slab} is in use and among the free ids`);
    chained++;
  }
  if (chained !== unused)
    fail('slab.ids', `${unused} slab ids are unused, ${chained} are in the chain of free ones`);
}

function checkSlab(
  memory: PhysicalMemory,
  slab: number,
  { state: listed, ownFirst, inArrays }: Holders,
  level: 'cheap' | 'full',
  used: Map<number, number>,
  fail: Fault,
): void {
  const { ledger } = memory;
  const { slabCounters, slabShape, slabLinks, slabFrame, slabOffset, slabCache, frameSlab, cache } = ledger;
  const c = slabCache[slab]! * CACHE_WORDS;
  const what = `slab ${slab} of ${cacheName(ledger, slabCache[slab]!)}`;
  const shape = slabShape[slab]!;
  const objects = shapeObjects(shape);
  const counters = slabCounters[slab]!;
  const inUse = countersInUse(counters);
  const frozen = (counters & COUNTERS_FROZEN) !== 0;
  if (shape !== cache[c + C_OO] && shape !== cache[c + C_MIN])
    fail('slab.shape', `${what} has neither the preferred nor the smallest order`);
  if (hasArrays(ledger) && listed === undefined) return failUnlisted(what, fail);
  const state = listed ?? 4;
  const isDebug = (cache[c + C_FLAGS]! & SLAB_DEBUG_FLAGS) !== 0;
  const disabled = isDebug && frozen && state === 4;
  if (!disabled && frozen !== (state === 1 || state === 2))
    fail('slab.frozen', `${what} is ${frozen ? '' : 'not '}frozen in state ${state}`);
  if (inUse > objects) fail('slab.inUse', `${what} counts ${inUse} of ${objects} objects in use`);
  if (state === 4 && inUse !== objects)
    fail('slab.full', `${what} is on no list and has ${objects - inUse} free objects`);
  if (level === 'cheap') return;

  const met = new Set<number>();
  const walk = (first: number, list: string): number => {
    let count = 0;
    for (let object = first; object !== LINK_END; object = ledger.link[slabLinks[slab]! + object - 1]!) {
      if (object > objects || met.has(object)) {
        fail(
          'link.list',
          `${what}: the ${list} list leads to object ${object - 1}, which is ${object > objects ? 'none or live' : 'on a list already'}`,
        );
        return count;
      }
      met.add(object);
      count++;
    }
    return count;
  };
  const onSlab = walk(counters & COUNTERS_FREE, "slab's");
  const onCpu = walk(ownFirst, "CPU's");
  let live = 0;
  let lost = 0;
  for (let i = 0; i < objects; i++) {
    const state = ledger.link[slabLinks[slab]! + i];
    if (state === LINK_LIVE) live++;
    else if (state === LINK_LOST) lost++;
  }
  if (lost > 0 && !isDebug) fail('slab.lost', `${what} has ${lost} lost objects and is not debugged`);
  if (live + lost + onSlab + onCpu + inArrays !== objects) {
    const arrays = hasArrays(ledger) ? `${inArrays} in arrays` : `${onCpu} on its CPU's`;
    const holder = ledger.shape.sheafEntries > 0 ? `${arrays} + ${inArrays} in sheaves` : arrays;
    const sum = `${live} live + ${lost > 0 ? `${lost} lost + ` : ''}${onSlab} on its list + ${holder}`;
    fail('slab.objects', `${what}: ${objects} objects are not ${sum}`);
  }
  if (inUse !== objects - onSlab)
    fail('slab.inUse', `${what} counts ${inUse} in use, but ${onSlab} of ${objects} are on its list`);
  if (hasArrays(ledger)) checkSlabParts(memory, slab, fail);
  else if (slabOffset[slab] !== cache[c + C_RED_LEFT_PAD])
    fail('slab.offset', `${what} begins ${slabOffset[slab]} bytes in, not ${cache[c + C_RED_LEFT_PAD]}`);
  const frame = slabFrame[slab]!;
  if (used.get(frame) !== shapeOrder(shape))
    fail(
      'slab.pages',
      `${what} says that it is the block at frame ${frame}, order ${shapeOrder(shape)}; no such block is handed out`,
    );
  for (let f = frame; f < frame + 2 ** shapeOrder(shape); f++) {
    if (frameSlab[f] !== slab)
      fail('frame.slab', `frame ${f} lies in ${what} and names slab ${frameSlab[f]}`);
  }
}

/** No frame names a slab that does not hold it. */
function checkSlabPages(memory: PhysicalMemory, used: Map<number, number>, fail: Fault): void {
  const { frameSlab, slabCache, slabFrame, slabShape } = memory.ledger;
  for (const [frame, order] of used) {
    for (let f = frame; f < frame + 2 ** order; f++) {
      const slab = frameSlab[f]!;
      if (slab === 0) continue;
      const inside =
        slabCache[slab] !== 0 && slabFrame[slab] === frame && shapeOrder(slabShape[slab]!) === order;
      if (!inside) fail('frame.slab', `frame ${f} names slab ${slab}, which does not hold it`);
    }
  }
}
