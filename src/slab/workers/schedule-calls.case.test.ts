/** The calls that schedules are made of (schedules.case.test.ts), and the model of what threads hold. */
import assert from 'node:assert/strict';
import { NO_PFN, NULL, type Order, type Pfn, type PhysAddr, type Random } from '../../base/index.js';
import { type CpuToken, GFP } from '../../machine/index.js';
import { Machine } from '../machine.js';
import { attachMortal, type Fate } from './mortal.case.test.js';

const KMALLOCS = [8, 100, 1000, 3000, 20_000] as const;
const PAGE = 4096;
/** A thread, and what the call that it is in may have on its way. */
export interface Actor {
  machine: Machine;
  readonly fate: Fate;
  readonly token: CpuToken;
  going: Going;
  /** Its call was cut off: it is dead for the others. */
  cut: boolean;
}

export interface Going {
  /** Objects that are being freed: live or not. */
  readonly freed: readonly PhysAddr[];
  /** By cache, how many more may be live. */
  readonly allocs: readonly (readonly [cache: string, most: number])[];
  readonly pages: number;
}

export const NOTHING: Going = { freed: [], allocs: [], pages: 0 };

export interface World {
  readonly machine: Machine;
  readonly actors: readonly Actor[];
  readonly dead: Actor;
  /** What threads were given, and the cache that it is of. */
  held: Map<PhysAddr, string>;
  /** Blocks of pages, by their first frame. */
  pages: Map<Pfn, Order>;
  /** Of calls that were cut off. */
  lost: Going[];
  serial: number;
}

/** Chooses what a call is about; then makes it. */
export type Call = (world: World, actor: Actor, random: Random) => () => void;

/** The model of kmalloc's caches is one: which of them serves a size is theirs to know. */
export function cacheOf(name: string): string {
  return /^(dma-)?kmalloc-/.test(name) ? 'kmalloc' : name;
}

function begin(actor: Actor, going: Partial<Going>): void {
  actor.going = { ...NOTHING, ...going };
}

export function give(world: World, address: PhysAddr, name: string): void {
  if (address === NULL) return;
  assert.ok(!world.held.has(address), `${name}: ${address} is given twice`);
  world.held.set(address, name);
}

function heldOf(world: World, name: string): PhysAddr[] {
  return [...world.held].filter(([, cache]) => cache === name).map(([address]) => address);
}

function someCache(random: Random): string {
  return ['large', 'large', 'small', 'checked'][random.below(4)]!;
}

