/**
 * seq-*: sequences of allocations and frees on one cache, each operation on its CPU. Compared are the slab and index of every
 * allocation, birth, death, zone and colour of every slab, and at each checkpoint the sysfs counters (SLAB has none), /proc/slabinfo where
 * it was recorded, and the state of all lists, arrays and sheaves (seq-sheaves.ts).
 */
import { ArgumentError, type Gfp, type PhysAddr } from '../../base/index.js';
import {
  C_NR_SLABS,
  C_PARTIAL_HEAD,
  C_SLABS_MADE,
  CACHE_WORDS,
  countersInUse,
  H_SLAB_HIGH,
  P_LINKS,
  P_OWN,
  P_PARTIAL,
  P_PARTIAL_COUNT,
  P_SLAB,
  parseGfp,
} from '../../machine/index.js';
import { eachCpuLine, type KmemCache, type Machine, sysfsCounters } from '../../slab/index.js';
import { sysfsFiles } from '../../text/index.js';
import {
  onlyBoot,
  type RecordedBoot,
  type RecordedCache,
  RecordedKernel,
  type RecordingHead,
} from './recording.js';
import { deepEqual, type Expect, type SetResult, SetTally } from './result.js';
import { type SequenceBooks, SheafSteps } from './seq-sheaves.js';
import { slabCacheState } from './seq-slab.js';

const EINVAL = -22;

/** The name of the cache that a sequence makes. */
const CACHE = 'seq';

interface Checkpoint {
  readonly op: number;
  readonly why: string;
  readonly live: number;
  readonly sysfs?: Readonly<Record<string, string>>;
  readonly state: object;
  /** Of /proc/slabinfo: the numbers of its row. */
  readonly slabinfo?: readonly number[];
}

/** Lists by slab ordinal, from the head. */
interface SlubCacheState {
  readonly cpu: readonly {
    readonly slab: number;
    readonly free: number;
    readonly inuse?: number;
    readonly next?: number;
    readonly partial: readonly (readonly [ordinal: number, inuse: number, slabs: number])[];
  }[];
  readonly node_partial: readonly (readonly [ordinal: number, inuse: number])[];
  readonly nr_slabs: number;
  readonly total_objects: number;
  readonly nr_partial: number;
}

interface Sequence {
  readonly pattern: string;
  readonly size: number;
  /** Not in the tuned recordings, whose caches are all made alike: see `cache`. */
  readonly align?: number;
  readonly flags?: string;
  readonly ctor?: number;
  readonly ops: string;
  readonly ops_n: number;
  readonly allocs?: number;
  readonly ord: readonly number[];
  readonly idx: readonly number[];
  readonly slabs: readonly (readonly [born: number, died: number, zone: string, colour: number])[];
  readonly cp: readonly Checkpoint[];
  readonly cache: RecordedCache;
  readonly shrink_ret: number;
  /** The cache is one of kmalloc's. */
  readonly kmalloc_cache?: string;
  /** Of every allocation; GFP_KERNEL unless it says so. */
  readonly gfp?: string;
  /** Asked for; 0 by default. */
  readonly sheaf_capacity?: number;
  /** What operations returned. */
  readonly ret?: readonly (readonly [op: number, value: number])[];
}

interface ZoneTruth {
  readonly size: number;
  readonly flags: string;
  readonly gfp: string;
  readonly count: number;
  readonly cache_size: number;
  readonly objs_per_slab: number;
  readonly null_allocs: number;
  readonly zones: Readonly<Record<string, { readonly objects: number; readonly slabs: number }>>;
  readonly max_phys_below_4g: boolean;
}

export interface SeqRecording extends RecordingHead {
  readonly sequences: readonly Sequence[];
  readonly zone_truth?: readonly ZoneTruth[];
}

export function verifySeq(recording: SeqRecording, set: string): SetResult[] {
  const boot = onlyBoot(recording.boots);
  const kernel = new RecordedKernel(recording);
  const tally = new SetTally(set);
  recording.sequences.forEach((sequence, n) => {
    tally.case(`sequence ${n} (${sequence.pattern}, size ${sequence.size})`, (expect) => {
      runSequence(kernel, boot, sequence, expect);
    });
  });
  const results = [tally.result()];
  if (recording.zone_truth) results.push(verifyZones(kernel, boot, recording.zone_truth, `${set}/zones`));
  return results;
}

