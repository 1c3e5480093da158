/**
 * kmem_cache_create by hand: what is refused, what merges, what a cache is called, how large its slabs are.
 * The thousands of recorded creations are compared elsewhere; here are the cases that a reader wants to see
 * spelled out.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { GIB, KernelPanicError, KernelWouldCrashError, MIB } from '../base/index.js';
import { GFP } from '../machine/index.js';
import { SLAB } from './kernel/flags.js';
import { KERNELS } from './kernel/kernels.js';
import type { KmemCache } from './kmem-cache.js';
import { type CacheOptions, Machine, type MachineOptions } from './machine.js';

function machineWith(options: MachineOptions = {}): Machine {
  return Machine.create({ memory: 64 * MIB, ledger: { caches: 24, slabs: 512, linkPages: 64 }, ...options });
}

function bytesOf(machine: Machine): Buffer {
  return Buffer.from(machine.ledger.buffer.slice(0));
}

/** The call throws this, and the ledger stays as it was to the last byte. */
function refuses(machine: Machine, call: () => unknown, expected: object): void {
  const before = bytesOf(machine);
  assert.throws(call, expected);
  assert.ok(before.equals(bytesOf(machine)), 'nothing changed');
}

// ---- merging and names ------------------------------------------------------------------------------------

test('a DMA32 cache merges with DMA32 caches alone', () => {
  const machine = machineWith();
  const create = (name: string, flags: number) => machine.kmemCacheCreate(name, 1024, { flags })!;
  const [plain, dma, dma32] = [
    create('plain', 0),
    create('dma', SLAB.CACHE_DMA),
    create('dma32', SLAB.CACHE_DMA32),
  ];
  assert.equal(new Set([plain, dma, dma32]).size, 3);
  const again = machine.kmemCacheCreate('io-pgtable_armv7s_l2', 1024, {
    align: 1024,
    flags: SLAB.CACHE_DMA32,
  });
  assert.equal(again, dma32);
  assert.equal(again!.name, 'dma32', 'the name stays');
  assert.equal(dma32.info.refcount, 2);
  assert.deepEqual(
    [plain, dma, dma32].map((cache) => cache.sysfsId),
    [':0001024', ':d-0001024', ':D-0001024'],
  );
});

test('a unique id has a letter for each kind of cache, in one order', () => {
  const ids: readonly (readonly [flags: number, id: string])[] = [
    [0, ':0000064'],
    [SLAB.HWCACHE_ALIGN | SLAB.PANIC, ':0000064'],
    [SLAB.CACHE_DMA, ':d-0000064'],
    [SLAB.CACHE_DMA32, ':D-0000064'],
    [SLAB.RECLAIM_ACCOUNT, ':a-0000064'],
    [SLAB.CONSISTENCY_CHECKS, ':F-0000064'],
    [SLAB.ACCOUNT, ':A-0000064'],
    [
      SLAB.ACCOUNT | SLAB.CONSISTENCY_CHECKS | SLAB.RECLAIM_ACCOUNT | SLAB.CACHE_DMA32 | SLAB.CACHE_DMA,
      ':dDaFA-0000064',
    ],
  ];
  for (const [flags, id] of ids)
    assert.equal(machineWith().kmemCacheCreate('objects', 64, { flags })!.sysfsId, id);
  // The size in it is that of a slot, not of an object.
  assert.equal(machineWith().kmemCacheCreate('objects', 60)!.sysfsId, ':0000064');
  assert.equal(machineWith().kmemCacheCreate('objects', 4 * MIB)!.sysfsId, ':4194304');
});

test('a cache that cannot be shared has its own name', () => {
  const own: readonly CacheOptions[] = [
    { ctor: () => {} },
    { usersize: 8 },
    { flags: SLAB.TYPESAFE_BY_RCU },
    { flags: SLAB.POISON },
    { flags: SLAB.NOLEAKTRACE },
    { flags: SLAB.TRACE },
  ];
  for (const options of own) {
    const machine = machineWith();
    const first = machine.kmemCacheCreate('first', 64, options)!;
    const second = machine.kmemCacheCreate('second', 64, options)!;
    assert.notEqual(first, second, JSON.stringify(options));
    assert.deepEqual([first.sysfsId, second.sysfsId], ['first', 'second']);
    // Nor does a plain request get one of them.
    assert.equal(machine.kmemCacheCreate('third', 64)!.name, 'third');
  }
  const nomerge = machineWith({ slubNomerge: true });
  const [first, second] = ['first', 'second'].map((name) => nomerge.kmemCacheCreate(name, 64)!);
  assert.notEqual(first, second);
  assert.equal(first!.sysfsId, 'first');
});

