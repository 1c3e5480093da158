/**
 * # A load on a domain: what the kernel's driver makes of a script
 *
 *     load ─▸ IOMMU core ─▸ ArmV7sPageTable ─▸ tables from a cache or any strategy ─▸ pages of a machine
 *                │                 │                       │                             │
 *             pieces        descriptors, WARNs        slabs, who merged            zones, 4 GiB
 *
 * A run is one load on one machine of its own. After each operation it notes what the kernel answered and printed, where one of the
 * driver's bugs bit, and what the machine's zones are missing; at the end the tables and how full each is. Then the domain is freed, and
 * the machine must be what it was.
 *
 *     const load = parseIommuScript('map 0x100000 0x40000000 64K', 'frame');
 *     const result = runIommu(load, { machine: { machine: 'mt8173' }, walks: [0x100000] });
 *     result.walks[0].steps.at(-1).output                       // 0x40000000
 *
 * Two things a kernel cannot be asked: `faults: 'fixed'` mends the driver's bugs, and `freeEmpty` runs the load a second time with
 * tables that go back as soon as they are empty.
 */
import {
  ArgumentError,
  type Gfp,
  KernelWouldCrashError,
  lookUp,
  MIB,
  NO_PFN,
  type Pfn,
  type PhysAddr,
} from '../../base/index.js';
import {
  type ArmV7sOptions,
  ArmV7sPageTable,
  formatQuirks,
  type IoPgtableConfig,
  iommuMap,
  iommuUnmap,
  L2_CACHE_NAME,
  type TableSource,
} from '../../iommu/index.js';
import { __GFP, DRIVER_BOARD, GFP, memoryMapOf } from '../../machine/index.js';
import { type KmemCache, Machine, type MachineOptions } from '../../slab/index.js';
import {
  STRATEGIES,
  type Strategy,
  type StrategyKind,
  summarizeCache,
  summarizeMachine,
} from '../compare/index.js';
import { errnoName } from './names.js';
import type {
  FirstLevel,
  IommuBug,
  IommuCrash,
  IommuDomainSummary,
  IommuFailure,
  IommuFreed,
  IommuLookup,
  IommuResult,
  IommuTable,
  IommuWalk,
  SecondLevel,
} from './result.js';
import { formatIommuOperation, type IommuLoad, type IommuOperation, type IommuStep } from './script.js';
import { iommuWords } from './words.js';

/** How a load is run. Throws UnknownNameError for a strategy that does not exist. */
export interface IommuOptions {
  /** mt8173 with the standing caches of a booted kernel unless told. */
  readonly machine?: MachineOptions;
  /** Of the domain; what the load was recorded with unless told. */
  readonly config?: IoPgtableConfig;
  /** A strategy's id: where second-level tables come from. The driver's own cache unless told. */
  readonly tables?: string;
  readonly faults?: 'kernel' | 'fixed';
  readonly era?: 'v6' | 'current';
  /** Also run the load with tables that are given back when they are empty. */
  readonly freeEmpty?: boolean;
  /** Input addresses to be walked at the end. */
  readonly walks?: readonly number[];
}

/** Bytes of a second-level table, and what it is aligned to. */
export const TABLE_BYTES = 1024;
/** Bytes of input addresses that a first-level entry stands for. */
const SECTION = MIB;
/** Failures, bugs and lookups that a result lists, and lines of the log with each failure. */
const KEPT = 1000;
const KEPT_LINES = 8;

/** Runs a load. Throws UnknownNameError or ArgumentError for options that make no machine or name no strategy. */
export function runIommu(load: IommuLoad, options: IommuOptions = {}): IommuResult {
  return openIommu(load, options).close();
}

/** A load that was run, and its domain as the load left it: to be looked at until it is closed. */
export interface OpenIommu {
  readonly machine: Machine;
  /** Null where the kernel makes none. */
  readonly domain: ArmV7sPageTable | null;
  /** What came of it so far: `freed` is null. */
  readonly result: IommuResult;
  /** Frees the domain and what its tables came from. The whole result. */
  close(): IommuResult;
}

