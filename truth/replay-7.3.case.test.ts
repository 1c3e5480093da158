/**
 * A recorded sequence of Linux 7.3 played on the plain model. Everything that the recording says of it is compared but where in physical
 * memory it lay.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
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
type Place = readonly [number, number];

interface Checkpoint {
  readonly op: number;
  readonly why: string;
  readonly live: number;
  readonly sysfs: Readonly<Record<string, string>>;
  readonly slabinfo?: readonly number[];
  readonly state: Readonly<Record<string, unknown>>;
}

export interface RecordedSequence {
  readonly pattern: string;
  readonly size: number;
  readonly ops: string;
  readonly ops_n: number;
  readonly allocs: number;
  /** What was asked for; not in every file. */
  readonly sheaf_capacity?: number;
  readonly cache: {
    readonly flags: string;
    readonly size: number;
    readonly allocflags: string;
    readonly oo: readonly [order: number, objects: number];
    readonly min_partial: number;
    readonly sheaf_capacity: number;
    readonly random_seq?: readonly number[];
  };
  readonly cp: readonly Checkpoint[];
  readonly shrink_ret: number;
  readonly ord: readonly number[];
  readonly idx: readonly number[];
  readonly slabs: readonly (readonly [born: number, died: number, zone: string, first: number])[];
  readonly ret: readonly (readonly [op: number, value: number])[];
  readonly stray: number;
}

/** What a sequence's file says about all of them. */
export interface RecordedHead {
  readonly boots: Readonly<Record<string, { readonly nr_cpu_ids: number }>>;
  readonly constants: { readonly slab_flags?: Readonly<Record<string, string>> };
}

export interface Difference {
  readonly what: string;
  readonly recorded: unknown;
  readonly model: unknown;
}

/** How many values were compared, and the first that differ. */
export interface Outcome {
  readonly values: number;
  readonly differences: readonly Difference[];
}

/** After so many differences a sequence is given up. */
const DIFFERENCES_KEPT = 5;

/** The last shrink of a sequence flushes all CPUs at the same time: which slab meets a full list is a race. */
const RACES: Readonly<Record<string, readonly string[]>> = {
  shrunk: ['free_add_partial', 'free_remove_partial', 'free_slab'],
};

/** Bits of allocflags. */
const GFP_DMA = 0x1;
const GFP_DMA32 = 0x4;

const EINVAL = -22;

/** Plays a sequence. With `rules`, some of the model's rules are others, to see whether the recording tells. */
export function replaySequence(
  sequence: RecordedSequence,
  head: RecordedHead,
  rules: Partial<Rules> = {},
): Outcome {
  return new Replay(sequence, head, rules).run();
}

class Enough extends Error {}

class Replay {
  readonly #sequence: RecordedSequence;
  readonly #cache: ModelCache;
  readonly #objects: Obj[] = [];
  /** Numbers of the allocations that are not freed yet. */
  readonly #live = new Set<number>();
  /** By number; null: never there, or returned. */
  readonly #sheaves: (Sheaf | null)[] = [];
  readonly #born: number[] = [];
  readonly #died = new Map<number, number>();
  readonly #returned: [number, number][] = [];
  readonly #differences: Difference[] = [];
  readonly #order: CacheOptions['order'];
  readonly #isNuma: boolean;
  readonly #cpus: number;
  #madeOn: number | undefined;
  #op = 0;
  #values = 0;

  constructor(sequence: RecordedSequence, head: RecordedHead, rules: Partial<Rules>) {
    this.#sequence = sequence;
    const { cache } = sequence;
    this.#order = orderOf(sequence);
    this.#cpus = Object.values(head.boots)[0]!.nr_cpu_ids;
    const has = flagTest(sequence, head);
    const options: CacheOptions = {
      objects: cache.oo[1],
      minPartial: cache.min_partial,
      capacity: cache.sheaf_capacity,
      debug: DEBUG_FLAGS.some(has),
      storeUser: has('SLAB_STORE_USER'),
      cpus: this.#cpus,
      order: this.#order,
      rules,
      events: {
        slabMade: () => void this.#born.push(this.#op),
        slabDiscarded: ({ ordinal }) => void this.#died.set(ordinal, this.#op),
      },
    };
    this.#isNuma = cache.random_seq !== undefined;
    this.#cache = new ModelCache(options);
  }

