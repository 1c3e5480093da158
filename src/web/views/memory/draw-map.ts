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
import { type Colour, colourOf, createPixels, mixed, type Pixels } from './pixels.js';

interface MapDrawing {
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

/** How much of its cache's colour a slab's bytes get that are no live object's; and the ground of a slab whose objects are drawn. */
const SLAB_SHARE = 0.38;
const GROUND_SHARE = 0.2;

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
  onPixels(context, palette, (pixels) => {
    for (let cell = 0; cell < columns * rows; cell++) {
      const frame = view.first + cell * view.framesPerCell;
      if (frame >= frames) break;
      const known = cellAt(cells, frame) ?? cellAt(overview, frame);
      if (known === undefined) continue;
      const [x, y] = [(cell % columns) * cellWidth, Math.floor(cell / columns) * cellHeight];
      drawCell(pixels, known, { x, y, width: cellWidth - gap, height: cellHeight - gap }, inks);
    }
    if (drawing.slabs !== undefined) drawObjects(pixels, place, drawing, inks);
  });
  drawFrontiers(context, place, drawing, palette);
  drawPicked(context, place, drawing, palette);
}

/** Of each canvas the pixels that it was drawn with last: a new array for each frame would keep the collector busy. */
const images = new WeakMap<HTMLCanvasElement, ImageData>();

