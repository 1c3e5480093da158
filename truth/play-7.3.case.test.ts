/**
 * A sequence in the notation of the recordings, played on the plain model of Linux 7.3: what each operation hands out and returns, and what
 * a checkpoint shows. replay-7.3.case.test.ts compares it with a recording, record-7.3.case.test.ts makes a recording of it.
 */
import assert from 'node:assert/strict';
import {
  type CacheOptions,
  type Counter,
  DEBUG_FLAGS,
  ModelCache,
  type Obj,
  type Rules,
  type Sheaf,
  type Slab,
} from './model-7.3.case.test.js';

/** [slab ordinal, index] */
export type Place = readonly [ordinal: number, index: number];

export interface Checkpoint {
  readonly op: number;
  readonly why: string;
  readonly live: number;
  readonly sysfs: Readonly<Record<string, string>>;
  /** Not at every checkpoint. */
  readonly slabinfo?: readonly number[];
  readonly state: Readonly<Record<string, unknown>>;
}

/** What a recording says of its cache, as far as the model needs it. */
export interface RecordedCache {
  readonly flags: string;
  readonly size: number;
  readonly allocflags: string;
  readonly oo: readonly [order: number, objects: number];
  readonly min_partial: number;
  readonly sheaf_capacity: number;
  readonly random_seq?: readonly number[];
}

/** [operation of birth, of death (-1: it lives on), zone, first index]; a sequence's slabs in the order in which they were made. */
export type RecordedSlab = readonly [born: number, died: number, zone: string, first: number];

export interface RecordedSequence {
  readonly pattern: string;
  readonly size: number;
  readonly ops: string;
  readonly ops_n: number;
  readonly allocs: number;
  /** What was asked for; not in every file. */
  readonly sheaf_capacity?: number;
  readonly cache: RecordedCache;
  readonly cp: readonly Checkpoint[];
  readonly shrink_ret: number;
  readonly ord: readonly number[];
  readonly idx: readonly number[];
  readonly slabs: readonly RecordedSlab[];
  readonly ret: readonly (readonly [op: number, value: number])[];
  readonly stray: number;
}

/** What a file says about all of its sequences. */
export interface RecordedHead {
  readonly boots: Readonly<Record<string, { readonly nr_cpu_ids: number }>>;
  readonly constants: { readonly slab_flags?: Readonly<Record<string, string>> };
}

/** Bits of allocflags. */
const GFP_DMA = 0x1;
const GFP_DMA32 = 0x4;

const EINVAL = -22;

/** The counters of CONFIG_SLUB_STATS that are recorded. */
export const COUNTERS: readonly string[] = [
  'alloc_fastpath',
  'alloc_slowpath',
  'free_rcu_sheaf',
  'free_rcu_sheaf_fail',
  'free_fastpath',
  'free_slowpath',
  'free_add_partial',
  'free_remove_partial',
  'alloc_slab',
  'alloc_node_mismatch',
  'free_slab',
  'order_fallback',
  'sheaf_flush',
  'sheaf_refill',
  'sheaf_alloc',
  'sheaf_free',
  'barn_get',
  'barn_get_fail',
  'barn_put',
  'barn_put_fail',
  'sheaf_prefill_fast',
  'sheaf_prefill_slow',
  'sheaf_prefill_oversize',
  'sheaf_return_fast',
  'sheaf_return_slow',
];

export interface PlayOptions {
  readonly cache: RecordedCache;
  readonly head: RecordedHead;
  /** Of a randomised cache: with which index each slab begins. */
  readonly firstOf?: (ordinal: number) => number | undefined;
  readonly rules?: Partial<Rules>;
}

export class Play {
  /** The operation that runs, counted from 0. */
  op = 0;
  readonly model: ModelCache;
  readonly cpus: number;
  /** Where each allocation lies; null: there was none. */
  readonly places: (Place | null)[] = [];
  /** Numbers of the allocations that are not freed yet. */
  readonly live = new Set<number>();
  /** By number; null: never there, or returned. */
  readonly sheaves: (Sheaf | null)[] = [];
  readonly returned: [op: number, value: number][] = [];
  readonly #objects: Obj[] = [];
  readonly #born: number[] = [];
  readonly #died = new Map<number, number>();
  readonly #cache: RecordedCache;
  readonly #order: CacheOptions['order'];

