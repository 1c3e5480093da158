/** What a Moment is told from: the machine and the run as they are now. */
import type { BuiltMachine, Recorded, RunState, SlabRow, Stock } from '../replay/index.js';

export interface Scene {
  readonly recorded: Recorded;
  readonly built: BuiltMachine;
  readonly stock: Stock;
  readonly state: RunState;
  readonly row: number;
  /** Nanoseconds of the trace's clock. */
  readonly time: number;
  /** By cache's id. */
  readonly slabs: ReadonlyMap<number, readonly SlabRow[]>;
  /** Lets the next row happen, looks, and takes it back. */
  beyond<T>(look: (after: Pick<Scene, 'built' | 'state'>) => T): T;
}

/** All that lead to a cache: its own name, where the replay did not make it. */
export function namesOf({ caches }: BuiltMachine, id: number, name: string): readonly string[] {
  return caches.find(({ cache }) => cache.id === id)?.spec.names ?? [name];
}
