/**
 * Sequences on a kernel with sheaves of Linux 7.0 and later: the operations that only it has, and the content of every sheaf in its order.
 *
 *     rCPU:k,k kfree_rcu of these; the grace period of what is handed over ends pCPU:n prefill a sheaf, which gets the next number bCPU
 *     what the CPU put off, and did not hand over, is flushed qCPU:h an object from sheaf h hCPU all sheaves of the CPU are flushed
 *     tCPU:h sheaf h is given back S h on every CPU, then a shrink uCPU:h,n sheaf h is refilled to n objects DCPU the CPU goes offline
 *     and comes back
 */
import { type Gfp, NULL, type PhysAddr } from '../../base/index.js';
import {
  C_BARN_EMPTY,
  C_BARN_FULL,
  C_BARN_NR_EMPTY,
  C_BARN_NR_FULL,
  C_PARTIAL_HEAD,
  C_SHEAF_CAPACITY,
  C_TRACKED_FULL_HEAD,
  CACHE_WORDS,
  countersInUse,
  P_AVAIL,
  P_ENTRIES,
  P_MAIN,
  P_RCU_FREE,
  P_SPARE,
  S_CAPACITY,
  S_COUNT,
  S_NEXT,
  S_SLOTS,
  SHEAF_WORDS,
} from '../../machine/index.js';
import { eachCpuLine, type KmemCache, type Machine } from '../../slab/index.js';

/** [ordinal of the slab, index] */
type Place = readonly [ordinal: number, index: number];

/** What a sequence does with its own books. */
export interface SequenceBooks {
  allocated(address: PhysAddr): void;
  /** The addresses of allocations, which are freed by this. */
  takeBack(numbers: readonly number[]): PhysAddr[];
  /** An operation returned a number. */
  returned(op: number, value: number): void;
}

export class SheafSteps {
  readonly #machine: Machine;
  readonly #cache: KmemCache;
  readonly #gfp: Gfp | undefined;
  /** By number: the sheaves that a caller has; 0 for none. */
  readonly #prefilled: number[] = [];

  constructor(machine: Machine, cache: KmemCache, gfp: Gfp | undefined) {
    this.#gfp = gfp;
    this.#machine = machine;
    this.#cache = cache;
  }

