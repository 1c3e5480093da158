/**
 * Each of the kernel's own bugs, as armv7s.ts numbers them: what it does to a reader's address, that it is told, and that it is mended
 * where that is asked for.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIB, LedgerCorruptError, MIB } from '../base/index.js';
import { Machine } from '../slab/index.js';
import {
  type ArmV7sOptions,
  ArmV7sPageTable,
  IOMMU,
  type IoPgtableConfig,
  PAGE_SIZES,
  IO_PGTABLE_QUIRK as QUIRK,
} from './index.js';

const [K4, K64, M1, M16] = PAGE_SIZES;
const RW = IOMMU.READ | IOMMU.WRITE;
/** A machine for each run: its ledger needs no more room than this. */
const SMALL = { slabs: 1 << 10, linkPages: 64, caches: 8 };

function domainOf(config: IoPgtableConfig = {}, options: ArmV7sOptions = {}): ArmV7sPageTable {
  const machine = Machine.create({ memory: 64 * MIB, cpus: 1, bytes: true, ledger: SMALL });
  const domain = ArmV7sPageTable.create(machine, config, options);
  assert.ok(domain);
  return domain;
}

function end(domain: ArmV7sPageTable): void {
  domain.free();
  domain.machine.validate();
  assert.deepEqual([domain.tables(), domain.machine.memory.takenPages()], [[], 0]);
}

const kinds = (domain: ArmV7sPageTable) => domain.bugs.map(({ kind }) => kind);

const HIGH = ['PA[32]', 'PA[33]', 'PA[34]'];

/** What an address means, without where its descriptor is: protection, caching and high address bits; 0 for fields that it lacks. */
function attributes(domain: ArmV7sPageTable, iova: number): Record<string, number> {
  const step = domain.walk(iova).at(-1)!;
  const names = ['nG', 'S', 'AP[2]', 'TEX', 'AP[1:0]', 'XN', 'C', 'B', ...HIGH];
  const value = (name: string) => step.fields.find((field) => field.name === name)?.value ?? 0;
  return Object.fromEntries(names.map((name) => [name, value(name)]));
}

for (const [title, config, paddr] of [
  ['plain', {}, 0x3450_0000],
  ['NS', { quirks: QUIRK.ARM_NS }, 0x3450_0000],
  ['MediaTek', { quirks: QUIRK.NO_PERMS | QUIRK.ARM_MTK_EXT, ias: 34, oas: 35 }, 0x7_3450_0000],
] as const) {
  for (const prot of [RW, IOMMU.READ | IOMMU.CACHE | IOMMU.PRIV, IOMMU.WRITE | IOMMU.MMIO | IOMMU.NOEXEC]) {
    for (const size of [K4, K64]) {
      test(`1: a section split for ${size / KIB} KiB, ${title}, prot ${prot}`, () => {
        for (const faults of ['kernel', 'fixed'] as const) {
          const pages: number[][] = [];
          const domain = domainOf(config, {
            faults,
            tlb: { addPage: (iova, granule) => pages.push([iova, granule]) },
          });
          const iova = 0x1230_0000;
          domain.map(iova, paddr, M1, 1, prot);
          const section = attributes(domain, iova);
          const hole = iova + 5 * K64;
          assert.equal(domain.unmap(hole, size, 1, 'queued'), size);
          assert.deepEqual(pages, [[hole, size]], 'also with a queued gather, once');
          const fixed = faults === 'fixed';
          for (let at = 0; at < M1; at += K4) {
            const gone = iova + at >= hole && iova + at < hole + size;
            const expected = gone ? 0 : (fixed ? paddr : 0) + at + 42;
            assert.equal(domain.iovaToPhys(iova + at + 42), expected);
            if (gone) continue;
            const high = fixed ? {} : Object.fromEntries(HIGH.map((name) => [name, 0]));
            assert.deepEqual(attributes(domain, iova + at), { ...section, ...high });
          }
          assert.deepEqual(kinds(domain), fixed ? [] : ['lost-address']);
          if (!fixed)
            assert.match(domain.bugs[0]!.words, /the 1 MiB at 0x12300000 now maps physical 0x0 and up/);
          assert.equal(domain.map(hole, 0x5000_0000, size, 1, prot).ret, 0, 'the hole can be mapped again');
          end(domain);
        }
      });
    }
  }
}

test('1: nothing is lost of a section at physical 0', () => {
  const domain = domainOf();
  domain.map(M1, 0, M1, 1, RW);
  domain.unmap(M1, K4, 1);
  assert.deepEqual([domain.iovaToPhys(M1 + K4), kinds(domain)], [K4, []]);
  end(domain);
});

