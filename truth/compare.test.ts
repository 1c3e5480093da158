/**
 * The main job on the recorded workload. The figures of whole pages, genalloc, page_frag and SLAB come from independent simulations (SLAB's
 * with the CPUs that SLUB's counters tell); those of SLUB from the counters that the recorded kernel showed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, readV7sWorkload } from '#lab';
import { shippedText } from './sets.js';

const FILE = 'v7s-workload.json.gz';
const workload = readV7sWorkload(shippedText(FILE), FILE);
const result = compare(workload);
const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(2);

test('the workload is the recorded one', () => {
  assert.equal(workload.events.length, 337_378);
  assert.equal(workload.allocations, 169_083);
  assert.equal(workload.frees, 168_295);
  assert.equal(workload.peakLive, 1636);
  assert.equal(workload.endLive, 788);
  assert.equal(workload.endEmpty, 692);
  assert.equal(workload.samples.length, 39);
});

const FIGURES: readonly (readonly [id: string, peak: string, mean: string, end: string, waste: string])[] = [
  ['slab-dma32', '1.62', '1.29', '1.55', '1.01'],
  ['page_frag-4k', '3.79', '2.55', '1.96', '2.37'],
  ['genalloc', '4.00', '4.00', '4.00', '2.50'],
  ['pages', '6.39', '4.06', '3.08', '4.00'],
  ['page_frag-32k', '14.03', '9.21', '7.31', '8.78'],
];

for (const [id, peak, mean, end, waste] of FIGURES) {
  test(`${id}: peak, mean, end and waste`, () => {
    const s = result.strategies.find((candidate) => candidate.id === id)!;
    assert.deepEqual(
      [mib(s.peakBytes), mib(s.meanBytes), mib(s.endBytes), s.wastePeak.toFixed(2)],
      [peak, mean, end, waste],
    );
    assert.equal(s.failed + s.refused, 0);
  });
}

test("the cache's footprint follows the recorded kernel's samples", () => {
  const { recorded, cache } = result.strategies.find((s) => s.id === 'slub-dma32')!;
  assert.equal(cache!.id, ':D-0001024');
  assert.equal(recorded!.samples, 39);
  // One move between two samples, or none, explains all but one of them in all six counters; there an object is counted otherwise.
  assert.equal(recorded!.agreed, 38);
  assert.equal(recorded!.slabsErrorMax, 0);
});

test('what SLAB keeps in its arrays when all is freed goes back when its reaper has been', () => {
  const { drainedBytes, reaped, peakPages } = result.strategies.find((s) => s.id === 'slab-dma32')!;
  assert.deepEqual([drainedBytes / 4096, peakPages.DMA32, reaped!.bytes], [218, 414, 0]);
  assert.ok(reaped!.seconds > 4 && reaped!.seconds < 120);
  assert.ok(
    result.words.some((line) =>
      /^When all is freed kmem cache, DMA32 \(SLAB\) still holds 872 KiB/.test(line),
    ),
  );
});

test('the answer: a DMA32 cache needs least, and without the flag every table is refused', () => {
  assert.deepEqual(
    result.strategies.slice(0, 2).map((s) => s.id),
    ['slab-dma32', 'slub-dma32'],
  );
  assert.equal(result.strategies.at(-1)!.id, 'slub');
  assert.equal(result.strategies.at(-1)!.refused, 169_083);
});
