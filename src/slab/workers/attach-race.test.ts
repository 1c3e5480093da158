/**
 * Who is CPU n: schedules of two and three threads that once made two threads one CPU, each forced by a hook on the atomic step at which
 * the other thread comes in. And what a token is good for.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  ArgumentError,
  DetachedError,
  NoCpuError,
  NULL,
  type PhysAddr,
  ReservationError,
} from '../../base/index.js';
import { type CpuToken, GFP, J_STATE, JOURNAL_WORDS } from '../../machine/index.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine } from '../machine.js';

// ---- a hook on atomic steps ----------------------------------------------------------------------------------------------

type Step = (name: string, words: object, at: number) => void;
let onStep: Step | undefined;
const real = { compareExchange: Atomics.compareExchange, store: Atomics.store, exchange: Atomics.exchange };
for (const [name, step] of Object.entries(real)) {
  Object.assign(Atomics, {
    [name]: (words: object, at: number, ...rest: unknown[]) => {
      onStep?.(name, words, at);
      return (step as (...all: unknown[]) => unknown)(words, at, ...rest);
    },
  });
}
after(() => Object.assign(Atomics, real));

/** Makes a call; before its n-th atomic step somebody else comes in, once. Returns how many steps it had. */
function interrupted(n: number, call: () => void, comesIn: () => void): number {
  let steps = 0;
  onStep = () => {
    if (steps++ !== n) return;
    const mine = onStep;
    onStep = undefined;
    comesIn();
    onStep = mine;
  };
  try {
    call();
  } finally {
    onStep = undefined;
  }
  return steps;
}

function createMachine(cpus: number, sheafCapacity = 8): { machine: Machine; cache: KmemCache } {
  const machine = Machine.create({ memory: '4M', workers: cpus, shared: true, sheafCapacity });
  return { machine, cache: machine.kmemCacheCreate('objects', 64)! };
}

/** No two machines are one CPU, and what they allocate is each object once. */
function assertApart(machines: readonly Machine[]): void {
  const cpus = machines.map((machine) => machine.cpu);
  assert.equal(new Set(cpus).size, cpus.length, `CPUs ${cpus}`);
  const all = machines.map((machine) => machine.findCache('objects')!);
  const objects: PhysAddr[] = [];
  for (let i = 0; i < 300; i++) objects.push(all[i % all.length]!.alloc());
  assert.equal(new Set(objects).size, objects.length, 'each object once');
  assert.ok(!objects.includes(NULL as PhysAddr));
  for (const [i, address] of objects.entries()) all[(i + 1) % all.length]!.free(address);
  machines[0]!.validate('full');
}

// ---- tokens --------------------------------------------------------------------------------------------------------------

test('a late exit handler detaches nobody who came in between', () => {
  const { machine } = createMachine(3);
  const first = Machine.attach(machine.handle);
  const token = first.attachment!;
  first.detach();
  const second = Machine.attach(machine.handle);
  assert.equal(second.cpu, token.cpu, 'the number is used again');
  assert.deepEqual(machine.detachCpu(token), ['stale']);
  assertApart([machine, second, Machine.attach(machine.handle)]);
});

test('a reservation is known before its thread comes, and is good for one attachment', () => {
  const { machine } = createMachine(3);
  const token = machine.reserveCpu();
  const posted = structuredClone(token);
  assert.deepEqual(posted, { cpu: 1, generation: 1 });
  const handle = machine.handleFor(token);
  assert.deepEqual(machine.attachedCpus(), [
    { cpu: 0, generation: 1, state: 'attached', heir: undefined },
    { cpu: 1, generation: 1, state: 'reserved', heir: undefined },
  ]);
  const any = Machine.attach(machine.handle);
  assert.equal(any.cpu, 2, 'who has no reservation takes no reserved CPU');
  assert.throws(() => Machine.attach(machine.handle), NoCpuError);
  const other = Machine.attach(handle);
  assert.deepEqual(other.attachment, posted);
  assert.throws(() => Machine.attach(handle), { code: 'reservation', reason: 'used', cpu: 1 });
  assert.throws(() => machine.handleFor(token), ReservationError);
  assertApart([machine, any, other]);
  assert.deepEqual(machine.detachCpu(posted, any.attachment!), ['detached', 'detached']);
  assert.throws(() => Machine.attach(handle), { code: 'reservation', reason: 'over' });
});

