/**
 * The node's part of the plain model of Linux 7.3: slabs and the lists of them. model-7.3.case.test.ts, which has the theory, puts the
 * sheaves in front of it.
 *
 * A slab's freelist and a sheaf are both stacks, and here both are arrays with the top last; the top is what is handed out next. Lists of
 * slabs are arrays with the head first.
 */
import assert from 'node:assert/strict';

export type End = 'head' | 'tail';

/** A slab is one run of pages. `free` holds the indices of its free objects, the head of the freelist last. */
export interface Slab {
  /** Slabs are numbered as they are made. */
  readonly ordinal: number;
  readonly free: number[];
}

export interface Obj {
  readonly slab: Slab;
  readonly index: number;
}

/** A stack of objects, the top last. */
export interface Sheaf {
  readonly capacity: number;
  readonly objects: Obj[];
}

/** What a cache reports; CPU numbers are those that ran the operation. */
export interface Events {
  slabMade?(slab: Slab, cpu: number): void;
  slabDiscarded?(slab: Slab, cpu: number): void;
  /** A sheaf is memory: 32 bytes and 8 for each object of its capacity, from kmalloc (C1). */
  sheafMade?(sheaf: Sheaf, cpu: number): void;
  sheafFreed?(sheaf: Sheaf, cpu: number): void;
}

/** The rules N1 to N10 as data, so that a test can change one and see that the recordings notice. */
export interface NodeRules {
  /** N1: slabs leave the list until they hold so many free objects, or one more than asked for. */
  readonly takeUntil: 'enough' | 'more';
  /** N2 */
  readonly partlyUsedTo: End;
  /** N3: at that moment the list is empty, so no recording can tell the ends apart. */
  readonly newSlabTo: End;
  /** N4 */
  readonly singleFrom: End;
  /** N5 */
  readonly refilledTo: End;
  /** N6: whether a slab that was full counts itself when it is asked whether enough slabs are kept. */
  readonly fullCountsItself: boolean;
  /** N6: whether a slab of the list counts itself. */
  readonly listedCountsItself: boolean;
  /** N7: how many objects of other slabs are passed over while a group is gathered. */
  readonly strangers: number;
  /** N8: which of a group's objects becomes the head of the freelist: the array's lowest or its highest. */
  readonly groupHead: { readonly inside: 'lowest' | 'highest'; readonly asked: 'lowest' | 'highest' };
  /** N9: at most so many free objects put a slab in front. */
  readonly sortedUpTo: number;
  /** N9: whether slabs with equally many free objects change their order. */
  readonly equalsReversed: boolean;
  /** N10 */
  readonly fullListTo: End;
}

export const NODE_RULES: NodeRules = {
  takeUntil: 'enough',
  partlyUsedTo: 'tail',
  newSlabTo: 'head',
  singleFrom: 'head',
  refilledTo: 'tail',
  fullCountsItself: false,
  listedCountsItself: true,
  strangers: 2,
  groupHead: { inside: 'lowest', asked: 'highest' },
  sortedUpTo: 32,
  equalsReversed: true,
  fullListTo: 'head',
};

export interface NodeOptions {
  /** Objects of a slab. */
  readonly objects: number;
  readonly minPartial: number;
  /** Full slabs are listed too: caches with STORE_USER. */
  readonly listsFull: boolean;
  /** In which order a new slab hands out its indices; 0, 1, 2, ... unless the freelist is randomised. */
  readonly order?: ((ordinal: number) => readonly number[]) | undefined;
  readonly events: Events;
  readonly rules: NodeRules;
  /** Adds to one of the counters of CONFIG_SLUB_STATS. */
  readonly count: (cpu: number, counter: NodeCounter) => void;
}

export type NodeCounter = 'alloc_slab' | 'free_slab' | 'free_add_partial' | 'free_remove_partial';

/** Puts an entry into a list. */
export function put<T>(list: T[], entry: T, end: End): void {
  if (end === 'head') list.unshift(entry);
  else list.push(entry);
}

/** Takes an entry out of a list. */
export function take<T>(list: T[], end: End): T | undefined {
  return end === 'head' ? list.shift() : list.pop();
}

function remove<T>(list: T[], entry: T): void {
  const at = list.indexOf(entry);
  assert.ok(at >= 0, 'is on the list');
  list.splice(at, 1);
}

