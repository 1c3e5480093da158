import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PhysAddr, Random } from '../../base/index.js';
import { Machine, SLAB, sysfsCounters } from '../../slab/index.js';
import { compare } from './compare.js';
import { placeOnCpus } from './placement.js';
import { type SlabSample, steadyWorkload, type Workload } from './workload.js';

const OPS_PER_SAMPLE = 1500;

/** A steady workload as a machine of two CPUs would have recorded it, with moves of which it keeps only the counters. */
function recorded(seed: number, movesBetween: number): Workload {
  const plain = steadyWorkload(200, seed, 9000);
  const random = new Random(seed + 1);
  const machine = Machine.create({ machine: 'mt8173', memory: 64 * 2 ** 20, cpus: 2 });
  const cache = machine.kmemCacheCreate('tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 })!;
  const addresses: PhysAddr[] = [];
  const samples: SlabSample[] = [];
  let cpu = 0;
  let moves: number[] = [];
  plain.events.forEach((event, i) => {
    const within = i % OPS_PER_SAMPLE;
    if (within === 0)
      moves = Array.from({ length: movesBetween }, () => 1 + random.below(OPS_PER_SAMPLE - 1));
    if (moves.includes(within)) cpu = 1 - cpu;
    if (event > 0) addresses[event - 1] = cache.alloc(undefined, cpu);
    else cache.free(addresses[-event - 1]!, cpu);
    if (within !== OPS_PER_SAMPLE - 1) return;
    samples.push({ op: i + 1, objectsPerSlab: cache.info.oo.objects, ...sysfsCounters(machine, cache) });
    // At a sample the process may come back anywhere.
    if (random.below(2) === 1) cpu = 1 - cpu;
  });
  return { ...plain, opEnds: Int32Array.from(plain.events, (_, i) => i + 1), samples };
}

test('a workload that was not sampled runs on CPU 0', () => {
  const cpus = placeOnCpus(steadyWorkload(30, 1, 1000));
  assert.equal(cpus.length, 1000);
  assert.ok(cpus.every((cpu) => cpu === 0));
});

test('slabs of another shape than the recorded ones cannot be compared', () => {
  const workload = recorded(1, 0);
  const other = { ...workload, samples: workload.samples.map((s) => ({ ...s, objectsPerSlab: 8 })) };
  assert.ok(placeOnCpus(other).every((cpu) => cpu === 0));
  assert.equal(compare(other, { strategies: ['slub-dma32'] }).strategies[0]!.recorded, null);
});

test('moves at samples are found: every counter of every sample agrees', () => {
  for (const seed of [1, 2, 3]) {
    const check = compare(recorded(seed, 0), { strategies: ['slub-dma32'] }).strategies[0]!.recorded!;
    assert.deepEqual([check.agreed, check.firstDifference], [check.samples, null]);
    assert.equal(check.samples, 6);
  }
});

test('one move between samples is found as well, or nearly', () => {
  let agreed = 0;
  let samples = 0;
  for (const seed of [1, 2, 3]) {
    const check = compare(recorded(seed, 1), { strategies: ['slub-dma32'] }).strategies[0]!.recorded!;
    agreed += check.agreed;
    samples += check.samples;
    assert.ok(check.slabsErrorMax < 0.1, `${check.slabsErrorMax} of the slabs`);
  }
  assert.ok(agreed > samples / 2, `${agreed} of ${samples} agree`);
});

test('a machine with one CPU has no choice', () => {
  const options = { machine: { cpus: 1 }, strategies: ['slub-dma32'] };
  assert.equal(compare(recorded(1, 1), options).strategies[0]!.failed, 0);
});
