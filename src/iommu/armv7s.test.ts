import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ArgumentError,
  BadFreeError,
  type Gfp,
  GIB,
  KernelWouldCrashError,
  KIB,
  LedgerCorruptError,
  MIB,
  NO_PFN,
  type PhysAddr,
} from '../base/index.js';
import { __GFP, formatGfp, GFP, sparseBytes } from '../machine/index.js';
import { Machine, type MachineOptions, SLAB } from '../slab/index.js';
import {
  type ArmV7sOptions,
  ArmV7sPageTable,
  IOMMU,
  type IoPgtableConfig,
  PAGE_SIZES,
  IO_PGTABLE_QUIRK as QUIRK,
  type TableSource,
} from './index.js';

const [K4, K64, M1, M16] = PAGE_SIZES;
const RW = IOMMU.READ | IOMMU.WRITE;
const MTK = QUIRK.NO_PERMS | QUIRK.ARM_MTK_EXT;

function machineOf(options: MachineOptions = {}): Machine {
  return Machine.create({ memory: 64 * MIB, cpus: 1, bytes: true, ...options });
}

function domainOf(
  config: IoPgtableConfig = {},
  options: ArmV7sOptions = {},
  machine = machineOf(),
): ArmV7sPageTable {
  const domain = ArmV7sPageTable.create(machine, config, options);
  assert.ok(domain, machine.log.lines.at(-1) ?? 'refused');
  return domain;
}

/** Every word of every table. */
function words(domain: ArmV7sPageTable): unknown {
  const { bytes } = domain.machine;
  return {
    first: [...domain.l1Words().entries()].filter(([, word]) => word !== 0),
    second: domain.tables().map((table) => [table, [...bytes!.read(table.address, KIB)]]),
  };
}

/** Frees a domain; nothing of it is left. */
function end(domain: ArmV7sPageTable): void {
  const { machine } = domain;
  domain.free();
  assert.deepEqual(domain.tables(), []);
  machine.validate();
  assert.deepEqual([machine.memory.takenPages(), machine.caches().length], [0, 0]);
}

test("the kernel's self test", () => {
  const sizes: number[] = [];
  const tlb = {
    flushWalk: (_iova: number, size: number) => sizes.push(size),
    addPage: (_iova: number, granule: number) => sizes.push(granule),
  };
  const domain = domainOf({ quirks: QUIRK.ARM_NS }, { tlb });
  for (const iova of [42, GIB + 42, 2 * GIB + 42]) assert.equal(domain.iovaToPhys(iova), 0);
  // Every size at addresses of its own, and nothing over it.
  PAGE_SIZES.forEach((size, i) => {
    const iova = i * M16;
    const prot = RW | IOMMU.NOEXEC | IOMMU.CACHE;
    assert.deepEqual(domain.map(iova, iova, size, 1, prot), { ret: 0, mapped: size });
    assert.equal(domain.map(iova, iova + size, size, 1, IOMMU.READ | IOMMU.NOEXEC).ret, -17);
    assert.equal(domain.iovaToPhys(iova + 42), iova + 42);
  });
  // A page of each larger one is unmapped and mapped to somewhere else.
  for (let i = 1; i < PAGE_SIZES.length; i++) {
    const iova = i * M16 + K4;
    assert.equal(domain.unmap(iova, K4, 1), K4);
    assert.equal(domain.map(iova, K4, K4, 1, IOMMU.READ).ret, 0);
    assert.equal(domain.iovaToPhys(iova + 42), K4 + 42);
  }
  // All of it is unmapped and mapped again.
  PAGE_SIZES.forEach((size, i) => {
    const iova = i * M16;
    assert.equal(domain.unmap(iova, size, 1), size);
    assert.equal(domain.iovaToPhys(iova + 42), 0);
    assert.equal(domain.map(iova, iova, size, 1, IOMMU.WRITE).ret, 0);
    assert.equal(domain.iovaToPhys(iova + 42), iova + 42);
  });
  assert.ok(sizes.length > 0 && sizes.every((size) => (PAGE_SIZES as readonly number[]).includes(size)));
  assert.deepEqual(
    [domain.warnings, domain.bugs.map(({ kind }) => kind)],
    [4, ['lost-address', 'lost-address']],
  );
  end(domain);
});

