/** kmalloc against truth/kmalloc-slub.json.gz and by hand; its caches field by field are in lab/verify/standing.test.ts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { BadFreeError, type Gfp, GIB, MIB, NULL, type PhysAddr } from '../../base/index.js';
import { GFP, parseGfp, rangesMap } from '../../machine/index.js';
import { Machine, type MachineOptions } from '../machine.js';
import { ZERO_SIZE_PTR } from './kmalloc.js';

/** What a zone or cache is called, by the recording. */
type Range = readonly [from: number, to: number, name: string | null, ksize: number, zone: string | null];

function readTruth(file: string): Record<string, unknown> {
  return JSON.parse(gunzipSync(readFileSync(new URL(`../../../truth/${file}`, import.meta.url))).toString());
}

const KMALLOC = readTruth('kmalloc-slub.json.gz') as {
  ranges: Readonly<Record<string, readonly Range[]>>;
};

const PAGE = 4096;
const UNEXPECTED = 'Unexpected gfp: 0x4 (GFP_DMA32). Fixing up to gfp: 0xcc0 (GFP_KERNEL). Fix your code!';
const WITH_DMA32 = (GFP.KERNEL | GFP.DMA32) as Gfp;

/** The recorded machine: a PC with 6 GiB and 4 CPUs. */
function recordedMachine(options: MachineOptions = {}): Machine {
  return Machine.create({ memory: 6 * GIB, cpus: 4, ledger: { slabs: 4096, caches: 256 }, ...options });
}

function zoneOf(machine: Machine, address: PhysAddr): string {
  return machine.zones().find(({ endPfn }) => address / PAGE < endPfn)!.name;
}

// ---- as recorded ------------------------------------------------------------------------------------------

/** What an allocation of this size got, as the recording says it. */
function rangeOf(machine: Machine, size: number, gfp: Gfp): readonly unknown[] {
  const address = machine.kmalloc(size, gfp);
  if (address === NULL) return [null, 0, null];
  const ksize = machine.ksize(address);
  if (address === ZERO_SIZE_PTR) return ['ZERO_SIZE_PTR', ksize, null];
  const name = machine.whereIs(address)?.cache.name ?? `page-order-${Math.log2(ksize / PAGE)}`;
  const zone = zoneOf(machine, address);
  machine.kfree(address);
  return [name, ksize, zone];
}

test('every size gets the recorded cache, usable size and zone, under all 13 recorded gfp masks', () => {
  const masks = Object.entries(KMALLOC.ranges);
  assert.equal(masks.length, 13);
  const machine = recordedMachine();
  let compared = 0;
  for (const [mask, ranges] of masks) {
    for (const [from, to, ...recorded] of ranges) {
      for (let size = from; size <= to; size++, compared++) {
        assert.deepEqual(rangeOf(machine, size, parseGfp(mask)), recorded, `kmalloc(${size}, ${mask})`);
      }
    }
  }
  assert.ok(compared > 13 * 8192);
  machine.validate();
});

test('the directories of /sys/kernel/slab of a standing machine are the recorded ones', () => {
  const { settings } = readTruth('sysfs-slub.json.gz') as {
    settings: Readonly<Record<string, { readonly directory: readonly string[] }>>;
  };
  // Links are `name -> id`; the recorder's own cache is zzW, and `total 0` is the listing's first line.
  const recorded = settings.default!.directory.filter((entry) => !/ -> |^total |^zzW$/.test(entry));
  const ours = recordedMachine({ standing: true })
    .caches()
    .map((cache) => cache.sysfsId);
  assert.deepEqual([...new Set(ours)].sort(), [...recorded].sort());
});

// ---- by hand ----------------------------------------------------------------------------------------------

