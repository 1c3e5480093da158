/**
 * The places that the discussion of the patch series weighed, and the ones it named; the cache with either of the kernel's allocators,
 * because the series extended both.
 */
import {
  ArgumentError,
  BadFreeError,
  type Gfp,
  LiveObjectsError,
  log2Floor,
  MIB,
  NO_PFN,
  NULL,
  orderOf,
  type Pfn,
  type PhysAddr,
} from '../../base/index.js';
import { L2_CACHE_NAME } from '../../iommu/index.js';
import { __GFP, GFP } from '../../machine/index.js';
import { DmaPool, GenPool, PageFragCache } from '../../pools/index.js';
import { type Machine, SLAB } from '../../slab/index.js';
import type { ObjectRequest, Strategy, StrategyKind } from './strategy.js';

const below4GiB = (gfp: Gfp) => (gfp | GFP.DMA32) as Gfp;

function openCache(machine: Machine, { size, align, gfp }: ObjectRequest, flags: number): Strategy {
  const cache = machine.kmemCacheCreate(L2_CACHE_NAME, size, { align, flags });
  if (cache === null) throw new ArgumentError(`${L2_CACHE_NAME}: ${machine.log.lines.at(-1)}`);
  return {
    cache,
    alloc: (cpu) => cache.alloc(gfp, cpu),
    free: (address, cpu) => cache.free(address, cpu),
    close: () => {
      // A merged cache stays with its other users; its empty slabs need not.
      if (cache.info.refcount > 1) cache.shrink();
      cache.destroy();
    },
    validate: () => {},
  };
}

function openPages(machine: Machine, { size, gfp }: ObjectRequest): Strategy {
  const { pageSize } = machine.kernel;
  const order = orderOf(size, pageSize);
  let live = 0;
  return {
    alloc: () => {
      const pfn = machine.allocPages(below4GiB(gfp), order);
      if (pfn === NO_PFN) return NULL;
      live++;
      return (pfn * pageSize) as PhysAddr;
    },
    free: (address) => {
      if (address % pageSize !== 0)
        throw new BadFreeError(address, 'misaligned', `no page begins at ${address}`);
      machine.freePages((address / pageSize) as Pfn, order);
      live--;
    },
    close: () => {
      if (live > 0) throw new LiveObjectsError('whole pages', live);
    },
    validate: () => {},
  };
}

/** Bytes of the pool that the discussion proposed: 4096 second-level tables of 1 KiB. */
const GENALLOC_BYTES = 4 * MIB;

function openGenalloc(machine: Machine, { size, align }: ObjectRequest): Strategy {
  const { pageSize } = machine.kernel;
  const order = orderOf(GENALLOC_BYTES, pageSize);
  const granule = 2 ** log2Floor(Math.min(size & -size, 4096));
  const pool = new GenPool({
    minOrder: log2Floor(granule),
    algo: 'first_fit_align',
    data: Math.max(align, 1),
    name: 'tables',
  });
  // Made when the driver starts, not in atomic context.
  const pfn = machine.allocPages(below4GiB(GFP.KERNEL), order);
  if (pfn !== NO_PFN) pool.add(pfn * pageSize, GENALLOC_BYTES, pfn * pageSize);
  return {
    alloc: () => pool.alloc(size),
    free: (address) => pool.free(address, size),
    close: () => {
      pool.destroy();
      if (pfn !== NO_PFN) machine.freePages(pfn, order);
    },
    validate: () => pool.validate(),
  };
}

function openPageFrag(machine: Machine, { size, align, gfp }: ObjectRequest, chunkOrder: number): Strategy {
  // A first try of the whole chunk that does not insist, as the driver's v3 made it.
  const fragments = new PageFragCache(machine.memory, {
    gfp: below4GiB((gfp | __GFP.NOWARN) as Gfp),
    chunkOrder,
  });
  let live = 0;
  return {
    alloc: () => {
      const address = fragments.alloc(size, align);
      if (address !== NULL) live++;
      return address;
    },
    free: (address) => {
      fragments.free(address);
      live--;
    },
    close: () => {
      if (live > 0) throw new LiveObjectsError('page_frag', live);
      fragments.drain();
    },
    validate: () => fragments.validate(),
  };
}

function openDmaPool(machine: Machine, { size, align, gfp }: ObjectRequest): Strategy {
  const exactFit = machine.kernel.dmaPoolExactFit;
  const pool = DmaPool.create({ name: 'tables', size, align, exactFit }, machine.memory, below4GiB(gfp));
  return {
    alloc: () => pool.alloc(),
    free: (address) => pool.free(address),
    close: () => pool.destroy(),
    validate: () => pool.validate(),
  };
}

const KINDS: readonly StrategyKind[] = [
  {
    id: 'slub-dma32',
    name: 'kmem cache, DMA32 (SLUB)',
    promisesBelow4GiB: true,
    why: 'a freed table is handed out again before any new page is taken, and a slab that empties goes back',
    boot: { allocator: 'slub' },
    isRecorded: true,
    open: (machine, request) => openCache(machine, request, SLAB.CACHE_DMA32),
  },
  {
    id: 'slab-dma32',
    name: 'kmem cache, DMA32 (SLAB)',
    promisesBelow4GiB: true,
    why: 'its slabs are single pages, and a freed table waits in an array for whoever needs one next',
    boot: { allocator: 'slab' },
    open: (machine, request) => openCache(machine, request, SLAB.CACHE_DMA32),
  },
  {
    id: 'slub-dma32-debug',
    name: 'kmem cache, DMA32, slub_debug=FZPU',
    promisesBelow4GiB: true,
    why: 'red zones and two tracks make each table 3 KiB, because the red zone in front keeps its alignment',
    boot: { allocator: 'slub', slubDebug: 'FZPU' },
    open: (machine, request) => openCache(machine, request, SLAB.CACHE_DMA32),
  },
  {
    id: 'slub',
    name: 'kmem cache, no flag (SLUB)',
    promisesBelow4GiB: false,
    why: 'its pages come from the highest zone first',
    boot: { allocator: 'slub' },
    open: (machine, request) => openCache(machine, request, 0),
  },
  {
    id: 'pages',
    name: 'whole pages',
    promisesBelow4GiB: true,
    why: 'each table has a page to itself and uses a quarter of it',
    open: openPages,
  },
  {
    id: 'genalloc',
    name: 'genalloc, 4 MiB beforehand',
    promisesBelow4GiB: true,
    why: 'the pool is taken for the worst case when the driver starts, and never given back',
    open: openGenalloc,
  },
  {
    id: 'page_frag-32k',
    name: 'page_frag, 32 KiB chunks',
    promisesBelow4GiB: true,
    why: 'a freed fragment is not used again until its whole chunk is free, so one live table keeps 32 KiB',
    open: (machine, request) => openPageFrag(machine, request, 3),
  },
  {
    id: 'page_frag-4k',
    name: 'page_frag, 4 KiB chunks',
    promisesBelow4GiB: true,
    why: 'a freed fragment is not used again until its page is free, so one live table keeps 4 KiB',
    open: (machine, request) => openPageFrag(machine, request, 0),
  },
  {
    id: 'dma_pool',
    name: 'dma_pool',
    promisesBelow4GiB: true,
    why: 'pages stay until the pool is destroyed, and 6.1 leaves the last block of each unused',
    open: openDmaPool,
  },
];

/** By the word that `--strategies` takes. */
export const STRATEGIES: ReadonlyMap<string, StrategyKind> = new Map(KINDS.map((kind) => [kind.id, kind]));
