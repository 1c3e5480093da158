/**
 * A recorded sequence of Linux 7.3 held against the plain model: everything that the recording says of it but where in physical memory it
 * lay.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Rules } from './model-7.3.case.test.js';
import {
  type Checkpoint,
  COUNTERS,
  counterText,
  Play,
  type RecordedHead,
  type RecordedSequence,
} from './play-7.3.case.test.js';

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

/** Plays a sequence. With `rules`, some of the model's rules are others, to see whether the recording tells. */
export function replaySequence(
  sequence: RecordedSequence,
  head: RecordedHead,
  rules: Partial<Rules> = {},
): Outcome {
  return new Comparison(sequence, head, rules).run();
}

class Enough extends Error {}

class Comparison {
  readonly #recorded: RecordedSequence;
  readonly #play: Play;
  readonly #differences: Difference[] = [];
  #madeOn: number | undefined;
  #values = 0;

  constructor(sequence: RecordedSequence, head: RecordedHead, rules: Partial<Rules>) {
    this.#recorded = sequence;
    const firstOf = (ordinal: number): number | undefined => sequence.slabs[ordinal]?.[3];
    this.#play = new Play({ cache: sequence.cache, head, firstOf, rules });
  }

  run(): Outcome {
    try {
      this.#compare();
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
    return { values: this.#values, differences: this.#differences };
  }

  #compare(): void {
    const { ops, ops_n, cp, ord, idx } = this.#recorded;
    const tokens = ops.split(' ');
    let checkpoint = 0;
    for (const [op, token] of tokens.entries()) {
      this.#play.op = op;
      if (token === 'c') {
        this.#checkpoint(cp[checkpoint++]!);
        continue;
      }
      const { places } = this.#play;
      let number = places.length;
      this.#play.play(token);
      for (; number < places.length; number++) {
        const recorded = ord[number] === -1 ? null : [ord[number], idx[number]];
        this.#same(`allocation ${number}`, recorded, places[number]);
      }
    }
    this.#play.op = tokens.length;
    this.#same('ops_n', ops_n, tokens.length);
    this.#finish(cp.slice(checkpoint));
  }

  /** The three checkpoints that every sequence ends with, and what is known of the whole. */
  #finish([end, drained, shrunk, ...more]: readonly Checkpoint[]): void {
    const { slabs, ret, allocs, stray, shrink_ret } = this.#recorded;
    const play = this.#play;
    this.#same('checkpoints behind the last', 0, more.length);
    this.#checkpoint(end!);
    play.drain();
    this.#checkpoint(drained!);
    play.op++;
    this.#same('what the last shrink returned', shrink_ret, Number(play.model.shrink(0)));
    this.#checkpoint(shrunk!);
    const made = play.slabs();
    this.#same('slabs', slabs.length, made.length);
    for (const [ordinal, slab] of slabs.entries()) this.#same(`slab ${ordinal}`, slab, made[ordinal]);
    this.#same('returned', ret, play.returned);
    this.#same('allocations', allocs, play.places.length);
    this.#same('stray objects', stray, 0);
  }

  #checkpoint(recorded: Checkpoint): void {
    const { op, why, live, slabinfo } = recorded;
    const play = this.#play;
    const where = `checkpoint ${why} at ${op}`;
    if (why !== 'c') play.check();
    this.#same(`${where}: op`, op, play.op);
    this.#same(`${where}: live`, live, play.live.size);
    this.#sameFields(`${where}: state`, recorded.state, play.state());
    this.#sameFields(`${where}: sysfs`, ...this.#sysfs(recorded));
    if (slabinfo !== undefined) this.#same(`${where}: slabinfo`, slabinfo, play.slabinfo());
  }

  /** The recorded and the model's sysfs files. */
  #sysfs({ why, sysfs }: Checkpoint): [Record<string, string>, Record<string, string>] {
    const model = this.#play.sysfs();
    if (sysfs.sheaf_alloc !== undefined) Object.assign(model, this.#statistics(sysfs.sheaf_alloc));
    const recorded: Record<string, string> = { ...sysfs };
    for (const name of ANY_CPU) if (name in recorded) recorded[name] = recorded[name]!.split(' ')[0]!;
    for (const name of RACES[why] ?? []) {
      delete recorded[name];
      delete model[name];
    }
    return [recorded, model];
  }

  #statistics(recordedAllocs: string): Record<string, string> {
    const play = this.#play;
    // On which CPU the cache was made is not recorded: it is the one on which the recording has one sheaf a CPU more.
    const text = (cpu: number): string => counterText(play.counts('sheaf_alloc', cpu));
    this.#madeOn ??= Math.max(
      0,
      Array.from({ length: play.cpus }, (_, cpu) => text(cpu)).indexOf(recordedAllocs),
    );
    const texts = COUNTERS.map((counter) => {
      const shown = counterText(play.counts(counter, this.#madeOn));
      return [counter, ANY_CPU.has(counter) ? shown.split(' ')[0]! : shown] as const;
    });
    return Object.fromEntries(texts);
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

/** How many numbers and texts a value consists of. */
function leaves(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + leaves(each), 0);
  if (typeof value === 'object' && value !== null) return leaves(Object.values(value));
  return 1;
}
