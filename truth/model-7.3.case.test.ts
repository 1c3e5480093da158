/**
 * # Linux 7.3's allocator at run time, as plainly as it can be said
 *
 * The reference that an engine is held against: arrays and maps, one cache, one memory node, no addresses, no speed. It was written
 * from the numbered rules below, which are those of 7.3/README.md in other words; every public sequence agrees with it in every value
 * (model-7.3.test.ts), and each change of a rule that is tried there is noticed by a sequence. record-7.3.case.test.ts makes recordings of
 * random operations from it.
 *
 * Since 7.0 a CPU has no slab of its own. It has arrays of objects, **sheaves**, which are stacks: `main`, perhaps a full or empty
 * `spare`, and one that gathers what kfree_rcu frees. The node has a **barn** of full and of empty sheaves. Slabs are touched only
 * when a whole sheaf is filled or emptied.
 *
 *     a CPU          main ─ spare ─ rcu_free        objects, one at a time
 *                      │      │        │
 *     the node       barn: full …, empty …          whole sheaves
 *                      │
 *     the node       partial list of slabs          a sheaf's worth of objects
 *
 * ## Which sheaves a cache has
 * - C1. Capacity by final size: from 4096 bytes 4, from 1024 12, from 256 28, else 60. A sheaf is memory of 32 bytes and 8 for each
 *   object.
 * - C2. A capacity that the creator asks for counts if it is larger.
 * - C3. None at all with a debug flag, NOLEAKTRACE, in the two boot caches (NO_SHEAVES), or if a caller passed SLAB_KMALLOC. Otherwise
 *   each possible CPU begins with an empty main, no spare, no rcu_free; the barn is empty.
 * - C4. The partial list keeps min_partial empty slabs: half the binary logarithm of the size, at least 5, at most 10; a write counts
 *   at once.
 * - C5. With a randomised freelist a cache has one permutation, and each new slab hands it out from a random entry on, round the end.
 *
 * ## One object
 * - A1. Allocating pops main. If main is empty and the spare is not, the two are exchanged first.
 * - A2. Else the head of the barn's full sheaves becomes main; the empty main becomes the head of the barn's empty ones, however many.
 * - A3. Else an empty sheaf is filled to its capacity (N1) and becomes main: the spare, else one of the barn's, else a new one. The
 *   old main becomes the spare.
 * - F1. Freeing pushes on main. If main is full and there is no spare, main becomes the spare, and an empty sheaf (of the barn, else
 *   new) main; if the spare is not full, the two are exchanged.
 * - F2. Both full: main becomes the head of the barn's full sheaves if these are fewer than 10, and an empty one becomes main, as in
 *   F1.
 * - F3. Both full and 10 in the barn: the spare is flushed (N7) and becomes main, the full main becomes the spare.
 *
 * ## Many objects
 * - B1. A bulk allocation takes from main's top as many as it needs, in the order in which they lie: the deepest first.
 * - B2. Main empty: exchanged with a spare that is not, else replaced by a full sheaf as in A2. What is still missing comes from the
 *   slabs (N1) to the caller, past the sheaves. Without sheaves all of it does; with a debug flag one by one (N4).
 * - B3. A bulk free fills main from its array's start. Main full: no spare, main becomes the spare; spare not full, exchanged; both
 *   full, main goes to the barn as in F2. It takes an empty sheaf from the barn only, and makes and flushes none.
 * - B4. Without an empty sheaf, or with 10 full ones in the barn, it gives up: the rest goes to the slabs (N7).
 * - K1. kfree_rcu appends to rcu_free. There is none: the spare if it is empty, else an empty one of the barn, else a new one.
 * - K2. A full one is handed over. When its grace period ends, it becomes the head of the barn's full sheaves if these are fewer than
 *   10; else it is flushed, and kept as head of the empty ones if these are fewer than 10. No other path looks at the number of empty
 *   sheaves.
 * - K3. One that is not full stays until somebody waits for it; then it is flushed to the slabs and freed.
 *
 * ## Prefilled sheaves
 * - P1. prefill(n): nothing for 0; above the capacity a sheaf made to measure, filled from the slabs. Else the spare, full or not,
 *   else a full sheaf of the barn, else an empty one, else a new one.
 * - P2. If it holds fewer than n, it is filled to its capacity.
 * - P3. Allocating from it pops; when it is empty the answer is none.
 * - P4. Returned, one made to measure is flushed and freed. Else it becomes the spare, as it is, if there is none; else it is filled
 *   and becomes the head of the barn's full sheaves; else, 10 of these, it is flushed and freed.
 * - P5. refill(n): enough there, nothing happens; n within its capacity, filled to that; else a new one is prefilled, and the old
 *   returned.
 *
 * ## Flush, shrink, CPUs that go
 * - H1. Flushing a CPU: the spare at once, and freed; main from its top in pieces of 32; rcu_free as in K3. Never to the barn.
 * - H2. Shrinking: all CPUs; the barn's full sheaves from the head, each at once and freed; the empty ones; then the list (N9).
 * - H3. A CPU that goes offline: main at once; the spare, freed; rcu_free. The empty main stays, the barn is left alone. Coming back:
 *   nothing.
 * - H4. Destroying: as shrinking; what is then in use remains.
 *
 * ## Slabs (model-7.3-node.case.test.ts)
 * - N1. n objects at once: slabs leave the list from its head until they hold n free objects; then each hands out its freelist.
 * - N2. What is left of the last one goes to the tail of the list.
 * - N3. Still not enough: new slabs, one at a time, indices from 0. If the last one has objects left it goes to the head.
 * - N4. One object, without sheaves: from the first slab of the list, which leaves the list when it is full; else from a new slab.
 * - N5. Objects of one slab that come back go in front of its freelist. A slab that was full goes to the tail of the list, one that
 *   was on it stays where it is.
 * - N6. If it is wholly free now, it is discarded when the list holds min_partial slabs: without it if it was full, with it if it was
 *   listed.
 * - N7. An array comes back in groups, from its end: the last object begins one, and going down others of its slab join; two objects
 *   of other slabs are passed over, the third ends the group. A member found beyond strangers changes places with the stranger next to
 *   the group.
 * - N8. The group's member that lay lowest in the array becomes the freelist's head; in a bulk free of a cache without sheaves the
 *   highest.
 * - N9. Shrinking discards what is empty; slabs with at most 32 free objects come first, fewest first, equal ones in reverse.
 * - N10. With STORE_USER full slabs are listed, the latest at the head.
 *
 * ## What is seen from outside
 * - Y1. `objects` is total minus what is free in listed slabs: objects in sheaves count as used. cpu_slabs is 0, slabs_cpu_partial
 *   0(0). `cpu_partial` may be written with 0 only, without effect. On a kernel with NUMA numbers but 0 carry ` N0=n`.
 * - Y2. Counters: see below.
 * - Y3. /proc/slabinfo counts as Y1 does; the tunables are 0, active_slabs is num_slabs.
 *
 * ## What the recordings decided where words left a doubt
 * 1. barn_get counts full sheaves only; barn_get_fail each time one was wanted and there was none. Taking an empty sheaf counts
 *    nothing.
 * 2. barn_put counts full sheaves that the barn accepts. barn_put_fail: a single free or a grace period that meets 10; a bulk free
 *    that holds two full sheaves and gives up, for whichever reason; not one that gives up because it has no spare and finds no empty
 *    sheaf.
 * 3. sheaf_prefill_fast is the spare, empty or not; slow is everything else within the capacity, even a full sheaf of the barn.
 * 4. A sheaf made to measure counts in sheaf_alloc and sheaf_free. Filling it counts in alloc_slowpath and not in sheaf_refill,
 *    flushing it in sheaf_flush. Its return counts neither as fast nor as slow. Taking an object from a prefilled sheaf counts
 *    nothing.
 * 5. The first sheaves of a cache count on the CPU that made it. free_slab counts discards on a free, not those of a shrink.
 * 6. kfree_rcu on a cache without sheaves: free_rcu_sheaf_fail, then free_slowpath when it is freed.
 * 7. Every sheaf that one read-side section fills is handed over first; the grace period ends for all of them, in their order.
 * 8. A prefill of 0 uses up a number of the recording; `ret` of prefill and refill is how many objects the sheaf then holds.
 *
 * ## What they do not decide
 * N3's end of the list, and which empty sheaf A3 fills (all are alike): no sequence tells, and the tests say so. Where in H1 rcu_free
 * comes: the recordings flush it before. What happens when there is no memory for a sheaf or slab: not recorded, and not in the model.
 * Several objects of a cache without sheaves in one kfree_rcu: the order in which they come free depends on time.
 */
