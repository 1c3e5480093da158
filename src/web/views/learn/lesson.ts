/**
 * # A lesson: acts on a small machine, each of which can be taken back
 *
 *     lesson.do({ kind: 'alloc', name: 'tables', cpu: 0, gfp: GFP.KERNEL })
 *
 *     start ──▸ step 1 ──▸ step 2 ──▸ step 3        a picture and a copy of the ledger after each
 *                             ▴
 *                          position                 undo and redo move it; to do something drops what lies behind it
 *
 * The machine has 64 pages on either side of the real 4 GiB line, so that addresses are those that a 32-bit page table entry can and cannot
 * hold. Going back opens the ledger's copy from then (`Machine.open`): nothing is undone, it is the machine as it was. What a kernel
 * answers to nonsense is answered as it does where it survives (the faithful mode); where it would not notice, the act is refused.
 */
import { ArgumentError, GIB, KIB, lookUp, NULL, type PhysAddr, SlablabError } from '../../../base/index.js';
import type { MemoryMap } from '../../../machine/index.js';
import {
  type AllocatorName,
  type KmemCache,
  Machine,
  type Statistic,
  statistics,
} from '../../../slab/index.js';
import { type Act, formatActs } from './acts.js';
import { type CachePicture, type Picture, pictureOf } from './picture.js';
import { restoreSnapshot, type Snapshot, takeSnapshot } from './snapshots.js';
import {
  createStory,
  destroyStory,
  type Happened,
  type Story,
  slabAlloc,
  slabFree,
  slabShrink,
  slubAlloc,
  slubFree,
  slubShrink,
  waitStory,
} from './story.js';

/** An object that a learner was given. */
export interface LessonObject {
  /** From 1 on, in the order of their allocation; never used again. */
  readonly number: number;
  /** What the learner called the cache. */
  readonly cache: string;
  readonly address: PhysAddr;
  readonly live: boolean;
}

/** The machine at some moment. */
interface LessonState {
  readonly picture: Picture;
  /** Caches by the names that the learner gave; several may be one. */
  readonly names: ReadonlyMap<string, number>;
  /** By number - 1. */
  readonly objects: readonly LessonObject[];
}

export interface LessonStep {
  readonly act: Act;
  /** As a line of a script. */
  readonly text: string;
  readonly story: Story;
  /** What the kernel printed meanwhile. */
  readonly printed: readonly string[];
  /** The address that was handed out or freed, if any. */
  readonly address: number | undefined;
  readonly after: LessonState;
}

/** More steps than anybody makes by hand. */
export const STEPS_MAX = 1000;
export const CPUS = 2;

/** 64 pages below the line that 32 bits reach to, and 64 above it. */
const MAP: MemoryMap = {
  name: 'lesson',
  title: '256 KiB of RAM below 4 GiB and as much above',
  ram: [{ start: 4 * GIB - 256 * KIB, end: 4 * GIB + 256 * KIB }],
  reserved: [],
  zones: [
    { name: 'DMA32', end: 4 * GIB },
    { name: 'Normal', end: Number.POSITIVE_INFINITY },
  ],
};

/** SLAB makes all of kmalloc as soon as a list of free objects lies outside its slab. */
const LEDGER = {
  slub: { slabs: 256, linkPages: 64, caches: 16 },
  slab: { slabs: 256, linkPages: 64, caches: 96 },
};

/** How often each event was counted, by cache. */
type Counts = ReadonlyMap<number, ReadonlyMap<Statistic, number>>;

interface Moment {
  readonly state: LessonState;
  readonly ledger: Snapshot;
}

export class Lesson {
  readonly allocator: AllocatorName;
  #machine: Machine;
  readonly #start: Moment;
  #steps: LessonStep[] = [];
  #moments: Moment[] = [];
  #position = 0;