test('a Worker that dies before it attaches leaves no CPU that nobody can name', () => {
  const { machine } = createMachine(2);
  for (let life = 0; life < 5; life++) {
    const token = machine.reserveCpu();
    const handle = machine.handleFor(token);
    assert.throws(() => machine.reserveCpu(), NoCpuError);
    if (life % 2 === 0) {
      assert.deepEqual(machine.detachCpu(token), ['unreserved']);
      assert.throws(() => Machine.attach(handle), { code: 'reservation', reason: 'over' });
    } else {
      Machine.attach(handle);
      assert.deepEqual(machine.detachCpu(token), ['detached']);
    }
    assert.deepEqual(machine.detachCpu(token), ['stale']);
  }
  // And without a reservation, the list says who is there.
  Machine.attach(machine.handle);
  const lost = machine.attachedCpus().filter(({ cpu }) => cpu !== machine.cpu);
  assert.deepEqual(machine.detachCpu(...lost), ['detached']);
  assertApart([machine, Machine.attach(machine.handle)]);
});

test('what is no token is refused before anything is detached', () => {
  const { machine } = createMachine(3);
  const other = Machine.attach(machine.handle);
  const token = other.attachment!;
  for (const wrong of [1, '1', null, undefined, { cpu: 1 }, { cpu: 1.5, generation: 1 }, { generation: 1 }])
    assert.throws(() => machine.detachCpu(token, wrong as never), /token \{ cpu, generation \}/);
  assert.throws(() => machine.detachCpu(token, { cpu: -1, generation: 1 }), /has CPUs 0 to 2, not -1/);
  assert.throws(() => machine.detachCpu(token, machine.attachment!), /is this thread/);
  assert.throws(() => machine.handleFor(1 as never), ArgumentError);
  assert.deepEqual(machine.detachCpu({ ...token, generation: token.generation + 1 }), ['stale']);
  assertApart([machine, other]);
});

test('a generation begins again at 0 after 2^32 attachments', () => {
  const { machine } = createMachine(2);
  const { journal } = machine.ledger;
  // As if it had been taken so often: the upper half of CPU 1's word.
  journal[JOURNAL_WORDS + J_STATE + 1] = -2;
  for (const generation of [2 ** 32 - 1, 0, 1]) {
    const token = machine.reserveCpu();
    assert.deepEqual(token, { cpu: 1, generation });
    const other = Machine.attach(machine.handleFor(token));
    assert.deepEqual(other.attachment, token);
    const object = other.findCache('objects')!.alloc();
    machine.findCache('objects')!.free(object);
    assert.deepEqual(machine.detachCpu(token), ['detached']);
    assert.throws(() => other.kmemCacheCreate('more', 8), { code: 'detached', generation });
  }
});

// ---- who is gone ---------------------------------------------------------------------------------------------------------

/** Each call that changes something, of a machine and of handles and closures that were taken before. */
function callsOf(machine: Machine, cache: KmemCache, object: PhysAddr, spare: CpuToken) {
  const { alloc, free } = cache;
  const pages = machine.allocPages(GFP.KERNEL, 0);
  const bytes = machine.kmalloc(100);
  return {
    alloc: () => alloc(),
    free: () => free(object),
    allocBulk: () => cache.allocBulk(3),
    freeBulk: () => cache.freeBulk([object]),
    flush: () => cache.flush(),
    shrink: () => cache.shrink(),
    destroy: () => cache.destroy(),
    kmalloc: () => machine.kmalloc(100),
    large: () => machine.kmalloc(20_000),
    kfree: () => machine.kfree(bytes),
    krealloc: () => machine.krealloc(bytes, 3000),
    create: () => machine.kmemCacheCreate('more', 100),
    find: () => machine.findCache('objects'),
    allocPages: () => machine.allocPages(GFP.KERNEL, 0),
    freePages: () => machine.freePages(pages, 0),
    handle: () => machine.handle,
    reserveCpu: () => machine.reserveCpu(),
    handleFor: () => machine.handleFor(spare),
    detachCpu: () => machine.detachCpu(spare),
  };
}

for (const sheafCapacity of [0, 8]) {
  test(`a thread that called detach() is none from then on, sheaves of ${sheafCapacity}`, () => {
    const { machine, cache } = createMachine(4, sheafCapacity);
    const other = Machine.attach(machine.handle);
    const theirs = other.findCache('objects')!;
    const spare = machine.reserveCpu();
    const calls = callsOf(other, theirs, theirs.alloc(), spare);
    other.detach();
    for (const [name, call] of Object.entries(calls))
      assert.throws(call, { code: 'detached', by: 'self', cpu: 1 }, name);
    assert.deepEqual([other.cpu, other.attachment], [-1, undefined]);
    other.detach();
    assert.equal(cache.live, 1);
    assertApart([machine, Machine.attach(machine.handle)]);
  });

  test(`a thread that was detached while it lives learns it at its next slow step, sheaves of ${sheafCapacity}`, () => {
    for (const which of Object.keys(probe(sheafCapacity).calls)) {
      const { machine, other, calls } = probe(sheafCapacity);
      assert.deepEqual(machine.detachCpu(other.attachment!), ['detached']);
      const next = Machine.attach(machine.handle);
      assert.equal(next.cpu, 1);
      const lastFast = () => {
        for (let i = 0; i < 20; i++) calls[which as keyof typeof calls]();
      };
      assert.throws(lastFast, { code: 'detached', by: 'other', cpu: 1 }, which);
      assert.equal(other.cpu, -1);
      for (const [name, call] of Object.entries(calls)) assert.throws(call, DetachedError, name);
    }
  });
}

