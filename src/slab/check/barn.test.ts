/**
 * `validate()` can fail where there are barns: for every term that barn.ts names, one word of a healthy machine is spoilt, and the term
 * comes back; and whatever word is spoilt, validate ends.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MIB } from '../../base/index.js';
import {
  C_BARN_EMPTY,
  C_BARN_FULL,
  C_BARN_NR_EMPTY,
  C_BARN_NR_FULL,
  C_RCU_WAITING_TAIL,
  CACHE_WORDS,
  H_SHEAF_HIGH,
  H_SHEAF_SLOTS,
  type Ledger,
  LINK_LIVE,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  P_MAIN,
  P_RCU_FREE,
  P_SPARE,
  S_CACHE,
  S_CAPACITY,
  S_COUNT,
  S_MEMORY_LOW,
  S_NEXT,
  S_PLACE,
  S_SLOTS,
  SHEAF_MAIN,
  SHEAF_WORDS,
} from '../../machine/index.js';
import { eachCpuLine } from '../cache/index.js';
import { Machine } from '../machine.js';
import { type Plant, planters, testPlanted, testSpoilt } from './planted.case.test.js';

interface Busy {
  readonly machine: Machine;
  readonly ledger: Ledger;
  /** The cache's row, and its CPUs' lines. */
  readonly c: number;
  readonly lines: readonly number[];
  /** First words of the rows of main, spare and rcu_free of CPU 0, and of one with a caller. */
  readonly main: number;
  readonly spare: number;
  readonly rcu: number;
  readonly prefilled: number;
  /** Of the barn's first full sheaf, and the sheaf's id. */
  readonly full: number;
  readonly fullId: number;
}

function busyMachine(): Busy {
  const machine = Machine.create({
    kernel: '7.3',
    memory: 16 * MIB,
    cpus: 2,
    ledger: { caches: 64, slabs: 256, linkPages: 64, sheaves: 1000, sheafSlots: 20000 },
  });
  const { ledger } = machine;
  const cache = machine.kmemCacheCreate('nodes', 1024)!;
  const objects = cache.allocBulk(140);
  const lines: number[] = [];
  eachCpuLine(ledger, cache.id, (p) => lines.push(p));
  const prefilled = cache.sheaves.prefill(5);
  for (const object of objects.splice(0, 70)) cache.free(object);
  for (const object of objects.splice(0, 13)) cache.freeRcu(object);
  for (const object of objects.splice(0, 5)) cache.free(object, 1);
  const row = (word: number) => ledger.cpuCache[lines[0]! + word]! * SHEAF_WORDS;
  const fullId = ledger.cache[cache.id * CACHE_WORDS + C_BARN_FULL]!;
  return {
    machine,
    ledger,
    c: cache.id * CACHE_WORDS,
    lines,
    main: row(P_MAIN),
    spare: row(P_SPARE),
    rcu: row(P_RCU_FREE),
    prefilled: prefilled * SHEAF_WORDS,
    full: fullId * SHEAF_WORDS,
    fullId,
  };
}

test('a healthy machine passes both levels, with a sheaf in every place', () => {
  const { machine, ledger, c, main, spare, rcu, full } = busyMachine();
  for (const s of [main, spare, rcu, full]) assert.ok(s > 0);
  assert.ok(ledger.cache[c + C_RCU_WAITING_TAIL]! > 0);
  machine.validate('cheap');
  machine.validate('full');
});

const { both, fullOnly } = planters<Busy>();

