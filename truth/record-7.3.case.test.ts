/**
 * Recordings that no kernel made: random operations on caches of the real ones, with what the plain model of Linux 7.3 answers, in the
 * recordings' own notation. Whatever reads the recordings can so be held against the model on as many fresh operations as wanted:
 *
 *     verifyRecording({ ...file, sequences: [randomSequence(file, 7, 2000)] }, 'random')
 *
 * What the recorder kept away from, because its outcome depends on time, does not occur here either: a plain shrink on several CPUs, a
 * flush of a CPU that still has a rcu_free sheaf, several objects in one kfree_rcu of a cache without sheaves.
 */
import { Random } from '#base';
import type { Rules } from './model-7.3.case.test.js';
import { type Checkpoint, Play, type RecordedHead, type RecordedSequence } from './play-7.3.case.test.js';

export interface SequenceFile extends RecordedHead {
  readonly sequences: readonly RecordedSequence[];
}

/** What the next operations mostly do, so that sheaves, barn and slabs are filled and emptied wholly, and not only around one level. */
type Mood = 'grow' | 'shrink' | 'mix';

/** A sequence of so many random operations on the cache of one of the file's sequences, as the model plays it. */
export function randomSequence(
  file: SequenceFile,
  seed: number,
  operations: number,
  rules: Partial<Rules> = {},
): RecordedSequence {
  const random = new Random(seed);
  const base = file.sequences[random.below(file.sequences.length)]!;
  return new RandomRecorder(base, file, random, rules).record(operations);
}

class RandomRecorder {
  readonly #base: RecordedSequence;
  readonly #random: Random;
  readonly #play: Play;
  readonly #tokens: string[] = [];
  readonly #checkpoints: Checkpoint[] = [];
  readonly #firsts: number[] = [];
  /** Operations run on so many CPUs. */
  readonly #spread: number;
  /** About how many objects make the sheaves of all CPUs and the barn overflow. */
  readonly #many: number;
  #mood: Mood = 'mix';

  constructor(base: RecordedSequence, head: RecordedHead, random: Random, rules: Partial<Rules>) {
    this.#base = base;
    this.#random = random;
    const { cache } = base;
    const firstOf = (ordinal: number): number | undefined => {
      this.#firsts[ordinal] ??= cache.random_seq?.[random.below(cache.random_seq.length)] ?? 0;
      return this.#firsts[ordinal];
    };
    this.#play = new Play({ cache, head, firstOf, rules });
    this.#spread = 1 + random.below(this.#play.cpus);
    this.#many = 8 * cache.oo[1] + 16 * cache.sheaf_capacity;
  }

  record(operations: number): RecordedSequence {
    while (this.#tokens.length < operations) {
      if (this.#random.below(40) === 0) this.#mood = this.#pick(['grow', 'shrink', 'mix']);
      this.#next();
    }
    const play = this.#play;
    const ops_n = this.#tokens.length;
    play.op = ops_n;
    this.#checkpoint('end');
    play.drain();
    this.#checkpoint('drained');
    play.op++;
    const shrink_ret = Number(play.model.shrink(0));
    this.#checkpoint('shrunk');
    return {
      ...this.#base,
      pattern: 'random',
      ops: this.#tokens.join(' '),
      ops_n,
      allocs: play.places.length,
      ord: play.places.map((place) => place?.[0] ?? -1),
      idx: play.places.map((place) => place?.[1] ?? -1),
      cp: this.#checkpoints,
      slabs: play.slabs(),
      ret: play.returned,
      shrink_ret,
      stray: 0,
    };
  }

