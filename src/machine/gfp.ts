/**
 * gfp flags: what an allocation may do to find memory, and from which zones.
 *
 *     GFP.KERNEL | GFP.DMA32        may sleep and reclaim; pages below 4 GiB
 *     GFP.ATOMIC                    may not sleep; may use part of the reserves
 *
 * Values are those of Linux 6.1, x86_64, whatever kernel the machine has: programs name what they want. What a later kernel prints for
 * it is data of its profile (`GfpNumbers`). Names and their order when printed are those of the kernel's trace format
 * (`show_gfp_flags`, recorded in truth/).
 */
import { type Gfp, lookUp } from '../base/index.js';

const bits = <T extends Record<string, number>>(table: T) => table as { readonly [K in keyof T]: T[K] & Gfp };

/** Single bits, `__GFP_*`. */
export const __GFP = bits({
  DMA: 0x1,
  HIGHMEM: 0x2,
  DMA32: 0x4,
  MOVABLE: 0x8,
  RECLAIMABLE: 0x10,
  HIGH: 0x20,
  IO: 0x40,
  FS: 0x80,
  ZERO: 0x100,
  ATOMIC: 0x200,
  DIRECT_RECLAIM: 0x400,
  KSWAPD_RECLAIM: 0x800,
  WRITE: 0x1000,
  NOWARN: 0x2000,
  RETRY_MAYFAIL: 0x4000,
  NOFAIL: 0x8000,
  NORETRY: 0x10000,
  MEMALLOC: 0x20000,
  COMP: 0x40000,
  NOMEMALLOC: 0x80000,
  HARDWALL: 0x100000,
  THISNODE: 0x200000,
  ACCOUNT: 0x400000,
  ZEROTAGS: 0x800000,
  RECLAIM: 0xc00,
});

/** The combinations that callers pass, `GFP_*`. */
export const GFP = bits({
  KERNEL: 0xcc0,
  KERNEL_ACCOUNT: 0x400cc0,
  ATOMIC: 0xa20,
  NOWAIT: 0x800,
  NOIO: 0xc00,
  NOFS: 0xc40,
  USER: 0x100cc0,
  DMA: 0x1,
  DMA32: 0x4,
  HIGHUSER: 0x100cc2,
  HIGHUSER_MOVABLE: 0x100cca,
  TRANSHUGE_LIGHT: 0x1c20ca,
  TRANSHUGE: 0x1c24ca,
});

/**
 * What a slab allocation may not ask for: the zone belongs to the cache, not to the caller. `__GFP_DMA` is not among them (it is
 * ignored). Unknown bits are bad as well. Linux: `GFP_SLAB_BUG_MASK`.
 */
export const GFP_SLAB_BUG_BITS = __GFP.DMA32 | __GFP.HIGHMEM;

/** Every bit that means something in 6.1. */
export const GFP_KNOWN_BITS = 0xffffff;

/** Kernel order: a composite is taken before the bits that it is made of. */
const PRINTED: readonly (readonly [bits: number, name: string])[] = [
  [GFP.TRANSHUGE, 'GFP_TRANSHUGE'],
  [GFP.TRANSHUGE_LIGHT, 'GFP_TRANSHUGE_LIGHT'],
  [GFP.HIGHUSER_MOVABLE, 'GFP_HIGHUSER_MOVABLE'],
  [GFP.HIGHUSER, 'GFP_HIGHUSER'],
  [GFP.USER, 'GFP_USER'],
  [GFP.KERNEL_ACCOUNT, 'GFP_KERNEL_ACCOUNT'],
  [GFP.KERNEL, 'GFP_KERNEL'],
  [GFP.NOFS, 'GFP_NOFS'],
  [GFP.ATOMIC, 'GFP_ATOMIC'],
  [GFP.NOIO, 'GFP_NOIO'],
  [GFP.NOWAIT, 'GFP_NOWAIT'],
  [GFP.DMA, 'GFP_DMA'],
  [__GFP.HIGHMEM, '__GFP_HIGHMEM'],
  [GFP.DMA32, 'GFP_DMA32'],
  [__GFP.HIGH, '__GFP_HIGH'],
  [__GFP.ATOMIC, '__GFP_ATOMIC'],
  [__GFP.IO, '__GFP_IO'],
  [__GFP.FS, '__GFP_FS'],
  [__GFP.NOWARN, '__GFP_NOWARN'],
  [__GFP.RETRY_MAYFAIL, '__GFP_RETRY_MAYFAIL'],
  [__GFP.NOFAIL, '__GFP_NOFAIL'],
  [__GFP.NORETRY, '__GFP_NORETRY'],
  [__GFP.COMP, '__GFP_COMP'],
  [__GFP.ZERO, '__GFP_ZERO'],
  [__GFP.NOMEMALLOC, '__GFP_NOMEMALLOC'],
  [__GFP.MEMALLOC, '__GFP_MEMALLOC'],
  [__GFP.HARDWALL, '__GFP_HARDWALL'],
  [__GFP.THISNODE, '__GFP_THISNODE'],
  [__GFP.RECLAIMABLE, '__GFP_RECLAIMABLE'],
  [__GFP.MOVABLE, '__GFP_MOVABLE'],
  [__GFP.ACCOUNT, '__GFP_ACCOUNT'],
  [__GFP.WRITE, '__GFP_WRITE'],
  [__GFP.RECLAIM, '__GFP_RECLAIM'],
  [__GFP.DIRECT_RECLAIM, '__GFP_DIRECT_RECLAIM'],
  [__GFP.KSWAPD_RECLAIM, '__GFP_KSWAPD_RECLAIM'],
  [__GFP.ZEROTAGS, '__GFP_ZEROTAGS'],
];

