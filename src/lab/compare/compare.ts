/**
 * # The question of the patch series: where should these objects come from?
 *
 *     workload ─▸ strategy 1 on a machine of its own ─▸ what it held, where, what failed
 *              ─▸ strategy 2 on a machine of its own ─▸ …
 *
 * Every strategy gets the same events on the same machine, freshly booted. What it holds is what the machine's zones are missing, so it
 * is measured alike for all. A table above 4 GiB, which a 32-bit entry refuses, stays live in the replay: the driver would give
 * it back and fail, and the memory figures would then compare a driver that works with one that does not.
 *
 *     const result = compare(workload, { machine: { machine: 'mt8173', cpus: 4 } });
 *     result.strategies[0].peakBytes
 */
import { ArgumentError, lookUp, NULL, type PhysAddr } from '../../base/index.js';
import { DRIVER_BOARD, GFP, memoryMapOf, ramBytes } from '../../machine/index.js';
import { hasAllocator, KERNELS, Machine, type MachineOptions, sysfsCounters } from '../../slab/index.js';
import { summarizeCache } from './cache-summary.js';
import { placeOnCpus, SAMPLED } from './placement.js';
import type {
  CompareResult,
  MachineSummary,
  RecordedCheck,
  StrategyResult,
  WorkloadSummary,
} from './result.js';
import { STRATEGIES } from './strategies.js';
import type { Strategy, StrategyKind } from './strategy.js';
import { compareWords } from './words.js';
import type { SlabSample, Workload } from './workload.js';

/** What to compare, and on which machine. */
export interface CompareOptions {
  readonly machine?: MachineOptions;
  /** Ids; all that the kernel has unless told. Throws UnknownNameError for another word. */
  readonly strategies?: readonly string[];
  /** Points of each series. */
  readonly points?: number;
}

/** A 32-bit table entry can name addresses below this. */
const ENTRY_LIMIT = 2 ** 32;
const MESSAGES = 5;
/** SLAB's reaper comes to a CPU every two seconds, and takes a fifth of what lies unused each time. */
const REAP_STEP_S = 2;
const REAP_MOST_S = 600;

/**
 * Runs a workload with each strategy, on a machine of its own each, and says what they came to, the best first: those that fail last, then
 * by what they hold at the peak. Throws ArgumentError for a number of points that is no count, UnknownNameError for a strategy that does
 * not exist.
 */
export function compare(workload: Workload, options: CompareOptions = {}): CompareResult {
  const points = options.points ?? 480;
  if (!Number.isInteger(points) || points < 1)
    throw new ArgumentError(`a series has at least one point, not ${points}`);
  const machineOptions: MachineOptions = { machine: DRIVER_BOARD, standing: true, ...options.machine };
  const kinds =
    options.strategies?.map((id) => lookUp('strategy', id, STRATEGIES)) ?? usualStrategies(machineOptions);
  const eventsPerPoint = Math.max(1, Math.ceil(workload.events.length / points));
  // Takes seconds, and only caches know CPUs.
  let placed: Uint8Array | undefined;
  const cpus = () => {
    placed ??= placeOnCpus(workload, machineOptions.cpus);
    return placed;
  };
  const results = kinds.map((kind) =>
    new StrategyRun(workload, cpus, kind, machineOptions, eventsPerPoint).run(),
  );
  results.sort((a, b) => fails(a) - fails(b) || a.peakBytes - b.peakBytes || a.meanBytes - b.meanBytes);
  const partial = {
    machine: summarizeMachine(machineOptions),
    workload: summarizeWorkload(workload, eventsPerPoint),
    strategies: results,
  };
  return { ...partial, words: compareWords(partial) };
}

/** Those with an allocator of their own only where the kernel has it. */
function usualStrategies({ kernel = '6.1' }: MachineOptions): StrategyKind[] {
  const profile = typeof kernel === 'object' ? kernel : lookUp('kernel', kernel, KERNELS);
  const isThere = ({ boot }: StrategyKind) => hasAllocator(profile, boot?.allocator ?? profile.allocator);
  return [...STRATEGIES.values()].filter(isThere);
}

/** 1 for a strategy that cannot serve this workload. */
function fails(result: StrategyResult): number {
  return result.failed > 0 || result.refused > 0 ? 1 : 0;
}