/**
 * Runs a sequence on a fresh machine. A write to cpu_partial flushes all CPUs, and the kernel's works for that run in no fixed order: a
 * sequence with such a write agrees if it does for some order of the CPUs.
 */
function runSequence(kernel: RecordedKernel, boot: RecordedBoot, sequence: Sequence, expect: Expect): void {
  const races = sequence.ops.includes('wcpu_partial=');
  const cpus = Array.from({ length: boot.smp }, (_, cpu) => cpu);
  let differences: Parameters<Expect>[] | undefined;
  for (const order of races ? permutations(cpus) : [cpus]) {
    const machine = kernel.machine(boot, [], recordedOptions(sequence));
    const found: Parameters<Expect>[] = [];
    const note: Expect = (field, expected, got) => {
      if (!deepEqual(expected, got)) found.push([field, expected, got]);
    };
    new SequenceRun(kernel, machine, sequence, note, order).run();
    machine.validate();
    if (found.length === 0) return;
    differences ??= found;
  }
  for (const difference of differences!) expect(...difference);
}

/** What the recorded kernel was built with that a sequence tells: counters, and where each slab's shuffled list of free objects begins. */
function recordedOptions({ cp, cache, slabs }: Sequence): Parameters<RecordedKernel['machine']>[2] {
  const permutation = cache.random_seq;
  return {
    statistics: cp.some(({ sysfs }) => sysfs?.alloc_fastpath !== undefined),
    ...(permutation !== undefined && {
      freelistOrder: (name: string, serial: number, objects: number) => {
        // Other caches have permutations of their own, which nobody recorded.
        if (name !== CACHE) return Array.from({ length: objects }, (_, i) => i);
        const at = Math.max(permutation.indexOf(slabs[serial]?.[3] ?? permutation[0]!), 0);
        return [...permutation.slice(at), ...permutation.slice(0, at)];
      },
    }),
  };
}

/** All orders of some numbers, the given one first. */
function permutations(items: readonly number[]): number[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((first, i) => permutations(items.toSpliced(i, 1)).map((rest) => [first, ...rest]));
}

/** Which zones the slabs of a cache come from. */
function verifyZones(
  kernel: RecordedKernel,
  boot: RecordedBoot,
  rows: readonly ZoneTruth[],
  set: string,
): SetResult {
  const tally = new SetTally(set);
  for (const row of rows) {
    tally.case(`${row.count} objects of ${row.size}, flags ${row.flags}, ${row.gfp}`, (expect) => {
      const machine = kernel.machine(boot);
      // The recorder gave its caches a constructor, to keep them to itself.
      const cache = machine.kmemCacheCreate('zones', row.size, {
        flags: kernel.flags(row.flags),
        ctor: () => {},
      })!;
      const gfp = parseGfp(row.gfp);
      const zones: Record<string, { objects: number; slabs: number }> = {};
      const seen = new Set<number>();
      let failed = 0;
      let highest = 0;
      for (let i = 0; i < row.count; i++) {
        const address = cache.alloc(gfp);
        if (address === 0) {
          failed++;
          continue;
        }
        highest = Math.max(highest, address + row.cache_size - 1);
        const zone = machine.zoneOf(address)!;
        zones[zone] ??= { objects: 0, slabs: 0 };
        zones[zone].objects++;
        const { slab } = machine.whereIs(address)!;
        if (!seen.has(slab)) zones[zone].slabs++;
        seen.add(slab);
      }
      expect('cache_size', row.cache_size, cache.info.size);
      expect('objs_per_slab', row.objs_per_slab, cache.info.oo.objects);
      expect('null_allocs', row.null_allocs, failed);
      expect('zones', row.zones, zones);
      expect('max_phys_below_4g', row.max_phys_below_4g, highest < 2 ** 32);
      machine.validate();
    });
  }
  return tally.result();
}

/** Counters of a shrink that flushes all CPUs at the same time: which slab meets a full list is a race. */
const RACES: ReadonlySet<string> = new Set(['free_add_partial', 'free_remove_partial', 'free_slab']);

/** Counters of work on a CPU that a recording does not tell: who made the cache, what waits for a grace period, who shrinks. */
const ANY_CPU: ReadonlySet<string> = new Set([
  'free_slowpath',
  'free_add_partial',
  'free_remove_partial',
  'free_slab',
  'sheaf_alloc',
  'sheaf_flush',
  'sheaf_free',
  'barn_put',
  'barn_put_fail',
]);

