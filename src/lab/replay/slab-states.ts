/** How full a machine's slabs are, and what could be had back. */
import { H_SLAB_HIGH, LINK_LIVE, shapeObjects, shapeOrder } from '../../machine/index.js';
import type { Machine, SlabShape } from '../../slab/index.js';

/** Slabs by the share of their objects that is live. */
export interface Fullness {
  readonly empty: number;
  /** Up to a quarter, a half, three quarters, and less than all. */
  readonly quarter: number;
  readonly half: number;
  readonly threeQuarters: number;
  readonly most: number;
  readonly full: number;
}

/** A slab as it is now. */
export interface SlabRow {
  readonly id: number;
  readonly live: number;
  readonly objects: number;
  readonly order: number;
}

/** Live objects are counted from their links: what lies in a CPU's list or array is not live. */
export function slabsByCache({ ledger }: Machine): Map<number, SlabRow[]> {
  const { slabCache, slabLinks, slabShape, link } = ledger;
  const found = new Map<number, SlabRow[]>();
  for (let slab = 1; slab <= ledger.header[H_SLAB_HIGH]!; slab++) {
    const id = slabCache[slab]!;
    if (id === 0) continue;
    const objects = shapeObjects(slabShape[slab]!);
    let live = 0;
    for (let at = slabLinks[slab]!, end = at + objects; at < end; at++) if (link[at] === LINK_LIVE) live++;
    const state = { id: slab, live, objects, order: shapeOrder(slabShape[slab]!) };
    const list = found.get(id);
    if (list === undefined) found.set(id, [state]);
    else list.push(state);
  }
  return found;
}

export function fullnessOf(slabs: readonly SlabRow[]): Fullness {
  const counts = { empty: 0, quarter: 0, half: 0, threeQuarters: 0, most: 0, full: 0 };
  for (const { live, objects } of slabs) {
    const share = live / objects;
    if (live === 0) counts.empty++;
    else if (live === objects) counts.full++;
    else if (share <= 0.25) counts.quarter++;
    else if (share <= 0.5) counts.half++;
    else if (share <= 0.75) counts.threeQuarters++;
    else counts.most++;
  }
  return counts;
}

/** What the slabs of a cache are together. Bytes. */
interface SlabSums {
  readonly slabs: number;
  readonly bytes: number;
  readonly live: number;
  /** Objects that they have room for. */
  readonly objects: number;
  readonly fullness: Fullness;
  /** Bytes that would be left over if the live objects lay side by side; and of slabs that hold none. */
  readonly recoverable: number;
  readonly emptyBytes: number;
}

/** `oo` is the order that the cache prefers. */
export function sumOfSlabs(slabs: readonly SlabRow[], oo: SlabShape, pageSize: number): SlabSums {
  const bytesOf = ({ order }: { readonly order: number }) => pageSize * 2 ** order;
  const sum = (value: (slab: SlabRow) => number) => slabs.reduce((total, slab) => total + value(slab), 0);
  const bytes = sum(bytesOf);
  const live = sum((slab) => slab.live);
  const packed = Math.ceil(live / oo.objects) * bytesOf(oo);
  return {
    slabs: slabs.length,
    bytes,
    live,
    objects: sum(({ objects }) => objects),
    fullness: fullnessOf(slabs),
    recoverable: Math.max(bytes - packed, 0),
    emptyBytes: sum((slab) => (slab.live === 0 ? bytesOf(slab) : 0)),
  };
}