import assert from 'node:assert/strict';
import {
  type Events,
  type NodeCounter,
  NodePart,
  type Obj,
  put,
  type Sheaf,
  take,
} from './model-7.3-node.case.test.js';
import { RULES, type Rules } from './model-7.3-rules.case.test.js';

export type { Events, Obj, Sheaf, Slab } from './model-7.3-node.case.test.js';
export type { Rules } from './model-7.3-rules.case.test.js';

interface CpuSheaves {
  main: Sheaf;
  spare: Sheaf | null;
  rcuFree: Sheaf | null;
}

/** What decides whether a cache has sheaves, and how large: its flags by name, its final size, what was asked for. */
export interface CapacityRequest {
  readonly size: number;
  /** 0: nothing was asked for. */
  readonly asked: number;
  readonly flags: ReadonlySet<string>;
}

/** C1 to C3: objects of a sheaf; 0: the cache has none. */
export function sheafCapacity({ size, asked, flags }: CapacityRequest): number {
  if (WITHOUT_SHEAVES.some((flag) => flags.has(flag))) return 0;
  const [, capacity] = CAPACITIES.find(([from]) => size >= from)!;
  return Math.max(capacity, asked);
}

/** The smallest size of a class, and its sheaves' capacity. */
const CAPACITIES: readonly (readonly [from: number, capacity: number])[] = [
  [4096, 4],
  [1024, 12],
  [256, 28],
  [0, 60],
];

