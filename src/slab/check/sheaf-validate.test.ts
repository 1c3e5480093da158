/**
 * `validate()` can fail where there are sheaves: for every term that sheaf.ts names, one word of a healthy machine is spoilt, and
 * the term must come back.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MIB, type PhysAddr } from '../../base/index.js';
import {
  C_ARRAY_ENTRIES,
  C_ARRAYS,
  C_LIVE_CHECK,
  C_SHEAF_CAPACITY,
  CACHE_WORDS,
  GFP,
  type Ledger,
  LINK_ARRAY,
  LINK_LIVE,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_SLAB_MASK,
  P_SLAB_OBJECTS,
} from '../../machine/index.js';
import { eachCpuLine } from '../cache/table.js';
import { SLAB } from '../kernel/flags.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine } from '../machine.js';
import { type Plant, planters, testPlanted } from './planted.case.test.js';

const CAPACITY = 4;

interface Busy {
  readonly machine: Machine;
  readonly ledger: Ledger;
  /** Rows of a cache that does not look at links, and of one that does. */
  readonly c: number;
  readonly checked: number;
  /** A debugged cache without slabs. */
  readonly debugged: number;
  /** The unchecked cache's lines, and CPU 0's first entries of both. */
  readonly lines: readonly number[];
  readonly entry: number;
  readonly checkedEntry: number;
  /** A live object of the unchecked cache, and one of another cache. */
  readonly live: PhysAddr;
  readonly foreign: PhysAddr;
}

function linesOf(ledger: Ledger, { id }: KmemCache): number[] {
  const lines: number[] = [];
  eachCpuLine(ledger, id, (p) => lines.push(p));
  return lines;
}

function busyMachine(): Busy {
  const machine = Machine.create({
    kernel: 'library',
    memory: 16 * MIB,
    cpus: 2,
    sheafCapacity: CAPACITY,
    ledger: { caches: 8, slabs: 256, linkPages: 32 },
  });
  const { ledger } = machine;
  const cache = machine.kmemCacheCreate('unchecked', 96)!;
  const checked = machine.kmemCacheCreate('checked', 96, { liveCheck: true })!;
  const bare = machine.kmemCacheCreate('bare', 96, { sheafCapacity: 0 })!;
  for (const one of [cache, checked]) {
    const objects = Array.from({ length: 30 }, () => one.alloc());
    for (const object of objects.slice(0, 6)) one.free(object);
    for (const object of objects.slice(6, 9)) one.free(object, 1);
  }
  const lines = linesOf(ledger, cache);
  const live = cache.alloc();
  return {
    machine,
    ledger,
    c: cache.id * CACHE_WORDS,
    checked: checked.id * CACHE_WORDS,
    debugged: machine.kmemCacheCreate('debugged', 96, { flags: SLAB.RED_ZONE })!.id * CACHE_WORDS,
    lines,
    entry: ledger.cpuCache[lines[0]! + P_ENTRIES]!,
    checkedEntry: ledger.cpuCache[linesOf(ledger, checked)[0]! + P_ENTRIES]!,
    live,
    foreign: bare.alloc(),
  };
}

test('a healthy machine passes both levels, with objects in the sheaves of two CPUs', () => {
  const { machine, ledger, lines } = busyMachine();
  machine.validate('cheap');
  machine.validate('full');
  for (const p of lines) assert.ok(ledger.cpuCache[p + P_AVAIL]! >= 2);
});

const { both, fullOnly } = planters<Busy>();

