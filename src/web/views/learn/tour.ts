/**
 * The tours: a lesson in a few stops, one for each allocator. Each stop says what to look at and does some acts (acts.ts) on the machine
 * that the stops before it left.
 */
import type { AllocatorName } from '../../../slab/index.js';

export interface Stop {
  readonly title: string;
  readonly words: string;
  /** What is done on the way here; empty at the first stop. */
  readonly acts: string;
}

const SLUB: readonly Stop[] = [
  {
    title: 'A small machine',
    words:
      'Two zones of 64 pages meet at 4 GiB: DMA32 below, Normal above. Free pages lie in blocks of 2ⁿ, halved when less ' +
      'is asked for and joined when both halves are free. There are two CPUs, and no cache yet.',
    acts: '',
  },
  {
    title: 'A cache',
    words:
      'An IOMMU’s page tables: 1 KiB, so aligned, and below 4 GiB because a table’s entry has 32 bits for the address. ' +
      'kmem_cache_create computes a layout and takes no memory.',
    acts: 'create tables 1024 align=1024 flags=CACHE_DMA32',
  },
  {
    title: 'The first object',
    words:
      'No CPU has a free object, nor has the node: a slab is made. It is a block of 4 pages from DMA32, cut into 16 ' +
      'objects. It is CPU 0’s active slab, and the arrows are c->freelist: the order in which objects will be handed ' +
      'out.',
    acts: 'alloc tables',
  },
  {
    title: 'The fast path',
    words:
      'Each further object is the head of c->freelist. Nothing is locked, and nobody else is asked. Nearly all ' +
      'allocations of a real kernel are like this.',
    acts: 'alloc tables 4',
  },
  {
    title: 'Last in, first out',
    words:
      'A freed object of the active slab becomes the head of the list. The next allocation gets the very same address, ' +
      'still warm in the processor’s cache: #6 lies where #2 was.',
    acts: 'free 2; alloc tables',
  },
  {
    title: 'A CPU of its own',
    words: 'CPU 1 shares nothing with CPU 0: it gets an active slab of its own, and its own list.',
    acts: 'alloc tables 2 cpu=1',
  },
  {
    title: 'Freed by the other CPU',
    words:
      'CPU 1 frees an object of CPU 0’s slab. It may not touch c->freelist of CPU 0: the object goes on the slab’s own ' +
      'list (dashed arrows). The slab is frozen, and stays with CPU 0.',
    acts: 'free 1 cpu=1',
  },
  {
    title: 'Full',
    words:
      'CPU 0 goes on until c->freelist is empty. Then it takes over the slab’s own list, with the one object that CPU 1 ' +
      'freed; and then the slab is full. SLUB keeps no list of full slabs: it forgets it, and makes a new one.',
    acts: 'alloc tables 12; alloc tables',
  },
  {
    title: 'The CPU’s partial list',
    words:
      'An object of the full slab is freed. The slab has room again, and the CPU that freed keeps it: it is first on ' +
      'that CPU’s partial list, and no lock of the node was needed.',
    acts: 'free 4',
  },
  {
    title: 'A list that is full',
    words:
      'CPU 0 fills more slabs, and an object of each is freed. A CPU keeps at most three partial slabs of this cache ' +
      '(set_cpu_partial): when a fourth comes, all that it had go to the node’s list, which all CPUs share.',
    acts: 'alloc tables 65; free 22; free 38; free 54; free 70',
  },
  {
    title: 'Shrink',
    words:
      'kmem_cache_shrink takes everything from the CPUs and sorts the node’s list, fullest first: nearly full slabs ' +
      'fill up, sparse ones drain. Slabs with nothing live go back to the page allocator; here each holds something.',
    acts: 'shrink tables',
  },
  {
    title: 'Wrong flags',
    words:
      'The zone belongs to the cache. Who asks a slab cache for GFP_DMA32 makes a mistake, and the kernel says so, but ' +
      'only when a new slab is needed: nobody looks at the flags before. Here the cache has no SLAB_CACHE_DMA32, and ' +
      'its first slab lies above 4 GiB all the same.',
    acts: 'create plain 512; alloc plain gfp=GFP_KERNEL|GFP_DMA32',
  },
  {
    title: 'Two zones at once',
    words:
      'SLAB_CACHE_DMA with SLAB_CACHE_DMA32 names no zone at all. The cache is made, and the first page that it asks ' +
      'for is a surprise.',
    acts: 'create both 256 flags=CACHE_DMA,CACHE_DMA32; alloc both',
  },
  {
    title: 'Merged',
    words:
      'A cache of the same size, alignment and zone becomes another name of the one that is there. Their objects share ' +
      'slabs. That is why a cache without the flag cannot share with one that has it.',
    acts: 'create more_tables 1024 align=1024 flags=CACHE_DMA32; alloc more_tables',
  },
  {
    title: 'Destroyed too early',
    words:
      'plain still has a live object. The kernel reports it and gives the cache up: its slab stays for ever. Now go on ' +
      'by yourself: every step can be taken back.',
    acts: 'destroy plain',
  },
];

