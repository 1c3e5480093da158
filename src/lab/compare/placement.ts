/**
 * # On which CPU did the recorded driver run?
 *
 * A recorded workload lists what was allocated and freed, not where: its process ran on either CPU of the recorded machine, and each
 * move left free objects behind on the CPU it came from, which shows in the footprint. But the recording holds the cache's counters
 * every 2500 operations, and the engine says what they would be:
 *
 *     operations             0 … 2500 … 5000 … 7500 …            52500 … 55000
 *     on CPU 0 throughout    751 objects ✓ ─▸ 803 ✓ ─▸ 796 ✗     1356 ✗
 *     on CPU 1 throughout                              824 ✓     1371 ✗
 *     from 0 to 1 in between                                     1394 ✓
 *
 * From the state at one sample, three kinds of stories are tried up to the next, and the one whose counters are nearest to the
 * recorded ones is kept:
 *  1. the process stayed where it was, or moved at the sample;
 *  2. it moved once in between: every STEP events a move is tried, in both directions;
 *  3. around the best BEST of those, every event.
 * A story that gives all six counters ends the search. In the shipped recording one move or none explains 38 of its 39 samples exactly;
 * in the other one an object is counted otherwise, and the number of slabs is the recorded one at all of them.
 */

import { LedgerFullError, MIB, NULL, type PhysAddr, pushAll, roundUp } from '../../base/index.js';
import { DRIVER_BOARD } from '../../machine/index.js';
import {
  type KmemCache,
  Machine,
  type MachineOptions,
  SLAB,
  type SysfsCounters,
  sysfsCounters,
} from '../../slab/index.js';
import type { SlabSample, Workload } from './workload.js';

/** The counters that a sample and sysfs share. */
export const SAMPLED: readonly (keyof SysfsCounters & keyof SlabSample)[] = [
  'objects',
  'totalObjects',
  'slabs',
  'partial',
  'objectsPartial',
  'cpuSlabs',
];

/** The recorded machine had two CPUs (truth/README.md). */
const CPUS = 2;
const STEP = 16;
const BEST = 30;
/** A workload that no such story explains must not be searched for minutes: then only the first kind is tried. */
const MOST_TRIALS = 25_000;

/**
 * The CPU of each event on a machine of so many; all 0 where there is one CPU only, where the workload was not sampled, or where its slabs
 * have another shape than the recorded ones.
 */
export function placeOnCpus(workload: Workload, machineCpus = CPUS): Uint8Array {
  const cpus = new Uint8Array(workload.events.length);
  if (machineCpus < CPUS) return cpus;
  const samples = workload.samples.filter((s) => s.op > 0 && s.op <= workload.opEnds.length);
  if (samples.length === 0) return cpus;
  const search = new PlacementSearch(workload);
  if (samples.some((s) => s.objectsPerSlab !== search.objectsPerSlab)) return cpus;
  let from = 0;
  let cpu = 0;
  for (const sample of samples) {
    const to = workload.opEnds[sample.op - 1]!;
    const story = search.explain(from, to, cpu, sample);
    // Nothing could be played: the workload holds more than its peak promised.
    if (story === undefined) return cpus.fill(0);
    cpus.fill(story.first, from, story.moveAt).fill(1 - story.first, story.moveAt, to);
    cpu = story.moveAt < to ? 1 - story.first : story.first;
    from = to;
  }
  return cpus.fill(cpu, from);
}

/** A process that began on a CPU and moved to the other one before an event; behind the last one if it stayed. */
interface Story {
  readonly first: number;
  readonly moveAt: number;
  readonly distance: number;
}

/** A machine with its driver's addresses, to be copied over and over: all of it lies in two arrays. */
interface State {
  readonly machine: Machine;
  readonly cache: KmemCache;
  readonly ledger: Uint8Array;
  readonly addresses: Float64Array;
}

class PlacementSearch {
  readonly #workload: Workload;
  /** At the last sample; along a story up to its move; to its end; and at the end of the best one. */
  readonly #start: State;
  readonly #before: State;
  readonly #after: State;
  readonly #best: State;
  #story: Story | undefined;
  #trials = 0;

  constructor(workload: Workload) {
    this.#workload = workload;
    const options = smallMachine(workload);
    this.#start = openState(workload, options);
    this.#before = openState(workload, options);
    this.#after = openState(workload, options);
    this.#best = openState(workload, options);
  }

  get objectsPerSlab(): number {
    return this.#start.cache.info.oo.objects;
  }