export const DEBUG_FLAGS: readonly string[] = [
  'SLAB_CONSISTENCY_CHECKS',
  'SLAB_RED_ZONE',
  'SLAB_POISON',
  'SLAB_STORE_USER',
  'SLAB_TRACE',
];

/** SLAB_KMALLOC only if a caller passed it: the kernel's own kmalloc caches get their sheaves in a second step. */
const WITHOUT_SHEAVES: readonly string[] = [
  ...DEBUG_FLAGS,
  'SLAB_NOLEAKTRACE',
  'SLAB_NO_SHEAVES',
  'SLAB_KMALLOC',
];

/** C4: slabs that a node's partial list keeps although they are empty. */
export function minPartialOf(size: number): number {
  return Math.min(10, Math.max(5, Math.floor(Math.log2(size) / 2)));
}

export type Counter =
  | NodeCounter
  | 'alloc_fastpath'
  | 'alloc_slowpath'
  | 'free_fastpath'
  | 'free_slowpath'
  | 'free_rcu_sheaf'
  | 'free_rcu_sheaf_fail'
  | 'sheaf_flush'
  | 'sheaf_refill'
  | 'sheaf_alloc'
  | 'sheaf_free'
  | 'barn_get'
  | 'barn_get_fail'
  | 'barn_put'
  | 'barn_put_fail'
  | 'sheaf_prefill_fast'
  | 'sheaf_prefill_slow'
  | 'sheaf_prefill_oversize'
  | 'sheaf_return_fast'
  | 'sheaf_return_slow';

export interface CacheOptions {
  /** Objects of a slab. */
  readonly objects: number;
  readonly minPartial: number;
  /** Objects of a sheaf; 0: the cache has none (C1 to C3). */
  readonly capacity: number;
  /** Any debug flag: bulk requests are single ones. */
  readonly debug?: boolean;
  /** The debug flag STORE_USER: full slabs are listed. */
  readonly storeUser?: boolean;
  /** Possible CPUs. */
  readonly cpus: number;
  /** In which order the slab of this ordinal hands out its indices (C5). */
  readonly order?: ((ordinal: number) => readonly number[]) | undefined;
  readonly events?: Events;
  readonly rules?: Partial<Rules>;
}

