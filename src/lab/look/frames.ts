/** Page frames as a map: zones, blocks, and what holds how much of a stretch. */
import { ArgumentError } from '../../base/index.js';
import {
  C_SIZE,
  CACHE_WORDS,
  FRAME_FREE,
  FRAME_ORDER,
  FRAME_USED,
  H_SLAB_HIGH,
  type Ledger,
  R_END,
  R_START,
  R_VIRGIN,
  R_VIRGIN_END,
  RANGE_WORDS,
} from '../../machine/index.js';
import { cacheName, type Machine } from '../../slab/index.js';
import { type Allocated, type FrameAt, type FrameCells, HOLDER, HOLDER_SHIFT, type ZoneMap } from './look.js';
import type { Scene } from './scene.js';
import { whoAllocated } from './who.js';

const LINE_4GIB = 2 ** 32;

export function zonesOf({ built: { machine }, slabs }: Scene): ZoneMap[] {
  const { basePfn } = machine.memory;
  const { pageSize } = machine.kernel;
  const line = LINE_4GIB / pageSize - basePfn;
  return machine.zones().map((zone): ZoneMap => {
    const firstFrame = zone.startPfn - basePfn;
    const end = zone.endPfn - basePfn;
    let inSlabs = 0;
    for (const list of slabs.values())
      for (const { id, order } of list) {
        const frame = machine.ledger.slabFrame[id]!;
        if (frame >= firstFrame && frame < end) inSlabs += 2 ** order;
      }
    const { name, present, managed, free, peakTaken, min, low, high, freeBlocks } = zone;
    return {
      name,
      firstFrame,
      frames: end - firstFrame,
      present,
      managed,
      free,
      slabs: inSlabs,
      pages: managed - free - inSlabs,
      peakTaken,
      address: zone.startPfn * pageSize,
      pageSize,
      min,
      low,
      high,
      freeBlocks,
      line4GiB: line >= firstFrame && line < end ? line : null,
    };
  });
}

// ---- blocks --------------------------------------------------------------------------------------------------------------

/** Frames next to each other of which the same is true. */
interface Stretch {
  /** HOLDER, and of a free block its order. */
  readonly holder: number;
  readonly order: number;
  readonly first: number;
  readonly end: number;
}

/** The block that a frame is part of, or the stretch that no block covers: what is not managed, and what was never handed out. */
function stretchAt({ range, frameState, shape }: Ledger, topOrder: number, frame: number): Stretch {
  let before = 0;
  for (let r = 0; r < range.length; r += RANGE_WORDS) {
    const [start, end] = [range[r + R_START]!, range[r + R_END]!];
    if (start === end) continue;
    if (frame < start) return { holder: HOLDER.NONE, order: 0, first: before, end: start };
    before = end;
    if (frame >= end) continue;
    const [virgin, virginEnd] = [range[r + R_VIRGIN]!, range[r + R_VIRGIN_END]!];
    if (frame >= virgin && frame < virginEnd)
      return { holder: HOLDER.FREE, order: topOrder, first: virgin, end: virginEnd };
    for (let order = 0; order <= topOrder; order++) {
      const first = frame - (frame % 2 ** order);
      const head = frameState[first]!;
      if (head === 0 || (head & FRAME_ORDER) < order) continue;
      const holder = head & FRAME_USED ? HOLDER.PAGES : head & FRAME_FREE ? HOLDER.FREE : HOLDER.NONE;
      return { holder, order: head & FRAME_ORDER, first, end: first + 2 ** (head & FRAME_ORDER) };
    }
  }
  return { holder: HOLDER.NONE, order: 0, first: before, end: shape.frames };
}

export function frameAt(scene: Scene, frame: number): FrameAt {
  const { machine } = scene.built;
  const { ledger, kernel, memory } = machine;
  checkFrame(machine, frame);
  const { holder, order, first: begin } = stretchAt(ledger, kernel.orders - 1, frame);
  // What was never handed out is blocks of the largest order.
  const first = holder === HOLDER.FREE ? frame - (frame % 2 ** order) : begin;
  const slab = holder === HOLDER.PAGES ? ledger.frameSlab[frame]! : 0;
  const what = slab !== 0 ? 'slab' : (['none', 'free', 'pages'] as const)[holder]!;
  const address = (frame + memory.basePfn) * kernel.pageSize;
  return {
    frame,
    pfn: frame + memory.basePfn,
    address,
    zone: machine.zoneOf(address) ?? '',
    what,
    first,
    order,
    cache: slab === 0 ? null : cacheName(ledger, ledger.slabCache[slab]!),
    by: what === 'pages' ? whoTookPages(scene, first) : null,
  };
}

/** Throws ArgumentError for a frame that the machine does not have. */
export function checkFrame({ ledger }: Machine, frame: number): void {
  if (!Number.isInteger(frame) || frame < 0 || frame >= ledger.shape.frames)
    throw new ArgumentError(
      `the frames of this machine are 0 to ${ledger.shape.frames - 1}, ${frame} is none`,
    );
}

