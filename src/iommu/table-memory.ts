/**
 * Where the tables themselves lie. The first level is a block of whole pages, the second comes from a kmem cache of the domain's own,
 * or from whatever was given in its place. A table must have an address that fits where it will be written, and a walker that does not
 * look into the caches must see it under that same address: otherwise it is given back at once.
 */
import {
  ArgumentError,
  BadFreeError,
  formatAddress,
  type Gfp,
  GIB,
  KernelWouldCrashError,
  NO_PFN,
  NULL,
  type Order,
  orderOf,
  type Pfn,
  type PhysAddr,
} from '../base/index.js';
import { __GFP, formatGfp, GFP, type ManagedBytes } from '../machine/index.js';
import { type KmemCache, type Machine, SLAB } from '../slab/index.js';
import { type CompleteConfig, IO_PGTABLE_QUIRK } from './config.js';
import { L2_BYTES } from './descriptor.js';
import type { DriverReports } from './reports.js';

/** Where second-level tables come from: the driver's own kmem cache unless told. Every strategy of lab/ can be made one. */
export interface TableSource {
  /** 1024 bytes, so aligned, or NULL when there is no memory. They need not be zeroed. */
  alloc(gfp: Gfp, cpu: number): PhysAddr;
  free(address: PhysAddr, cpu: number): void;
  /** The domain is gone. */
  close(): void;
  /** The kmem cache behind it, if it is one. */
  readonly cache?: KmemCache;
}

/** Where a domain's tables come from, and who is told of them. */
export interface TableMemoryOptions {
  /** Of the second level. The domain owns it: it closes it when it is freed, and when it could not be made. */
  tables?: TableSource;
  /**
   * The zone that the driver asks for: DMA32 where the machine has one, as the patch series made it, else DMA. `DMA` is what it
   * asked for before: on an arm64 of 4.15 to 5.0, which has no such zone, that is any memory.
   * (Those kernels refused a table that did not fit as well, but without a word: the message came with the series.)
   */
  tableZone?: 'DMA' | 'DMA32';
  /**
   * `v6`: the driver as the series' sixth version left it, which does not look whether the allocation of a second-level table failed.
   * That came with "iommu/io-pgtable-arm-v7s: Add error handle for page table allocation failure" (2022).
   */
  era?: 'v6' | 'current';
  /** Called for each second-level table that is handed out or given back, with its number, counted over the domain's life. */
  onTable?(event: 'alloc' | 'free', id: number, address: PhysAddr): void;
  /** What dma_map_single returns for a table of a walker that is not coherent: the same address unless told; undefined is an error. */
  dmaMap?(address: PhysAddr, size: number): number | undefined;
  /** The CPU that the driver runs on. 0 unless told. */
  cpu?: number;
}

/** What the driver calls the cache of second-level tables, in all domains. */
export const L2_CACHE_NAME = 'io-pgtable_armv7s_l2';

/** Why a table cannot be used. */
type Unusable = 'no memory' | 'does not fit' | 'cannot be mapped' | 'is translated';

export class TableMemory {
  readonly source: TableSource;
  readonly l1Bytes: number;
  readonly l1Order: Order;
  readonly #machine: Machine;
  readonly #bytes: ManagedBytes;
  readonly #config: CompleteConfig;
  readonly #options: TableMemoryOptions;
  readonly #reports: DriverReports;
  readonly #l1Gfp: Gfp;
  readonly #live = new Map<PhysAddr, number>();
  #lost = 0;
  #nextId = 0;

  /** Null where the cache cannot be made; the log says why. */
  static open(
    machine: Machine,
    config: CompleteConfig,
    options: TableMemoryOptions,
    reports: DriverReports,
  ): TableMemory | null {
    const anywhere = (config.quirks & IO_PGTABLE_QUIRK.ARM_MTK_TTBR_EXT) !== 0;
    const hasDma32 = machine.memory.zoneNames.includes('DMA32');
    const zone = options.tableZone ?? (hasDma32 ? 'DMA32' : 'DMA');
    const flags = anywhere ? 0 : zone === 'DMA32' ? SLAB.CACHE_DMA32 : SLAB.CACHE_DMA;
    const gfp = anywhere ? GFP.KERNEL : GFP[zone];
    const source = options.tables ?? openCache(machine, flags);
    return source && new TableMemory(machine, config, options, reports, source, gfp);
  }

  private constructor(
    machine: Machine,
    config: CompleteConfig,
    options: TableMemoryOptions,
    reports: DriverReports,
    source: TableSource,
    l1Gfp: Gfp,
  ) {
    this.#machine = machine;
    this.#bytes = machine.bytes!;
    this.#config = config;
    this.#options = options;
    this.#reports = reports;
    this.source = source;
    this.l1Bytes = 4 * 2 ** (config.ias - 20);
    this.l1Order = orderOf(this.l1Bytes, machine.kernel.pageSize);
    this.#l1Gfp = (l1Gfp | __GFP.ZERO) as Gfp;
  }

