/** Draws page frames: who holds them, how much of that is in use, and where zones and 4 GiB begin. */
import {
  type FrameCells,
  HOLDER,
  HOLDER_SHIFT,
  OBJECT_STATES,
  type SlabBrief,
  type ZoneMap,
} from '../../../lab/index.js';
import { cacheColour, type Palette } from '../../parts/colours.js';
import { cellOf, frontier, gridOf, type MapPlace, type MapView, pageBoxes } from './geometry.js';

export interface MapDrawing {
  readonly view: MapView;
  readonly frames: number;
  readonly pageSize: number;
  readonly zones: readonly ZoneMap[];
  /** What is in sight, as far as it is there, and the whole memory in fewer cells. */
  readonly cells: FrameCells | undefined;
  readonly overview: FrameCells | undefined;
  /** Slabs whose objects are drawn. */
  readonly slabs: readonly SlabBrief[] | undefined;
  /** The cache that is picked; others are pale. */
  readonly cache: string | undefined;
  /** The frames that are picked. */
  readonly picked: { readonly first: number; readonly frames: number } | undefined;
}

/** A cell too small for it gets no gap, and no pattern. */
const GAP_SIDE = 8;
const PALE = 0.22;
const [LIVE, , CACHED] = OBJECT_STATES.map((_, number) => number);

/** How much of a colour a slab's bytes get that are no live object's. */
const SLAB_ALPHA = 0.38;

/** One cell's figures, out of columns of whatever size. */
interface Cell {
  readonly code: number;
  readonly used: number;
  readonly use: number;
}

function cellAt(cells: FrameCells | undefined, frame: number): Cell | undefined {
  if (cells === undefined || frame < cells.from || frame >= cells.to) return undefined;
  const at = Math.floor((frame - cells.from) / cells.framesPerCell);
  return { code: cells.holder[at]!, used: cells.used[at]!, use: cells.use[at]! };
}