  run(): Outcome {
    try {
      const tokens = this.#sequence.ops.split(' ');
      let checkpoint = 0;
      for (const [op, token] of tokens.entries()) {
        this.#op = op;
        if (token === 'c') this.#checkpoint(this.#sequence.cp[checkpoint++]!);
        else this.#play(token);
      }
      this.#op = tokens.length;
      this.#same('ops_n', this.#sequence.ops_n, tokens.length);
      this.#finish(this.#sequence.cp.slice(checkpoint));
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
    return { values: this.#values, differences: this.#differences };
  }

  /** The three checkpoints that every sequence ends with, and what is known of the whole. */
  #finish([end, drained, shrunk, ...more]: readonly Checkpoint[]): void {
    const { slabs, ret, allocs, stray, shrink_ret } = this.#sequence;
    this.#same('checkpoints behind the last', 0, more.length);
    this.#checkpoint(end!);
    for (const sheaf of this.#sheaves) if (sheaf !== null) this.#cache.returnSheaf(0, sheaf);
    this.#sheaves.fill(null);
    for (const number of [...this.#live].sort((a, b) => a - b)) this.#free(0, number);
    for (let cpu = 0; cpu < this.#cache.cpus.length; cpu++) this.#cache.flushRcu(cpu);
    this.#checkpoint(drained!);
    this.#op++;
    this.#same('what the last shrink returned', shrink_ret, Number(this.#cache.shrink(0)));
    this.#checkpoint(shrunk!);
    this.#same('slabs', slabs.length, this.#born.length);
    const { allocflags } = this.#sequence.cache;
    const zone = zoneOf(Number.parseInt(allocflags, 16));
    for (const [ordinal, slab] of slabs.entries()) {
      const first = this.#order?.(ordinal)[0] ?? 0;
      this.#same(`slab ${ordinal}`, slab, [this.#born[ordinal], this.#died.get(ordinal) ?? -1, zone, first]);
    }
    this.#same('returned', ret, this.#returned);
    this.#same('allocations', allocs, this.#objects.length);
    this.#same('stray objects', stray, 0);
  }

  #play(token: string): void {
    const kind = token[0]!;
    if (kind === 'w') return this.#write(token.slice(1));
    const [cpuText = '', list = ''] = token.slice(1).split(':');
    const cpu = Number(cpuText);
    const numbers = list === '' ? [] : list.split(',').map(Number);
    const [first = 0, second = 0] = numbers;
    const cache = this.#cache;
    if (kind === 'a') this.#got(cache.alloc(cpu));
    else if (kind === 'f') this.#free(cpu, first);
    else if (kind === 'A') for (const object of cache.allocBulk(cpu, first)) this.#got(object);
    else if (kind === 'F')
      cache.freeBulk(
        cpu,
        numbers.map((number) => this.#give(number)),
      );
    else if (kind === 'r')
      cache.kfreeRcu(
        cpu,
        numbers.map((number) => this.#give(number)),
      );
    else if (kind === 'b') cache.flushRcu(cpu);
    else if (kind === 'h') cache.flushCpu(cpu);
    else if (kind === 's' || kind === 'S') cache.shrink(0);
    else if (kind === 'D') {
      cache.offline(cpu);
      this.#answer(0);
    } else if (kind === 'q') this.#got(cache.allocFromSheaf(this.#sheaves[first]!));
    else if (kind === 't') {
      cache.returnSheaf(cpu, this.#sheaves[first]!);
      this.#sheaves[first] = null;
    } else if (kind === 'p') {
      const sheaf = cache.prefill(cpu, first);
      this.#sheaves.push(sheaf);
      this.#answer(sheaf?.objects.length ?? -1);
    } else if (kind === 'u') {
      const sheaf = cache.refillSheaf(cpu, this.#sheaves[first]!, second);
      this.#sheaves[first] = sheaf;
      this.#answer(sheaf.objects.length);
    } else throw new Error(`unknown operation ${token}`);
  }

  /** A write returns the number of its characters; cpu_partial is a file without effect (Y1). */
  #write(assignment: string): void {
    const [file, text = ''] = assignment.split('=');
    const value = Number(text);
    if (file === 'min_partial') this.#cache.node.minPartial = value;
    this.#answer(file === 'min_partial' || value === 0 ? text.length : EINVAL);
  }

  #answer(value: number): void {
    this.#returned.push([this.#op, value]);
  }

  #got(object: Obj | null): void {
    const number = this.#objects.length;
    const { ord, idx } = this.#sequence;
    const recorded = ord[number] === -1 ? null : [ord[number], idx[number]];
    this.#same(`allocation ${number}`, recorded, object === null ? null : place(object));
    this.#objects.push(object!);
    if (object !== null) this.#live.add(number);
  }

  #give(number: number): Obj {
    this.#live.delete(number);
    return this.#objects[number]!;
  }

  #free(cpu: number, number: number): void {
    this.#cache.free(cpu, this.#give(number));
  }

  #checkpoint(recorded: Checkpoint): void {
    const { why } = recorded;
    const where = `checkpoint ${why} at ${recorded.op}`;
    this.#same(`${where}: op`, recorded.op, this.#op);
    this.#same(`${where}: live`, recorded.live, this.#live.size);
    const live = [...this.#live].map((number) => this.#objects[number]!);
    const prefilled = this.#sheaves.filter((sheaf) => sheaf !== null);
    if (why !== 'c') this.#cache.check(live, prefilled);
    const model = this.#state();
    this.#sameFields(`${where}: state`, recorded.state, model);
    const counters = 'sheaf_alloc' in recorded.sysfs;
    const sysfs = { ...this.#sysfs(), ...(counters ? this.#statistics(recorded.sysfs.sheaf_alloc!) : {}) };
    const left = new Set(RACES[why] ?? []);
    for (const name of left) delete sysfs[name];
    const told = Object.entries(recorded.sysfs).filter(([name]) => !left.has(name));
    const shown = told.map(([name, text]) => [name, ANY_CPU.has(name) ? text.split(' ')[0] : text]);
    this.#sameFields(`${where}: sysfs`, Object.fromEntries(shown), sysfs);
    if (recorded.slabinfo !== undefined)
      this.#same(`${where}: slabinfo`, recorded.slabinfo, this.#slabinfo());
  }

  #state(): Record<string, unknown> {
    const { node, cpus, barn, capacity } = this.#cache;
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
    const held = [...this.#sheaves.entries()].flatMap(([number, sheaf]) =>
      sheaf === null ? [] : [[number, sheaf.capacity, sheaf.objects.map(place)]],
    );
    if (held.length > 0) state.prefilled = held;
    return state;
  }

  /** Y1 */
  #sysfs(): Record<string, string> {
    const { node } = this.#cache;
    const { totalObjects, freeListed } = node;
    const listed = node.partial.length * node.objects;
    const text = (n: number): string => `${n}${this.#isNuma && n > 0 ? ` N0=${n}` : ''}`;
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

  /** Y2 */
  #statistics(recordedAllocs: string): Record<string, string> {
    const texts: Record<string, string> = {};
    for (const counter of COUNTERS) {
      const text = counterText(this.#counts(counter));
      texts[counter] = ANY_CPU.has(counter) ? text.split(' ')[0]! : text;
    }
    // On which CPU the cache was made is not recorded: it is the one on which the recording has one sheaf a CPU more.
    this.#madeOn ??= [0, 1, 2, 3].find((cpu) => this.#allocText(cpu) === recordedAllocs) ?? 0;
    texts.sheaf_alloc = this.#allocText(this.#madeOn);
    return texts;
  }

  #counts(counter: string): number[] {
    const counts = this.#cache.counters.get(counter as Counter) ?? [];
    return Array.from({ length: this.#cpus }, (_, cpu) => counts[cpu] ?? 0);
  }

  #allocText(madeOn: number): string {
    const counts = this.#counts('sheaf_alloc');
    if (counts.length > 0) {
      counts[0]! -= this.#cache.cpus.length;
      counts[madeOn]! += this.#cache.cpus.length;
    }
    return counterText(counts);
  }

  /** Y3: active_objs, num_objs, objsize, objperslab, pagesperslab, three tunables, active_slabs, num_slabs, sharedavail. */
  #slabinfo(): number[] {
    const { node } = this.#cache;
    const { size, oo } = this.#sequence.cache;
    const { totalObjects: total, freeListed, objects } = node;
    const slabs = node.slabs.size;
    return [total - freeListed, total, size, objects, 2 ** oo[0], 0, 0, 0, slabs, slabs, 0];
  }

  #sameFields(
    what: string,
    recorded: Readonly<Record<string, unknown>>,
    model: Readonly<Record<string, unknown>>,
  ): void {
    for (const name of new Set([...Object.keys(recorded), ...Object.keys(model)]))
      this.#same(`${what} ${name}`, recorded[name], model[name]);
  }

  #same(what: string, recorded: unknown, model: unknown): void {
    this.#values += leaves(recorded);
    if (isDeepStrictEqual(recorded, model)) return;
    this.#differences.push({ what, recorded, model });
    if (this.#differences.length >= DIFFERENCES_KEPT) throw new Enough();
  }
}

/**
 * Counters of work that may run on a CPU which the recording does not tell: what waits for a grace period, and what the caller of shrink
 * does for all CPUs. Only the sum of the CPUs is compared.
 */
const ANY_CPU: ReadonlySet<string> = new Set([
  'free_slowpath',
  'free_add_partial',
  'free_remove_partial',
  'free_slab',
  'sheaf_flush',
  'sheaf_free',
  'barn_put',
  'barn_put_fail',
]);

/** The counters of CONFIG_SLUB_STATS that are recorded. */
const COUNTERS: readonly string[] = [
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

function place({ slab, index }: { slab: Slab; index: number }): Place {
  return [slab.ordinal, index];
}

/** As sysfs shows a counter: the sum, then each CPU that has counted. */
function counterText(counts: readonly number[]): string {
  const sum = counts.reduce((all, n) => all + n, 0);
  const cpus = [...counts.entries()].filter(([, n]) => n > 0);
  return `${sum}${cpus.map(([cpu, n]) => ` C${cpu}=${n}`).join('')}`;
}

/** C5: a randomised cache has one permutation, and the recording says with which of its entries each slab began. */
function orderOf({ cache, slabs }: RecordedSequence): CacheOptions['order'] {
  const permutation = cache.random_seq;
  if (permutation === undefined) return undefined;
  const sorted = [...permutation].sort((a, b) => a - b);
  assert.deepEqual(
    sorted,
    Array.from({ length: cache.oo[1] }, (_, index) => index),
    'is a permutation',
  );
  return (ordinal) => {
    const at = Math.max(0, permutation.indexOf(slabs[ordinal]?.[3] ?? permutation[0]!));
    return [...permutation.slice(at), ...permutation.slice(0, at)];
  };
}

function zoneOf(allocflags: number): string {
  if (allocflags & GFP_DMA) return 'DMA';
  return allocflags & GFP_DMA32 ? 'DMA32' : 'Normal';
}

/** Whether the cache has a flag: bits depend on the kernel's configuration, names do not. */
function flagTest({ cache }: RecordedSequence, { constants }: RecordedHead): (name: string) => boolean {
  const word = Number.parseInt(cache.flags, 16);
  return (name) => (word & Number.parseInt(constants.slab_flags?.[name] ?? '0', 16)) !== 0;
}

/** How many numbers and texts a value consists of. */
function leaves(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + leaves(each), 0);
  if (typeof value === 'object' && value !== null) return leaves(Object.values(value));
  return 1;
}
