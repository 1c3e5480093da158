/**
 * `validate()` of a machine with SLAB can fail, as validate.test.ts has it: one word of a busy machine is spoilt for every term that
 * slab.ts names, and for some that both allocators have.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MIB } from '../../base/index.js';
import {
  C_ARRAY_ENTRIES,
  C_ARRAYS,
  C_BATCHCOUNT,
  C_FREE_HEAD,
  C_FREE_OBJECTS,
  C_FREE_SLABS,
  C_FREE_TAIL,
  C_FULL_HEAD,
  C_LIMIT,
  C_NEWER,
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_PARTIAL_HEAD,
  C_PARTIAL_TAIL,
  C_SHARED_AVAIL,
  CACHE_WORDS,
  COUNTERS_FROZEN,
  COUNTERS_INUSE_SHIFT,
  type Ledger,
  LINK_ARRAY,
  LINK_END,
  LINK_LIVE,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
} from '../../machine/index.js';
import { eachCpuLine } from '../cache/table.js';
import { Machine } from '../machine.js';
import { type Plant, planters, type TableName, testPlanted, testSpoilt } from './planted.case.test.js';

/** A machine that has slabs on every list and objects in every array. Slabs by id. */
interface Busy {
  readonly machine: Machine;
  readonly ledger: Ledger;
  /** Row of the cache, and of CPU 0's and CPU 1's line. */
  readonly c: number;
  readonly lines: readonly number[];
  readonly full: number;
  readonly partial: number;
  readonly second: number;
  readonly free: number;
  /** The shared array's first entry. */
  readonly shared: number;
  /** A slab whose list of free objects is an object of kmalloc. */
  readonly outside: number;
}

function busyMachine(): Busy {
  const machine = Machine.create({
    allocator: 'slab',
    memory: 64 * MIB,
    cpus: 2,
    slubNomerge: true,
    ledger: { caches: 50, slabs: 512, linkPages: 64 },
  });
  const { ledger } = machine;
  const other = machine.kmemCacheCreate('outside', 1024, { ctor: () => {} })!;
  other.allocBulk(3);
  const cache = machine.kmemCacheCreate('busy', 328)!;
  const objects = cache.allocBulk(12 * 37);
  // Enough to fill both CPUs' arrays and the shared one; the rest goes to slabs, some of which become free.
  for (const [i, object] of objects.entries()) if (i % 24 !== 0 && i > 24) cache.free(object, i % 2);
  const c = cache.id * CACHE_WORDS;
  const lines: number[] = [];
  eachCpuLine(ledger, cache.id, (p) => lines.push(p));
  const word = (at: number) => ledger.cache[c + at]!;
  return {
    machine,
    ledger,
    c,
    lines,
    full: word(C_FULL_HEAD),
    partial: word(C_PARTIAL_HEAD),
    second: ledger.slabNext[word(C_PARTIAL_HEAD)]!,
    free: word(C_FREE_HEAD),
    shared: word(C_ARRAYS) + 2 * word(C_LIMIT),
    outside:
      ledger.cache[other.id * CACHE_WORDS + C_PARTIAL_HEAD]! ||
      ledger.cache[other.id * CACHE_WORDS + C_FULL_HEAD]!,
  };
}

test('a healthy machine passes both levels, and has slabs on every list and objects in every array', () => {
  const { machine, ledger, c, lines, ...busy } = busyMachine();
  machine.validate('cheap');
  machine.validate('full');
  const slabs = [busy.full, busy.partial, busy.second, busy.free, busy.outside];
  assert.ok(!slabs.includes(0));
  assert.equal(new Set(slabs).size, slabs.length);
  for (const p of lines) assert.ok(ledger.cpuCache[p + P_AVAIL]! > 1);
  assert.ok(ledger.cache[c + C_SHARED_AVAIL]! > 1);
  assert.notEqual(ledger.slabFreelist[busy.outside], 0);
});

const { both, fullOnly } = planters<Busy>();

const IN_USE_ONE = 1 << COUNTERS_INUSE_SHIFT;
/** The first entry of CPU 0's array. */
const firstEntry = ({ ledger, lines }: Busy) => ledger.cpuCache[lines[0]! + P_ENTRIES]!;

