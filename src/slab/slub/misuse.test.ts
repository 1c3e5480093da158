/**
 * What SLUB says to callers who are wrong: frees of what is not live, and gfp bits that name a zone
 * (truth/README.md, "kmalloc and misuse"). What a real kernel answered to the same calls is in truth/kmalloc-slub.json.gz,
 * under `misuse`.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  BadFreeError,
  type BadFreeReason,
  formatAddress,
  type Gfp,
  GIB,
  MIB,
  NULL,
  type PhysAddr,
} from '../../base/index.js';
import { __GFP, GFP, parseGfp } from '../../machine/index.js';
import { SLAB } from '../kernel/flags.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine, type MachineOptions } from '../machine.js';

const PAGE = 4096;

function smallMachine(options: MachineOptions = {}): Machine {
  return Machine.create({
    memory: 32 * MIB,
    slubNomerge: true,
    ledger: { caches: 8, slabs: 1024, linkPages: 128 },
    ...options,
  });
}

function bytesOf(machine: Machine): Buffer {
  return Buffer.from(machine.ledger.buffer.slice(0));
}

// ---- bad frees --------------------------------------------------------------------------------------------

interface Refusal {
  readonly reason: BadFreeReason;
  readonly address: number;
  /** The cache that the address belongs to. */
  readonly cache?: string;
  /** What else the message names. */
  readonly names?: string;
}

/** The call throws, says why, and leaves the ledger as it was to the last byte. */
function refuses(machine: Machine, call: () => void, { reason, address, cache, names = '' }: Refusal): void {
  const before = bytesOf(machine);
  assert.throws(call, (error) => {
    assert.ok(error instanceof BadFreeError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.ok(Object.is(error.address, address));
    assert.equal(error.cache, cache);
    for (const named of [formatAddress(address), cache ?? '', names]) {
      assert.ok(error.message.includes(named), `'${error.message}' names ${named}`);
    }
    return true;
  });
  assert.ok(before.equals(bytesOf(machine)), `${reason}: nothing changed`);
  machine.validate('full');
}

for (const slubDebug of ['', 'FZPU']) {
  const mode = slubDebug === '' ? '' : `, slub_debug=${slubDebug}`;

  test(`a free of what is not live is refused by name and changes nothing${mode}`, () => {
    const machine = smallMachine({ slubDebug });
    const mine = machine.kmemCacheCreate('mine', 200)!;
    const theirs = machine.kmemCacheCreate('theirs', 200)!;
    const [object, neighbour] = mine.allocBulk(2) as [PhysAddr, PhysAddr];
    const foreign = theirs.alloc();
    const { size } = mine.info;
    const never = (neighbour + size) as PhysAddr;
    const free =
      (address: number, cpu = 0) =>
      () =>
        mine.free(address as PhysAddr, cpu);

    refuses(machine, free(never), { reason: 'not-live', address: never, cache: 'mine' });
    for (const inside of [1, 8, size - 1, 0.5]) {
      refuses(machine, free(object + inside), {
        reason: 'misaligned',
        address: object + inside,
        cache: 'mine',
      });
    }
    refuses(machine, free(neighbour - 8), { reason: 'misaligned', address: neighbour - 8, cache: 'mine' });
    refuses(machine, free(foreign), {
      reason: 'wrong-cache',
      address: foreign,
      cache: 'theirs',
      names: 'mine',
    });
    for (const nowhere of [
      NULL,
      16,
      PAGE,
      31 * MIB,
      32 * MIB,
      2 ** 45,
      -PAGE,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ]) {
      refuses(machine, free(nowhere), { reason: 'unknown-address', address: nowhere, names: 'mine' });
    }

    mine.free(object);
    for (const cpu of [0, 1]) {
      refuses(machine, free(object, cpu), { reason: 'not-live', address: object, cache: 'mine' });
    }
    mine.free(neighbour, 1);
    for (const cpu of [0, 1]) {
      refuses(machine, free(neighbour, cpu), { reason: 'not-live', address: neighbour, cache: 'mine' });
    }
    mine.shrink();
    refuses(machine, free(object), { reason: 'unknown-address', address: object, names: 'mine' });
    theirs.free(foreign);
  });

  test(`a bulk free with one bad address frees none${mode}`, () => {
    const machine = smallMachine({ slubDebug });
    const mine = machine.kmemCacheCreate('mine', 200)!;
    const foreign = machine.kmemCacheCreate('theirs', 200)!.alloc();
    // From several slabs, in no order of theirs.
    const objects = mine.allocBulk(60).filter((_, i) => i % 2 === 0);
    const freed = mine.alloc();
    mine.free(freed);
    const live = mine.live;
    const bad: readonly (readonly [number, BadFreeReason, string | undefined])[] = [
      [freed, 'not-live', 'mine'],
      [foreign, 'wrong-cache', 'theirs'],
      [objects[3]! + 1, 'misaligned', 'mine'],
      [objects[5]!, 'not-live', 'mine'],
      [NULL, 'unknown-address', undefined],
    ];
    for (const [address, reason, cache] of bad) {
      for (const at of [0, 7, objects.length]) {
        const bulk = [...objects.slice(0, at), address as PhysAddr, ...objects.slice(at)];
        // Where an address is there twice, it is the second time that is wrong: both are the same address.
        refuses(machine, () => mine.freeBulk(bulk), { reason, address, ...(cache && { cache }) });
        assert.equal(mine.live, live);
      }
    }
    mine.freeBulk(objects);
    assert.equal(mine.live, live - objects.length);
  });
}

const step = fc.record({
  kind: fc.constantFrom('alloc', 'alloc', 'free', 'free', 'shrink'),
  cache: fc.nat({ max: 1 }),
  count: fc.integer({ min: 1, max: 60 }),
  at: fc.nat(),
  cpu: fc.nat({ max: 1 }),
});

test('whatever happened before, only live objects can be freed', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 25, size: 'max' }),
      fc.constantFrom('', 'P'),
      (steps, slubDebug) => {
        const machine = smallMachine({ cpus: 2, slubDebug });
        const caches = [100, 1000].map((size) => machine.kmemCacheCreate(`cache-${size}`, size)!);
        const seen = new Set<PhysAddr>();
        const live: PhysAddr[][] = [[], []];
        for (const { kind, cache, count, at, cpu } of steps) {
          const mine = live[cache]!;
          if (kind === 'shrink') caches[cache]!.shrink();
          for (let i = 0; i < count && kind !== 'shrink'; i++) {
            if (kind === 'alloc') mine.push(caches[cache]!.alloc(GFP.KERNEL, cpu));
            else if (mine.length > 0)
              caches[cache]!.free(mine.splice((at + 5 * i) % mine.length, 1)[0]!, cpu);
          }
          for (const address of mine) seen.add(address);
        }
        const before = bytesOf(machine);
        for (const address of seen) {
          for (const [which, cache] of caches.entries()) {
            for (const stray of [address, address + 1, address + 4, address + 8]) {
              if (live[which]!.includes(stray as PhysAddr)) continue;
              assert.throws(() => cache.free(stray as PhysAddr, 1), BadFreeError);
              assert.throws(() => cache.freeBulk([...live[which]!, stray as PhysAddr]), BadFreeError);
            }
          }
        }
        assert.ok(before.equals(bytesOf(machine)));
        machine.validate('full');
      },
    ),
    { numRuns: 25 },
  );
});

