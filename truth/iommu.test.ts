/** The recorded workload's operations, done again: the tables that the kernel allocated and freed come out of them, event for event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { iommuWorkload, readRecordedLoad, readV7sWorkload, runIommu } from '#lab';
import { shippedText } from './sets.js';

const FILE = 'v7s-workload.json.gz';
const text = shippedText(FILE);
const load = readRecordedLoad(text, FILE);
const recorded = readV7sWorkload(text, FILE);

test('at the end 788 tables are live, of which 692 map nothing', () => {
  const {
    load: done,
    secondLevel,
    tables,
    freed,
    firstLevel,
    freeEmpty,
  } = runIommu(load, { freeEmpty: true });
  assert.deepEqual([done.operations, done.failed, done.bugs, done.warnings], [100_000, 0, 0, 0]);
  assert.deepEqual(
    [secondLevel.live, secondLevel.empty, secondLevel.peakLive, secondLevel.allocated],
    [788, recorded.endEmpty, recorded.peakLive, recorded.allocations],
  );
  assert.equal(recorded.endEmpty, 692);
  assert.equal(tables.filter(({ used }) => used === 0).length, 692);
  assert.equal([...firstLevel!.entries].filter((letter) => letter === 't').length, 788);
  assert.deepEqual(freed, { tables: 788, leftBytes: 0 });
  // What docs/iommu.md shows.
  const { freeing } = freeEmpty!;
  assert.deepEqual([freeing.live, freeing.empty, freeing.allocated], [96, 0, 204_326]);
  assert.deepEqual([freeing.endBytes, freeing.peakBytes], [112 * 1024, 896 * 1024]);
});

test('as a workload the operations are the recorded events', () => {
  const derived = iommuWorkload(load);
  assert.deepEqual(derived.events, recorded.events);
  assert.deepEqual(derived.opEnds, recorded.opEnds);
  assert.deepEqual(derived.drain, recorded.drain);
  assert.deepEqual([derived.endLive, derived.endEmpty], [recorded.endLive, recorded.endEmpty]);
});
