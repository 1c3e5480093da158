/** Draws the time view: curves stacked from the columns of a tile, the range, the cursor, marks and scales. */
import { formatBytes, formatCount } from '../../../base/index.js';
import type { LevelColumns } from '../../../lab/index.js';
import type { Palette } from '../../parts/colours.js';
import { formatSpan } from '../../parts/format.js';
import type { RowRange } from '../../state/store.js';
import { byteTicks, type Scale, type Stretch, ticks } from './scale.js';

const AXIS_HEIGHT = 22;
/** Above the highest value there is so much room. */
const HEAD_HEIGHT = 18;

/** What is shown: the first series of the columns is the whole, the others are parts of it, from the bottom up; the rest is told too. */
export interface Picture {
  readonly tile: LevelColumns;
  readonly colours: readonly string[];
  readonly restColour: string;
  readonly stretch: Stretch;
  readonly scale: Scale;
  /** Bytes at the top. */
  readonly top: number;
  readonly range: RowRange | undefined;
  readonly cursor: number;
  readonly marks: readonly { readonly row: number; readonly text: string }[];
  readonly isByClock: boolean;
  /** Nanoseconds from the trace's begin to where a row is. */
  readonly timeOf: (row: number) => number;
}

/** The columns of a tile that a stretch shows. */
function shownColumns({ from, step, columns }: LevelColumns, stretch: Stretch): readonly [number, number] {
  const first = Math.max(Math.floor((stretch.from - from) / step), 0);
  const last = Math.min(Math.ceil((stretch.to - from) / step), columns);
  return [first, Math.max(last, first)];
}

/** The most that the whole is within a stretch: what a scale must hold. */
export function mostOf(tile: LevelColumns, stretch: Stretch): number {
  const [first, last] = shownColumns(tile, stretch);
  const { most } = tile.series[0]!;
  let found = 0;
  for (let i = first; i < last; i++) if (most[i]! > found) found = most[i]!;
  return found;
}

/** The heights of the parts that lie on each other in a column, from the bottom up; the last is the whole. */
export function stackAt(tile: LevelColumns, column: number): number[] {
  let sum = 0;
  const parts = tile.series.slice(1).map(({ last }) => {
    sum += last[column]!;
    return sum;
  });
  return [...parts, Math.max(sum, tile.series[0]!.last[column]!)];
}

/** The bytes at a height of a canvas. */
export function bytesAt(y: number, height: number, top: number): number {
  const plot = height - AXIS_HEIGHT;
  return ((plot - y) / Math.max(plot - HEAD_HEIGHT, 1)) * top;
}

export function drawPicture(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  picture: Picture,
  palette: Palette,
): void {
  const plot = height - AXIS_HEIGHT;
  const y = (bytes: number) => plot - (bytes / picture.top) * (plot - HEAD_HEIGHT);
  drawBytesScale(context, width, picture.top, y, palette);
  drawStack(context, picture, y, plot);
  drawWhole(context, picture, y, palette);
  drawRange(context, width, plot, picture, palette);
  drawRowsScale(context, width, plot, picture, palette);
  drawMarks(context, width, picture, palette);
  drawCursor(context, width, plot, picture, palette);
}

/** Columns that one pixel holds together: more would cost time that nobody sees. */
function columnsPerPixel({ tile, scale, stretch }: Picture): number {
  const pixels = scale.x(stretch.to) - scale.x(stretch.from);
  return Math.max(Math.floor((stretch.to - stretch.from) / tile.step / Math.max(pixels, 1)), 1);
}

/** Each part as one shape, from the top down: each one's lower part is covered by the next. */
function drawStack(
  context: CanvasRenderingContext2D,
  picture: Picture,
  y: (bytes: number) => number,
  plot: number,
): void {
  const { tile, colours, restColour, stretch, scale } = picture;
  const [first, last] = shownColumns(tile, stretch);
  const stride = columnsPerPixel(picture);
  const count = Math.ceil((last - first) / stride);
  if (count === 0) return;
  /** The last column of each group: what was held behind it. */
  const places = Int32Array.from({ length: count }, (_, i) => Math.min(first + (i + 1) * stride, last) - 1);
  const edges = new Float64Array(count + 1);
  for (let i = 0; i <= count; i++)
    edges[i] = scale.x(tile.from + Math.min(first + i * stride, last) * tile.step);
  const heights = new Float64Array(count);
  const layers: Float64Array[] = [];
  for (const { last: values } of tile.series.slice(1)) {
    for (let i = 0; i < count; i++) heights[i]! += values[places[i]!]!;
    layers.push(heights.slice());
  }
  const whole = tile.series[0]!.last;
  for (let i = 0; i < count; i++) heights[i] = Math.max(heights[i]!, whole[places[i]!]!);
  layers.push(heights);
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    const values = layers[layer]!;
    context.beginPath();
    context.moveTo(edges[0]!, plot);
    for (let i = 0; i < count; i++) {
      const at = y(values[i]!);
      context.lineTo(edges[i]!, at);
      context.lineTo(edges[i + 1]!, at);
    }
    context.lineTo(edges[count]!, plot);
    context.fillStyle = colours[layer] ?? restColour;
    context.fill();
  }
}