/** `12 C0=7 C1=5` */
function sumOf(counter: string | undefined): string | undefined {
  return counter?.split(' ')[0];
}

/** One sequence on a fresh machine. */
class SequenceRun {
  readonly #kernel: RecordedKernel;
  /** In which order the CPUs give up their slabs when all must. */
  readonly #flushOrder: readonly number[];
  readonly #machine: Machine;
  readonly #sequence: Sequence;
  readonly #expect: Expect;
  readonly #cache: KmemCache;
  /** On a kernel with sheaves of 7.0 and later. */
  readonly #sheaves: SheafSteps | undefined;
  readonly #gfp: Gfp | undefined;
  /** The last number of a recorded slab is then the first index that it hands out, and no colour. */
  readonly #isShuffled: boolean;
  readonly #returned: [op: number, value: number][] = [];
  /** By allocation: its address, 0 once it is freed. */
  readonly #addresses: PhysAddr[] = [];
  /** Ordinals of the slabs that are there. */
  readonly #alive = new Set<number>();
  #born = 0;
  #checkpoints = 0;

  constructor(
    kernel: RecordedKernel,
    machine: Machine,
    sequence: Sequence,
    expect: Expect,
    flushOrder: readonly number[],
  ) {
    this.#kernel = kernel;
    this.#flushOrder = flushOrder;
    this.#machine = machine;
    this.#sequence = sequence;
    this.#expect = expect;
    const { size, align = 0, flags = '0', ctor = sequence.cache.ctor, sheaf_capacity: asked = 0 } = sequence;
    this.#isShuffled = sequence.cache.random_seq !== undefined;
    this.#gfp = sequence.gfp === undefined ? undefined : parseGfp(sequence.gfp);
    this.#cache =
      sequence.kmalloc_cache === undefined
        ? machine.kmemCacheCreate(CACHE, size, {
            align,
            flags: kernel.flags(flags),
            ...(ctor && { ctor: () => {} }),
            ...(asked > 0 && { sheafCapacity: asked }),
          })!
        : kmallocCache(machine, sequence.kmalloc_cache);
    this.#sheaves =
      machine.kernel.sheafRule === null ? undefined : new SheafSteps(machine, this.#cache, this.#gfp);
  }

  run(): void {
    const { ops, ops_n: count, cache: recorded } = this.#sequence;
    const fields = this.#kernel.fields(this.#cache.info);
    for (const [field, expected] of Object.entries(recorded)) {
      if (field !== 'name' && field in fields) this.#expect(`cache.${field}`, expected, fields[field]);
    }
    const tokens = ops === '' ? [] : ops.split(' ');
    this.#expect('ops_n', count, tokens.length);
    tokens.forEach((token, op) => {
      if (token === 'c') this.#checkpoint(op, 'c');
      else this.#step(token, op);
    });
    this.#checkpoint(tokens.length, 'end');
    // The recorder then freed what was live, in the order of allocation, on CPU 0, and shrank the cache.
    this.#sheaves?.drainSheaves();
    this.#addresses.forEach((address, k) => {
      if (address !== 0) this.#free(k, 0);
    });
    this.#sheaves?.drainRcu();
    this.#settle(tokens.length);
    this.#checkpoint(tokens.length, 'drained');
    this.#expect('shrink_ret', this.#sequence.shrink_ret, this.#cache.shrink() ? 1 : 0);
    this.#settle(tokens.length + 1);
    this.#checkpoint(tokens.length + 1, 'shrunk');
    this.#expect('checkpoints', this.#sequence.cp.length, this.#checkpoints);
    this.#expect('allocs', this.#sequence.allocs ?? this.#sequence.ord.length, this.#addresses.length);
    if (this.#sequence.ret !== undefined) this.#expect('returned', this.#sequence.ret, this.#returned);
    this.#expect('slabs made', this.#sequence.slabs.length, this.#born);
  }

