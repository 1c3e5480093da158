/**
 * `validate()` can fail: for every term that it names, one word of a healthy and busy machine is spoilt, and
 * the term must come back. The list of terms is read from the sources of the checks, so that a new one
 * without a fault here is noticed. What only SLAB has is in slab-validate.test.ts.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MIB, type Pfn, type PhysAddr } from '../../base/index.js';
import {
  C_NEWER,
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_PARTIAL_HEAD,
  C_PARTIAL_TAIL,
  C_TOTAL_OBJECTS,
  C_TRACKED_FULL_TAIL,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  COUNTERS_INUSE_SHIFT,
  GFP,
  H_CACHE_OLDEST,
  H_LINK_CLASSES,
  H_SLAB_FREE,
  H_SLAB_HIGH,
  L_FREE_SLOT,
  L_NEXT,
  L_PREV,
  L_USED,
  type Ledger,
  LINK_CLASS_WORDS,
  LINK_END,
  LINK_LIVE,
  LINK_LOST,
  LINKPAGE_WORDS,
  P_LINKS,
  P_OBJECTS,
  P_OWN,
  P_PARTIAL,
  P_PARTIAL_COUNT,
  P_SLAB,
  PD_FIRST,
  Z_COUNT,
  Z_FREE,
  Z_HEAD,
  Z_MANAGED,
  Z_RANGE,
  Z_RANGE_END,
  ZONE_WORDS,
} from '../../machine/index.js';
import { eachCpuLine } from '../cache/table.js';
import { SLAB } from '../kernel/flags.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine } from '../machine.js';
import {
  type Plant,
  planters,
  type TableName,
  termOf,
  testPlanted,
  testSpoilt,
} from './planted.case.test.js';

const PAGE = 4096;

/** Where terms come from. */
const CHECKS = ['machine/check-frames.ts', 'machine/links.ts', 'slab/check/slub.ts'];

// ---- a busy machine ---------------------------------------------------------------------------------------

/** One machine that has a slab in every state, and things to point at. Slabs by id. */
interface Busy {
  readonly machine: Machine;
  readonly ledger: Ledger;
  /** Row of `cache`, and of CPU 0's and CPU 1's line in `cpuCache`. */
  readonly c: number;
  readonly p: number;
  readonly idleLine: number;
  /** The states of ledger.ts; the node has several. */
  readonly active: number;
  readonly cpuPartial: number;
  readonly node: readonly number[];
  readonly full: number;
  /** A cache with a debug flag: none of its slabs is a CPU's. */
  readonly debugLine: number;
  /** The first frame of a block that belongs to nobody's slab, of order 2. */
  readonly block: number;
  /** The zone row that all this lies in, and an order with free blocks in a list there. */
  readonly zone: number;
  readonly freeOrder: number;
}

function lines(ledger: Ledger, cache: KmemCache): number[] {
  const found: number[] = [];
  eachCpuLine(ledger, cache.id, (p) => found.push(p));
  return found;
}

function nodeList(ledger: Ledger, cache: KmemCache): number[] {
  const found: number[] = [];
  for (let s = ledger.cache[cache.id * CACHE_WORDS + C_PARTIAL_HEAD]!; s !== 0; s = ledger.slabNext[s]!)
    found.push(s);
  return found;
}

function slabOf(machine: Machine, address: PhysAddr): number {
  return machine.ledger.frameSlab[Math.floor(address / PAGE) - machine.memory.basePfn]!;
}

