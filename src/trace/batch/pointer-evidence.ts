/**
 * # Are these pointers, or hashes of pointers?
 *
 * Since 4.15 a kernel that prints a pointer into text prints 32 bits of a hash instead, unless it is told not to. What has an upper half is
 * no hash. What has none may be one, or the address on a machine of 32 bits, or on one whose memory is mapped from 0 (s390). Objects lie at
 * multiples of a pointer's size, so the lowest two bits of every address are zero; those of a hash are so one time in four.
 */

/** So many are not all multiples of four by chance: that happens once in 2^32. */
const ENOUGH = 16;

/** What the pointers of allocations have in common. */
export interface PointerBits {
  /** How many there were, NULL not counted. */
  readonly count: number;
  /** All of their lower and upper halves, or-ed. */
  readonly low: number;
  readonly high: number;
}

/** `wide` are addresses of 64 bits; `narrow` ones of 32 bits, or below 2^32; `unclear` where there are too few to tell. */
export function judgePointers({ count, low, high }: PointerBits): 'wide' | 'narrow' | 'hashed' | 'unclear' {
  if (high !== 0) return 'wide';
  if (count > 0 && (low & 3) !== 0) return 'hashed';
  return count >= ENOUGH ? 'narrow' : 'unclear';
}
