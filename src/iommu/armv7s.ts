/**
 * # ARMv7 short-descriptor page tables, as Linux keeps them for an IOMMU
 *
 *     input address     31        20 19       12 11          0
 *                       | first    | second    | offset      |
 *                            │          │
 *     TTBR ──▸ first level   │          │        second level
 *              4096 words    ▼          │        256 words, 1 KiB
 *              ┌──────────────────┐     │      ┌────────────────┐
 *              │ fault            │     └────▸ │ small page     │──▸ 4 KiB
 *              │ table ───────────│──────────▸ │ large page ×16 │──▸ 64 KiB
 *              │ section          │──▸ 1 MiB   │ fault          │
 *              │ supersection ×16 │──▸ 16 MiB  └────────────────┘
 *              └──────────────────┘
 *
 * The first level comes from the page allocator (16 KiB for 32 bits of input, 64 KiB for MediaTek's 34), each second-level table from a
 * kmem cache of the domain's own, `io-pgtable_armv7s_l2`. A word has room for 32 bits of a table's address: this is why they have to lie
 * below 4 GiB, and why caches in ZONE_DMA32 exist. All words are real ones, in the machine's bytes.
 *
 *     const machine = Machine.create({ machine: 'mt8173', bytes: true });
 *     const domain = ArmV7sPageTable.create(machine)!;
 *     domain.map(0x10000, 0x4000_0000, 4096, 1, IOMMU.READ | IOMMU.WRITE);     // { ret: 0, mapped: 4096 }
 *     domain.iovaToPhys(0x10042);                                              // 0x4000_0042
 *     domain.unmap(0x10000, 4096, 1);                                          // 4096
 *     domain.free();
 *
 * iommu-core.ts cuts buffers of any length into such calls, as the IOMMU core does for drivers.
 *
 * ## A first-level entry is in exactly one of these states
 *  1. fault: 0. Mapping 4 or 64 KiB makes it 2 with a new table, 1 MiB 3, 16 MiB (with its fifteen neighbours) 4.
 *  2. a pointer to a table. Mapping or unmapping 1 or 16 MiB frees the table, *whatever is mapped in it*, and makes it 3, 4 or 1.
 *     Nothing else ends this state: **a table that became empty is kept** (unless `freeEmpty` is asked for, which no kernel does).
 *  3. a section. Unmapping 1 MiB makes it 1. Unmapping 4 or 64 KiB splits it: 2, with a table that maps the rest.
 *  4. one sixteenth of a supersection. Unmapping 16 MiB makes it 1; unmapping less makes all sixteen 3 first.
 *
 * ## A second-level entry
 *  5. fault: 0. Mapping 4 KiB makes it 6, 64 KiB (with its fifteen neighbours) 7.
 *  6. a small page. Unmapping it, or it among sixteen as 64 KiB, makes it 5.
 *  7. one sixteenth of a large page. Unmapping 64 KiB makes it 5; unmapping 4 KiB makes all sixteen 6 first.
 *
 * The equation, which `validate()` checks: live tables = entries in state 2 + tables that bug 6 lost, and each of the former has one
 * pointer.
 *
 * A map meets an entry that is not 1 or 5 with -EEXIST and a warning, but for the pointer in a block's way (2). Blocks that the call had
 * mapped before that stay; `mapped` counts them. Unmapping goes by the size that is asked for: every slot of it must hold something, else
 * there is a warning, and the bytes unmapped so far are what is returned.
 *
 * ## What is wrong in the kernel
 * It is done here as it is done there, and each time that it bites goes into `bugs`. The IOMMU core keeps drivers from most of it.
 *  1. A split (3 → 2) counts the addresses of the rest from physical 0. Attributes are kept, MediaTek's address bits are not.
 *  2. Splitting a supersection gives the word of its first section, whichever was asked for. Unmapping 4 or 64 KiB behind the first MiB
 *     then finds another word in its slot than it expects: 0 bytes, a table allocated and freed, sixteen sections left. Asked again, it
 *     works, and 1 happens.
 *  3. An unaligned unmap of 64 KiB in a section splits it, leaves nothing out, and says that it did.
 *  4. Addresses that are no multiple of the block's size are not refused. Bits 12 to 15 of a 64 KiB block's output land in XN and TEX, and
 *     an unmap takes whole slots, from the one on that its address lies in.
 *  5. Sixteen slots need not be an aligned sixteen: such an unmap leaves a part of a contiguous entry, and
 *  6. splitting what is left, or what was mapped unaligned, writes over sixteen slots of which some are others'. A pointer among them is
 *     lost, and its table with it.
 *  7. A 16 MiB map frees the tables before the section that it fails at.
 *  8. Only the first address of a call is checked against the address space. Further ones begin at slot 0 again.
 *  9. Blocks that do not fit into what is left of a table are written behind it. This is refused here, with a line in the log.
 * Since "iommu/io-pgtable-arm-v7s: Remove split on unmap behavior" (2024) kernels do not split any more.
 *
 * `faults: 'fixed'` mends it: splits keep addresses; a call must lie in the address space, all of it, and be aligned to its size, else it
 * is refused whole (-ERANGE, -EINVAL, 0 bytes); a block replaces a table only if that is empty and no section stands in the way of any
 * of its slots, and is -EEXIST otherwise, with nothing changed. Every address then translates as the calls that succeeded say.
 *
 * ## What people get wrong
 *  - The bitmap of page sizes is for the core: the driver takes any of the four sizes.
 *  - NS stands in sections and pointers, not in pages. WRITE alone is a fine protection; no READ bit exists.
 *  - `add_page` names the slot's size, 4 KiB or 1 MiB, also for 64 KiB and 16 MiB; a queued gather holds it back, but not that of a
 *    split, nor any `flush_walk`. That of a split contiguous entry is at the unmap's own address, not aligned down.
 *  - Freeing a domain is one `flush_all`, then the tables in the order of the first level.
 *  - The caller's gfp reaches second-level tables of a map only. Splits are GFP_ATOMIC, the first level is GFP_DMA32 and nothing else.
 *
 * Not here: dma_sync of single words for walkers that are not coherent, which nobody can observe, and races between CPUs, of which the
 * loser frees its table.
 *
 * Sources: the rules and their recordings, truth/README.md ("ARMv7 short-descriptor tables"), Linux 6.1; ARM Architecture Reference
 * Manual ARMv7-A, B3.5; 'iommu/io-pgtable-arm-v7s: Use DMA32 zone for page tables', v1 to v6, 2018.
 */
