import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError, KIB, MIB } from '../base/index.js';
import { Machine } from '../slab/index.js';
import {
  ArmV7sPageTable,
  IOMMU,
  type IoPgtableConfig,
  iommuMap,
  iommuUnmap,
  nextPieces,
  PAGE_SIZES,
  IO_PGTABLE_QUIRK as QUIRK,
} from './index.js';

const [K4, K64, M1, M16] = PAGE_SIZES;
const RW = IOMMU.READ | IOMMU.WRITE;

function domainOf(config: IoPgtableConfig = {}): ArmV7sPageTable {
  const machine = Machine.create({ memory: 64 * MIB, cpus: 1, bytes: true });
  const domain = ArmV7sPageTable.create(machine, config);
  assert.ok(domain);
  return domain;
}

test('pieces are what the largest fitting block at each place would be, in as few calls as there are changes of size', () => {
  const addresses = fc.nat({ max: 2 ** 22 });
  fc.assert(
    fc.property(
      fc.subarray([...PAGE_SIZES], { minLength: 1 }),
      addresses,
      addresses,
      fc.integer({ min: 1, max: 2 ** 14 }),
      fc.constantFrom(1, K64 / K4, M1 / K4, M16 / K4),
      (sizes, iovaPages, paddrPages, pages, alike) => {
        const smallest = sizes[0]!;
        const iova = iovaPages * smallest;
        // Many pairs of addresses must lie alike in the larger sizes.
        const paddr = Math.floor(paddrPages / alike) * alike * smallest + (iova % (alike * smallest));
        const length = pages * smallest;
        let done = 0;
        let before = 0;
        while (done < length) {
          const { size, count } = nextPieces(sizes, iova + done, paddr + done, length - done);
          assert.ok(count >= 1 && size !== before, 'two calls of one size in a row could be one');
          for (let i = 0; i < count; i++, done += size) {
            const fits = sizes.filter((s) => {
              return s <= length - done && (iova + done) % s === 0 && (paddr + done) % s === 0;
            });
            assert.equal(size, fits.at(-1));
          }
          before = size;
        }
        assert.equal(done, length);
      },
    ),
    { numRuns: 500, seed: 40431 },
  );
});

test('addresses above 32 bits are cut alike', () => {
  const sizes = [...PAGE_SIZES];
  for (const high of [0, 2 ** 32, 2 ** 33 + 2 ** 31]) {
    assert.deepEqual(nextPieces(sizes, high + M1 - K4, high + M1 - K4, 3 * M1), { size: K4, count: 1 });
    assert.deepEqual(nextPieces(sizes, high + M1, high + M1, 40 * M1), { size: M1, count: 15 });
    assert.deepEqual(nextPieces(sizes, high + M1, high + M16, 40 * M1), { size: M1, count: 40 });
    assert.deepEqual(nextPieces(sizes, high, high, 40 * M1), { size: M16, count: 2 });
    assert.deepEqual(nextPieces(sizes, high + K64, high + 2 * K64, M1), { size: K64, count: 16 });
  }
});

test('a buffer is mapped and unmapped whole, in the calls of the core', () => {
  const domain = domainOf({ quirks: QUIRK.NO_PERMS | QUIRK.ARM_MTK_EXT, ias: 34, oas: 35 });
  const iova = 0x3_0010_f000;
  const paddr = 0x5_4010_f000;
  const length = 18 * M1 + 3 * K4;
  const { ret, mapped, calls } = iommuMap(domain, iova, paddr, length, RW);
  // 4K, 64K up to the MiB; then MiBs, as 16 of them do not fit behind the next 16 MiB boundary; then 64K and 4K again.
  assert.deepEqual([ret, mapped], [0, length]);
  assert.equal(calls, 5);
  for (let at = 0; at < length; at += K4) assert.equal(domain.iovaToPhys(iova + at + 9), paddr + at + 9);
  assert.deepEqual(iommuUnmap(domain, iova, length), { unmapped: length, calls: 5 });
  assert.equal(domain.iovaToPhys(iova), 0);
  assert.deepEqual(iommuMap(domain, iova, paddr, 0, RW), { ret: 0, mapped: 0, calls: 0 });
  domain.free();
  domain.machine.validate();
});

test('what was scattered is unmapped in larger blocks, and its tables go', () => {
  const domain = domainOf();
  for (let at = 0; at < 2 * M1; at += K4) iommuMap(domain, at, 2 * at, K4, RW);
  assert.equal(domain.liveTables, 2);
  assert.deepEqual(iommuUnmap(domain, 0, 2 * M1), { unmapped: 2 * M1, calls: 1 });
  assert.equal(domain.liveTables, 0);
  domain.free();
  domain.machine.validate();
});

test('a map that fails is undone', () => {
  const domain = domainOf();
  domain.map(M1 + 3 * K4, 0, K4, 1, RW);
  const { ret, mapped } = iommuMap(domain, M1 - K64, 7 * M1 - K4, K64 + 8 * K4, RW);
  assert.deepEqual([ret, mapped], [-17, 0]);
  for (let at = M1 - K64; at < M1 + 8 * K4; at += K4)
    assert.equal(domain.iovaToPhys(at + 1), at === M1 + 3 * K4 ? 1 : 0);
  assert.deepEqual(iommuUnmap(domain, M1 + 2 * K4, 2 * K4), { unmapped: 0, calls: 1 });
  domain.free();
  domain.machine.validate();
});

test('what is not aligned to the smallest page, and a domain without one', () => {
  const domain = domainOf({ pgsizeBitmap: K64 | M1 });
  const { log } = domain.machine;
  assert.deepEqual(iommuMap(domain, K64, K4, K64, RW), { ret: -22, mapped: 0, calls: 0 });
  assert.equal(
    log.lines.at(-1),
    'iommu: unaligned: iova 0x10000 pa 0x0000000000001000 size 0x10000 min_pagesz 0x10000',
  );
  assert.equal(iommuMap(domain, K4, 0, K64, RW).ret, -22);
  assert.equal(iommuMap(domain, 0, 0, K4, RW).ret, -22);
  assert.deepEqual(iommuUnmap(domain, K4, K64), { unmapped: 0, calls: 0 });
  assert.equal(log.lines.at(-1), 'iommu: unaligned: iova 0x1000 size 0x10000 min_pagesz 0x10000');
  assert.throws(() => iommuMap(domain, 0, 0, -K64, RW), ArgumentError);
  assert.throws(() => iommuUnmap(domain, 0, 0.5 * KIB + 0.5), ArgumentError);
  domain.free();
  const none = domainOf({ pgsizeBitmap: 0x200000 });
  assert.deepEqual(iommuMap(none, 0, 0, K4, RW), { ret: -19, mapped: 0, calls: 0 });
  assert.deepEqual(iommuUnmap(none, 0, K4), { unmapped: 0, calls: 0 });
  none.free();
});
