import { largestOf } from '../../../base/index.js';

/**
 * Page frames in rows of cells, read like a page of text. Zoomed out a cell is many frames; zoomed in it is one, and then it grows until
 * the objects of its slab have room.
 */

/** Frames of a cell, and the height of one in CSS pixels. */
interface Zoom {
  readonly framesPerCell: number;
  readonly side: number;
}

/** What of the memory is in sight: the first cell's first frame, and how large cells are. */
export interface MapView extends Zoom {
  readonly first: number;
}

/** A place for a map, in CSS pixels. */
export interface MapPlace {
  readonly width: number;
  readonly height: number;
}

interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** Of a cell, in CSS pixels. */
  readonly cellWidth: number;
  readonly cellHeight: number;
}

/** Heights of a cell of one frame. In those from OBJECTS_SIDE on objects are drawn. */
const SIDES: readonly number[] = [10, 13, 17, 22, 28, 36, 46, 60, 78, 100];
export const OBJECTS_SIDE = 22;
const WIDER = 1.3;
/** Slabs of up to so many pages are not broken over two lines. */
const SLAB_PAGES = 8;

/** All zooms for so many frames, the widest first. */
export function zoomsOf(frames: number): Zoom[] {
  const zooms: Zoom[] = [];
  for (let each = 2; each <= frames; each = Math.max(Math.round(each * WIDER), each + 1))
    zooms.push({ framesPerCell: each, side: SIDES[0]! });
  return [...zooms.reverse(), ...SIDES.map((side) => ({ framesPerCell: 1, side }))];
}

/** The cells that have room. */
export function gridOf({ width, height }: MapPlace, { framesPerCell, side }: Zoom): Grid {
  let columns = Math.max(Math.floor(width / side), 1);
  if (framesPerCell === 1 && columns > SLAB_PAGES) columns = Math.round(columns / SLAB_PAGES) * SLAB_PAGES;
  const rows = Math.max(Math.floor(height / side), 1);
  return { columns, rows, cellWidth: width / columns, cellHeight: side };
}

/** Within the memory: no more than a line of nothing behind its end. */
export function clamped(view: MapView, place: MapPlace, frames: number): MapView {
  const { columns, rows } = gridOf(place, view);
  const { framesPerCell } = view;
  const unit = framesPerCell === 1 ? SLAB_PAGES : 1;
  const last = Math.max(frames - (rows - 1) * columns * framesPerCell, 0);
  const first = Math.max(0, Math.min(view.first, last));
  return { ...view, first: Math.floor(first / unit) * unit };
}

/** The nearest zoom in which all frames of a stretch are in sight. */
export function fitted(from: number, to: number, place: MapPlace, frames: number): MapView {
  const zooms = zoomsOf(frames);
  const fits = (zoom: Zoom) => {
    const { columns, rows } = gridOf(place, zoom);
    return columns * rows * zoom.framesPerCell >= to - from;
  };
  const zoom = zooms.findLast((each) => each.side <= OBJECTS_SIDE && fits(each)) ?? zooms[0]!;
  return clamped({ ...zoom, first: from }, place, frames);
}

/** The frame in the cell at a point; it may lie behind the memory's end. */
export function frameAt(view: MapView, place: MapPlace, x: number, y: number): number {
  const { columns, cellWidth, cellHeight } = gridOf(place, view);
  const column = Math.min(Math.max(Math.floor(x / cellWidth), 0), columns - 1);
  return view.first + (Math.max(Math.floor(y / cellHeight), 0) * columns + column) * view.framesPerCell;
}

/** The cell of a frame, counted from the first in sight; negative in front of it. */
export function cellOf(view: MapView, frame: number): number {
  return Math.floor((frame - view.first) / view.framesPerCell);
}

/** So many steps nearer (or, negative, farther), with the frame at a point staying there. */
export function zoomedAt(
  view: MapView,
  place: MapPlace,
  frames: number,
  { x, y, steps }: { readonly x: number; readonly y: number; readonly steps: number },
): MapView {
  const zooms = zoomsOf(frames);
  const now = zooms.findIndex(
    ({ framesPerCell, side }) => framesPerCell <= view.framesPerCell && side >= view.side,
  );
  const zoom = zooms[Math.max(0, Math.min(now + steps, zooms.length - 1))]!;
  const frame = Math.min(frameAt(view, place, x, y), frames - 1);
  const before = frameAt({ ...zoom, first: 0 }, place, x, y);
  return clamped({ ...zoom, first: frame - before }, place, frames);
}

/** Moved by so many lines. */
export function movedBy(view: MapView, place: MapPlace, frames: number, lines: number): MapView {
  const { columns } = gridOf(place, view);
  return clamped({ ...view, first: view.first + lines * columns * view.framesPerCell }, place, frames);
}