test('a page of a slab is freed by its cache alone', () => {
  const machine = smallMachine();
  const object = machine.kmemCacheCreate('mine', 4096, { align: 4096 })!.alloc();
  const { order } = machine.findCache('mine')!.info.oo;
  refuses(machine, () => machine.freePages((object / PAGE) as never, order), {
    reason: 'not-live',
    address: object,
  });
});

test('a CPU that the machine lacks is an argument error, and changes nothing', () => {
  const machine = smallMachine({ cpus: 2 });
  const cache = machine.kmemCacheCreate('mine', 64)!;
  const object = cache.alloc();
  const before = bytesOf(machine);
  for (const cpu of [2, -1, 1024, 0.5, Number.NaN, 2 ** 32]) {
    assert.throws(() => cache.alloc(GFP.KERNEL, cpu), { code: 'argument' });
    assert.throws(() => cache.allocBulk(3, GFP.KERNEL, cpu), { code: 'argument' });
    assert.throws(() => cache.free(object, cpu), { code: 'argument' });
    assert.throws(() => cache.freeBulk([object], cpu), { code: 'argument' });
  }
  assert.ok(before.equals(bytesOf(machine)));
});

test('a cache that was destroyed stays so, whoever has its row in the table now', () => {
  const machine = smallMachine();
  const old = machine.kmemCacheCreate('old', 64)!;
  old.destroy();
  assert.throws(() => old.alloc(), { code: 'argument' });
  const next = machine.kmemCacheCreate('next', 200)!;
  const object = next.alloc();
  assert.notEqual(old, next);
  assert.throws(() => old.alloc(), { code: 'argument' });
  assert.throws(() => old.destroy(), { code: 'argument' });
  assert.throws(() => old.free(object));
  assert.equal(next.live, 1);
});