test('the oldest cache that fits is shared; it grows with its users and does not shrink again', () => {
  const machine = machineWith();
  const old = machine.kmemCacheCreate('old', 57)!;
  const middle = machine.kmemCacheCreate('middle', 48)!;
  machine.kmemCacheCreate('new', 56);
  assert.equal(machine.kmemCacheCreate('another', 60), old);
  assert.equal(old.info.objectSize, 60);
  assert.equal(
    machine.kmemCacheCreate('lines', 64, { flags: SLAB.HWCACHE_ALIGN }),
    old,
    'flags of alignment do not count',
  );
  assert.equal(machine.kmemCacheCreate('wide', 48, { align: 64 }), old, '48 bytes at 64');
  assert.equal(machine.kmemCacheCreate('40', 41), middle);
  assert.notEqual(machine.kmemCacheCreate('40', 40), middle, 'a word would be wasted');
  const { objectSize, inuse, size, align, refcount } = old.info;
  assert.deepEqual(
    { objectSize, inuse, size, align, refcount },
    {
      objectSize: 64,
      inuse: 64,
      size: 64,
      align: 8,
      refcount: 4,
    },
  );
  for (let i = 0; i < 3; i++) old.destroy();
  assert.equal(old.info.objectSize, 64);
});

test('slub_debug=F still merges, slub_debug=P does not', () => {
  const merges = (slubDebug: string) => {
    const machine = machineWith({ slubDebug });
    return machine.kmemCacheCreate('a', 64) === machine.kmemCacheCreate('b', 64);
  };
  assert.equal(merges('F'), true);
  assert.equal(merges('P'), false);
  assert.equal(merges('U'), false);
  assert.equal(merges('Z'), false);
});

test('two caches may have one name: the newer one is found', () => {
  const machine = machineWith();
  const [older, newer] = [64, 200].map((size) => machine.kmemCacheCreate('twice', size)!);
  assert.notEqual(older, newer);
  assert.equal(machine.findCache('twice'), newer);
  newer!.destroy();
  assert.equal(machine.findCache('twice'), older);
});

// ---- refused ----------------------------------------------------------------------------------------------

test('an illegal flag is NULL and a line in the log; with SLAB_PANIC the machine panics', () => {
  const machine = machineWith();
  for (const bit of [1, SLAB.KMALLOC, 0x400000, 0x2000000, 0x8000000, 0x20000000]) {
    machine.log.clear();
    const before = bytesOf(machine);
    assert.equal(machine.kmemCacheCreate('odd', 100, { flags: SLAB.CACHE_DMA32 | bit }), null);
    assert.deepEqual(machine.log.lines, ['kmem_cache_create_usercopy(odd) failed with error -22']);
    assert.ok(before.equals(bytesOf(machine)));
  }
  refuses(machine, () => machine.kmemCacheCreate('odd', 100, { flags: SLAB.PANIC | 1 }), {
    name: 'KernelPanicError',
    code: 'kernel-panic',
    message: "Kernel panic - not syncing: kmem_cache_create_usercopy: Failed to create slab 'odd'. Error -22",
  });
  for (const legal of [SLAB.NO_USER_FLAGS, SLAB.MEM_SPREAD, SLAB.TRACE, SLAB.NOLEAKTRACE, SLAB.PANIC]) {
    assert.ok(machine.kmemCacheCreate(`legal-${legal}`, 100, { flags: legal }));
  }
});

test('an object that no slab can hold is NULL', () => {
  const machine = machineWith();
  const largest = machine.kmemCacheCreate('largest', 4 * MIB)!;
  assert.deepEqual(largest.info.oo, { order: 10, objects: 1 });
  for (const size of [4 * MIB + 1, 8 * MIB, 0x80000000]) {
    machine.log.clear();
    assert.equal(machine.kmemCacheCreate('large', size), null);
    assert.deepEqual(machine.log.lines, ['kmem_cache_create_usercopy(large) failed with error -22']);
  }
  assert.throws(() => machine.kmemCacheCreate('large', 8 * MIB, { flags: SLAB.PANIC }), KernelPanicError);
});

