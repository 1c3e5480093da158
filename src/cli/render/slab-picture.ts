/**
 * A slab and one of its objects, drawn.
 *
 *     ┌─────┬─────┬─────┬░░┐
 *     │  0  │  1  │  2  │░░│      what belongs to no object is hatched
 *     └─────┴─────┴─────┴░░┘
 *     0     1344  2688           bytes from the beginning
 */
import {
  type CacheLayout,
  type LayoutBox,
  objectBoxes,
  type Segment,
  slabBoxes,
} from '../../lab/layout/index.js';
import { centre, displayWidth, padLeft, padRight } from './text.js';

const HATCH = '░';

/**
 * Where each box begins, and where the last ends, in columns: to scale, but every box has room for its
 * border and a sign.
 */
function borders(boxes: readonly LayoutBox[], width: number): number[] {
  const least = 2;
  const small = new Set<LayoutBox>();
  let scale = 0;
  for (let before = -1; before < small.size; ) {
    before = small.size;
    const bytes = boxes.reduce((sum, box) => sum + (small.has(box) ? 0 : box.bytes), 0);
    scale = (width - 1 - least * small.size) / bytes;
    for (const box of boxes) if (box.bytes * scale < least) small.add(box);
  }
  const at = [0];
  let columns = 0;
  for (const box of boxes) {
    columns += small.has(box) ? least : box.bytes * scale;
    at.push(Math.round(columns));
  }
  return at;
}

/** The lines of a row of boxes, with the offset of each where there is room for it. */
function drawBoxes(boxes: readonly LayoutBox[], at: readonly number[]): string[] {
  const inner = boxes.map((_, i) => at[i + 1]! - at[i]! - 1);
  const row = (
    begin: string,
    between: string,
    end: string,
    fill: (box: LayoutBox, columns: number) => string,
  ) => begin + boxes.map((box, i) => fill(box, inner[i]!)).join(between) + end;
  const edge = (_: LayoutBox, columns: number) => '─'.repeat(columns);
  const content = ({ labels, hatched }: LayoutBox, columns: number) => {
    const label =
      labels.find((text) => displayWidth(text) + (hatched && text.length > 1 ? 2 : 0) <= columns) ?? '';
    if (!hatched) return centre(label, columns);
    const text = label.length > 1 ? ` ${label} ` : label;
    const left = Math.floor((columns - displayWidth(text)) / 2);
    return HATCH.repeat(left) + text + HATCH.repeat(columns - left - displayWidth(text));
  };
  let offset = 0;
  const offsets = [0, ...boxes.map((box) => (offset += box.bytes))];
  return [
    row('┌', '┬', '┐', edge),
    row('│', '│', '│', content),
    row('└', '┴', '┘', edge),
    ruler(offsets, at),
  ];
}

/** Numbers under the places that they name: the first, the last, and as many between as do not touch. */
function ruler(offsets: readonly number[], at: readonly number[]): string {
  const width = at.at(-1)! + 1;
  const last = String(offsets.at(-1)!);
  let line = '';
  offsets.slice(0, -1).forEach((offset, i) => {
    const text = String(offset);
    if (i > 0 && displayWidth(line) + 2 > at[i]!) return;
    if (at[i]! + text.length + 2 > width - last.length) return;
    line = padRight(line, at[i]!) + text;
  });
  return line + padLeft(last, width - displayWidth(line));
}

/** One slab: its objects to scale and alike, the rest hatched. */
export function drawSlab(layout: CacheLayout, width: number): string[] {
  const { objects, slabSize, slabBytes } = layout;
  const { before, objects: all, after } = slabBoxes(layout);
  const columnsOf = ({ bytes }: LayoutBox, columns: number) =>
    Math.max(2, Math.round((bytes / slabSize) * columns));
  const sum = (boxes: readonly LayoutBox[], columns: number) =>
    boxes.reduce((total, box) => total + columnsOf(box, columns), 0);
  let columns = Math.floor(((width - 1) * slabSize) / slabBytes);
  while (objects * columns + sum([...before, ...after], columns) > width - 1) columns--;
  if (columns < 2) {
    const labels = [`${objects} objects, too many to draw each`];
    const boxes = [...before, { bytes: objects * slabSize, labels, hatched: false }, ...after];
    return drawBoxes(boxes, borders(boxes, width));
  }
  const at = [0];
  for (const box of before) at.push(at.at(-1)! + columnsOf(box, columns));
  for (let i = 0; i < objects; i++) at.push(at.at(-1)! + columns);
  for (const box of after) at.push(at.at(-1)! + columnsOf(box, columns));
  return drawBoxes([...before, ...all, ...after], at);
}

/** One object with all that surrounds it. */
export function drawObject(segments: readonly Segment[], width: number): string[] {
  const boxes = objectBoxes(segments);
  return drawBoxes(boxes, borders(boxes, width));
}