// ---- making one ----------------------------------------------------------------------------------------------------------------

test('what Linux refuses is null, and the last line of the log says why', () => {
  const refused: readonly (readonly [IoPgtableConfig, RegExp])[] = [
    [{ ias: 33 }, /ias 33 is more than the 32 bits/],
    [{ oas: 33 }, /oas 33 is more than the 32 bits/],
    [{ quirks: MTK, ias: 35 }, /ias 35 is more than the 34 bits/],
    [{ quirks: MTK, oas: 36 }, /oas 36 is more than the 35 bits/],
    [{ quirks: 4 }, /quirks 0x4 are none/],
    [{ quirks: 0x80000000 }, /quirks 0x80000000 are none/],
    [{ quirks: QUIRK.ARM_MTK_EXT }, /needs NO_PERMS/],
    [{ quirks: QUIRK.ARM_MTK_TTBR_EXT }, /needs ARM_MTK_EXT/],
  ];
  const machine = machineOf();
  for (const [config, why] of refused) {
    assert.equal(ArmV7sPageTable.create(machine, config), null);
    assert.match(machine.log.lines.at(-1)!, why);
  }
  assert.deepEqual([machine.memory.takenPages(), machine.caches().length], [0, 0]);
  machine.validate();
});

test('what cannot be meant is an error', () => {
  const machine = machineOf();
  assert.throws(() => ArmV7sPageTable.create(machineOf({ bytes: false })), /bytes: true/);
  for (const config of [
    { ias: 20.5 },
    { ias: Number.NaN },
    { oas: -1 },
    { quirks: 2 ** 32 },
    { pgsizeBitmap: 0.5 },
  ])
    assert.throws(() => ArmV7sPageTable.create(machine, config), ArgumentError);
  assert.throws(() => ArmV7sPageTable.create(machine, { ias: 19 }), KernelWouldCrashError);
  assert.equal(
    ArmV7sPageTable.create(machine, { ias: 19, quirks: 4 }),
    null,
    'the quirks are looked at first',
  );
  assert.equal(machine.memory.takenPages(), 0);
});

test('registers, page sizes and the first level follow from the configuration', () => {
  const cases: readonly (readonly [IoPgtableConfig, ttbrLow: number, bytes: number, order: number])[] = [
    [{}, 0x6a, 16 * KIB, 2],
    [{ coherentWalk: false }, 0x02, 16 * KIB, 2],
    [{ ias: 20 }, 0x6a, 4, 0],
    [{ ias: 31 }, 0x6a, 8 * KIB, 1],
    [{ quirks: MTK, ias: 34, oas: 35 }, 0, 64 * KIB, 4],
  ];
  for (const [config, ttbrLow, bytes, order] of cases) {
    const domain = domainOf(config);
    const { registers, l1 } = domain;
    assert.deepEqual(registers, {
      ttbr: l1.address + ttbrLow,
      tcr: 0,
      nmrr: 0x40004000,
      prrr: 0x800b8204,
    });
    assert.deepEqual([l1.bytes, l1.order], [bytes, order]);
    end(domain);
  }
  const odd = domainOf({ pgsizeBitmap: 0x1_0011_0801 });
  assert.deepEqual([odd.config.pgsizeBitmap, odd.pageSizes], [0x110000, [K64, M1]]);
  assert.deepEqual(odd.map(0, 0, K4, 1, RW), { ret: 0, mapped: K4 }, 'the driver takes the others as well');
  end(odd);
  const none = domainOf({ pgsizeBitmap: 0 });
  assert.deepEqual(none.pageSizes, []);
  end(none);
});