/** The slabs of a cache on one memory node. */
export class NodePart {
  readonly partial: Slab[] = [];
  readonly full: Slab[] = [];
  readonly slabs = new Set<Slab>();
  minPartial: number;
  #made = 0;
  readonly #options: NodeOptions;
  readonly #rules: NodeRules;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.minPartial = options.minPartial;
  }

  get objects(): number {
    return this.#options.objects;
  }

  get totalObjects(): number {
    return this.slabs.size * this.objects;
  }

  /** Free objects of the slabs on the partial list. */
  get freeListed(): number {
    return this.partial.reduce((sum, { free }) => sum + free.length, 0);
  }

  /** N1 to N3: n objects at once, in the order in which they fill a sheaf or an array. */
  take(n: number, cpu: number): Obj[] {
    const off: Slab[] = [];
    const wanted = this.#rules.takeUntil === 'enough' ? n : n + 1;
    for (let held = 0; n > 0 && held < wanted && this.partial.length > 0; ) {
      const slab = this.partial.shift()!;
      held += slab.free.length;
      off.push(slab);
    }
    const objects: Obj[] = [];
    for (const slab of off) {
      this.#handOut(slab, n, objects);
      if (slab.free.length > 0) put(this.partial, slab, this.#rules.partlyUsedTo);
    }
    while (objects.length < n) {
      const slab = this.#make(cpu);
      this.#handOut(slab, n, objects);
      if (slab.free.length > 0) put(this.partial, slab, this.#rules.newSlabTo);
    }
    return objects;
  }

  /** Appends objects of the slab until there are n or it has no more. */
  #handOut(slab: Slab, n: number, objects: Obj[]): void {
    while (objects.length < n && slab.free.length > 0) objects.push({ slab, index: slab.free.pop()! });
  }

  /** N4: one object, for caches without sheaves. */
  takeOne(cpu: number): Obj {
    const { singleFrom, newSlabTo, fullListTo } = this.#rules;
    const listed = singleFrom === 'head' ? this.partial[0] : this.partial.at(-1);
    const slab = listed ?? this.#make(cpu);
    const index = slab.free.pop()!;
    if (slab.free.length === 0) {
      if (listed !== undefined) remove(this.partial, slab);
      if (this.#options.listsFull) put(this.full, slab, fullListTo);
    } else if (listed === undefined) {
      put(this.partial, slab, newSlabTo);
    }
    return { slab, index };
  }

  #make(cpu: number): Slab {
    const ordinal = this.#made++;
    const order = this.#options.order?.(ordinal) ?? Array.from({ length: this.objects }, (_, index) => index);
    const slab: Slab = { ordinal, free: [...order].reverse() };
    this.slabs.add(slab);
    this.#options.count(cpu, 'alloc_slab');
    this.#options.events.slabMade?.(slab, cpu);
    return slab;
  }

  #discard(slab: Slab, cpu: number): void {
    this.slabs.delete(slab);
    this.#options.events.slabDiscarded?.(slab, cpu);
  }

  /** N5, N6: objects of one slab come back together; the last of the indices becomes the head of its freelist. */
  give(slab: Slab, indices: readonly number[], cpu: number): void {
    const wasFull = slab.free.length === 0;
    for (const index of indices) assert.ok(!slab.free.includes(index), 'is not free twice');
    slab.free.push(...indices);
    const listed = this.partial.length;
    const isEmpty = slab.free.length === this.objects;
    if (wasFull) {
      if (this.#options.listsFull) remove(this.full, slab);
      const kept = listed + (this.#rules.fullCountsItself ? 1 : 0);
      if (isEmpty && kept >= this.minPartial) {
        this.#options.count(cpu, 'free_slab');
        return this.#discard(slab, cpu);
      }
      put(this.partial, slab, this.#rules.refilledTo);
      this.#options.count(cpu, 'free_add_partial');
      return;
    }
    const kept = listed - (this.#rules.listedCountsItself ? 0 : 1);
    if (!isEmpty || kept < this.minPartial) return;
    remove(this.partial, slab);
    this.#options.count(cpu, 'free_remove_partial');
    this.#options.count(cpu, 'free_slab');
    this.#discard(slab, cpu);
  }

  /**
   * N7, N8: an array goes back to its slabs in groups, from its end. `asked` is a bulk free that the caller of a cache without sheaves
   * asked for; `inside` is the flush of a sheaf, and the rest of a bulk free that found no room in sheaves.
   */
  giveAll(array: readonly Obj[], how: 'inside' | 'asked', cpu: number): void {
    const left = [...array];
    while (left.length > 0) {
      let from = left.length - 1;
      const { slab } = left[from]!;
      const group = [left[from]!.index];
      let passed = 0;
      for (let at = from - 1; at >= 0; at--) {
        if (left[at]!.slab !== slab) {
          if (++passed > this.#rules.strangers) break;
          continue;
        }
        // The member changes places with the stranger next to the group, so that the group is the array's end.
        from--;
        group.push(left[at]!.index);
        [left[at], left[from]] = [left[from]!, left[at]!];
      }
      left.length = from;
      if (this.#rules.groupHead[how] === 'highest') group.reverse();
      this.give(slab, group, cpu);
    }
  }

  /** N9: empty slabs go, and those with few free objects come first. Whether any slab is left. */
  shrink(cpu: number): boolean {
    const { sortedUpTo, equalsReversed } = this.#rules;
    const listed = this.partial.splice(0);
    for (const slab of listed) if (slab.free.length === this.objects) this.#discard(slab, cpu);
    const kept = listed.filter(({ free }) => free.length < this.objects);
    const few = kept.filter(({ free }) => free.length <= sortedUpTo);
    if (equalsReversed) few.reverse();
    few.sort((a, b) => a.free.length - b.free.length);
    this.partial.push(...few, ...kept.filter(({ free }) => free.length > sortedUpTo));
    return this.slabs.size > 0;
  }

  /** Every slab is on the list that its free objects say, once; no index is free twice. */
  check(): void {
    assert.equal(new Set(this.partial).size, this.partial.length, 'a slab is listed once');
    assert.equal(new Set(this.full).size, this.full.length, 'a full slab is listed once');
    for (const slab of this.slabs) {
      assert.equal(new Set(slab.free).size, slab.free.length, `slab ${slab.ordinal}: no index is free twice`);
      const isFull = slab.free.length === 0;
      assert.equal(
        this.partial.includes(slab),
        !isFull,
        `slab ${slab.ordinal}: is partial when it has free objects`,
      );
      assert.equal(
        this.full.includes(slab),
        isFull && this.#options.listsFull,
        `slab ${slab.ordinal}: is full`,
      );
    }
    for (const slab of [...this.partial, ...this.full])
      assert.ok(this.slabs.has(slab), 'a listed slab exists');
  }

  /** The objects that are not free: in sheaves, or with the caller. */
  handedOut(): Obj[] {
    return [...this.slabs].flatMap((slab) => {
      const free = new Set(slab.free);
      return Array.from({ length: this.objects }, (_, index) => ({ slab, index })).filter(
        ({ index }) => !free.has(index),
      );
    });
  }
}
