/**
 * slub_debug: what its checks find, and that they find nothing where nothing is wrong.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ArgumentError,
  BadFreeError,
  KernelWouldCrashError,
  MIB,
  NULL,
  type PhysAddr,
} from '../../base/index.js';
import { __GFP, flatBytes, GFP } from '../../machine/index.js';
import { parseSlubDebug, SLAB } from '../kernel/flags.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine, type MachineOptions } from '../machine.js';

const ctor = () => {};

function machineOf(options: MachineOptions = {}): Machine {
  return Machine.create({
    memory: 32 * MIB,
    slubDebug: 'FZPU',
    bytes: true,
    ledger: { caches: 128 },
    ...options,
  });
}

/** The lines that say what was found and done. */
function said(machine: Machine): string[] {
  return machine.log.lines
    .filter((line) => /^(BUG|FIX|\[|TRACE|cache_from_obj|virt_to_cache|SLUB)/.test(line))
    .map((line) => line.replace(/ \((Tainted|Not tainted)[^)]*\)/, '').replace(/0x[0-9a-f]{16}/g, '@'));
}

function plain(machine: Machine, size = 64): KmemCache {
  return machine.kmemCacheCreate('victim', size)!;
}

// ---- what is written -----------------------------------------------------------------------------------------------------

test('a debugged object looks like the kernel’s, free and in use', () => {
  const machine = machineOf();
  machine.caller.site = 'driver_probe';
  machine.caller.pid = 42;
  const cache = plain(machine);
  const { redLeftPad, size, inuse } = cache.info;
  const object = cache.alloc(GFP.KERNEL, 2);
  const look = () => Buffer.from(machine.bytes!.read(object - redLeftPad, size)).toString('hex');
  const poison = `${'6b'.repeat(63)}a5`;
  const inUse = look();
  assert.ok(inUse.startsWith(`${'cc'.repeat(8)}${poison}${'cc'.repeat(8)}`));
  assert.ok(inUse.endsWith('5a'.repeat(8)));
  machine.caller.now = 7;
  cache.free(object, 1);
  const free = look();
  assert.ok(free.startsWith(`${'bb'.repeat(8)}${poison}${'bb'.repeat(8)}`));
  // The alloc track stays: CPU 2, PID 42; the free track is of CPU 1, at 7.
  const track = (at: number) =>
    [at + 12, at + 16, at + 24].map((place) => machine.bytes!.getU32(object + place));
  assert.deepEqual(track(inuse + 8), [2, 42, 0]);
  assert.deepEqual(track(inuse + 40), [1, 42, 7]);
  machine.bytes!.set(object, 1);
  cache.validate();
  assert.ok(machine.log.lines.includes('Allocated in driver_probe age=7 cpu=2 pid=42'));
  assert.ok(machine.log.lines.includes('Freed in driver_probe age=0 cpu=1 pid=42'));
});

test('a fresh slab is 5a behind its last object, and reads so until it goes', () => {
  const machine = machineOf();
  const cache = plain(machine);
  const { size, oo } = cache.info;
  const object = cache.alloc();
  const slab = Math.floor(object / 4096) * 4096;
  const rest = 4096 - oo.objects * size;
  assert.ok(rest > 0);
  assert.equal(machine.bytes!.firstOther(slab + oo.objects * size, rest, 0x5a), -1);
  cache.free(object);
  cache.destroy();
  assert.equal(machine.bytes!.firstOther(slab, 4096, 0), -1);
  assert.deepEqual(machine.log.lines, []);
});

test('__GFP_ZERO zeroes what the caller asked for and no red zone, with and without debugging', () => {
  for (const kernel of ['6.1', '6.12']) {
    for (const slubDebug of ['', 'FZPU']) {
      const machine = machineOf({ kernel, slubDebug });
      const first = machine.kmalloc(100);
      machine.bytes!.fill(first, 100, 0x77);
      machine.kfree(first);
      const object = machine.kmalloc(100, (GFP.KERNEL | __GFP.ZERO) as typeof GFP.KERNEL);
      assert.equal(machine.bytes!.firstOther(object, 100, 0), -1);
      machine.kfree(object);
      assert.deepEqual(said(machine), []);
    }
  }
});

test('bytes may be an array that is already there', () => {
  const array = new Uint8Array(32 * MIB);
  const machine = machineOf({ bytes: flatBytes(array, 0) });
  const object = plain(machine).alloc();
  assert.equal(array[object], 0x6b);
  assert.equal(array[object - 1], 0xcc);
});

// ---- nothing is found where nothing is wrong -------------------------------------------------------------------------------

