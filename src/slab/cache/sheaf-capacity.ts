/**
 * # How many objects a kernel's sheaf holds
 *
 * By the size of an object with its padding and metadata: 60, from 256 bytes on 26, from 1 KiB on 12, from 4 KiB on 4. A sheaf is memory of
 * kmalloc, 32 bytes and a pointer for each object, and what that is rounded up to is used: 26 become 28 (240 bytes are 256).
 *
 * Who asks for more gets it to the object, and who asks for less gets the usual number. Some caches have no sheaves, whatever they ask for:
 * debugged ones, those that must not be tracked for leaks, the two that caches are made of, and those that claim to be kmalloc's. The real
 * kmalloc caches get theirs in a second step of the boot (kmalloc/kmalloc.ts).
 *
 * Rule: truth/7.3/README.md, 3.1, checked against every recorded create.
 */
import { ArgumentError } from '../../base/index.js';
import { type KernelProfile, SLAB, SLAB_DEBUG_FLAGS, SLAB_NO_SHEAVES } from '../kernel/index.js';

const WITHOUT = SLAB_DEBUG_FLAGS | SLAB.NOLEAKTRACE | SLAB.KMALLOC | SLAB_NO_SHEAVES;

/** Bytes of the largest memory that kmalloc gives, and so of the largest sheaf. */
const KMALLOC_MAX = 4 * 2 ** 20;

/**
 * Objects of a sheaf of a cache with this layout: bytes from one object to the next and final flags. 0 without sheaves, as with every
 * kernel before 7.0. `asked` is what the maker said, 0 for nothing.
 */
export function sheafCapacity(
  { sheafRule, wordSize, kmallocSizes }: KernelProfile,
  { size, flags }: { readonly size: number; readonly flags: number },
  asked = 0,
): number {
  if (sheafRule === null || flags & WITHOUT) return 0;
  const { capacityBySize, headerBytes } = sheafRule;
  const [, wanted] = capacityBySize.find(([minSize]) => size >= minSize)!;
  const [bytes] = kmallocSizes.find(([room]) => room >= headerBytes + wanted * wordSize)!;
  return Math.max((bytes - headerBytes) / wordSize, asked);
}

/** Throws ArgumentError for a number of objects that no sheaf of this kernel can hold. */
export function checkAskedCapacity({ name, sheafRule, wordSize }: KernelProfile, asked: number): void {
  if (sheafRule === null)
    throw new ArgumentError(
      `Linux ${name} has no sheaf_capacity: caches have sheaves from 7.0 on (known here: 7.3), before it CPUs keep slabs (cpu_partial)`,
    );
  const most = (KMALLOC_MAX - sheafRule.headerBytes) / wordSize;
  if (!Number.isInteger(asked) || asked < 0 || asked > most)
    throw new ArgumentError(
      `sheaf_capacity is a whole number of objects up to ${most} (a sheaf is memory of kmalloc), 0 for the usual one, not ${asked}`,
    );
}
