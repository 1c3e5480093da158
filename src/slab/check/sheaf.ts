/**
 * The part of the equation of ledger.ts that sheaves have (sheaf.ts).
 */
import {
  C_ARRAY_ENTRIES,
  C_ARRAYS,
  C_FLAGS,
  C_LIVE_CHECK,
  C_OO,
  C_SHEAF_CAPACITY,
  CACHE_WORDS,
  type Fault,
  frameCacheOf,
  LINK_ARRAY,
  LINK_LIVE,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_SLAB_MASK,
  P_SLAB_OBJECTS,
  type PhysicalMemory,
  R_END,
  R_START,
  R_VIRGIN,
  R_VIRGIN_END,
  RANGE_WORDS,
  shapeObjects,
  shapeOrder,
} from '../../machine/index.js';
import { cacheName, eachCpuLine } from '../cache/index.js';
import { SLAB_DEBUG_FLAGS } from '../kernel/index.js';
import { createObjectAddresses } from '../slabs/index.js';

/**
 * Looks at the sheaves of all caches; what lies in them is noted by slab where links say so. `cheap` looks at counts only. Nothing that a
 * count or a run leads to is read before that count and that run were found good.
 */
export function checkSheaves(
  memory: PhysicalMemory,
  ids: readonly number[],
  level: 'cheap' | 'full',
  inArrays: Map<number, number>,
  fail: Fault,
): void {
  const walkable = checkRuns(memory, ids, fail);
  if (level === 'cheap' || !walkable) return;
  checkFrameCaches(memory, fail);
  for (const id of ids) checkEntries(memory, id, inArrays, fail);
}

/** A frame names the cache that a free on the hot path may take it for, and no other: a stray free there would be believed. */
function checkFrameCaches({ ledger }: PhysicalMemory, fail: Fault): void {
  const { frameCache, frameSlab, range, shape } = ledger;
  const check = (from: number, to: number) => {
    for (let f = from; f < to; f++) {
      const slab = frameSlab[f]!;
      const wanted = slab === 0 ? 0 : frameCacheOf(ledger, slab);
      if (frameCache[f] !== wanted)
        fail('sheaf.frame', `frame ${f} names cache ${frameCache[f]}, not ${wanted}`);
    }
  };
  for (let r = 0; r < shape.ranges * RANGE_WORDS; r += RANGE_WORDS) {
    // No frame of the part between was ever handed out.
    check(range[r + R_START]!, range[r + R_VIRGIN]!);
    check(range[r + R_VIRGIN_END]!, range[r + R_END]!);
  }
}

/** Each cache has a run of entries of its own, divided among its CPUs, and no CPU holds more than its part. */
function checkRuns({ ledger, profile }: PhysicalMemory, ids: readonly number[], fail: Fault): boolean {
  const { cache, cpuCache, shape } = ledger;
  const { pageSize } = profile;
  let good = true;
  const wrong = (term: string, message: string) => {
    good = false;
    fail(term, message);
  };
  const runs: (readonly [first: number, end: number, name: string])[] = [];
  for (const id of ids) {
    const c = id * CACHE_WORDS;
    const name = cacheName(ledger, id);
    const limit = 2 * cache[c + C_SHEAF_CAPACITY]!;
    const first = cache[c + C_ARRAYS]!;
    const entries = cache[c + C_ARRAY_ENTRIES]!;
    if (limit !== 0 && cache[c + C_FLAGS]! & SLAB_DEBUG_FLAGS)
      wrong('sheaf.run', `${name} is debugged, yet it has sheaves`);
    if (limit < 0 || entries !== limit * shape.cpus || first < 0 || first + entries > shape.sheafEntries)
      wrong(
        'sheaf.run',
        `${name}: ${entries} entries from ${first} are not two sheaves of ${limit / 2} for each CPU`,
      );
    if (entries > 0) runs.push([first, first + entries, name]);
    eachCpuLine(ledger, id, (p, cpu) => {
      const own = limit === 0 ? 0 : first + cpu * limit;
      if (cpuCache[p + P_LIMIT] !== limit || cpuCache[p + P_ENTRIES] !== own)
        wrong('sheaf.run', `${name}: CPU ${cpu}'s copy of where its sheaves lie is wrong`);
      const shape = cache[c + C_OO]!;
      const [mask, objects] =
        limit === 0 ? [0, 0] : [pageSize * 2 ** shapeOrder(shape) - 1, shapeObjects(shape)];
      if (cpuCache[p + P_SLAB_MASK] !== mask || cpuCache[p + P_SLAB_OBJECTS] !== objects)
        wrong('sheaf.run', `${name}: CPU ${cpu}'s copy of what a slab is is wrong`);
      const avail = cpuCache[p + P_AVAIL]!;
      if (avail < 0 || avail > limit)
        wrong('sheaf.count', `${name}: CPU ${cpu} holds ${avail} objects in sheaves for ${limit}`);
    });
  }
  runs.sort(([a], [b]) => a - b);
  for (const [i, [first, , name]] of runs.entries()) {
    const before = runs[i - 1];
    if (before !== undefined && before[1] > first)
      wrong('sheaf.run', `${name} and ${before[2]} share entries from ${first}`);
  }
  return good;
}

/** What a sheaf names is an object of its cache, in use for its slab, and nowhere else. */
function checkEntries(memory: PhysicalMemory, id: number, inArrays: Map<number, number>, fail: Fault): void {
  const { ledger } = memory;
  const { cache, cpuCache, link, sheafAddress, sheafLink, slabCache, slabLinks } = ledger;
  const { slabAt, indexIn } = createObjectAddresses(memory);
  const name = cacheName(ledger, id);
  const checked = cache[id * CACHE_WORDS + C_LIVE_CHECK] !== 0;
  const met = new Set<number>();
  eachCpuLine(ledger, id, (p, cpu) => {
    const first = cpuCache[p + P_ENTRIES]!;
    for (let entry = first; entry < first + cpuCache[p + P_AVAIL]!; entry++) {
      const address = sheafAddress[entry]!;
      const what = `${name}: CPU ${cpu}'s sheaves name 0x${address.toString(16)}`;
      const slab = slabAt(address);
      const index = slab !== 0 && slabCache[slab] === id ? indexIn(slab, address) : -1;
      if (index < 0) {
        fail('sheaf.entry', `${what}, which is no object of it`);
        continue;
      }
      const at = slabLinks[slab]! + index;
      if (met.has(address)) fail('sheaf.entry', `${what} for the second time: it was freed twice`);
      met.add(address);
      const wanted = checked ? LINK_ARRAY : LINK_LIVE;
      if (link[at] !== wanted) fail('sheaf.link', `${what}, whose link says ${link[at]}, not ${wanted}`);
      if (!checked) continue;
      if (sheafLink[entry] !== at) fail('sheaf.link', `${what} with link ${sheafLink[entry]}, not ${at}`);
      inArrays.set(slab, (inArrays.get(slab) ?? 0) + 1);
    }
  });
}
