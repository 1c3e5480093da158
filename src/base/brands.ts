/**
 * Numbers that must not be mixed up. A brand exists only for the compiler; at run time each is a plain
 * number. Arithmetic drops the brand, and the cast that puts it back marks where units change.
 */
export type Brand<T, Name extends string> = T & { readonly __unit: Name };

/** A physical address in bytes. Below 2^53, so a number holds it exactly. 0 is `NULL`: never handed out. */
export type PhysAddr = Brand<number, 'PhysAddr'>;

/** A page frame number: a physical address divided by the page size. -1 stands for "none". */
export type Pfn = Brand<number, 'Pfn'>;

/** A block of 2^order pages. */
export type Order = number;

/** What an allocation may do and where its pages may come from: the bits of machine/gfp.ts. */
export type Gfp = Brand<number, 'Gfp'>;

/** `SLAB_*` creation flags as an unsigned 32-bit number: the bits of slab/kernel/flags.ts. */
export type SlabFlags = Brand<number, 'SlabFlags'>;

/** The address that an allocation returns when it found no memory. */
export const NULL = 0 as PhysAddr;

/** The page frame that a page allocation returns when it found no memory. */
export const NO_PFN = -1 as Pfn;
