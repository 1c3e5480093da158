/**
 * Holds the page tables and the IOMMU core's cutting against a recorded workload (truth/README.md, "v7s-workload"): each buffer is mapped
 * and unmapped again as the core does it, and compared are how many calls of the driver that took, how many TLB callbacks of each kind,
 * and every second-level table handed out and given back on the way, in order; also the counts every 500 operations, the final free of
 * the domain, and how many tables were empty then.
 *
 * A case is an operation, a row of `live`, or a run's beginning or end. What the kernel's cache looked like (`slabSamples`) is compare's
 * matter.
 */
import { type ArmV7sPageTable, iommuMap, iommuUnmap } from '../../iommu/index.js';
import { type Expect, malformed, type SetResult, SetTally } from './result.js';
import {
  type FlushCounts,
  hex,
  type RecordedV7sConfig,
  type TableEvent,
  type V7sMeta,
  V7sObserver,
  v7sMachine,
} from './v7s-recording.js';

type Tail = readonly [calls: number, flushes: FlushCounts, events: readonly TableEvent[]];
type RecordedRow =
  /** Physical chunk k is [base + k × stride, + chunk); the last one is cut to the length. */
  | readonly ['B', iova: number, length: number, base: number, chunk: number, stride: number, ...Tail]
  | readonly ['V', iova: number, length: number, ...Tail];

interface RecordedRun {
  readonly cmdline?: string;
  readonly create: { readonly l1zone: string; readonly ttbrLow: string };
  readonly ops: readonly RecordedRow[];
  /** Operations done, tables live, handed out so far, given back so far. */
  readonly live: readonly (readonly [ops: number, live: number, allocs: number, frees: number])[];
  readonly peak: number;
  readonly allocs: number;
  readonly frees: number;
  /** Of the driver, in all. */
  readonly calls: number;
  readonly freeAll: readonly TableEvent[];
  readonly l2zones: readonly (readonly [zone: string, count: number])[];
  readonly leaked: readonly number[];
  /** Live at the end, before the domain was freed, and how many of them held nothing. */
  readonly finalL1tables: number;
  readonly finalEmptyTables: number;
}

export interface V7sWorkloadRecording {
  readonly meta: V7sMeta & { readonly cfg: RecordedV7sConfig; readonly prot: number };
  readonly runs: readonly RecordedRun[];
}

/** Throws ArgumentError if the recording is not such a workload. */
export function verifyV7sWorkload(recording: V7sWorkloadRecording, set: string): SetResult {
  const { meta, runs } = recording;
  if (typeof meta.cfg !== 'object' || typeof meta.prot !== 'number')
    throw malformed(`${set}, meta`, '`cfg` and a number `prot`', meta);
  if (!Array.isArray(runs) || runs.length === 0) throw malformed(set, '`runs` with a run', runs);
  const tally = new SetTally(set);
  let calls = 0;
  let events = 0;
  runs.forEach((run: RecordedRun, i) => {
    const name = `run ${i}`;
    checkRun(run, name);
    const replay = new WorkloadReplay(meta, run, name);
    replay.play(tally);
    calls += replay.calls;
    events += replay.allocs + replay.frees;
  });
  return { ...tally.result(), note: `${calls} calls of the driver, ${events} table events` };
}

class WorkloadReplay {
  calls = 0;
  allocs = 0;
  frees = 0;
  #peak = 0;
  readonly #run: RecordedRun;
  readonly #name: string;
  readonly #observer: V7sObserver;
  readonly #domain: ArmV7sPageTable;
  readonly #prot: number;

  constructor(meta: V7sWorkloadRecording['meta'], run: RecordedRun, name: string) {
    this.#run = run;
    this.#name = name;
    this.#prot = meta.prot;
    const machine = v7sMachine({ ...meta, ...(run.cmdline !== undefined && { cmdline: run.cmdline }) });
    this.#observer = new V7sObserver(machine, meta.cfg, false);
    const { domain } = this.#observer;
    if (domain === null) throw malformed(name, 'a configuration that the driver accepts', meta.cfg);
    this.#domain = domain;
  }

