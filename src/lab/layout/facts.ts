/**
 * The numbers of a layout, each with its name in /sys/kernel/slab, /proc/slabinfo or the kernel's source, and what it says. Where an
 * allocator has no such number, there is none.
 */
import { counted, formatBytes, formatShare } from '../../base/index.js';
import type { CacheLayout, Segment, SegmentKind, SlabCacheLayout } from './result.js';

/** One of the numbers of a layout. */
export interface LayoutFact {
  readonly name: string;
  /** Null where the cache's allocator has no such thing. */
  readonly value: (layout: CacheLayout) => string | null;
  readonly note: (layout: CacheLayout) => string;
}

/** `16 objects`, `1 object`. */
export function objectsWords(objects: number): string {
  return counted(objects, 'object');
}

type Of<L> = (layout: L) => string | number;

/** What all allocators have. */
const common = (name: string, value: Of<CacheLayout>, note: Of<CacheLayout>): LayoutFact => ({
  name,
  value: (l) => String(value(l)),
  note: (l) => String(note(l)),
});

/** The layouts that have a field of this name. */
type Having<Field extends string> = Extract<CacheLayout, { readonly [_ in Field]: unknown }>;

/** What some allocators have: a number of the layouts with that field. */
const having = <Field extends string>(
  field: Field,
  name: string,
  value: Of<Having<Field>>,
  note: Of<Having<Field>>,
): LayoutFact => {
  const has = (l: CacheLayout): l is Having<Field> => field in l;
  return {
    name,
    value: (l) => (has(l) ? String(value(l)) : null),
    note: (l) => (has(l) ? String(note(l)) : ''),
  };
};

/** The numbers, in the order in which they are told. */
export const LAYOUT_FACTS: readonly LayoutFact[] = [
  common(
    'slab_size',
    (l) => l.slabSize,
    () => 'bytes from one object to the next',
  ),
  common(
    'object_size',
    (l) => l.objectSize,
    () => 'bytes of the object itself',
  ),
  having(
    'inuse',
    'inuse',
    (l) => l.inuse,
    () => 'bytes before any metadata',
  ),
  common(
    'align',
    (l) => l.align,
    () => 'bytes',
  ),
  having(
    'freePointer',
    'offset',
    (l) => l.freePointer.offset,
    (l) => `of the free pointer, ${l.freePointer.insideObject ? 'inside' : 'behind'} the object`,
  ),
  having(
    'redLeftPad',
    'red_left_pad',
    (l) => l.redLeftPad,
    () => 'bytes of red zone in front of it',
  ),
  common(
    'order',
    (l) => l.order,
    (l) => `${objectsWords(l.objects)} in ${formatBytes(l.slabBytes)}`,
  ),
  having(
    'fallback',
    'fallback order',
    (l) => l.fallback.order,
    (l) =>
      l.fallback.order === l.order
        ? 'the same: a smaller block would not hold one'
        : `${objectsWords(l.fallback.objects)}, where order ${l.order} is not available`,
  ),
  having('freelist', 'freelist_size', (l) => l.freelist.bytes, freelistNote),
  common(
    'waste',
    (l) => l.wasteBytes,
    (l) => `bytes of each slab, ${formatShare(l.wasteShare)}`,
  ),
  having('colours', 'colour', (l) => l.colours, colourNote),
  having(
    'minPartial',
    'min_partial',
    (l) => l.minPartial,
    () => 'slabs that a node keeps, even if they are empty',
  ),
  having(
    'cpuPartial',
    'cpu_partial',
    (l) => l.cpuPartial,
    (l) =>
      l.cpuPartialSlabs === 0
        ? 'debugging takes them away'
        : `objects: ${l.cpuPartialSlabs} slab${l.cpuPartialSlabs === 1 ? '' : 's'} a CPU`,
  ),
  having(
    'sheafCapacity',
    'sheaf_capacity',
    (l) => l.sheafCapacity,
    (l) =>
      l.sheafCapacity === 0 ? 'no sheaves: each object comes from a slab' : 'objects in a sheaf of a CPU',
  ),
  having(
    'limit',
    'limit',
    (l) => l.limit,
    () => "free objects in a CPU's array",
  ),
  having(
    'batchcount',
    'batchcount',
    (l) => l.batchcount,
    () => 'of them come or go at a time',
  ),
  having(
    'sharedFactor',
    'shared',
    (l) => l.sharedFactor,
    (l) =>
      l.sharedFactor === 0
        ? 'the CPUs share no array'
        : `batches: an array of ${objectsWords(l.sharedLimit)} for all CPUs`,
  ),
  having(
    'freeLimit',
    'free_limit',
    (l) => l.freeLimit,
    () => 'free objects in slabs; above it free slabs go',
  ),
];

