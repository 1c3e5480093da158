/** Scripts of mappings: what a line means, how it is written again, and what a wrong one says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Gfp, InputError } from '../../base/index.js';
import { IOMMU, PAGE_SIZES } from '../../iommu/index.js';
import { __GFP, GFP } from '../../machine/index.js';
import {
  formatIommuOperation,
  formatProt,
  type IommuOperation,
  parseIommuScript,
  parseProt,
} from './script.js';

function only(text: string): IommuOperation {
  const { steps } = parseIommuScript(text, 'x');
  assert.equal(steps.length, 1);
  const { line, ...operation } = steps[0]!;
  assert.equal(line, 1);
  return operation;
}

test('each operation is read with all that a line says', () => {
  const plain = { prot: IOMMU.READ | IOMMU.WRITE, gfp: GFP.KERNEL };
  for (const [text, operation] of [
    [
      'map 0x1000 1G 64K',
      { kind: 'map', iova: 0x1000, paddr: 2 ** 30, size: 65536, chunk: 65536, stride: 65536, ...plain },
    ],
    ['map 0 0 5', { kind: 'map', iova: 0, paddr: 0, size: 5, chunk: 5, stride: 5, ...plain }],
    [
      'map 4096 0x40000000 32K chunk=4K stride=8K prot=READ|MMIO gfp=ATOMIC',
      {
        kind: 'map',
        iova: 4096,
        paddr: 2 ** 30,
        size: 32768,
        chunk: 4096,
        stride: 8192,
        prot: IOMMU.READ | IOMMU.MMIO,
        gfp: GFP.ATOMIC,
      },
    ],
    [
      'map 0 0 8K chunk=4K',
      { kind: 'map', iova: 0, paddr: 0, size: 8192, chunk: 4096, stride: 4096, ...plain },
    ],
    [
      'map 1M 2M pgsize=1M count=3 prot=none gfp=GFP_ATOMIC|__GFP_NOWARN',
      {
        kind: 'map_pages',
        iova: 2 ** 20,
        paddr: 2 ** 21,
        pgsize: 2 ** 20,
        count: 3,
        prot: 0,
        gfp: GFP.ATOMIC | __GFP.NOWARN,
      },
    ],
    ['map 0 0 pgsize=4K count=0', { kind: 'map_pages', iova: 0, paddr: 0, pgsize: 4096, count: 0, ...plain }],
    ['unmap 0x1000 64K', { kind: 'unmap', iova: 0x1000, size: 65536 }],
    ['unmap 1M pgsize=64K', { kind: 'unmap_pages', iova: 2 ** 20, pgsize: 65536, count: 1, queued: false }],
    [
      'unmap 1M pgsize=16M count=2 queued',
      { kind: 'unmap_pages', iova: 2 ** 20, pgsize: 2 ** 24, count: 2, queued: true },
    ],
    ['phys 0xffffffff', { kind: 'phys', iova: 0xffffffff }],
    ['exhaust', { kind: 'exhaust' }],
    ['release', { kind: 'release' }],
  ] as const) {
    assert.deepEqual(only(text), operation, text);
  }
});

test('protections have the kernel’s names, with or without IOMMU_', () => {
  assert.equal(parseProt('READ|IOMMU_WRITE|CACHE|NOEXEC|MMIO|PRIV'), 63);
  assert.equal(parseProt('none'), 0);
  for (let prot = 0; prot < 64; prot++) assert.equal(parseProt(formatProt(prot)), prot);
});

const address = fc.integer({ min: 0, max: 2 ** 36 });
const prot = fc.integer({ min: 0, max: 63 });
const gfp = fc.constantFrom(GFP.KERNEL, GFP.ATOMIC, GFP.NOWAIT, (GFP.KERNEL | __GFP.NOWARN) as Gfp, 0 as Gfp);
const size = fc.oneof(
  fc.integer({ min: 1, max: 2 ** 30 }),
  fc.constantFrom(4096, 65536, 2 ** 20, 3 * 2 ** 20),
);
const count = fc.integer({ min: 0, max: 1000 });
const pgsize = fc.constantFrom(...PAGE_SIZES);
const operation: fc.Arbitrary<IommuOperation> = fc.oneof(
  fc
    .record({ iova: address, paddr: address, size, chunk: size, stride: size, prot, gfp })
    .map((map) => ({ kind: 'map' as const, ...map, ...(map.chunk === map.size && { stride: map.size }) })),
  fc
    .record({ iova: address, paddr: address, pgsize, count, prot, gfp })
    .map((map) => ({ kind: 'map_pages' as const, ...map })),
  fc.record({ iova: address, size }).map((unmap) => ({ kind: 'unmap' as const, ...unmap })),
  fc
    .record({ iova: address, pgsize, count, queued: fc.boolean() })
    .map((unmap) => ({ kind: 'unmap_pages' as const, ...unmap })),
  address.map((iova) => ({ kind: 'phys' as const, iova })),
  fc.constantFrom({ kind: 'exhaust' as const }, { kind: 'release' as const }),
);

test('what is written is read again as it was', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 20 }), (operations) => {
      const { steps } = parseIommuScript(operations.map(formatIommuOperation).join('\n'), 'x');
      assert.deepEqual(
        steps,
        operations.map((each, i) => ({ ...each, line: i + 1 })),
      );
    }),
    { seed: 19 },
  );
});

test('a wrong line says where it stands, what was expected and what stands there', () => {
  for (const [text, message] of [
    ['mpa 0 0 4K', /no operation is called 'mpa'; did you mean 'map'/],
    ['map', /expected an input address, but the line ends: map IOVA PADDR SIZE/],
    ['map 0', /expected a physical address, but the line ends/],
    ['map 0 0', /expected a size, or pgsize=, but the line ends/],
    ['map 0 0 4Q', /'4Q' is no size/],
    ['map 0 0x 4K', /'0x' is no size/],
    ['map -1 0 4K', /'-1' is no size/],
    ['map 0 0 4K 5', /'5' does not belong here/],
    ['map 0 0 4K size=4K', /'size=' does not belong here/],
    ['map 0 0 4K count=2', /'count=' does not belong here/],
    ['map 0 0 4K pgsize=4K', /'4K' does not belong here/],
    ['map 0 0 4K stride=8K', /'stride=' does not belong here/],
    ['map 0 0 4K chunk=0', /expected a chunk above 0, but there stands '0'/],
    ['map 0 0 8K chunk=4K stride=0', /expected a stride above 0, but there stands '0'/],
    ['map 0 0 pgsize=8K', /expected a page size, 4K, 64K, 1M or 16M, but there stands '8K'/],
    ['map 0 0 pgsize=4K chunk=4K', /'chunk=' does not belong here/],
    ['map 0 0 pgsize=4K count=-1', /expected a number of pages up to 268435456, but there stands '-1'/],
    ['map 0 0 pgsize=4K count=268435457', /expected a number of pages up to/],
    ['phys 0x10000000000001', /expected an input address up to 0x10000000000000, but there stands/],
    ['map 0 0 4K prot=RAED', /no protection is called 'RAED'; did you mean 'READ'/],
    ['map 0 0 4K prot=READ|', /no protection is called ''/],
    ['map 0 0 4K gfp=ATOMC', /no gfp flag is called 'GFP_ATOMC'; did you mean 'GFP_ATOMIC'/],
    ['map 0 0 4K prot=READ prot=READ', /prot= is given twice/],
    ['unmap 0', /expected a size, or pgsize=, but the line ends: unmap IOVA SIZE/],
    ['unmap 0 4K queued', /'queued' belongs to a call with pgsize=/],
    ['phys', /expected an input address, but the line ends: phys IOVA/],
    ['phys 0 0', /'0' does not belong here/],
    ['exhaust 4K', /'4K' does not belong here: exhaust/],
  ] as const) {
    assert.throws(
      () => parseIommuScript(`# first\n\n${text}`, 'my.iommu'),
      (error) =>
        error instanceof InputError &&
        error.line === 3 &&
        error.message.startsWith('my.iommu:3: ') &&
        message.test(error.message),
      text,
    );
  }
});