const PLANTS: readonly Plant<Busy>[] = [
  // Lists.
  both('cache.lists', 'a list that ends elsewhere', ({ ledger, c, partial }) => {
    ledger.cache[c + C_PARTIAL_TAIL] = partial;
  }),
  both('cache.lists', 'a slab that points back wrongly', ({ ledger, second }) => {
    ledger.slabPrev[second] = 0;
  }),
  both('cache.lists', 'a list that leads to its beginning', ({ ledger, c, free }) => {
    ledger.slabNext[ledger.cache[c + C_FREE_TAIL]!] = free;
  }),
  both('cache.lists', 'a list that leads to another cache’s slab', ({ ledger, c, outside }) => {
    ledger.cache[c + C_FULL_HEAD] = outside;
  }),
  both('cache.lists', 'a list that leads nowhere', ({ ledger, c }) => {
    ledger.cache[c + C_FULL_HEAD] = -7;
  }),
  both('slab.list', 'a full slab that says that it has a free object', ({ ledger, full }) => {
    ledger.slabCounters[full]! -= IN_USE_ONE;
  }),
  both('slab.list', 'a partial slab that says that it is full', ({ ledger, partial }) => {
    ledger.slabCounters[partial] = 12 * IN_USE_ONE;
  }),
  both('slab.list', 'a free slab that says that an object is in use', ({ ledger, free }) => {
    ledger.slabCounters[free]! += IN_USE_ONE;
  }),
  both('slab.list', 'slabs on no list', ({ ledger, c }) => {
    ledger.cache[c + C_FULL_HEAD] = 0;
    ledger.cache[c + C_FULL_HEAD + 1] = 0;
  }),
  both('cache.nrPartial', 'a partial slab too many', ({ ledger, c }) => ledger.cache[c + C_NR_PARTIAL]!++),
  both('cache.freeSlabs', 'a free slab too few', ({ ledger, c }) => ledger.cache[c + C_FREE_SLABS]!--),
  both('cache.freeObjects', 'a free object too many', ({ ledger, c }) => ledger.cache[c + C_FREE_OBJECTS]!++),
  both('cache.slabs', 'a slab too many', ({ ledger, c }) => ledger.cache[c + C_NR_SLABS]!++),

  // Arrays.
  both('array.run', 'a limit that its array does not have', ({ ledger, c }) => ledger.cache[c + C_LIMIT]!++),
  both(
    'array.run',
    'a batch that the shared array was not made for',
    ({ ledger, c }) => ledger.cache[c + C_BATCHCOUNT]!--,
  ),
  both('array.run', 'a run in front of its own', ({ ledger, c }) => ledger.cache[c + C_ARRAYS]!--),
  both('array.run', 'a run that the table is too short for', ({ ledger, c }) => {
    ledger.cache[c + C_ARRAYS] = ledger.shape.arrayEntries - 10;
  }),
  both('array.run', 'a run of another length', ({ ledger, c }) => ledger.cache[c + C_ARRAY_ENTRIES]!--),
  both(
    'array.run',
    'a CPU’s copy of the limit',
    ({ ledger, lines }) => ledger.cpuCache[lines[1]! + P_LIMIT]!--,
  ),
  both(
    'array.run',
    'a CPU’s copy of its first entry',
    ({ ledger, lines }) => ledger.cpuCache[lines[1]! + P_ENTRIES]!--,
  ),
  both('array.avail', 'more in a CPU’s array than it holds', ({ ledger, lines, c }) => {
    ledger.cpuCache[lines[0]! + P_AVAIL] = ledger.cache[c + C_LIMIT]! + 1;
  }),
  both('array.avail', 'less than nothing in it', ({ ledger, lines }) => {
    ledger.cpuCache[lines[0]! + P_AVAIL] = -1;
  }),
  both('array.avail', 'more in the shared array than it holds', ({ ledger, c }) => {
    ledger.cache[c + C_SHARED_AVAIL] = 10_000;
  }),
  fullOnly('array.entry', 'an address that is no object', (busy) => {
    busy.ledger.arrayAddress[firstEntry(busy)]! += 8;
  }),
  fullOnly('array.entry', 'an address in no slab', (busy) => {
    busy.ledger.arrayAddress[firstEntry(busy)] = Number.NaN;
  }),
  fullOnly('array.entry', 'an object and another one’s link', (busy) => {
    busy.ledger.arrayLink[firstEntry(busy)]!++;
  }),
  fullOnly('array.entry', 'an object that two arrays name', (busy) => {
    busy.ledger.arrayAddress[busy.shared] = busy.ledger.arrayAddress[firstEntry(busy)]!;
    busy.ledger.arrayLink[busy.shared] = busy.ledger.arrayLink[firstEntry(busy)]!;
  }),
  fullOnly('array.entry', 'an object that is live', (busy) => {
    busy.ledger.link[busy.ledger.arrayLink[firstEntry(busy)]!] = LINK_LIVE;
  }),
  fullOnly('array.entry', 'an address that was freed unlooked at, where every free is looked at', (busy) => {
    busy.ledger.arrayLink[firstEntry(busy)] = -1;
  }),
  fullOnly('slab.objects', 'an object that no array names any more', ({ ledger, lines }) => {
    ledger.cpuCache[lines[0]! + P_AVAIL]!--;
  }),

  // Slabs.
  fullOnly('slab.objects', 'a live object that says that an array has it', ({ ledger, full }) => {
    const links = ledger.slabLinks[full]!;
    const at = [...ledger.link.subarray(links, links + 12)].indexOf(LINK_LIVE);
    ledger.link[links + at] = LINK_ARRAY;
  }),
  fullOnly('link.list', 'a slab’s list that leads to an object in an array', ({ ledger, free }) => {
    const links = ledger.slabLinks[free]!;
    ledger.link[links + ledger.link.subarray(links, links + 12).indexOf(LINK_END)] = LINK_ARRAY;
  }),
  fullOnly('slab.offset', 'a colour that the cache does not have', ({ ledger, free }) => {
    ledger.slabOffset[free] = 128;
  }),
  fullOnly('slab.offset', 'half a colour', ({ ledger, free }) => {
    ledger.slabOffset[free] = 32;
  }),
  fullOnly('slab.freelist', 'a list of free objects that is nowhere', ({ ledger, outside }) => {
    ledger.slabFreelist[outside] = 0;
  }),
  fullOnly('slab.freelist', 'a list of free objects in memory that is free', ({ ledger, outside }) => {
    ledger.slabFreelist[outside]! += 32 * 20;
  }),
  fullOnly('slab.freelist', 'a list outside where the cache has none', ({ ledger, free, outside }) => {
    ledger.slabFreelist[free] = ledger.slabFreelist[outside]!;
  }),
  both('slab.frozen', 'a frozen slab', ({ ledger, partial }) => {
    ledger.slabCounters[partial]! |= COUNTERS_FROZEN;
  }),
];