test('2: a part of 16 MiB behind its first MiB', () => {
  const events: string[] = [];
  const walks: number[][] = [];
  const onTable = (event: string, id: number) => events.push(event + id);
  const tlb = { flushWalk: (...range: number[]) => walks.push(range) };
  const domain = domainOf({}, { onTable, tlb });
  const iova = 0x1000_0000;
  domain.map(iova, 0x2000_0000, M16, 1, RW);
  const at = iova + 3 * M1 + 0x5000;
  assert.equal(domain.unmap(at, K4, 1), 0);
  assert.deepEqual([events, kinds(domain), domain.warnings], [['alloc0', 'free0'], ['not-unmapped'], 0]);
  assert.deepEqual(walks, [[at, M16, M16]], "at the unmap's own address");
  for (let i = 0; i < 16; i++) {
    assert.equal(domain.walk(iova + i * M1)[0]!.kind, 'section');
    assert.equal(domain.iovaToPhys(iova + i * M1 + 7), 0x2000_0000 + i * M1 + 7);
  }
  assert.equal(domain.unmap(at, K4, 1), K4, 'asked again, it works, and its address is lost');
  assert.deepEqual(kinds(domain), ['not-unmapped', 'lost-address']);
  end(domain);
});

test('2, mended: every page of 16 MiB can be unmapped, and the others stay', () => {
  for (const size of [K4, K64, M1]) {
    for (const slot of [0, 1, 7, 15]) {
      const walks: number[][] = [];
      const domain = domainOf({}, { faults: 'fixed', tlb: { flushWalk: (...range) => walks.push(range) } });
      const iova = 0x1000_0000;
      domain.map(iova, 0x2000_0000, M16, 1, RW);
      const hole = iova + slot * M1 + (size === M1 ? 0 : 9 * K64);
      assert.equal(domain.unmap(hole, size, 1), size);
      assert.deepEqual(walks[0], [iova, M16, M16], 'aligned down');
      for (let at = iova; at < iova + M16; at += K4) {
        const gone = at >= hole && at < hole + size;
        assert.equal(domain.iovaToPhys(at), gone ? 0 : 0x2000_0000 + at - iova);
      }
      assert.deepEqual(kinds(domain), []);
      end(domain);
    }
  }
});

test('a page of 64 KiB can be unmapped without a bug', () => {
  const walks: number[][] = [];
  const domain = domainOf({}, { tlb: { flushWalk: (...range) => walks.push(range) } });
  domain.map(0x30000, 0x70000, K64, 1, RW | IOMMU.NOEXEC);
  const before = attributes(domain, 0x30000);
  assert.equal(domain.unmap(0x35000, K4, 1), K4);
  assert.deepEqual(walks, [[0x35000, K64, K64]]);
  for (let i = 0; i < 16; i++) {
    assert.equal(domain.iovaToPhys(0x30000 + i * K4), i === 5 ? 0 : 0x70000 + i * K4);
    if (i !== 5) assert.deepEqual(attributes(domain, 0x30000 + i * K4), before);
  }
  assert.deepEqual(kinds(domain), []);
  end(domain);
});

test('3: an unaligned 64 KiB unmap in a section leaves no hole', () => {
  const domain = domainOf();
  domain.map(0, M1, M1, 1, RW);
  assert.equal(domain.unmap(0x5000, K64, 1), K64);
  assert.deepEqual(kinds(domain), ['lost-address', 'no-hole']);
  assert.equal(domain.iovaToPhys(0x5000), 0x5000);
  end(domain);
});

test('4: bits of an unaligned address become attributes, or are cut off', () => {
  const domain = domainOf();
  domain.map(0x30000, 0xf000 + 0x70000, K64, 1, RW);
  assert.equal(domain.iovaToPhys(0x30000), 0x70000);
  assert.deepEqual([attributes(domain, 0x30000).XN, attributes(domain, 0x30000).TEX], [1, 7]);
  domain.map(0x1000_0000, 0x2030_0000, M16, 1, RW);
  assert.equal(domain.iovaToPhys(0x1000_0000), 0x2000_0000);
  domain.map(0x40000 + 0x1000, 0x90000, K64, 1, RW);
  assert.equal(domain.iovaToPhys(0x41000), 0x91000, 'the address does not advance from where it was mapped');
  assert.deepEqual(kinds(domain), ['unaligned', 'unaligned', 'unaligned']);
  domain.unmap(0x1000_0000, M1, 1);
  assert.equal(domain.iovaToPhys(0x1010_0000), 0x2040_0000, 'a split brings the bits back');
  end(domain);
});

