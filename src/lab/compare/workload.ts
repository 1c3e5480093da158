/**
 * A workload: tables handed out and given back, in order.
 *
 *     events  +3  +7  -3  +3 …       hand out into slot 3, into slot 7, give slot 3's back, …
 *     opEnds      1       3  …       how many events had happened after each operation of the recording
 *
 * Slots are reused, so there are as many as tables were live at the same time.
 */
import { ArgumentError, Random } from '../../base/index.js';

/** Objects of one size that come and go, one event at a time. */
export interface Workload {
  /** In a few words, for people. */
  readonly title: string;
  /** Where it comes from: a file's name, or how to make it again. */
  readonly source: string;
  /** Bytes of one table, and what it must be aligned to. */
  readonly objectSize: number;
  readonly objectAlign: number;
  /** slot + 1 to hand out, -(slot + 1) to give back. */
  readonly events: Int32Array;
  readonly slots: number;
  readonly allocations: number;
  readonly frees: number;
  /** Events so far after each operation; empty where events are the operations. */
  readonly opEnds: Int32Array;
  readonly peakLive: number;
  readonly endLive: number;
  /** Mean of live tables over the events. */
  readonly meanLive: number;
  /** The slots that are live at the end, in the order in which their owner gives them back. */
  readonly drain: Int32Array;
  /** How many of the tables that are live at the end hold nothing, where that is known. */
  readonly endEmpty: number | undefined;
  /** What the recorded kernel's own cache looked like on the way, where it was recorded. */
  readonly samples: readonly SlabSample[];
}

/** The counters of the recorded cache after an operation. */
export interface SlabSample {
  /** Operations done. */
  readonly op: number;
  readonly objects: number;
  readonly totalObjects: number;
  readonly slabs: number;
  readonly partial: number;
  readonly objectsPartial: number;
  readonly cpuSlabs: number;
  /** Objects in a slab, to know whether another geometry can be compared at all. */
  readonly objectsPerSlab: number;
}

/** Collects events by the recording's own ids and resolves them to slots. */
export class WorkloadBuilder {
  readonly #events: number[] = [];
  readonly #opEnds: number[] = [];
  readonly #slotOf = new Map<number, number>();
  readonly #freeSlots: number[] = [];
  #slots = 0;
  #peak = 0;
  #liveSum = 0;
  #allocations = 0;
  #drain: number[] | undefined;

  /** Throws ArgumentError if the id is live. */
  alloc(id: number): void {
    if (this.#slotOf.has(id)) throw new ArgumentError(`table ${id} is handed out while it is live`);
    const slot = this.#freeSlots.pop() ?? this.#slots++;
    this.#slotOf.set(id, slot);
    this.#allocations++;
    this.#events.push(slot + 1);
    this.#peak = Math.max(this.#peak, this.#slotOf.size);
    this.#liveSum += this.#slotOf.size;
  }

  /** Throws ArgumentError if the id is not live. */
  free(id: number): void {
    const slot = this.#slotOf.get(id);
    if (slot === undefined) throw new ArgumentError(`table ${id} is given back and is not live`);
    this.#slotOf.delete(id);
    this.#freeSlots.push(slot);
    this.#events.push(-slot - 1);
    this.#liveSum += this.#slotOf.size;
  }

  /**
   * Says that what is still live is given back in this order at the very end; what is not named comes last, in the order of its
   * allocation. Ids that are not live, or are named twice, are an ArgumentError.
   */
  drainInOrder(ids: readonly number[]): void {
    const slots = new Set<number>();
    for (const id of ids) {
      const slot = this.#slotOf.get(id);
      if (slot === undefined || slots.has(slot)) {
        throw new ArgumentError(`table ${id} is given back at the end and is not live`);
      }
      slots.add(slot);
    }
    this.#drain = [...new Set([...slots, ...this.#slotOf.values()])];
  }

  endOperation(): void {
    this.#opEnds.push(this.#events.length);
  }

  build(
    about: Pick<Workload, 'title' | 'source' | 'objectSize' | 'objectAlign'>,
    recorded: { readonly samples?: readonly SlabSample[]; readonly endEmpty?: number } = {},
  ): Workload {
    if (this.#events.length === 0) throw new ArgumentError('a workload needs at least one event');
    return {
      ...about,
      events: Int32Array.from(this.#events),
      slots: this.#slots,
      allocations: this.#allocations,
      frees: this.#events.length - this.#allocations,
      opEnds: Int32Array.from(this.#opEnds),
      peakLive: this.#peak,
      endLive: this.#slotOf.size,
      meanLive: this.#liveSum / this.#events.length,
      drain: Int32Array.from(this.#drain ?? this.#slotOf.values()),
      endEmpty: recorded.endEmpty,
      samples: recorded.samples ?? [],
    };
  }
}

/** Tables that come and go around a steady number, as the patch discussion saw it in practice: a few tens, rarely above 100. */
export function steadyWorkload(live: number, seed = 1, events = 100_000): Workload {
  if (!Number.isInteger(live) || live < 1 || live > 1_000_000) {
    throw new ArgumentError(`a steady workload has 1 to 1,000,000 live tables, not ${live}`);
  }
  const random = new Random(seed);
  const builder = new WorkloadBuilder();
  const liveIds: number[] = [];
  let nextId = 0;
  const add = () => {
    liveIds.push(nextId);
    builder.alloc(nextId++);
  };
  for (let i = 0; i < live; i++) add();
  for (let i = live; i < events; i++) {
    // A random walk that is pulled back to `live`: half of the steps at the target, all of them far from it.
    const pull = (liveIds.length - live) / live;
    if (liveIds.length > 0 && random.next() / 2 ** 32 < 0.5 + pull) {
      const at = random.below(liveIds.length);
      builder.free(liveIds[at]!);
      liveIds[at] = liveIds.at(-1)!;
      liveIds.pop();
    } else {
      add();
    }
  }
  return builder.build({
    title: `about ${live} tables live, coming and going at random`,
    source: `steady --live ${live} --seed ${seed}`,
    objectSize: 1024,
    objectAlign: 1024,
  });
}
