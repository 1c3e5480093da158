/**
 * What the caches of a machine look like: SLUB's layout or SLAB's, as the table of caches takes it.
 */

import { type AllocatorName, type KernelProfile, slabKernel } from '../kernel/index.js';
import { type SlabBoot, type SlabLayout, type SlabLayoutRequest, slabLayout } from './layout-slab.js';
import { type BootParameters, type LayoutRequest, type SlubLayout, slubLayout } from './layout-slub.js';

/** What a machine was booted with. */
export interface MachineBoot extends BootParameters, SlabBoot {
  readonly allocator: AllocatorName;
}

/** What of a cache only SLAB knows. Objects, bytes; see SlabLayout. */
export type SlabPart = Pick<
  SlabLayout,
  'colours' | 'colourOff' | 'freelistSize' | 'limit' | 'batchcount' | 'sharedFactor' | 'freeLimit'
>;

/** A layout of either allocator. With SLAB, what only SLUB has is 0, and both shapes are the one that there is. */
export interface CacheLayout extends SlubLayout {
  readonly slab?: SlabPart | undefined;
}

/**
 * The layout of a cache, or null where no slab can hold an object: the kernel's -EINVAL with SLUB, -E2BIG with SLAB. `profile` is the
 * kernel's as that allocator has it.
 */
export function cacheLayout(
  profile: KernelProfile,
  boot: MachineBoot,
  request: LayoutRequest & Pick<SlabLayoutRequest, 'cpusCounted'>,
): CacheLayout | null {
  if (boot.allocator === 'slub') return slubLayout(profile, boot, request);
  const layout = slabLayout(slabKernel(profile), boot, request);
  return layout && withSlabPart(layout);
}

/** A SLAB layout as a row of the table of caches. */
export function withSlabPart(layout: SlabLayout): CacheLayout {
  const { flags, size, objectSize, align, oo, allocflags, ...slab } = layout;
  const onlySlub = {
    inuse: 0,
    offset: 0,
    redLeftPad: 0,
    minPartial: 0,
    cpuPartial: 0,
    cpuPartialSlabs: 0,
    extraFromNode: 0,
  };
  return { ...onlySlub, flags, size, objectSize, align, oo, min: oo, allocflags, slab };
}
