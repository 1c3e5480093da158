/**
 * Numbers that are no CPU or no order are refused on every path and change nothing; counters and limits are unsigned, as the kernel's are.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, BadFreeError, type Gfp, NULL, type Order, type PhysAddr } from '../base/index.js';
import { GFP } from '../machine/index.js';
import { STAT, statistics, statisticsOf } from './cache/statistics.js';
import { Machine, type MachineOptions } from './machine.js';

/** What is passed by a caller that types do not hold back. */
const ODD = [
  -1,
  0.5,
  2,
  Number.NaN,
  2 ** 31,
  2 ** 32,
  2 ** 32 + 1,
  -(2 ** 32),
  Number.POSITIVE_INFINITY,
  '0',
  '1',
  null,
] as number[];

for (const options of [
  { kernel: 'library', memory: '64M' },
  { kernel: 'library', memory: '64M', liveCheck: true },
  { kernel: '6.1', memory: '64M' },
  { kernel: '6.1', memory: '64M', allocator: 'slab' },
] satisfies MachineOptions[]) {
  test(`a CPU that is none is refused and changes nothing: ${JSON.stringify(options)}`, () => {
    const machine = Machine.create({ ...options, cpus: 2, ledger: { caches: 100 } });
    const cache = machine.kmemCacheCreate('x', 100)!;
    const object = cache.alloc(GFP.KERNEL, 0);
    cache.free(cache.alloc(GFP.KERNEL, 1), 1);
    const small = machine.kmalloc(8, GFP.KERNEL, 0);
    machine.kfree(machine.kmalloc(8, GFP.KERNEL, 1), 1);
    const large = machine.kmalloc(100_000, GFP.KERNEL, 1);
    const before = machine.ledger.buffer.slice(0);
    for (const cpu of ODD) {
      const refused = (what: string, act: () => void) =>
        assert.throws(act, ArgumentError, `${what}, CPU ${cpu}`);
      refused('alloc', () => cache.alloc(GFP.KERNEL, cpu));
      refused('free', () => cache.free(object, cpu));
      refused('allocBulk', () => cache.allocBulk(3, GFP.KERNEL, cpu));
      refused('freeBulk', () => cache.freeBulk([object], cpu));
      refused('cpu', () => cache.cpu(cpu));
      refused('kmalloc', () => machine.kmalloc(8, GFP.KERNEL, cpu));
      refused('kmalloc of pages', () => machine.kmalloc(100_000, GFP.KERNEL, cpu));
      refused('kmalloc of nothing', () => machine.kmalloc(0, GFP.KERNEL, cpu));
      refused('kmallocAligned', () => machine.kmallocAligned(64, 64, GFP.KERNEL, cpu));
      refused('kfree', () => machine.kfree(small, cpu));
      refused('kfree of pages', () => machine.kfree(large, cpu));
      refused('krealloc', () => machine.krealloc(small, 4000, GFP.KERNEL, cpu));
      refused('setCpuPartial', () => cache.setCpuPartial(0, [cpu]));
      cache.freeRcu(object);
      refused('rcuBarrier', () => cache.rcuBarrier(cpu));
    }
    assert.deepEqual(new Uint8Array(machine.ledger.buffer), new Uint8Array(before));
    machine.validate();
  });
}

test('pages are given back by an order that there is', () => {
  const machine = Machine.create({ memory: '16M', cpus: 1 });
  const pfns = Array.from({ length: 8 }, () => machine.allocPages(GFP.KERNEL, 0 as Order));
  for (const pfn of pfns.slice(1, 6)) machine.freePages(pfn, 0 as Order);
  // A mark and a negative order may add up to another mark.
  const odd = [0.5, 11, 32, 64, 2 ** 31, 2 ** 32, Number.NaN, '0'] as number[];
  for (const order of [...Array.from({ length: 200 }, (_, i) => -1 - i), ...odd]) {
    for (const pfn of pfns)
      assert.throws(() => machine.freePages(pfn, order as Order), BadFreeError, `order ${order}`);
    machine.validate();
  }
  for (const pfn of [pfns[0]!, ...pfns.slice(6)]) machine.freePages(pfn, 0 as Order);
  machine.validate();
});

test('cpu_partial is unsigned: the largest limits keep as much as any large one', () => {
  const nodePartial = (objects: number): readonly number[] => {
    const machine = Machine.create({ memory: '16M', cpus: 2, slubMaxOrder: 0, slubNomerge: true });
    const cache = machine.kmemCacheCreate('x', 4096)!;
    cache.setCpuPartial(objects);
    const taken = Array.from({ length: 40 }, () => cache.alloc());
    for (const address of taken.slice(0, 30)) cache.free(address, 1);
    machine.validate();
    const { nrPartial, nrSlabs } = cache.info;
    return [nrPartial, nrSlabs];
  };
  const many = nodePartial(1000);
  assert.equal(many[0], 0);
  for (const objects of [0x3fffffff, 0x40000000, 0x7fffffff]) assert.deepEqual(nodePartial(objects), many);
});

test('a counter goes on beyond 2^31', () => {
  const machine = Machine.create({ memory: '16M', cpus: 1, statistics: true });
  const cache = machine.kmemCacheCreate('x', 64)!;
  const { ledger } = machine;
  const line = cache.id * 16;
  ledger.statistics[statisticsOf(line) + STAT.alloc_fastpath] = 2 ** 31 - 1;
  const first = cache.alloc();
  const second = cache.alloc();
  assert.notEqual(second, NULL);
  const { total, cpus } = statistics(ledger, cache.id)!.get('alloc_fastpath')!;
  assert.deepEqual([total, cpus], [2 ** 31, [2 ** 31]]);
  cache.freeBulk([first, second] as PhysAddr[]);
  assert.equal(cache.alloc(GFP.KERNEL as Gfp) === NULL, false);
  machine.validate();
});
