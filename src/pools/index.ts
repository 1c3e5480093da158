/** What a driver could use instead of a slab cache: genalloc, page_frag, dma_pool. */
export * from './dma-pool.js';
export * from './genalloc.js';
export * from './page-frag.js';