  #step(token: string, op: number): void {
    const kind = token[0];
    const colon = token.indexOf(':');
    const cpu = Number(colon < 0 ? token.slice(1) : token.slice(1, colon));
    const rest = colon < 0 ? '' : token.slice(colon + 1);
    if (kind === 'a') this.#allocated(this.#cache.alloc(this.#gfp, cpu));
    else if (kind === 'f') this.#free(Number(rest), cpu);
    else if (kind === 'A')
      for (const address of this.#cache.allocBulk(Number(rest), this.#gfp, cpu)) this.#allocated(address);
    else if (kind === 'F') this.#freeBulk(rest.split(',').map(Number), cpu);
    else if (kind === 's') this.#cache.shrink();
    else if (kind === 'w') return this.#tune(token.slice(1), op);
    else if (!this.#sheaves?.step(kind!, cpu, rest, op, this.#books))
      throw new ArgumentError(`operation ${op} is '${token}': expected a, f, A, F, s, w or c`);
    this.#settle(op);
  }

  /** A write to one of the cache's files: `cpu_partial=3`. The recorder noticed what it discards with the next operation. */
  #tune(write: string, op: number): void {
    const [file, value = ''] = write.split('=', 2);
    if (this.#sheaves !== undefined) {
      // A kernel without slabs of CPUs takes a 0, to no effect.
      const refused = file === 'cpu_partial' && Number(value) !== 0;
      this.#returned.push([op, refused ? EINVAL : value.length]);
      if (file === 'cpu_partial') return;
    }
    if (file === 'cpu_partial') this.#cache.setCpuPartial(Number(value), this.#flushOrder);
    else if (file === 'min_partial') this.#cache.setMinPartial(Number(value));
    else throw new ArgumentError(`operation ${op} writes '${write}': expected cpu_partial or min_partial`);
  }