/** One cache of Linux 7.3 on a machine with one memory node. Operations name the CPU that runs them. */
export class ModelCache {
  readonly node: NodePart;
  readonly cpus: CpuSheaves[] = [];
  /** Lists of sheaves, the head first. */
  readonly barn: { readonly full: Sheaf[]; readonly empty: Sheaf[] } = { full: [], empty: [] };
  readonly capacity: number;
  /** By counter, then by CPU. */
  readonly counters = new Map<Counter, number[]>();
  /** Bulk requests are single ones. */
  readonly isDebug: boolean;
  readonly #rules: Rules;
  readonly #events: Events;

  constructor(options: CacheOptions) {
    const { objects, minPartial, capacity, debug = false, storeUser = false, cpus, order } = options;
    this.capacity = capacity;
    this.isDebug = debug;
    this.#rules = { ...RULES, ...options.rules };
    this.#events = options.events ?? {};
    const count = (cpu: number, counter: NodeCounter): void => this.#count(cpu, counter);
    const node = { objects, minPartial, order, count, events: this.#events, rules: this.#rules };
    this.node = new NodePart({ ...node, listsFull: storeUser });
    for (let cpu = 0; capacity > 0 && cpu < cpus; cpu++) {
      this.cpus.push({ main: this.#makeSheaf(0), spare: null, rcuFree: null });
    }
  }

  // ---- One object ----------------------------------------------------------------------------------------------------

  alloc(cpu: number): Obj {
    const sheaves = this.cpus[cpu];
    if (sheaves === undefined) {
      this.#count(cpu, 'alloc_slowpath');
      return this.node.takeOne(cpu);
    }
    if (sheaves.main.objects.length === 0) this.#replaceEmptyMain(sheaves, cpu);
    this.#count(cpu, 'alloc_fastpath');
    return sheaves.main.objects.pop()!;
  }

  /** A1 to A3 */
  #replaceEmptyMain(sheaves: CpuSheaves, cpu: number): void {
    const { main, spare } = sheaves;
    const { spareFirst, filledFirst, refillTo, emptiedMainTo } = this.#rules;
    const spareHolds = spare !== null && spare.objects.length > 0;
    if (spareHolds && spareFirst) return this.#swap(sheaves);
    const full = this.#takeFull(cpu);
    if (full !== undefined) {
      this.barn.empty.unshift(main);
      sheaves.main = full;
      return;
    }
    if (spareHolds) return this.#swap(sheaves);
    const ofBarn = (): Sheaf | undefined =>
      spare === null || filledFirst === 'barn' ? this.#takeEmpty() : undefined;
    const filled = ofBarn() ?? spare ?? this.#makeSheaf(cpu);
    this.#fill(filled, refillTo(this.capacity), cpu);
    sheaves.main = filled;
    if (filled !== spare && spare !== null) this.barn.empty.unshift(main);
    else if (emptiedMainTo === 'spare') sheaves.spare = main;
    else {
      this.barn.empty.unshift(main);
      sheaves.spare = null;
    }
  }

  free(cpu: number, object: Obj): void {
    const sheaves = this.cpus[cpu];
    if (sheaves === undefined) {
      this.#count(cpu, 'free_slowpath');
      this.node.give(object.slab, [object.index], cpu);
      return;
    }
    if (this.#isFull(sheaves.main)) this.#replaceFullMain(sheaves, cpu);
    sheaves.main.objects.push(object);
    this.#count(cpu, 'free_fastpath');
  }

  /** F1 to F3 */
  #replaceFullMain(sheaves: CpuSheaves, cpu: number): void {
    const { main, spare } = sheaves;
    const { toBarn, fullTo, fullMax, flushed } = this.#rules;
    if (spare === null) {
      sheaves.spare = main;
      sheaves.main = this.#takeEmpty() ?? this.#makeSheaf(cpu);
      return;
    }
    if (!this.#isFull(spare)) return this.#swap(sheaves);
    if (this.barn.full.length < fullMax) {
      this.#count(cpu, 'barn_put');
      put(this.barn.full, toBarn === 'main' ? main : spare, fullTo);
      if (toBarn === 'spare') sheaves.spare = main;
      sheaves.main = this.#takeEmpty() ?? this.#makeSheaf(cpu);
      return;
    }
    this.#count(cpu, 'barn_put_fail');
    this.#flush(flushed === 'spare' ? spare : main, cpu);
    if (flushed === 'spare') this.#swap(sheaves);
  }

  // ---- Bulk ----------------------------------------------------------------------------------------------------------

  /** B1, B2 */
  allocBulk(cpu: number, n: number): Obj[] {
    const objects: Obj[] = [];
    const { bulkOrder, bulkFromBarn, bulkRest } = this.#rules;
    const sheaves = this.cpus[cpu];
    while (sheaves !== undefined && objects.length < n) {
      if (sheaves.main.objects.length === 0) {
        if (sheaves.spare !== null && sheaves.spare.objects.length > 0) this.#swap(sheaves);
        else {
          const full = bulkFromBarn ? this.#takeFull(cpu) : undefined;
          if (full === undefined) break;
          this.barn.empty.unshift(sheaves.main);
          sheaves.main = full;
        }
      }
      const held = sheaves.main.objects;
      const taken = held.splice(Math.max(0, held.length - (n - objects.length)));
      objects.push(...(bulkOrder === 'array' ? taken : taken.reverse()));
      this.#count(cpu, 'alloc_fastpath', taken.length);
    }
    const rest = n - objects.length;
    if (rest > 0 && sheaves !== undefined && bulkRest === 'singly')
      for (let i = 0; i < rest; i++) objects.push(this.alloc(cpu));
    else if (rest > 0) {
      objects.push(...this.#fromSlabs(rest, cpu));
      this.#count(cpu, 'alloc_slowpath', rest);
    }
    return objects;
  }

  /** N1, or with debug flags N4 as often as needed. */
  #fromSlabs(n: number, cpu: number): Obj[] {
    if (this.isDebug) return Array.from({ length: n }, () => this.node.takeOne(cpu));
    return this.node.take(n, cpu);
  }

  /** B3, B4 */
  freeBulk(cpu: number, array: readonly Obj[]): void {
    const { bulkFreeFrom, bulkFreeRest } = this.#rules;
    const sheaves = this.cpus[cpu];
    if (sheaves === undefined) {
      this.#count(cpu, 'free_slowpath', array.length);
      return this.node.giveAll(array, 'asked', cpu);
    }
    const left = [...array];
    while (left.length > 0) {
      if (this.#isFull(sheaves.main) && !this.#makeRoomForBulk(sheaves, cpu)) break;
      const { objects, capacity } = sheaves.main;
      const room = Math.min(capacity - objects.length, left.length);
      objects.push(...(bulkFreeFrom === 'start' ? left.splice(0, room) : left.splice(-room)));
      this.#count(cpu, 'free_fastpath', room);
    }
    if (bulkFreeRest === 'singly') for (const object of left) this.free(cpu, object);
    else if (left.length > 0) {
      this.#count(cpu, 'free_slowpath', left.length);
      this.node.giveAll(left, 'inside', cpu);
    }
  }

  /** B3: whether main has room now. */
  #makeRoomForBulk(sheaves: CpuSheaves, cpu: number): boolean {
    const { main, spare } = sheaves;
    const { fullMax, fullTo, bulkFreeMakes } = this.#rules;
    if (spare !== null && !this.#isFull(spare)) {
      this.#swap(sheaves);
      return true;
    }
    if (spare !== null && this.barn.full.length >= fullMax) {
      this.#count(cpu, 'barn_put_fail');
      return false;
    }
    const empty = this.#takeEmpty() ?? (bulkFreeMakes ? this.#makeSheaf(cpu) : undefined);
    if (empty === undefined) {
      if (spare !== null) this.#count(cpu, 'barn_put_fail');
      return false;
    }
    if (spare === null) sheaves.spare = main;
    else {
      this.#count(cpu, 'barn_put');
      put(this.barn.full, main, fullTo);
    }
    sheaves.main = empty;
    return true;
  }

  // ---- kfree_rcu -----------------------------------------------------------------------------------------------------

  /** K1, K2: these objects, within one read-side section; the grace period is over when it returns. */
  kfreeRcu(cpu: number, array: readonly Obj[]): void {
    const sheaves = this.cpus[cpu];
    const handedOver: Sheaf[] = [];
    for (const object of array) {
      if (sheaves === undefined) {
        this.#count(cpu, 'free_rcu_sheaf_fail');
        this.free(cpu, object);
        continue;
      }
      sheaves.rcuFree ??= this.#rcuSheaf(sheaves, cpu);
      sheaves.rcuFree.objects.push(object);
      this.#count(cpu, 'free_rcu_sheaf');
      if (!this.#isFull(sheaves.rcuFree)) continue;
      if (this.#rules.rcuHandedOver === 'later') handedOver.push(sheaves.rcuFree);
      else this.#endGrace(sheaves.rcuFree, cpu);
      sheaves.rcuFree = null;
    }
    for (const sheaf of handedOver) this.#endGrace(sheaf, cpu);
  }

  #rcuSheaf(sheaves: CpuSheaves, cpu: number): Sheaf {
    const { spare } = sheaves;
    if (this.#rules.rcuTakesSpare && spare !== null && spare.objects.length === 0) {
      sheaves.spare = null;
      return spare;
    }
    return this.#takeEmpty() ?? this.#makeSheaf(cpu);
  }

  /** K2: the grace period of a full rcu_free sheaf is over. */
  #endGrace(sheaf: Sheaf, cpu: number): void {
    const { fullMax, fullTo, emptyMax } = this.#rules;
    if (this.barn.full.length < fullMax) {
      this.#count(cpu, 'barn_put');
      return put(this.barn.full, sheaf, fullTo);
    }
    this.#count(cpu, 'barn_put_fail');
    this.#flush(sheaf, cpu);
    if (this.barn.empty.length < emptyMax) this.barn.empty.unshift(sheaf);
    else this.#freeSheaf(sheaf, cpu);
  }

  /** K3: what kvfree_rcu_barrier does on one CPU. */
  flushRcu(cpu: number): void {
    const sheaves = this.cpus[cpu];
    const sheaf = sheaves?.rcuFree;
    if (sheaves === undefined || sheaf === null || sheaf === undefined) return;
    sheaves.rcuFree = null;
    if (this.#rules.rcuWaitedTo === 'barn') return this.#endGrace(sheaf, cpu);
    this.#flush(sheaf, cpu);
    this.#freeSheaf(sheaf, cpu);
  }

  // ---- Prefilled sheaves ---------------------------------------------------------------------------------------------

  /** P1, P2: null for none. */
  prefill(cpu: number, n: number): Sheaf | null {
    if (n === 0) return null;
    if (n > this.capacity) {
      this.#count(cpu, 'sheaf_prefill_oversize');
      const sheaf = this.#makeSheaf(cpu, n);
      this.#fill(sheaf, n, cpu);
      return sheaf;
    }
    const sheaf = this.#sheafToFill(this.cpus[cpu]!, cpu);
    const to = this.#rules.prefillTo === 'capacity' ? this.capacity : n;
    if (sheaf.objects.length < n) this.#fill(sheaf, to, cpu);
    return sheaf;
  }

  #sheafToFill(sheaves: CpuSheaves, cpu: number): Sheaf {
    const { spare } = sheaves;
    if (spare !== null && (this.#rules.prefillTakes === 'any spare' || spare.objects.length === 0)) {
      sheaves.spare = null;
      this.#count(cpu, 'sheaf_prefill_fast');
      return spare;
    }
    this.#count(cpu, 'sheaf_prefill_slow');
    return this.#takeFull(cpu) ?? this.#takeEmpty() ?? this.#makeSheaf(cpu);
  }

  /** P3: null when the sheaf is empty; nothing else is asked. */
  allocFromSheaf(sheaf: Sheaf): Obj | null {
    return sheaf.objects.pop() ?? null;
  }

  /** P4 */
  returnSheaf(cpu: number, sheaf: Sheaf): void {
    const sheaves = this.cpus[cpu];
    const { returnedSpare, returnedToBarn, fullMax, fullTo } = this.#rules;
    if (sheaves === undefined || sheaf.capacity !== this.capacity) return this.#flushAndFree(sheaf, cpu);
    if (sheaves.spare === null) {
      if (returnedSpare === 'filled') this.#fill(sheaf, this.capacity, cpu);
      this.#count(cpu, 'sheaf_return_fast');
      sheaves.spare = sheaf;
      return;
    }
    this.#count(cpu, 'sheaf_return_slow');
    if (this.barn.full.length >= fullMax || returnedToBarn === 'flushed')
      return this.#flushAndFree(sheaf, cpu);
    this.#fill(sheaf, this.capacity, cpu);
    this.#count(cpu, 'barn_put');
    put(this.barn.full, sheaf, fullTo);
  }

  /** P5: the sheaf that holds at least n afterwards; it may be another one. */
  refillSheaf(cpu: number, sheaf: Sheaf, n: number): Sheaf {
    if (sheaf.objects.length >= n) return sheaf;
    if (n <= sheaf.capacity) {
      this.#fill(sheaf, this.#rules.prefillTo === 'capacity' ? sheaf.capacity : n, cpu);
      return sheaf;
    }
    const larger = this.prefill(cpu, n)!;
    this.returnSheaf(cpu, sheaf);
    return larger;
  }

  // ---- Flush, shrink, CPUs that go, destroy --------------------------------------------------------------------------

  /** H1: every sheaf of one CPU goes to the slabs. */
  flushCpu(cpu: number): void {
    const sheaves = this.cpus[cpu];
    if (sheaves === undefined) return;
    if (this.#rules.flushFirst === 'main') this.#flushMain(sheaves, cpu);
    this.#flushSpare(sheaves, cpu);
    this.#flushMain(sheaves, cpu);
    this.flushRcu(cpu);
  }

  #flushSpare(sheaves: CpuSheaves, cpu: number): void {
    const { spare } = sheaves;
    sheaves.spare = null;
    if (spare !== null) this.#flushAndFree(spare, cpu);
  }

  /** In pieces from the top. */
  #flushMain({ main }: CpuSheaves, cpu: number): void {
    while (main.objects.length > 0) {
      const piece = main.objects.splice(-this.#rules.flushPiece);
      this.#count(cpu, 'sheaf_flush', piece.length);
      this.node.giveAll(piece, 'inside', cpu);
    }
  }

  /** H2: whether slabs are left. All CPUs are flushed in ascending order, which is one of the orders that a kernel may choose. */
  shrink(cpu: number): boolean {
    for (let each = 0; each < this.cpus.length; each++) this.flushCpu(each);
    for (let full = this.#barnFlushed(); full !== undefined; full = this.#barnFlushed())
      this.#flushAndFree(full, cpu);
    for (const empty of this.barn.empty.splice(0)) this.#freeSheaf(empty, cpu);
    return this.node.shrink(cpu);
  }

  #barnFlushed(): Sheaf | undefined {
    return take(this.barn.full, this.#rules.barnFlushedFrom);
  }

  /** H3: the barn is left alone, the empty main waits for the CPU to come back. */
  offline(cpu: number): void {
    const sheaves = this.cpus[cpu];
    if (sheaves === undefined) return;
    const { offlineMain, offlineFirst } = this.#rules;
    if (offlineFirst === 'spare') this.#flushSpare(sheaves, cpu);
    if (offlineMain === 'whole') this.#flush(sheaves.main, cpu);
    else this.#flushMain(sheaves, cpu);
    this.#flushSpare(sheaves, cpu);
    this.flushRcu(cpu);
  }

  /** H4: the objects that remain, which keep the cache from going away. */
  destroy(cpu: number): Obj[] {
    this.shrink(cpu);
    const remaining = this.node.handedOut();
    if (remaining.length === 0) for (const { main } of this.cpus) this.#freeSheaf(main, cpu);
    return remaining;
  }

  /** Every object of every slab is in one place: its slab's freelist, a sheaf, or with the caller, who says which these are. */
  check(live: readonly Obj[], prefilled: readonly Sheaf[]): void {
    this.node.check();
    const sheaves = this.cpus.flatMap(({ main, spare, rcuFree }) => [main, spare, rcuFree]);
    const all = [...sheaves, ...this.barn.full, ...this.barn.empty, ...prefilled].filter(
      (sheaf) => sheaf !== null,
    );
    assert.equal(new Set(all).size, all.length, 'a sheaf is in one place');
    const held = [...live, ...all.flatMap(({ objects }) => objects)].map(
      ({ slab, index }) => `${slab.ordinal}/${index}`,
    );
    assert.equal(new Set(held).size, held.length, 'an object is in one place');
    const handedOut = this.node.handedOut().map(({ slab, index }) => `${slab.ordinal}/${index}`);
    assert.deepEqual(held.sort(), handedOut.sort(), 'what is not free is in a sheaf or with the caller');
    for (const { objects, capacity } of all)
      assert.ok(objects.length <= capacity, 'a sheaf holds its capacity at most');
    for (const { objects } of this.barn.full)
      assert.equal(objects.length, this.capacity, 'the full ones are full');
    for (const { objects } of this.barn.empty) assert.equal(objects.length, 0, 'the empty ones are empty');
  }

  // ---- Parts ---------------------------------------------------------------------------------------------------------

  #isFull({ objects, capacity }: Sheaf): boolean {
    return objects.length >= capacity;
  }

  #swap(sheaves: CpuSheaves): void {
    const { main, spare } = sheaves;
    sheaves.main = spare!;
    sheaves.spare = main;
  }

  #takeFull(cpu: number): Sheaf | undefined {
    const full = take(this.barn.full, this.#rules.fullFrom);
    this.#count(cpu, full === undefined ? 'barn_get_fail' : 'barn_get');
    return full;
  }

  #takeEmpty(): Sheaf | undefined {
    return this.barn.empty.shift();
  }

  #makeSheaf(cpu: number, capacity = this.capacity): Sheaf {
    const sheaf: Sheaf = { capacity, objects: [] };
    this.#count(cpu, 'sheaf_alloc');
    this.#events.sheafMade?.(sheaf, cpu);
    return sheaf;
  }

  #freeSheaf(sheaf: Sheaf, cpu: number): void {
    assert.equal(sheaf.objects.length, 0, 'a sheaf is empty when it goes');
    this.#count(cpu, 'sheaf_free');
    this.#events.sheafFreed?.(sheaf, cpu);
  }

  #fill(sheaf: Sheaf, to: number, cpu: number): void {
    const missing = Math.max(0, to - sheaf.objects.length);
    sheaf.objects.push(...this.#fromSlabs(missing, cpu));
    this.#count(cpu, sheaf.capacity === this.capacity ? 'sheaf_refill' : 'alloc_slowpath', missing);
  }

  #flush(sheaf: Sheaf, cpu: number): void {
    const objects = sheaf.objects.splice(0);
    this.#count(cpu, 'sheaf_flush', objects.length);
    this.node.giveAll(objects, 'inside', cpu);
  }

  #flushAndFree(sheaf: Sheaf, cpu: number): void {
    this.#flush(sheaf, cpu);
    this.#freeSheaf(sheaf, cpu);
  }

  #count(cpu: number, counter: Counter, by = 1): void {
    const counts = this.counters.get(counter) ?? [];
    counts[cpu] = (counts[cpu] ?? 0) + by;
    this.counters.set(counter, counts);
  }
}