test('what a real kernel would not survive, or not notice, is refused before anything is changed', () => {
  const machine = machineWith();
  const nonsense: readonly (readonly [name: string | null, size: number, options: CacheOptions])[] = [
    [null, 100, {}],
    [null, 100, { ctor: () => {} }],
    ['zero', 0, {}],
    ['zero', 0, { align: 64 }],
    ['zero', 0, { ctor: () => {} }],
    ['zero', 0, { flags: SLAB.HWCACHE_ALIGN }],
    ['wraps', 0xffffffff, {}],
    ['wraps', 0xffffffff, { flags: SLAB.HWCACHE_ALIGN }],
    ['crooked', 100, { align: 3 }],
    ['crooked', 100, { align: 100 }],
  ];
  for (const [name, size, options] of nonsense) {
    refuses(
      machine,
      () => machine.kmemCacheCreate(name, size, options),
      (error: unknown) => {
        assert.ok(error instanceof KernelWouldCrashError, String(error));
        assert.ok(error.message.endsWith(`(Linux: ${error.outcome})`));
        return true;
      },
    );
  }
  for (const size of [-1, 1.5, Number.NaN, 2 ** 32]) {
    refuses(machine, () => machine.kmemCacheCreate('odd', size), { code: 'argument' });
    refuses(machine, () => machine.kmemCacheCreate('odd', 8, { align: size }), { code: 'argument' });
  }
  assert.deepEqual(machine.log.lines, []);
});

test('a name of 95 characters fits, a longer one is refused', () => {
  const machine = machineWith();
  assert.equal(machine.kmemCacheCreate('n'.repeat(95), 100)!.name.length, 95);
  // A new cache, and a name more for the standing one.
  for (const size of [200, 100]) {
    refuses(machine, () => machine.kmemCacheCreate('n'.repeat(96), size), { code: 'argument' });
  }
});

test('a table of caches that is full is an error of the ledger', () => {
  const machine = machineWith({ ledger: { caches: 2 }, slubNomerge: true });
  const first = machine.kmemCacheCreate('a', 64)!;
  machine.kmemCacheCreate('b', 64);
  const full = { code: 'ledger-full', table: 'caches', limit: 2 };
  refuses(machine, () => machine.kmemCacheCreate('c', 64), full);
  first.destroy();
  assert.equal(machine.kmemCacheCreate('c', 64)!.name, 'c');
  machine.validate();
});

test('a usercopy region outside the object is warned about and forgotten; the cache may merge', () => {
  const machine = machineWith();
  const regions: readonly (readonly [useroffset: number, usersize: number, kept: boolean])[] = [
    [0, 100, true],
    [92, 8, true],
    [96, 8, false],
    [8, 0, false],
    [0, 101, false],
    [0xffffffff, 0xffffffff, false],
  ];
  for (const [useroffset, usersize, kept] of regions) {
    machine.log.clear();
    const { info } = machine.kmemCacheCreate('copied', 100, { useroffset, usersize })!;
    assert.deepEqual([info.useroffset, info.usersize], kept ? [useroffset, usersize] : [0, 0]);
    assert.equal(machine.log.lines.length, kept ? 0 : 1);
  }
  assert.equal(machine.caches().length, 3, 'the four without a region are one cache');
});

// ---- faithful: as recorded --------------------------------------------------------------------------------

interface RecordedCreate {
  readonly boot: string;
  /** `create NAME SIZE ALIGN FLAGS CTOR USEROFFSET USERSIZE` */
  readonly case: string;
  readonly survived: boolean;
  readonly answer: {
    readonly null: number;
    readonly merged?: number;
    readonly warns: number;
    readonly c?: Readonly<Record<string, unknown>>;
  };
  readonly log: readonly string[];
}

const RECORDED: readonly RecordedCreate[] = JSON.parse(
  gunzipSync(readFileSync(new URL('../../truth/kmalloc-slub.json.gz', import.meta.url))).toString(),
).misuse.filter((row: RecordedCreate) => row.case.startsWith('create '));

/** How a kernel that did not survive went down. */
const DOWN: readonly (readonly [log: RegExp, outcome: RegExp])[] = [
  [/NULL pointer dereference/, /oops/],
  [/divide error/, /divide error/],
  [/self-detected stall/, /hang/],
];

