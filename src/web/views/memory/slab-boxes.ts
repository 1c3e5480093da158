/** A slab as rows of boxes, an object each, and the arrows of its lists of free objects. */

export interface SlabBoxes {
  readonly columns: number;
  readonly rows: number;
  /** Of a box, in CSS pixels. */
  readonly width: number;
  readonly height: number;
}

/** Of a box, in CSS pixels: with room for three lines where few rows leave it. */
const HEIGHT = 40;
const HEIGHT_MOST = 60;
const FEW_ROWS = 4;
const BOX_WIDTH_LEAST = 34;
const BOX_WIDTH_MOST = 190;

/** As many boxes to a row as have room for a few words each, and no fewer than there are. */
export function slabBoxes(objects: number, width: number): SlabBoxes {
  const most = Math.max(Math.floor(width / BOX_WIDTH_LEAST), 1);
  // So wide that the boxes of a small slab say who they are, so narrow that those of a large one are all in sight.
  const wanted = Math.ceil(Math.sqrt(objects * 1.6));
  const columns = Math.max(1, Math.min(most, Math.max(wanted, Math.ceil(width / BOX_WIDTH_MOST)), objects));
  const rows = Math.max(Math.ceil(objects / columns), 1);
  return { columns, rows, width: width / columns, height: rows <= FEW_ROWS ? HEIGHT_MOST : HEIGHT };
}

/** The upper left corner of an object's box. */
export function boxAt({ columns, width, height }: SlabBoxes, index: number): { x: number; y: number } {
  return { x: (index % columns) * width, y: Math.floor(index / columns) * height };
}

/** The object at a point; undefined for none. */
export function indexAt(boxes: SlabBoxes, objects: number, x: number, y: number): number | undefined {
  const { columns, width, height } = boxes;
  const column = Math.floor(x / width);
  const index = Math.floor(y / height) * columns + column;
  return column >= 0 && column < columns && index >= 0 && index < objects ? index : undefined;
}

/** From one object of a list to the next: a curve with a bend, as three points. */
export interface Arrow {
  readonly from: readonly [x: number, y: number];
  readonly bend: readonly [x: number, y: number];
  readonly to: readonly [x: number, y: number];
}

/** Neighbours get flat arrows, far ones bend more, so that one that goes back is not drawn over one that goes on. */
export function arrowsOf(boxes: SlabBoxes, list: readonly number[]): Arrow[] {
  const middle = (index: number): readonly [number, number] => {
    const { x, y } = boxAt(boxes, index);
    return [x + boxes.width / 2, y + boxes.height * 0.68];
  };
  return list.slice(1).map((index, place) => {
    const [from, to] = [middle(list[place]!), middle(index)];
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    const bend = Math.min(0.18 * Math.hypot(dx, dy), boxes.height * 0.8);
    const length = Math.hypot(dx, dy) || 1;
    return {
      from,
      bend: [(from[0] + to[0]) / 2 + (dy / length) * bend, (from[1] + to[1]) / 2 - (dx / length) * bend],
      to,
    };
  });
}

/** The object that an arrow key leads to. */
export function neighbour(boxes: SlabBoxes, objects: number, index: number, key: string): number {
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -boxes.columns, ArrowDown: boxes.columns }[key] ?? 0;
  const next = index + by;
  return next >= 0 && next < objects ? next : index;
}