for (const [size, off] of [
  [K4, 0x10],
  [K64, 0x10],
  [M1, 0x5_0000],
  [M16, 0x5_0000],
] as const) {
  test(`4: an unmap of ${size / KIB} KiB that begins inside a slot takes whole slots, from that one on`, () => {
    for (const faults of ['kernel', 'fixed'] as const) {
      const domain = domainOf({}, { faults });
      const fixed = faults === 'fixed';
      const iova = 0x1000_0000;
      domain.map(iova, 0x4000_0000, size, 2, RW);
      assert.equal(domain.unmap(iova + off, size, 1), fixed ? 0 : size);
      assert.equal(domain.iovaToPhys(iova), fixed ? 0x4000_0000 : 0, 'what was not asked for');
      assert.equal(domain.iovaToPhys(iova + size), 0x4000_0000 + size, 'what was');
      assert.deepEqual(kinds(domain), fixed ? [] : ['unaligned']);
      if (!fixed) assert.match(domain.bugs[0]!.words, /inside a slot.*from 0x10000000 on$/);
      end(domain);
    }
  });
}

test('4: sixteen slots from any slot on are what was asked for', () => {
  const domain = domainOf();
  domain.map(0x2000, 0x4000_0000, K4, 32, RW);
  assert.equal(domain.unmap(0x5000, K64, 1), K64);
  domain.map(3 * M1, 0x5000_0000, M1, 20, RW);
  assert.equal(domain.unmap(4 * M1, M16, 1), M16);
  assert.equal(domain.unmap(2, K4, 1), 0, 'nor is anything said of what was not unmapped');
  assert.deepEqual(
    [0x4000, 0x5000, 0x1_5000, 3 * M1, 4 * M1, 20 * M1].map((at) => domain.iovaToPhys(at)),
    [0x4000_2000, 0, 0x4001_3000, 0x5000_0000, 0, 0x5000_0000 + 17 * M1],
  );
  assert.deepEqual(kinds(domain), []);
  end(domain);
});

test('5 and 6: an unaligned unmap leaves half a block, whose split brings it back', () => {
  const domain = domainOf();
  domain.map(0, 0x10_0000, K64, 2, RW);
  assert.equal(domain.unmap(0x8000, K64, 1), K64);
  assert.deepEqual([kinds(domain), domain.iovaToPhys(0x9000)], [['half-block'], 0]);
  assert.equal(domain.iovaToPhys(0x7000), 0x10_7000, 'what is left is as it was');
  assert.equal(domain.unmap(0x1000, K4, 1), K4);
  assert.deepEqual([kinds(domain), domain.iovaToPhys(0x9000)], [['half-block', 'overwritten'], 0x10_9000]);
  end(domain);
});

test('6: splitting 16 MiB that are not aligned loses a table for ever', () => {
  const domain = domainOf();
  const { machine } = domain;
  domain.map(20 * M1, 0, K4, 1, RW);
  domain.map(3 * M1, 0x2000_0000, M16, 1, RW);
  assert.equal(domain.unmap(17 * M1, M1, 1), M1);
  assert.deepEqual(kinds(domain), ['unaligned', 'overwritten']);
  domain.validate();
  assert.match(domain.bugs[1]!.words, /1 of them pointers to tables, which are lost/);
  assert.deepEqual(
    domain.tables().map(({ id, l1Index, used }) => [id, l1Index, used]),
    [[0, -1, 1]],
  );
  domain.free();
  assert.equal(domain.tables().length, 1);
  assert.match(
    machine.log.lines.at(-1)!,
    /^kmem_cache_destroy io-pgtable_armv7s_l2: Slab cache still has objects/,
  );
  machine.validate();
  assert.equal(machine.findCache('io-pgtable_armv7s_l2')!.live, 1);
});

test('a table without a pointer is missed, unless a split has lost it', () => {
  const domain = domainOf();
  const { bytes } = domain.machine;
  domain.map(0, 0, K4, 1, RW);
  domain.map(3 * M1, 0x2000_0000, M16, 1, RW);
  assert.deepEqual(kinds(domain), ['unaligned'], 'a bug, but not one that loses tables');
  const pointer = bytes!.getU32(domain.l1.address);
  bytes!.setU32(domain.l1.address, 0);
  assert.throws(() => domain.validate(), /nothing points to: 1, of which splits have lost 0/);
  assert.throws(() => domain.free(), LedgerCorruptError);
  bytes!.setU32(domain.l1.address, pointer);
  domain.validate();
  end(domain);
});

