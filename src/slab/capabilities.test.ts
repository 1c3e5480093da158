import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, UnknownNameError } from '../base/index.js';
import { capabilitiesOf } from './boot.js';
import { SLAB_HAS, SLUB_HAS, SLUB_WITH_SHEAVES_HAS } from './kernel/capabilities.js';
import { hasAllocator, KERNELS, kernelWith, LINUX_6_1, LINUX_6_12, slabKernel } from './kernel/index.js';
import { LIBRARY } from './kernel/library-profile.js';
import { Machine } from './machine.js';

test('what an allocator has is the same before there is a machine, on it, and on one that was opened from its ledger', () => {
  for (const kernel of KERNELS.keys())
    for (const allocator of ['slub', 'slab'] as const) {
      if (!hasAllocator(KERNELS.get(kernel)!, allocator)) continue;
      const machine = Machine.create({ kernel, allocator });
      const { has } = machine.kernel;
      assert.deepEqual(has, allocator === 'slab' ? SLAB_HAS : KERNELS.get(kernel)!.has);
      assert.deepEqual(capabilitiesOf(kernel, allocator), has);
      assert.deepEqual(capabilitiesOf(machine.kernel, allocator), has);
      assert.deepEqual(Machine.open(machine.ledger.buffer.slice(0)).kernel.has, has);
    }
  assert.deepEqual(capabilitiesOf('library', 'slub'), LIBRARY.has);
});

test('a profile says it of its own allocator', () => {
  const own = { ...LINUX_6_12, name: 'own', has: { ...LINUX_6_12.has, cpuSlabs: false } };
  assert.equal(Machine.create({ kernel: own }).kernel.has.cpuSlabs, false);
  assert.equal(capabilitiesOf(own, 'slub').cpuSlabs, false);
  assert.equal(slabKernel({ ...own, slab: LINUX_6_1.slab }).has.cpuArrays, true);
});

test('it can be posted and written down, and nothing of it is the same for all allocators', () => {
  const all = [SLUB_HAS, SLUB_WITH_SHEAVES_HAS, SLAB_HAS];
  for (const has of all) {
    assert.deepEqual(structuredClone(has), has);
    assert.deepEqual(JSON.parse(JSON.stringify(has)), has);
  }
  for (const name of Object.keys(SLUB_HAS) as (keyof typeof SLUB_HAS)[])
    assert.equal(new Set(all.map((has) => has[name])).size, 2, name);
});

test('a kernel without SLAB is built with SLUB alone', () => {
  assert.equal(hasAllocator(LINUX_6_1, 'slab'), true);
  assert.equal(hasAllocator(LINUX_6_12, 'slab'), false);
  assert.equal(kernelWith(LINUX_6_12, 'slub'), LINUX_6_12);
  assert.equal(kernelWith(LINUX_6_1, 'slab').allocator, 'slab');
  assert.throws(() => kernelWith(LINUX_6_12, 'slab'), ArgumentError);
  // What is asked for before is answered, so that whoever makes the machine can say what is wrong.
  assert.equal(capabilitiesOf('6.12', 'slab').tunables, true);
  assert.throws(() => capabilitiesOf('6.13', 'slub'), UnknownNameError);
});