import {
  ArgumentError,
  formatAddress,
  type Gfp,
  LedgerCorruptError,
  NULL,
  type Order,
  type PhysAddr,
} from '../base/index.js';
import { GFP } from '../machine/index.js';
import type { Machine } from '../slab/index.js';
import {
  acceptedConfig,
  type CompleteConfig,
  checkFirstLevel,
  completeConfig,
  ERRNO,
  IOMMU,
  type IoPgtableConfig,
  PAGE_SIZES,
  type Registers,
  refusal,
  registers,
} from './config.js';
import { isMtk, isTable, slotBytes, tableAddress } from './descriptor.js';
import { type Domain, readL1, type TlbOps, usedWords } from './domain.js';
import { leafLevel, type MapResult, mapBlocks } from './map.js';
import { type DriverBug, DriverReports } from './reports.js';
import { TableMemory, type TableMemoryOptions, type TableSource } from './table-memory.js';
import { unmapBlocks } from './unmap.js';
import { translate, type WalkStep, walkTables } from './walk.js';

/** How a domain is made, beside its configuration. */
export interface ArmV7sOptions extends TableMemoryOptions {
  tlb?: TlbOps;
  /** `kernel` unless told: what is wrong in the kernel is wrong here, as the head of this file lists it. */
  faults?: 'kernel' | 'fixed';
  /** What the kernel never does: a table whose last entry is unmapped is given back, after a flush_walk of its 1 MiB. */
  freeEmpty?: boolean;
}

/** A second-level table that is handed out. */
export interface LiveTable {
  /** Counted over the domain's life from 0; never used again. */
  readonly id: number;
  readonly address: PhysAddr;
  /** The slot of the first level that points to it; -1 if none does any more (6). */
  readonly l1Index: number;
  /** Words of its 256 that are not zero. */
  readonly used: number;
}