function busyMachine(): Busy {
  const machine = Machine.create({
    memory: 16 * MIB,
    cpus: 2,
    slubNomerge: true,
    ledger: { caches: 8, slabs: 256, linkPages: 32 },
  });
  const { ledger } = machine;
  const block = machine.allocPages(GFP.KERNEL, 2) - machine.memory.basePfn;
  // Slabs of 8-byte objects take a quarter of a link page each: more than one page, and free slots.
  machine.kmemCacheCreate('tiny', 8)!.allocBulk(512 * 9);
  const debugged = machine.kmemCacheCreate('debugged', 100, { flags: SLAB.POISON })!;
  debugged.allocBulk(5);
  const cache = machine.kmemCacheCreate('busy', 256)!;
  const objects = cache.allocBulk(16 * 24 + 5);
  // One object of each of 20 slabs comes back: the CPU keeps the last of them, the node gets the others.
  for (let i = 0; i < 20 * 16; i += 16) cache.free(objects[i]!);
  cache.free(objects.at(-1)!, 1);
  // A slab that is empty and given back leaves an id behind.
  const single = machine.kmemCacheCreate('gone', 4096)!;
  single.free(single.alloc());
  single.shrink();
  const [p, idleLine] = lines(ledger, cache) as [number, number];
  const zone = machine.zones().findIndex((z) => z.free < z.managed) * ZONE_WORDS;
  const freeOrder = [...Array(11).keys()].find((order) => ledger.zone[zone + Z_COUNT + order]! > 0)!;
  return {
    machine,
    ledger,
    c: cache.id * CACHE_WORDS,
    p,
    idleLine,
    active: ledger.cpuCache[p + P_SLAB]!,
    cpuPartial: ledger.cpuCache[p + P_PARTIAL]!,
    node: nodeList(ledger, cache),
    full: slabOf(machine, objects[22 * 16]!),
    debugLine: lines(ledger, debugged)[0]!,
    block,
    zone,
    freeOrder,
  };
}

test('a healthy machine passes both levels, and has a slab in every state', () => {
  const { machine, ledger, idleLine, ...busy } = busyMachine();
  machine.validate('cheap');
  machine.validate('full');
  assert.ok(busy.node.length >= 3);
  const slabs = [busy.active, busy.cpuPartial, ...busy.node, busy.full];
  assert.ok(!slabs.includes(0));
  assert.equal(new Set(slabs).size, slabs.length);
  assert.equal(ledger.cpuCache[idleLine + P_SLAB], 0);
  assert.notEqual(ledger.header[H_SLAB_FREE], 0);
  assert.notEqual(ledger.link[ledger.slabLinks[busy.full]!], LINK_END);
});

// ---- one word spoilt --------------------------------------------------------------------------------------

/** The first link of a slab that holds this. */
function linkAt(ledger: Ledger, slab: number, wanted: (link: number) => boolean): number {
  const first = ledger.slabLinks[slab]!;
  const objects = ledger.slabShape[slab]! & 0xffff;
  for (let at = first; at < first + objects; at++) if (wanted(ledger.link[at]!)) return at;
  throw new Error(`slab ${slab} has no such link`);
}

/** Row of the first link page that some size class lists. */
function listedLinkPage(ledger: Ledger): number {
  for (let i = 0; i < LINK_CLASS_WORDS; i++) {
    const page = ledger.header[H_LINK_CLASSES + i]!;
    if (page !== 0) return (page - 1) * LINKPAGE_WORDS;
  }
  throw new Error('no link page is listed');
}

/** The first frame of the first free block of a list. */
const firstFree = ({ ledger, zone, freeOrder }: Busy) => ledger.zone[zone + Z_HEAD + freeOrder]! - 1;
const IN_USE_ONE = 1 << COUNTERS_INUSE_SHIFT;

const { both, fullOnly } = planters<Busy>();