test('random allocs and frees under FZPU keep their owners’ bytes and find nothing', () => {
  const kernels = fc.constantFrom('6.1', '6.12');
  const sizes = fc.constantFrom(8, 24, 60, 64, 100, 1024, 3000);
  const steps = fc.array(fc.tuple(fc.nat(2), fc.nat(40), fc.nat(3)), { maxLength: 150 });
  fc.assert(
    fc.property(kernels, sizes, fc.boolean(), steps, (kernel, size, constructed, list) => {
      const machine = machineOf({ kernel });
      const cache = machine.kmemCacheCreate('mine', size, constructed ? { ctor } : {})!;
      const live: { object: PhysAddr; mark: number; bytes: number; kmalloc: boolean }[] = [];
      list.forEach(([what, which, cpu], step) => {
        if (what < 2) {
          const kmalloc = what === 1;
          const object = kmalloc ? machine.kmalloc(size, GFP.KERNEL, cpu) : cache.alloc(GFP.KERNEL, cpu);
          machine.bytes!.fill(object, size, step & 0xff);
          live.push({ object, mark: step & 0xff, bytes: size, kmalloc });
          return;
        }
        const [gone] = live.splice(which % Math.max(live.length, 1), 1);
        if (gone === undefined) return;
        assert.equal(machine.bytes!.firstOther(gone.object, gone.bytes, gone.mark), -1);
        if (gone.kmalloc) machine.kfree(gone.object, cpu);
        else cache.free(gone.object, cpu);
      });
      for (const { object, mark } of live) assert.equal(machine.bytes!.firstOther(object, size, mark), -1);
      cache.freeBulk(live.filter(({ kmalloc }) => !kmalloc).map(({ object }) => object));
      for (const each of machine.caches()) each.validate();
      cache.destroy();
      machine.validate('full');
      assert.deepEqual(machine.log.lines, []);
    }),
    { numRuns: 60 },
  );
});

// ---- each check finds what it looks for --------------------------------------------------------------------------------------

const DAMAGE: readonly (readonly [
  what: string,
  /** Bytes from the object, or from its slab's end where negative. */
  at: (cache: KmemCache) => number,
  free: boolean,
  found: string,
])[] = [
  ['the left red zone', () => -1, false, 'Left Redzone'],
  ['the right red zone', () => 64, false, 'Right Redzone'],
  ['poison', () => 5, true, 'Poison'],
  ['the last byte of poison', () => 63, true, 'End Poison'],
  ['padding', ({ info }) => info.size - info.redLeftPad - 1, true, 'Object padding'],
];

for (const kernel of ['6.1', '6.12']) {
  for (const [what, at, free, found] of DAMAGE) {
    test(`${kernel}: a write to ${what} is found, said and repaired`, () => {
      const machine = machineOf({ kernel });
      const cache = plain(machine);
      const object = cache.alloc();
      if (free) cache.free(object);
      machine.bytes!.set(object + at(cache), 0x99);
      assert.equal(cache.validate(), 1);
      const lines = said(machine);
      assert.ok(
        lines.some((line) => line.includes(`${found} overwritten`)),
        lines.join('\n'),
      );
      assert.ok(
        lines.some((line) => line.startsWith(`FIX victim: Restoring ${found} @-@=0x`)),
        lines.join('\n'),
      );
      machine.log.clear();
      assert.equal(cache.validate(), 1);
      assert.deepEqual(said(machine), []);
      machine.validate('full');
    });
  }
}

test('a write behind the last object of a slab is found when the slab is looked at', () => {
  const machine = machineOf();
  const cache = plain(machine);
  const object = cache.alloc();
  machine.bytes!.set(object - cache.info.redLeftPad + 4095, 1);
  cache.free(object);
  assert.deepEqual(said(machine), [
    'BUG victim: Padding overwritten. @-@ @offset=4095',
    'FIX victim: Restoring slab padding @-@=0x5a',
  ]);
  assert.equal(cache.live, 0);
});

test('a slab whose next object was written to is given up, and another serves', () => {
  for (const kernel of ['6.1', '6.12']) {
    const machine = machineOf({ kernel });
    const cache = plain(machine);
    const [kept, gone] = [cache.alloc(), cache.alloc()];
    cache.free(gone);
    machine.bytes!.set(gone + 3, 0);
    const other = cache.alloc();
    assert.notEqual(Math.floor(other / 4096), Math.floor(gone / 4096));
    assert.equal(said(machine).at(-1), 'FIX victim: Marking all objects used');
    machine.validate('full');
    assert.equal(cache.live, 2);
    // What still lives in the lost slab cannot be freed any more.
    machine.log.clear();
    cache.free(kept);
    assert.deepEqual(said(machine), [
      'BUG victim: Slab disabled since SLUB metadata consistency check failed',
      'FIX victim: Object at @ not freed',
    ]);
    machine.validate('full');
    cache.free(other);
    assert.equal(cache.live, 1);
    assert.throws(() => cache.destroy(), /1 live object/);
  }
});