test('kmalloc(0) is ZERO_SIZE_PTR; freeing that or NULL does nothing', () => {
  const machine = recordedMachine();
  assert.equal(machine.kmalloc(0), 16);
  assert.equal(machine.ksize(ZERO_SIZE_PTR), 0);
  assert.equal(machine.ksize(NULL), 0);
  machine.kfree(ZERO_SIZE_PTR);
  machine.kfree(NULL);
  assert.equal(machine.memory.takenPages(), 0);
});

test('sizes that no kmalloc can mean are argument errors', () => {
  const machine = recordedMachine();
  for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => machine.kmalloc(size), { code: 'argument' });
  }
});

test('large allocations are whole pages, up to 4 MiB; more is NULL with one warning in all', () => {
  const machine = recordedMachine();
  const sizes = [8193, 16384, 16385, 1_000_000, 4 * MIB];
  const large = sizes.map((size) => machine.kmalloc(size));
  assert.deepEqual(
    large.map((address) => machine.ksize(address)),
    [16384, 16384, 32768, 1024 * 1024, 4 * MIB],
  );
  large.forEach((address, i) => {
    assert.equal(machine.whereIs(address), undefined);
    assert.equal(address % machine.ksize(address), 0, `${sizes[i]} bytes are aligned as their block`);
  });
  assert.equal(machine.kmalloc(4 * MIB + 1), NULL);
  assert.equal(machine.kmalloc(8 * MIB), NULL);
  assert.equal(machine.log.lines.length, 1);
  for (const address of large) machine.kfree(address);
  assert.equal(machine.memory.takenPages(), 0);
  machine.validate();
});

test('kmalloc(64, GFP_KERNEL|GFP_DMA32) warns as often as it needs a slab, and comes from Normal', () => {
  const machine = recordedMachine();
  const objects = Array.from({ length: 4096 }, () => machine.kmalloc(64, WITH_DMA32));
  assert.deepEqual(new Set(objects.map((address) => zoneOf(machine, address))), new Set(['Normal']));
  assert.equal(machine.whereIs(objects[0]!)!.cache.name, 'kmalloc-64');
  assert.deepEqual(new Set(machine.log.lines), new Set([UNEXPECTED]));
  assert.equal(machine.log.lines.length, 4096 / 64);
});

test('a large kmalloc warns of DMA32 each time', () => {
  const machine = recordedMachine();
  for (let i = 0; i < 3; i++) assert.equal(zoneOf(machine, machine.kmalloc(10_000, WITH_DMA32)), 'Normal');
  assert.deepEqual(machine.log.lines, [UNEXPECTED, UNEXPECTED, UNEXPECTED]);
});

test('a machine without ZONE_DMA has no dma-kmalloc: GFP_DMA comes from the plain caches', () => {
  const machine = recordedMachine({ machine: 'mt8173', memory: 4 * GIB });
  const object = machine.kmalloc(64, (GFP.KERNEL | GFP.DMA) as Gfp);
  // Three types, and the seven sizes that an arm64 kernel of the time has.
  assert.equal(machine.whereIs(object)!.cache.name, 'kmalloc-128');
  assert.equal(machine.caches().length, 21);
});

test('kfree finds the cache of any object, and refuses what was not handed out', () => {
  const machine = recordedMachine({ memory: 64 * MIB });
  const own = machine.kmemCacheCreate('own', 300)!.alloc();
  const [small, large] = [100, 20_000].map((size) => machine.kmalloc(size)) as [PhysAddr, PhysAddr];
  const before = Buffer.from(machine.ledger.buffer.slice(0));
  const strays = [small + 8, large + PAGE, large + 8, 0x1000, 63 * MIB, 2 ** 50, Number.NaN];
  for (const stray of strays)
    assert.throws(() => machine.kfree(stray as PhysAddr), BadFreeError, String(stray));
  assert.ok(before.equals(Buffer.from(machine.ledger.buffer)), 'nothing changed');
  for (const address of [own, small, large]) {
    machine.kfree(address, 2);
    assert.throws(() => machine.kfree(address), BadFreeError);
  }
  machine.validate();
});