  constructor({ cache, head, firstOf, rules = {} }: PlayOptions) {
    this.#cache = cache;
    this.#order = orderOf(cache, firstOf);
    this.cpus = Object.values(head.boots)[0]!.nr_cpu_ids;
    const flags = flagNames(cache.flags, head);
    this.model = new ModelCache({
      objects: cache.oo[1],
      minPartial: cache.min_partial,
      capacity: cache.sheaf_capacity,
      debug: DEBUG_FLAGS.some((flag) => flags.has(flag)),
      storeUser: flags.has('SLAB_STORE_USER'),
      cpus: this.cpus,
      order: this.#order,
      rules,
      events: {
        slabMade: () => void this.#born.push(this.op),
        slabDiscarded: ({ ordinal }) => void this.#died.set(ordinal, this.op),
      },
    });
  }

  /** Plays one operation of the recordings' notation, checkpoints apart. */
  play(token: string): void {
    const kind = token[0]!;
    if (kind === 'w') return this.#write(token.slice(1));
    const [cpuText = '', list = ''] = token.slice(1).split(':');
    const cpu = Number(cpuText);
    const numbers = list === '' ? [] : list.split(',').map(Number);
    const [first = 0, second = 0] = numbers;
    const { model } = this;
    if (kind === 'a') this.#got(model.alloc(cpu));
    else if (kind === 'f') model.free(cpu, this.#give(first));
    else if (kind === 'A') for (const object of model.allocBulk(cpu, first)) this.#got(object);
    else if (kind === 'F') model.freeBulk(cpu, this.#giveAll(numbers));
    else if (kind === 'r') model.kfreeRcu(cpu, this.#giveAll(numbers));
    else if (kind === 'b') model.flushRcu(cpu);
    else if (kind === 'h') model.flushCpu(cpu);
    else if (kind === 's' || kind === 'S') model.shrink(0);
    else if (kind === 'D') {
      model.offline(cpu);
      this.#answer(0);
    } else if (kind === 'q') this.#got(model.allocFromSheaf(this.sheaves[first]!));
    else if (kind === 't') {
      model.returnSheaf(cpu, this.sheaves[first]!);
      this.sheaves[first] = null;
    } else if (kind === 'p') {
      const sheaf = model.prefill(cpu, first);
      this.sheaves.push(sheaf);
      this.#answer(sheaf?.objects.length ?? -1);
    } else if (kind === 'u') {
      const sheaf = model.refillSheaf(cpu, this.sheaves[first]!, second);
      this.sheaves[first] = sheaf;
      this.#answer(sheaf.objects.length);
    } else throw new Error(`unknown operation ${token}`);
  }

  /** What follows the last operation: on CPU 0 sheaves are returned and objects freed, in order, then each CPU's rcu_free is flushed. */
  drain(): void {
    for (const sheaf of this.sheaves) if (sheaf !== null) this.model.returnSheaf(0, sheaf);
    this.sheaves.fill(null);
    for (const number of [...this.live].sort((a, b) => a - b)) this.model.free(0, this.#give(number));
    for (let cpu = 0; cpu < this.model.cpus.length; cpu++) this.model.flushRcu(cpu);
  }

  /** A write returns the number of its characters; cpu_partial is a file without effect (Y1). */
  #write(assignment: string): void {
    const [file, text = ''] = assignment.split('=');
    const value = Number(text);
    if (file === 'min_partial') this.model.node.minPartial = value;
    this.#answer(file === 'min_partial' || value === 0 ? text.length : EINVAL);
  }

  #answer(value: number): void {
    this.returned.push([this.op, value]);
  }

  #got(object: Obj | null): void {
    const number = this.#objects.length;
    this.places.push(object === null ? null : place(object));
    this.#objects.push(object!);
    if (object !== null) this.live.add(number);
  }

  #give(number: number): Obj {
    assert.ok(this.live.delete(number), `allocation ${number} is live`);
    return this.#objects[number]!;
  }

  #giveAll(numbers: readonly number[]): Obj[] {
    return numbers.map((number) => this.#give(number));
  }

