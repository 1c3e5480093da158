/** Lines over time as SVG, drawn from a bounded number of points: no script, no font, no file of its own. */
import { largestOf, pushAll } from '../../base/index.js';
import { escapeHtml } from './html-page.js';

export interface ChartLine {
  readonly name: string;
  /** A value for each point. */
  readonly values: readonly number[];
  /** The least and the most around each, if known: drawn as a band. */
  readonly least?: readonly number[];
  readonly most?: readonly number[];
}

export interface ChartMark {
  readonly x: number;
  readonly name: string;
}

export interface Chart {
  /** Says what is drawn; read out where nobody sees it. */
  readonly title: string;
  readonly caption: string;
  readonly lines: readonly ChartLine[];
  /** Of each point, ascending. */
  readonly x: readonly number[];
  readonly formatX: (x: number) => string;
  readonly formatY: (y: number) => string;
  /** Y's unit steps in powers of two (bytes) rather than ten. */
  readonly isBytes: boolean;
  readonly marks?: readonly ChartMark[];
}

const WIDTH = 1040;
const HEIGHT = 320;
const LEFT = 74;
const RIGHT = 210;
const TOP = 36;
const BOTTOM = 30;
const LABEL_GAP = 16;
/** A marker's name is no longer than so many units. */
const MARK_WIDTH = 110;
const COLOURS = 8;
const TICKS_MAX = 20;
/** Lines of equal colour never have equal dashes. */
const DASHES = ['', '7 3', '2 3', '9 3 2 3', '4 2', '12 4', '1 2', '6 2 1 2 1 2'];

export function lineChart({
  title,
  caption,
  lines,
  x,
  formatX,
  formatY,
  isBytes,
  marks = [],
}: Chart): string {
  const firstX = x[0] ?? 0;
  const endX = x.at(-1) ?? firstX;
  // Where no time passes, points lie at the left.
  const lastX = endX > firstX ? endX : firstX + 1;
  const top = Math.max(1, largestOf(lines.map(({ values, most = values }) => largestOf(most))));
  const step = niceStep(top / 4, isBytes);
  const topTick = Math.ceil(top / step) * step;
  const right = WIDTH - RIGHT;
  const atX = (value: number) => LEFT + ((value - firstX) / (lastX - firstX)) * (right - LEFT);
  const atY = (value: number) => HEIGHT - BOTTOM - (value / topTick) * (HEIGHT - BOTTOM - TOP);
  const points = (values: readonly number[]) => values.map((value, i) => point(atX(x[i]!), atY(value)));
  const parts: string[] = [];
  for (const y of ticks(0, topTick, step)) {
    const label = escapeHtml(formatY(y));
    parts.push(`<line class="grid" x1="${LEFT}" x2="${right}" y1="${one(atY(y))}" y2="${one(atY(y))}"/>`);
    parts.push(`<text x="${LEFT - 8}" y="${one(atY(y) + 4)}" text-anchor="end">${label}</text>`);
  }
  for (const tick of ticks(firstX, lastX, niceStep((lastX - firstX) / 6, false))) {
    const label = escapeHtml(formatX(tick));
    parts.push(`<text x="${one(atX(tick))}" y="${HEIGHT - 10}" text-anchor="middle">${label}</text>`);
  }
  pushAll(
    parts,
    markers(
      marks.filter(({ x: at }) => at >= firstX && at <= lastX),
      atX,
    ),
  );
  lines.forEach(({ values, least, most }, i) => {
    const look = `c${i % COLOURS}`;
    if (least !== undefined && most !== undefined)
      parts.push(
        `<polygon class="band ${look}" points="${[...points(most), ...points(least).reverse()].join(' ')}"/>`,
      );
    const dash = DASHES[i % DASHES.length]!;
    const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
    parts.push(`<polyline class="line ${look}"${dashes} points="${points(values).join(' ')}"/>`);
  });
  pushAll(parts, labels(lines, atY, right));
  return [
    `<figure><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">`,
    ...parts,
    `</svg><figcaption>${escapeHtml(caption)}</figcaption></figure>`,
  ].join('\n');
}

/** A line down for each marker, and its name: one row higher than the one before where they would cover each other. */
function markers(marks: readonly ChartMark[], atX: (x: number) => number): string[] {
  let before = Number.NEGATIVE_INFINITY;
  let isRaised = false;
  return marks.flatMap(({ x, name }) => {
    const at = atX(x);
    isRaised = at - before < MARK_WIDTH && !isRaised;
    before = at;
    return [
      `<line class="mark" x1="${one(at)}" x2="${one(at)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`,
      `<text x="${one(at)}" y="${TOP - (isRaised ? 22 : 8)}" text-anchor="middle">${escapeHtml(name)}</text>`,
    ];
  });
}

/** Each line's name at its end, with a piece of its dashes, moved apart where they would cover each other. */
function labels(lines: readonly ChartLine[], atY: (value: number) => number, right: number): string[] {
  const places = lines
    .map(({ name, values }, i) => ({ name, i, y: atY(values.at(-1) ?? 0) }))
    .sort((a, b) => a.y - b.y);
  let lowest = TOP;
  for (const place of places) {
    place.y = Math.max(place.y, lowest);
    lowest = place.y + LABEL_GAP;
  }
  // What ran out at the bottom pushes the others up again.
  let highest = HEIGHT - BOTTOM;
  for (const place of [...places].reverse()) {
    place.y = Math.min(place.y, highest);
    highest = place.y - LABEL_GAP;
  }
  return places.flatMap(({ name, i, y }) => {
    const look = `c${i % COLOURS}`;
    const dash = DASHES[i % DASHES.length]!;
    const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
    const text = name.length > 26 ? `${name.slice(0, 25)}…` : name;
    return [
      `<line class="line ${look}"${dashes} x1="${right + 6}" x2="${right + 28}" y1="${one(y)}" y2="${one(y)}"/>`,
      `<text class="name ${look}" x="${right + 33}" y="${one(y + 4)}"><title>${escapeHtml(name)}</title>${escapeHtml(text)}</text>`,
    ];
  });
}

/** 1, 2, 5, 10, 20, … or with bytes 1, 2, 4, 8, … */
export function niceStep(about: number, isBytes: boolean): number {
  if (isBytes) return 2 ** Math.ceil(Math.log2(Math.max(about, 1)));
  const power = 10 ** Math.floor(Math.log10(Math.max(about, Number.MIN_VALUE)));
  return power * ([1, 2, 5].find((each) => each * power >= about) ?? 10);
}

/** Multiples of a step within two ends; a few, whatever the numbers. */
function ticks(from: number, to: number, step: number): number[] {
  const first = Math.ceil(from / step);
  const count = Math.min(Math.floor(to / step) - first + 1, TICKS_MAX);
  return Array.from({ length: Math.max(count, 0) }, (_, i) => (first + i) * step);
}

const one = (value: number) => String(Math.round(value * 10) / 10);
const point = (x: number, y: number) => `${one(x)},${one(y)}`;
