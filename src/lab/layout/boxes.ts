/**
 * A slab and one of its objects as rows of boxes: what a picture of them shows, on a terminal or on a page.
 *
 *     ┌─────┬─────┬─────┬░░┐
 *     │  0  │  1  │  2  │░░│      what belongs to no object is hatched
 *     └─────┴─────┴─────┴░░┘
 */
import { segmentLetter } from './facts.js';
import type { CacheLayout, Segment } from './result.js';

/** A box of a picture: its size counts, and what stands in it. */
export interface LayoutBox {
  readonly bytes: number;
  /** Tried in order; the first that fits is written. */
  readonly labels: readonly string[];
  readonly hatched: boolean;
}

/** The boxes of a slab, in order. */
export interface SlabBoxes {
  /** What is no object: in front of the objects and behind them. */
  readonly before: readonly LayoutBox[];
  readonly objects: readonly LayoutBox[];
  readonly after: readonly LayoutBox[];
}

/** One slab: of SLAB's the first, which begins at its colour and may have its list at the end. */
export function slabBoxes(layout: CacheLayout): SlabBoxes {
  const { objects, slabSize } = layout;
  const holdsList = 'freelist' in layout && layout.freelist.place === 'object';
  const boxes = Array.from({ length: objects }, (_, i) => ({
    bytes: slabSize,
    labels: holdsList && i === objects - 1 ? [`${i}: the list`, `${i}: list`, `${i}`] : [`${i}`],
    hatched: false,
  }));
  if (!('freelist' in layout))
    return { before: [], objects: boxes, after: hatched(layout.wasteBytes, 'wasted') };
  const { freelist, colourOffsets, wasteBytes } = layout;
  const colour = colourOffsets[0]!;
  const list = { bytes: freelist.bytes, labels: ['list', 'l'], hatched: false };
  return {
    before: hatched(colour, 'colour'),
    objects: boxes,
    after: [...hatched(wasteBytes - colour, 'left over'), ...(freelist.place === 'slab' ? [list] : [])],
  };
}

function hatched(bytes: number, label: string): LayoutBox[] {
  return bytes === 0 ? [] : [{ bytes, labels: [label], hatched: true }];
}

/** One object with all that surrounds it. */
export function objectBoxes(segments: readonly Segment[]): LayoutBox[] {
  return segments.map(({ what, from, to, freePointer }, i) => ({
    bytes: to - from,
    // The part of an object that holds the pointer has a letter only, and its words in the list.
    labels: freePointer && what !== 'free pointer' ? [segmentLetter(i)] : [what, segmentLetter(i)],
    hatched: what === 'padding' || what === 'alignment',
  }));
}