test('a machine that is opened from a copy finds its kmalloc caches again, and nobody else’s', () => {
  const machine = recordedMachine({ memory: 64 * MIB });
  const object = machine.kmalloc(100);
  // A name is no proof: anybody may use it.
  machine.kmemCacheCreate('kmalloc-128', 3000, { ctor: () => {} });
  const copy = Machine.open(machine.ledger.buffer.slice(0));
  for (const each of [machine, copy]) {
    each.kfree(object);
    assert.equal(each.kmalloc(100), object);
    assert.equal(each.ksize(object), 128);
    assert.equal(each.caches().length, 53);
  }
});

test('a kmalloc cache cannot be destroyed, whatever its type', () => {
  for (const kernel of ['6.1', '6.12']) {
    const machine = Machine.create({ kernel, memory: 32 * 2 ** 20 });
    machine.kmalloc(8);
    for (const name of ['kmalloc-64', 'kmalloc-cg-64', 'dma-kmalloc-1k']) {
      assert.throws(() => machine.findCache(name)!.destroy(), { code: 'argument' }, `${kernel} ${name}`);
    }
    machine.validate();
  }
});

test('a table without room for all kmalloc caches gets none', () => {
  const machine = Machine.create({ memory: 32 * 2 ** 20, ledger: { caches: 16 } });
  assert.throws(() => machine.kmalloc(8), { code: 'ledger-full' });
  assert.deepEqual(machine.caches(), []);
  machine.validate();
});

test('arm64 carries its smallest kmalloc: 128 bytes, until the kernel bounces what is not aligned', () => {
  const whole = [
    'kmalloc-128',
    'kmalloc-256',
    'kmalloc-512',
    'kmalloc-1k',
    'kmalloc-2k',
    'kmalloc-4k',
    'kmalloc-8k',
  ];
  const plain = (machine: Machine) =>
    machine
      .caches()
      .map((cache) => cache.name)
      .filter((name) => /^kmalloc-\d+k?$/.test(name));
  for (const board of ['arm64', 'mt8173', 'rk3568', 'sun50i']) {
    for (const allocator of ['slub', 'slab'] as const) {
      for (const options of [
        { machine: board, memory: '64M' },
        { machine: rangesMap('1G-1100M', board) },
        { machine: board, memory: '64M', standing: true },
      ]) {
        const machine = Machine.create({ ...options, allocator, kernel: '6.1' });
        const address = machine.kmalloc(44);
        // SLAB makes the one that its nodes lie in first, and it is the smallest.
        assert.deepEqual(plain(machine), whole, `${board}, ${allocator}`);
        assert.equal(machine.ksize(address), 128);
        assert.equal(machine.whereIs(machine.kmalloc(129))!.cache.name, 'kmalloc-256');
        const again = Machine.open(machine.ledger.buffer.slice(0));
        assert.equal(again.ksize(again.kmalloc(44)), 128);
        assert.deepEqual(plain(again), whole);
        machine.validate();
      }
    }
    // Where DMA is bounced, or no device has any, the small ones stay.
    for (const kernel of ['6.12', 'library']) {
      const machine = Machine.create({ machine: board, memory: '64M', kernel });
      assert.equal(machine.ksize(machine.kmalloc(8)), 8);
      machine.validate();
    }
  }
  const pc = Machine.create({ kernel: '6.1' });
  assert.equal(pc.ksize(pc.kmalloc(44)), 64);
});

test('1000 objects of 44 bytes take 32 slabs of kmalloc-128 on arm64 6.1', () => {
  const machine = Machine.create({ machine: 'arm64', kernel: '6.1' });
  for (let i = 0; i < 1000; i++) machine.kmalloc(44);
  const { nrSlabs, totalObjects, oo } = machine.findCache('kmalloc-128')!.info;
  assert.deepEqual([nrSlabs, totalObjects, oo.order], [32, 1024, 0]);
  machine.validate();
});