function createRecorded(machine: Machine, row: RecordedCreate): KmemCache | null {
  const [, name, size, align, flags, ctor, useroffset, usersize] = row.case.split(' ');
  return machine.kmemCacheCreate(name === '-NULL-' ? null : name!, Number(size), {
    align: Number(align),
    flags: Number(flags),
    useroffset: Number(useroffset),
    usersize: Number(usersize),
    ...(ctor === '1' && { ctor: () => {} }),
  });
}

function compareWithRecorded(machine: Machine, row: RecordedCreate): void {
  const where = `${row.boot}: ${row.case}`;
  if (!row.survived) {
    const panic = row.log[0]!.startsWith('Kernel panic');
    const outcome = DOWN.find(([log]) => log.test(row.log[0]!))?.[1] ?? /./;
    assert.throws(
      () => createRecorded(machine, row),
      (error) =>
        panic
          ? error instanceof KernelPanicError && error.message === row.log[0]
          : error instanceof KernelWouldCrashError && outcome.test(error.outcome),
      where,
    );
    return;
  }
  machine.log.clear();
  const before = machine.caches();
  const cache = createRecorded(machine, row);
  assert.equal(cache === null, row.answer.null === 1, where);
  if (cache === null) assert.deepEqual(machine.log.lines, [row.log[0]], where);
  if (cache === null || row.answer.c === undefined) return;
  assert.equal(before.includes(cache), row.answer.merged === 1, where);
  const warnings = machine.log.lines.filter((line) => line.startsWith('WARNING')).length;
  assert.equal(warnings, row.answer.warns, where);
  const { info, sysfsId } = cache;
  const { name, flags, size, object_size, inuse, offset, id, oo, min, refcount, usersize } = row.answer.c;
  assert.deepEqual(
    {
      name: info.name,
      flags: info.flags.toString(16),
      size: info.size,
      object_size: info.objectSize,
      inuse: info.inuse,
      offset: info.offset,
      id: sysfsId,
      oo: [info.oo.order, info.oo.objects],
      min: [info.min.order, info.min.objects],
      refcount: info.refcount,
      usersize: info.usersize,
    },
    { name, flags, size, object_size, inuse, offset, id, oo, min, refcount, usersize },
    where,
  );
}

function faithfulMachine(slubDebug = ''): Machine {
  return machineWith({ faithful: true, cpus: 4, slubDebug });
}

test('the faithful mode answers odd creations as recorded, and refuses what no kernel survived', () => {
  const rows = RECORDED.filter((row) => !row.case.includes('-NULL-'));
  assert.equal(rows.length, 16);
  const machines = new Map([
    ['default', faithfulMachine()],
    ['FZPU', faithfulMachine('FZPU')],
  ]);
  for (const row of rows) compareWithRecorded(machines.get(row.boot)!, row);
});

test('the faithful mode answers a NULL name as recorded: -ENOMEM with a constructor, else an oops', () => {
  const rows = RECORDED.filter((row) => row.case.includes('-NULL-'));
  assert.equal(rows.length, 3);
  for (const row of rows) compareWithRecorded(faithfulMachine(), row);
});

test('the faithful mode takes an alignment that is no power of two, and aligns to it as badly', () => {
  const machine = machineWith({ faithful: true });
  const facts = ([3, 12, 24, 40, 100] as const).map((align) => {
    const { info } = machine.kmemCacheCreate(`align-${align}`, 128, { align, ctor: () => {} })!;
    return [info.align, info.size];
  });
  // (128 + 8 + a - 1) & ~(a - 1), with the alignment rounded up to a word.
  assert.deepEqual(facts, [
    [8, 136],
    [16, 144],
    [24, 136],
    [40, 136],
    [104, 136],
  ]);
});

// ---- destroy ----------------------------------------------------------------------------------------------

test('a shared cache goes with its last user', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('a', 64)!;
  machine.kmemCacheCreate('b', 64);
  machine.kmemCacheCreate('c', 64);
  const object = cache.alloc();
  cache.destroy();
  cache.destroy();
  assert.equal(cache.info.refcount, 1);
  assert.deepEqual(machine.caches(), [cache]);
  refuses(machine, () => cache.destroy(), { code: 'live-objects', cache: 'a', live: 1 });
  cache.free(object);
  cache.destroy();
  assert.deepEqual(machine.caches(), []);
  assert.equal(machine.memory.takenPages(), 0, 'its empty slabs went too');
  for (const call of [() => cache.destroy(), () => cache.alloc(), () => cache.allocBulk(2)]) {
    refuses(machine, call, { code: 'argument' });
  }
  refuses(machine, () => cache.free(object), { code: 'bad-free' });
  machine.validate();
});