  #checkpoint(why: string): void {
    const play = this.#play;
    play.check();
    const slabinfo = why === 'c' ? {} : { slabinfo: play.slabinfo() };
    const state = play.state();
    this.#checkpoints.push({
      op: play.op,
      why,
      live: play.live.size,
      sysfs: play.sysfs(),
      state,
      ...slabinfo,
    });
  }

  #emit(token: string): void {
    this.#play.op = this.#tokens.length;
    this.#tokens.push(token);
    if (token === 'c') this.#checkpoint('c');
    else this.#play.play(token);
  }

  #next(): void {
    const dice = this.#random.below(100);
    if (dice < 70) return this.#allocOrFree();
    const { capacity } = this.#play.model;
    const isDebug = capacity === 0 && this.#play.model.isDebug;
    if (dice < 80) return this.#kfreeRcu();
    if (dice < 90) return isDebug ? this.#emit('c') : this.#prefilled();
    if (dice < 93) return this.#emit('c');
    if (dice < 95) return this.#emit(`wmin_partial=${this.#random.below(12)}`);
    const cpu = this.#cpu();
    if (dice < 97) return this.#emit(`b${cpu}`);
    if (dice < 98) return this.#flush(cpu);
    // The CPU that runs the recorder stays.
    if (dice < 99) return this.#emit(`D${1 + this.#random.below(this.#play.cpus - 1)}`);
    this.#shrink();
  }

  #allocOrFree(): void {
    const { size: live } = this.#play.live;
    const chance = { grow: 85, shrink: 12, mix: 50 }[this.#mood];
    const allocates = live === 0 || (live < this.#many && this.#random.below(100) < chance);
    const inBulk = this.#random.below(8) === 0;
    const cpu = this.#cpu();
    if (allocates) return this.#emit(inBulk ? `A${cpu}:${1 + this.#random.below(this.#bulk())}` : `a${cpu}`);
    if (!inBulk) return this.#emit(`f${cpu}:${this.#someLive(1)[0]}`);
    this.#emit(`F${cpu}:${this.#someLive(1 + this.#random.below(this.#bulk())).join(',')}`);
  }

  #bulk(): number {
    const { capacity } = this.#play.model;
    return this.#pick([4, capacity + 2, 3 * capacity + 20]);
  }

  #kfreeRcu(): void {
    const { capacity } = this.#play.model;
    if (this.#play.live.size === 0) return;
    const most = capacity === 0 ? 1 : this.#pick([3, capacity, 2 * capacity]);
    this.#emit(`r${this.#cpu()}:${this.#someLive(1 + this.#random.below(most)).join(',')}`);
  }

  #prefilled(): void {
    const cpu = this.#cpu();
    const { capacity } = this.#play.model;
    const held = [...this.#play.sheaves.entries()].flatMap(([number, sheaf]) =>
      sheaf === null ? [] : [number],
    );
    const dice = this.#random.below(10);
    const n = 1 + this.#random.below(this.#pick([4, capacity + 1, 2 * capacity + 8]));
    if (held.length === 0 || (dice < 2 && held.length < 4)) return this.#emit(`p${cpu}:${n}`);
    const number = this.#pick(held);
    if (dice < 4) return this.#emit(`t${cpu}:${number}`);
    if (dice < 6) return this.#emit(`u${cpu}:${number},${n}`);
    const { length } = this.#play.sheaves[number]!.objects;
    for (let left = Math.min(length, 1 + this.#random.below(20)); left > 0; left--)
      this.#emit(`q${cpu}:${number}`);
  }

  /** With its rcu_free sheaf flushed before. */
  #flush(cpu: number): void {
    this.#emit(`b${cpu}`);
    this.#emit(`h${cpu}`);
  }

  #shrink(): void {
    for (let cpu = 0; cpu < this.#play.cpus; cpu++) this.#emit(`b${cpu}`);
    this.#emit('S');
  }

  #cpu(): number {
    return this.#random.below(this.#spread);
  }

  /** Numbers of so many live objects, fewer if there are not as many: neighbours by age, in a row or in any order. */
  #someLive(n: number): number[] {
    const live = [...this.#play.live];
    const some = Math.min(n, live.length);
    const from = this.#random.below(live.length - some + 1);
    const picked = live.slice(from, from + some);
    if (this.#random.below(2) === 0) return picked;
    for (let i = picked.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1);
      [picked[i], picked[j]] = [picked[j]!, picked[i]!];
    }
    return picked;
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)]!;
  }
}
