import type { GfpNumbers } from './gfp.js';

/**
 * What the page allocator takes from a kernel's configuration. Kernels differ by data, never by an `if (version)`: the slab room
 * extends this with its own part (slab/kernel/profile.ts).
 */
export interface PageProfile {
  /** Bytes; a power of two. */
  readonly pageSize: number;
  /** Orders 0 to orders - 1; `MAX_ORDER` in 6.1, where it is exclusive. */
  readonly orders: number;
  /** `vm.watermark_scale_factor`: ten-thousandths of a zone between two watermarks. */
  readonly watermarkScaleFactor: number;
  /** The numbers of gfp flags in what the kernel prints; 6.1's unless told. */
  readonly gfp?: GfpNumbers;
  /** `vm.lowmem_reserve_ratio` by zone. 0 switches a zone's protection off. */
  readonly lowmemReserveRatio: Readonly<Record<'DMA' | 'DMA32' | 'Normal', number>>;
}
