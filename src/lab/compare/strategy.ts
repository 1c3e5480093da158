/**
 * # A strategy: one place where a driver's small objects could come from
 *
 * Every strategy is asked the same two things, and whatever it takes from the machine it takes from its page allocator, so that what it
 * holds can be read off the zones. States of an object, as its owner sees it:
 *  1. handed out: live, once, aligned, within the strategy's zones;
 *  2. given back: gone; giving it back again is a BadFreeError.
 *
 *     const strategy = STRATEGIES.get('slub-dma32')!.open(machine, { size: 1024, align: 1024, gfp: GFP.ATOMIC });
 *     const table = strategy.alloc(0);
 *     if (table !== NULL) strategy.free(table, 0);
 *     strategy.close();                          // gives everything back that nobody holds
 *
 * strategy.test.ts holds every strategy to this.
 */
import type { Gfp, PhysAddr } from '../../base/index.js';
import type { KmemCache, Machine, MachineOptions } from '../../slab/index.js';

/** What the objects must be. */
export interface ObjectRequest {
  /** Bytes. */
  readonly size: number;
  readonly align: number;
  /** Of each allocation, without a zone: the strategy knows where it must allocate. */
  readonly gfp: Gfp;
}

/** One way to get memory for objects of one size, opened on a machine. */
export interface Strategy {
  /** An object's address, or NULL when there is no memory for it. */
  alloc(cpu: number): PhysAddr;
  /** Throws BadFreeError for what is not live; then nothing changed. */
  free(address: PhysAddr, cpu: number): void;
  /** Gives back what the strategy keeps for itself. Throws LiveObjectsError while objects are live. */
  close(): void;
  /** Its own books are in order; throws LedgerCorruptError. The machine validates itself. */
  validate(): void;
  /** The kmem cache behind it, if it is one. */
  readonly cache?: KmemCache;
}

/** A way to get memory for objects of one size: what `compare` compares. */
export interface StrategyKind {
  /** The word for `--strategies`, stable. */
  readonly id: string;
  /** For people, and the `name` in JSON. */
  readonly name: string;
  /** Whether it can promise memory that a 32-bit entry can name. */
  readonly promisesBelow4GiB: boolean;
  /** Why it costs what it costs, in one sentence. */
  readonly why: string;
  /** What the machine must be booted with. */
  readonly boot?: Pick<MachineOptions, 'slubDebug' | 'allocator'>;
  /** It is what the recorded kernel did: its counters can be held against the recording's samples. */
  readonly isRecorded?: true;
  open(machine: Machine, request: ObjectRequest): Strategy;
}
