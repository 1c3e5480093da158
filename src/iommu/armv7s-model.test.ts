/**
 * Page tables against a plain Map of 4 KiB pages: every call returns what the Map says, every address translates as it says, and no
 * translation that changed was left in a TLB. Mended, always; as the kernel does it, up to the first time that one of its bugs bites.
 * Some calls are not aligned: mended, they are refused; otherwise, what they do beside what was asked for must be told as a bug.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, MIB } from '../base/index.js';
import { Machine } from '../slab/index.js';
import {
  ArmV7sPageTable,
  IOMMU,
  type IoPgtableConfig,
  PAGE_SIZES,
  IO_PGTABLE_QUIRK as QUIRK,
} from './index.js';

const PAGE = 4 * KIB;
/** A machine for each run: its ledger needs no more room than this. */
const SMALL = { slabs: 1 << 10, linkPages: 64, caches: 8 };
const RW = IOMMU.READ | IOMMU.WRITE;
/** The last so many bytes of the address space are used: 16 MiB blocks, tables beside them, and the end. */
const REGION = 48 * MIB;

interface ModelOptions {
  readonly fixed: boolean;
  readonly freeEmpty: boolean;
  readonly inputEnd: number;
  readonly outputEnd: number;
}

/** What is mapped, page by page, and which MiB have a section or a table. */
class Model {
  readonly pages = new Map<number, { paddr: number; prot: number }>();
  readonly slots = new Map<number, 'table' | 'section'>();
  readonly #options: ModelOptions;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  map(
    iova: number,
    paddr: number,
    size: number,
    count: number,
    prot: number,
  ): { ret: number; mapped: number } {
    const { fixed, inputEnd, outputEnd } = this.#options;
    const bytes = fixed ? Math.max(1, size * count) : 1;
    if (iova + bytes > inputEnd || paddr + bytes > outputEnd) return { ret: -34, mapped: 0 };
    if (!(prot & RW) || count === 0) return { ret: -22, mapped: 0 };
    if (fixed && (iova % size !== 0 || paddr % size !== 0)) return { ret: -22, mapped: 0 };
    let mapped = 0;
    for (; mapped < size * count; mapped += size)
      if (!this.#mapBlock(iova + mapped, paddr + mapped, size, prot)) return { ret: -17, mapped };
    return { ret: 0, mapped };
  }

  unmap(iova: number, size: number, count: number): number {
    if (iova + (this.#options.fixed ? Math.max(1, size * count) : 1) > this.#options.inputEnd) return 0;
    if (this.#options.fixed && iova % size !== 0) return 0;
    let unmapped = 0;
    while (unmapped < size * count && this.#unmapBlock(iova + unmapped, size)) unmapped += size;
    return unmapped;
  }

  translate(iova: number): number {
    const page = this.pages.get(Math.floor(iova / PAGE));
    return page === undefined ? 0 : page.paddr + (iova % PAGE);
  }

  #mapBlock(iova: number, paddr: number, size: number, prot: number): boolean {
    const pages = this.#pagesOf(iova, size);
    const slots = this.#slotsOf(iova, size);
    if (size < MIB) {
      if (pages.some((page) => this.pages.has(page))) return false;
      this.slots.set(slots[0]!, 'table');
    } else if (this.#options.fixed) {
      if (pages.some((page) => this.pages.has(page))) return false;
    } else {
      for (const slot of slots) {
        if (this.slots.get(slot) === 'section') return false;
        this.#clear(slot);
      }
    }
    if (size >= MIB) for (const slot of slots) this.slots.set(slot, 'section');
    pages.forEach((page, i) => {
      this.pages.set(page, { paddr: paddr + i * PAGE, prot });
    });
    return true;
  }

  #unmapBlock(iova: number, size: number): boolean {
    const slots = this.#slotsOf(iova, size);
    if (size >= MIB) {
      if (!slots.every((slot) => this.slots.has(slot))) return false;
      for (const slot of slots) this.#clear(slot);
      return true;
    }
    const pages = this.#pagesOf(iova, size);
    if (!pages.every((page) => this.pages.has(page))) return false;
    for (const page of pages) this.pages.delete(page);
    this.slots.set(slots[0]!, 'table');
    const left = this.#pagesOf(slots[0]! * MIB, MIB).some((page) => this.pages.has(page));
    if (this.#options.freeEmpty && !left) this.slots.delete(slots[0]!);
    return true;
  }

  #clear(slot: number): void {
    for (const page of this.#pagesOf(slot * MIB, MIB)) this.pages.delete(page);
    this.slots.delete(slot);
  }

  #pagesOf(iova: number, size: number): number[] {
    return Array.from({ length: size / PAGE }, (_, i) => Math.floor(iova / PAGE) + i);
  }

  #slotsOf(iova: number, size: number): number[] {
    return Array.from({ length: Math.max(1, size / MIB) }, (_, i) => Math.floor(iova / MIB) + i);
  }
}

const CONFIGS: readonly IoPgtableConfig[] = [
  {},
  { quirks: QUIRK.ARM_NS, ias: 30, oas: 31 },
  { quirks: QUIRK.NO_PERMS },
  { quirks: QUIRK.NO_PERMS | QUIRK.ARM_MTK_EXT, ias: 34, oas: 35 },
  { quirks: QUIRK.NO_PERMS | QUIRK.ARM_MTK_EXT | QUIRK.ARM_MTK_TTBR_EXT | QUIRK.ARM_NS, ias: 33, oas: 34 },
];

const OFFSETS = fc.constantFrom(16, PAGE, 5 * PAGE, 64 * KIB, MIB / 2, MIB, 7 * MIB);

/** Small places are hit again and again, so that sizes meet each other. */
const operation = fc.record({
  unmap: fc.boolean(),
  size: fc.constantFrom(...PAGE_SIZES),
  count: fc.oneof(
    { weight: 6, arbitrary: fc.constant(1) },
    { weight: 3, arbitrary: fc.integer({ min: 2, max: 40 }) },
    { weight: 1, arbitrary: fc.constant(0) },
  ),
  /** MiB of the region, and blocks from there. */
  mib: fc.nat({ max: REGION / MIB }),
  block: fc.oneof(fc.nat({ max: 3 }), fc.integer({ min: 240, max: 255 })),
  paddr: fc.nat({ max: 2 ** 31 - 1 }),
  high: fc.nat({ max: 7 }),
  /** Bytes that an address lies behind where it should. */
  offset: fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: OFFSETS }),
  paddrOffset: fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: OFFSETS }),
  prot: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 0, max: 63 }) },
    { weight: 6, arbitrary: fc.constant(RW) },
  ),
  queued: fc.boolean(),
});

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** Bytes of the slots that a block of a size fills. */
function slotOf(size: number): number {
  return size < MIB ? PAGE : MIB;
}

