/**
 * One case suite that every strategy passes, so that a comparison of them compares like with like.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BadFreeError, LiveObjectsError, NULL, type PhysAddr } from '../../base/index.js';
import { GFP } from '../../machine/index.js';
import { Machine } from '../../slab/index.js';
import { STRATEGIES } from './strategies.js';
import type { Strategy, StrategyKind } from './strategy.js';

const SIZE = 1024;
const MIB = 2 ** 20;

function open(kind: StrategyKind, memory = 64 * MIB, size = SIZE): { machine: Machine; strategy: Strategy } {
  const machine = Machine.create({ machine: 'x86_64', memory, cpus: 2, ...kind.boot });
  return { machine, strategy: kind.open(machine, { size, align: size, gfp: GFP.ATOMIC }) };
}

/** A driver's view: what it holds, nothing else. */
class Owner {
  readonly live = new Set<PhysAddr>();

  constructor(
    readonly machine: Machine,
    readonly strategy: Strategy,
  ) {}

  alloc(cpu = 0): PhysAddr {
    const address = this.strategy.alloc(cpu);
    if (address === NULL) return address;
    assert.equal(address % SIZE, 0, `${address} is aligned`);
    assert.ok(!this.live.has(address), `${address} is handed out once`);
    const pfn = Math.floor(address / 4096);
    const zone = this.machine.zones().find((z) => pfn >= z.startPfn && pfn < z.endPfn);
    assert.ok(zone && (address + SIZE) / 4096 <= zone.endPfn, `${address} lies within a zone`);
    this.live.add(address);
    return address;
  }

  free(address: PhysAddr, cpu = 0): void {
    this.strategy.free(address, cpu);
    this.live.delete(address);
  }

  check(): void {
    this.machine.validate();
    this.strategy.validate();
  }

  close(): void {
    for (const address of [...this.live]) this.free(address);
    this.strategy.close();
    this.machine.validate();
    assert.equal(this.machine.memory.takenPages(), 0, 'everything went back to the machine');
  }
}

for (const kind of STRATEGIES.values()) {
  describe(kind.id, () => {
    test('what is handed out is live once, aligned, within a zone, and gone after free', () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.nat(99), fc.nat(1)), { maxLength: 400 }), (steps) => {
          const { machine, strategy } = open(kind);
          const owner = new Owner(machine, strategy);
          for (const [step, cpu] of steps) {
            const held = [...owner.live];
            if (step < 55 || held.length === 0) owner.alloc(cpu);
            else owner.free(held[step % held.length]!, cpu);
          }
          owner.check();
          owner.close();
        }),
        { numRuns: 25 },
      );
    });

    test('objects do not overlap', () => {
      const { machine, strategy } = open(kind);
      const owner = new Owner(machine, strategy);
      const starts = Array.from({ length: 200 }, () => owner.alloc()).sort((a, b) => a - b);
      for (let i = 1; i < starts.length; i++) assert.ok(starts[i]! - starts[i - 1]! >= SIZE);
      owner.check();
      owner.close();
    });

    test('a second free, a free of nothing and a free of a middle are BadFreeErrors that change nothing', () => {
      const { machine, strategy } = open(kind);
      const owner = new Owner(machine, strategy);
      const keep = owner.alloc();
      const gone = owner.alloc();
      owner.free(gone);
      const wrong = [
        gone,
        (keep + 8) as PhysAddr,
        (60 * MIB) as PhysAddr,
        (2 ** 45) as PhysAddr,
        -1024 as PhysAddr,
      ];
      for (const address of wrong) {
        assert.throws(() => strategy.free(address, 0), BadFreeError, `free of ${address}`);
        owner.check();
      }
      assert.notEqual(owner.alloc(), NULL);
      owner.close();
    });

    test('a strategy with live objects cannot be closed', () => {
      const { machine, strategy } = open(kind);
      const owner = new Owner(machine, strategy);
      owner.alloc();
      assert.throws(() => strategy.close(), LiveObjectsError);
      owner.check();
      owner.close();
    });

    test('running out of memory is NULL, and what was handed out stays', () => {
      const { machine, strategy } = open(kind, 8 * MIB);
      const owner = new Owner(machine, strategy);
      while (owner.alloc() !== NULL) assert.ok(owner.live.size < 16 * 1024);
      assert.equal(strategy.alloc(1), NULL);
      owner.check();
      const [first] = owner.live;
      // page_frag needs a whole chunk to become free before it serves again.
      for (const address of [...owner.live].slice(1)) owner.free(address);
      owner.check();
      assert.notEqual(owner.alloc(), NULL);
      assert.ok(owner.live.has(first!));
      owner.close();
    });

    test(`on a machine with RAM above 4 GiB: ${kind.promisesBelow4GiB ? 'all below' : 'all above'}`, () => {
      const machine = Machine.create({ machine: 'mt8173', cpus: 4, ...kind.boot });
      const strategy = kind.open(machine, { size: SIZE, align: SIZE, gfp: GFP.ATOMIC });
      const owner = new Owner(machine, strategy);
      for (let i = 0; i < 300; i++) assert.equal(owner.alloc() < 2 ** 32, kind.promisesBelow4GiB);
      owner.check();
      owner.close();
    });
  });
}
