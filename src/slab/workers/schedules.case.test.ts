/**
 * # Every schedule of two and three CPUs
 *
 * Threads that share a machine are played in one (mortal.case.test.ts), so that each interleaving is a choice and can be repeated. A world
 * is a machine with a past: some CPUs have allocated and freed, one has died in the middle of something. Then a CPU makes one call, and
 * before its n-th step, a write, an atomic step or a callback, one of these happens:
 *
 *     kill       the thread is dead: nothing of it gets through any more
 *     throw      a callback throws; or the lock that is about to be taken is another's who does not let it go: LockHeldError
 *     switch     another CPU makes a call or two, in the middle of which a third one may; then this one goes on
 *     lose       the same, and then it is killed at a later step
 *
 * A CPU that comes to a lock whose holder cannot go on gets LockHeldError, as after ten seconds. A call that was killed, or ended by that
 * error, is *cut off*: its CPU is detached by another thread. A callback that throws cuts nothing off.
 *
 * ## What is checked then
 *  1. the ledger's equation: `validate('full')`;
 *  2. each object: what a thread was given and has not freed is live, and is given to nobody else. What is live beside that was on its way
 *     in a call that was cut off, and there are no more than that call could have on its way; after a callback that threw, none at all;
 *  3. pages in the same way;
 *  4. nobody but living threads is a CPU, and no lock is held;
 *  5. now and then: everything can be freed, every slab goes back, and no page is missing.
 */
import assert from 'node:assert/strict';
import { LockHeldError, NULL, Random } from '../../base/index.js';
import {
  C_LOCK,
  C_NR_SLABS,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_LOCKED,
  CPU_RESERVED,
  H_CACHES_MADE,
  H_LINK_LOCK,
  H_TABLE_LOCK,
  J_STATE,
  JOURNAL_WORDS,
  shapeOrder,
  Z_LOCK,
  ZONE_WORDS,
} from '../../machine/index.js';
import { SLAB } from '../kernel/flags.js';
import type { KmemCache } from '../kmem-cache.js';
import { Machine, type MachineOptions } from '../machine.js';
import { attachMortal, Death, Fate, type LockWord } from './mortal.case.test.js';
import {
  type Actor,
  cacheOf,
  choose,
  give,
  NAMES,
  NOTHING,
  PAST,
  type World,
} from './schedule-calls.case.test.js';

export interface ScheduleOptions {
  readonly schedules: number;
  readonly seed: number;
  /** Of each call, how many schedules at most; without it, one of each kind before each step. */
  readonly perCall?: number;
  say?(line: string): void;
}

export type ScheduleResult = Record<'schedules' | Kind | 'refused' | 'calls' | 'seconds', number>;

type Kind = 'kill' | 'throw' | 'switch' | 'lose';
const KINDS: readonly Kind[] = ['kill', 'throw', 'switch', 'lose'];

/** What a callback throws. */
class Thrown extends Error {}

/** Machines of all kinds; each is a world of two CPUs and one of three. */
const MACHINES: readonly MachineOptions[] = [
  { kernel: '6.1', sheafCapacity: 0 },
  { kernel: 'library', sheafCapacity: 6 },
  { kernel: '6.12', sheafCapacity: 0 },
  { kernel: 'library', sheafCapacity: 3, liveCheck: true },
  { kernel: '6.1', sheafCapacity: 0, slubDebug: 'FZ' },
  { kernel: '6.1', sheafCapacity: 4 },
];

const CACHES = [
  ['large', 2048],
  ['small', 200],
] as const;

/** CPU 0 looks on and is the heir, and one is dead. */
const OBSERVER_AND_DEAD = 2;

// ---- a world -------------------------------------------------------------------------------------------------------------