/** One strategy, on a machine of its own, through the whole workload. */
class StrategyRun {
  readonly #workload: Workload;
  readonly #kind: StrategyKind;
  readonly #machine: Machine;
  readonly #strategy: Strategy;
  readonly #mergedWith: string | null;
  readonly #series: number[] = [];
  readonly #eventsPerPoint: number;
  /** Address by slot; NULL where the allocation failed. */
  readonly #addresses: Float64Array;
  #failed = 0;
  #above = 0;
  readonly #messages: string[] = [];
  #agreed = 0;
  #firstDifference: string | null = null;
  readonly #slabErrors: number[] = [];
  /** The CPU of each event. */
  readonly #cpus: Uint8Array;

  constructor(
    workload: Workload,
    cpus: () => Uint8Array,
    kind: StrategyKind,
    machineOptions: MachineOptions,
    eventsPerPoint: number,
  ) {
    this.#workload = workload;
    this.#kind = kind;
    this.#eventsPerPoint = eventsPerPoint;
    this.#machine = Machine.create({ ...machineOptions, ...kind.boot });
    const standing = new Set(this.#machine.caches());
    this.#strategy = kind.open(this.#machine, {
      size: workload.objectSize,
      align: workload.objectAlign,
      gfp: GFP.ATOMIC,
    });
    const { cache } = this.#strategy;
    this.#cpus = cache === undefined ? new Uint8Array(workload.events.length) : cpus();
    this.#mergedWith = cache && standing.has(cache) ? cache.name : null;
    this.#addresses = new Float64Array(workload.slots);
  }

  run(): StrategyResult {
    const { events } = this.#workload;
    const { memory } = this.#machine;
    const pageSize = this.#machine.kernel.pageSize;
    const samples = this.#kind.isRecorded ? this.#comparableSamples() : new Map<number, SlabSample>();
    let heldPages = memory.takenPages();
    let peakPages = heldPages;
    let pageSum = 0;
    let pointPeak = 0;
    for (let i = 0; i < events.length; i++) {
      this.#play(events[i]!, this.#cpus[i]!);
      heldPages = memory.takenPages();
      pageSum += heldPages;
      if (heldPages > peakPages) peakPages = heldPages;
      if (heldPages > pointPeak) pointPeak = heldPages;
      if ((i + 1) % this.#eventsPerPoint === 0 || i + 1 === events.length) {
        this.#series.push(pointPeak * pageSize);
        pointPeak = heldPages;
      }
      const sample = samples.get(i + 1);
      if (sample !== undefined) this.#compareSample(sample);
    }
    const zones = this.#machine.zones();
    const { cache: tables } = this.#strategy;
    const cache = tables === undefined ? null : summarizeCache(tables, this.#mergedWith);
    this.#machine.validate('cheap');
    this.#strategy.validate();
    for (const slot of this.#workload.drain) this.#play(-slot - 1, this.#cpus.at(-1)!);
    const drainedPages = memory.takenPages();
    const reaped = this.#reap();
    this.#strategy.close();
    this.#machine.validate();
    const asked = this.#workload.peakLive * this.#workload.objectSize;
    const served = this.#workload.allocations - this.#failed;
    return {
      id: this.#kind.id,
      name: this.#kind.name,
      why: this.#kind.why,
      peakBytes: peakPages * pageSize,
      meanBytes: (pageSum / events.length) * pageSize,
      endBytes: heldPages * pageSize,
      drainedBytes: drainedPages * pageSize,
      reaped,
      wastePeak: (peakPages * pageSize) / asked,
      allocations: this.#workload.allocations,
      failed: this.#failed,
      above4GiB: this.#above,
      shareAbove4GiB: served === 0 ? 0 : this.#above / served,
      refused: this.#above,
      peakPages: Object.fromEntries(zones.map((zone) => [zone.name, zone.peakTaken])),
      cache,
      recorded: this.#recordedCheck(),
      series: this.#series,
      messages: [...this.#messages, ...this.#machine.log.lines].slice(0, MESSAGES),
    };
  }

  /**
   * Lets time pass until the reaper, where there is one, has nothing more to give back. A workload says in which order things happened and
   * not when, so that it is the only time that passes.
   */
  #reap(): StrategyResult['reaped'] {
    const { kernel, memory } = this.#machine;
    if (!kernel.has.reaper) return null;
    let pages = memory.takenPages();
    let seconds = 0;
    for (let passed = REAP_STEP_S; passed <= REAP_MOST_S; passed += REAP_STEP_S) {
      this.#machine.advance(REAP_STEP_S * 1000);
      const left = memory.takenPages();
      if (left < pages) seconds = passed;
      pages = left;
    }
    return { bytes: pages * kernel.pageSize, seconds };
  }

  #play(event: number, cpu: number): void {
    if (event > 0) {
      const address = this.#strategy.alloc(cpu);
      this.#addresses[event - 1] = address;
      if (address === NULL) this.#failed++;
      else if (address + this.#workload.objectSize > ENTRY_LIMIT) this.#refuse(address);
    } else {
      const address = this.#addresses[-event - 1]! as PhysAddr;
      // Its allocation had failed: there is nothing to give back.
      if (address !== NULL) this.#strategy.free(address, cpu);
    }
  }

  #refuse(address: number): void {
    this.#above++;
    if (this.#messages.length === 0) {
      this.#messages.push(`Page table does not fit in PTE: 0x${address.toString(16).padStart(16, '0')}`);
    }
  }

  /** The recorded samples by the event after which they were taken, if this cache's slabs have the recorded shape. */
  #comparableSamples(): Map<number, SlabSample> {
    const { cache } = this.#strategy;
    const { samples, opEnds } = this.#workload;
    const comparable = samples.filter(
      (s) => s.objectsPerSlab === cache?.info.oo.objects && opEnds.length >= s.op && s.op > 0,
    );
    return new Map(comparable.map((s) => [opEnds[s.op - 1]!, s]));
  }

  #compareSample(sample: SlabSample): void {
    const ours = sysfsCounters(this.#machine, this.#strategy.cache!);
    const differs = SAMPLED.find((field) => ours[field] !== sample[field]);
    this.#slabErrors.push(Math.abs(ours.slabs - sample.slabs) / sample.slabs);
    if (differs === undefined) this.#agreed++;
    else {
      this.#firstDifference ??= `after operation ${sample.op}: ${differs} is ${ours[differs]}, recorded ${sample[differs]}`;
    }
  }

  #recordedCheck(): RecordedCheck | null {
    if (this.#slabErrors.length === 0) return null;
    const errors = this.#slabErrors.toSorted((a, b) => a - b);
    return {
      samples: errors.length,
      agreed: this.#agreed,
      slabsErrorMedian: errors[errors.length >> 1]!,
      slabsErrorMax: errors.at(-1)!,
      firstDifference: this.#firstDifference,
    };
  }
}