const CALLS: Record<string, Call> = {
  alloc(world, actor, random) {
    const name = someCache(random);
    return () => {
      begin(actor, { allocs: [[name, 2]] });
      give(world, actor.machine.findCache(name)!.alloc(), name);
    };
  },
  free(world, actor, random) {
    const name = someCache(random);
    return () => {
      const objects = heldOf(world, name);
      if (objects.length === 0) return;
      const address = objects[random.below(objects.length)]!;
      world.held.delete(address);
      begin(actor, { freed: [address] });
      actor.machine.findCache(name)!.free(address);
    };
  },
  allocBulk(world, actor, random) {
    const name = someCache(random);
    const count = 1 + random.below(12);
    return () => {
      begin(actor, { allocs: [[name, count + 1]] });
      for (const address of actor.machine.findCache(name)!.allocBulk(count)) give(world, address, name);
    };
  },
  freeBulk(world, actor, random) {
    const name = someCache(random);
    const count = 1 + random.below(12);
    return () => {
      const objects = heldOf(world, name).slice(-count);
      for (const address of objects) world.held.delete(address);
      begin(actor, { freed: objects });
      actor.machine.findCache(name)!.freeBulk(objects);
    };
  },
  kmalloc(world, actor, random) {
    const size = KMALLOCS[random.below(KMALLOCS.length)]!;
    return () => kmalloc(world, actor, size);
  },
  kfree(world, actor, random) {
    return () => {
      const large = [...world.pages].filter(([, order]) => order === 3);
      if (large.length > 0 && random.below(2) === 0) {
        const [pfn] = large[0]!;
        world.pages.delete(pfn);
        begin(actor, { pages: 8 });
        actor.machine.kfree((pfn * PAGE) as PhysAddr);
        return;
      }
      const address = heldOf(world, 'kmalloc')[0];
      if (address === undefined) return;
      world.held.delete(address);
      begin(actor, { freed: [address] });
      actor.machine.kfree(address);
    };
  },
  krealloc(world, actor, random) {
    const size = [60, 500, 2000, 4000][random.below(4)]!;
    return () => {
      const address = heldOf(world, 'kmalloc').at(-1);
      if (address === undefined) return kmalloc(world, actor, size);
      world.held.delete(address);
      begin(actor, { freed: [address], allocs: [['kmalloc', 2]] });
      const moved = actor.machine.krealloc(address, size);
      // No memory: the old one stays.
      give(world, moved === NULL ? address : moved, 'kmalloc');
    };
  },
  pages(world, actor, random) {
    const order = random.below(3) as Order;
    const back = random.below(2) === 0;
    return () => {
      const [pfn, had] = [...world.pages].find(([, each]) => each < 3) ?? [NO_PFN, 0 as Order];
      if (back && pfn !== NO_PFN) {
        world.pages.delete(pfn);
        begin(actor, { pages: 2 ** had });
        actor.machine.freePages(pfn, had);
        return;
      }
      begin(actor, { pages: 2 ** order });
      givePages(world, actor.machine.allocPages(GFP.KERNEL, order), order);
    };
  },
  shrink(_, actor, random) {
    const name = someCache(random);
    return () => {
      begin(actor, {});
      actor.machine.findCache(name)!.shrink();
    };
  },
  flush(_, actor, random) {
    const name = someCache(random);
    return () => {
      begin(actor, {});
      actor.machine.findCache(name)!.flush();
    };
  },
  createAndDestroy(world, actor) {
    return () => {
      const name = `new ${world.serial++}`;
      begin(actor, { allocs: [[name, 3]] });
      const cache = actor.machine.kmemCacheCreate(name, 600)!;
      const object = cache.alloc();
      if (object !== NULL) cache.free(object);
      cache.flush();
      cache.destroy();
    };
  },
  construct(world, actor) {
    return () => {
      const name = `built ${world.serial++}`;
      begin(actor, { allocs: [[name, 3]] });
      const cache = actor.machine.kmemCacheCreate(name, 900, { ctor: () => actor.fate.step('callback') })!;
      for (let i = 0; i < 6; i++) give(world, cache.alloc(), name);
      const objects = heldOf(world, name);
      for (const address of objects) world.held.delete(address);
      begin(actor, { freed: objects, allocs: [[name, 1]] });
      for (const address of objects) cache.free(address);
    };
  },
  attach(world, actor) {
    return () => {
      begin(actor, { allocs: [['large', 2]] });
      const came = attachMortal(world.machine.handle, actor.fate);
      const object = came.findCache('large')!.alloc();
      if (object !== NULL) came.findCache('large')!.free(object);
      came.detach();
    };
  },
  reserve(_, actor) {
    return () => {
      begin(actor, {});
      const token = actor.machine.reserveCpu();
      const handle = actor.machine.handleFor(token);
      assert.deepEqual(handle.cpu, token);
      assert.deepEqual(actor.machine.detachCpu(token), ['unreserved']);
      assert.throws(() => Machine.attach(handle), { code: 'reservation' });
    };
  },
  detachCpu(world, actor) {
    return () => {
      begin(actor, {});
      const [outcome] = actor.machine.detachCpu(world.dead.token);
      assert.ok(outcome !== 'unreserved', outcome);
    };
  },
  detach(_, actor) {
    return () => {
      begin(actor, {});
      actor.machine.detach();
      // For the others it is as if it had died.
      actor.cut = true;
    };
  },
};

function kmalloc(world: World, actor: Actor, size: number): void {
  const order = size > PAGE * 2 ? 3 : 0;
  begin(actor, order === 0 ? { allocs: [['kmalloc', 2]] } : { pages: 8 });
  const address = actor.machine.kmalloc(size);
  if (order === 0) give(world, address, 'kmalloc');
  else if (address !== NULL) givePages(world, (address / PAGE) as Pfn, order as Order);
}

function givePages(world: World, pfn: Pfn, order: Order): void {
  if (pfn === NO_PFN) return;
  assert.ok(!world.pages.has(pfn), `pfn ${pfn} is given twice`);
  world.pages.set(pfn, order);
}

export const NAMES = Object.keys(CALLS);
/** What fills a world, and what comes in between. */
export const PAST = [
  'alloc',
  'allocBulk',
  'alloc',
  'free',
  'kmalloc',
  'freeBulk',
  'kmalloc',
  'pages',
  'flush',
];

export function choose(name: string, world: World, actor: Actor, random: Random): () => void {
  return CALLS[name]!(world, actor, random);
}