function createWorld(options: MachineOptions, cpus: number, random: Random): World {
  const capacity = options.sheafCapacity ?? 0;
  // And one is free for whoever comes within a call, at the same time.
  const workers = OBSERVER_AND_DEAD + 2 * cpus;
  const caches = 110;
  const machine = Machine.create({
    memory: '2M',
    workers,
    shared: true,
    slubNomerge: true,
    slubMaxOrder: 1,
    ledger: { caches, slabs: 160, linkPages: 48, sheafEntries: capacity * 2 * workers * caches },
    ...options,
  });
  for (const [name, size] of CACHES) {
    const cache = machine.kmemCacheCreate(name, size)!;
    if (options.slubDebug === undefined) cache.setCpuPartial(4);
    cache.setMinPartial(1);
  }
  const flags = SLAB.CONSISTENCY_CHECKS | SLAB.RED_ZONE;
  machine.kmemCacheCreate('checked', 300, { flags })!.setMinPartial(1);
  machine.kfree(machine.kmalloc(8));
  const come = (): Actor => {
    const fate = new Fate();
    const token = machine.reserveCpu();
    const mortal = attachMortal(machine.handleFor(token), fate);
    return { machine: mortal, fate, token, going: NOTHING, cut: false };
  };
  const actors = Array.from({ length: cpus }, come);
  const world: World = {
    machine,
    actors,
    dead: come(),
    held: new Map(),
    pages: new Map(),
    lost: [],
    serial: 0,
  };
  for (let i = 0; i < 60; i++) {
    const actor = i % 4 === 3 ? world.dead : actors[i % cpus]!;
    choose(PAST[random.below(PAST.length)]!, world, actor, random)();
  }
  dieInTheMiddle(world, random);
  return world;
}

/** The one that is dead was cut off in a call, unless the call was over before. */
function dieInTheMiddle(world: World, random: Random): void {
  const { fate } = world.dead;
  fate.at = fate.steps + random.below(40);
  take(world, world.dead, choose(PAST[random.below(PAST.length)]!, world, world.dead, random));
  // If it died with a lock, all that the others could do is wait.
  if (holdsLock(world)) world.machine.detachCpu(world.dead.token);
}

/** Makes a call. Returns false if it was cut off. What a thread that is refused something throws is an answer. */
function take(world: World, actor: Actor, call: () => void): boolean {
  try {
    call();
  } catch (error) {
    // A callback that throws ends the call, and cuts nothing off.
    if (error instanceof Thrown) {
      actor.going = NOTHING;
      return true;
    }
    const isCut = error instanceof Death || error instanceof LockHeldError;
    if (!isCut) throw error;
    actor.cut = true;
    world.lost.push(actor.going);
  }
  actor.going = NOTHING;
  return !actor.cut;
}

// ---- a schedule ----------------------------------------------------------------------------------------------------------

/** What a seed chooses beside the call, its step and what happens there. */
interface Schedule {
  readonly name: string;
  readonly actor: number;
  readonly seed: number;
  readonly step: number;
  readonly kind: Kind;
}

/** Before the next step of a thread, once. */
function before(fate: Fate, step: number, act: Fate['act']): void {
  fate.at = fate.steps + step;
  fate.act = (kind, lock) => {
    fate.at = Number.POSITIVE_INFINITY;
    act(kind, lock);
  };
}

function dieAt(fate: Fate, step: number): void {
  fate.at = fate.steps + step;
  fate.act = () => {
    throw new Death();
  };
}

/** A CPU that nobody is. */
const STRANGER = 0x7ffe;

function isSlabs({ machine }: World, words: Int32Array): boolean {
  return words.byteOffset === machine.ledger.slabCounters.byteOffset;
}

function isFree(world: World, { words, at }: LockWord): boolean {
  return isSlabs(world, words) ? (words[at]! & COUNTERS_LOCKED) === 0 : words[at] === 0;
}

/** A lock that is about to be taken is a stranger's, until the function that comes back is called. Undefined for what is no free lock. */
function hold(world: World, { words, at }: LockWord): (() => void) | undefined {
  if (!isFree(world, { words, at })) return undefined;
  const was = words[at]!;
  words[at] = isSlabs(world, words) ? (was & ~COUNTERS_FREE) | COUNTERS_LOCKED | STRANGER : STRANGER;
  return () => {
    words[at] = was;
  };
}

