/** What a recording says of its own machine: snapshots, boot, CPUs, and whether they belong together. */
export {
  allocatorShown,
  fitToEvents,
  IN_THE_DISTANCE,
  memoryNeeded,
  SLABS_OWN,
  specFromEvents,
} from './evidence.js';
export { contradictions } from './mismatch.js';
export { firstEventTime, placeBehind, placeSnapshots, type SnapshotPlace } from './place.js';
export {
  type CacheSpec,
  type Evidence,
  knownCaches,
  layoutOf,
  type MachineEvidence,
  type MachinePlan,
  type PlanOptions,
  pagesLeftOut,
  planFromProfile,
  planFromSnapshots,
  withPageSize,
} from './plan.js';
export {
  readSnapshots,
  rowNamed,
  type Snapshot,
  type SnapshotCache,
  type Snapshots,
  type SnapshotZone,
} from './snapshots.js';