/** Runs a load and leaves its domain open; `onStep` is told after each operation. Throws as `runIommu` does. */
export function openIommu(load: IommuLoad, options: IommuOptions = {}, onStep?: () => void): OpenIommu {
  const run = new IommuRun(load, options, onStep && { onStep });
  run.play();
  const { machine, domain } = run;
  const played = run.summarize();
  const compared = options.freeEmpty && domain !== null;
  const freeEmpty = compared
    ? { kernel: played.secondLevel, freeing: whenFreeing(load, options, onStep) }
    : null;
  const result = (freed: IommuFreed | null): IommuResult => {
    const whole = { ...played, freeEmpty, freed };
    return { ...whole, words: iommuWords(whole) };
  };
  return { machine, domain, result: result(null), close: () => result(run.free()) };
}

/** The second level of the same load, with tables that are given back as soon as they are empty. */
function whenFreeing(load: IommuLoad, options: IommuOptions, onStep: (() => void) | undefined): SecondLevel {
  const run = new IommuRun(load, options, { freeEmpty: true, ...(onStep && { onStep }) });
  run.play();
  const { secondLevel } = run.summarize();
  run.free();
  return secondLevel;
}

/** Told of what happens, and how the run differs from a kernel's. */
interface RunHooks {
  readonly freeEmpty?: boolean;
  /** Memory is never short: `exhaust` does nothing. */
  readonly ample?: boolean;
  onTable?(event: 'alloc' | 'free', id: number): void;
  onStep?(): void;
}

/** One load on one machine. */
export class IommuRun {
  readonly machine: Machine;
  /** Null where the kernel makes none. */
  readonly domain: ArmV7sPageTable | null;
  readonly #load: IommuLoad;
  readonly #options: IommuOptions;
  readonly #hooks: RunHooks;
  readonly #config: IoPgtableConfig;
  readonly #kind: StrategyKind | undefined;
  readonly #strategy: Strategy | undefined;
  readonly #counts = { done: 0, maps: 0, unmaps: 0, failed: 0, skipped: 0 };
  readonly #lookups: IommuLookup[] = [];
  readonly #failures: IommuFailure[] = [];
  readonly #bugs: IommuBug[] = [];
  #crash: IommuCrash | null = null;
  /** Buffers that a careful driver could not map, and will not unmap. */
  readonly #unmapped = new Set<number>();
  /** Pages that somebody else took, by order. */
  readonly #exhausted: { pfn: Pfn; order: number }[] = [];
  #exhaustedPages = 0;
  readonly #pagesBefore: number;
  /** Of the first level. */
  #fixedPages = 0;
  readonly #tables = { allocated: 0, freed: 0, live: 0, peakLive: 0, above: 0 };
  #peakPages = 0;
  #pageSum = 0;

