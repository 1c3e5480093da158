import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GIB, MIB } from '../base/index.js';
import { Machine } from '../slab/index.js';
import {
  addressBits,
  asContiguous,
  asSingle,
  blockAddress,
  blockAttributes,
  isContiguous,
  isTable,
  isValid,
  type Level,
  tableAddress,
  tablePointer,
} from './descriptor.js';
import { descriptorFields, entryKind } from './fields.js';
import { ArmV7sPageTable, IOMMU, PAGE_SIZES, IO_PGTABLE_QUIRK as QUIRK, type WalkStep } from './index.js';

const [K4, K64, M1, M16] = PAGE_SIZES;
const MTK = QUIRK.NO_PERMS | QUIRK.ARM_MTK_EXT;
const QUIRKS = [0, QUIRK.ARM_NS, QUIRK.NO_PERMS, MTK, MTK | QUIRK.ARM_MTK_TTBR_EXT | QUIRK.ARM_NS];

const config = (quirks: number) => {
  return { ias: 32, oas: 32, quirks, pgsizeBitmap: 0x1111000, coherentWalk: true };
};
const level = fc.constantFrom<Level[]>(1, 2);

test('every bit of every descriptor is in one field, and the fields make the descriptor', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), level, fc.constantFrom(...QUIRKS), (word, at, quirks) => {
      let next = 31;
      let sum = 0;
      for (const { bits, value } of descriptorFields(word, at, quirks)) {
        const [high, low] = bits;
        assert.equal(high, next);
        assert.ok(low <= high && value >= 0 && value < 2 ** (high - low + 1));
        sum += value * 2 ** low;
        next = low - 1;
      }
      assert.deepEqual([next, sum], [-1, word]);
    }),
    { numRuns: 2000, seed: 40441 },
  );
});

test('a block keeps its address, its kind and its attributes, alone and as one of sixteen', () => {
  fc.assert(
    fc.property(
      fc.nat(2 ** 31 - 1),
      fc.nat(7),
      fc.nat(63),
      level,
      fc.constantFrom(...QUIRKS),
      (low, high, prot, at, quirks) => {
        const mtk = (quirks & QUIRK.ARM_MTK_EXT) !== 0;
        const [single, sixteen] = at === 1 ? [M1, M16] : [K4, K64];
        const address = low * 2 + (mtk ? high * 4 * GIB : 0);
        const attributes = blockAttributes(prot, at, config(quirks));
        const word = (attributes | addressBits(address, at, mtk)) >>> 0;
        assert.ok(isValid(word) && !isContiguous(word, at) && !(at === 1 && isTable(word)));
        assert.equal(blockAddress(word, at, mtk), address - (address % single));
        const wide =
          (asContiguous(attributes, at) | addressBits(address - (address % sixteen), at, mtk)) >>> 0;
        assert.ok(isValid(wide) && isContiguous(wide, at));
        assert.equal(blockAddress(wide, at, mtk), address - (address % sixteen));
        assert.equal(asSingle(asContiguous(attributes, at), at), attributes);
      },
    ),
    { numRuns: 1000, seed: 40442 },
  );
});

test('a pointer keeps the address of its table', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 25 - 1), fc.constantFrom(...QUIRKS), (kib, quirks) => {
      const far = (quirks & QUIRK.ARM_MTK_TTBR_EXT) !== 0;
      const address = (kib * 1024) % (far ? 2 ** 35 : 2 ** 32);
      const word = tablePointer(address, config(quirks));
      assert.ok(isTable(word));
      assert.equal(tableAddress(word, (quirks & QUIRK.ARM_MTK_EXT) !== 0), address);
    }),
    { seed: 40443 },
  );
});