  constructor(allocator: AllocatorName) {
    this.allocator = allocator;
    this.#machine = Machine.create({ ...OPTIONS, allocator, ledger: LEDGER[allocator] });
    const state = { picture: pictureOf(this.#machine), names: new Map(), objects: [] };
    this.#start = { state, ledger: takeSnapshot(this.#ledgerBuffer) };
  }

  /** As it is now; not to be changed by others. */
  get machine(): Machine {
    return this.#machine;
  }

  /** All steps, those that were taken back too. */
  get steps(): readonly LessonStep[] {
    return this.#steps;
  }

  /** How many of them are done. */
  get position(): number {
    return this.#position;
  }

  get state(): LessonState {
    return this.#moment.state;
  }

  /** As it was in front of the step that was done last: what changed can be shown. */
  get before(): LessonState {
    return (this.#moments[this.#position - 2] ?? this.#start).state;
  }

  /** The step that was done last. */
  get last(): LessonStep | undefined {
    return this.#steps[this.#position - 1];
  }

  /**
   * Does something, and drops what had been taken back. Throws ArgumentError or UnknownNameError for what cannot be done here,
   * KernelWouldCrashError for what a kernel would not survive or not notice; then nothing changed.
   */
  do(act: Act): LessonStep {
    if (this.#position >= STEPS_MAX) throw new ArgumentError(`a lesson has at most ${STEPS_MAX} steps`);
    const step = this.#step(act);
    this.#steps = [...this.#steps.slice(0, this.#position), step];
    const ledger = takeSnapshot(this.#ledgerBuffer, this.#moment.ledger);
    this.#moments = [...this.#moments.slice(0, this.#position), { state: step.after, ledger }];
    this.#position++;
    return step;
  }

  /** Goes to the machine as it was after so many steps. */
  goTo(position: number): void {
    const to = Math.max(0, Math.min(Math.round(position), this.#steps.length));
    if (to === this.#position) return;
    this.#position = to;
    this.#machine = Machine.open(restoreSnapshot(this.#moment.ledger));
  }

  get #moment(): Moment {
    return this.#moments[this.#position - 1] ?? this.#start;
  }

  get #ledgerBuffer(): ArrayBuffer {
    return this.#machine.ledger.buffer as ArrayBuffer;
  }

  // ---- acts --------------------------------------------------------------------------------------------------------------

  #step(act: Act): LessonStep {
    const { state } = this;
    const { log } = this.#machine;
    const printedBefore = log.lines.length;
    const counts = this.#counts();
    try {
      const done = this.#act(act);
      const picture = pictureOf(this.#machine);
      const after = { picture, names: done.names ?? state.names, objects: done.objects ?? state.objects };
      const happened = this.#happened(act, done, picture, counts);
      return {
        act,
        text: formatActs([act])[0]!,
        story: this.#tell(act, happened),
        printed: log.lines.slice(printedBefore),
        address: happened.object?.address,
        after,
      };
    } catch (error) {
      // Whatever was begun: the machine as it was.
      if (error instanceof SlablabError) this.#machine = Machine.open(restoreSnapshot(this.#moment.ledger));
      throw error;
    }
  }

  #act(act: Act): Done {
    switch (act.kind) {
      case 'create':
        return this.#create(act);
      case 'alloc':
        return this.#alloc(act);
      case 'free':
        return this.#free(act);
      case 'shrink': {
        const cache = this.#cacheOf(act.name);
        cache.shrink();
        return { id: cache.id };
      }
      case 'destroy': {
        const cache = this.#cacheOf(act.name);
        const { id } = cache;
        cache.destroy();
        return { id, names: new Map([...this.state.names].filter(([name]) => name !== act.name)) };
      }
      case 'wait':
        this.#machine.advance(act.milliseconds);
        return { id: 0 };
    }
  }

  #create({ name, size, align, flags, ctor }: Act & { kind: 'create' }): Done {
    if (!/^[\w.-]{1,40}$/.test(name))
      throw new ArgumentError(`a name here has letters, digits, '_', '-' and '.', up to 40, not '${name}'`);
    if (this.state.names.has(name)) throw new ArgumentError(`there is a cache called ${name} already`);
    const options = { align, flags, ...(ctor && { ctor: () => {} }) };
    // What a kernel would not notice is refused by a machine that is not faithful.
    const strict = { ...OPTIONS, allocator: this.allocator, ledger: LEDGER[this.allocator], faithful: false };
    Machine.create(strict).kmemCacheCreate(name, size, options);
    const cache = this.#machine.kmemCacheCreate(name, size, options);
    if (cache === null) return { id: 0 };
    return { id: cache.id, names: new Map([...this.state.names, [name, cache.id]]) };
  }

  #alloc({ name, cpu, gfp }: Act & { kind: 'alloc' }): Done {
    const cache = this.#cacheOf(name);
    const address = cache.alloc(gfp, checkCpu(cpu));
    if (address === NULL) return { id: cache.id };
    const { objects } = this.state;
    const object = { number: objects.length + 1, cache: name, address, live: true };
    return { id: cache.id, address, objects: [...objects, object] };
  }

  #free({ object: number, cpu }: Act & { kind: 'free' }): Done {
    const { objects, names } = this.state;
    const object = objects[number - 1];
    if (object === undefined) throw new ArgumentError(`no object ${number} was handed out`);
    if (!object.live) throw new ArgumentError(`object ${number} was freed before`);
    const cache = this.#machine.whereIs(object.address)?.cache;
    if (cache === undefined || ![...names.values()].includes(cache.id))
      throw new ArgumentError(`object ${number} is of a cache that was destroyed: nobody can free it`);
    const { id } = cache;
    const where = this.#machine.whereIs(object.address)!;
    cache.free(object.address, checkCpu(cpu));
    const { slab, index } = where;
    const left = objects.map((each) => (each.number === number ? { ...each, live: false } : each));
    return { id, address: object.address, freed: { slab, index }, objects: left };
  }

  #cacheOf(name: string): KmemCache {
    const id = lookUp('cache', name, this.state.names);
    return this.#machine.caches().find((cache) => cache.id === id)!;
  }

  // ---- telling -----------------------------------------------------------------------------------------------------------

  /** All counters of all caches. */
  #counts(): Counts {
    return new Map(
      this.#machine.caches().map(({ id }) => {
        const counted = statistics(this.#machine.ledger, id) ?? new Map();
        return [id, new Map([...counted].map(([name, { total }]) => [name, total]))];
      }),
    );
  }

  #happened(act: Act, { id, address, freed }: Done, after: Picture, counts: Counts): Happened {
    const before = this.state.picture;
    const find = ({ caches }: Picture): CachePicture | undefined => caches.find((cache) => cache.id === id);
    const now = this.#counts().get(id) ?? new Map<Statistic, number>();
    const counted = [...now].map(
      ([name, total]) => [name, total - (counts.get(id)?.get(name) ?? 0)] as const,
    );
    const where = address === undefined ? undefined : (freed ?? this.#machine.whereIs(address));
    return {
      before,
      after,
      was: find(before),
      is: find(after),
      counted: new Map(counted),
      cpu: 'cpu' in act ? act.cpu : 0,
      object: where && address && { address, slab: where.slab, index: where.index },
    };
  }

  #tell(act: Act, happened: Happened): Story {
    const { cpuArrays } = this.#machine.kernel.has;
    switch (act.kind) {
      case 'create':
        return createStory(happened, act.name);
      case 'alloc':
        return cpuArrays ? slabAlloc(happened) : slubAlloc(happened);
      case 'free':
        return cpuArrays ? slabFree(happened) : slubFree(happened);
      case 'shrink':
        return cpuArrays ? slabShrink(happened) : slubShrink(happened);
      case 'destroy':
        return destroyStory(happened, act.name);
      case 'wait':
        return waitStory(happened, act.milliseconds);
    }
  }
}

const OPTIONS = { machine: MAP, cpus: CPUS, faithful: true, statistics: true };

/** What an act came to: the cache that it was about, and what of the lesson's own books it changed. */
interface Done {
  /** 0: none. */
  readonly id: number;
  readonly address?: PhysAddr;
  /** Where a freed object lay: its slab may be gone. */
  readonly freed?: { readonly slab: number; readonly index: number };
  readonly names?: ReadonlyMap<string, number>;
  readonly objects?: readonly LessonObject[];
}

function checkCpu(cpu: number): number {
  if (cpu >= CPUS) throw new ArgumentError(`this machine has CPUs 0 to ${CPUS - 1}, not ${cpu}`);
  return cpu;
}