function freelistNote({ freelist }: SlabCacheLayout): string {
  switch (freelist.place) {
    case 'object':
      return 'bytes: indices, in the last free object';
    case 'outside':
      return `bytes: indices, in an object of ${freelist.kmalloc!.cache}`;
    case 'slab':
      return "bytes: indices, at the slab's end";
  }
}

/** Offsets that are told in full. */
const OFFSETS_SHOWN = 4;

function colourNote({ colours, colourOffsets }: SlabCacheLayout): string {
  if (colours < 2) return 'every slab begins alike';
  const shown =
    colourOffsets.length <= OFFSETS_SHOWN + 1 ? colourOffsets : colourOffsets.slice(0, OFFSETS_SHOWN);
  const rest = shown.length < colourOffsets.length ? ', …, 0' : '';
  return `object 0 at byte ${shown.join(', ')}${rest} of its slab`;
}

/** What of a layout is words rather than numbers. */
export const LAYOUT_NAMES: readonly Omit<LayoutFact, 'note'>[] = [
  { name: 'unique id', value: (l) => ('id' in l ? l.id : null) },
  { name: 'allocflags', value: (l) => l.allocflagNames },
  { name: 'flags', value: (l) => l.flagNames },
];

/**
 * Where the list of free objects lies, and why not in a better place: as far as that is known of a cache that is joined, from what the
 * request would be alone. Empty where a slab has no such list.
 */
export function freelistWords(layout: CacheLayout, alone: CacheLayout | null): string {
  if (!('freelist' in layout)) return '';
  const { place, bytes, kmalloc } = layout.freelist;
  const isAlike = alone !== null && 'freelist' in alone && alone.freelist.place === place;
  const alike = isAlike ? alone : layout;
  const { refused } = alike.freelist;
  const here = {
    object: 'in the last free object, which costs nothing',
    outside: `outside, in an object of ${kmalloc?.cache}`,
    slab: "at the slab's end",
  }[place];
  const not = { object: 'in a free object', outside: 'outside', slab: 'in the slab' };
  const why = refused.map((each) => ` Not ${not[each.place]}: ${each.why}.`);
  return `A slab's list of free objects, ${bytes} byte${bytes === 1 ? '' : 's'}, lies ${here}.${why.join('')}`;
}

// ---- parts of an object ---------------------------------------------------------------------------------------------------

/** The letter of a segment in the picture and in the list beneath it. */
export function segmentLetter(index: number): string {
  return String.fromCharCode('a'.charCodeAt(0) + index);
}

const SEGMENT_NOTES: Readonly<Record<SegmentKind, string>> = {
  'left red zone': 'a whole alignment wide',
  object: 'what callers see',
  alignment: 'up to a whole word',
  'red zone': 'a write behind the object shows here',
  'free pointer': 'behind the object, which stays whole',
  'alloc track': 'who allocated it',
  'free track': 'who freed it last',
  'requested size': 'what kmalloc was asked for',
  padding: 'up to the alignment',
};

/** What a part of an object is there for. */
export function segmentNote({ what, freePointer }: Segment): string {
  return freePointer && what !== 'free pointer'
    ? 'holds the free pointer while it is free'
    : SEGMENT_NOTES[what];
}
