import type { ZoneName } from '../../machine/index.js';

/** The result as `--json` prints it. Bytes everywhere. */
export interface CompareResult {
  readonly machine: MachineSummary;
  readonly workload: WorkloadSummary;
  /** Best first: those that serve every table by peak, then those that fail some. */
  readonly strategies: readonly StrategyResult[];
  /** The comparison in sentences. */
  readonly words: readonly string[];
}

/** The machine that was compared on. Bytes. */
export interface MachineSummary {
  readonly name: string;
  readonly title: string;
  readonly kernel: string;
  readonly cpus: number;
  readonly ramBytes: number;
  readonly ramStart: number;
  readonly ramAbove4GiB: number;
  readonly zones: readonly { readonly name: ZoneName; readonly managedPages: number }[];
}

/** The workload that was run: objects live, and bytes where a name says so. */
export interface WorkloadSummary {
  readonly title: string;
  readonly source: string;
  readonly objectSize: number;
  readonly objectAlign: number;
  readonly events: number;
  readonly operations: number;
  readonly allocations: number;
  readonly frees: number;
  readonly peakLive: number;
  readonly meanLive: number;
  readonly endLive: number;
  readonly endEmpty: number | null;
  /** Bytes of the tables that are live at the peak. */
  readonly askedPeakBytes: number;
  /** The most bytes asked for within each point of the series. */
  readonly asked: readonly number[];
  readonly eventsPerPoint: number;
}

/** What one strategy came to. Bytes held are those of all pages that it took. */
export interface StrategyResult {
  readonly id: string;
  readonly name: string;
  readonly why: string;
  readonly peakBytes: number;
  /** Over the events. */
  readonly meanBytes: number;
  /** When the last event has happened; `drainedBytes` when everything was given back after it. */
  readonly endBytes: number;
  readonly drainedBytes: number;
  /** With SLAB, what of `drainedBytes` stays when its reaper has been, and seconds until then; null for the others: they have none. */
  readonly reaped: { readonly bytes: number; readonly seconds: number } | null;
  /** peakBytes ÷ what the tables live at the workload's peak ask for. */
  readonly wastePeak: number;
  readonly allocations: number;
  /** Allocations that found no memory. */
  readonly failed: number;
  /** Allocations that ended above 4 GiB, and their share of those that were served. */
  readonly above4GiB: number;
  readonly shareAbove4GiB: number;
  /** Tables whose address does not fit a 32-bit entry. */
  readonly refused: number;
  /** The most pages held at the same time, by zone. */
  readonly peakPages: Readonly<Partial<Record<ZoneName, number>>>;
  /** What the cache looks like, if the strategy is one. */
  readonly cache: CacheSummary | null;
  /** The counters of the recorded kernel's cache against this one's, where both have slabs of the same shape. */
  readonly recorded: RecordedCheck | null;
  /** The most bytes held within each point. */
  readonly series: readonly number[];
  /** The kernel's messages, the first few. */
  readonly messages: readonly string[];
}

/** The kmem cache behind a strategy. Bytes. */
export interface CacheSummary {
  readonly name: string;
  readonly id: string;
  readonly slabSize: number;
  readonly order: number;
  readonly objectsPerSlab: number;
  readonly orderFallbacks: number;
  /** The standing cache that it is an alias of. */
  readonly mergedWith: string | null;
}

/** How a run agrees with the samples that were recorded of the same workload. */
export interface RecordedCheck {
  readonly samples: number;
  /** Samples at which every counter is the recorded one. */
  readonly agreed: number;
  /** How far our number of slabs is from the recorded one, relative to it. */
  readonly slabsErrorMedian: number;
  readonly slabsErrorMax: number;
  readonly firstDifference: string | null;
}