/** From the least to the most of each column: a peak of a single event is seen at any zoom. */
function drawWhole(
  context: CanvasRenderingContext2D,
  picture: Picture,
  y: (bytes: number) => number,
  palette: Palette,
): void {
  const { tile, stretch, scale } = picture;
  const [first, last] = shownColumns(tile, stretch);
  const stride = columnsPerPixel(picture);
  const { least, most, last: ends } = tile.series[0]!;
  context.beginPath();
  for (let from = first; from < last; from += stride) {
    const to = Math.min(from + stride, last);
    let low = least[from]!;
    let high = most[from]!;
    for (let i = from + 1; i < to; i++) {
      if (least[i]! < low) low = least[i]!;
      if (most[i]! > high) high = most[i]!;
    }
    const x = scale.x(tile.from + from * tile.step);
    const end = scale.x(tile.from + to * tile.step);
    if (high > low) {
      const middle = (x + end) / 2;
      context.moveTo(middle, y(high));
      context.lineTo(middle, y(low));
    }
    context.moveTo(x, y(ends[to - 1]!));
    context.lineTo(end, y(ends[to - 1]!));
  }
  context.strokeStyle = palette.text;
  context.lineWidth = 1;
  context.stroke();
}

function drawBytesScale(
  context: CanvasRenderingContext2D,
  width: number,
  top: number,
  y: (bytes: number) => number,
  palette: Palette,
): void {
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.beginPath();
  for (const bytes of byteTicks(top, 5)) {
    const at = Math.round(y(bytes)) + 0.5;
    context.moveTo(0, at);
    context.lineTo(width, at);
  }
  context.stroke();
}

/** Words of the scale lie over the curves, so they come last, each on a ground of its own. */
function label(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  palette: Palette,
  colour = palette.text,
): void {
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  const { width } = context.measureText(text);
  context.globalAlpha = 0.8;
  context.fillStyle = palette.bg;
  context.fillRect(x - 2, y - 7, width + 4, 14);
  context.globalAlpha = 1;
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

function drawRange(
  context: CanvasRenderingContext2D,
  width: number,
  plot: number,
  { range, scale }: Picture,
  palette: Palette,
): void {
  if (range === undefined) return;
  const from = Math.max(scale.x(range.from), -2);
  const to = Math.min(scale.x(range.to), width + 2);
  if (to < 0 || from > width) return;
  context.fillStyle = palette.selection;
  context.fillRect(from, 0, Math.max(to - from, 1), plot);
  context.fillStyle = palette.accent;
  context.fillRect(from - 1, 0, 2, plot);
  context.fillRect(to - 1, 0, 2, plot);
}

function drawRowsScale(
  context: CanvasRenderingContext2D,
  width: number,
  plot: number,
  { stretch, scale, isByClock, timeOf, top }: Picture,
  palette: Palette,
): void {
  context.fillStyle = palette.bg;
  context.fillRect(0, plot, width, AXIS_HEIGHT);
  context.fillStyle = palette.muted;
  context.strokeStyle = palette.line;
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  context.beginPath();
  context.moveTo(0, plot + 0.5);
  context.lineTo(width, plot + 0.5);
  const wanted = Math.max(Math.floor(width / 130), 2);
  let free = 0;
  const write = (x: number, text: string) => {
    context.moveTo(Math.round(x) + 0.5, plot);
    context.lineTo(Math.round(x) + 0.5, plot + 5);
    const space = context.measureText(text).width;
    const at = x + 4 + space < width ? x + 4 : x - 4 - space;
    if (at < free) return;
    context.fillText(text, at, plot + 12);
    free = at + space + 8;
  };
  if (isByClock) {
    const begin = timeOf(stretch.from);
    const span = Math.max(timeOf(stretch.to) - begin, 1);
    for (const time of ticks(begin, begin + span, wanted))
      write(((time - begin) / span) * width, formatSpan(time));
  } else {
    for (const row of ticks(stretch.from, stretch.to, wanted))
      if (Number.isInteger(row)) write(scale.x(row), `${formatCount(row)} · ${formatSpan(timeOf(row))}`);
  }
  context.stroke();
  for (const bytes of byteTicks(top, 5)) {
    const at = plot - (bytes / top) * (plot - HEAD_HEIGHT);
    if (bytes > 0) label(context, formatBytes(bytes), 5, Math.max(at, 8), palette, palette.muted);
  }
}

function drawMarks(
  context: CanvasRenderingContext2D,
  width: number,
  { marks, scale }: Picture,
  palette: Palette,
): void {
  let free = 60;
  for (const { row, text } of marks) {
    const x = scale.x(row);
    if (x < 0 || x > width) continue;
    context.fillStyle = palette.muted;
    context.beginPath();
    context.moveTo(x - 4, 0);
    context.lineTo(x + 4, 0);
    context.lineTo(x, 7);
    context.fill();
    const words = text.length > 24 ? `${text.slice(0, 23)}…` : text;
    const space = context.measureText(words).width;
    if (x + 6 < free || x + 8 + space > width) continue;
    label(context, words, x + 7, 8, palette, palette.muted);
    free = x + 14 + space;
  }
}

function drawCursor(
  context: CanvasRenderingContext2D,
  width: number,
  plot: number,
  { cursor, scale }: Picture,
  palette: Palette,
): void {
  const x = Math.min(scale.x(cursor), width - 1);
  if (x < -1 || x > width) return;
  context.fillStyle = palette.cursor;
  context.fillRect(x - 1, 0, 2, plot + AXIS_HEIGHT);
}
