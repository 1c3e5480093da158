/**
 * `SLAB_*` flags: what a cache is. Values are those of Linux 6.1; the engine uses them whatever the profile, and a kernel with
 * other values (from 6.9 on they are an enum that depends on the configuration) is translated by name.
 */
import { ArgumentError, lookUp, type SlabFlags } from '../../base/index.js';

const bits = <T extends Record<string, number>>(table: T) =>
  table as { readonly [K in keyof T]: T[K] & SlabFlags };

/** The kernel's `SLAB_*` flags, without the prefix; they are put together with `|`. */
export const SLAB = bits({
  NONE: 0,
  CONSISTENCY_CHECKS: 0x100,
  RED_ZONE: 0x400,
  POISON: 0x800,
  /** Internal to 6.1: a cache of the kmalloc array. */
  KMALLOC: 0x1000,
  HWCACHE_ALIGN: 0x2000,
  CACHE_DMA: 0x4000,
  CACHE_DMA32: 0x8000,
  STORE_USER: 0x10000,
  RECLAIM_ACCOUNT: 0x20000,
  PANIC: 0x40000,
  TYPESAFE_BY_RCU: 0x80000,
  MEM_SPREAD: 0x100000,
  TRACE: 0x200000,
  NOLEAKTRACE: 0x800000,
  ACCOUNT: 0x4000000,
  NO_USER_FLAGS: 0x10000000,
  /** From 6.5 on: the cache is never merged, from either side. 6.1 has no such bit; this value is free there. */
  NO_MERGE: 0x20000000,
});

/** Set by the engine, never by a caller: objects are filled with poison. */
export const SLAB_OBJECT_POISON = 0x80000000;
/** Set by the engine, never by a caller: a slab's two words can change as one. */
export const SLAB_CMPXCHG_DOUBLE = 0x40000000;

/** Set by kmem_cache_create of kernels that have it, never by a caller: the cache's memory may be accounted, object by object. */
export const SLAB_MAY_ACCOUNT = 0x1000000;
/** Set by the engine, never by a caller: the padding behind an object holds what it is accounted to. */
export const SLAB_OBJ_EXT_IN_OBJ = 0x200;
/** Set for the first caches of a boot alone: nothing of them is accounted, and they have no sheaves. */
export const SLAB_NO_OBJ_EXT = 0x80;
export const SLAB_NO_SHEAVES = 0x40;

/** What no caller passes: people are shown a cache's flags without these. */
export const SLAB_INTERNAL_FLAGS =
  SLAB_OBJECT_POISON |
  SLAB_CMPXCHG_DOUBLE |
  SLAB_MAY_ACCOUNT |
  SLAB_OBJ_EXT_IN_OBJ |
  SLAB_NO_OBJ_EXT |
  SLAB_NO_SHEAVES;

/** The flags that `slub_debug` can add. Any of them takes the per-CPU slabs away. */
export const SLAB_DEBUG_FLAGS =
  SLAB.CONSISTENCY_CHECKS | SLAB.RED_ZONE | SLAB.POISON | SLAB.STORE_USER | SLAB.TRACE;
/** The ones that need room in a slab; `slub_debug=…O` drops them where they would raise its order. */
export const SLAB_DEBUG_METADATA_FLAGS = SLAB.RED_ZONE | SLAB.POISON | SLAB.STORE_USER;

/** A flag's bit in some kernel, and what the engine has for it. */
export type FlagBit = readonly [theirs: number, ours: number];

/**
 * The flags of a kernel whose bits depend on its configuration (from 6.9 on, an enum): those that it was built with, in its order, each
 * have the next bit.
 */
export function flagBits(order: readonly number[]): readonly FlagBit[] {
  return order.map((ours, bit) => [2 ** bit, ours] as const);
}

/** All flags by their names in the kernel's source, without the prefix. */
export const SLAB_FLAG_NAMES: ReadonlyMap<string, number> = new Map([
  ...Object.entries(SLAB).filter(([name]) => name !== 'NONE'),
  ['OBJECT_POISON', SLAB_OBJECT_POISON],
  ['CMPXCHG_DOUBLE', SLAB_CMPXCHG_DOUBLE],
  ['MAY_ACCOUNT', SLAB_MAY_ACCOUNT],
  ['OBJ_EXT_IN_OBJ', SLAB_OBJ_EXT_IN_OBJ],
  ['NO_OBJ_EXT', SLAB_NO_OBJ_EXT],
  ['NO_SHEAVES', SLAB_NO_SHEAVES],
]);

