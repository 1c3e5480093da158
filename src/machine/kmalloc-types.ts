/**
 * The types of kmalloc: which caches serve a request, by its gfp flags, and what they are called.
 *
 *     kmalloc(1000, GFP_KERNEL_ACCOUNT)   ─▸ type 1   ─▸ kmalloc-cg-1k
 *
 * A kernel has the first few of them: with fewer, plain caches serve what the others would. Flags of the caches are the slab room's.
 */
import { __GFP } from './gfp.js';

/** A type of kmalloc: what its caches' names begin with, and the gfp bit that asks for it. */
export interface KmallocType {
  readonly prefix: string;
  readonly gfp: number;
}

/** In the order in which a kernel makes their caches. Of several that a request asks for, the last one serves it. */
export const KMALLOC_TYPES: readonly KmallocType[] = [
  { prefix: 'kmalloc-', gfp: 0 },
  { prefix: 'kmalloc-cg-', gfp: __GFP.ACCOUNT },
  { prefix: 'kmalloc-rcl-', gfp: __GFP.RECLAIMABLE },
  { prefix: 'dma-kmalloc-', gfp: __GFP.DMA },
];
/** Indices of KMALLOC_TYPES. */
export const KMALLOC_NORMAL = 0;
export const KMALLOC_DMA = KMALLOC_TYPES.length - 1;

const TYPE_BITS = KMALLOC_TYPES.reduce((bits, { gfp }) => bits | gfp, 0);

/** The type that serves a request, of the first `types`: an index of KMALLOC_TYPES. */
export function kmallocTypeOf(gfp: number, types = KMALLOC_TYPES.length): number {
  // Nearly all requests name none.
  if ((gfp & TYPE_BITS) === 0) return KMALLOC_NORMAL;
  let type = types - 1;
  while (type > KMALLOC_NORMAL && (gfp & KMALLOC_TYPES[type]!.gfp) === 0) type--;
  return type;
}

const NAMES = KMALLOC_TYPES.map(({ prefix }) => new RegExp(`^${prefix}\\d+[kM]?$`));

/** The type of the kmalloc cache of a name: an index of KMALLOC_TYPES, or -1 for any other cache. */
export function kmallocTypeIn(name: string): number {
  return NAMES.findIndex((each) => each.test(name));
}

/** 192, 1k, 8k, 4M: as kmalloc caches are called behind their prefix. */
export function sizeSuffix(bytes: number): string {
  if (bytes >= 2 ** 20 && bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20}M`;
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024}k` : String(bytes);
}