/** More blocks in one call than any address space has, and few enough for sums below 2^53. */
const MAX_COUNT = 2 ** 28;
/** To gather invalidations or to make them at once is the same to the driver; only a queue makes a difference. */
export type Gather = 'plain' | 'queued';

/**
 * The page tables of one domain, as Linux' io-pgtable-arm-v7s keeps them; iommu/armv7s.ts has rules, an example and the kernel's bugs.
 * Addresses and sizes are bytes. `ArmV7sPageTable.create` makes one.
 */
export class ArmV7sPageTable {
  readonly machine: Machine;
  /** As the kernel leaves it: the bitmap of page sizes is masked. */
  readonly config: CompleteConfig;
  /** Those of the bitmap, in bytes, ascending. */
  readonly pageSizes: readonly number[];
  readonly registers: Registers;
  readonly l1: { readonly address: PhysAddr; readonly bytes: number; readonly order: Order };
  readonly #domain: Domain;
  /** The first input and output address that is too large. */
  readonly #inputEnd: number;
  readonly #outputEnd: number;
  #freed = false;

  /**
   * `alloc_io_pgtable_ops(ARM_V7S, …)`: null where the kernel returns NULL; the last line of the machine's log says why. Throws
   * ArgumentError for a machine without bytes, or a configuration of something else than numbers; KernelWouldCrashError for fewer than
   * 20 bits of input.
   */
  static create(
    machine: Machine,
    config: IoPgtableConfig = {},
    options: ArmV7sOptions = {},
  ): ArmV7sPageTable | null {
    if (machine.bytes === undefined) {
      throw new ArgumentError(
        'page tables are words in memory: make the machine with bytes, Machine.create({ bytes: true })',
      );
    }
    const complete = completeConfig(config);
    const reports = new DriverReports(machine.log);
    const refused = refusal(complete);
    if (refused !== undefined) {
      reports.say(`alloc_io_pgtable_ops(ARM_V7S): ${refused}`);
      options.tables?.close();
      return null;
    }
    checkFirstLevel(complete);
    const tables = TableMemory.open(machine, complete, options, reports);
    if (tables === null) return null;
    const l1 = tables.allocFirst();
    if (l1 === NULL) {
      tables.close();
      return null;
    }
    return new ArmV7sPageTable(machine, {
      config: acceptedConfig(complete),
      mtk: isMtk(complete),
      fixed: options.faults === 'fixed',
      freeEmpty: options.freeEmpty ?? false,
      bytes: machine.bytes,
      l1,
      l1Entries: 2 ** (complete.ias - 20),
      tables,
      tlb: options.tlb ?? {},
      reports,
    });
  }

  private constructor(machine: Machine, domain: Domain) {
    this.machine = machine;
    this.#domain = domain;
    this.config = domain.config;
    this.pageSizes = PAGE_SIZES.filter((size) => domain.config.pgsizeBitmap & size);
    this.registers = registers(domain.config, domain.l1);
    this.#inputEnd = 2 ** domain.config.ias;
    this.#outputEnd = 2 ** domain.config.oas;
    const { l1Bytes, l1Order } = domain.tables;
    this.l1 = { address: domain.l1, bytes: l1Bytes, order: l1Order };
  }

