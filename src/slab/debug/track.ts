/**
 * Who allocated and freed an object: two records of 32 bytes behind it, in a cache with SLAB_STORE_USER.
 *
 *     | who 8 | stack 4 | CPU 4 | PID 4 | unused 4 | when 8 |
 *
 * The caller says who it is and what time it is (`machine.caller`); a stack is not kept.
 */
import type { ManagedBytes } from '../../machine/index.js';
import type { Caller } from '../cache/index.js';

/** A track's place in an object's two. */
export const TRACK_ALLOC = 0;
export const TRACK_FREE = 1;

const T_WHO = 0;
const T_CPU = 12;
const T_PID = 16;
const T_WHEN = 24;
const U32 = 2 ** 32;

export interface Tracks {
  /** `at` is the address of the track. */
  write(at: number, cpu: number): void;
  clear(at: number): void;
  /** `Allocated in SITE age=0 cpu=1 pid=0`, or undefined if nobody is recorded. */
  line(what: string, at: number): string | undefined;
}

/** Sites with names are kept in a table; what lies in the bytes is their place in it. */
export function createTracks(bytes: ManagedBytes, trackSize: number, caller: Readonly<Caller>): Tracks {
  const names: string[] = [];
  const numbers = new Map<string, number>();

  function numberOf(site: string | number): number {
    if (typeof site === 'number') return site;
    let number = numbers.get(site);
    if (number === undefined) {
      names.push(site);
      number = names.length;
      numbers.set(site, number);
    }
    return number;
  }

  const setU64 = (at: number, value: number) => {
    bytes.setU32(at, value % U32);
    bytes.setU32(at + 4, Math.floor(value / U32));
  };
  const getU64 = (at: number) => bytes.getU32(at) + bytes.getU32(at + 4) * U32;

  return {
    write(at, cpu) {
      setU64(at + T_WHO, numberOf(caller.site));
      bytes.setU32(at + T_CPU, cpu);
      bytes.setU32(at + T_PID, caller.pid);
      setU64(at + T_WHEN, caller.now);
    },
    clear: (at) => bytes.fill(at, trackSize, 0),
    line(what, at) {
      const who = getU64(at + T_WHO);
      if (who === 0) return undefined;
      const age = caller.now - getU64(at + T_WHEN);
      const site = names[who - 1] ?? `0x${who.toString(16)}`;
      return `${what} in ${site} age=${age} cpu=${bytes.getU32(at + T_CPU)} pid=${bytes.getU32(at + T_PID)}`;
    },
  };
}