const PLANTS: readonly Plant<Busy>[] = [
  both('barn.rows', 'more sheaves than there are rows', ({ ledger }) => {
    ledger.header[H_SHEAF_HIGH] = ledger.shape.sheaves + 1;
  }),
  both('barn.rows', 'more slots than there are', ({ ledger }) => {
    ledger.header[H_SHEAF_SLOTS] = ledger.shape.sheafSlots + 1;
  }),
  both('barn.rows', 'a sheaf of no cache', ({ ledger, spare }) => {
    ledger.sheaf[spare + S_CACHE] = 0;
  }),
  both('barn.rows', 'a sheaf of a cache that there is not', ({ ledger, spare }) => {
    ledger.sheaf[spare + S_CACHE] = 60;
  }),
  both('barn.rows', 'slots of another sheaf', ({ ledger, full }) => {
    ledger.sheaf[full + S_SLOTS] = 0;
  }),
  both('barn.rows', 'a capacity beyond its slots', ({ ledger, spare }) => {
    ledger.sheaf[spare + S_CAPACITY] = 5000;
  }),
  both('barn.place', 'a spare that says it is main', ({ ledger, spare }) => {
    ledger.sheaf[spare + S_PLACE] = SHEAF_MAIN;
  }),
  both('barn.place', 'two CPUs with one spare', ({ ledger, lines }) => {
    ledger.cpuCache[lines[1]! + P_SPARE] = ledger.cpuCache[lines[0]! + P_SPARE]!;
  }),
  both('barn.place', 'a full sheaf that follows itself', ({ ledger, full, fullId }) => {
    ledger.sheaf[full + S_NEXT] = fullId;
  }),
  both('barn.place', 'a caller’s sheaf that says nothing', ({ ledger, prefilled }) => {
    ledger.sheaf[prefilled + S_PLACE] = 0;
  }),
  both('barn.main', 'a CPU without main', ({ ledger, lines }) => {
    ledger.cpuCache[lines[1]! + P_MAIN] = 0;
  }),
  both(
    'barn.main',
    'a CPU’s copy of its first slot',
    ({ ledger, lines }) => ledger.cpuCache[lines[0]! + P_ENTRIES]!++,
  ),
  both(
    'barn.main',
    'a CPU’s copy of the capacity',
    ({ ledger, lines }) => ledger.cpuCache[lines[0]! + P_LIMIT]!--,
  ),
  both('barn.count', 'a main that holds more than it can', ({ ledger, lines }) => {
    ledger.cpuCache[lines[0]! + P_AVAIL] = 13;
  }),
  both('barn.count', 'a full sheaf that is not', ({ ledger, full }) => ledger.sheaf[full + S_COUNT]!--),
  both('barn.count', 'a caller’s sheaf with less than nothing', ({ ledger, prefilled }) => {
    ledger.sheaf[prefilled + S_COUNT] = -1;
  }),
  both('barn.length', 'a full sheaf too many', ({ ledger, c }) => ledger.cache[c + C_BARN_NR_FULL]!++),
  both('barn.length', 'an empty sheaf too many', ({ ledger, c }) => ledger.cache[c + C_BARN_NR_EMPTY]!++),
  both('barn.length', 'nobody waits last', ({ ledger, c }) => {
    ledger.cache[c + C_RCU_WAITING_TAIL] = 0;
  }),
  both('barn.memory', 'a sheaf that lies nowhere', ({ ledger, spare }) => {
    ledger.sheaf[spare + S_MEMORY_LOW] = 8;
  }),
  both('barn.memory', 'two sheaves in one place', ({ ledger, spare, main }) => {
    ledger.sheaf[spare + S_MEMORY_LOW] = ledger.sheaf[main + S_MEMORY_LOW]!;
  }),
  fullOnly('barn.entry', 'an address in no slab', ({ ledger, spare }) => {
    ledger.slotAddress[ledger.sheaf[spare + S_SLOTS]!] = Number.NaN;
  }),
  fullOnly('barn.entry', 'an object and another one’s link', ({ ledger, spare }) => {
    ledger.slotLink[ledger.sheaf[spare + S_SLOTS]!]!++;
  }),
  fullOnly('barn.link', 'an object whose link says that it is live', ({ ledger, spare }) => {
    ledger.link[ledger.slotLink[ledger.sheaf[spare + S_SLOTS]!]!] = LINK_LIVE;
  }),
];

testPlanted(busyMachine, PLANTS);

test('every term of the check has a fault', () => {
  const source = readFileSync(new URL('../../../src/slab/check/barn.ts', import.meta.url), 'utf8');
  const terms = new Set([...source.matchAll(/'(barn\.\w+)'/g)].map(([, term]) => term!));
  assert.ok(terms.size >= 7);
  for (const term of terms)
    assert.ok(
      PLANTS.some((each) => each.term === term),
      term,
    );
});

testSpoilt<Busy>({
  busyMachine,
  tables: ['sheaf', 'cpuCache', 'cache'],
  place: ({ c, lines, main, spare, rcu, prefilled, full }, table, random) => {
    if (table === 'sheaf') return [main, spare, rcu, prefilled, full][random % 5]! + (random % SHEAF_WORDS);
    if (table === 'cpuCache')
      return lines[random % 2]! + [P_MAIN, P_SPARE, P_RCU_FREE, P_AVAIL, P_LIMIT, P_ENTRIES][random % 6]!;
    return c + [C_BARN_FULL, C_BARN_NR_FULL, C_BARN_EMPTY, C_BARN_NR_EMPTY, C_RCU_WAITING_TAIL][random % 5]!;
  },
  seed: 1507,
  runs: 300,
});