/** What the walker may have remembered of these pages must be invalidated. */
function assertFlushed(
  gone: readonly number[],
  flushed: readonly (readonly [from: number, size: number])[],
): void {
  for (const page of gone) {
    const at = page * PAGE;
    assert.ok(
      flushed.some(([from, size]) => at >= from && at < from + size),
      `0x${at.toString(16)} changed and is still in the TLB`,
    );
  }
}

class Run {
  readonly machine = Machine.create({ memory: 64 * MIB, cpus: 1, bytes: true, ledger: SMALL });
  readonly domain: ArmV7sPageTable;
  readonly model: Model;
  readonly #base: number;
  readonly #outputEnd: number;
  readonly #flushed: [number, number][] = [];

  constructor(config: IoPgtableConfig, fixed: boolean, freeEmpty: boolean) {
    const domain = ArmV7sPageTable.create(this.machine, config, {
      faults: fixed ? 'fixed' : 'kernel',
      freeEmpty,
      tlb: {
        flushWalk: (iova, size) => this.#flushed.push([iova, size]),
        addPage: (iova, granule) => this.#flushed.push([iova, granule]),
      },
    });
    assert.ok(domain);
    this.domain = domain;
    const inputEnd = 2 ** domain.config.ias;
    this.#outputEnd = 2 ** domain.config.oas;
    this.#base = inputEnd - REGION;
    this.model = new Model({ fixed, freeEmpty, inputEnd, outputEnd: this.#outputEnd });
  }

  /** False when one of the kernel's bugs bit: the Map knows nothing of those. */
  step(op: Operation): boolean {
    const { domain, model } = this;
    const { size, count, prot } = op;
    const iova = Math.floor((this.#base + op.mib * MIB + op.block * size) / size) * size + op.offset;
    const paddr =
      Math.floor(((op.paddr + op.high * 2 ** 32) % this.#outputEnd) / size) * size + op.paddrOffset;
    const mapped = this.#mappedIn(iova, size * count);
    this.#flushed.length = 0;
    const got = op.unmap
      ? domain.unmap(iova, size, count, op.queued ? 'queued' : 'plain')
      : domain.map(iova, paddr, size, count, prot);
    if (domain.bugCount > 0) return false;
    // Nothing is said, so all that was done was asked for.
    if (typeof got === 'number') assert.ok(got === 0 || iova % slotOf(size) === 0);
    else assert.ok(got.mapped === 0 || (iova % size === 0 && paddr % size === 0));
    assert.deepEqual(
      got,
      op.unmap ? model.unmap(iova, size, count) : model.map(iova, paddr, size, count, prot),
    );
    // A queue holds single entries back: whoever gathers invalidates the range.
    if (op.queued && typeof got === 'number') this.#flushed.push([iova, got]);
    assertFlushed(
      mapped.filter(([page, paddr]) => model.pages.get(page)?.paddr !== paddr).map(([page]) => page),
      this.#flushed,
    );
    for (const at of [iova, iova + size * count, iova - PAGE, iova + size, iova + 5 * PAGE + 42])
      this.#compare(at);
    return true;
  }

  /** The whole region, and what a table costs. */
  finish(): void {
    const { domain, model, machine } = this;
    for (let at = this.#base - PAGE; at < this.#base + REGION; at += PAGE) this.#compare(at + 123);
    domain.validate();
    const tables = domain.tables();
    const expected = [...model.slots].filter(([, kind]) => kind === 'table').map(([slot]) => slot);
    assert.deepEqual(
      tables.map(({ l1Index }) => l1Index).sort((a, b) => a - b),
      expected.sort((a, b) => a - b),
    );
    domain.free();
    assert.deepEqual(domain.tables(), []);
    machine.validate();
    assert.deepEqual([machine.memory.takenPages(), machine.caches().length], [0, 0]);
  }

  #mappedIn(iova: number, bytes: number): (readonly [page: number, paddr: number])[] {
    const { pages } = this.model;
    const end = Math.min(iova + bytes, this.#base + REGION) / PAGE;
    const found: (readonly [number, number])[] = [];
    for (let page = Math.floor(iova / PAGE); page < end; page++) {
      const mapped = pages.get(page);
      if (mapped !== undefined) found.push([page, mapped.paddr]);
    }
    return found;
  }

  #compare(iova: number): void {
    if (iova < 0 || iova >= this.#base + REGION) return;
    const expected = this.model.translate(iova);
    const got = this.domain.iovaToPhys(iova);
    if (got !== expected) assert.equal(got, expected, `iova 0x${iova.toString(16)}`);
    const page = this.model.pages.get(Math.floor(iova / PAGE));
    if (page !== undefined) this.#compareProtection(iova, page.prot);
  }

  /** Read only, no instructions, unprivileged: as the call asked for it, where there are permissions. */
  #compareProtection(iova: number, prot: number): void {
    if (iova % (64 * KIB) !== 123 && iova % PAGE !== 42) return;
    const { fields } = this.domain.walk(iova).at(-1)!;
    const value = (name: string) => fields.find((field) => field.name === name)?.value;
    const region = (((value('TEX')! & 1) << 2) | (value('C')! << 1) | value('B')!) as number;
    assert.equal(region, prot & IOMMU.MMIO ? 1 : prot & IOMMU.CACHE ? 7 : 4);
    if ((this.domain.config.quirks & QUIRK.NO_PERMS) !== 0) return;
    assert.deepEqual(
      [value('AP[2]'), value('XN'), value('AP[1:0]')],
      [prot & IOMMU.WRITE ? 0 : 1, prot & IOMMU.NOEXEC ? 1 : 0, prot & IOMMU.PRIV ? 1 : 3],
    );
  }
}

for (const freeEmpty of [false, true]) {
  test(`mended tables translate as a Map of pages does${freeEmpty ? ', empty ones given back' : ''}`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CONFIGS),
        fc.array(operation, { minLength: 5, maxLength: 40 }),
        (config, ops) => {
          const run = new Run(config, true, freeEmpty);
          for (const op of ops) assert.ok(run.step(op));
          run.finish();
        },
      ),
      { numRuns: 40, seed: 40421 },
    );
  });
}

test('the kernel translates as a Map of pages does until one of its bugs bites', () => {
  let whole = 0;
  let calls = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...CONFIGS),
      fc.array(operation, { minLength: 5, maxLength: 30 }),
      (config, ops) => {
        const run = new Run(config, false, false);
        const bitten = ops.findIndex((op) => !run.step(op));
        calls += bitten < 0 ? ops.length : bitten;
        if (bitten >= 0) return;
        whole++;
        run.finish();
      },
    ),
    { numRuns: 120, seed: 40422 },
  );
  assert.ok(
    whole >= 20 && calls >= 1000,
    `${whole} whole runs of ${calls} calls are too few to say anything`,
  );
});