  /** Plays an operation of its own; false for any other. */
  step(kind: string, cpu: number, rest: string, op: number, books: SequenceBooks): boolean {
    const { sheaves } = this.#cache;
    const [first = 0, second = 0] = rest.split(',').map(Number);
    if (kind === 'r') this.#kfreeRcu(books.takeBack(rest.split(',').map(Number)), cpu);
    else if (kind === 'b') sheaves.flushRcu(cpu);
    else if (kind === 'h') sheaves.flush(cpu);
    else if (kind === 'S') this.#cache.shrink();
    else if (kind === 'q') books.allocated(sheaves.alloc(this.#prefilled[first]!));
    else if (kind === 't') this.#giveBack(first, cpu);
    else if (kind === 'D') {
      sheaves.offline(cpu);
      books.returned(op, 0);
    } else if (kind === 'p') {
      const sheaf = sheaves.prefill(first, this.#gfp, cpu);
      this.#prefilled.push(sheaf);
      books.returned(op, sheaf === 0 ? -1 : this.#count(sheaf));
    } else if (kind === 'u') {
      const sheaf = sheaves.refill(this.#prefilled[first]!, second, this.#gfp, cpu);
      this.#prefilled[first] = sheaf;
      books.returned(op, this.#count(sheaf));
    } else return false;
    return true;
  }

  /** Sheaves that were not given back yet are, on CPU 0. */
  drainSheaves(): void {
    for (const [number, sheaf] of this.#prefilled.entries()) if (sheaf !== 0) this.#giveBack(number, 0);
  }

  drainRcu(): void {
    for (let cpu = 0; cpu < this.#machine.cpus; cpu++) this.#cache.sheaves.flushRcu(cpu);
  }

  #kfreeRcu(addresses: readonly PhysAddr[], cpu: number): void {
    for (const address of addresses) this.#cache.freeRcu(address, cpu);
    this.#cache.synchronizeRcu(cpu);
  }

  #giveBack(number: number, cpu: number): void {
    this.#cache.sheaves.giveBack(this.#prefilled[number]!, this.#gfp, cpu);
    this.#prefilled[number] = 0;
  }

  #count(sheaf: number): number {
    return this.#machine.ledger.sheaf[sheaf * SHEAF_WORDS + S_COUNT]!;
  }

  // ---- the state of all lists --------------------------------------------------------------------------------------------

  state(): object {
    const { ledger } = this.#machine;
    const { nrSlabs, totalObjects, nrPartial } = this.#cache.info;
    const c = this.#cache.id * CACHE_WORDS;
    const inUse = (slab: number) => countersInUse(ledger.slabCounters[slab]!);
    const prefilled = [...this.#prefilled.entries()].filter(([, sheaf]) => sheaf !== 0);
    return {
      ...(ledger.cache[c + C_SHEAF_CAPACITY] === 0
        ? { node_full: this.#slabs(C_TRACKED_FULL_HEAD).map((slab) => ledger.slabSerial[slab]!) }
        : { cpu: this.#cpuState(), barn: this.#barnState() }),
      node_partial: this.#slabs(C_PARTIAL_HEAD).map((slab) => [ledger.slabSerial[slab]!, inUse(slab)]),
      nr_slabs: nrSlabs,
      total_objects: totalObjects,
      nr_partial: nrPartial,
      ...(prefilled.length > 0 && {
        prefilled: prefilled.map(([number, sheaf]) => [
          number,
          ledger.sheaf[sheaf * SHEAF_WORDS + S_CAPACITY]!,
          this.#objects(sheaf),
        ]),
      }),
    };
  }

  #cpuState(): object[] {
    const { cpuCache } = this.#machine.ledger;
    const cpus: object[] = [];
    const objectsOf = (sheaf: number) => (sheaf === 0 ? null : this.#objects(sheaf));
    eachCpuLine(this.#machine.ledger, this.#cache.id, (p) => {
      const main = cpuCache[p + P_MAIN]!;
      cpus.push({
        main: main === 0 ? [] : this.#places(cpuCache[p + P_ENTRIES]!, cpuCache[p + P_AVAIL]!),
        spare: objectsOf(cpuCache[p + P_SPARE]!),
        rcu_free: objectsOf(cpuCache[p + P_RCU_FREE]!),
      });
    });
    return cpus;
  }

  #barnState(): object {
    const { cache } = this.#machine.ledger;
    const c = this.#cache.id * CACHE_WORDS;
    return {
      full: this.#sheafList(cache[c + C_BARN_FULL]!).map((sheaf) => this.#objects(sheaf)),
      empty: this.#sheafList(cache[c + C_BARN_EMPTY]!).map((sheaf) => this.#count(sheaf)),
      nr_full: cache[c + C_BARN_NR_FULL],
      nr_empty: cache[c + C_BARN_NR_EMPTY],
    };
  }

  #sheafList(first: number): number[] {
    const { sheaf: rows } = this.#machine.ledger;
    const found: number[] = [];
    for (let sheaf = first; sheaf !== 0; sheaf = rows[sheaf * SHEAF_WORDS + S_NEXT]!) found.push(sheaf);
    return found;
  }

  #slabs(head: number): number[] {
    const { cache, slabNext } = this.#machine.ledger;
    const found: number[] = [];
    let slab = cache[this.#cache.id * CACHE_WORDS + head]!;
    for (; slab !== 0; slab = slabNext[slab]!) found.push(slab);
    return found;
  }

  /** From the bottom to the top. */
  #objects(sheaf: number): Place[] {
    const s = sheaf * SHEAF_WORDS;
    const { sheaf: rows } = this.#machine.ledger;
    return this.#places(rows[s + S_SLOTS]!, rows[s + S_COUNT]!);
  }

  #places(from: number, count: number): Place[] {
    const { slotAddress } = this.#machine.ledger;
    return Array.from({ length: count }, (_, i) => {
      const address = slotAddress[from + i]!;
      if (address === NULL) return [-1, -1];
      const { slab, index } = this.#machine.whereIs(address as PhysAddr)!;
      return [slab, index];
    });
  }
}