/** Another CPU makes a call or two; in the middle of the first a third one may. */
function others(world: World, running: readonly Actor[], random: Random): void {
  const free = world.actors.filter((each) => !running.includes(each) && !each.cut);
  const other = free[random.below(Math.max(free.length, 1))];
  if (other === undefined) return;
  const calls = 1 + random.below(2);
  for (let i = 0; i < calls && !other.cut; i++) {
    const name = NAMES[random.below(NAMES.length)]!;
    if (world.actors.length > 2 && running.length < 2)
      before(other.fate, random.below(40), () => others(world, [...running, other], random));
    take(world, other, choose(name, world, other, random));
    other.fate.at = Number.POSITIVE_INFINITY;
  }
}

/** Plays a schedule. Returns what came of it: `over` if the call ended before that step, or it was none that can throw. */
function play(world: World, { name, actor: number, seed, step, kind }: Schedule): 'over' | 'cut' | 'done' {
  const random = new Random(seed);
  const actor = world.actors[number]!;
  const call = choose(name, world, actor, random);
  const within = new Random(seed * 31 + step + 1);
  let happened = false;
  let unlock: (() => void) | undefined;
  if (kind === 'kill') dieAt(actor.fate, step);
  else
    before(actor.fate, step, (what, lock) => {
      if (kind === 'throw') {
        if (what === 'callback') {
          happened = true;
          throw new Thrown();
        }
        unlock = lock && hold(world, lock);
        happened = unlock !== undefined;
        return;
      }
      happened = true;
      others(world, [actor], within);
      if (kind === 'lose') dieAt(actor.fate, within.below(60));
    });
  let done: boolean;
  try {
    done = take(world, actor, call);
  } finally {
    happened ||= kind === 'kill' && actor.cut;
    actor.fate.at = Number.POSITIVE_INFINITY;
    unlock?.();
  }
  if (!happened) return 'over';
  return done ? 'done' : 'cut';
}

/** A CPU of its generation, but another machine: what it knew beside the ledger belonged to a thread that is gone. */
function revive(world: World, actor: Actor): void {
  world.machine.ledger.journal[actor.token.cpu * JOURNAL_WORDS + J_STATE] = CPU_RESERVED;
  actor.machine = attachMortal(world.machine.handleFor(actor.token), actor.fate);
}

/** No cache is born twice, though the same moment is lived again and again: a handle of an earlier time must not reach it. */
function bearAnew({ machine: { ledger }, serial }: World): void {
  ledger.header[H_CACHES_MADE] = 1000 + 10 * serial;
}

/** Calls back in the world as it is, then puts everything back: all of a machine lies in its ledger. */
function rehearse<T>(world: World, act: () => T): T {
  const bytes = new Uint8Array(world.machine.ledger.buffer);
  const were = bytes.slice();
  const [held, pages, lost] = [new Map(world.held), new Map(world.pages), [...world.lost]];
  const cuts = world.actors.map(({ cut }) => cut);
  world.serial++;
  bearAnew(world);
  const result = act();
  bytes.set(were);
  Object.assign(world, { held, pages, lost });
  world.actors.forEach((actor, i) => {
    actor.cut = cuts[i]!;
    actor.going = NOTHING;
    actor.machine.memory.locks.mend();
    if (actor.machine.cpu < 0) revive(world, actor);
  });
  world.serial++;
  bearAnew(world);
  return result;
}

// ---- afterwards ------------------------------------------------------------------------------------------------------------