test('what an unmap took beside what was asked for, or left of it, is told as a bug', () => {
  const end = 40 * MIB;
  const [small, large, section, supersection] = PAGE_SIZES;
  const kinds = new Set<string>();
  let silent = 0;
  const property = fc.property(
    fc.constantFrom(...PAGE_SIZES),
    fc.nat({ max: 31 }),
    fc.integer({ min: 1, max: 3 }),
    fc.nat({ max: end / 16 - 1 }),
    fc.constantFrom(16, PAGE, 64 * KIB, MIB),
    (size, block, count, at, unit) => {
      const machine = Machine.create({ memory: 64 * MIB, cpus: 1, bytes: true, ledger: SMALL });
      const domain = ArmV7sPageTable.create(machine)!;
      domain.map(0, 0x4000_0000, supersection, 1, RW);
      domain.map(16 * MIB, 0x5000_0000, section, 20, RW);
      domain.map(36 * MIB, 0x6000_0000, large, 32, RW);
      domain.map(38 * MIB, 0x7000_0000, small, 512, RW);
      const before = new Map<number, number>();
      for (let iova = 0; iova < end; iova += PAGE) before.set(iova, domain.iovaToPhys(iova));
      const iova = block < 16 ? block * size : Math.floor((at * 16) / unit) * unit;
      const done = domain.unmap(iova, size, count);
      let strange = iova % PAGE !== 0 && done > 0;
      for (const [page, paddr] of before) {
        const asked = page >= iova && page < iova + done;
        strange ||= domain.iovaToPhys(page) !== (asked ? 0 : paddr);
      }
      assert.ok(!strange || domain.bugCount > 0, 'and nothing is said');
      for (const { kind } of domain.bugs) kinds.add(kind);
      if (done > 0 && !strange) silent++;
      domain.free();
      machine.validate();
    },
  );
  fc.assert(property, { numRuns: 200, seed: 40423 });
  assert.deepEqual([...kinds].sort(), [
    'half-block',
    'lost-address',
    'no-hole',
    'not-unmapped',
    'outside-table',
    'unaligned',
  ]);
  assert.ok(silent >= 30, `${silent} unmaps of what was asked for are too few to say anything`);
});