const PLANTS: readonly Plant<Busy>[] = [
  // Zones and free lists.
  both('zone.free', 'one more than there are', ({ ledger, zone }) => ledger.zone[zone + Z_FREE]!++),
  both('zone.free', 'more than the zone manages', ({ ledger, zone }) => {
    ledger.zone[zone + Z_FREE] = ledger.zone[zone + Z_MANAGED]! + 1;
  }),
  both('zone.free', 'less than none', ({ ledger, zone }) => {
    ledger.zone[zone + Z_FREE] = -1;
  }),
  both('zone.list', 'a listed block says that it is handed out', (busy) => {
    busy.ledger.frameState[firstFree(busy)]! += 0x40;
  }),
  both('zone.list', 'a listed block points back wrongly', (busy) => {
    busy.ledger.freePrev[firstFree(busy)] = 77;
  }),
  both('zone.list', 'a list that leads to itself', (busy) => {
    busy.ledger.freeNext[firstFree(busy)] = firstFree(busy) + 1;
  }),
  both('zone.list', 'a list that leads out of the machine', (busy) => {
    busy.ledger.freeNext[firstFree(busy)] = 0x7fffffff;
  }),
  both(
    'zone.count',
    'one block too many',
    ({ ledger, zone, freeOrder }) => ledger.zone[zone + Z_COUNT + freeOrder]!++,
  ),
  fullOnly(
    'zone.managed',
    'a frame that is in no block',
    ({ ledger, zone }) => ledger.zone[zone + Z_MANAGED]!++,
  ),
  fullOnly('frame.state', 'a block that vanished', ({ ledger, block }) => {
    ledger.frameState[block] = 0;
  }),
  fullOnly('frame.state', 'a block inside a block', ({ ledger, block }) => {
    ledger.frameState[block + 1] = 0x80;
  }),
  fullOnly('frame.slab', 'a slab’s frame that names no slab', ({ ledger, full }) => {
    ledger.frameSlab[ledger.slabFrame[full]!] = 0;
  }),
  fullOnly('frame.slab', 'somebody’s pages that name a slab', ({ ledger, block, full }) => {
    ledger.frameSlab[block + 1] = full;
  }),

  // Links.
  both('link.list', 'a link page that points back wrongly', ({ ledger }) => {
    ledger.linkPage[listedLinkPage(ledger) + L_PREV] = 9;
  }),
  both('link.list', 'a list of link pages that leads to itself', ({ ledger }) => {
    const row = listedLinkPage(ledger);
    ledger.linkPage[row + L_NEXT] = row / LINKPAGE_WORDS + 1;
  }),
  both(
    'link.slots',
    'a slot too many in use',
    ({ ledger }) => ledger.linkPage[listedLinkPage(ledger) + L_USED]!++,
  ),
  both('link.slots', 'free slots that got lost', ({ ledger }) => {
    ledger.linkPage[listedLinkPage(ledger) + L_FREE_SLOT] = 0;
  }),
  fullOnly('link.list', 'a slab’s list that leads to a live object', ({ ledger, node }) => {
    const at = linkAt(ledger, node[0]!, (link) => link === LINK_END);
    ledger.link[at] = LINK_LIVE;
  }),
  fullOnly('link.list', 'a slab’s list that leads to itself', ({ ledger, node }) => {
    const at = linkAt(ledger, node[0]!, (link) => link === LINK_END);
    ledger.link[at] = at - ledger.slabLinks[node[0]!]! + 1;
  }),
  fullOnly('link.list', 'an object on the CPU’s list and the slab’s', ({ ledger, active, p }) => {
    ledger.slabCounters[active]! |= ledger.cpuCache[p + P_OWN]!;
  }),

  // Slabs.
  both('slab.cache', 'a slab of a cache that does not exist', ({ ledger, full }) => {
    ledger.slabCache[full] = 8;
  }),
  both('slab.ids', 'a slab in use among the free ids', ({ ledger, full }) => {
    ledger.header[H_SLAB_FREE] = full;
  }),
  both('slab.ids', 'free ids that got lost', ({ ledger }) => {
    ledger.header[H_SLAB_FREE] = 0;
  }),
  both(
    'slab.shape',
    'an order that the cache does not have',
    ({ ledger, full }) => ledger.slabShape[full]!--,
  ),
  both('slab.frozen', 'a node-partial slab that is frozen', ({ ledger, node }) => {
    ledger.slabCounters[node[0]!]! |= COUNTERS_FROZEN;
  }),
  both('slab.frozen', 'a CPU-partial slab that is not', ({ ledger, cpuPartial }) => {
    ledger.slabCounters[cpuPartial]! &= ~COUNTERS_FROZEN;
  }),
  both('slab.frozen', 'an active slab that is not', ({ ledger, active }) => {
    ledger.slabCounters[active]! &= ~COUNTERS_FROZEN;
  }),
  both('slab.inUse', 'more in use than there are', ({ ledger, node }) => {
    ledger.slabCounters[node[0]!]! += 16 * IN_USE_ONE;
  }),
  fullOnly('slab.inUse', 'one too few in use', ({ ledger, node }) => {
    ledger.slabCounters[node[0]!]! -= IN_USE_ONE;
  }),
  both('slab.full', 'a slab on no list with a free object', ({ ledger, full }) => {
    ledger.slabCounters[full]! -= IN_USE_ONE;
  }),
  fullOnly('slab.objects', 'an object that is neither live nor free', ({ ledger, full }) => {
    ledger.link[linkAt(ledger, full, (link) => link === LINK_LIVE)] = LINK_END;
  }),
  fullOnly('slab.objects', 'a list that was cut off', ({ ledger, node }) => {
    ledger.slabCounters[node[0]!]! &= ~COUNTERS_FREE;
  }),
  fullOnly('slab.lost', 'an object given up by checks that the cache does not have', ({ ledger, full }) => {
    ledger.link[linkAt(ledger, full, (link) => link === LINK_LIVE)] = LINK_LOST;
  }),
  fullOnly('slab.offset', 'a slab that begins further in than its red zone', ({ ledger, full }) => {
    ledger.slabOffset[full] = 64;
  }),
  fullOnly('slab.pages', 'a slab on pages that were not handed out to it', ({ ledger, full }) => {
    ledger.slabFrame[full] = ledger.slabFrame[full]! + 1024;
  }),

  // Caches.
  both('cache.slabs', 'a slab too many', ({ ledger, c }) => ledger.cache[c + C_NR_SLABS]!++),
  both('cache.slabs', 'objects that are not there', ({ ledger, c }) => ledger.cache[c + C_TOTAL_OBJECTS]!++),
  both('cache.nrPartial', 'a partial slab too many', ({ ledger, c }) => ledger.cache[c + C_NR_PARTIAL]!++),
  both('cache.fullList', 'a list of full slabs in a cache that keeps none', ({ ledger, c, full }) => {
    ledger.cache[c + C_TRACKED_FULL_TAIL] = full;
  }),
  both('cache.partial', 'a list that ends elsewhere', ({ ledger, c, node }) => {
    ledger.cache[c + C_PARTIAL_TAIL] = node[0]!;
  }),
  both('cache.partial', 'a slab that points back wrongly', ({ ledger, node }) => {
    ledger.slabPrev[node[1]!] = 0;
  }),
  both('cache.partial', 'a list that leads to its beginning', ({ ledger, node }) => {
    ledger.slabNext[node.at(-1)!] = node[0]!;
  }),
  both('cache.partial', 'a list that leads to another cache’s slab', ({ ledger, node }) => {
    ledger.slabNext[node.at(-1)!] = 1;
  }),

  // CPUs.
  both('cpu.own', 'objects of their own, but no slab', ({ ledger, idleLine }) => {
    ledger.cpuCache[idleLine + P_OWN] = 3;
  }),
  both('cpu.own', 'a number of objects, but no slab', ({ ledger, idleLine }) => {
    ledger.cpuCache[idleLine + P_OBJECTS] = 16;
  }),
  both(
    'cpu.partial',
    'a CPU-partial slab too many',
    ({ ledger, p }) => ledger.cpuCache[p + P_PARTIAL_COUNT]!++,
  ),
  both('cpu.slab', 'a slab of two CPUs', ({ ledger, idleLine, active }) => {
    ledger.cpuCache[idleLine + P_SLAB] = active;
  }),
  both('cpu.slab', 'an active slab on the node’s list', ({ ledger, p, node }) => {
    ledger.cpuCache[p + P_SLAB] = node[0]!;
  }),
  both(
    'cpu.slab',
    'a list of partial slabs that leads to the active one',
    ({ ledger, cpuPartial, active }) => {
      ledger.slabNext[cpuPartial] = active;
    },
  ),
  both('cpu.slab', 'a copy of the links that is wrong', ({ ledger, p }) => ledger.cpuCache[p + P_LINKS]!++),
  both('cpu.slab', 'a copy of the first address that is wrong', ({ ledger, p }) => {
    ledger.cpuDouble[(p >> 1) + PD_FIRST]! += 256;
  }),
  both('cpu.slab', 'a CPU’s slab in a cache that is debugged', ({ ledger, debugLine, full }) => {
    ledger.cpuCache[debugLine + P_SLAB] = full;
  }),
  both('slab.ids', 'more slab ids in use than there are', ({ ledger }) => {
    ledger.header[H_SLAB_HIGH] = 2 ** 30;
  }),
  both('zone.managed', 'a zone with RAM ranges that are not there', ({ ledger, zone }) => {
    ledger.zone[zone + Z_RANGE_END] = 2 ** 30;
  }),
  both('zone.managed', 'a zone whose RAM ranges begin before the first', ({ ledger, zone }) => {
    ledger.zone[zone + Z_RANGE] = -(2 ** 31);
  }),
  both('zone.managed', 'a zone whose RAM ranges end before they begin', ({ ledger, zone }) => {
    ledger.zone[zone + Z_RANGE_END] = -1;
  }),
];