/** A block of pages by its slot: an address of pages is their first pfn + 1, with a sign (run.ts). */
function whoTookPages({ recorded, built, state, time }: Scene, first: number): Allocated | null {
  const { machine, routes } = built;
  const wanted = first + machine.memory.basePfn + 1;
  const slot = state.addresses.findIndex(
    (address, at) => Math.abs(address) === wanted && routes[state.slotClass[at]!]!.to === 'pages',
  );
  if (slot < 0) return null;
  const row = state.slotRow[slot]!;
  return whoAllocated(recorded, [row], time).get(row)!;
}

// ---- cells ---------------------------------------------------------------------------------------------------------------

/** The part of a slab's bytes that live objects take, by its id. */
function useOf({ built, slabs }: Scene): Float32Array {
  const { ledger, kernel } = built.machine;
  const use = new Float32Array(ledger.header[H_SLAB_HIGH]! + 1);
  for (const [cache, list] of slabs) {
    const size = ledger.cache[cache * CACHE_WORDS + C_SIZE]!;
    for (const { id, live, order } of list) use[id] = (live * size) / (kernel.pageSize * 2 ** order);
  }
  return use;
}

/** Frames of one cell by holder. */
interface Tally {
  add(code: number, frames: number): void;
  /** Who has most, and how many that are; then it is empty again. */
  take(): { readonly code: number; readonly frames: number };
}

/** Codes are a holder and a number below `most`. */
function createTally(most: number): Tally {
  const place = (code: number) => (code >>> HOLDER_SHIFT) * most + (code & 0xffff);
  const frames = new Uint32Array((HOLDER.SLAB + 1) * most);
  let met: number[] = [];
  return {
    add(code, count) {
      const at = place(code);
      if (frames[at] === 0) met.push(code);
      frames[at]! += count;
    },
    take() {
      let best = { code: HOLDER.NONE, frames: 0 } as { code: number; frames: number };
      for (const code of met) {
        const count = frames[place(code)]!;
        if (count > best.frames) best = { code, frames: count };
        frames[place(code)] = 0;
      }
      met = [];
      return best;
    },
  };
}

export function cellsOf(scene: Scene, from: number, to: number, cells: number): FrameCells {
  const { machine } = scene.built;
  const { ledger, kernel } = machine;
  const first = Math.max(Math.floor(from), 0);
  const last = Math.max(Math.min(Math.ceil(to), ledger.shape.frames), first);
  const framesPerCell = Math.max(Math.ceil((last - first) / Math.max(Math.floor(cells), 1)), 1);
  const count = Math.ceil((last - first) / framesPerCell);
  const holder = new Uint32Array(count);
  const share = new Float32Array(count);
  const free = new Float32Array(count);
  const used = new Float32Array(count);
  const use = new Float32Array(count);
  const slabFrames = new Float32Array(count);
  const slabUse = useOf(scene);
  const tally = createTally(ledger.shape.caches + 1);
  const caches = new Map<number, string>();

  function close(cell: number): void {
    const frames = Math.min(framesPerCell, last - first - cell * framesPerCell);
    const { code, frames: most } = tally.take();
    holder[cell] = code;
    share[cell] = most / frames;
    free[cell]! /= frames;
    used[cell]! /= frames;
    if (slabFrames[cell]! > 0) use[cell]! /= slabFrames[cell]!;
    const id = code & 0xffff;
    if (code >>> HOLDER_SHIFT === HOLDER.SLAB && !caches.has(id)) caches.set(id, cacheName(ledger, id));
  }

  for (let frame = first, cell = 0; frame < last; ) {
    const stretch = stretchAt(ledger, kernel.orders - 1, frame);
    const slab = stretch.holder === HOLDER.PAGES ? ledger.frameSlab[frame]! : 0;
    const end = Math.min(stretch.end, last);
    const code =
      slab === 0
        ? (stretch.holder << HOLDER_SHIFT) | (stretch.holder === HOLDER.FREE ? stretch.order : 0)
        : (HOLDER.SLAB << HOLDER_SHIFT) | ledger.slabCache[slab]!;
    while (frame < end) {
      const cellEnd = first + (cell + 1) * framesPerCell;
      const frames = Math.min(end, cellEnd) - frame;
      tally.add(code, frames);
      if (stretch.holder === HOLDER.FREE) free[cell]! += frames;
      else if (stretch.holder !== HOLDER.NONE) used[cell]! += frames;
      if (slab !== 0) {
        use[cell]! += slabUse[slab]! * frames;
        slabFrames[cell]! += frames;
      }
      frame += frames;
      if (frame === cellEnd || frame === last) close(cell++);
    }
  }
  return { from: first, to: last, framesPerCell, holder, share, free, used, use, caches };
}