  /**
   * `map_pages`: `count` blocks of `size` bytes (one of the four page sizes) from `iova` on. `prot` is a sum of IOMMU. Returns 0, or
   * -ERANGE, -EINVAL, -EEXIST or -ENOMEM, with the bytes that were mapped before that and stay mapped. Throws ArgumentError for another
   * size or what is no address; KernelWouldCrashError in era `v6` where there is no memory.
   */
  map(
    iova: number,
    paddr: number,
    size: number,
    count: number,
    prot: number,
    gfp: Gfp = GFP.KERNEL,
  ): MapResult {
    const domain = this.#alive();
    checkCall(iova, size, count);
    checkAddress('paddr', paddr);
    const { reports, fixed } = domain;
    // Mended, the end counts as well.
    const more = fixed ? Math.max(0, size * count - 1) : 0;
    if (iova + more >= this.#inputEnd || paddr + more >= this.#outputEnd) {
      const words = `iova ${formatAddress(iova)} or physical ${formatAddress(paddr)} is beyond ${this.#reach}`;
      reports.warn('arm_v7s_map_pages', words);
      return { ret: -ERRNO.ERANGE, mapped: 0 };
    }
    if (!(prot & (IOMMU.READ | IOMMU.WRITE)) || count === 0) return { ret: -ERRNO.EINVAL, mapped: 0 };
    const aligned = ((iova | paddr) & (size - 1)) === 0;
    if (fixed && !aligned) {
      reports.say(
        `unaligned: iova ${formatAddress(iova)} pa ${formatAddress(paddr)} size ${formatAddress(size)}`,
      );
      return { ret: -ERRNO.EINVAL, mapped: 0 };
    }
    const result = mapBlocks(domain, { iova, paddr, size, count, prot, gfp });
    if (result.mapped > 0 && !aligned)
      reports.bug('unaligned', iova, size, unalignedWords(iova, paddr, size));
    if (iova + result.mapped > this.#inputEnd || paddr + result.mapped > this.#outputEnd) {
      const words = `only the first address is checked: ${result.mapped} bytes run over the end of ${this.#reach}`;
      reports.bug('wrapped', iova, size, words);
    }
    return result;
  }

  /**
   * `unmap_pages`: `count` blocks of `size` bytes, whatever size they were mapped with. Returns the bytes that were unmapped; it ends
   * with a warning at the first block of which a part is not mapped. Throws ArgumentError and KernelWouldCrashError as `map` does.
   */
  unmap(iova: number, size: number, count: number, gather: Gather = 'plain'): number {
    const domain = this.#alive();
    checkCall(iova, size, count);
    const { reports, fixed } = domain;
    const more = fixed ? Math.max(0, size * count - 1) : 0;
    if (iova + more >= this.#inputEnd) {
      reports.warn('arm_v7s_unmap_pages', `iova ${formatAddress(iova)} is beyond ${this.#inputs}`);
      return 0;
    }
    if (fixed && (iova & (size - 1)) !== 0) {
      reports.say(`unaligned: iova ${formatAddress(iova)} size ${formatAddress(size)}`);
      return 0;
    }
    const unmapped = unmapBlocks(domain, { iova, size, count, queued: gather === 'queued' });
    const slot = slotBytes(leafLevel(size));
    if (unmapped > 0 && iova % slot !== 0) {
      const start = formatAddress(iova - (iova % slot));
      const words = `iova ${formatAddress(iova)} lies inside a slot: the unmap goes by whole ones, from ${start} on`;
      reports.bug('unaligned', iova, size, words);
    }
    if (iova + unmapped > this.#inputEnd) {
      const words = `only the first address is checked: ${unmapped} bytes run over the end of ${this.#inputs}`;
      reports.bug('wrapped', iova, size, words);
    }
    return unmapped;
  }