  /** The nearest story of the events up to a sample, which becomes the state from which the next one is explained. */
  explain(from: number, to: number, cpu: number, sample: SlabSample): Story | undefined {
    this.#story = undefined;
    for (const first of [cpu, 1 - cpu]) this.#tryMoves([to], first, from, to, sample);
    if (!this.#isExact() && this.#trials < MOST_TRIALS) {
      const coarse: Story[] = [];
      for (const first of [cpu, 1 - cpu])
        pushAll(coarse, this.#tryMoves(every(STEP, from, to), first, from, to, sample));
      coarse.sort((a, b) => a.distance - b.distance);
      for (const { first, moveAt } of coarse.slice(0, BEST)) {
        const around = every(1, Math.max(moveAt - STEP, from), Math.min(moveAt + STEP, to));
        this.#tryMoves(around, first, from, to, sample);
      }
    }
    if (this.#story !== undefined) copyState(this.#best, this.#start);
    return this.#story;
  }

  #isExact(): boolean {
    return this.#story?.distance === 0;
  }

  /** Tries moves in ascending order, so that what comes before them is played once. Ends with the first exact story. */
  #tryMoves(moves: Iterable<number>, first: number, from: number, to: number, sample: SlabSample): Story[] {
    const stories: Story[] = [];
    copyState(this.#start, this.#before);
    let at = from;
    for (const moveAt of moves) {
      if (this.#isExact() || !this.#play(this.#before, at, moveAt, first)) break;
      at = moveAt;
      this.#trials++;
      copyState(this.#before, this.#after);
      if (!this.#play(this.#after, moveAt, to, 1 - first)) continue;
      const story = { first, moveAt, distance: distanceTo(this.#after, sample) };
      stories.push(story);
      if (this.#story !== undefined && story.distance >= this.#story.distance) continue;
      this.#story = story;
      copyState(this.#after, this.#best);
    }
    return stories;
  }

  /** False if the small machine was too small. */
  #play({ cache, addresses }: State, from: number, to: number, cpu: number): boolean {
    const { events } = this.#workload;
    try {
      for (let i = from; i < to; i++) {
        const event = events[i]!;
        if (event < 0) {
          cache.free(addresses[-event - 1]! as PhysAddr, cpu);
          continue;
        }
        const address = cache.alloc(undefined, cpu);
        if (address === NULL) return false;
        addresses[event - 1] = address;
      }
      return true;
    } catch (error) {
      if (error instanceof LedgerFullError) return false;
      throw error;
    }
  }
}

/** Numbers strictly between two others, so far apart. */
function* every(step: number, from: number, to: number): Generator<number> {
  for (let at = from + step; at < to; at += step) yield at;
}

function copyState(from: State, to: State): void {
  to.ledger.set(from.ledger);
  to.addresses.set(from.addresses);
}

/** Slabs are what the footprint is made of, so a slab weighs as much as all of its objects. */
function distanceTo({ machine, cache }: State, sample: SlabSample): number {
  const ours = sysfsCounters(machine, cache);
  const weight = (field: (typeof SAMPLED)[number]) =>
    field === 'objects' || field === 'totalObjects' || field === 'objectsPartial' ? 1 : sample.objectsPerSlab;
  return SAMPLED.reduce((sum, field) => sum + weight(field) * Math.abs(ours[field] - sample[field]), 0);
}

function createTables(machine: Machine, { objectSize, objectAlign }: Workload): KmemCache {
  const flags = SLAB.CACHE_DMA32 | SLAB.PANIC;
  return machine.kmemCacheCreate('tables', objectSize, { align: objectAlign, flags })!;
}

/** Just large enough for the workload, so that copying its ledger costs little. */
function smallMachine(workload: Workload): MachineOptions {
  const { oo } = createTables(Machine.create({ cpus: CPUS }), workload).info;
  const slabs = Math.ceil((4 * workload.peakLive) / oo.objects) + 64;
  return {
    machine: DRIVER_BOARD,
    memory: roundUp(8 * MIB + slabs * 4096 * 2 ** oo.order, 4 * MIB),
    cpus: CPUS,
    ledger: { slabs, linkPages: Math.ceil((slabs * oo.objects) / 1024) + 8, caches: 1 },
  };
}

function openState(workload: Workload, options: MachineOptions): State {
  const machine = Machine.create(options);
  const cache = createTables(machine, workload);
  const ledger = new Uint8Array(machine.ledger.buffer);
  return { machine, cache, ledger, addresses: new Float64Array(workload.slots) };
}
