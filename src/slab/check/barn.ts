/**
 * The part of the equation of ledger.ts that SLUB's sheaves and barns have since Linux 7.0 (barn/slub.ts): a sheaf is in one place, its
 * row says which, and what it holds are objects of its cache that are nowhere else.
 */
import {
  C_BARN_EMPTY,
  C_BARN_FULL,
  C_BARN_NR_EMPTY,
  C_BARN_NR_FULL,
  C_RCU_WAITING,
  C_RCU_WAITING_TAIL,
  C_SHEAF_CAPACITY,
  CACHE_WORDS,
  CPU_WORDS,
  type Fault,
  FRAME_USED,
  H_SHEAF_CLASSES,
  H_SHEAF_HIGH,
  H_SHEAF_SLOTS,
  LINK_ARRAY,
  LINK_LIVE,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_MAIN,
  P_RCU_FREE,
  P_SPARE,
  type PhysicalMemory,
  S_CACHE,
  S_CAPACITY,
  S_COUNT,
  S_MEMORY_LOW,
  S_NEXT,
  S_PLACE,
  S_SLOTS,
  SHEAF_BARN_EMPTY,
  SHEAF_BARN_FULL,
  SHEAF_CLASS_WORDS,
  SHEAF_MAIN,
  SHEAF_PREFILLED,
  SHEAF_RCU_FREE,
  SHEAF_SPARE,
  SHEAF_WAITING,
  SHEAF_WORDS,
} from '../../machine/index.js';
import { readAddress } from '../barn/index.js';
import { cacheName, eachCpuLine } from '../cache/index.js';
import { createObjectAddresses } from '../slabs/index.js';

/** What a sheaf is found to be: where, and how many objects it holds. */
interface Found {
  readonly place: number;
  readonly count: number;
}

/**
 * Looks at the sheaves of all caches, and notes by slab how many of its objects lie in them. `cheap` looks at places and counts only.
 * Nothing that a list or a row leads to is read before it was found good. `strays`: slots may name addresses that nobody looked at.
 */
export function checkBarns(
  memory: PhysicalMemory,
  ids: readonly number[],
  level: 'cheap' | 'full',
  strays: boolean,
  inArrays: Map<number, number>,
  fail: Fault,
): void {
  let good = true;
  const wrong: Fault = (term, message) => {
    good = false;
    fail(term, message);
  };
  checkRows(memory, ids, wrong);
  if (!good) return;
  const found = new Map<number, Found>();
  for (const id of ids) findSheaves(memory, id, found, wrong);
  checkPlaces(memory, found, wrong);
  if (level === 'cheap' || !good) return;
  for (const [sheaf, { count }] of found) checkSlots(memory, sheaf, count, strays, inArrays, fail);
}

/** Each row that is in use has slots of its own, and each other one is on its class's list of free ones. */
function checkRows({ ledger }: PhysicalMemory, ids: readonly number[], fail: Fault): void {
  const { header, sheaf: rows, shape, cache } = ledger;
  const high = header[H_SHEAF_HIGH]!;
  const used = header[H_SHEAF_SLOTS]!;
  if (high < 0 || high > shape.sheaves || used < 0 || used > shape.sheafSlots)
    return fail('barn.rows', `${high} sheaves with ${used} slots are more than the ledger has`);
  const known = new Set(ids);
  const free = freeRows(ledger, fail);
  let end = 0;
  // Slots are given to rows in the order in which both are used first.
  for (let id = 1; id <= high; id++) {
    const s = id * SHEAF_WORDS;
    const first = rows[s + S_SLOTS]!;
    if (first < end || first > used)
      fail('barn.rows', `sheaf ${id} has slots from ${first}, those in front of it end at ${end}`);
    end = Math.max(end, first);
    const owner = rows[s + S_CACHE]!;
    if (owner === 0) {
      if (!free.has(id)) fail('barn.rows', `sheaf ${id} is no cache's, and on no list of free ones`);
      continue;
    }
    if (free.has(id)) fail('barn.rows', `sheaf ${id} is free, and ${owner}'s`);
    if (!known.has(owner)) fail('barn.rows', `sheaf ${id} is of cache ${owner}, which does not exist`);
    const capacity = rows[s + S_CAPACITY]!;
    const next = id < high ? rows[s + SHEAF_WORDS + S_SLOTS]! : used;
    if (capacity < 1 || first + capacity > next)
      fail(
        'barn.rows',
        `sheaf ${id} of ${cache[owner * CACHE_WORDS]} holds ${capacity}, its slots are ${next - first}`,
      );
  }
}