test("tables come from below 4 GiB, with MediaTek's TTBR_EXT from anywhere, and domains share a cache", () => {
  const machine = Machine.create({ machine: 'mt8173', cpus: 1, bytes: true });
  const plain = domainOf({}, {}, machine);
  const other = domainOf({}, {}, machine);
  const far = domainOf({ quirks: MTK | QUIRK.ARM_MTK_TTBR_EXT, ias: 34, oas: 34 }, {}, machine);
  for (const domain of [plain, other, far]) assert.equal(domain.map(0x10_0000, 0, K4, 1, RW).ret, 0);
  const zones = [plain, other, far].map((domain) => {
    return [machine.zoneOf(domain.l1.address), machine.zoneOf(domain.tables()[0]!.address)];
  });
  assert.deepEqual(zones, [
    ['DMA32', 'DMA32'],
    ['DMA32', 'DMA32'],
    ['Normal', 'Normal'],
  ]);
  assert.equal(plain.source.cache, other.source.cache);
  assert.equal(plain.source.cache!.sysfsId, ':D-0001024');
  assert.equal(far.source.cache!.sysfsId, ':0001024');
  assert.equal(far.registers.ttbr, far.l1.address - 4 * GIB + 1, 'bit 32 of the address is bit 0');
  assert.equal(
    far.l1Words()[1],
    far.tables()[0]!.address - 4 * GIB + 0x201,
    'bit 32 of the address is bit 9',
  );
  assert.equal(far.iovaToPhys(0x10_0042), 0x42);
  for (const domain of [plain, other, far]) domain.free();
  assert.throws(() => plain.iovaToPhys(0), /was freed/);
  assert.throws(() => plain.free(), /was freed/);
  machine.validate();
  assert.deepEqual([machine.memory.takenPages(), machine.caches().length], [0, 0]);
});

test('a kernel without ZONE_DMA32 asks for DMA', () => {
  const zones = [
    { name: 'DMA' as const, end: 4 * GIB },
    { name: 'Normal' as const, end: Number.POSITIVE_INFINITY },
  ];
  const ram = [{ start: GIB, end: 6 * GIB }];
  const machine = machineOf({ machine: { name: 'arm', title: 'arm', ram, reserved: [], zones } });
  const domain = domainOf({}, {}, machine);
  domain.map(0, 0, K4, 1, RW);
  assert.ok(domain.source.cache!.info.flags & SLAB.CACHE_DMA);
  assert.deepEqual(
    [machine.zoneOf(domain.l1.address), machine.zoneOf(domain.tables()[0]!.address)],
    ['DMA', 'DMA'],
  );
  end(domain);
});

// ---- tables that cannot be used ------------------------------------------------------------------------------------------------

/** Tables from a cache without a flag: above 4 GiB where there is such memory. */
function anywhere(machine: Machine): TableSource {
  const cache = machine.kmemCacheCreate('tables', KIB, { align: KIB })!;
  return {
    cache,
    alloc: (gfp, cpu) => cache.alloc(gfp, cpu),
    free: (address, cpu) => cache.free(address, cpu),
    close: () => cache.destroy(),
  };
}

test('a table above 4 GiB does not fit: the message, -ENOMEM, and it is freed', () => {
  const machine = Machine.create({ machine: 'mt8173', cpus: 1, bytes: true });
  const events: string[] = [];
  const onTable = (event: string, id: number, address: PhysAddr) => {
    assert.ok(address >= 4 * GIB);
    events.push(event + id);
  };
  const domain = domainOf({}, { tables: anywhere(machine), onTable }, machine);
  const before = words(domain);
  assert.deepEqual(domain.map(0, 0, K4, 2, RW), { ret: -12, mapped: 0 });
  assert.match(machine.log.lines.at(-1)!, /^Page table does not fit in PTE: 0x00000001[0-9a-f]{8}$/);
  assert.deepEqual([events, words(domain), domain.warnings], [['alloc0', 'free0'], before, 0]);
  // A section needs no table until it is split.
  assert.equal(domain.map(0, M1, M1, 1, RW).ret, 0);
  const section = words(domain);
  assert.equal(domain.unmap(0, K4, 1), 0);
  assert.deepEqual([events.at(-1), words(domain)], ['free1', section]);
  end(domain);
});