/** Draws boxes, and puts them onto the canvas all at once. */
function onPixels(context: CanvasRenderingContext2D, { bg }: Palette, draw: (pixels: Pixels) => void): void {
  const { canvas } = context;
  const { width, height } = canvas;
  let image = images.get(canvas);
  if (image?.width !== width || image.height !== height) {
    image = new ImageData(width, height);
    images.set(canvas, image);
  }
  const words = new Uint32Array(image.data.buffer);
  draw(createPixels(width, height, context.getTransform().a, colourOf(bg), words));
  context.putImageData(image, 0, 0);
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Of a slab's live bytes, and of the rest of it. */
interface SlabInks {
  readonly strong: Colour;
  readonly weak: Colour;
}

interface Inks {
  readonly bg: Colour;
  readonly hole: Colour;
  readonly pages: Colour;
  /** The line across pages. */
  readonly across: Colour;
  readonly other: Colour;
  /** Of free blocks by order. */
  readonly free: readonly Colour[];
  /** Of caches by id: paler where another one is picked. */
  readonly caches: ReadonlyMap<number, SlabInks>;
  /** The same by name. */
  readonly named: (name: string) => Colour;
}

function drawCell(pixels: Pixels, cell: Cell, { x, y, width, height }: Box, inks: Inks): void {
  const holder = cell.code >>> HOLDER_SHIFT;
  const number = cell.code & 0xffff;
  // Without a gap: it is one piece of nothing.
  if (holder === HOLDER.NONE) return pixels.rect(x, y, width + 1, height + 1, inks.hole);
  const ground = inks.free[holder === HOLDER.FREE ? number : 0]!;
  pixels.rect(x, y, width, height, ground);
  if (cell.used === 0) return;
  const tall = Math.max(height * cell.used, 1);
  const top = y + height - tall;
  if (holder === HOLDER.SLAB) {
    const { strong, weak } = inks.caches.get(number)!;
    pixels.rect(x, top, width, tall, weak);
    const live = tall * cell.use;
    pixels.rect(x, y + height - live, width, live, strong);
    return;
  }
  pixels.rect(x, top, width, tall, holder === HOLDER.PAGES ? inks.pages : inks.other);
  // One line across: pages that are no slab, for those who see no colours.
  if (holder === HOLDER.PAGES && height >= GAP_SIDE - 1) pixels.diagonal(x, top, width, tall, inks.across);
}

const ORDERS = 11;

function inksOf(palette: Palette, caches: ReadonlyMap<number, string>, picked: string | undefined): Inks {
  const [bg, hole, free] = [colourOf(palette.bg), colourOf(palette.hole), colourOf(palette.free)];
  const strength = picked === undefined ? 1 : PALE;
  const pale = (text: string) => mixed(colourOf(text), free, strength);
  const ground = mixed(colourOf(palette.pages), free, freeShare(0));
  const named = (name: string) => (name === picked ? colourOf(cacheColour(name)) : pale(cacheColour(name)));
  return {
    bg,
    hole,
    pages: pale(palette.pages),
    across: mixed(bg, pale(palette.pages), 0.4),
    other: pale(palette.other),
    free: Array.from({ length: ORDERS }, (_, order) =>
      mixed(colourOf(palette.pages), free, freeShare(order)),
    ),
    caches: new Map(
      [...caches].map(([id, name]) => {
        const strong = named(name);
        return [id, { strong, weak: mixed(strong, ground, SLAB_SHARE) }];
      }),
    ),
    named,
  };
}

/** The smaller the blocks, the darker: memory in crumbs is worth less. */
function freeShare(order: number): number {
  return (Math.max(ORDERS - 1 - order, 0) / (ORDERS - 1)) * 0.34;
}

/** The same, for a legend. */
export function freeColour({ free, pages }: Palette, order: number): string {
  return `color-mix(in srgb, ${pages} ${freeShare(order) * 100}%, ${free})`;
}

function cacheColours({ cells, overview }: Pick<MapDrawing, 'cells' | 'overview'>): Map<number, string> {
  return new Map([...(overview?.caches ?? []), ...(cells?.caches ?? [])]);
}

// ---- objects ---------------------------------------------------------------------------------------------------------------

/** The least side of a box that is still seen. */
const BOX_LEAST = 2.5;

function drawObjects(
  pixels: Pixels,
  place: MapPlace,
  { view, pageSize, slabs = [] }: MapDrawing,
  inks: Inks,
): void {
  const { columns, rows, cellWidth, cellHeight } = gridOf(place, view);
  for (const slab of slabs) {
    const boxes = pageBoxes({ ...slab, objects: slab.states.length }, pageSize);
    const [wide, tall] = [(cellWidth - 3) / boxes.columns, (cellHeight - 3) / boxes.lines];
    const colour = inks.named(slab.cache);
    const ground = mixed(colour, inks.bg, GROUND_SHARE);
    const corner = (page: number) => {
      const cell = cellOf(view, slab.firstFrame + page);
      if (cell < 0 || cell >= columns * rows) return undefined;
      return { x: (cell % columns) * cellWidth, y: Math.floor(cell / columns) * cellHeight };
    };
    for (let page = 0; page < slab.frames; page++) {
      const at = corner(page);
      // Pages of one slab touch.
      const width = page === slab.frames - 1 ? cellWidth - 1 : cellWidth;
      if (at !== undefined) pixels.rect(at.x, at.y, width, cellHeight - 1, ground);
    }
    if (wide < BOX_LEAST || tall < BOX_LEAST) continue;
    const gap = wide >= 5 && tall >= 5 ? 1 : 0.5;
    for (const [index, { page, place: number }] of boxes.objects.entries()) {
      const at = corner(page);
      if (at === undefined) continue;
      const x = at.x + 1.5 + (number % boxes.columns) * wide;
      const y = at.y + 1.5 + Math.floor(number / boxes.columns) * tall;
      const state = slab.states[index]!;
      pixels.rect(x, y, wide - gap, tall - gap, state === LIVE ? colour : inks.bg);
      if (state === CACHED) pixels.diagonal(x, y, wide - gap, tall - gap, colour);
    }
  }
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

interface StripDrawing {
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
  onPixels(context, palette, (pixels) => {
    for (let column = 0; column < width; column++) {
      const known = cellAt(overview, Math.floor((column / width) * frames));
      if (known !== undefined)
        drawCell(pixels, known, { x: column, y: STRIP_NAMES, width: 1, height: tall }, inks);
    }
  });
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