testPlanted(busyMachine, PLANTS);

test('no term of the checks is left out', () => {
  const named = CHECKS.flatMap((path) => {
    const source = readFileSync(new URL(`../../../src/${path}`, import.meta.url), 'utf8');
    const terms = [...source.matchAll(/\bfail\(\s*'([^']+)'/g)].map((match) => match[1]!);
    // A call whose first argument is no literal would not be seen here.
    assert.equal(terms.length, source.match(/\bfail\(/g)!.length, path);
    return terms;
  });
  assert.deepEqual([...new Set(PLANTS.map(({ term }) => term))].sort(), [...new Set(named)].sort());
});

test('a free frame that still names a slab is found: a stray free there would be believed', () => {
  const { machine, ledger, block, full } = busyMachine();
  machine.freePages((block + machine.memory.basePfn) as Pfn, 2);
  machine.validate('full');
  ledger.frameSlab[block] = full;
  assert.equal(termOf(machine, 'full'), 'frame.slab');
});

/** Arrays of the ledger that its user's operations change. */
const TABLES = [
  'header',
  'zone',
  'range',
  'cache',
  'cpuCache',
  'linkPage',
  'slabCounters',
  'slabNext',
  'slabPrev',
  'slabCache',
  'slabFrame',
  'slabOffset',
  'slabLinks',
  'slabShape',
  'frameSlab',
  'freeNext',
  'freePrev',
  'frameState',
  'link',
] as const satisfies readonly TableName[];

/** Words that say how far the checks have to go: spoilt, they make them long, and no mistake. */
const EXTENTS: Readonly<Record<string, (at: number) => boolean>> = {
  header: (at) => at >= H_SLAB_HIGH && at <= H_CACHE_OLDEST,
  cache: (at) => at % CACHE_WORDS === C_NEWER,
};

testSpoilt({
  busyMachine,
  tables: TABLES,
  place({ ledger }, table, random) {
    // Most words of most tables are 0 and unused: the ones in front are not.
    const at = random % Math.min(ledger[table].length, random % 2 ? 2000 : ledger[table].length);
    return EXTENTS[table]?.(at) ? undefined : at;
  },
  seed: 7461,
  runs: 1000,
});

test('a circle in the list of caches is found, not followed for ever', () => {
  const { machine, ledger, c } = busyMachine();
  ledger.cache[c + C_NEWER] = ledger.header[H_CACHE_OLDEST]!;
  for (const level of ['cheap', 'full'] as const) assert.equal(termOf(machine, level), 'cache.list');
  assert.throws(() => machine.caches(), { term: 'cache.list' });
});