  play(tally: SetTally): void {
    const { ops, live } = this.#run;
    tally.case(`${this.#name}, create`, (expect) => this.#verifyCreate(expect));
    const rows = new Map(live.map((row) => [row[0], row]));
    ops.forEach((row, i) => {
      tally.case(
        () => `${this.#name}, op ${i} '${row[0]}'`,
        (expect) => this.#verifyRow(row, expect),
      );
      const counted = rows.get(i + 1);
      if (counted === undefined) return;
      rows.delete(i + 1);
      const got = [i + 1, this.#domain.liveTables, this.allocs, this.frees];
      tally.case(`${this.#name}, live after ${i + 1}`, (expect) => expect('live', counted, got));
    });
    for (const row of rows.values())
      tally.case(`${this.#name}, live after ${row[0]}`, (expect) => expect('operations', row[0], ops.length));
    tally.case(`${this.#name}, end`, (expect) => this.#verifyEnd(expect));
  }

  #verifyCreate(expect: Expect): void {
    const { registers, l1, machine } = this.#domain;
    const got = { l1zone: machine.zoneOf(l1.address), ttbrLow: hex(registers.ttbr & 0x7f) };
    expect('create', this.#run.create, got);
  }

  #verifyRow(row: RecordedRow, expect: Expect): void {
    const [calls, flushes, events] = tailOf(row);
    const done = row[0] === 'B' ? this.#map(row) : iommuUnmap(this.#domain, row[1], row[2]);
    const got = this.#observer.take();
    this.calls += done.calls;
    for (const [kind] of got.l2) {
      if (kind === 'a') this.allocs++;
      else this.frees++;
      this.#peak = Math.max(this.#peak, this.allocs - this.frees);
    }
    expect('bytes', row[2], 'mapped' in done ? done.mapped : done.unmapped);
    expect('calls', calls, done.calls);
    expect('flush', flushes, got.flush);
    expect('l2', events, got.l2);
    expect('warn', 0, got.warn);
  }

  #map(row: RecordedRow & { 0: 'B' }): { mapped: number; calls: number } {
    const [, iova, length, base, chunk, stride] = row;
    let mapped = 0;
    let calls = 0;
    for (let from = base; mapped < length; from += stride) {
      const step = iommuMap(this.#domain, iova + mapped, from, Math.min(chunk, length - mapped), this.#prot);
      calls += step.calls;
      if (step.ret !== 0) break;
      mapped += step.mapped;
    }
    return { mapped, calls };
  }

  #verifyEnd(expect: Expect): void {
    const run = this.#run;
    const tables = this.#domain.tables();
    expect('calls', run.calls, this.calls);
    expect('peak', run.peak, this.#peak);
    expect('allocs', run.allocs, this.allocs);
    expect('frees', run.frees, this.frees);
    expect('finalL1tables', run.finalL1tables, tables.filter(({ l1Index }) => l1Index >= 0).length);
    expect('finalEmptyTables', run.finalEmptyTables, tables.filter(({ used }) => used === 0).length);
    this.#domain.free();
    expect('freeAll', run.freeAll, this.#observer.take().l2);
    expect(
      'leaked',
      run.leaked,
      this.#domain.tables().map(({ id }) => id),
    );
    expect('l2zones', run.l2zones, this.#observer.zones());
    this.#domain.machine.validate();
  }
}

function tailOf(row: RecordedRow): Tail {
  return row[0] === 'B' ? [row[6], row[7], row[8]] : [row[3], row[4], row[5]];
}

/** Throws ArgumentError for what is none, so that nothing passes by not being there. */
function checkRun(run: RecordedRun, name: string): void {
  for (const list of ['ops', 'live', 'freeAll', 'l2zones', 'leaked'] as const) {
    if (!Array.isArray(run?.[list])) throw malformed(name, `a list \`${list}\``, run?.[list]);
  }
  run.ops.forEach((row: RecordedRow, i) => {
    const length = row?.[0] === 'B' ? 9 : row?.[0] === 'V' ? 6 : -1;
    const numbers = Array.isArray(row) ? row.slice(1, length - 2) : [];
    if (row?.length !== length || !numbers.every((value) => typeof value === 'number'))
      throw malformed(`${name}, op ${i}`, '["B", 6 numbers, flushes, events] or ["V", 3 numbers, …]', row);
    if (row[0] === 'B' && (row[2] <= 0 || row[4] <= 0))
      throw malformed(`${name}, op ${i}`, 'a buffer and chunks of at least a byte', row);
  });
}
