/**
 * # Writing to the files of a cache
 *
 *     sysfsWrite(machine, cache, 'min_partial', '100')     // 3: bytes taken
 *     sysfsWrite(machine, cache, 'cpu_partial', '0x10')    // -22: decimal only
 *     sysfsWrite(machine, cache, 'order', '1')             // -13: read-only, even for root
 *
 * What the kernel takes, and what it answers (truth/README.md, "SLUB unique id and sysfs"):
 *  1. a file that is not there is -2, a read-only one -13; both are found when it is opened;
 *  2. an empty write is 0 and reaches nobody;
 *  3. `min_partial` and `cpu_partial` are decimal digits, with a `+` before them and one newline behind them if need be. Anything else
 *     is -22. A number beyond 64 bits, for cpu_partial beyond 32, is -34, whatever stands behind it beyond 64;
 *  4. `cpu_partial` above 0 is -22 on a debugged cache, and on a kernel whose CPUs have sheaves, where 0 does nothing. Elsewhere the
 *     largest number is taken and wraps: its CPUs then keep no slab. Every write that is taken flushes all CPUs;
 *  5. `shrink` looks at the first character only: `1`, `10` and `1x` shrink, the rest is -22;
 *  6. `validate` does as well, and is -22 on a cache that is not debugged. What is wrong is in the machine's log;
 *  7. a counter of CONFIG_SLUB_STATS is set to 0 by what begins with `0`; the rest is -22.
 */
import { ArgumentError } from '../base/index.js';
import { C_MIN_PARTIAL_HIGH, C_MIN_PARTIAL_LOW, CACHE_WORDS } from '../machine/index.js';
import {
  clearStatistics,
  type KmemCache,
  type Machine,
  SLAB_DEBUG_FLAGS,
  type Statistic,
} from '../slab/index.js';
import { byteLength } from './bytes.js';
import { MIN_PARTIAL_MOST, sysfsFiles, sysfsMode } from './sysfs.js';

const ENOENT = -2;
const EACCES = -13;
const EINVAL = -22;
const ERANGE = -34;

const U64_MAX = 2n ** 64n - 1n;
const U32_MAX = 2n ** 32n - 1n;

/** Writes a text to a cache's file. Returns the bytes taken, all of them, or a negative errno; then nothing changed. */
export function sysfsWrite(machine: Machine, cache: KmemCache, file: string, text: string): number {
  if (!sysfsFiles(machine, cache).has(file)) return ENOENT;
  if (sysfsMode(file) === 0o400) return EACCES;
  const bytes = byteLength(text);
  if (bytes === 0) return 0;
  const debugged = (cache.info.flags & SLAB_DEBUG_FLAGS) !== 0;
  switch (file) {
    case 'min_partial': {
      const slabs = parseUnsigned(text, U64_MAX);
      if (typeof slabs === 'number') return slabs;
      setMinPartial(machine, cache, slabs);
      return bytes;
    }
    case 'cpu_partial': {
      const objects = parseUnsigned(text, U32_MAX);
      if (typeof objects === 'number') return objects;
      // Where CPUs keep no slabs, there is nothing that a 0 would change.
      const keeps = machine.kernel.has.cpuSlabs;
      if (objects > 0n && (debugged || !keeps)) return EINVAL;
      if (keeps) cache.setCpuPartial(Number(objects));
      return bytes;
    }
    case 'remote_node_defrag_ratio':
    case 'skip_kfence':
      throw new ArgumentError(`${file}: the engine has one node and no KFENCE, and keeps no value of it`);
    case 'shrink':
      if (!text.startsWith('1')) return EINVAL;
      cache.shrink();
      return bytes;
    case 'validate':
      if (!text.startsWith('1') || !debugged) return EINVAL;
      cache.validate();
      return bytes;
    default:
      if (!text.startsWith('0')) return EINVAL;
      clearStatistics(machine.ledger, cache.id, [file as Statistic]);
      return bytes;
  }
}

/** A decimal number up to `most`, or the errno. Digits that leave 64 bits are found before what stands behind them. */
function parseUnsigned(text: string, most: bigint): bigint | number {
  const [digits] = /^\+?\d+/.exec(text) ?? [];
  if (digits === undefined) return EINVAL;
  const value = BigInt(digits.replace('+', ''));
  if (value > U64_MAX) return ERANGE;
  const rest = text.slice(digits.length);
  if (rest !== '' && rest !== '\n') return EINVAL;
  return value > most ? ERANGE : value;
}

/** More than the engine counts to is as good as its most; the file reads as what was written. */
function setMinPartial({ ledger }: Machine, cache: KmemCache, slabs: bigint): void {
  const most = BigInt(MIN_PARTIAL_MOST);
  const written = slabs > most ? slabs : 0n;
  cache.setMinPartial(Number(slabs > most ? most : slabs));
  ledger.cache[cache.id * CACHE_WORDS + C_MIN_PARTIAL_LOW] = Number(written & U32_MAX);
  ledger.cache[cache.id * CACHE_WORDS + C_MIN_PARTIAL_HIGH] = Number(written >> 32n);
}
