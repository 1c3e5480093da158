import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MIB, NULL, type PhysAddr } from '../../base/index.js';
import { clearStatistics, STATISTICS, type Statistic, statistics } from '../cache/statistics.js';
import { Machine, type MachineOptions } from '../machine.js';

function counting(options: MachineOptions = {}): Machine {
  return Machine.create({ machine: 'x86_64', memory: 32 * MIB, cpus: 2, statistics: true, ...options });
}

/** Totals that are not 0. */
function totals(machine: Machine, cache: number): Partial<Record<Statistic, number>> {
  const counts = [...statistics(machine.ledger, cache)!].filter(([, { total }]) => total !== 0);
  return Object.fromEntries(counts.map(([name, { total }]) => [name, total]));
}

test('a machine that does not count has no counters, and its ledger no room for them', () => {
  const machine = Machine.create({ machine: 'x86_64', memory: 32 * MIB });
  const cache = machine.kmemCacheCreate('objects', 64)!;
  assert.equal(statistics(machine.ledger, cache.id), undefined);
  assert.equal(machine.ledger.statistics.length, 0);
  clearStatistics(machine.ledger, cache.id);
});

test('the first slab, the fast paths, and a free from another CPU', () => {
  const machine = counting();
  const cache = machine.kmemCacheCreate('objects', 1024)!;
  const perSlab = cache.info.oo.objects;
  const objects = Array.from({ length: perSlab }, () => cache.alloc());
  assert.deepEqual(totals(machine, cache.id), {
    alloc_fastpath: perSlab - 1,
    alloc_slowpath: 1,
    alloc_slab: 1,
  });
  cache.free(objects[0]!, 0);
  cache.free(objects[1]!, 1);
  assert.deepEqual(statistics(machine.ledger, cache.id)!.get('free_slowpath'), { total: 1, cpus: [0, 1] });
  assert.deepEqual(statistics(machine.ledger, cache.id)!.get('free_frozen'), { total: 1, cpus: [0, 1] });
  // The CPU's own list first, then what the other CPU freed.
  cache.alloc();
  cache.alloc();
  assert.equal(totals(machine, cache.id).alloc_refill, 1);
  clearStatistics(machine.ledger, cache.id, ['alloc_refill']);
  assert.equal(totals(machine, cache.id).alloc_refill, undefined);
  assert.equal(totals(machine, cache.id).alloc_slab, 1);
  machine.validate();
});

test('shrinking counts what a CPU gives up', () => {
  const machine = counting();
  const cache = machine.kmemCacheCreate('objects', 1024)!;
  const object = cache.alloc();
  cache.shrink();
  const { cpuslab_flush, deactivate_to_head } = totals(machine, cache.id);
  assert.deepEqual({ cpuslab_flush, deactivate_to_head }, { cpuslab_flush: 1, deactivate_to_head: 1 });
  cache.free(object);
  machine.validate();
});

test('every allocation and free is counted once, and what was made and freed adds up', () => {
  const step = fc.tuple(fc.nat(99), fc.nat(1));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), fc.constantFrom(64, 700, 4096), (steps, size) => {
      const machine = counting();
      const cache = machine.kmemCacheCreate('objects', size)!;
      const live: PhysAddr[] = [];
      let allocs = 0;
      let frees = 0;
      for (const [what, cpu] of steps) {
        if (what < 55 || live.length === 0) {
          const object = cache.alloc(undefined, cpu);
          assert.notEqual(object, NULL);
          live.push(object);
          allocs++;
        } else {
          cache.free(live.splice(what % live.length, 1)[0]!, cpu);
          frees++;
        }
      }
      const { alloc_fastpath: fast = 0, alloc_slowpath: slow = 0, ...t } = totals(machine, cache.id);
      assert.equal(fast + slow, allocs);
      assert.equal((t.free_fastpath ?? 0) + (t.free_slowpath ?? 0), frees);
      assert.equal((t.alloc_slab ?? 0) - (t.free_slab ?? 0), cache.info.nrSlabs);
      // Each slow allocation ends in one of the five ways to find an object.
      const found = (t.alloc_refill ?? 0) + (t.alloc_from_partial ?? 0) + (t.alloc_slab ?? 0);
      assert.equal(found, slow);
      machine.validate();
    }),
    { numRuns: 40 },
  );
});

test('the counters have the kernel’s names', () => {
  assert.equal(STATISTICS.length, 26);
  assert.equal(new Set(STATISTICS).size, 26);
});