  #allocated(address: PhysAddr): void {
    const k = this.#addresses.push(address) - 1;
    const where = address === 0 ? { slab: -1, index: -1 } : this.#machine.whereIs(address);
    this.#expect(
      `allocation ${k}`,
      [this.#sequence.ord[k], this.#sequence.idx[k]],
      [where?.slab, where?.index],
    );
  }

  #free(k: number, cpu: number): void {
    this.#cache.free(this.#addresses[k]!, cpu);
    this.#addresses[k] = 0 as PhysAddr;
  }

  #freeBulk(ks: readonly number[], cpu: number): void {
    this.#cache.freeBulk(this.#takeBack(ks), cpu);
  }

  #takeBack(ks: readonly number[]): PhysAddr[] {
    const addresses = ks.map((k) => this.#addresses[k]!);
    for (const k of ks) this.#addresses[k] = 0 as PhysAddr;
    return addresses;
  }

  readonly #books: SequenceBooks = {
    allocated: (address) => this.#allocated(address),
    takeBack: (ks) => this.#takeBack(ks),
    returned: (op, value) => this.#returned.push([op, value]),
  };

  /** Notices slabs that were made, and those that were discarded. */
  #settle(op: number): void {
    const { ledger } = this.#machine;
    const c = this.#cache.id * CACHE_WORDS;
    const made = ledger.cache[c + C_SLABS_MADE]!;
    if (made === this.#born && ledger.cache[c + C_NR_SLABS] === this.#alive.size) return;
    const there = new Map<number, number>();
    const high = ledger.header[H_SLAB_HIGH]!;
    for (let slab = 1; slab <= high; slab++)
      if (ledger.slabCache[slab] === this.#cache.id) there.set(ledger.slabSerial[slab]!, slab);
    for (; this.#born < made; this.#born++) this.#bear(there.get(this.#born), op);
    for (const ordinal of this.#alive) {
      if (there.has(ordinal)) continue;
      this.#alive.delete(ordinal);
      this.#expect(`slab ${ordinal}: died`, this.#sequence.slabs[ordinal]?.[1], op);
    }
  }

  /** The next slab was made. One that is gone again by now is known by its number alone. */
  #bear(slab: number | undefined, op: number): void {
    const recorded = this.#sequence.slabs[this.#born];
    this.#alive.add(this.#born);
    if (slab === undefined)
      return this.#expect(`slab ${this.#born}: born and died`, recorded?.slice(0, 2), [op, op]);
    const { ledger, memory, kernel } = this.#machine;
    const address = (ledger.slabFrame[slab]! + memory.basePfn) * kernel.pageSize;
    // How far into the slab the first object lies, beside the red zone that each object has.
    const colour = ledger.slabOffset[slab]! - this.#cache.info.redLeftPad;
    this.#expect(`slab ${this.#born}: born, zone, colour`, recorded && [recorded[0], ...recorded.slice(2)], [
      op,
      this.#machine.zoneOf(address),
      this.#isShuffled ? recorded?.[3] : colour,
    ]);
  }

  #checkpoint(op: number, why: string): void {
    const recorded = this.#sequence.cp[this.#checkpoints++];
    const at = `checkpoint ${this.#checkpoints - 1} (${why})`;
    this.#expect(`${at}: op, why`, recorded && [recorded.op, recorded.why], [op, why]);
    if (recorded === undefined) return;
    this.#expect(`${at}: live`, recorded.live, this.#cache.live);
    if (recorded.sysfs !== undefined) {
      const files = sysfsFiles(this.#machine, this.#cache);
      for (const [file, text] of Object.entries(recorded.sysfs)) {
        if (why === 'shrunk' && RACES.has(file)) continue;
        const got = files.get(file)?.trimEnd();
        const anyCpu = ANY_CPU.has(file);
        this.#expect(`${at}: ${file}`, anyCpu ? sumOf(text) : text, anyCpu ? sumOf(got) : got);
      }
    }
    if (recorded.slabinfo !== undefined)
      this.#expect(`${at}: slabinfo`, recorded.slabinfo, slabinfoNumbers(this.#machine, this.#cache));
    this.#expect(`${at}: state`, recorded.state, this.#state());
  }

  #state(): object {
    if (this.#sheaves !== undefined) return this.#sheaves.state();
    const { cpuArrays } = this.#machine.kernel.has;
    return cpuArrays ? slabCacheState(this.#machine, this.#cache) : this.#slubState();
  }

  #slubState(): SlubCacheState {
    const { ledger } = this.#machine;
    const { id, info } = this.#cache;
    const inUse = (slab: number) => countersInUse(ledger.slabCounters[slab]!);
    const cpu: SlubCacheState['cpu'][number][] = [];
    eachCpuLine(ledger, id, (p) => {
      const partial: [number, number, number][] = [];
      let left = ledger.cpuCache[p + P_PARTIAL_COUNT]!;
      for (let slab = ledger.cpuCache[p + P_PARTIAL]!; slab !== 0; slab = ledger.slabNext[slab]!) {
        partial.push([ledger.slabSerial[slab]!, inUse(slab), left--]);
      }
      const active = ledger.cpuCache[p + P_SLAB]!;
      const own = ledger.cpuCache[p + P_OWN]!;
      let free = 0;
      for (let at = own; at !== 0; at = ledger.link[ledger.cpuCache[p + P_LINKS]! + at - 1]!) free++;
      cpu.push(
        active === 0
          ? { slab: -1, free: 0, partial }
          : {
              slab: ledger.slabSerial[active]!,
              free,
              inuse: inUse(active),
              ...(own !== 0 && { next: own - 1 }),
              partial,
            },
      );
    });
    const nodePartial: [number, number][] = [];
    for (
      let slab = ledger.cache[id * CACHE_WORDS + C_PARTIAL_HEAD]!;
      slab !== 0;
      slab = ledger.slabNext[slab]!
    ) {
      nodePartial.push([ledger.slabSerial[slab]!, inUse(slab)]);
    }
    return {
      cpu,
      node_partial: nodePartial,
      nr_slabs: info.nrSlabs,
      total_objects: info.totalObjects,
      nr_partial: info.nrPartial,
    };
  }
}

/**
 * Of a cache's row of /proc/slabinfo: active and all objects, object size, objects and pages of a slab, tunables, active and all slabs,
 * 0.
 */
function slabinfoNumbers(machine: Machine, cache: KmemCache): number[] {
  const { totalObjects, nrSlabs, size, oo } = cache.info;
  return [
    sysfsCounters(machine, cache).objects,
    totalObjects,
    size,
    oo.objects,
    2 ** oo.order,
    0,
    0,
    0,
    nrSlabs,
    nrSlabs,
    0,
  ];
}

/** One of kmalloc's caches, by its name, as long as nobody else uses it. */
function kmallocCache(machine: Machine, name: string): KmemCache {
  machine.kfree(machine.kmalloc(8));
  const cache = machine.findCache(name);
  if (cache === undefined) throw new ArgumentError(`kmalloc has no cache ${name} here`);
  return cache;
}