const NAMES: ReadonlyMap<string, number> = new Map(Object.entries(SLAB).filter(([name]) => name !== 'NONE'));

/** `HWCACHE_ALIGN|CACHE_DMA32`; internal and unknown bits in hex at the end, `none` for 0. */
export function formatSlabFlags(flags: number): string {
  const names: string[] = [];
  let rest = flags >>> 0;
  for (const [name, bit] of NAMES) {
    if (rest & bit) names.push(name);
    rest = (rest & ~bit) >>> 0;
  }
  rest = (rest & ~SLAB_INTERNAL_FLAGS) >>> 0;
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? 'none' : names.join('|');
}

/** Reads `CACHE_DMA32,HWCACHE_ALIGN`, with or without `SLAB_`, separated by `,` or `|`; also hex. Throws UnknownNameError. */
export function parseSlabFlags(text: string): SlabFlags {
  let flags = 0;
  for (const part of text.split(/[,|]/)) {
    const word = part.trim();
    if (word === '') continue;
    flags |= /^0x[0-9a-f]+$/i.test(word)
      ? Number(word)
      : lookUp('slab flag', word.toUpperCase().replace(/^SLAB_/, ''), NAMES);
  }
  return (flags >>> 0) as SlabFlags;
}

/** Flags for the caches whose names match: a `*` ends a pattern, which then is the beginning of a name. */
export interface SlubDebugBlock {
  readonly flags: number;
  readonly patterns: readonly string[];
}

/** What `slub_debug=` was given: flags for all caches, and whether `O` keeps them from raising orders. */
export interface SlubDebug {
  readonly flags: number;
  readonly avoidHigherOrders: boolean;
  /** The parts that name caches, in their order: the first that matches a cache decides for it, instead of `flags`. */
  readonly blocks?: readonly SlubDebugBlock[];
}

const DEBUG_LETTERS: Readonly<Record<string, number>> = {
  F: SLAB.CONSISTENCY_CHECKS,
  Z: SLAB.RED_ZONE,
  P: SLAB.POISON,
  U: SLAB.STORE_USER,
  T: SLAB.TRACE,
  // Fault injection, which is not built in.
  A: 0,
};

/** What `slub_debug` without letters means. */
const DEBUG_DEFAULT = SLAB.CONSISTENCY_CHECKS | SLAB.RED_ZONE | SLAB.POISON | SLAB.STORE_USER;

/**
 * Reads `FZPU`, also with `O`; an empty text or `-` switches debugging off. `FZ,dentry,kmalloc-*;P,inode` is for those caches only:
 * blocks are parted by `;`, a block with names leaves all other caches to the last block without any, and without such a block they
 * are not debugged. A block that begins with `,` means all of F, Z, P and U. Throws ArgumentError.
 */
export function parseSlubDebug(text: string): SlubDebug {
  let global = 0;
  let avoidHigherOrders = false;
  const blocks: SlubDebugBlock[] = [];
  for (const block of text.split(';')) {
    if (block === '') continue;
    const [letters = '', ...patterns] = block.split(',');
    let flags = letters === '' ? DEBUG_DEFAULT : 0;
    for (const letter of letters.toUpperCase()) {
      if (letter === '-') flags = 0;
      else if (letter === 'O') avoidHigherOrders = true;
      else if (DEBUG_LETTERS[letter] !== undefined) flags |= DEBUG_LETTERS[letter]!;
      else throw new ArgumentError(`slub_debug knows the letters F, Z, P, U, T, A and O, not '${letter}'`);
    }
    if (patterns.length === 0) global = flags;
    else blocks.push({ flags, patterns });
  }
  return { flags: global, avoidHigherOrders, ...(blocks.length > 0 && { blocks }) };
}

/** The text with its letters as the kernel documents them: the names behind a comma are compared as they are, and stay. */
export function formatSlubDebug(text: string): string {
  return text.replace(/(^|;)([^,;]*)/g, (_, begin: string, letters: string) => begin + letters.toUpperCase());
}

/** The flags of the first block that names a cache, or undefined. */
export function debugBlockFlags({ blocks = [] }: SlubDebug, name: string): number | undefined {
  const matches = (pattern: string) => {
    const star = pattern.indexOf('*');
    return star < 0 ? pattern === name : name.startsWith(pattern.slice(0, star));
  };
  return blocks.find(({ patterns }) => patterns.some(matches))?.flags;
}
