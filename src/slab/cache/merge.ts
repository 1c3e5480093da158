/**
 * # Which caches are one
 *
 * A new cache whose objects would fit into a standing cache's becomes an alias of it: one list of slabs instead of two. The kernel
 * asks the oldest cache first; the first that satisfies all of this is taken:
 *  1. neither side has a constructor, a usercopy region, or a flag of the profile's `neverMerge` (with what `slub_debug` adds), and the
 *     standing cache is not one of those that are kept apart (refcount below 0);
 *  2. RECLAIM_ACCOUNT, CACHE_DMA, CACHE_DMA32 and ACCOUNT are equal (the profile's `mergeSame`): a cache in ZONE_DMA32 merges with its like
 *     alone;
 *  3. the new object, rounded up to a word and its alignment, is at most as large as the standing one's slab size;
 *  4. that slab size is a multiple of the new alignment;
 *  5. less than a word is wasted;
 *  6. with SLAB, the standing cache's own alignment is a multiple of the new one: a slab size that happens to fit is not enough.
 *
 * The alias shares name, size and flags with the standing cache; object size and (with SLUB) inuse grow to the larger of the two and do not
 * shrink again when the alias is destroyed.
 *
 * Rule: truth/README.md, "When an existing cache is reused", checked against all recorded merges.
 */
import { alignMask32 } from '../../base/index.js';
import {
  C_ALIGN,
  C_CTOR,
  C_FLAGS,
  C_INUSE,
  C_OBJECT_SIZE,
  C_REFCOUNT,
  C_SIZE,
  C_USERSIZE,
  CACHE_WORDS,
  type Ledger,
} from '../../machine/index.js';
import { type AllocatorName, type KernelProfile, SLAB, SLAB_DEBUG_METADATA_FLAGS } from '../kernel/index.js';
import { type BootParameters, calculateAlignment, withBootDebug } from './layout-slub.js';
import { cacheIds } from './table.js';

/** A cache that is to be created, as far as it matters for which standing one it could share. */
interface MergeRequest {
  /** `slub_debug` may single the new cache out. */
  readonly name?: string | undefined;
  /** Bytes, 32 bits. */
  readonly size: number;
  readonly align: number;
  /** As the caller gave them, masked; without the boot's debug flags. */
  readonly flags: number;
  readonly ctor: boolean;
  readonly usersize: number;
}

/** The id of the cache that a request would share, or 0. */
export function findMergeable(
  ledger: Ledger,
  profile: KernelProfile,
  boot: BootParameters,
  request: MergeRequest,
): number {
  if (boot.noMerge || request.ctor || request.usersize !== 0) return 0;
  const flags = withBootDebug(request.flags, boot.debug, request.name);
  if (flags & profile.neverMerge) return 0;
  const wordSized = alignMask32(request.size, profile.wordSize);
  const align = calculateAlignment(profile, flags, request.align, wordSized);
  const size = alignMask32(wordSized, align);
  const { cache } = ledger;
  for (const id of cacheIds(ledger)) {
    const c = id * CACHE_WORDS;
    if (!isMergeable(ledger, profile, id) || ((flags ^ cache[c + C_FLAGS]!) & profile.mergeSame) !== 0)
      continue;
    const has = cache[c + C_SIZE]! >>> 0;
    const aligned = cache[c + C_ALIGN]! >>> 0;
    if (profile.allocator === 'slab' && (align > aligned || aligned % align !== 0)) continue;
    if (size <= has && (has & ~(align - 1)) >>> 0 === has && has - size < profile.wordSize) return id;
  }
  return 0;
}

/** Whether other creations may share this cache. */
export function isMergeable(ledger: Ledger, { neverMerge }: KernelProfile, id: number): boolean {
  const { cache } = ledger;
  const c = id * CACHE_WORDS;
  return (
    (cache[c + C_FLAGS]! & neverMerge) === 0 &&
    cache[c + C_CTOR] === 0 &&
    cache[c + C_USERSIZE] === 0 &&
    cache[c + C_REFCOUNT]! >= 0
  );
}

/** Makes a request share a cache. */
export function joinCache(ledger: Ledger, profile: KernelProfile, id: number, size: number): void {
  const { cache } = ledger;
  const c = id * CACHE_WORDS;
  cache[c + C_REFCOUNT]!++;
  cache[c + C_OBJECT_SIZE] = Math.max(cache[c + C_OBJECT_SIZE]! >>> 0, size);
  if (profile.allocator === 'slub')
    cache[c + C_INUSE] = Math.max(cache[c + C_INUSE]! >>> 0, alignMask32(size, profile.wordSize));
}

/**
 * The name of a cache's directory in /sys/kernel/slab. A mergeable cache has a unique id that tells what merges with it, and its users are
 * links to that; any other has its own name. With SLAB there are no directories: caches go by their names in /proc/slabinfo.
 */
export function sysfsId(
  facts: {
    readonly name: string;
    readonly flags: number;
    readonly size: number;
    readonly mergeable: boolean;
  },
  boot: BootParameters & { readonly allocator?: AllocatorName },
): string {
  if (boot.allocator === 'slab') return facts.name;
  // With slub_debug=…O flags may be dropped later, so no name can promise what merges.
  const mayDrop = boot.debug.avoidHigherOrders && (boot.debug.flags & SLAB_DEBUG_METADATA_FLAGS) !== 0;
  if (boot.noMerge || mayDrop || !facts.mergeable) return facts.name;
  let letters = '';
  if (facts.flags & SLAB.CACHE_DMA) letters += 'd';
  if (facts.flags & SLAB.CACHE_DMA32) letters += 'D';
  if (facts.flags & SLAB.RECLAIM_ACCOUNT) letters += 'a';
  if (facts.flags & SLAB.CONSISTENCY_CHECKS) letters += 'F';
  if (facts.flags & SLAB.ACCOUNT) letters += 'A';
  return `:${letters}${letters === '' ? '' : '-'}${String(facts.size).padStart(7, '0')}`;
}
