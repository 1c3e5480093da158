/**
 * # On which CPU did the recorded driver run?
 *
 * A recorded workload lists what was allocated and freed, not where: its process ran on either CPU of the recorded machine, and each
 * move left free objects behind on the CPU it came from, which shows in the footprint. But the recording holds the cache's counters
 * every 2500 operations, and the engine says what they would be:
 *
 *     operations   0 … 2500 … 5000 … 7500 …
 *     on CPU 0     751 objects ✓ ─▸ 803 ✓ ─▸ 796 ✗
 *     on CPU 1                              824 ✓ ─▸ …
 *
 * Between two samples the CPU is taken to be the same. From the state at the last sample both CPUs are tried, and the one whose
 * counters are nearer to the recorded ones is kept. As long as the process moved between samples only, all six counters come out exactly;
 * where it moved in between, the nearest stays near. On the shipped recording the first twenty samples are exact.
 */
import { MIB, type PhysAddr, roundUp } from '../base/index.js';
import { type KmemCache, Machine, SLAB } from '../slab/index.js';
import { type SysfsCounters, sysfsCounters } from '../text/index.js';
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

interface Attempt {
  readonly ledger: ArrayBuffer | SharedArrayBuffer;
  readonly addresses: Float64Array;
  readonly distance: number;
}

/** The CPU of each event; all 0 where the workload was not sampled or its slabs have another shape than the recorded ones. */
export function placeOnCpus(workload: Workload): Uint8Array {
  const cpus = new Uint8Array(workload.events.length);
  const samples = workload.samples.filter((s) => s.op > 0 && s.op <= workload.opEnds.length);
  if (samples.length === 0) return cpus;
  const machine = smallMachine(workload);
  const cache = openCache(machine, workload);
  if (samples.some((s) => s.objectsPerSlab !== cache.info.oo.objects)) return cpus;
  let kept: Attempt = {
    ledger: machine.ledger.buffer,
    addresses: new Float64Array(workload.slots),
    distance: 0,
  };
  let from = 0;
  let cpu = 0;
  for (const sample of samples) {
    const to = workload.opEnds[sample.op - 1]!;
    const attempts = Array.from({ length: CPUS }, (_, on) => attempt(workload, kept, from, to, on, sample));
    // The first samples cannot tell the CPUs apart: then it stays where it was.
    const nearest = Math.min(...attempts.map((a) => a.distance));
    if (attempts[cpu]!.distance !== nearest) cpu = attempts.findIndex((a) => a.distance === nearest);
    cpus.fill(cpu, from, to);
    kept = attempts[cpu]!;
    from = to;
  }
  cpus.fill(cpu, from);
  return cpus;
}

/** Plays the events between two samples on one CPU, on a copy of the state, and measures how far the counters are off. */
function attempt(
  workload: Workload,
  start: Attempt,
  from: number,
  to: number,
  cpu: number,
  sample: SlabSample,
): Attempt {
  const machine = Machine.open(start.ledger.slice(0));
  const cache = machine.caches()[0]!;
  const addresses = start.addresses.slice();
  for (let i = from; i < to; i++) {
    const event = workload.events[i]!;
    if (event > 0) addresses[event - 1] = cache.alloc(undefined, cpu);
    else cache.free(addresses[-event - 1]! as PhysAddr, cpu);
  }
  const ours = sysfsCounters(machine, cache);
  // Slabs are what the footprint is made of, so a slab weighs as much as all of its objects.
  const weight = (field: keyof SlabSample) =>
    field === 'objects' || field === 'totalObjects' || field === 'objectsPartial' ? 1 : sample.objectsPerSlab;
  const distance = SAMPLED.reduce(
    (sum, field) => sum + weight(field) * Math.abs(ours[field] - sample[field]),
    0,
  );
  return { ledger: machine.ledger.buffer, addresses, distance };
}

/** Just large enough for the workload, so that copying its ledger costs little. */
function smallMachine(workload: Workload): Machine {
  const memory = roundUp(16 * MIB + 8 * workload.peakLive * workload.objectSize, 4 * MIB);
  return Machine.create({
    machine: 'mt8173',
    memory,
    cpus: CPUS,
    ledger: {
      slabs: 4 * workload.peakLive + 64,
      linkPages: Math.ceil(workload.peakLive / 256) + 64,
      caches: 1,
    },
  });
}

function openCache(machine: Machine, { objectSize, objectAlign }: Workload): KmemCache {
  return machine.kmemCacheCreate('tables', objectSize, {
    align: objectAlign,
    flags: SLAB.CACHE_DMA32 | SLAB.PANIC,
  })!;
}