test('before the patch series the driver asked for ZONE_DMA, which arm64 had lost', () => {
  const machine = Machine.create({ machine: 'mt8173', cpus: 1, bytes: true });
  assert.equal(ArmV7sPageTable.create(machine, {}, { tableZone: 'DMA' }), null);
  assert.match(machine.log.lines.at(-1)!, /^Page table does not fit in PTE: 0x00000001[0-9a-f]{8}$/);
  machine.validate();
  assert.deepEqual([machine.memory.takenPages(), machine.caches().length], [0, 0]);
});

test('a walker that is not coherent needs the same address from the DMA layer', () => {
  const cases: readonly (readonly [
    (address: PhysAddr, size: number) => number | undefined,
    RegExp | undefined,
  ])[] = [
    [() => undefined, undefined],
    [(address) => address + 1, /^Cannot accommodate DMA translation for IOMMU page tables$/],
  ];
  for (const [answer, message] of cases) {
    const machine = machineOf();
    let firstLevel = true;
    const dmaMap = (address: PhysAddr, size: number) => (firstLevel ? address : answer(address, size));
    const domain = domainOf({ coherentWalk: false }, { dmaMap }, machine);
    firstLevel = false;
    const lines = machine.log.lines.length;
    assert.deepEqual(domain.map(0, 0, K4, 1, RW), { ret: -12, mapped: 0 });
    if (message) assert.match(machine.log.lines.at(-1)!, message);
    else assert.equal(machine.log.lines.length, lines, 'a mapping error is silent');
    assert.deepEqual(domain.tables(), []);
    assert.equal(ArmV7sPageTable.create(machine, { coherentWalk: false }, { dmaMap: answer }), null);
    assert.match(machine.log.lines.at(-1)!, message ?? /first level, 16384 bytes of .*: cannot be mapped$/);
    end(domain);
  }
  const coherent = domainOf({}, { dmaMap: () => assert.fail('a coherent walker needs no mapping') });
  coherent.map(0, 0, K4, 1, RW);
  end(coherent);
});

test('a source must give aligned tables, and is closed with the domain', () => {
  let closed = 0;
  const freed: number[] = [];
  const source = (address: number): TableSource => ({
    alloc: () => address as PhysAddr,
    free: (given) => freed.push(given),
    close: () => closed++,
  });
  const domain = domainOf({}, { tables: source(0x200200) });
  assert.throws(() => domain.map(0, 0, K4, 1, RW), /aligned to 1024/);
  assert.deepEqual(freed, [0x200200]);
  end(domain);
  assert.equal(ArmV7sPageTable.create(machineOf(), { ias: 33 }, { tables: source(0x200000) }), null);
  assert.equal(closed, 2);
});

test('tables are zeroed, and asked for with the gfp of the map, or GFP_ATOMIC for a split', () => {
  const machine = machineOf({ bytes: sparseBytes(4 * KIB, 0xa5) });
  const asked: string[] = [];
  const cache = machine.kmemCacheCreate('tables', KIB, { align: KIB })!;
  const tables: TableSource = {
    alloc: (gfp, cpu) => {
      asked.push(`${formatGfp(gfp)} on ${cpu}`);
      return cache.alloc(GFP.KERNEL);
    },
    free: (address) => cache.free(address),
    close: () => cache.destroy(),
  };
  const domain = domainOf({}, { tables, cpu: 3 }, machine);
  assert.deepEqual([...new Set(domain.l1Words())], [0]);
  domain.map(0, M1, K4, 1, RW);
  domain.map(2 * M1, M1, K64, 1, RW, GFP.NOWAIT);
  domain.map(3 * M1, M1, M1, 1, RW, GFP.NOWAIT);
  domain.unmap(3 * M1, K4, 1);
  assert.deepEqual(asked, [
    'GFP_KERNEL|__GFP_ZERO on 3',
    'GFP_NOWAIT|__GFP_ZERO on 3',
    'GFP_ATOMIC|__GFP_ZERO on 3',
  ]);
  assert.deepEqual(
    domain.tables().map(({ used }) => used),
    [1, 16, 255],
  );
  domain.validate();
  end(domain);
});