function freeRows({ header, sheaf: rows, shape }: PhysicalMemory['ledger'], fail: Fault): Set<number> {
  const free = new Set<number>();
  for (let each = 0; each < SHEAF_CLASS_WORDS; each++) {
    for (let id = header[H_SHEAF_CLASSES + each]!; id !== 0; id = rows[id * SHEAF_WORDS + S_NEXT]!) {
      if (id < 1 || id > shape.sheaves || free.has(id)) {
        fail('barn.rows', `the list of free sheaves leads to ${id}, which is none or was met before`);
        break;
      }
      free.add(id);
    }
  }
  return free;
}

/** Finds the sheaves of a cache by what leads to them. */
function findSheaves(memory: PhysicalMemory, id: number, found: Map<number, Found>, fail: Fault): void {
  const { ledger } = memory;
  const { cache, cpuCache, sheaf: rows } = ledger;
  const c = id * CACHE_WORDS;
  const name = cacheName(ledger, id);
  const capacity = cache[c + C_SHEAF_CAPACITY]!;
  const meet = (sheaf: number, place: number, count: number, what: string): boolean => {
    const s = sheaf * SHEAF_WORDS;
    if (!isRowOf(memory, sheaf, id) || found.has(sheaf)) {
      fail('barn.place', `${name}: ${what} is sheaf ${sheaf}, which is none of it or in two places`);
      return false;
    }
    found.set(sheaf, { place, count });
    if (rows[s + S_PLACE] !== place)
      fail('barn.place', `${name}: ${what}, sheaf ${sheaf}, says ${rows[s + S_PLACE]}`);
    if (count < 0 || count > rows[s + S_CAPACITY]!)
      fail('barn.count', `${name}: ${what} holds ${count} objects for ${rows[s + S_CAPACITY]}`);
    return true;
  };
  const held = (sheaf: number) => rows[sheaf * SHEAF_WORDS + S_COUNT] ?? 0;
  eachCpuLine(ledger, id, (p, cpu) => {
    const main = cpuCache[p + P_MAIN]!;
    // A cache that was adopted has sheaves from its first use on, and then each CPU has them.
    const opened = cpuCache[id * CPU_WORDS + P_MAIN] !== 0;
    if ((main !== 0) !== opened || (opened && capacity === 0))
      fail('barn.main', `${name}: CPU ${cpu}'s main is sheaf ${main}`);
    if (main === 0) {
      if ((cpuCache[p + P_AVAIL]! | cpuCache[p + P_LIMIT]!) !== 0)
        fail('barn.main', `${name}: CPU ${cpu} holds objects without a sheaf`);
    } else if (meet(main, SHEAF_MAIN, cpuCache[p + P_AVAIL]!, `CPU ${cpu}'s main`)) {
      const s = main * SHEAF_WORDS;
      if (cpuCache[p + P_ENTRIES] !== rows[s + S_SLOTS] || cpuCache[p + P_LIMIT] !== rows[s + S_CAPACITY])
        fail('barn.main', `${name}: CPU ${cpu}'s copy of where its main lies is wrong`);
    }
    const spare = cpuCache[p + P_SPARE]!;
    if (spare !== 0) meet(spare, SHEAF_SPARE, held(spare), `CPU ${cpu}'s spare`);
    const rcu = cpuCache[p + P_RCU_FREE]!;
    if (rcu !== 0) meet(rcu, SHEAF_RCU_FREE, held(rcu), `CPU ${cpu}'s rcu_free`);
  });
  const walk = (head: number, place: number, what: string): number => {
    let length = 0;
    for (let sheaf = cache[c + head]!; sheaf !== 0; sheaf = rows[sheaf * SHEAF_WORDS + S_NEXT]!) {
      if (!meet(sheaf, place, held(sheaf), what)) break;
      const wanted = place === SHEAF_BARN_EMPTY ? 0 : capacity;
      if (held(sheaf) !== wanted) fail('barn.count', `${name}: ${what} holds ${held(sheaf)}, not ${wanted}`);
      length++;
    }
    return length;
  };
  const full = walk(C_BARN_FULL, SHEAF_BARN_FULL, 'a full one of the barn');
  const empty = walk(C_BARN_EMPTY, SHEAF_BARN_EMPTY, 'an empty one of the barn');
  if (full !== cache[c + C_BARN_NR_FULL] || empty !== cache[c + C_BARN_NR_EMPTY])
    fail(
      'barn.length',
      `${name}: the barn has ${full} full and ${empty} empty, and counts ` +
        `${cache[c + C_BARN_NR_FULL]} and ${cache[c + C_BARN_NR_EMPTY]}`,
    );
  const waiting = walk(C_RCU_WAITING, SHEAF_WAITING, 'one that waits');
  if ((waiting === 0) !== (cache[c + C_RCU_WAITING_TAIL] === 0))
    fail('barn.length', `${name}: ${waiting} sheaves wait, the last is ${cache[c + C_RCU_WAITING_TAIL]}`);
}