function probe(sheafCapacity: number) {
  const { machine } = createMachine(4, sheafCapacity);
  const other = Machine.attach(machine.handle);
  const theirs = other.findCache('objects')!;
  return { machine, other, calls: callsOf(other, theirs, theirs.alloc(), machine.reserveCpu()) };
}

test('a thread that detached itself never becomes CPU 0 by tidying up after others', () => {
  const { machine } = createMachine(3);
  const worker = Machine.attach(machine.handle);
  const { handle } = machine;
  const [own, token] = [machine.attachment!, worker.attachment!];
  machine.detach();
  assert.throws(() => machine.detachCpu(token), DetachedError);
  const next = Machine.attach(handle);
  assert.equal(next.cpu, 0);
  assert.equal(machine.cpu, -1);
  assert.deepEqual(worker.detachCpu(own), ['stale']);
  assertApart([next, worker]);
  assert.throws(() => machine.kmalloc(8), DetachedError);
});

test('without another thread detach() is the end as well', () => {
  const machine = Machine.create({ memory: '4M', workers: 1, shared: true });
  const { alloc } = machine.kmemCacheCreate('objects', 64)!;
  alloc();
  machine.detach();
  assert.throws(alloc, DetachedError);
  assert.throws(() => machine.allocPages(GFP.KERNEL, 0), DetachedError);
  assert.throws(() => machine.kmemCacheCreate('more', 64), DetachedError);
  assert.throws(() => Machine.create({ memory: '4M', cpus: 1 }).detach(), /not shared/);
});

// ---- heirs ---------------------------------------------------------------------------------------------------------------

/** A third thread's burial of CPU 2, at each of its atomic steps interrupted by this machine's. */
test('of two heirs one has the CPU, whoever attaches in between', () => {
  for (let n = 0, steps = 1; n < steps; n++) {
    const { machine } = createMachine(4);
    const [heir, dead] = [Machine.attach(machine.handle), Machine.attach(machine.handle)];
    const theirs = dead.findCache('objects')!;
    for (let i = 0; i < 20; i++) theirs.alloc();
    const token = dead.attachment!;
    const came: Machine[] = [];
    const outcomes: string[] = [];
    steps = interrupted(
      n,
      () => outcomes.push(...heir.detachCpu(token)),
      () => {
        try {
          outcomes.push(...machine.detachCpu(token));
        } catch (error) {
          // The first heir has a lock, and this thread cannot wait for it in the same one.
          assert.equal((error as { code?: string }).code, 'lock-held');
        }
        came.push(Machine.attach(machine.handle));
      },
    );
    // The second one's answer is first where the first one's call began before it.
    assert.ok(outcomes.filter((outcome) => outcome === 'detached').length === 1, `step ${n}: ${outcomes}`);
    assert.deepEqual(machine.detachCpu(token), ['stale'], `step ${n}`);
    came.push(Machine.attach(machine.handle));
    assertApart([machine, heir, ...came]);
  }
});

test('an heir that dies is followed by another, which also finishes what that one had begun', () => {
  class Death extends Error {}
  for (let n = 0, died = true; died; n++) {
    const { machine } = createMachine(4);
    const [heir, dead] = [Machine.attach(machine.handle), Machine.attach(machine.handle)];
    const theirs = dead.findCache('objects')!;
    const objects = Array.from({ length: 20 }, () => theirs.alloc());
    for (const address of objects.slice(5)) theirs.free(address);
    const [token, heirs] = [dead.attachment!, heir.attachment!];
    died = false;
    let steps = 0;
    onStep = () => {
      if (died || steps++ === n) {
        died = true;
        throw new Death();
      }
    };
    try {
      heir.detachCpu(token);
    } catch (error) {
      assert.ok(error instanceof Death);
    }
    onStep = undefined;
    // Only the heir's token is known to whoever saw it die.
    const outcome = machine.attachedCpus().find(({ cpu }) => cpu === token.cpu);
    if (outcome?.state === 'left') assert.deepEqual(machine.detachCpu(token), ['busy'], `step ${n}`);
    assert.deepEqual(machine.detachCpu(heirs), ['detached']);
    const again = machine.detachCpu(token)[0]!;
    assert.ok(again === 'stale' || outcome?.state === 'attached', `step ${n}: ${again}`);
    assert.equal(machine.ledger.journal[token.cpu * JOURNAL_WORDS + J_STATE]! & 0xff, 0);
    assertApart([machine, Machine.attach(machine.handle), Machine.attach(machine.handle)]);
    assert.equal(machine.findCache('objects')!.live, 5);
  }
});