test('callbacks: a page at a time, none of them with a queue, but a table is flushed with one as well', () => {
  const calls: (string | number)[][] = [];
  const tlb = {
    flushAll: () => calls.push(['all']),
    flushWalk: (...range: number[]) => calls.push(['walk', ...range]),
    addPage: (...range: number[]) => calls.push(['page', ...range]),
  };
  const domain = domainOf({}, { tlb });
  for (const gather of ['plain', 'queued'] as const) {
    domain.map(0, 0, K64, 1, RW);
    domain.map(M16, 0, M16, 1, RW);
    assert.deepEqual(calls, []);
    domain.unmap(0, K64, 1, gather);
    domain.unmap(M16, M16, 1, gather);
    const range = (from: number, step: number) =>
      Array.from({ length: 16 }, (_, i) => ['page', from + i * step, step]);
    assert.deepEqual(calls.splice(0), gather === 'queued' ? [] : [...range(0, K4), ...range(M16, M1)]);
  }
  // All sixteen slots of 16 MiB, of which the second has a table.
  domain.map(2 * M16, 0, M1, 16, RW);
  domain.unmap(2 * M16 + M1, M1, 1, 'queued');
  domain.map(2 * M16 + M1, 0, K4, 1, RW);
  assert.equal(domain.unmap(2 * M16, M16, 1, 'queued'), M16);
  assert.deepEqual(calls.splice(0), [['walk', 2 * M16 + M1, M1, K4]]);
  end(domain);
  // The table of the first 64 KiB is still there.
  assert.deepEqual(calls, [['all']]);
});

/** Takes every page that an allocation of this kind could get. */
function exhaust(machine: Machine): void {
  for (let order = machine.kernel.orders - 1; order >= 0; order--)
    while (machine.allocPages((GFP.ATOMIC | __GFP.NOWARN) as Gfp, order) !== NO_PFN);
}

test('no memory: -ENOMEM from a map, 0 from a split, and a freed table makes room at once', () => {
  const machine = machineOf();
  const domain = domainOf({}, {}, machine);
  domain.map(0, M16, M16, 1, RW);
  domain.map(0x1000_0000, M1, M1, 1, RW);
  exhaust(machine);
  let mapped = 0;
  const page = (i: number) => domain.map(0x2000_0000 + i * M1, 0, K4, 1, RW, GFP.ATOMIC).ret;
  while (page(mapped) === 0) mapped++;
  assert.equal(page(mapped), -12);
  const before = words(domain);
  assert.equal(domain.unmap(0x1000_0000, K64, 1), 0);
  assert.deepEqual(words(domain), before, 'the section is whole');
  assert.equal(domain.unmap(0, K4, 1), 0);
  assert.equal(domain.walk(0)[0]!.kind, 'section', 'but 16 MiB are sixteen by now');
  if (mapped > 0) {
    domain.unmap(0x2000_0000, M1, 1);
    assert.equal(page(mapped), 0);
  }
  domain.free();
  machine.validate();
});

test('a driver that does not look at a failed allocation crashes, and the machine is sound', () => {
  const machine = machineOf();
  const domain = domainOf({}, { era: 'v6' }, machine);
  exhaust(machine);
  const fill = () => {
    for (let i = 0; i < 1000; i++) domain.map(i * M1, 0, K4, 1, RW);
  };
  assert.throws(fill, KernelWouldCrashError);
  machine.validate();
  domain.free();
  machine.validate();
});

// ---- bad input -----------------------------------------------------------------------------------------------------------------