testPlanted(busyMachine, PLANTS);

test('no term of the checks is left out', () => {
  const source = readFileSync(new URL('../../../src/slab/check/slab.ts', import.meta.url), 'utf8');
  const named = [...source.matchAll(/\b(?:fail|bad)\(\s*'([^']+)'/g)].map((match) => match[1]!);
  // The one that has no literal is `bad` itself, which passes its own on.
  assert.equal(named.length + 1, source.match(/\b(?:fail|bad)\(/g)!.length);
  const planted = new Set(PLANTS.map(({ term }) => term));
  assert.deepEqual(
    [...new Set(named)].filter((term) => !planted.has(term)),
    [],
  );
});

/** Arrays of the ledger that its user's operations change. */
const TABLES = [
  'cache',
  'cpuCache',
  'slabCounters',
  'slabNext',
  'slabPrev',
  'slabCache',
  'slabFrame',
  'slabOffset',
  'slabLinks',
  'slabShape',
  'slabFreelist',
  'arrayAddress',
  'arrayLink',
  'frameSlab',
  'link',
] as const satisfies readonly TableName[];

testSpoilt({
  busyMachine,
  tables: TABLES,
  place({ ledger, c }, table, random) {
    // Most words of most tables are 0 and unused: the cache's own row and the words in front are not.
    const span = random % 2 ? 2000 : ledger[table].length;
    const isOwn = table === 'cache' && random % 3;
    const at = isOwn ? c + (random % CACHE_WORDS) : random % Math.min(span, ledger[table].length);
    // Links of the list of all caches, which spoilt make the check long, and no mistake.
    return table === 'cache' && at % CACHE_WORDS === C_NEWER ? undefined : at;
  },
  seed: 7462,
  runs: 400,
});
