/**
 * # Writing to /proc/slabinfo
 *
 *     slabinfoWrite(machine, 'dentry 240 120 8\n')      // 17: bytes taken
 *     slabinfoWrite(machine, 'dentry 240 500 8\n')      // 17 too, and nothing happened
 *     slabinfoWrite(machine, 'dentri 240 120 8\n')      // -22
 *
 * A cache's name, the objects that a CPU's array is to hold (`limit`), how many are moved at a time (`batchcount`), and how many such
 * batches the array of all CPUs holds (`shared`, 0 for none). What the kernel takes, and what it answers:
 *  1. with SLUB every write is -5 (-EIO): the numbers are SLAB's;
 *  2. more than 128 bytes are -22;
 *  3. the name ends at the first blank, so that a cache with a blank in its name cannot be tuned. Without a blank it is -22;
 *  4. three decimal numbers follow, each with a minus in front if need be and blanks or newlines between them; fewer are -22. What stands
 *     behind the third is not looked at, and a number keeps its lowest 32 bits;
 *  5. of caches with one name the newest is meant; no cache of that name is -22;
 *  6. a limit or batchcount below 1, a batchcount above the limit or a negative shared is *taken*, and changes nothing;
 *  7. else the cache gets new arrays, and what lay in the old ones goes back to its slabs.
 *
 * A kernel reads on behind a text without a newline, into whatever its stack holds there; here the text ends where it ends.
 */
import type { Machine } from '../slab/index.js';
import { byteLength } from './bytes.js';

const EIO = -5;
const EINVAL = -22;

/** Of one write. */
const BYTES_MOST = 128;

/**
 * Writes a text to /proc/slabinfo. Returns the bytes taken, all of them, or a negative errno; then nothing changed. Throws LedgerFullError
 * where the ledger has no room for such arrays.
 */
export function slabinfoWrite(machine: Machine, text: string): number {
  if (!machine.kernel.has.tunables) return EIO;
  const bytes = byteLength(text);
  if (bytes > BYTES_MOST) return EINVAL;
  const blank = text.indexOf(' ');
  if (blank < 0) return EINVAL;
  const numbers = /^\s*(-?\d+)(?!\d)\s*(-?\d+)(?!\d)\s*(-?\d+)/.exec(text.slice(blank + 1));
  if (numbers === null) return EINVAL;
  const [limit, batchcount, sharedFactor] = numbers
    .slice(1)
    .map((digits) => Number(BigInt.asIntN(32, BigInt(digits)))) as [number, number, number];
  const cache = machine.findCache(text.slice(0, blank));
  if (cache === undefined) return EINVAL;
  if (limit >= 1 && batchcount >= 1 && batchcount <= limit && sharedFactor >= 0)
    cache.setTunables({ limit, batchcount, sharedFactor });
  return bytes;
}