// ---- gfp bits ---------------------------------------------------------------------------------------------

interface RecordedMisuse {
  readonly boot: string;
  readonly case: string;
  readonly answer: {
    readonly cache_flags: string;
    readonly null: number;
    readonly zone_DMA: number;
    readonly zone_DMA32: number;
    readonly zone_other: number;
    readonly warns: number;
  };
  readonly log: readonly string[];
}

const MISUSE: readonly RecordedMisuse[] = JSON.parse(
  gunzipSync(readFileSync(new URL('../../../truth/kmalloc-slub.json.gz', import.meta.url))).toString(),
).misuse;

/** A machine like the recorded ones. */
function recordedMachine(slubDebug = ''): Machine {
  return Machine.create({ memory: 6 * GIB, cpus: 4, slubNomerge: true, slubDebug, ledger: { slabs: 1024 } });
}

function zoneOf(machine: Machine, address: PhysAddr): string {
  return machine.zones().find(({ endPfn }) => address / PAGE < endPfn)!.name;
}

const UNEXPECTED = 'Unexpected gfp: 0x4 (GFP_DMA32). Fixing up to gfp: 0xcc0 (GFP_KERNEL). Fix your code!';
const WITH_DMA32 = (GFP.KERNEL | GFP.DMA32) as Gfp;

const RECORDED_ALLOCS = MISUSE.filter((row) => row.case.startsWith('alloc_'));

test(`the ${RECORDED_ALLOCS.length} recorded misuses get the recorded zones and warnings`, () => {
  assert.equal(RECORDED_ALLOCS.length, 32);
  for (const { boot, case: name, answer, log } of RECORDED_ALLOCS) {
    const [, flags, ctor, count, gfp] = name.split(' ') as [string, string, string, string, string];
    const machine = recordedMachine(boot === 'nomerge' ? '' : boot);
    const cache = machine.kmemCacheCreate('mis_cache', 64, {
      flags: Number(flags),
      ...(ctor === '1' && { ctor: () => {} }),
    })!;
    const zones: Record<string, number> = { NULL: 0, DMA: 0, DMA32: 0, Normal: 0 };
    for (let i = 0; i < Number(count); i++) {
      const address = cache.alloc(gfp === '0' ? (0 as Gfp) : parseGfp(gfp));
      zones[address === NULL ? 'NULL' : zoneOf(machine, address)]!++;
    }
    const where = `${boot}: ${name}`;
    const { null: failed, zone_DMA: DMA, zone_DMA32: DMA32, zone_other: Normal } = answer;
    assert.deepEqual(zones, { NULL: failed, DMA, DMA32, Normal }, where);
    assert.equal(cache.info.flags.toString(16), answer.cache_flags, where);
    const unexpected = (lines: readonly string[]) =>
      new Set(lines.filter((line) => line.startsWith('Unexpected')));
    assert.deepEqual(unexpected(machine.log.lines), unexpected(log), where);
    assert.equal(machine.log.lines.filter((line) => line.startsWith('WARNING')).length, answer.warns, where);
    machine.validate();
  }
});

/** Allocates `count` objects and returns the lines that the log grew by at each. */
function linesOf(machine: Machine, cache: KmemCache, count: number, gfp: Gfp): number[] {
  return Array.from({ length: count }, () => {
    const before = machine.log.lines.length;
    assert.notEqual(cache.alloc(gfp), NULL);
    return machine.log.lines.length - before;
  });
}

test('an unexpected gfp is noticed when a slab grows, every time and only then', () => {
  const machine = recordedMachine();
  const cache = machine.kmemCacheCreate('objects', 64)!;
  assert.deepEqual(
    linesOf(machine, cache, 200, WITH_DMA32),
    Array.from({ length: 200 }, (_, i) => (i % 64 === 0 ? 1 : 0)),
  );
  assert.deepEqual(new Set(machine.log.lines), new Set([UNEXPECTED]));
  assert.equal(cache.info.nrSlabs, 4);
});

test('an unexpected gfp that is served from an existing slab says nothing', () => {
  const machine = recordedMachine();
  const cache = machine.kmemCacheCreate('objects', 64)!;
  const objects = cache.allocBulk(128);
  // One slab of the two is left, on the node's list, with 54 free objects.
  cache.freeBulk(objects.slice(10));
  cache.shrink();
  assert.deepEqual(linesOf(machine, cache, 50, WITH_DMA32), new Array(50).fill(0));
});