  /**
   * `iova_to_phys`: the physical address of a byte, 0 if nothing is mapped there. Nothing else is checked: bits of the address above
   * what the tables index are not looked at.
   */
  iovaToPhys(iova: number): number {
    checkAddress('iova', iova);
    return translate(this.#alive(), iova);
  }

  /** How the hardware (and the driver) reads an address, entry by entry. */
  walk(iova: number): WalkStep[] {
    checkAddress('iova', iova);
    return walkTables(this.#alive(), iova);
  }

  /** Words of the first level, read now. */
  l1Words(): Uint32Array {
    const domain = this.#alive();
    const words = new Uint32Array(domain.l1Entries);
    for (let i = 0; i < words.length; i++) words[i] = readL1(domain, i);
    return words;
  }

  /** Live second-level tables in the order of their ids. After `free`, those that bugs of the kernel's have lost. */
  tables(): LiveTable[] {
    const domain = this.#domain;
    const slots = new Map<number, number>();
    for (let i = 0; i < domain.l1Entries && !this.#freed; i++) {
      const word = readL1(domain, i);
      if (isTable(word)) slots.set(tableAddress(word, domain.mtk), i);
    }
    return domain.tables.live().map(([address, id]) => {
      return { id, address, l1Index: slots.get(address) ?? -1, used: usedWords(domain, address) };
    });
  }

  /** How many second-level tables are live. */
  get liveTables(): number {
    return this.#domain.tables.liveCount;
  }

  /** Where second-level tables come from. */
  get source(): TableSource {
    return this.#domain.tables.source;
  }

  /** WARN_ONs that fired so far. Their lines are in the machine's log. */
  get warnings(): number {
    return this.#domain.reports.warnings;
  }

  /** Where what is wrong in the kernel bit, in order; the first 4096 times. */
  get bugs(): readonly DriverBug[] {
    return this.#domain.reports.bugs;
  }

  /** How often it bit. */
  get bugCount(): number {
    return this.#domain.reports.bugCount;
  }

  /**
   * `free_io_pgtable_ops`: everything goes, but for tables that a bug of the kernel's had lost. Throws ArgumentError if it went before,
   * LedgerCorruptError as `validate` does; then nothing is freed.
   */
  free(): void {
    const domain = this.#alive();
    this.validate();
    domain.tlb.flushAll?.();
    for (let i = 0; i < domain.l1Entries; i++) {
      const word = readL1(domain, i);
      if (isTable(word)) domain.tables.freeSecond(tableAddress(word, domain.mtk) as PhysAddr);
    }
    domain.tables.freeFirst(domain.l1);
    this.#freed = true;
    domain.tables.close();
  }

  /** For messages. */
  get #inputs(): string {
    return `${this.config.ias} bits of input`;
  }

  get #reach(): string {
    return `${this.#inputs} or ${this.config.oas} of output`;
  }

  /**
   * Checks the equation: live tables = those that the first level points to, once each + those that a bug has lost (6). Throws
   * LedgerCorruptError. What of it is the machine's, Machine.validate checks.
   */
  validate(): void {
    const domain = this.#alive();
    const tables = new Set(domain.tables.live().map(([address]) => address));
    const fail = (words: string): never => {
      throw new LedgerCorruptError('iommu.tables', words);
    };
    for (let i = 0; i < domain.l1Entries; i++) {
      const word = readL1(domain, i);
      if (!isTable(word)) continue;
      const address = tableAddress(word, domain.mtk) as PhysAddr;
      if (!tables.delete(address))
        fail(`slot ${i} points to ${formatAddress(address)}, which is no table or has a pointer already`);
    }
    const { lostCount } = domain.tables;
    if (tables.size !== lostCount)
      fail(`live tables that nothing points to: ${tables.size}, of which splits have lost ${lostCount}`);
  }

  #alive(): Domain {
    if (this.#freed) throw new ArgumentError('this page table was freed');
    return this.#domain;
  }
}

function checkCall(iova: number, size: number, count: number): void {
  checkAddress('iova', iova);
  if (!(PAGE_SIZES as readonly number[]).includes(size))
    throw new ArgumentError(`a block is 4 KiB, 64 KiB, 1 MiB or 16 MiB, not ${size} bytes`);
  if (!Number.isInteger(count) || count < 0 || count > MAX_COUNT)
    throw new ArgumentError(`count is a whole number of blocks up to ${MAX_COUNT}, not ${count}`);
}

function checkAddress(what: string, address: number): void {
  if (!Number.isSafeInteger(address) || address < 0 || address > 2 ** 52)
    throw new ArgumentError(`${what} is an address from 0 to 2^52, not ${address}`);
}

function unalignedWords(iova: number, paddr: number, size: number): string {
  const contiguous = size === PAGE_SIZES[1] || size === PAGE_SIZES[3];
  if (contiguous && iova % size >= size / 16)
    return `${size} bytes at iova ${formatAddress(iova)} fill 16 slots that are not aligned: reads there come from elsewhere`;
  if (size === PAGE_SIZES[1] && paddr % size >= PAGE_SIZES[0])
    return `bits 12 to 15 of physical ${formatAddress(paddr)} became XN and TEX of 64 KiB`;
  return `iova ${formatAddress(iova)} or physical ${formatAddress(paddr)} is no multiple of ${size}: what is over is cut off`;
}