function checkAfter(world: World, thorough: boolean): void {
  const { machine, actors } = world;
  const living = new Set([0, ...actors.filter(({ cut }) => !cut).map(({ token }) => token.cpu)]);
  const gone = machine.attachedCpus().filter(({ cpu }) => !living.has(cpu));
  for (const outcome of machine.detachCpu(...gone)) assert.ok(['detached', 'unreserved'].includes(outcome));
  assert.deepEqual(new Set(machine.attachedCpus().map(({ cpu }) => cpu)), living, 'who is a CPU');
  assert.ok(!holdsLock(world), 'a lock is held by nobody who lives');
  machine.validate('full');
  checkCensus(world);
  if (!thorough) return;
  for (const actor of actors) {
    if (actor.cut) continue;
    for (const [name] of CACHES) {
      const cache = actor.machine.findCache(name)!;
      const objects = Array.from({ length: 8 }, () => cache.alloc()).filter((address) => address !== NULL);
      for (const address of objects) give(world, address, name);
      for (const address of objects.slice(3)) {
        world.held.delete(address);
        cache.free(address);
      }
    }
  }
  machine.detachCpu(...machine.attachedCpus().filter(({ cpu }) => cpu !== 0));
  machine.validate('full');
  checkCensus(world);
  giveAllBack(world);
}

function holdsLock({ machine: { ledger } }: World): boolean {
  const { header, cache, zone, shape, slabCounters } = ledger;
  let held = header[H_LINK_LOCK] !== 0 || header[H_TABLE_LOCK] !== 0;
  for (let c = C_LOCK; c < cache.length; c += CACHE_WORDS) held ||= cache[c] !== 0;
  for (let z = 0; z < shape.zones; z++) held ||= zone[z * ZONE_WORDS + Z_LOCK] !== 0;
  return held || slabCounters.some((word) => (word & COUNTERS_LOCKED) !== 0);
}

/** Every object is with who was given it, or was on its way in a call that was cut off. */
function checkCensus(world: World): void {
  const { machine, held, lost } = world;
  const freed = new Set(lost.flatMap((going) => going.freed));
  const allowed = new Map<string, number>();
  for (const [name, most] of lost.flatMap(({ allocs }) => allocs))
    allowed.set(name, (allowed.get(name) ?? 0) + most);
  const unseen = new Set(held.keys());
  const adrift = new Map<string, number>();
  for (const cache of cachesWithSlabs(machine)) {
    const name = cacheOf(cache.name);
    for (const address of machine.liveObjects(cache)) {
      if (unseen.delete(address)) assert.equal(held.get(address), name, `${address}`);
      else if (!freed.has(address)) adrift.set(name, (adrift.get(name) ?? 0) + 1);
    }
  }
  assert.deepEqual([...unseen], [], 'objects are lost');
  for (const [name, count] of adrift)
    assert.ok(count <= (allowed.get(name) ?? 0), `${name}: ${count} objects are live and nobody's`);
  const more = machine.memory.takenPages() - pagesOfSlabs(machine) - pagesOf(world);
  const most = lost.reduce((sum, { pages }) => sum + pages, 0);
  assert.ok(more >= 0 && more <= most, `${more} pages belong to nobody`);
}

function cachesWithSlabs(machine: Machine): KmemCache[] {
  const { cache: rows } = machine.ledger;
  return machine.caches().filter(({ id }) => rows[id * CACHE_WORDS + C_NR_SLABS] !== 0);
}

function pagesOf({ pages }: World): number {
  return [...pages.values()].reduce<number>((sum, order) => sum + 2 ** order, 0);
}

function pagesOfSlabs({ ledger }: Machine): number {
  let pages = 0;
  for (let slab = 1; slab < ledger.slabCache.length; slab++)
    if (ledger.slabCache[slab] !== 0) pages += 2 ** shapeOrder(ledger.slabShape[slab]!);
  return pages;
}

/** The observer is the only CPU. */
function giveAllBack(world: World): void {
  const { machine } = world;
  for (const cache of cachesWithSlabs(machine)) {
    for (const address of machine.liveObjects(cache)) cache.free(address);
    assert.equal(cache.live, 0);
    cache.flush();
    cache.shrink();
    assert.equal(cache.info.nrSlabs, 0, `${cache.name} keeps slabs`);
  }
  for (const [pfn, order] of world.pages) machine.freePages(pfn, order);
  const most = world.lost.reduce((sum, { pages }) => sum + pages, 0);
  assert.ok(machine.memory.takenPages() <= most, `${machine.memory.takenPages()} pages are missing`);
  machine.validate('full');
}