test('a cache whose only slab was given up empty can be destroyed, and its pages come back', () => {
  const machine = machineOf();
  const pages = machine.memory.takenPages();
  const cache = plain(machine);
  const object = cache.alloc();
  cache.free(object);
  machine.bytes!.set(object, 0);
  const other = cache.alloc();
  cache.free(other);
  assert.equal(cache.live, 0);
  cache.destroy();
  machine.validate('full');
  assert.equal(machine.memory.takenPages(), pages);
});

test('an object that was written past stays in use: the free is not done', () => {
  const machine = machineOf();
  const cache = plain(machine);
  const object = cache.alloc();
  machine.bytes!.set(object + 64, 1);
  cache.free(object);
  assert.equal(said(machine).at(-1), 'FIX victim: Object at @ not freed');
  assert.equal(cache.live, 1);
  machine.validate('full');
  cache.free(object);
  assert.equal(cache.live, 0);
});

test('validate is for debugged caches, and knows full slabs only with U', () => {
  const machine = machineOf({ slubDebug: 'FZ' });
  const cache = plain(machine);
  const { objects } = cache.info.oo;
  for (let i = 0; i < objects + 1; i++) cache.alloc();
  assert.equal(cache.validate(), 1);
  const tracked = machineOf();
  const user = plain(tracked);
  for (let i = 0; i < user.info.oo.objects + 1; i++) user.alloc();
  assert.equal(user.validate(), 2);
  const none = machineOf({ slubDebug: '' });
  assert.throws(() => plain(none).validate(), ArgumentError);
});

test('T says each alloc and free', () => {
  const machine = machineOf({ slubDebug: 'T' });
  const cache = plain(machine);
  cache.free(cache.alloc());
  assert.deepEqual(said(machine), ['TRACE victim alloc @ inuse=1 fp=@', 'TRACE victim free @ inuse=1 fp=@']);
});

// ---- bad frees ---------------------------------------------------------------------------------------------------------------

const BAD: readonly (readonly [
  what: string,
  found: string,
  run: (cache: KmemCache, other: KmemCache) => void,
])[] = [
  [
    'a second free',
    'BUG victim: Object already free',
    (cache) => {
      const object = cache.alloc();
      cache.alloc();
      cache.free(object);
      cache.free(object);
    },
  ],
  [
    'a free more than there are objects',
    'BUG victim: Slab has 0 allocated objects but 1 are to be freed',
    (cache) => {
      const object = cache.alloc();
      cache.free(object);
      cache.free(object);
    },
  ],
  [
    'a pointer into an object',
    'BUG victim: Invalid object pointer @',
    (cache) => cache.free((cache.alloc() + 8) as PhysAddr),
  ],
  [
    'another cache’s object',
    'cache_from_obj: Wrong slab cache. victim but object is from other',
    (cache, other) => cache.free(other.alloc()),
  ],
  ['no slab', 'virt_to_cache: Object is not a Slab page!', (cache) => cache.free((20 * MIB) as PhysAddr)],
];

for (const bytes of [true, false]) {
  for (const [what, found, run] of BAD) {
    test(`F sees ${what}${bytes ? '' : ', also without bytes'}: an error, or in the faithful mode just the report`, () => {
      for (const faithful of [false, true]) {
        for (const kernel of ['6.1', '6.12']) {
          const machine = machineOf({ slubDebug: 'F', bytes, faithful, kernel });
          const cache = machine.kmemCacheCreate('victim', 64, { ctor })!;
          const other = machine.kmemCacheCreate('other', 64, { ctor })!;
          if (faithful) run(cache, other);
          else assert.throws(() => run(cache, other), BadFreeError);
          assert.equal(said(machine)[0], found);
          machine.validate('full');
        }
      }
    });
  }
}

test('after a second free 6.1 oopses at the second alloc, 6.12 goes on', () => {
  for (const bytes of [true, false]) {
    for (const kernel of ['6.1', '6.12']) {
      const machine = machineOf({ slubDebug: 'F', bytes, faithful: true, kernel });
      const cache = machine.kmemCacheCreate('victim', 64, { ctor })!;
      const object = cache.alloc();
      cache.alloc();
      cache.free(object);
      cache.free(object);
      assert.equal(cache.alloc(), object);
      if (kernel === '6.1') {
        assert.throws(() => cache.alloc(), KernelWouldCrashError);
        assert.equal(
          machine.log.lines.at(-1),
          'BUG: kernel NULL pointer dereference, address: 0000000000000040',
        );
      } else {
        assert.notEqual(cache.alloc(), object);
      }
      machine.validate('full');
    }
  }
});