test('7: -EEXIST of 16 MiB has freed the tables before the obstacle', () => {
  for (const faults of ['kernel', 'fixed'] as const) {
    const domain = domainOf({}, { faults });
    domain.map(0, 0x5000, K4, 1, RW);
    domain.map(2 * M1, 0x7000, K4, 1, RW);
    domain.unmap(2 * M1, K4, 1);
    domain.map(5 * M1, 0x50_0000, M1, 1, RW);
    domain.map(6 * M1, 0x6000, K4, 1, RW);
    assert.deepEqual(domain.map(0, M16, M16, 1, RW), { ret: -17, mapped: 0 });
    const fixed = faults === 'fixed';
    assert.deepEqual(kinds(domain), fixed ? [] : ['lost-tables']);
    assert.equal(domain.iovaToPhys(0), fixed ? 0x5000 : 0);
    assert.deepEqual([domain.iovaToPhys(5 * M1), domain.iovaToPhys(6 * M1)], [0x50_0000, 0x6000]);
    assert.deepEqual(
      domain.tables().map(({ id }) => id),
      fixed ? [0, 1, 2] : [2],
    );
    end(domain);
  }
});

test('7, mended: an empty table before the obstacle stays as well', () => {
  const domain = domainOf({}, { faults: 'fixed' });
  domain.map(0, 0x5000, K4, 1, RW);
  domain.unmap(0, K4, 1);
  domain.map(5 * M1, 0x50_0000, M1, 1, RW);
  assert.equal(domain.map(0, M16, M16, 1, RW).ret, -17);
  assert.deepEqual(
    domain.tables().map(({ id, l1Index }) => [id, l1Index]),
    [[0, 0]],
  );
  end(domain);
});

test('a block over a table replaces it; mended, only where the table is empty', () => {
  for (const faults of ['kernel', 'fixed'] as const) {
    for (const size of [M1, M16]) {
      const domain = domainOf({}, { faults });
      domain.map(0, 0x5000, K4, 1, RW);
      const fixed = faults === 'fixed';
      assert.equal(domain.map(0, M16, size, 1, RW).ret, fixed ? -17 : 0);
      assert.equal(domain.iovaToPhys(42), (fixed ? 0x5000 : M16) + 42);
      assert.equal(domain.tables().length, fixed ? 1 : 0);
      if (fixed) {
        domain.unmap(0, K4, 1);
        assert.equal(domain.map(0, M16, size, 1, RW).ret, 0);
        assert.deepEqual([domain.iovaToPhys(42), domain.tables()], [M16 + 42, []]);
      }
      assert.deepEqual(kinds(domain), []);
      end(domain);
    }
  }
});

test('8: a call that runs over the end goes on at slot 0', () => {
  const domain = domainOf({ ias: 24 });
  assert.deepEqual(domain.map(15 * M1, 0, M1, 2, RW), { ret: 0, mapped: 2 * M1 });
  assert.deepEqual([domain.iovaToPhys(0), kinds(domain)], [M1, ['wrapped']]);
  assert.equal(domain.unmap(15 * M1, M1, 2), 2 * M1);
  assert.deepEqual([domain.iovaToPhys(0), kinds(domain)], [0, ['wrapped', 'wrapped']]);
  end(domain);
});

test('bugs without end are counted, and the first are kept', () => {
  const domain = domainOf();
  for (let i = 0; i < 5000; i++) domain.map(0xf1000, 0, K64, 1, RW);
  assert.deepEqual([domain.bugs.length, domain.bugCount], [4096, 5000]);
  end(domain);
});

// ---- what the kernel never does ------------------------------------------------------------------------------------------------

test('an emptied table is kept; freeEmpty gives it back after a flush of its 1 MiB', () => {
  for (const freeEmpty of [false, true]) {
    const walks: number[][] = [];
    const domain = domainOf({}, { freeEmpty, tlb: { flushWalk: (...range) => walks.push(range) } });
    domain.map(3 * M1 + 0x8000, 0x5000, K4, 2, RW);
    assert.equal(domain.unmap(3 * M1 + 0x8000, K4, 1), K4);
    assert.equal(domain.tables().length, 1, 'one of two is no reason');
    assert.equal(domain.unmap(3 * M1 + 0x9000, K4, 1), K4);
    assert.deepEqual(
      domain.tables().map(({ used }) => used),
      freeEmpty ? [] : [0],
    );
    assert.deepEqual(walks, freeEmpty ? [[3 * M1, M1, K4]] : []);
    assert.equal(
      domain.unmap(3 * M1, M1, 1),
      freeEmpty ? 0 : M1,
      'a slot with an empty table can be unmapped',
    );
    end(domain);
  }
});
