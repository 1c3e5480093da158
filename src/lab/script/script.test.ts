/** Scripts: what they do to a machine, and what a wrong line says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError, InputError, MIB, type PhysAddr, Random } from '../../base/index.js';
import { Machine, type MachineOptions, SLAB } from '../../slab/index.js';
import { machineAtPeak } from '../compare/peak.js';
import { steadyWorkload } from '../compare/workload.js';
import { parseScript, runScript, takeAtRandom } from './script.js';

function machineWith(options: MachineOptions = {}): Machine {
  return Machine.create({
    memory: 64 * MIB,
    cpus: 2,
    ledger: { caches: 256, slabs: 4096, linkPages: 128 },
    ...options,
  });
}

function ran(text: string, options?: MachineOptions): Machine {
  const machine = machineWith(options);
  runScript(machine, parseScript(text, 'test.slab'));
  machine.validate();
  return machine;
}

const live = (machine: Machine, name: string) => machine.findCache(name)!.live;

test('caches are made with all that a line says', () => {
  const machine = ran(`
    # comment
    create a 1K align=0x400 flags=CACHE_DMA32,SLAB_PANIC   # more
    create b 100 ctor usersize=8 useroffset=4
  `);
  const { align, flags, size } = machine.findCache('a')!.info;
  assert.deepEqual([align, size], [1024, 1024]);
  assert.ok(flags & SLAB.CACHE_DMA32 && flags & SLAB.PANIC);
  const b = machine.findCache('b')!.info;
  assert.deepEqual([b.ctor, b.useroffset, b.usersize], [true, 4, 8]);
});

test('each name has its own objects, also where names share a cache', () => {
  const machine = ran(`
    create a 1024
    create b 1024
    alloc a 30
    alloc b 5 cpu=1
    free a all
    free b 2 order=fifo
  `);
  assert.equal(machine.findCache('b'), undefined);
  assert.equal(live(machine, 'a'), 3);
});

test('objects are freed newest first, oldest first, or anyhow but always the same', () => {
  const indexes = (order: string) => {
    const machine = ran(`create a 1024\nalloc a 16\nfree a 4 ${order}`);
    const cache = machine.findCache('a')!;
    return [1, 2, 3, 4].map(() => machine.whereIs(cache.alloc())!.index);
  };
  // What was freed last comes first again.
  assert.deepEqual(indexes(''), [12, 13, 14, 15]);
  assert.deepEqual(indexes('order=lifo'), [12, 13, 14, 15]);
  assert.deepEqual(indexes('order=fifo'), [3, 2, 1, 0]);
  assert.deepEqual(indexes('order=random'), indexes('order=random'));
});

test('kmalloc’s objects have the name of their cache, and pages one of their own', () => {
  const machine = ran(`
    kmalloc 200 20
    kmalloc 0
    kmalloc 20000 3
    free kmalloc-256 5
    free kmalloc-large 2
    kmalloc 100 2 gfp=GFP_KERNEL|__GFP_ACCOUNT
  `);
  assert.equal(live(machine, 'kmalloc-256'), 15);
  assert.equal(live(machine, 'kmalloc-cg-128'), 2);
  const slabs = machine.caches().reduce((sum, { info }) => sum + info.nrSlabs * 2 ** info.oo.order, 0);
  assert.equal(machine.memory.takenPages(), slabs + 8);
});

test('a machine’s own caches are there by any of their names', () => {
  const machine = ran('alloc dentry 10\nalloc fs_cache 3\nalloc fs_cache\nfree dentry 4\nshrink dentry', {
    standing: true,
  });
  assert.equal(live(machine, 'dentry'), 6);
  assert.equal(live(machine, 'anon_vma_chain'), 4);
});

test('a destroyed cache is gone, a shared one stays for the others', () => {
  const machine = ran(
    'create a 64\ncreate b 64\nalloc b\ndestroy a\ncreate c 128\nalloc c\nfree c all\ndestroy c',
  );
  assert.equal(machine.findCache('c'), undefined);
  assert.equal(machine.findCache('a')!.info.refcount, 1);
});

test('a wrong line says where it stands, what was expected and what stands there', () => {
  for (const [text, line, message] of [
    ['\n\nalocc a', 3, /no operation is called 'alocc'; did you mean 'alloc'/],
    ['create', 1, /expected a name, but the line ends: create NAME SIZE/],
    ['create a', 1, /expected a size, but the line ends/],
    ['create a x', 1, /'x' is no size/],
    ['create a 8 flags=CACHE_DM32', 1, /no slab flag is called 'CACHE_DM32'; did you mean/],
    ['create a 8 algin=8', 1, /'algin=' does not belong here: create NAME/],
    ['create a 8 align=8 align=16', 1, /align= is given twice/],
    ['create a 8 9', 1, /'9' does not belong here/],
    ['alloc a 0', 1, /expected a count from 1 on, but there stands '0'/],
    ['alloc a 1 cpu=x', 1, /expected the number of a CPU, but there stands 'x'/],
    ['alloc a 1 gfp=GFP_ATOMC', 1, /no gfp flag is called 'GFP_ATOMC'; did you mean 'GFP_ATOMIC'/],
    ['free a', 1, /expected a count or 'all', but the line ends/],
    ['free a 1 order=lif', 1, /no order is called 'lif'; did you mean 'lifo'/],
  ] as const) {
    assert.throws(
      () => parseScript(text, 'my.slab'),
      (error) =>
        error instanceof InputError &&
        error.line === line &&
        error.message.startsWith(`my.slab:${line}: `) &&
        message.test(error.message),
      text,
    );
  }
});

test('a line that cannot be done says so, and what came before it is done', () => {
  for (const [text, line, message] of [
    ['create tables 64\nalloc tabels', 2, /no cache is called 'tabels'; did you mean 'tables'/],
    ['create a 64\nalloc a 3\nfree a 4', 3, /'a' has 3 live objects: cannot free 4/],
    ['create a 64\nalloc a\ndestroy a', 3, /a still has 1 live object/],
    ['create a 64\ncreate b 64\nalloc a\ndestroy a', 4, /a still has 1 live object/],
    ['create a 64\nalloc a\ncreate a 128', 3, /a has live objects already/],
    ['create a 64\nalloc a 1 cpu=2', 2, /CPU/],
    ['create a 64 flags=0x400000', 1, /error -22/],
    ['create a 0', 1, /divide error/],
    ['create a 1M\nalloc a 1000', 2, /the machine has no memory left: \d+ of 1000 were handed out/],
    ['free kmalloc-large 1', 1, /no cache is called 'kmalloc-large'/],
  ] as const) {
    assert.throws(
      () => ran(text),
      (error) => error instanceof InputError && error.line === line && message.test(error.message),
      text,
    );
  }
});

test('a fault of the engine stays one', () => {
  const machine = machineWith();
  machine.kmemCacheCreate('a', 64);
  const cache = machine.findCache('a')!;
  const alloc = (): PhysAddr => {
    throw new EngineError('broken');
  };
  Object.assign(cache, { alloc });
  assert.throws(() => runScript(machine, parseScript('alloc a', 'x')), EngineError);
});

test('a machine at the peak of a workload has its tables', () => {
  const workload = steadyWorkload(20, 3, 1000);
  const machine = machineAtPeak(workload, { machine: 'mt8173', cpus: 1, standing: true });
  const cache = machine.findCache('io-pgtable_armv7s_l2')!;
  assert.equal(cache.live, workload.peakLive);
  assert.equal(cache.sysfsId, ':D-0001024');
  machine.validate();
  assert.throws(
    () => machineAtPeak(steadyWorkload(6000, 1, 7000), { machine: 'mt8173', memory: 4 * MIB, cpus: 1 }),
    /no memory for the workload/,
  );
});

test('taking at random takes what splicing would, in its order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.nat(3000), fc.integer(), (count, wanted, seed) => {
      const times = Math.min(wanted, count);
      const list = Array.from({ length: count }, (_, i) => i);
      const model = [...list];
      const [one, other] = [new Random(seed), new Random(seed)];
      const expected = Array.from({ length: times }, () => model.splice(other.below(model.length), 1)[0]!);
      assert.deepEqual(
        takeAtRandom(list, times, (limit) => one.below(limit)),
        expected,
      );
      assert.deepEqual(list, model);
    }),
  );
});
