/**
 * The recordings of Linux' ARMv7 short-descriptor page tables (truth/README.md, "v7s"): what a file says, and a machine like the one
 * that it was recorded on.
 */

import { parseSize } from '../../base/index.js';
import { ArmV7sPageTable, IO_PGTABLE_QUIRK, type IoPgtableConfig } from '../../iommu/index.js';
import { Machine } from '../../slab/index.js';
import { bootOptions } from '../boot/index.js';
import { RecordedKernel } from './recording.js';
import { malformed } from './result.js';

export interface V7sMeta {
  readonly schema: string;
  /** The text of /proc/version; workloads do not have it. */
  readonly kernel?: string;
  readonly cmdline?: string;
  readonly memory?: string;
  readonly smp?: number;
}

export interface RecordedV7sConfig {
  readonly ias: number;
  readonly oas: number;
  /** Of cases, which also have quirks without a name. */
  readonly quirksHex?: string;
  readonly quirks: readonly string[];
  readonly pgsizes: string;
  readonly coherent: boolean;
}

/** `["a", id]` a second-level table was handed out, `["f", id]` it was given back. */
export type TableEvent = readonly ['a' | 'f', number];

/** flush_all, flush_walk, add_page. */
export type FlushCounts = readonly [all: number, walk: number, page: number];

/**
 * `["a"]`, `["w", iova, size, granule, n]` or `["p", iova, granule, granule, n]`: n calls in a row, each iova further by the size. Hex.
 */
export type TlbCall = readonly ['a'] | readonly ['w' | 'p', string, string, string, number];

/** How workloads were recorded, whose files do not say it. */
const WORKLOAD_META = { kernel: 'Linux version 6.1', cmdline: '', memory: '6G', smp: 2 } as const;

/** The recorded machine, on paper, with bytes for the tables. Throws ArgumentError for a kernel that there is no profile of. */
export function v7sMachine(meta: V7sMeta): Machine {
  const { kernel, cmdline, memory, smp } = { ...WORKLOAD_META, ...meta };
  const release = /^Linux version (\d+\.\d+)/.exec(kernel)?.[1];
  if (release === undefined) throw malformed('meta.kernel', 'Linux version …', kernel);
  const { profile } = new RecordedKernel({ kernel: release, boots: {} });
  return Machine.create({
    ...bootOptions(cmdline, profile),
    machine: 'x86_64',
    memory: parseSize(memory),
    cpus: smp,
    kernel: profile,
    bytes: true,
    // What it loses stays lost, as there.
    faithful: true,
    ledger: { slabs: 1 << 12, linkPages: 1 << 8, caches: 16 },
  });
}

/** Callbacks of one kind in a row, each at an address that is further by `size`. */
interface CallRun {
  readonly kind: 'a' | 'w' | 'p';
  readonly iova: number;
  readonly size: number;
  readonly granule: number;
  count: number;
}

/** What happened in a call: callbacks counted, callbacks in order, table events in order, warnings. */
export interface Observed {
  readonly flush: FlushCounts;
  readonly calls: readonly TlbCall[];
  readonly l2: readonly TableEvent[];
  readonly warn: number;
}

/** Everything that a domain says while it is used, as the recorder wrote it down. */
export class V7sObserver {
  readonly domain: ArmV7sPageTable | null;
  #counts: [number, number, number] = [0, 0, 0];
  #calls: CallRun[] = [];
  #tables: TableEvent[] = [];
  #zones: string[] = [];
  #warnings = 0;
  readonly #keepCalls: boolean;

  /** `keepCalls`: not only how many TLB callbacks, but which. */
  constructor(machine: Machine, recorded: RecordedV7sConfig, keepCalls: boolean) {
    this.#keepCalls = keepCalls;
    this.domain = ArmV7sPageTable.create(machine, configOf(recorded), {
      tlb: {
        flushAll: () => this.#call(0, 'a', 0, 0, 0),
        flushWalk: (iova, size, granule) => this.#call(1, 'w', iova, size, granule),
        addPage: (iova, granule) => this.#call(2, 'p', iova, granule, granule),
      },
      onTable: (event, id, address) => {
        this.#tables.push([event === 'alloc' ? 'a' : 'f', id]);
        if (event === 'alloc') this.#zones[id] = machine.zoneOf(address) ?? 'none';
      },
    });
  }

  /** What happened since the last time that this was asked. */
  take(): Observed {
    const warnings = this.domain?.warnings ?? 0;
    const taken: Observed = {
      flush: this.#counts,
      calls: this.#calls.map(writeRun),
      l2: this.#tables,
      warn: warnings - this.#warnings,
    };
    this.#warnings = warnings;
    this.#counts = [0, 0, 0];
    this.#calls = [];
    this.#tables = [];
    return taken;
  }

  /** Zones of all tables ever handed out, by id: runs of `[zone, how many]`. */
  zones(): [zone: string, count: number][] {
    const runs: [string, number][] = [];
    for (const zone of this.#zones) {
      const last = runs.at(-1);
      if (last?.[0] === zone) last[1]++;
      else runs.push([zone, 1]);
    }
    return runs;
  }

  #call(counter: 0 | 1 | 2, kind: CallRun['kind'], iova: number, size: number, granule: number): void {
    this.#counts[counter]++;
    if (!this.#keepCalls) return;
    const last = this.#calls.at(-1);
    const alike = last?.kind === kind && last.size === size && last.granule === granule && kind !== 'a';
    if (alike && last.iova + last.count * size === iova) last.count++;
    else this.#calls.push({ kind, iova, size, granule, count: 1 });
  }
}

function writeRun({ kind, iova, size, granule, count }: CallRun): TlbCall {
  return kind === 'a' ? ['a'] : [kind, hex(iova), hex(size), hex(granule), count];
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function configOf({ ias, oas, quirks, quirksHex, pgsizes, coherent }: RecordedV7sConfig): IoPgtableConfig {
  return {
    ias,
    oas,
    quirks: quirksHex === undefined ? quirksOf(quirks) : Number(quirksHex),
    pgsizeBitmap: Number(pgsizes),
    coherentWalk: coherent,
  };
}

function quirksOf(names: readonly string[]): number {
  const bits = new Map(Object.entries(IO_PGTABLE_QUIRK));
  return names.reduce((all, name) => {
    const bit = bits.get(name as keyof typeof IO_PGTABLE_QUIRK);
    if (bit === undefined) throw malformed('cfg.quirks', [...bits.keys()].join(', '), name);
    return all | bit;
  }, 0);
}
