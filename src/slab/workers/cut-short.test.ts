/**
 * Operations that end in the middle: a constructor throws, the ledger is full, bytes cannot be written, a deferred free is refused.
 * Whatever ends one, the machine's equation holds, each object is live or free as its owner knows it, and all can be given back.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BadFreeError, type Gfp, LedgerFullError, NULL, type PhysAddr } from '../../base/index.js';
import { __GFP, GFP, sparseBytes } from '../../machine/index.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine, type MachineOptions } from '../machine.js';

const KINDS: readonly (readonly [name: string, options: MachineOptions])[] = [
  ['sheaves', { kernel: 'library', memory: '16M' }],
  ['sheaves that look at links', { kernel: 'library', memory: '16M', liveCheck: true }],
  ['shared sheaves', { kernel: 'library', memory: '16M', shared: true }],
  ['SLUB', { memory: '16M' }],
  ['SLUB in shared memory', { memory: '16M', shared: true }],
  ['SLUB with debug flags', { memory: '16M', slubDebug: 'FZP', bytes: true }],
  ['SLAB', { memory: '16M', allocator: 'slab' }],
];

function make(options: MachineOptions): Machine {
  const machine = Machine.create({ cpus: 2, slubNomerge: true, ...options });
  // From now on its slow paths lock and keep a journal, as among several threads.
  if (options.shared) assert.ok(machine.handle.ledger);
  return machine;
}

/** What the cache says is live is what its user has, no more and no less; and all of it goes back. */
function settle(machine: Machine, cache: KmemCache, mine: readonly PhysAddr[]): void {
  machine.validate();
  assert.deepEqual(
    machine.liveObjects(cache).sort((a, b) => a - b),
    [...mine].sort((a, b) => a - b),
  );
  assert.equal(cache.live, mine.length);
  for (const address of mine) cache.free(address);
  assert.equal(cache.live, 0);
  machine.validate();
  cache.destroy();
  machine.validate();
}

for (const [name, options] of KINDS) {
  test(`${name}: a full ledger in the middle of an allocation loses no object`, () => {
    for (const slabs of [1, 2, 5]) {
      const machine = make({ ...options, ledger: { slabs } });
      const cache = machine.kmemCacheCreate('x', 1000, options.kernel ? { sheafCapacity: 5 } : {})!;
      const mine: PhysAddr[] = [];
      assert.throws(() => {
        while (true) mine.push(cache.alloc());
      }, LedgerFullError);
      assert.ok(mine.length > 0);
      assert.equal(mine.length, cache.info.totalObjects);
      settle(machine, cache, mine);
    }
  });

  test(`${name}: a constructor that throws, and one that frees and allocates, loses no object`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 400 }),
        fc.integer({ min: 1, max: 300 }),
        (steps, every) => {
          const machine = make(options);
          const mine: PhysAddr[] = [];
          let calls = 0;
          let inside = false;
          const failed = new Error('the constructor fails');
          const ctor = () => {
            if (++calls % every === 0) throw failed;
            if (inside || calls % 7 !== 0 || mine.length < 2) return;
            // Not among several threads: an object freed here may need what the new slab has in hand.
            inside = true;
            try {
              cache.free(mine.shift()!);
              cache.free(mine.shift()!);
              if (options.slubDebug === undefined) mine.push(cache.alloc());
            } finally {
              inside = false;
            }
          };
          const cache = machine.kmemCacheCreate('x', 700, { ctor })!;
          for (const step of steps) {
            try {
              if (step || mine.length === 0) {
                for (let i = 0; i < 9; i++) {
                  const address = cache.alloc();
                  if (address !== NULL) mine.push(address);
                }
              } else for (const address of mine.splice(0, 5)) cache.free(address);
            } catch (error) {
              assert.equal(error, failed);
            }
          }
          settle(machine, cache, mine);
        },
      ),
      { numRuns: 30 },
    );
  });

  test(`${name}: an object that cannot be zeroed is handed to nobody`, () => {
    const bytes = sparseBytes();
    let refuse = false;
    const failing = {
      ...bytes,
      fill: (from: number, length: number, value: number) => {
        if (refuse && value === 0) throw new RangeError('no such bytes');
        bytes.fill(from, length, value);
      },
    };
    const machine = make({ ...options, bytes: failing });
    const cache = machine.kmemCacheCreate('x', 100)!;
    const mine = [cache.alloc(), cache.alloc()];
    refuse = true;
    for (let i = 0; i < 3; i++)
      assert.throws(() => cache.alloc((GFP.KERNEL | __GFP.ZERO) as Gfp), /no such bytes/);
    refuse = false;
    settle(machine, cache, mine);
  });

  test(`${name}: a bulk that ends in the middle gives back what it had`, () => {
    const machine = make({ ...options, ledger: { slabs: 2 } });
    const cache = machine.kmemCacheCreate('x', 1000)!;
    const one = cache.alloc();
    assert.throws(() => cache.allocBulk(1000), LedgerFullError);
    settle(machine, cache, [one]);
  });
}

test('a deferred free that is refused takes no other with it, and is told once', () => {
  for (const kernel of ['6.1', 'library']) {
    const machine = Machine.create({ kernel, memory: '16M', cpus: 2 });
    const cache = machine.kmemCacheCreate('x', 100)!;
    const [x, y, z] = [cache.alloc(), cache.alloc(), cache.alloc()];
    cache.freeRcu((x + 1) as PhysAddr);
    cache.freeRcu(x);
    cache.freeRcu(0xdead000 as PhysAddr);
    cache.freeRcu(y);
    // A CPU that is none ends it before anything is freed.
    assert.throws(() => cache.rcuBarrier(2), /CPUs 0 to 1, not 2/);
    assert.equal(cache.live, 3);
    assert.throws(
      () => cache.rcuBarrier(),
      (error: unknown) =>
        error instanceof BadFreeError && error.address === x + 1 && error.message.includes('0xdead000'),
    );
    assert.equal(cache.live, 1);
    cache.rcuBarrier();
    cache.free(z);
    machine.validate();
    cache.destroy();
    machine.validate();
  }
});

test('a krealloc that cannot copy leaves the old memory as it was', () => {
  const bytes = sparseBytes();
  const failing = {
    ...bytes,
    write: () => {
      throw new RangeError('no such bytes');
    },
  };
  const machine = Machine.create({ kernel: 'library', memory: '16M', cpus: 1, bytes: failing });
  const address = machine.kmalloc(100);
  const live = () => machine.report().live.objects;
  assert.throws(() => machine.krealloc(address, 5000), /no such bytes/);
  assert.equal(live(), 1);
  machine.kfree(address);
  assert.equal(live(), 0);
  machine.validate();
});
