/** The columns of the table of caches: what slabtop and slabinfo show, and what of it is waste. */
import { formatBytes, formatCount, formatShare } from '../../../base/index.js';
import type { CacheAt } from '../../../lab/index.js';
import { shownCache } from '../../parts/cache-label.js';
import { cacheColour } from '../../parts/colours.js';
import type { TableColumn } from '../../parts/data-table.js';
import type { TableOrder } from '../../parts/table-order.js';

export const FIRST_ORDER: TableOrder = { column: 'bytes', descending: true };

/** What the letters of `slablab info` mean. */
const FLAG_WORDS: ReadonlyMap<string, string> = new Map([
  ['*', 'shared by several names'],
  ['d', 'SLAB_CACHE_DMA'],
  ['D', 'SLAB_CACHE_DMA32'],
  ['A', 'SLAB_HWCACHE_ALIGN'],
  ['P', 'SLAB_POISON'],
  ['a', 'SLAB_RECLAIM_ACCOUNT'],
  ['Z', 'SLAB_RED_ZONE'],
  ['F', 'SLAB_CONSISTENCY_CHECKS'],
  ['U', 'SLAB_STORE_USER'],
  ['T', 'SLAB_TRACE'],
]);

export function flagWords(flags: string): string {
  return [...flags].map((letter) => `${letter} ${FLAG_WORDS.get(letter) ?? ''}`.trim()).join(', ');
}

/** The names that a cache has beside the one that it is shown by. */
export function otherNames({ name, names }: CacheAt): readonly string[] {
  return names.filter((each) => each !== name);
}

function counted(
  id: string,
  head: string,
  about: string,
  value: (cache: CacheAt) => number,
  width: string,
  wide = false,
): TableColumn<CacheAt> {
  return { id, head, about, value, cell: (cache) => formatCount(value(cache)), width, wide };
}

function bytes(
  id: string,
  head: string,
  about: string,
  value: (cache: CacheAt) => number,
): TableColumn<CacheAt> {
  return {
    id,
    head,
    about,
    value,
    cell: (cache) => formatBytes(value(cache)),
    title: (cache) => `${formatCount(value(cache))} bytes`,
    width: '5.8rem',
  };
}

export const CACHE_COLUMNS: readonly TableColumn<CacheAt>[] = [
  {
    id: 'name',
    head: 'cache',
    about: 'By the name that the kernel shows it under',
    value: ({ name }) => name,
    cell: ({ name }) => (
      <>
        <span class="swatch" style={{ background: cacheColour(name) }} />{' '}
        <span class="mono">{shownCache(name)}</span>
      </>
    ),
    title: ({ names }) => names.join(', '),
    left: true,
    width: '11.5rem',
  },
  bytes('bytes', 'memory', 'Bytes of all its slabs', (cache) => cache.bytes),
  {
    id: 'use',
    head: 'in use',
    about: 'The share of the objects in its slabs that is live',
    value: ({ use }) => use,
    cell: ({ use, slabs }) =>
      slabs === 0 ? (
        '–'
      ) : (
        <>
          <span class="meter" aria-hidden="true">
            <span style={{ width: `${use * 100}%` }} />
          </span>
          {formatShare(use)}
        </>
      ),
    width: '7rem',
  },
  counted('live', 'live', 'Objects that are allocated', (cache) => cache.live, '5.4rem'),
  counted(
    'objects',
    'objects',
    'Objects that its slabs have room for',
    (cache) => cache.objects,
    '5.4rem',
    true,
  ),
  bytes('wasted', 'wasted', 'Bytes of its slabs that are no live object’s', (cache) => cache.wasted),
  counted('size', 'size', 'Bytes from one object to the next', (cache) => cache.size, '4.6rem'),
  counted('slabs', 'slabs', 'Slabs that it has', (cache) => cache.slabs, '4.6rem'),
  {
    id: 'order',
    head: 'a slab',
    about: 'Objects in a slab, and its order: 2^order pages',
    value: ({ order, objectsPerSlab }) => order * 1e6 + objectsPerSlab,
    cell: ({ order, objectsPerSlab }) => `${objectsPerSlab}/2^${order}`,
    width: '5rem',
    wide: true,
  },
  {
    id: 'flags',
    head: 'flags',
    about:
      'Letters as slablab info has them: * shared, D DMA32, d DMA, A aligned, a reclaimable, P Z F U T debugging',
    value: ({ flags }) => flags,
    cell: ({ flags }) => <span class="mono">{flags}</span>,
    title: ({ flags }) => flagWords(flags),
    left: true,
    width: '4.4rem',
  },
  {
    id: 'aliases',
    head: 'also called',
    about: 'Names that share it',
    value: (cache) => otherNames(cache).length,
    cell: (cache) => <span class="mono muted">{otherNames(cache).join(' ')}</span>,
    title: (cache) => otherNames(cache).join(', '),
    left: true,
    wide: true,
    width: '10rem',
  },
];
