/**
 * Thousands of small boxes, drawn into an array of pixels: that is quicker than a call of the canvas for each.
 */

/** A colour as a canvas stores it: red in the lowest byte, alpha in the highest. */
export type Colour = number;

/** `#88ccee` or `#8ce` as a colour. What is no such text is grey. */
export function colourOf(text: string): Colour {
  const [, short] = /^#([\da-f]{3})$/i.exec(text) ?? [];
  const long = short === undefined ? text : `#${[...short].map((digit) => digit + digit).join('')}`;
  const [, red = '80', green = '80', blue = '80'] =
    /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(long) ?? [];
  const part = (hex: string) => Number.parseInt(hex, 16);
  return colour(part(red), part(green), part(blue));
}

function colour(red: number, green: number, blue: number): Colour {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** So much of one colour over another: 0 is nothing of it, 1 is all. */
export function mixed(over: Colour, under: Colour, share: number): Colour {
  const part = (shift: number) => {
    const [a, b] = [(over >>> shift) & 255, (under >>> shift) & 255];
    return Math.round(a * share + b * (1 - share));
  };
  return colour(part(0), part(8), part(16));
}

/** Boxes are in CSS pixels; edges are rounded to those of the screen. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Row by row. */
  readonly data: Uint32Array<ArrayBuffer>;
  rect(x: number, y: number, width: number, height: number, colour: Colour): void;
  /** From the lower left to the upper right corner of a box. */
  diagonal(x: number, y: number, width: number, height: number, colour: Colour): void;
}

/** `width` and `height` are those of the screen, `ratio` how many of its pixels make one of CSS. What `data` held is overwritten. */
export function createPixels(
  width: number,
  height: number,
  ratio: number,
  ground: Colour,
  data = new Uint32Array(width * height),
): Pixels {
  data.fill(ground);
  const edge = (at: number, most: number) => Math.max(0, Math.min(Math.round(at * ratio), most));
  return {
    width,
    height,
    data,
    rect(x, y, wide, tall, paint) {
      const [left, right] = [edge(x, width), edge(x + wide, width)];
      const bottom = edge(y + tall, height);
      // Most boxes are a few pixels wide: a loop is quicker than a call of fill for each row.
      for (let row = edge(y, height); row < bottom; row++)
        for (let at = row * width + left, end = row * width + right; at < end; at++) data[at] = paint;
    },
    diagonal(x, y, wide, tall, paint) {
      const [left, right] = [edge(x, width), edge(x + wide, width)];
      const [top, bottom] = [edge(y, height), edge(y + tall, height)];
      const slope = (bottom - top) / Math.max(right - left, 1);
      for (let column = left; column < right; column++) {
        const row = Math.min(bottom - 1, Math.max(top, Math.floor(bottom - (column - left + 0.5) * slope)));
        if (row >= 0 && bottom > top) data[row * width + column] = paint;
      }
    },
  };
}
