import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, LedgerFullError, UnknownNameError } from '../../base/index.js';
import { rangesMap } from '../../machine/index.js';
import { compare } from './compare.js';
import { STRATEGIES } from './strategies.js';
import { steadyWorkload, WorkloadBuilder } from './workload.js';

const MIB = 2 ** 20;
const STEADY = steadyWorkload(30, 1, 2000);

test('every strategy is compared, best first and failing ones last', () => {
  const result = compare(STEADY, { points: 10 });
  assert.deepEqual(new Set(result.strategies.map((s) => s.id)), new Set(STRATEGIES.keys()));
  const working = result.strategies.filter((s) => s.refused === 0);
  assert.deepEqual(result.strategies.slice(0, working.length), working);
  for (let i = 1; i < working.length; i++) assert.ok(working[i]!.peakBytes >= working[i - 1]!.peakBytes);
  for (const s of result.strategies) {
    assert.equal(s.series.length, result.workload.asked.length);
    assert.equal(Math.max(...s.series), s.peakBytes);
    assert.ok(s.meanBytes <= s.peakBytes && s.endBytes <= s.peakBytes);
  }
  assert.ok(result.words.length >= 3);
});

test('whole pages cost exactly four times what 1 KiB tables ask for, at every moment', () => {
  const result = compare(STEADY, { strategies: ['pages'], points: 2000 });
  const [pages] = result.strategies;
  assert.equal(pages!.wastePeak, 4);
  assert.deepEqual(
    pages!.series,
    result.workload.asked.map((bytes) => 4 * bytes),
  );
  assert.equal(pages!.meanBytes, STEADY.meanLive * 4096);
  assert.equal(pages!.drainedBytes, 0);
});

test('without the flag every table on mt8173 is refused; with 2 GiB of RAM none is', () => {
  const above = compare(STEADY, { strategies: ['slub'] }).strategies[0]!;
  assert.equal(above.refused, STEADY.allocations);
  assert.equal(above.shareAbove4GiB, 1);
  assert.match(above.messages[0]!, /^Page table does not fit in PTE: 0x00000001[0-9a-f]{8}$/);
  assert.equal(above.cache!.mergedWith, 'biovec-64');
  const below = compare(STEADY, { machine: { memory: 2048 * MIB }, strategies: ['slub'] }).strategies[0]!;
  assert.equal(below.refused, 0);
});

test('a machine without memory below 4 GiB fails the strategies that promise it, and says so in words', () => {
  const map = rangesMap('8G-9G', 'mt8173');
  const result = compare(STEADY, { machine: { machine: map } });
  for (const s of result.strategies) {
    if (STRATEGIES.get(s.id)!.promisesBelow4GiB) assert.equal(s.failed, s.allocations, s.id);
    else assert.equal(s.refused, s.allocations);
  }
  assert.match(result.words[0]!, /^No strategy/);
});

test('debugging makes a table of 1 KiB cost 3 KiB', () => {
  const [debug] = compare(STEADY, { strategies: ['slub-dma32-debug'] }).strategies;
  assert.equal(debug!.cache!.slabSize, 3072);
  assert.equal(debug!.cache!.objectsPerSlab, 10);
});

test('what cannot be compared is refused by name', () => {
  assert.throws(
    () => compare(STEADY, { strategies: ['slub-dma23'] }),
    (error) => {
      assert.ok(error instanceof UnknownNameError);
      assert.ok(error.suggestions.includes('slub-dma32'));
      return true;
    },
  );
  assert.throws(() => compare(STEADY, { machine: { machine: 'mt8137' } }), UnknownNameError);
  assert.throws(() => compare(STEADY, { points: 0 }), ArgumentError);
  assert.throws(() => compare(STEADY, { machine: { cpus: 0 } }), ArgumentError);
});

test('a ledger that is too small says which table is full, and is no out-of-memory', () => {
  const builder = new WorkloadBuilder();
  for (let id = 0; id < 100; id++) builder.alloc(id);
  const workload = builder.build({ title: 't', source: 's', objectSize: 1024, objectAlign: 1024 });
  const options = { machine: { ledger: { slabs: 2 } }, strategies: ['slub-dma32'] };
  assert.throws(() => compare(workload, options), LedgerFullError);
});