  /** Second-level tables that are handed out: address and id, in the order of their ids. */
  live(): [address: PhysAddr, id: number][] {
    return [...this.#live];
  }

  get liveCount(): number {
    return this.#live.size;
  }

  /** Of them, how many nothing points to any more. */
  get lostCount(): number {
    return this.#lost;
  }

  /** The pointers to so many tables were written over: they stay handed out for ever. */
  lose(tables: number): void {
    this.#lost += tables;
  }

  /** Whole pages, zeroed, or NULL: the last line of the log says why. */
  allocFirst(): PhysAddr {
    const { pageSize } = this.#machine.kernel;
    const pfn = this.#machine.allocPages(this.#l1Gfp, this.l1Order);
    const address = (pfn * pageSize) as PhysAddr;
    const unusable = pfn === NO_PFN ? 'no memory' : this.#unusable(address, this.l1Bytes);
    if (unusable === undefined) {
      this.#bytes.fill(address, pageSize * 2 ** this.l1Order, 0);
      return address;
    }
    if (pfn !== NO_PFN) this.#machine.freePages(pfn, this.l1Order);
    // These two the kernel leaves unsaid.
    if (unusable === 'no memory' || unusable === 'cannot be mapped') {
      this.#reports.say(
        `alloc_io_pgtable_ops(ARM_V7S): first level, ${this.l1Bytes} bytes of ${formatGfp(this.#l1Gfp)}: ${unusable}`,
      );
    }
    return NULL;
  }

  freeFirst(address: PhysAddr): void {
    const { pageSize } = this.#machine.kernel;
    this.#machine.freePages((address / pageSize) as Pfn, this.l1Order);
    this.#bytes.forget(address, pageSize * 2 ** this.l1Order);
  }

  /** A zeroed table, or NULL. A driver of era `v6` throws KernelWouldCrashError where there is no memory. */
  allocSecond(gfp: Gfp): PhysAddr {
    const address = this.source.alloc((gfp | __GFP.ZERO) as Gfp, this.#cpu);
    if (address === NULL) {
      if (this.#options.era !== 'v6') return NULL;
      throw new KernelWouldCrashError(
        `${L2_CACHE_NAME}: no memory for a second-level table, and this driver does not look`,
        'oops: the address of NULL does not fit, and kmem_cache_free gets NULL',
      );
    }
    if (address % L2_BYTES !== 0) {
      this.source.free(address, this.#cpu);
      throw new ArgumentError(
        `a second-level table must be aligned to ${L2_BYTES} bytes, not lie at ${address}`,
      );
    }
    const id = this.#nextId++;
    this.#live.set(address, id);
    this.#options.onTable?.('alloc', id, address);
    if (this.#unusable(address, L2_BYTES) !== undefined) {
      this.freeSecond(address);
      return NULL;
    }
    this.#bytes.fill(address, L2_BYTES, 0);
    return address;
  }

  freeSecond(address: PhysAddr): void {
    const id = this.checkHeld(address);
    this.#live.delete(address);
    this.source.free(address, this.#cpu);
    this.#options.onTable?.('free', id, address);
  }

  /** The id of a table of this domain's. Throws BadFreeError for an address that is none. */
  checkHeld(address: PhysAddr): number {
    const id = this.#live.get(address);
    if (id !== undefined) return id;
    const words = `${formatAddress(address)} is no table of this domain: its first level was written by somebody else`;
    throw new BadFreeError(address, 'unknown-address', words, this.source.cache?.name);
  }

  /**
   * The domain is gone. Tables that a bug of the kernel's had lost stay handed out for ever, and the kernel then cannot destroy their
   * cache, unless it is shared.
   */
  close(): void {
    const { cache } = this.source;
    const lost = this.#live.size > 0;
    if (!lost || (cache !== undefined && (cache.info.refcount > 1 || this.#machine.faithful)))
      this.source.close();
    else if (cache) {
      this.#reports.say(
        `kmem_cache_destroy ${cache.name}: Slab cache still has objects when called from arm_v7s_free_pgtable`,
      );
    }
  }

  get #cpu(): number {
    return this.#options.cpu ?? 0;
  }

  /** Says what the kernel says. */
  #unusable(address: PhysAddr, size: number): Unusable | undefined {
    const { quirks, oas, coherentWalk } = this.#config;
    const end = quirks & IO_PGTABLE_QUIRK.ARM_MTK_TTBR_EXT ? 2 ** oas : 4 * GIB;
    if (address >= end) {
      // The kernel's %pa: all digits of a physical address.
      this.#reports.say(`Page table does not fit in PTE: 0x${address.toString(16).padStart(16, '0')}`);
      return 'does not fit';
    }
    if (coherentWalk || this.#options.dmaMap === undefined) return undefined;
    const dma = this.#options.dmaMap(address, size);
    if (dma === undefined) return 'cannot be mapped';
    if (dma === address) return undefined;
    this.#reports.say('Cannot accommodate DMA translation for IOMMU page tables');
    return 'is translated';
  }
}

function openCache(machine: Machine, flags: number): TableSource | null {
  const cache = machine.kmemCacheCreate(L2_CACHE_NAME, L2_BYTES, { align: L2_BYTES, flags });
  return (
    cache && {
      cache,
      alloc: (gfp, cpu) => cache.alloc(gfp, cpu),
      free: (address, cpu) => cache.free(address, cpu),
      close: () => cache.destroy(),
    }
  );
}