for (const faults of ['kernel', 'fixed'] as const) {
  test(`bad input to the driver, faults: ${faults}: its return value, its message, and no word changed`, () => {
    const domain = domainOf({ ias: 31, oas: 30 }, { faults });
    const { log } = domain.machine;
    domain.map(0x100000, 0x200000, K4, 4, RW);
    domain.map(0x400000, 0x400000, M1, 1, RW);
    domain.map(0x1000000, 0x1000000, M16, 1, RW);
    const before = words(domain);
    const warned = domain.warnings;
    const maps: readonly (readonly [
      [number, number, number, number, number],
      ret: number,
      RegExp | undefined,
    ])[] = [
      [[2 ** 31, 0, K4, 1, RW], -34, /^WARNING: arm_v7s_map_pages: iova 0x80000000 .* beyond 31 bits/],
      [[0, 2 ** 30, K4, 1, RW], -34, /physical 0x40000000 is beyond/],
      [[0, 0, K4, 1, 0], -22, undefined],
      [[0, 0, K4, 1, IOMMU.CACHE | IOMMU.NOEXEC], -22, undefined],
      [[0, 0, K4, 0, RW], -22, undefined],
      [
        [0x100000, 0, K4, 1, RW],
        -17,
        /^WARNING: arm_v7s_map_pages: iova 0x100000: something is mapped in its 4096 bytes/,
      ],
      [[0x100000, 0, K64, 1, RW], -17, /iova 0x100000: something is mapped/],
      [[0x400000, 0, K4, 1, RW], -17, /iova 0x400000/],
      [[0x400000, 0, M1, 1, RW], -17, /iova 0x400000/],
      [[0x1800000, 0, K64, 1, RW], -17, /iova 0x1800000/],
      [[0x1000000, 0, M16, 1, RW], -17, /iova 0x1000000/],
    ];
    for (const [[iova, paddr, size, count, prot], ret, line] of maps) {
      const lines = log.lines.length;
      assert.deepEqual(domain.map(iova, paddr, size, count, prot), { ret, mapped: 0 });
      if (line) assert.match(log.lines.at(-1)!, line);
      assert.equal(log.lines.length, lines + (line ? 1 : 0));
    }
    const unmaps: readonly (readonly [[number, number, number], RegExp])[] = [
      [[2 ** 31, K4, 1], /^WARNING: arm_v7s_unmap_pages: iova 0x80000000 is beyond 31 bits/],
      [[0x104000, K4, 3], /^WARNING: __arm_v7s_unmap: iova 0x104000: nothing is mapped/],
      [[0x100000, K64, 1], /iova 0x100000: nothing is mapped in a part of its 65536 bytes/],
      [[0x200000, K4, 1], /iova 0x200000/],
      [[0x500000, M1, 1], /iova 0x500000/],
      [[0, M16, 1], /iova 0x0: nothing is mapped in a part of its 16777216 bytes/],
    ];
    for (const [[iova, size, count], line] of unmaps) {
      assert.equal(domain.unmap(iova, size, count), 0);
      assert.match(log.lines.at(-1)!, line);
    }
    assert.equal(domain.unmap(0x100000, K4, 0), 0);
    assert.deepEqual(words(domain), before);
    const warnings = maps.filter(([, , line]) => line).length + unmaps.length;
    assert.equal(domain.warnings, warned + warnings);
    for (const wrong of [
      () => domain.map(-1, 0, K4, 1, RW),
      () => domain.map(0.5, 0, K4, 1, RW),
      () => domain.map(0, Number.NaN, K4, 1, RW),
      () => domain.map(0, 0, 8 * KIB, 1, RW),
      () => domain.map(0, 0, K4, 2 ** 29, RW),
      () => domain.unmap(0, K4, -1),
      () => domain.unmap(0, 0, 1),
      () => domain.iovaToPhys(2 ** 53),
      () => domain.walk(-4),
    ]) {
      assert.throws(wrong, ArgumentError);
    }
    assert.deepEqual(words(domain), before);
    end(domain);
  });
}

