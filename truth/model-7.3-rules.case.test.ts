/**
 * The rules of Linux 7.3's sheaves that can be changed one by one: model-7.3.case.test.ts has the theory with each letter and number.
 */
import { type End, NODE_RULES, type NodeRules } from './model-7.3-node.case.test.js';

/** The rules A to P as data, so that a test can change one and see that the recordings notice. */
export interface SheafRules {
  /** A1: whether a main that ran empty is exchanged for a spare with objects before the barn is asked. */
  readonly spareFirst: boolean;
  /** A2, B2, P1 */
  readonly fullFrom: End;
  /** A3: which empty sheaf is filled first, the spare or one of the barn's. */
  readonly filledFirst: 'spare' | 'barn';
  /** A3: how many objects a refill aims at. */
  readonly refillTo: (capacity: number) => number;
  /** A3: the emptied main stays as spare, or goes to the barn. */
  readonly emptiedMainTo: 'spare' | 'barn';
  /** F2: which sheaf goes to the barn when both are full. */
  readonly toBarn: 'main' | 'spare';
  /** F2, B3, K2, P4 */
  readonly fullTo: End;
  /** F2, F3, B3, K2, P4: full sheaves that a barn holds. */
  readonly fullMax: number;
  /** F3: which sheaf is flushed when the barn takes no more. */
  readonly flushed: 'main' | 'spare';
  /** B1: the order in which a bulk allocation empties main. */
  readonly bulkOrder: 'array' | 'popped';
  /** B2: the barn's full sheaves serve a bulk allocation. */
  readonly bulkFromBarn: boolean;
  /** B2: what is missing comes from the slabs, or by refills as if asked for singly. */
  readonly bulkRest: 'slabs' | 'singly';
  /** B3: the end of its array from which a bulk free fills main. */
  readonly bulkFreeFrom: 'start' | 'end';
  /** B3: a bulk free that finds no empty sheaf makes one. */
  readonly bulkFreeMakes: boolean;
  /** B4: what a bulk free does with the rest when it gives up. */
  readonly bulkFreeRest: 'slabs' | 'singly';
  /** K1: an empty spare becomes the rcu_free sheaf. */
  readonly rcuTakesSpare: boolean;
  /** K2: empty sheaves that a barn holds when a flushed rcu_free sheaf comes; no other path has a limit. */
  readonly emptyMax: number;
  /** K2: when a full rcu_free sheaf reaches the barn: after the grace period, or at once. */
  readonly rcuHandedOver: 'later' | 'at once';
  /** K3: where a rcu_free sheaf goes that somebody waits for. */
  readonly rcuWaitedTo: 'slabs' | 'barn';
  /** P1: a prefill takes the spare although it holds objects. */
  readonly prefillTakes: 'any spare' | 'empty spare';
  /** P2: how far a sheaf is filled. */
  readonly prefillTo: 'capacity' | 'wanted';
  /** P4: a returned sheaf becomes the spare as it is, or filled. */
  readonly returnedSpare: 'as it is' | 'filled';
  /** P4: a returned sheaf is filled on its way to the barn, or flushed. */
  readonly returnedToBarn: 'filled' | 'flushed';
  /** H1 */
  readonly flushFirst: 'spare' | 'main';
  /** H1: how many objects of main are flushed at a time. */
  readonly flushPiece: number;
  /** H2 */
  readonly barnFlushedFrom: End;
  /** H3: a CPU that goes offline flushes main at once, or in pieces. */
  readonly offlineMain: 'whole' | 'pieces';
  /** H3 */
  readonly offlineFirst: 'main' | 'spare';
}

export const SHEAF_RULES: SheafRules = {
  spareFirst: true,
  fullFrom: 'head',
  filledFirst: 'spare',
  refillTo: (capacity) => capacity,
  emptiedMainTo: 'spare',
  toBarn: 'main',
  fullTo: 'head',
  fullMax: 10,
  flushed: 'spare',
  bulkOrder: 'array',
  bulkFromBarn: true,
  bulkRest: 'slabs',
  bulkFreeFrom: 'start',
  bulkFreeMakes: false,
  bulkFreeRest: 'slabs',
  rcuTakesSpare: true,
  emptyMax: 10,
  rcuHandedOver: 'later',
  rcuWaitedTo: 'slabs',
  prefillTakes: 'any spare',
  prefillTo: 'capacity',
  returnedSpare: 'as it is',
  returnedToBarn: 'filled',
  flushFirst: 'spare',
  flushPiece: 32,
  barnFlushedFrom: 'head',
  offlineMain: 'whole',
  offlineFirst: 'main',
};

export type Rules = NodeRules & SheafRules;
export const RULES: Rules = { ...NODE_RULES, ...SHEAF_RULES };
