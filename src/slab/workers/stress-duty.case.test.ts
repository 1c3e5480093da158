/** What the threads of the stress test share (stress.case.test.ts). */

import type { CacheOptions } from '../machine.js';
import type { MachineHandle } from './handle.js';

/** Bytes. */
export const WORD = 4;

/** Name, size and what is special: sheaves of all sizes, none, and with a look at each link. */
export const STRESS_CACHES: readonly (readonly [name: string, size: number, options: CacheOptions])[] =
  Array.from({ length: 20 }, (_, i) => {
    const size = [16, 24, 32, 64, 96, 100, 128, 200, 256, 520, 1024, 2000, 4096][i % 13]!;
    const options = [{}, { sheafCapacity: 0 }, { liveCheck: true }, { sheafCapacity: 7 }][i % 4]!;
    return [`cache ${i}`, size, options];
  });

/** What a thread is told. */
export interface Duty {
  readonly handle: MachineHandle;
  /** The objects in words from the start of memory, 0 for none; slot i is for objects of cache i modulo their number. */
  readonly slots: Int32Array;
  /** By member: operations done by it and those whose place it took. */
  readonly progress: Int32Array;
  readonly member: number;
  /** How many had this place before. */
  readonly life: number;
  readonly operations: number;
}
