/** What a Moment is told from: the machine and the run as they are now. */
import type { BuiltMachine } from '../replay/build.js';
import type { Stock } from '../replay/history.js';
import type { Recorded } from '../replay/replay.js';
import type { RunState } from '../replay/run.js';
import type { SlabState } from '../replay/slab-states.js';

export interface Scene {
  readonly recorded: Recorded;
  readonly built: BuiltMachine;
  readonly stock: Stock;
  readonly state: RunState;
  readonly row: number;
  /** Nanoseconds of the trace's clock. */
  readonly time: number;
  /** By cache's id. */
  readonly slabs: ReadonlyMap<number, readonly SlabState[]>;
  /** Lets the next row happen, looks, and takes it back. */
  beyond<T>(look: (after: Pick<Scene, 'built' | 'state'>) => T): T;
}

/** All that lead to a cache: its own name, where the replay did not make it. */
export function namesOf({ caches }: BuiltMachine, id: number, name: string): readonly string[] {
  return caches.find(({ cache }) => cache.id === id)?.spec.names ?? [name];
}
