/** What cells, frames and objects are, in words. */
import { formatAddress, formatBytes, formatCount, formatShare } from '../../../base/index.js';
import {
  type Allocated,
  type FrameAt,
  type FrameCells,
  HOLDER,
  HOLDER_SHIFT,
  type ObjectMap,
} from '../../../lab/index.js';
import { formatSpan } from '../../parts/format.js';

/** `page`, `3 pages`: frames are what the kernel calls them, pages what people call them. */
export function pagesWords(frames: number): string {
  return frames === 1 ? '1 page' : `${formatCount(frames)} pages`;
}

/** Who holds most of a cell: `inode_cache`, `free`, `pages`. */
function holderWords(code: number, caches: ReadonlyMap<number, string>): string {
  const number = code & 0xffff;
  switch (code >>> HOLDER_SHIFT) {
    case HOLDER.FREE:
      return 'free';
    case HOLDER.PAGES:
      return 'pages that are no slab';
    case HOLDER.SLAB:
      return caches.get(number) ?? 'a slab';
    default:
      return 'no memory to allocate from';
  }
}

/** The cell that a frame lies in, one line each: what, and how much of it. */
export function cellWords(cells: FrameCells, frame: number): string[] {
  const at = Math.floor((frame - cells.from) / cells.framesPerCell);
  const code = cells.holder[at];
  if (code === undefined) return [];
  const holder = code >>> HOLDER_SHIFT;
  const [share, free, use] = [cells.share[at]!, cells.free[at]!, cells.use[at]!];
  const lines = [
    share < 0.9995
      ? `${formatShare(share)} ${holderWords(code, cells.caches)}`
      : holderWords(code, cells.caches),
  ];
  if (free > 0 && holder !== HOLDER.FREE) lines.push(`${formatShare(free)} free`);
  if (holder === HOLDER.SLAB) lines.push(`${formatShare(use)} of its slabs live`);
  return lines;
}

/** A frame that is no slab's, in a sentence. */
export function frameWords({ what, order, first, frame, cache }: FrameAt, pageSize: number): string {
  const block = `a block of ${pagesWords(2 ** order)} (order ${order}, ${formatBytes(pageSize * 2 ** order)})`;
  const where = first === frame ? '' : `, page ${frame - first} of it`;
  switch (what) {
    case 'free':
      return `Free: ${block}${where}.`;
    case 'pages':
      return `Handed out as pages: ${block}${where}.`;
    case 'slab':
      return `A slab of ${cache}: ${block}${where}.`;
    default:
      return 'No memory to allocate from: a hole, or reserved before the page allocator was there.';
  }
}

/** `__d_alloc+0x2a (find, 123), 12.3 ms ago`. */
export function byWords({ site, comm, pid, age }: Allocated): string {
  const who = `${comm}, ${pid}`;
  return `${site === '' ? who : `${site} (${who})`}, ${formatSpan(age)} ago`;
}

/** `next` for what a list hands out first, then `2nd`, `3rd`, … */
export function rankWords(place: number): string {
  if (place === 0) return 'next';
  const rank = place + 1;
  const isTeen = rank % 100 > 10 && rank % 100 < 14;
  return `${rank}${(!isTeen && ['th', 'st', 'nd', 'rd'][rank % 10]) || 'th'}`;
}

/** An object, one line each. */
export function objectWords({ index, address, state, place, by }: ObjectMap, cache: string): string[] {
  const lines = [`${cache} object ${index} · ${formatAddress(address)}`];
  if (state === 'live')
    lines.push('live', by === null ? 'from before the trace, or without an event' : byWords(by));
  else if (state === 'free') lines.push(`free, ${rankWords(place ?? 0)} on its list`);
  else if (state === 'cached') lines.push('free, kept in an array or a sheaf');
  else lines.push('lost: a debug check gave it up');
  return lines;
}