/** With this frame in sight: where it is, if it is. */
export function showing(view: MapView, place: MapPlace, frames: number, frame: number): MapView {
  const { columns, rows } = gridOf(place, view);
  const cell = cellOf(view, frame);
  if (cell >= 0 && cell < columns * rows) return view;
  const above = Math.floor(rows / 2) * columns * view.framesPerCell;
  return clamped({ ...view, first: frame - above }, place, frames);
}

/** Cells of nothing between two parts of what is in use, from which on they are two. */
const GAP_CELLS = 8;

/**
 * Where most of what is handed out lies: the run of cells, with small gaps, that has most of it. Single pages far from everything else do
 * not make a map of nothing. A free machine is shown as a whole.
 */
export function usedStretch({
  used,
  from,
  to,
  framesPerCell,
}: {
  readonly used: ArrayLike<number>;
  readonly from: number;
  readonly to: number;
  readonly framesPerCell: number;
}): { from: number; to: number } {
  let best = { first: 0, end: used.length, sum: 0 };
  let run: { first: number; end: number; sum: number } | undefined;
  for (let cell = 0; cell < used.length; cell++) {
    if (used[cell] === 0) continue;
    if (run === undefined || cell - run.end > GAP_CELLS) run = { first: cell, end: cell, sum: 0 };
    run = { first: run.first, end: cell + 1, sum: run.sum + used[cell]! };
    if (run.sum > best.sum) best = run;
  }
  return { from: from + best.first * framesPerCell, to: Math.min(from + best.end * framesPerCell, to) };
}

// ---- in an address -------------------------------------------------------------------------------------------------------

/** `4096x290` zoomed out, `4096x1x46` where a cell is one frame of 46 pixels. */
export function viewText({ first, framesPerCell, side }: MapView): string {
  return framesPerCell === 1 ? `${first}x1x${side}` : `${first}x${framesPerCell}`;
}

/** The same back; undefined for what is none. */
export function viewFrom(text: string | undefined, place: MapPlace, frames: number): MapView | undefined {
  const [, first, each, side] = /^(\d{1,12})x([1-9]\d{0,11})(?:x(\d{1,3}))?$/.exec(text ?? '') ?? [];
  if (first === undefined) return undefined;
  const framesPerCell = Number(each);
  const known = SIDES.find((one) => one === Number(side)) ?? SIDES[0]!;
  return clamped(
    { first: Number(first), framesPerCell, side: framesPerCell === 1 ? known : SIDES[0]! },
    place,
    frames,
  );
}

// ---- a frontier between frames -------------------------------------------------------------------------------------------

/** The line in front of a frame: along the top of its row from its cell on, and along the bottom of what is left of it. */
export function frontier(view: MapView, place: MapPlace, frame: number): (readonly [x: number, y: number])[] {
  const { columns, rows, cellWidth, cellHeight } = gridOf(place, view);
  const cell = Math.ceil((frame - view.first) / view.framesPerCell);
  if (cell <= 0 || cell >= columns * rows) return [];
  const [row, column] = [Math.floor(cell / columns), cell % columns];
  const right = columns * cellWidth;
  if (column === 0)
    return [
      [0, row * cellHeight],
      [right, row * cellHeight],
    ];
  const [x, top, bottom] = [column * cellWidth, row * cellHeight, (row + 1) * cellHeight];
  return [
    [0, bottom],
    [x, bottom],
    [x, top],
    [right, top],
  ];
}

// ---- objects in a page -----------------------------------------------------------------------------------------------------

/** Where an object of a slab is drawn: the page that it begins in, and its place there. */
interface ObjectPlace {
  readonly page: number;
  readonly place: number;
}

/** How the objects of a slab are put into its pages: as many columns and lines in each as the fullest needs. */
interface PageBoxes {
  readonly columns: number;
  readonly lines: number;
  /** By index. */
  readonly objects: readonly ObjectPlace[];
}

export function pageBoxes(
  { offset, size, objects }: { readonly offset: number; readonly size: number; readonly objects: number },
  pageSize: number,
): PageBoxes {
  const inPage = new Map<number, number>();
  const places = Array.from({ length: objects }, (_, index): ObjectPlace => {
    const page = Math.floor((offset + index * size) / pageSize);
    const place = inPage.get(page) ?? 0;
    inPage.set(page, place + 1);
    return { page, place };
  });
  const most = Math.max(1, largestOf(inPage.values()));
  const columns = Math.ceil(Math.sqrt(most));
  return { columns, lines: Math.ceil(most / columns), objects: places };
}

/** The object at a point of a page's cell, with x and y from 0 to 1; undefined between objects. */
export function objectAt(
  { columns, lines, objects }: PageBoxes,
  page: number,
  x: number,
  y: number,
): number | undefined {
  const column = Math.min(Math.floor(x * columns), columns - 1);
  const place = Math.min(Math.floor(y * lines), lines - 1) * columns + column;
  const index = objects.findIndex((object) => object.page === page && object.place === place);
  return index < 0 ? undefined : index;
}
