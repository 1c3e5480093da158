import type { ClassCache, Trace } from '../../trace/index.js';
import type { MachinePlan, Snapshots } from '../evidence/index.js';
import type { Estimate } from './population.js';

/** A trace with all that a replay of it needs, for as many what-ifs as one likes. */
export interface Recorded {
  readonly trace: Trace;
  readonly snapshots: Snapshots | undefined;
  readonly plan: MachinePlan;
  /** By class of the trace. */
  readonly names: readonly ClassCache[];
  readonly estimate: Estimate;
  /** Why the snapshots cannot be of this recording: a sentence each, without its full stop; none where they can. */
  readonly mismatch: readonly string[];
}