export function drawMap(
  context: CanvasRenderingContext2D,
  place: MapPlace,
  drawing: MapDrawing,
  palette: Palette,
): void {
  const { view, frames, cells, overview, cache } = drawing;
  const { columns, rows, cellWidth, cellHeight } = gridOf(place, view);
  const gap = view.side >= GAP_SIDE ? 1 : 0;
  const inks = inksOf(palette, cacheColours(drawing), cache);
  for (let cell = 0; cell < columns * rows; cell++) {
    const frame = view.first + cell * view.framesPerCell;
    if (frame >= frames) break;
    const known = cellAt(cells, frame) ?? cellAt(overview, frame);
    if (known === undefined) continue;
    const [x, y] = [(cell % columns) * cellWidth, Math.floor(cell / columns) * cellHeight];
    drawCell(context, known, { x, y, width: cellWidth - gap, height: cellHeight - gap }, inks);
  }
  if (drawing.slabs !== undefined) drawObjects(context, place, drawing, palette);
  drawFrontiers(context, place, drawing, palette);
  drawPicked(context, place, drawing, palette);
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Inks {
  readonly palette: Palette;
  /** Of free blocks by order. */
  readonly free: readonly string[];
  /** By cache id. */
  readonly colours: ReadonlyMap<number, { readonly name: string; readonly colour: string }>;
  readonly cache: string | undefined;
}

function drawCell(
  context: CanvasRenderingContext2D,
  cell: Cell,
  box: Box,
  { palette, free, colours, cache }: Inks,
): void {
  const { x, y, width, height } = box;
  const holder = cell.code >>> HOLDER_SHIFT;
  const number = cell.code & 0xffff;
  if (holder === HOLDER.NONE) {
    // Without a gap: it is one piece of nothing.
    context.fillStyle = palette.hole;
    context.fillRect(x, y, width + 1, height + 1);
    return;
  }
  context.fillStyle = free[holder === HOLDER.FREE ? number : 0] ?? palette.free;
  context.fillRect(x, y, width, height);
  if (cell.used === 0) return;
  const tall = Math.max(height * cell.used, 1);
  const top = y + height - tall;
  if (holder === HOLDER.SLAB) {
    const { name, colour } = colours.get(number) ?? { name: '', colour: palette.other };
    const strength = cache !== undefined && cache !== name ? PALE : 1;
    context.fillStyle = colour;
    context.globalAlpha = SLAB_ALPHA * strength;
    context.fillRect(x, top, width, tall);
    context.globalAlpha = strength;
    const live = tall * cell.use;
    context.fillRect(x, y + height - live, width, live);
    context.globalAlpha = 1;
    return;
  }
  context.globalAlpha = cache === undefined ? 1 : PALE;
  context.fillStyle = holder === HOLDER.PAGES ? palette.pages : palette.other;
  context.fillRect(x, top, width, tall);
  if (holder === HOLDER.PAGES && height >= GAP_SIDE)
    hatch(context, { x, y: top, width, height: tall }, palette.bg);
  context.globalAlpha = 1;
}

/** One line across: pages that are no slab, for those who see no colours. */
function hatch(context: CanvasRenderingContext2D, { x, y, width, height }: Box, colour: string): void {
  context.beginPath();
  context.moveTo(x, y + height);
  context.lineTo(x + width, y);
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.stroke();
}

const ORDERS = 11;

const inksOf = (palette: Palette, colours: Inks['colours'], cache: string | undefined): Inks => ({
  palette,
  free: Array.from({ length: ORDERS }, (_, order) => freeColour(palette, order)),
  colours,
  cache,
});

/** The smaller the blocks, the darker: memory in crumbs is worth less. */
export function freeColour({ free, pages }: Palette, order: number): string {
  const share = Math.round((Math.max(10 - order, 0) / 10) * 34);
  return `color-mix(in srgb, ${pages} ${share}%, ${free})`;
}

function cacheColours({ cells, overview }: Pick<MapDrawing, 'cells' | 'overview'>): Inks['colours'] {
  const colours = new Map<number, { name: string; colour: string }>();
  for (const source of [overview, cells])
    for (const [id, name] of source?.caches ?? []) colours.set(id, { name, colour: cacheColour(name) });
  return colours;
}

// ---- objects ---------------------------------------------------------------------------------------------------------------

/** The least side of a box that is still seen. */
const BOX_LEAST = 2.5;

function drawObjects(
  context: CanvasRenderingContext2D,
  place: MapPlace,
  { view, pageSize, slabs = [], cache }: MapDrawing,
  palette: Palette,
): void {
  const { columns, rows, cellWidth, cellHeight } = gridOf(place, view);
  for (const slab of slabs) {
    const boxes = pageBoxes({ ...slab, objects: slab.states.length }, pageSize);
    const [wide, tall] = [(cellWidth - 3) / boxes.columns, (cellHeight - 3) / boxes.lines];
    const colour = cacheColour(slab.cache);
    context.globalAlpha = cache !== undefined && cache !== slab.cache ? PALE : 1;
    const corner = (page: number) => {
      const cell = cellOf(view, slab.firstFrame + page);
      if (cell < 0 || cell >= columns * rows) return undefined;
      return { x: (cell % columns) * cellWidth, y: Math.floor(cell / columns) * cellHeight };
    };
    for (let page = 0; page < slab.frames; page++) {
      const at = corner(page);
      if (at !== undefined) drawPage(context, at, { cellWidth, cellHeight, colour, palette, page, slab });
    }
    if (wide < BOX_LEAST || tall < BOX_LEAST) continue;
    for (const [index, { page, place: number }] of boxes.objects.entries()) {
      const at = corner(page);
      if (at === undefined) continue;
      const x = at.x + 1.5 + (number % boxes.columns) * wide;
      const y = at.y + 1.5 + Math.floor(number / boxes.columns) * tall;
      drawObject(context, slab.states[index]!, { x, y, width: wide, height: tall }, colour, palette);
    }
  }
  context.globalAlpha = 1;
}

interface PageDrawing {
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly colour: string;
  readonly palette: Palette;
  readonly page: number;
  readonly slab: SlabBrief;
}

/** The ground of one page of a slab; pages of one slab touch. */
function drawPage(
  context: CanvasRenderingContext2D,
  { x, y }: Pick<Box, 'x' | 'y'>,
  { cellWidth, cellHeight, colour, palette, page, slab }: PageDrawing,
): void {
  const width = page === slab.frames - 1 ? cellWidth - 1 : cellWidth;
  context.fillStyle = palette.bg;
  context.fillRect(x, y, width, cellHeight - 1);
  const alpha = context.globalAlpha;
  context.globalAlpha = alpha * 0.2;
  context.fillStyle = colour;
  context.fillRect(x, y, width, cellHeight - 1);
  context.globalAlpha = alpha;
}

function drawObject(
  context: CanvasRenderingContext2D,
  state: number,
  { x, y, width, height }: Box,
  colour: string,
  palette: Palette,
): void {
  const gap = width >= 5 && height >= 5 ? 1 : 0.5;
  const [w, h] = [width - gap, height - gap];
  if (state === LIVE) {
    context.fillStyle = colour;
    context.fillRect(x, y, w, h);
    return;
  }
  context.fillStyle = palette.bg;
  context.fillRect(x, y, w, h);
  if (state === CACHED) hatch(context, { x, y, width: w, height: h }, colour);
}

// ---- lines -----------------------------------------------------------------------------------------------------------------

function drawFrontiers(
  context: CanvasRenderingContext2D,
  place: MapPlace,
  { view, zones }: MapDrawing,
  palette: Palette,
): void {
  const drawn = new Set<number>();
  const line = (frame: number, label: string, colour: string, width: number) => {
    const points = frontier(view, place, frame);
    if (points.length === 0 || drawn.has(frame)) return;
    drawn.add(frame);
    context.beginPath();
    for (const [i, [x, y]] of points.entries())
      if (i === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
    tag(context, place, points.at(-1)!, label, colour, palette);
  };
  for (const { line4GiB, name, firstFrame } of zones)
    if (line4GiB !== null)
      line(line4GiB, line4GiB === firstFrame ? `4 GiB ↓ ${name}` : '4 GiB ↓', palette.cursor, 2.5);
  for (const { name, firstFrame } of zones) line(firstFrame, `↓ ${name}`, palette.text, 1.5);
}

/** Words at the right end of a line, below it if there is room. */
function tag(
  context: CanvasRenderingContext2D,
  { width, height }: MapPlace,
  [, y]: readonly [number, number],
  label: string,
  colour: string,
  { bg }: Palette,
): void {
  context.font = '600 12px system-ui, sans-serif';
  const wide = context.measureText(label).width + 10;
  const top = y + 18 <= height ? y : y - 18;
  context.fillStyle = colour;
  context.fillRect(width - wide, top, wide, 18);
  context.fillStyle = bg;
  context.textBaseline = 'middle';
  context.fillText(label, width - wide + 5, top + 9.5);
}

function drawPicked(
  context: CanvasRenderingContext2D,
  place: MapPlace,
  { view, picked }: MapDrawing,
  palette: Palette,
): void {
  if (picked === undefined) return;
  const { columns, rows, cellWidth, cellHeight } = gridOf(place, view);
  const first = cellOf(view, picked.first);
  const last = cellOf(view, picked.first + picked.frames - 1);
  context.lineWidth = 2;
  for (let cell = Math.max(first, 0); cell <= last && cell < columns * rows; ) {
    const row = Math.floor(cell / columns);
    const end = Math.min(last, (row + 1) * columns - 1);
    const [x, y] = [(cell % columns) * cellWidth, row * cellHeight];
    const width = (end - cell + 1) * cellWidth;
    context.strokeStyle = palette.bg;
    context.strokeRect(x - 2, y - 2, width + 3, cellHeight + 3);
    context.strokeStyle = palette.text;
    context.strokeRect(x, y, width - 1, cellHeight - 1);
    cell = end + 1;
  }
}

// ---- the whole memory as a strip -------------------------------------------------------------------------------------------

export interface StripDrawing {
  readonly frames: number;
  readonly zones: readonly ZoneMap[];
  readonly overview: FrameCells | undefined;
  readonly cache: string | undefined;
  /** What is in sight of the map. */
  readonly from: number;
  readonly to: number;
}

const STRIP_NAMES = 18;

export function drawStrip(
  context: CanvasRenderingContext2D,
  { width, height }: MapPlace,
  { frames, zones, overview, cache, from, to }: StripDrawing,
  palette: Palette,
): void {
  const x = (frame: number) => (frame / frames) * width;
  const inks = inksOf(palette, cacheColours({ overview, cells: undefined }), cache);
  const tall = height - STRIP_NAMES;
  for (let column = 0; column < width; column++) {
    const known = cellAt(overview, Math.floor((column / width) * frames));
    if (known !== undefined)
      drawCell(context, known, { x: column, y: STRIP_NAMES, width: 1.02, height: tall }, inks);
  }
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  let end = 0;
  for (const { name, firstFrame, line4GiB } of zones) {
    const left = x(firstFrame);
    context.fillStyle = palette.text;
    context.fillRect(left, 2, 1, height);
    if (left + 4 >= end) {
      context.fillText(name, left + 5, STRIP_NAMES / 2);
      end = left + 5 + context.measureText(name).width;
    }
    if (line4GiB === null) continue;
    const at = x(line4GiB);
    context.fillStyle = palette.cursor;
    context.fillRect(at - 1, 0, 2.5, height);
    const wide = context.measureText('4 GiB').width;
    context.fillText('4 GiB', Math.max(at - wide - 6, 0), STRIP_NAMES / 2);
  }
  const [left, right] = [x(from), Math.max(x(to), x(from) + 3)];
  context.strokeStyle = palette.accent;
  context.lineWidth = 2;
  context.strokeRect(left + 1, STRIP_NAMES - 1, Math.max(right - left - 2, 1), tall);
}