test('without F nobody looks: the same object is handed out twice, and the ledger stays sound', () => {
  for (const slubDebug of ['', 'Z', 'P', 'U']) {
    const machine = machineOf({ slubDebug, faithful: true });
    const cache = machine.kmemCacheCreate('victim', 64, { ctor })!;
    const object = cache.alloc();
    const held = cache.alloc();
    cache.free(object);
    cache.free(object);
    machine.validate('full');
    assert.deepEqual([cache.alloc(), cache.alloc()], [object, object]);
    machine.validate('full');
    cache.free((held + 8) as PhysAddr);
    assert.equal(cache.alloc(), held + 8);
    assert.deepEqual(said(machine), []);
    machine.validate('full');
    assert.notEqual(cache.alloc(), NULL);
  }
});

test('frees of anything, again and again, leave a faithful machine sound', () => {
  const step = fc.tuple(fc.nat(3), fc.nat(30), fc.constantFrom(0, 0, 8, -8, 64, 4096), fc.nat(1));
  fc.assert(
    fc.property(
      fc.constantFrom('', 'F', 'Z', 'FZPU'),
      fc.constantFrom('6.1', '6.12'),
      fc.boolean(),
      fc.array(step, { maxLength: 60 }),
      (slubDebug, kernel, bytes, steps) => {
        const machine = machineOf({ slubDebug, kernel, bytes, faithful: true });
        const caches = ['one', 'two'].map((name) => machine.kmemCacheCreate(name, 700, { ctor })!);
        const seen: PhysAddr[] = [];
        try {
          for (const [what, which, off, cpu] of steps) {
            const cache = caches[which & 1]!;
            if (what < 2 || seen.length === 0) seen.push(cache.alloc(GFP.KERNEL, cpu));
            else cache.free((seen[which % seen.length]! + off) as PhysAddr, cpu);
            machine.validate('full');
          }
        } catch (error) {
          if (!(error instanceof KernelWouldCrashError)) throw error;
        }
        machine.validate('full');
      },
    ),
    { numRuns: 150 },
  );
});

// ---- which caches ------------------------------------------------------------------------------------------------------------

test('slub_debug names caches: a pattern, blocks, and what is left for all others', () => {
  const machine = machineOf({ slubDebug: 'FZ,dentry,kmalloc-*;P,inode', slubNomerge: true });
  const flagsOf = (name: string) => machine.kmemCacheCreate(name, 64)!.info.flags & 0xd00;
  const { CONSISTENCY_CHECKS: F, RED_ZONE: Z, POISON: P } = SLAB;
  assert.equal(flagsOf('dentry'), F | Z);
  assert.equal(flagsOf('dentry2'), 0);
  assert.equal(flagsOf('inode'), P);
  assert.equal(flagsOf('other'), 0);
  assert.equal(machine.whereIs(machine.kmalloc(8))!.cache.info.flags & 0xd00, F | Z);
  assert.equal(machine.whereIs(machine.kmalloc(8, GFP.KERNEL_ACCOUNT))!.cache.name, 'kmalloc-cg-8');
});

test('slub_debug’s grammar', () => {
  const { CONSISTENCY_CHECKS: F, RED_ZONE: Z, POISON: P, STORE_USER: U } = SLAB;
  const all = F | Z | P | U;
  const none = { flags: 0, avoidHigherOrders: false };
  assert.deepEqual(parseSlubDebug(''), none);
  assert.deepEqual(parseSlubDebug('-'), none);
  assert.deepEqual(parseSlubDebug('FZ-P'), { ...none, flags: P });
  assert.deepEqual(parseSlubDebug('fzpuo'), { flags: all, avoidHigherOrders: true });
  assert.deepEqual(parseSlubDebug(',dentry'), { ...none, blocks: [{ flags: all, patterns: ['dentry'] }] });
  assert.deepEqual(parseSlubDebug(';;F;P,a,b;'), {
    ...none,
    flags: F,
    blocks: [{ flags: P, patterns: ['a', 'b'] }],
  });
  assert.deepEqual(parseSlubDebug('-,a;Z'), { ...none, flags: Z, blocks: [{ flags: 0, patterns: ['a'] }] });
  assert.throws(() => parseSlubDebug('FX'), ArgumentError);
});

test('a block that names a cache keeps it from merging; its neighbours still merge', () => {
  const machine = Machine.create({ memory: 32 * MIB, slubDebug: 'Z,mine' });
  const first = machine.kmemCacheCreate('first', 64)!;
  assert.equal(machine.kmemCacheCreate('second', 64), first);
  assert.notEqual(machine.kmemCacheCreate('mine', 64), first);
});