test('a walk shows each entry on the way, and ends where iovaToPhys does', () => {
  const machine = Machine.create({ memory: 64 * MIB, cpus: 1, bytes: true });
  const domain = ArmV7sPageTable.create(machine, { quirks: QUIRK.ARM_NS })!;
  PAGE_SIZES.forEach((size, i) => {
    domain.map(i * M16, 0x4000_0000 + i * M16, size, 1, IOMMU.READ | IOMMU.NOEXEC);
  });
  const [, large] = domain.tables();
  const last = ({ kind, index, descriptor, output }: WalkStep) => [
    kind,
    index,
    descriptor.toString(16),
    output,
  ];
  const at = 0x9abc;
  assert.deepEqual(
    [0, 1, 2, 3].map((i) => last(domain.walk(i * M16 + (i === 0 ? 0xabc : at)).at(-1)!)),
    [
      ['small page', 0, '40000e73', 0x4000_0abc],
      ['large page', 9, '41009e31', 0x4100_9abc],
      ['section', 32, '420b9c12', 0x4200_9abc],
      ['supersection', 48, '430f9c12', 0x4300_9abc],
    ],
  );
  const [first, second] = domain.walk(M16 + at);
  assert.deepEqual(
    [first!.level, first!.index, first!.entry, first!.kind, first!.next, first!.output],
    [1, 16, domain.l1.address + 64, 'table', large!.address, undefined],
  );
  assert.deepEqual([second!.level, second!.entry], [2, large!.address + 4 * 9]);
  const meaning = (step: WalkStep, name: string) => step.fields.find((field) => field.name === name)!.meaning;
  assert.equal(meaning(first!, 'NS'), 'non-secure');
  assert.equal(meaning(first!, 'table'), `0x${large!.address.toString(16)}`);
  assert.equal(meaning(second!, 'AP[2]'), 'read only');
  assert.equal(meaning(second!, 'XN'), 'no instructions');
  assert.equal(meaning(second!, 'TEX'), 'with C and B region 4: normal memory, not cached');
  for (const [iova, levels] of [
    [M1, 1],
    [K4, 2],
    [0xff000, 2],
  ] as const) {
    const steps = domain.walk(iova);
    assert.equal(steps.length, levels);
    assert.deepEqual([steps.at(-1)!.kind, steps.at(-1)!.output], ['fault', undefined]);
  }
  domain.free();
  machine.validate();
});

test('the memory type is the one that the registers give the region', () => {
  const meanings = [0, IOMMU.CACHE, IOMMU.MMIO, IOMMU.MMIO | IOMMU.CACHE].map((prot) => {
    return ([1, 2] as const).flatMap((at) => {
      const single = blockAttributes(prot | IOMMU.READ, at, config(0));
      return [single, asContiguous(single, at)].map(
        (word) => descriptorFields(word, at, 0).find(({ name }) => name === 'TEX')!.meaning,
      );
    });
  });
  const region = (words: string) => Array(4).fill(`with C and B region ${words}`);
  const device = region('1: device');
  assert.deepEqual(meanings, [
    region('4: normal memory, not cached'),
    region('7: normal memory, write-back'),
    device,
    device,
  ]);
  const [tex] = descriptorFields(2, 2, 0).filter(({ name }) => name === 'TEX');
  assert.match(tex!.meaning, /region 0: none that the driver sets up/);
});

test('address bits that an unaligned supersection leaves in its word are shown', () => {
  const extended = (address: number) => {
    const word = asContiguous(blockAttributes(IOMMU.READ, 1, config(0)), 1) | addressBits(address, 1, false);
    const fields = descriptorFields(word >>> 0, 1, 0).filter(({ name }) => name === 'extended address');
    return fields.map(({ value, meaning }) => `${value}: ${meaning}`);
  };
  assert.deepEqual(extended(0x4000_0000), ['0: not used', '0: not used']);
  assert.deepEqual(extended(0x4030_0000), [
    '3: more address to the architecture, none to the driver',
    '0: not used',
  ]);
});

test('input bits that nothing indexes do not leak into the output', () => {
  const machine = Machine.create({ memory: 64 * MIB, cpus: 1, bytes: true });
  const domain = ArmV7sPageTable.create(machine, { ias: 28 })!;
  domain.map(0x30_0000, 0x5000_0000, M1, 1, IOMMU.READ);
  for (const high of [2 ** 28, 2 ** 31, 2 ** 33, 2 ** 40]) {
    assert.equal(domain.iovaToPhys(high + 0x30_0123), 0x5000_0123);
    assert.equal(domain.walk(high + 0x30_0123)[0]!.output, 0x5000_0123);
  }
  domain.free();
  machine.validate();
});

test('an entry has the kind of its type bits', () => {
  const kinds = (at: Level) => [0, 1, 2, 3, 1 << 18, (1 << 18) | 2].map((word) => entryKind(word, at));
  assert.deepEqual(kinds(1), ['fault', 'table', 'section', 'section', 'fault', 'supersection']);
  assert.deepEqual(kinds(2), ['fault', 'large page', 'small page', 'small page', 'fault', 'small page']);
});