/** In which gfp flags a kernel prints other numbers than those of 6.1. */
export interface GfpNumbers {
  /** Bits that the kernel does not have. */
  readonly absent: number;
  readonly ATOMIC: number;
  readonly NOWAIT: number;
}

/** What 6.1 prints: the numbers that this room has. */
export const GFP_NUMBERS_6_1: GfpNumbers = { absent: 0, ATOMIC: GFP.ATOMIC, NOWAIT: GFP.NOWAIT };

/**
 * "mm: discard __GFP_ATOMIC" (6.3); "gfp: include __GFP_NOWARN in GFP_NOWAIT" (6.7). Recorded: the `gfp` of
 * truth/6.12/kmalloc-slub.json.gz.
 */
export const GFP_NUMBERS_6_12: GfpNumbers = { absent: __GFP.ATOMIC, ATOMIC: 0x820, NOWAIT: 0x2800 };

/** `0x820`: the number that a kernel prints for flags. */
export function gfpHex(gfp: number, { absent } = GFP_NUMBERS_6_1): string {
  return `0x${((gfp & ~absent) >>> 0).toString(16)}`;
}

const BY_NAME: ReadonlyMap<string, number> = new Map([
  ['none', 0],
  ...PRINTED.map(([value, name]) => [name, value] as const),
  ['__GFP_DMA', __GFP.DMA],
  ['__GFP_DMA32', __GFP.DMA32],
]);

/** The bits of `GFP_KERNEL`, `__GFP_ZERO`, `none`; undefined for a name that 6.1 does not print. */
export function gfpOfName(name: string): Gfp | undefined {
  return BY_NAME.get(name) as Gfp | undefined;
}

/**
 * `GFP_KERNEL|__GFP_ZERO`, as the kernel's `%pGg` prints it: `none` for 0, unknown bits in hex at the end. As 6.1 prints it unless a
 * kernel's numbers are given.
 */
export function formatGfp(gfp: number, numbers = GFP_NUMBERS_6_1): string {
  let rest = gfp & ~numbers.absent;
  if (rest === 0) return 'none';
  const names: string[] = [];
  for (const [usual, name] of PRINTED) {
    const value = name === 'GFP_ATOMIC' ? numbers.ATOMIC : name === 'GFP_NOWAIT' ? numbers.NOWAIT : usual;
    if ((rest & value) === value) {
      names.push(name);
      rest &= ~value;
    }
  }
  if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`);
  return names.join('|');
}

/** Reads what `formatGfp` writes; also hex numbers and spaces around `|`. Throws UnknownNameError. */
export function parseGfp(text: string): Gfp {
  let gfp = 0;
  for (const word of text.split('|').map((w) => w.trim())) {
    gfp |= /^0x[0-9a-f]+$/i.test(word) ? Number(word) : lookUp('gfp flag', word, BY_NAME);
  }
  return gfp as Gfp;
}