  constructor(load: IommuLoad, options: IommuOptions, hooks: RunHooks = {}) {
    this.#load = load;
    this.#options = options;
    this.#hooks = hooks;
    this.#config = { ...load.config, ...options.config };
    this.#kind = options.tables === undefined ? undefined : lookUp('strategy', options.tables, STRATEGIES);
    const machine = Machine.create({ ...machineOptions(options), ...this.#kind?.boot, bytes: true });
    this.machine = machine;
    this.#pagesBefore = machine.memory.takenPages();
    this.#strategy = this.#kind?.open(machine, { size: TABLE_BYTES, align: TABLE_BYTES, gfp: GFP.ATOMIC });
    const { faults, era } = options;
    const driver: ArmV7sOptions = {
      ...(this.#strategy && { tables: tableSource(this.#strategy) }),
      ...(faults && { faults }),
      ...(era && { era }),
      ...(hooks.freeEmpty && { freeEmpty: true }),
      onTable: (event, id, address) => this.#onTable(event, id, address),
    };
    this.domain = ArmV7sPageTable.create(machine, this.#config, driver);
    if (this.domain !== null) this.#fixedPages = 2 ** this.domain.l1.order;
    this.#checkWalks();
  }

  /** Does all that the load says, or as much as the kernel survives. */
  play(): void {
    const { domain } = this;
    if (domain === null) return;
    const { log } = this.machine;
    for (const step of this.#load.steps) {
      const printed = log.dropped + log.lines.length;
      const bugs = domain.bugs.length;
      try {
        const failure = this.#do(domain, step);
        if (failure !== undefined) {
          this.#counts.failed++;
          const messages = log.lines.slice(Math.max(0, printed - log.dropped)).slice(0, KEPT_LINES);
          if (this.#failures.length < KEPT) this.#failures.push({ ...at(step), ...failure, messages });
        }
      } catch (error) {
        if (!(error instanceof KernelWouldCrashError)) throw error;
        this.#crash = { ...at(step), message: error.message, outcome: error.outcome };
      }
      for (const { kind, iova, size, words } of domain.bugs.slice(bugs))
        if (this.#bugs.length < KEPT) this.#bugs.push({ ...at(step), kind, iova, size, words });
      this.#counts.done++;
      this.#pageSum += this.#tablePages();
      this.#hooks.onStep?.();
      if (this.#crash !== null) return;
    }
  }

  /** Live second-level tables in the order of what they map. */
  tables(): IommuTable[] {
    const tables = this.domain?.tables() ?? [];
    return tables
      .map(({ id, address, l1Index, used }) => ({
        id,
        address,
        iova: l1Index < 0 ? null : l1Index * SECTION,
        used,
      }))
      .sort(
        (a, b) => (a.iova ?? Number.POSITIVE_INFINITY) - (b.iova ?? Number.POSITIVE_INFINITY) || a.id - b.id,
      );
  }

  /** Sums up what there is, after a check of the machine. */
  summarize(): Omit<IommuResult, 'words' | 'freed' | 'freeEmpty'> {
    const { machine, domain } = this;
    machine.validate();
    const tables = this.tables();
    const walks: IommuWalk[] = (this.#options.walks ?? []).flatMap((iova) =>
      domain === null ? [] : [{ iova, steps: domain.walk(iova) }],
    );
    const { title, source, unit, steps } = this.#load;
    return {
      machine: {
        ...summarizeMachine(machineOptions(this.#options)),
        ram: ramOf(machineOptions(this.#options)),
      },
      load: {
        title,
        source,
        unit,
        operations: steps.length,
        ...this.#counts,
        bugs: domain?.bugCount ?? 0,
        warnings: domain?.warnings ?? 0,
      },
      domain: this.#summarizeDomain(),
      firstLevel: domain && this.#summarizeFirstLevel(domain, tables),
      secondLevel: this.#summarizeSecondLevel(tables),
      tables,
      lookups: this.#lookups,
      failures: this.#failures,
      bugs: this.#bugs,
      crash: this.#crash,
      walks,
    };
  }

  /** Frees the domain and what its tables came from. Null after a crash, and without a domain. */
  free(): IommuFreed | null {
    this.#release();
    if (this.#crash !== null) return null;
    const before = this.#tables.freed;
    this.domain?.free();
    this.machine.validate();
    if (this.domain === null) return null;
    const left = this.machine.memory.takenPages() - this.#pagesBefore;
    return { tables: this.#tables.freed - before, leftBytes: left * this.machine.kernel.pageSize };
  }

  // ---- operations --------------------------------------------------------------------------------------------------------------

  #do(domain: ArmV7sPageTable, step: IommuStep): Answer | undefined {
    switch (step.kind) {
      case 'map':
        this.#counts.maps++;
        return this.#map(domain, step);
      case 'map_pages': {
        this.#counts.maps++;
        const { iova, paddr, pgsize, count, prot, gfp } = step;
        const { ret, mapped } = domain.map(iova, paddr, pgsize, count, prot, gfp);
        return ret === 0
          ? undefined
          : { ret, error: errnoName(ret), asked: pgsize * count, achieved: mapped };
      }
      case 'unmap': {
        if (this.#unmapped.delete(step.iova)) {
          this.#counts.skipped++;
          return undefined;
        }
        this.#counts.unmaps++;
        return unmapAnswer(iommuUnmap(domain, step.iova, step.size).unmapped, step.size);
      }
      case 'unmap_pages': {
        this.#counts.unmaps++;
        const { iova, pgsize, count, queued } = step;
        const done = domain.unmap(iova, pgsize, count, queued ? 'queued' : 'plain');
        return unmapAnswer(done, pgsize * count);
      }
      case 'phys': {
        const paddr = domain.iovaToPhys(step.iova);
        if (this.#lookups.length < KEPT) this.#lookups.push({ line: step.line, iova: step.iova, paddr });
        return undefined;
      }
      case 'exhaust':
        if (!this.#hooks.ample) this.#exhaust();
        return undefined;
      case 'release':
        this.#release();
        return undefined;
    }
  }

  /** Chunk by chunk; what is mapped when one of them fails is taken back, as iommu_map_sg does. */
  #map(domain: ArmV7sPageTable, step: IommuStep & { kind: 'map' }): Answer | undefined {
    const { iova, paddr, size, chunk, stride, prot, gfp } = step;
    let at = paddr;
    for (let done = 0; done === 0 || done < size; done += chunk, at += stride) {
      const { ret } = iommuMap(domain, iova + done, at, Math.min(chunk, size - done), prot, gfp);
      if (ret !== 0) {
        if (done > 0) iommuUnmap(domain, iova, done);
        if (this.#load.careful) this.#unmapped.add(iova);
        return { ret, error: errnoName(ret), asked: size, achieved: 0 };
      }
      if (chunk === 0) break;
    }
    return undefined;
  }

  /** Takes every free page that a 32-bit entry could name, whatever the marks say. */
  #exhaust(): void {
    const gfp = (GFP.DMA32 | __GFP.MEMALLOC | __GFP.NOWARN) as Gfp;
    for (let order = this.machine.kernel.orders - 1; order >= 0; order--) {
      for (;;) {
        const pfn = this.machine.allocPages(gfp, order);
        if (pfn === NO_PFN) break;
        this.#exhausted.push({ pfn, order });
        this.#exhaustedPages += 2 ** order;
      }
    }
  }

  #release(): void {
    for (const { pfn, order } of this.#exhausted.splice(0)) this.machine.freePages(pfn, order);
    this.#exhaustedPages = 0;
  }

  // ---- what is held --------------------------------------------------------------------------------------------------------

  #onTable(event: 'alloc' | 'free', id: number, address: PhysAddr): void {
    const tables = this.#tables;
    if (event === 'alloc') {
      tables.allocated++;
      tables.live++;
      tables.peakLive = Math.max(tables.peakLive, tables.live);
      if (address + TABLE_BYTES > 2 ** 32) tables.above++;
      this.#peakPages = Math.max(this.#peakPages, this.#tablePages());
    } else {
      tables.freed++;
      tables.live--;
    }
    this.#hooks.onTable?.(event, id);
  }

  /** What the machine is missing for second-level tables. */
  #tablePages(): number {
    const taken = this.machine.memory.takenPages() - this.#pagesBefore;
    return taken - this.#fixedPages - this.#exhaustedPages;
  }

  // ---- summaries -----------------------------------------------------------------------------------------------------------

  #checkWalks(): void {
    const bits = this.domain?.config.ias ?? 32;
    for (const iova of this.#options.walks ?? []) {
      if (!Number.isSafeInteger(iova) || iova < 0 || iova >= 2 ** bits)
        throw new ArgumentError(
          `an input address has ${bits} bits here: there is no 0x${iova.toString(16)} to walk`,
        );
    }
  }

  #summarizeDomain(): IommuDomainSummary {
    const { domain } = this;
    const { ias = 32, oas = 32, quirks = 0, coherentWalk = true } = domain?.config ?? this.#config;
    const bitmap = domain?.config.pgsizeBitmap ?? 0;
    return {
      ias,
      oas,
      quirks: quirks === 0 ? [] : formatQuirks(quirks).split('|'),
      coherentWalk,
      pageSizes: Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter((size) => (bitmap & size) !== 0),
      tablesFrom: this.#kind?.id ?? 'driver',
      tablesFromName: this.#kind?.name ?? "the driver's own cache",
      faults: this.#options.faults ?? 'kernel',
      era: this.#options.era ?? 'current',
      refused: domain === null ? refusalOf(this.machine) : null,
      registers: domain && { ...domain.registers },
    };
  }

  #summarizeFirstLevel(domain: ArmV7sPageTable, tables: readonly IommuTable[]): FirstLevel {
    const { address, bytes, order } = domain.l1;
    const entries = Array.from(
      { length: bytes / 4 },
      (_, i) => LETTERS[domain.walk(i * SECTION)[0]!.kind] ?? '?',
    );
    const sections = entries.filter((letter) => letter === 's' || letter === 'S').length;
    const pages = tables.reduce((sum, { iova, used }) => sum + (iova === null ? 0 : used), 0);
    return {
      address,
      bytes,
      order,
      zone: this.machine.zoneOf(address) ?? 'none',
      entries: entries.join(''),
      mappedBytes: sections * SECTION + pages * 4096,
    };
  }

  #summarizeSecondLevel(tables: readonly IommuTable[]): SecondLevel {
    const { allocated, freed, live, peakLive, above } = this.#tables;
    const { pageSize } = this.machine.kernel;
    const cache = this.domain?.source.cache;
    return {
      allocated,
      freed,
      live,
      empty: tables.filter(({ used }) => used === 0).length,
      peakLive,
      endBytes: this.#tablePages() * pageSize,
      peakBytes: Math.max(this.#peakPages, this.#tablePages()) * pageSize,
      meanBytes: (this.#pageSum / Math.max(1, this.#counts.done)) * pageSize,
      above4GiB: above,
      cache: cache === undefined ? null : summarizeTables(cache),
    };
  }
}

function summarizeTables(cache: KmemCache): NonNullable<SecondLevel['cache']> {
  const { name, info } = cache;
  return { ...summarizeCache(cache, name === L2_CACHE_NAME ? null : name), slabs: info.nrSlabs };
}

const LETTERS: Readonly<Record<string, string>> = { fault: '.', table: 't', section: 's', supersection: 'S' };

/** What the kernel answered, where it refused. */
type Answer = Pick<IommuFailure, 'ret' | 'error' | 'asked' | 'achieved'>;

function unmapAnswer(done: number, asked: number): Answer | undefined {
  return done >= asked ? undefined : { ret: done, error: null, asked, achieved: done };
}

function at(step: IommuStep): { line: number; text: string } {
  return { line: step.line, text: formatIommuOperation(step as IommuOperation) };
}

/** Why the kernel makes no domain: the last thing that was said. */
export function refusalOf({ log }: Machine): string {
  return (log.lines.at(-1) ?? 'no reason is known').replace(/^alloc_io_pgtable_ops\(ARM_V7S\): /, '');
}

function machineOptions({ machine }: IommuOptions): MachineOptions {
  return { machine: DRIVER_BOARD, standing: true, ...machine };
}

function ramOf({ machine, memory }: MachineOptions) {
  return memoryMapOf(machine, memory).ram;
}

/** A strategy in the place of the driver's own cache. A cache gets each caller's gfp; the others have one of their own. */
function tableSource(strategy: Strategy): TableSource {
  const { cache } = strategy;
  return {
    ...(cache && { cache }),
    alloc: (gfp, cpu) => (cache === undefined ? strategy.alloc(cpu) : cache.alloc(gfp, cpu)),
    free: (address, cpu) => strategy.free(address, cpu),
    close: () => strategy.close(),
  };
}