test('what the kernel would write behind a table is refused with a line that says so', () => {
  const domain = domainOf({ ias: 28 });
  const { log } = domain.machine;
  const outside = /^WARNING: .*the kernel has no check and would write outside the table$/;
  const before = words(domain);
  // 64 KiB from slot 241 of a table, 16 MiB from slot 241 of the first level.
  assert.deepEqual(domain.map(0xf1000, 0, K64, 1, RW), { ret: -22, mapped: 0 });
  assert.match(log.lines.at(-1)!, outside);
  assert.deepEqual(domain.map(0xf100000, 0, M16, 1, RW), { ret: -22, mapped: 0 });
  assert.match(log.lines.at(-1)!, outside);
  assert.deepEqual(words(domain), before);
  domain.map(0xf0000, 0, K4, 16, RW);
  domain.map(0xf000000, 0, M16, 1, RW);
  const mapped = words(domain);
  assert.equal(domain.unmap(0xf1000, K64, 1), 0);
  assert.match(log.lines.at(-1)!, outside);
  assert.equal(domain.unmap(0xf100000, M16, 1), 0);
  assert.match(log.lines.at(-1)!, outside);
  assert.deepEqual(words(domain), mapped);
  assert.deepEqual(
    [domain.warnings, domain.bugs.map(({ kind }) => kind)],
    [0, Array(4).fill('outside-table')],
  );
  // What came before the block of the same call stays.
  domain.unmap(0xf0000, M1, 1);
  assert.deepEqual(domain.map(0xe8000, 0, K64, 2, RW), { ret: -22, mapped: K64 });
  end(domain);
});

test('mended, what is not aligned or runs over the end is refused whole', () => {
  const domain = domainOf({}, { faults: 'fixed' });
  domain.map(0, 0, M1, 1, RW);
  const before = words(domain);
  for (const [iova, paddr, size] of [
    [0x201000, 0, K64],
    [0x200000, 0x1000, K64],
    [0x200800, 0, K4],
    [0x100000, 0, M16],
  ] as const) {
    assert.deepEqual(domain.map(iova, paddr, size, 1, RW), { ret: -22, mapped: 0 });
    assert.match(
      domain.machine.log.lines.at(-1)!,
      /^unaligned: iova 0x[0-9a-f]+ pa 0x[0-9a-f]+ size 0x[0-9a-f]+$/,
    );
  }
  assert.equal(domain.unmap(0x1000, K64, 1), 0);
  assert.match(domain.machine.log.lines.at(-1)!, /^unaligned: iova 0x1000 size 0x10000$/);
  assert.equal(domain.map(4 * GIB - M1, 0, M1, 2, RW).ret, -34);
  assert.equal(domain.map(M16, 4 * GIB - M1, M1, 2, RW).ret, -34);
  assert.equal(domain.unmap(4 * GIB - K4, K4, 2), 0);
  assert.deepEqual(words(domain), before);
  end(domain);
});

test('a source that is used wrongly is noticed by the cache, and the machine stays sound', () => {
  const machine = machineOf();
  const domain = domainOf({}, {}, machine);
  domain.map(0, 0, K4, 1, RW);
  const [table] = domain.tables();
  domain.source.cache!.free(table!.address);
  assert.throws(() => domain.unmap(0, M1, 1), BadFreeError);
  machine.validate();
});

test('a pointer that somebody else wrote frees nothing, and is found', () => {
  const machine = machineOf();
  const domain = domainOf({}, {}, machine);
  domain.map(0, 0, K4, 1, RW);
  domain.validate();
  const { bytes } = machine;
  const pointer = bytes!.getU32(domain.l1.address);
  for (const stray of [pointer + KIB, pointer]) {
    bytes!.setU32(domain.l1.address + 4, stray);
    assert.throws(() => domain.validate(), LedgerCorruptError);
    assert.throws(() => domain.free(), LedgerCorruptError);
    if (stray === pointer) continue;
    const before = domain.l1Words();
    assert.throws(() => domain.unmap(M1, M1, 1), BadFreeError);
    assert.throws(() => domain.map(M1, 0, M1, 1, RW), BadFreeError);
    assert.throws(() => domain.map(0, 0, M16, 1, RW), BadFreeError);
    assert.deepEqual(domain.l1Words(), before);
  }
  bytes!.setU32(domain.l1.address + 4, 0);
  bytes!.setU32(domain.l1.address, 0);
  assert.throws(() => domain.validate(), /nothing points to: 1, of which splits have lost 0/);
  bytes!.setU32(domain.l1.address, pointer);
  domain.validate();
  end(domain);
});