// ---- many ----------------------------------------------------------------------------------------------------------------

/** Most steps of one call that are looked at. */
const STEPS_MAX = 3000;

/** Throws an error that names the machine and the schedule, with what was wrong as its cause. */
export function runSchedules(options: ScheduleOptions): ScheduleResult {
  const random = new Random(options.seed);
  const count = { schedules: 0, kill: 0, throw: 0, switch: 0, lose: 0, refused: 0, calls: 0 };
  const began = performance.now();
  for (let number = 0; count.schedules < options.schedules; number++) {
    const machine = MACHINES[number % MACHINES.length]!;
    const cpus = 2 + (Math.floor(number / MACHINES.length) % 2);
    const seed = random.below(2 ** 30);
    const told = `${JSON.stringify(machine)} with ${cpus} CPUs, seed ${seed}`;
    const world = createWorld(machine, cpus, new Random(seed));
    runWorld(world, told, random, count, options);
    options.say?.(`${count.schedules} schedules of ${count.calls} calls; ${told}`);
  }
  return { ...count, seconds: (performance.now() - began) / 1000 };
}

type Count = Omit<ScheduleResult, 'seconds'>;

/** Each call once, by one CPU after the other. */
function runWorld(world: World, told: string, random: Random, count: Count, options: ScheduleOptions): void {
  const first = random.below(NAMES.length);
  for (let i = 0; i < NAMES.length && count.schedules < options.schedules; i++) {
    const call = {
      name: NAMES[(first + i) % NAMES.length]!,
      actor: i % world.actors.length,
      seed: random.below(2 ** 20),
    };
    count.calls++;
    for (const schedule of schedulesOf(world, call, random, options.perCall))
      runSchedule(world, told, schedule, count);
    if (call.name === 'detach') continue;
    const actor = world.actors[call.actor]!;
    // Somebody who is dead may have what it needs.
    const undisturbed = () => take(world, actor, choose(call.name, world, actor, new Random(call.seed)));
    assert.ok(undisturbed(), `${told}: ${call.name} undisturbed`);
  }
}

function runSchedule(world: World, told: string, schedule: Schedule, count: Count): void {
  rehearse(world, () => {
    try {
      const came = play(world, schedule);
      if (came === 'over') return;
      count.schedules++;
      count[schedule.kind]++;
      if (schedule.kind === 'switch' && came === 'cut') count.refused++;
      checkAfter(world, count.schedules % 8 === 0);
    } catch (error) {
      throw new Error(`${told}: ${JSON.stringify(schedule)}`, { cause: error });
    }
  });
}

function schedulesOf(
  world: World,
  call: Pick<Schedule, 'name' | 'actor' | 'seed'>,
  random: Random,
  perCall = Number.POSITIVE_INFINITY,
): Schedule[] {
  const steps: number[] = [];
  const throwing: number[] = [];
  rehearse(world, () => {
    const actor = world.actors[call.actor]!;
    const { fate } = actor;
    const began = fate.steps;
    fate.at = began;
    fate.act = (what, lock) => {
      if (steps.length >= STEPS_MAX) return;
      if (what === 'callback' || (lock && isFree(world, lock))) throwing.push(fate.steps - began);
      steps.push(fate.steps - began);
    };
    take(world, actor, choose(call.name, world, actor, new Random(call.seed)));
    fate.at = Number.POSITIVE_INFINITY;
  });
  const ofKind = (kind: Kind) => (kind === 'throw' ? throwing : steps);
  const all = KINDS.flatMap((kind) => ofKind(kind).map((step) => ({ ...call, step, kind })));
  if (all.length <= perCall) return all;
  const kinds = KINDS.filter((kind) => ofKind(kind).length > 0);
  return Array.from({ length: perCall }, (_, i) => {
    const kind = kinds[i % kinds.length]!;
    return { ...call, step: ofKind(kind)[random.below(ofKind(kind).length)]!, kind };
  });
}