const PLANTS: readonly Plant<Busy>[] = [
  both('sheaf.run', 'a capacity that its entries do not have', ({ ledger, c }) => {
    ledger.cache[c + C_SHEAF_CAPACITY]!++;
  }),
  both('sheaf.run', 'a capacity below nothing', ({ ledger, c }) => {
    ledger.cache[c + C_SHEAF_CAPACITY] = -CAPACITY;
  }),
  both('sheaf.run', 'a run of another length', ({ ledger, c }) => ledger.cache[c + C_ARRAY_ENTRIES]!--),
  both('sheaf.run', 'a run in front of the table', ({ ledger, c }) => ledger.cache[c + C_ARRAYS]!--),
  both('sheaf.run', 'a run that the table is too short for', ({ ledger, c }) => {
    ledger.cache[c + C_ARRAYS] = ledger.shape.sheafEntries - 1;
  }),
  both('sheaf.run', 'a run that another cache has', ({ ledger, c, checked }) => {
    ledger.cache[checked + C_ARRAYS] = ledger.cache[c + C_ARRAYS]!;
  }),
  both(
    'sheaf.run',
    'a CPU’s copy of the limit',
    ({ ledger, lines }) => ledger.cpuCache[lines[1]! + P_LIMIT]!--,
  ),
  both('sheaf.run', 'a CPU’s copy of its first entry', ({ ledger, lines }) => {
    ledger.cpuCache[lines[1]! + P_ENTRIES]!--;
  }),
  both('sheaf.run', 'a CPU’s copy of a slab’s bytes', ({ ledger, lines }) => {
    ledger.cpuCache[lines[1]! + P_SLAB_MASK]! >>= 1;
  }),
  both('sheaf.run', 'a CPU’s copy of a slab’s objects', ({ ledger, lines }) => {
    ledger.cpuCache[lines[1]! + P_SLAB_OBJECTS]!++;
  }),
  fullOnly('sheaf.frame', 'a slab’s frame that names another cache', ({ ledger, machine, live }) => {
    ledger.frameCache[frameOf(machine, live)]!++;
  }),
  fullOnly('sheaf.frame', 'a free frame that names a cache still', ({ ledger, machine, c }) => {
    const frame = machine.allocPages(GFP.KERNEL, 0);
    machine.freePages(frame, 0);
    ledger.frameCache[frame - machine.memory.basePfn] = c / CACHE_WORDS;
  }),
  both('sheaf.run', 'a debugged cache with sheaves', ({ ledger, debugged }) => {
    ledger.cache[debugged + C_SHEAF_CAPACITY] = CAPACITY;
  }),
  both('sheaf.count', 'more than two sheaves hold', ({ ledger, lines }) => {
    ledger.cpuCache[lines[0]! + P_AVAIL] = 2 * CAPACITY + 1;
  }),
  both('sheaf.count', 'less than nothing', ({ ledger, lines }) => {
    ledger.cpuCache[lines[0]! + P_AVAIL] = -1;
  }),
  fullOnly('sheaf.entry', 'an address inside an object', ({ ledger, entry }) => {
    ledger.sheafAddress[entry]! += 8;
  }),
  fullOnly('sheaf.entry', 'an address in no slab', ({ ledger, entry }) => {
    ledger.sheafAddress[entry] = Number.NaN;
  }),
  fullOnly('sheaf.entry', 'another cache’s object', ({ ledger, entry, foreign }) => {
    ledger.sheafAddress[entry] = foreign;
  }),
  fullOnly('sheaf.entry', 'an object that two CPUs name', ({ ledger, entry, lines }) => {
    ledger.sheafAddress[ledger.cpuCache[lines[1]! + P_ENTRIES]!] = ledger.sheafAddress[entry]!;
  }),
  fullOnly('sheaf.link', 'an object on its slab’s list', ({ ledger, entry, machine }) => {
    ledger.link[linkOf(machine, ledger.sheafAddress[entry]!)] = 1;
  }),
  fullOnly(
    'sheaf.link',
    'an object whose link says live where links are looked at',
    ({ ledger, ...busy }) => {
      ledger.link[linkOf(busy.machine, ledger.sheafAddress[busy.checkedEntry]!)] = LINK_LIVE;
    },
  ),
  fullOnly('sheaf.link', 'an object and another one’s link', ({ ledger, checkedEntry }) => {
    ledger.sheafLink[checkedEntry]!++;
  }),
  fullOnly('sheaf.link', 'objects whose links were not looked at, and should have been', ({ ledger, c }) => {
    ledger.cache[c + C_LIVE_CHECK] = 1;
  }),
  fullOnly('slab.objects', 'a live object that says that a sheaf has it', ({ ledger, machine, live }) => {
    ledger.link[linkOf(machine, live)] = LINK_ARRAY;
  }),
];

function frameOf({ memory }: Machine, address: number): number {
  return Math.floor(address / 4096) - memory.basePfn;
}

/** Where the link of an object lies. */
function linkOf(machine: Machine, address: number): number {
  const { ledger, memory } = machine;
  const slab = ledger.frameSlab[frameOf(machine, address)]!;
  const distance = address - (ledger.slabFrame[slab]! + memory.basePfn) * 4096;
  return ledger.slabLinks[slab]! + distance / 96;
}

testPlanted(busyMachine, PLANTS);

test('every term of the check has a fault', () => {
  const source = readFileSync(new URL('../../../src/slab/check/sheaf.ts', import.meta.url), 'utf8');
  const terms = new Set([...source.matchAll(/'(sheaf\.\w+)'/g)].map(([, term]) => term!));
  assert.ok(terms.size >= 5);
  for (const term of terms)
    assert.ok(
      PLANTS.some((each) => each.term === term),
      term,
    );
});