test('DMA32 from the caller of a DMA32 cache is redundant: a warning, and memory below 4 GiB', () => {
  const machine = recordedMachine();
  const cache = machine.kmemCacheCreate('tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 })!;
  const table = cache.alloc((GFP.ATOMIC | GFP.DMA32) as Gfp);
  assert.deepEqual(machine.log.lines, [
    'Unexpected gfp: 0x4 (GFP_DMA32). Fixing up to gfp: 0xa20 (GFP_ATOMIC). Fix your code!',
  ]);
  for (const each of [table, ...cache.allocBulk(100)]) {
    assert.equal(zoneOf(machine, each), 'DMA32');
    assert.equal(each % 1024, 0);
  }
});

test('unknown bits are unexpected as well, and are quoted in hexadecimal', () => {
  const machine = recordedMachine();
  machine.kmemCacheCreate('objects', 64)!.alloc((GFP.KERNEL | 0x2000000) as Gfp);
  assert.deepEqual(machine.log.lines, [
    'Unexpected gfp: 0x2000000 (0x2000000). Fixing up to gfp: 0xcc0 (GFP_KERNEL). Fix your code!',
  ]);
});

test('GFP_DMA on a normal cache is ignored without a word', () => {
  const machine = recordedMachine();
  const cache = machine.kmemCacheCreate('objects', 64)!;
  const objects = cache.allocBulk(100, (GFP.KERNEL | GFP.DMA) as Gfp);
  assert.deepEqual(new Set(objects.map((address) => zoneOf(machine, address))), new Set(['Normal']));
  assert.deepEqual(machine.log.lines, []);
});

test('a cache with both DMA flags is made, and its page requests name an impossible zone', () => {
  const machine = recordedMachine();
  const cache = machine.kmemCacheCreate('both', 64, { flags: SLAB.CACHE_DMA | SLAB.CACHE_DMA32 })!;
  assert.equal(cache.info.allocflags, __GFP.DMA | __GFP.DMA32);
  assert.equal(zoneOf(machine, cache.alloc()), 'DMA');
  assert.match(machine.log.lines[0]!, /impossible zone/);
});

test('__GFP_ZERO on a cache with a constructor warns once, whatever cache it is', () => {
  const machine = recordedMachine();
  let constructed = 0;
  const create = (name: string) => machine.kmemCacheCreate(name, 64, { ctor: () => constructed++ })!;
  const [one, two] = [create('one'), create('two')];
  one.allocBulk(100, GFP.KERNEL);
  assert.deepEqual(machine.log.lines, []);
  one.allocBulk(200, (GFP.KERNEL | __GFP.ZERO) as Gfp);
  two.allocBulk(100, (GFP.KERNEL | __GFP.ZERO) as Gfp);
  assert.equal(machine.log.lines.length, 1);
  assert.match(machine.log.lines[0]!, /^WARNING: __GFP_ZERO with a constructor/);
  assert.equal(constructed, one.info.totalObjects + two.info.totalObjects);
});

test('a constructor that throws ends the allocation and nothing else', () => {
  const machine = smallMachine();
  let willing = false;
  const cache = machine.kmemCacheCreate('objects', 300, {
    ctor: () => {
      if (!willing) throw new RangeError('not today');
    },
  })!;
  for (let i = 0; i < 3; i++) assert.throws(() => cache.alloc(), RangeError);
  machine.validate('full');
  assert.equal(cache.live, 0);
  willing = true;
  const object = cache.alloc();
  machine.validate('full');
  cache.free(object);
  assert.equal(cache.shrink(), false);
  assert.equal(machine.memory.takenPages(), 0);
});

test('a constructor may allocate from another cache', () => {
  const machine = smallMachine();
  const parts = machine.kmemCacheCreate('parts', 64)!;
  const wholes = machine.kmemCacheCreate('wholes', 300, { ctor: () => parts.alloc() })!;
  wholes.allocBulk(100);
  assert.equal(parts.live, wholes.info.totalObjects);
  machine.validate('full');
});

test('a constructor sees each object of a new slab once, in ascending order', () => {
  const machine = smallMachine();
  const seen: PhysAddr[] = [];
  const cache = machine.kmemCacheCreate('objects', 300, { ctor: (address) => seen.push(address) })!;
  const first = cache.alloc();
  const { oo, size } = cache.info;
  assert.deepEqual(
    seen,
    Array.from({ length: oo.objects }, (_, i) => first + i * size),
  );
  cache.free(first);
  cache.allocBulk(oo.objects);
  assert.equal(seen.length, oo.objects, 'objects that come back are not constructed again');
});