/** What a machine is, in figures. */
export function summarizeMachine(options: MachineOptions): MachineSummary {
  const map = memoryMapOf(options.machine, options.memory);
  const machine = Machine.create({ ...options, standing: false });
  const above = map.ram.reduce((sum, r) => sum + Math.max(0, r.end - Math.max(r.start, ENTRY_LIMIT)), 0);
  return {
    name: map.name,
    title: map.title,
    kernel: machine.kernel.name,
    cpus: machine.cpus,
    ramBytes: ramBytes(map),
    ramStart: map.ram[0]!.start,
    ramAbove4GiB: above,
    zones: machine.zones().map((z) => ({ name: z.name, managedPages: z.managed })),
  };
}

function summarizeWorkload(workload: Workload, eventsPerPoint: number): WorkloadSummary {
  const asked: number[] = [];
  let live = 0;
  let most = 0;
  workload.events.forEach((event, i) => {
    live += event > 0 ? 1 : -1;
    most = Math.max(most, live);
    if ((i + 1) % eventsPerPoint === 0 || i + 1 === workload.events.length) {
      asked.push(most * workload.objectSize);
      most = live;
    }
  });
  return {
    title: workload.title,
    source: workload.source,
    objectSize: workload.objectSize,
    objectAlign: workload.objectAlign,
    events: workload.events.length,
    operations: workload.opEnds.length || workload.events.length,
    allocations: workload.allocations,
    frees: workload.frees,
    peakLive: workload.peakLive,
    meanLive: workload.meanLive,
    endLive: workload.endLive,
    endEmpty: workload.endEmpty ?? null,
    askedPeakBytes: workload.peakLive * workload.objectSize,
    asked,
    eventsPerPoint,
  };
}