test('a cache with live objects cannot be destroyed, and works on', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('busy', 500)!;
  const objects = [...cache.allocBulk(20), ...cache.allocBulk(20, GFP.KERNEL, 3)];
  refuses(machine, () => cache.destroy(), {
    name: 'LiveObjectsError',
    message: 'busy still has 40 live objects: free them before it is destroyed',
  });
  cache.freeBulk(objects.slice(1), 2);
  refuses(machine, () => cache.destroy(), { message: /still has 1 live object: free it before/ });
  const more = cache.alloc();
  cache.freeBulk([more, objects[0]!]);
  cache.destroy();
  assert.equal(machine.memory.takenPages(), 0);
});

// ---- layout -----------------------------------------------------------------------------------------------

test('slub_debug=FZPU makes a table of 1024 bytes, aligned to 1024, take 3072', () => {
  const machine = machineWith({ slubDebug: 'FZPU' });
  const tables = machine.kmemCacheCreate('tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 })!;
  const { size, objectSize, align, redLeftPad } = tables.info;
  assert.deepEqual([size, objectSize, align, redLeftPad], [3072, 1024, 1024, 1024]);
  for (const table of tables.allocBulk(20)) assert.equal(table % 1024, 0);
});

test('1 KiB objects come from order 2 with 4 CPUs, from order 3 with 8, at the least from a page', () => {
  const layout = (cpus: number, options: MachineOptions = {}) => {
    const machine = machineWith({ memory: 2 * GIB, cpus, ...options });
    const { oo, min } = machine.kmemCacheCreate('tables', 1024, { align: 1024 })!.info;
    return [oo.order, oo.objects, min.order, min.objects];
  };
  assert.deepEqual(layout(1), [1, 8, 0, 4]);
  assert.deepEqual(layout(2), [2, 16, 0, 4]);
  assert.deepEqual(layout(4), [2, 16, 0, 4]);
  assert.deepEqual(layout(8), [3, 32, 0, 4]);
  assert.deepEqual(layout(8, { slubMaxOrder: 0 }), [0, 4, 0, 4]);
  assert.deepEqual(layout(4, { slubMinOrder: 4, slubMaxOrder: 4 }), [4, 64, 0, 4]);
  assert.deepEqual(layout(4, { slubMinObjects: 4 }), [0, 4, 0, 4]);
});

test('allocflags say what the pages are for', () => {
  const machine = machineWith();
  const flagsOf = (size: number, flags: number) =>
    machine.kmemCacheCreate('x', size, { flags })!.info.allocflags;
  assert.equal(flagsOf(64, 0), 0);
  assert.equal(flagsOf(1024, 0), 0x40000);
  assert.equal(flagsOf(1024, SLAB.CACHE_DMA), 0x40001);
  assert.equal(flagsOf(1024, SLAB.CACHE_DMA32), 0x40004);
  assert.equal(flagsOf(64, SLAB.CACHE_DMA32 | SLAB.RECLAIM_ACCOUNT), 0x14);
});

// ---- reopening ---------------------------------------------------------------------------------------------------------------

test('a machine with a profile of its own reopens with that profile only', () => {
  const kernel = { ...KERNELS.get('6.1')!, cacheLineSize: 128 };
  const machine = machineWith({ kernel });
  const buffer = machine.ledger.buffer.slice(0);
  assert.throws(() => Machine.open(buffer), { code: 'argument', message: /profile '6\.1' of its own/ });
  const again = Machine.open(buffer, { kernel });
  const flags = SLAB.HWCACHE_ALIGN;
  assert.equal(again.kmemCacheCreate('lines', 100, { flags })!.info.align, 128);
});

test('a constructor that allocates from its own cache is refused and breaks nothing', () => {
  const machine = machineWith();
  const cache = machine.kmemCacheCreate('selfish', 64, { ctor: () => cache.alloc() })!;
  assert.throws(() => cache.alloc(), { code: 'argument', message: /allocates from its own cache/ });
  assert.equal(cache.live, 0);
  machine.validate();
  cache.destroy();
});