  /** Every object and sheaf is in one place. */
  check(): void {
    const live = [...this.live].map((number) => this.#objects[number]!);
    this.model.check(
      live,
      this.sheaves.filter((sheaf) => sheaf !== null),
    );
  }

  slabs(): RecordedSlab[] {
    const zone = zoneOf(Number.parseInt(this.#cache.allocflags, 16));
    return this.#born.map((born, ordinal) => {
      const first = this.#order?.(ordinal)[0] ?? 0;
      return [born, this.#died.get(ordinal) ?? -1, zone, first];
    });
  }

  state(): Record<string, unknown> {
    const { node, cpus, barn, capacity } = this.model;
    const state: Record<string, unknown> = {
      node_partial: node.partial.map(({ ordinal, free }) => [ordinal, node.objects - free.length]),
      nr_slabs: node.slabs.size,
      total_objects: node.totalObjects,
      nr_partial: node.partial.length,
    };
    if (capacity > 0) {
      state.cpu = cpus.map(({ main, spare, rcuFree }) => ({
        main: main.objects.map(place),
        spare: spare?.objects.map(place) ?? null,
        rcu_free: rcuFree?.objects.map(place) ?? null,
      }));
      state.barn = {
        full: barn.full.map(({ objects }) => objects.map(place)),
        empty: barn.empty.map(({ objects }) => objects.length),
        nr_full: barn.full.length,
        nr_empty: barn.empty.length,
      };
    } else state.node_full = node.full.map(({ ordinal }) => ordinal);
    const held = [...this.sheaves.entries()].flatMap(([number, sheaf]) =>
      sheaf === null ? [] : [[number, sheaf.capacity, sheaf.objects.map(place)]],
    );
    if (held.length > 0) state.prefilled = held;
    return state;
  }

  /** Y1 */
  sysfs(): Record<string, string> {
    const { node } = this.model;
    const { totalObjects, freeListed } = node;
    const listed = node.partial.length * node.objects;
    // The kernel with randomised freelists is the one with NUMA.
    const isNuma = this.#order !== undefined;
    const text = (n: number): string => `${n}${isNuma && n > 0 ? ` N0=${n}` : ''}`;
    return {
      objects: text(totalObjects - freeListed),
      total_objects: text(totalObjects),
      slabs: text(node.slabs.size),
      objects_partial: text(listed - freeListed),
      partial: text(node.partial.length),
      cpu_slabs: '0',
      slabs_cpu_partial: '0(0)',
    };
  }

  /** Y2: a counter's value on each CPU. The cache's first sheaves count on the CPU that made it. */
  counts(counter: string, madeOn = 0): number[] {
    const counts = this.model.counters.get(counter as Counter) ?? [];
    const perCpu = Array.from({ length: this.cpus }, (_, cpu) => counts[cpu] ?? 0);
    if (counter === 'sheaf_alloc') {
      perCpu[0]! -= this.model.cpus.length;
      perCpu[madeOn]! += this.model.cpus.length;
    }
    return perCpu;
  }

  /** Y3: active_objs, num_objs, objsize, objperslab, pagesperslab, three tunables, active_slabs, num_slabs, sharedavail. */
  slabinfo(): number[] {
    const { node } = this.model;
    const { size, oo } = this.#cache;
    const { totalObjects: total, freeListed, objects } = node;
    const slabs = node.slabs.size;
    return [total - freeListed, total, size, objects, 2 ** oo[0], 0, 0, 0, slabs, slabs, 0];
  }
}

/** As sysfs shows a counter: the sum, then each CPU that has counted. */
export function counterText(counts: readonly number[]): string {
  const sum = counts.reduce((all, n) => all + n, 0);
  const cpus = [...counts.entries()].filter(([, n]) => n > 0);
  return `${sum}${cpus.map(([cpu, n]) => ` C${cpu}=${n}`).join('')}`;
}

/** The names of a flag word's bits, which depend on the kernel's configuration. */
export function flagNames(word: string, { constants }: RecordedHead): Set<string> {
  const bits = Number.parseInt(word, 16);
  const named = Object.entries(constants.slab_flags ?? {});
  return new Set(named.flatMap(([name, bit]) => ((bits & Number.parseInt(bit, 16)) !== 0 ? [name] : [])));
}

function place({ slab, index }: { slab: Slab; index: number }): Place {
  return [slab.ordinal, index];
}

/** C5: a randomised cache has one permutation, and the recording says with which of its entries each slab began. */
function orderOf(
  cache: RecordedCache,
  firstOf: PlayOptions['firstOf'] = () => undefined,
): CacheOptions['order'] {
  const permutation = cache.random_seq;
  if (permutation === undefined) return undefined;
  const sorted = [...permutation].sort((a, b) => a - b);
  assert.deepEqual(
    sorted,
    Array.from({ length: cache.oo[1] }, (_, index) => index),
    'is a permutation',
  );
  return (ordinal) => {
    const at = Math.max(0, permutation.indexOf(firstOf(ordinal) ?? permutation[0]!));
    return [...permutation.slice(at), ...permutation.slice(0, at)];
  };
}

function zoneOf(allocflags: number): string {
  if (allocflags & GFP_DMA) return 'DMA';
  return allocflags & GFP_DMA32 ? 'DMA32' : 'Normal';
}