const SLAB: readonly Stop[] = [
  {
    title: 'A small machine, with SLAB',
    words:
      'The allocator that Linux had until 6.7. The machine is the same: two zones of 64 pages that meet at 4 GiB, and ' +
      'two CPUs. SLUB gives a CPU whole slabs; SLAB gives it single objects.',
    acts: '',
  },
  {
    title: 'A cache',
    words:
      'Objects of 328 bytes. Each CPU gets an array for free objects, and there is one that the CPUs share. The slabs ' +
      'stay with the node, on three lists: full, partial, free.',
    acts: 'create nodes 328',
  },
  {
    title: 'The first object',
    words:
      'The array of CPU 0 is empty and is filled first: a slab is made, its 12 objects go on the array, and the one on ' +
      'top is handed out. For the slab all of them are in use: it is full.',
    acts: 'alloc nodes',
  },
  {
    title: 'A stack',
    words: 'What is freed goes on top of the CPU’s array, and comes from there again: #4 lies where #2 was.',
    acts: 'alloc nodes 2; free 2; alloc nodes',
  },
  {
    title: 'Freed by the other CPU',
    words:
      'CPU 1 frees an object that CPU 0 was given. It goes on the array of CPU 1, whichever slab it belongs to, and CPU ' +
      '1 hands it out.',
    acts: 'free 1 cpu=1; alloc nodes cpu=1',
  },
  {
    title: 'Colours',
    words:
      'The next slab’s first object begins 64 bytes further in than that of the first, or at 0 again: so objects of ' +
      'different slabs do not all meet in the same lines of the processor’s cache.',
    acts: 'alloc nodes 10',
  },
  {
    title: 'A full array',
    words:
      'CPU 0 is given 60 objects and frees them. When its array is full, its oldest batch goes to the shared array, ' +
      'where CPU 1 can find it.',
    acts: 'alloc nodes 60; free 16-75',
  },
  {
    title: 'From the shared array',
    words: 'CPU 1 has an empty array. It is filled from the shared one first: no slab is touched.',
    acts: 'alloc nodes 2 cpu=1',
  },
  {
    title: 'The reaper',
    words:
      'Every two seconds the reaper of each CPU comes. It takes a fifth of an array that was not used since it last ' +
      'came, and gives back free slabs. SLUB has nothing like it.',
    acts: 'wait 10000',
  },
  {
    title: 'Shrink',
    words: 'kmem_cache_shrink empties all arrays. Then all free slabs go back to the page allocator.',
    acts: 'shrink nodes',
  },
  {
    title: 'Wrong flags',
    words:
      'The zone belongs to the cache. Who asks for GFP_DMA32 is told so, but only when a new slab is needed; and the ' +
      'slab lies above 4 GiB. Now go on by yourself: every step can be taken back.',
    acts: 'create plain 512; alloc plain gfp=GFP_KERNEL|GFP_DMA32',
  },
];

export const TOURS: Readonly<Record<AllocatorName, readonly Stop[]>> = { slub: SLUB, slab: SLAB };
