import type { WalkStep } from '../../iommu/index.js';
import type { RamRange } from '../../machine/index.js';
import type { CacheSummary, MachineSummary } from '../compare/index.js';

/** The result of `slablab iommu` as `--json` prints it. Bytes everywhere. */
export interface IommuResult {
  readonly machine: MachineSummary & { readonly ram: readonly RamRange[] };
  readonly load: IommuLoadSummary;
  readonly domain: IommuDomainSummary;
  /** Null where the kernel made no domain: `domain.refused` says why. */
  readonly firstLevel: FirstLevel | null;
  readonly secondLevel: SecondLevel;
  /** Live second-level tables at the end, in order of the addresses that they map. */
  readonly tables: readonly IommuTable[];
  readonly lookups: readonly IommuLookup[];
  /** Operations that the kernel refused, the first ones; `load.failed` counts all. */
  readonly failures: readonly IommuFailure[];
  /** Where bugs of the kernel's driver bit, the first ones; `load.bugs` counts all. */
  readonly bugs: readonly IommuBug[];
  /** Where a kernel of this era would have crashed: what comes behind it in the load was not done. */
  readonly crash: IommuCrash | null;
  readonly walks: readonly IommuWalk[];
  /** Null after a crash, and without a domain. */
  readonly freed: IommuFreed | null;
  /** The same load, and tables given back as soon as they are empty; null unless asked for. */
  readonly freeEmpty: { readonly kernel: SecondLevel; readonly freeing: SecondLevel } | null;
  /** What came of it, in sentences. */
  readonly words: readonly string[];
}

/** The load that was run: operations, and what became of them. */
export interface IommuLoadSummary {
  readonly title: string;
  readonly source: string;
  readonly unit: 'line' | 'operation';
  /** Operations of the load, and those of them that were done. */
  readonly operations: number;
  readonly done: number;
  readonly maps: number;
  readonly unmaps: number;
  /** Refused by the kernel. */
  readonly failed: number;
  /** Unmaps left out because the driver had been refused the mapping. */
  readonly skipped: number;
  readonly bugs: number;
  /** WARN_ONs that fired. */
  readonly warnings: number;
}

/** The domain that it was run on. */
export interface IommuDomainSummary {
  readonly ias: number;
  readonly oas: number;
  readonly quirks: readonly string[];
  readonly coherentWalk: boolean;
  /** Page sizes that the kernel left in the configuration, ascending. */
  readonly pageSizes: readonly number[];
  /** Where second-level tables come from: a strategy's id, or `driver` for its own cache. */
  readonly tablesFrom: string;
  readonly tablesFromName: string;
  readonly faults: 'kernel' | 'fixed';
  readonly era: 'v6' | 'current';
  /** What the kernel says where it makes no domain. */
  readonly refused: string | null;
  readonly registers: {
    readonly ttbr: number;
    readonly tcr: number;
    readonly nmrr: number;
    readonly prrr: number;
  } | null;
}

/** The first-level table. Bytes and physical addresses. */
export interface FirstLevel {
  readonly address: number;
  readonly bytes: number;
  readonly order: number;
  readonly zone: string;
  /** A letter an entry, in order: `.` fault, `t` table, `s` section, `S` a sixteenth of a supersection. */
  readonly entries: string;
  /** Bytes of input addresses that are mapped, in both levels. */
  readonly mappedBytes: number;
}

/** The second-level tables over the load. Held is what the machine's zones are missing for them. */
export interface SecondLevel {
  readonly allocated: number;
  readonly freed: number;
  readonly live: number;
  /** Live tables that map nothing. */
  readonly empty: number;
  readonly peakLive: number;
  readonly endBytes: number;
  readonly peakBytes: number;
  /** Over the operations, each counting once. */
  readonly meanBytes: number;
  /** Tables that were allocated and lay above 4 GiB. */
  readonly above4GiB: number;
  /** The cache behind them and its slabs at the end, where there is one. */
  readonly cache: (CacheSummary & { readonly slabs: number }) | null;
}

/** A second-level table that is live at the end. */
export interface IommuTable {
  readonly id: number;
  readonly address: number;
  /** The first address that it maps; null if a bug of the kernel's has lost the table. */
  readonly iova: number | null;
  /** Entries in use, of 256. */
  readonly used: number;
}

/** An `iova_to_phys` of the load, by the load's line or operation. */
export interface IommuLookup {
  readonly line: number;
  readonly iova: number;
  /** 0: nothing is mapped there, or physical address 0. */
  readonly paddr: number;
}

/** A map or unmap that did not do all that it was asked for. */
export interface IommuFailure {
  readonly line: number;
  /** The operation as a script has it. */
  readonly text: string;
  /** The kernel's return value: -errno of a map, bytes of an unmap. */
  readonly ret: number;
  /** Such as `EEXIST`; null for an unmap, which has no errors. */
  readonly error: string | null;
  /** Bytes asked for, and bytes that are mapped or unmapped in spite of the failure. */
  readonly asked: number;
  readonly achieved: number;
  /** What the kernel printed meanwhile, the first few lines. */
  readonly messages: readonly string[];
}

/** A bug of the driver's that showed. */
export interface IommuBug {
  readonly line: number;
  readonly text: string;
  readonly kind: string;
  readonly iova: number;
  readonly size: number;
  readonly words: string;
}

/** Where the load ended, because a kernel would not have survived. */
export interface IommuCrash {
  readonly line: number;
  readonly text: string;
  readonly message: string;
  /** Such as `oops`. */
  readonly outcome: string;
}

/** How the hardware reads an address, step by step. */
export interface IommuWalk {
  readonly iova: number;
  readonly steps: readonly WalkStep[];
}

/** What freeing the domain gave back. */
export interface IommuFreed {
  /** Second-level tables that free_io_pgtable_ops gave back. */
  readonly tables: number;
  /** What was not given back after the domain and the source of its tables were gone. */
  readonly leftBytes: number;
}