function isRowOf({ ledger }: PhysicalMemory, sheaf: number, id: number): boolean {
  return (
    sheaf >= 1 && sheaf <= ledger.header[H_SHEAF_HIGH]! && ledger.sheaf[sheaf * SHEAF_WORDS + S_CACHE] === id
  );
}

/** Whatever no list leads to is with a caller, and each sheaf's own memory is a live object. */
function checkPlaces(memory: PhysicalMemory, found: Map<number, Found>, fail: Fault): void {
  const { ledger } = memory;
  const { sheaf: rows, slabLinks, link, frameState } = ledger;
  const { slabAt, indexIn } = createObjectAddresses(memory);
  const memories = new Set<number>();
  for (let sheaf = 1; sheaf <= ledger.header[H_SHEAF_HIGH]!; sheaf++) {
    const s = sheaf * SHEAF_WORDS;
    if (rows[s + S_CACHE] === 0) continue;
    if (!found.has(sheaf)) {
      const place = rows[s + S_PLACE]!;
      const count = rows[s + S_COUNT]!;
      if (place !== SHEAF_PREFILLED) fail('barn.place', `sheaf ${sheaf} is nowhere, and says ${place}`);
      if (count < 0 || count > rows[s + S_CAPACITY]!)
        fail('barn.count', `sheaf ${sheaf} holds ${count} objects for ${rows[s + S_CAPACITY]}`);
      found.set(sheaf, { place, count });
    }
    const address = readAddress(rows, s + S_MEMORY_LOW);
    const slab = slabAt(address);
    const index = slab === 0 ? -1 : indexIn(slab, address);
    const frame = Math.floor(address / memory.profile.pageSize) - memory.basePfn;
    const isBlock = slab === 0 && (frameState[frame] ?? 0) >= FRAME_USED;
    const live = isBlock || (index >= 0 && link[slabLinks[slab]! + index] === LINK_LIVE);
    if (!live || memories.has(address))
      fail(
        'barn.memory',
        `sheaf ${sheaf} lies at 0x${address.toString(16)}, which is no live object of its own`,
      );
    memories.add(address);
  }
}

/** What a sheaf names is an object of its cache, in use for its slab, and nowhere else: its link says so, and is met once. */
function checkSlots(
  memory: PhysicalMemory,
  sheaf: number,
  count: number,
  strays: boolean,
  inArrays: Map<number, number>,
  fail: Fault,
): void {
  const { ledger } = memory;
  const { sheaf: rows, slabCache, slabLinks, slotAddress, slotLink, link } = ledger;
  const { slabAt, indexIn } = createObjectAddresses(memory);
  const s = sheaf * SHEAF_WORDS;
  const id = rows[s + S_CACHE]!;
  const first = rows[s + S_SLOTS]!;
  for (let slot = first; slot < first + count; slot++) {
    const at = slotLink[slot]!;
    if (at < 0 && strays) continue;
    const address = slotAddress[slot]!;
    const what = `${cacheName(ledger, id)}: sheaf ${sheaf} names 0x${address.toString(16)}`;
    const slab = slabAt(address);
    const index = slab !== 0 && slabCache[slab] === id ? indexIn(slab, address) : -1;
    if (index < 0) {
      fail('barn.entry', `${what}, which is no object of it`);
      continue;
    }
    if (slabLinks[slab]! + index !== at)
      fail('barn.entry', `${what} with link ${at}, not ${slabLinks[slab]! + index}`);
    if (link[at] !== LINK_ARRAY) fail('barn.link', `${what}, whose link says ${link[at]}, not ${LINK_ARRAY}`);
    inArrays.set(slab, (inArrays.get(slab) ?? 0) + 1);
  }
}
