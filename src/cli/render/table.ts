/**
 * One description of a table's columns, three ways to print it: for people, as CSV with raw numbers, and as
 * Markdown.
 */
import { largestOf, pushAll } from '../../base/index.js';
import { PLAIN, type Style } from './style.js';
import { displayWidth, padLeft, padRight, wrap } from './text.js';

export interface Column<Row> {
  /** In CSV. */
  readonly name: string;
  /** Above the column, a line each; joined by blanks in Markdown. */
  readonly head: readonly string[];
  /** For people. */
  readonly cell: (row: Row) => string;
  /** In CSV; null for an empty field. */
  readonly raw: (row: Row) => string | number | null;
  /** Words stand on the left, numbers on the right. */
  readonly left?: boolean;
}

interface TableOptions<Row> {
  /** Columns of the terminal. The first column gives way and wraps. */
  readonly width: number;
  readonly style?: Style;
  /** The look of a row as a whole. */
  readonly rowStyle?: (row: Row) => (text: string) => string;
  /** Lines beneath a row, indented under it. */
  readonly beneath?: (row: Row) => string;
}

const GAP = '  ';
/** The first column is not made narrower than this. */
const FIRST_MIN = 12;
/** Nor the last one, if it holds words. */
const WORDS_MIN = 16;

/** Lines for people. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions<Row>,
): string[] {
  const { style = PLAIN } = options;
  const widths = columns.map(({ head, cell }) =>
    Math.max(largestOf(head.map(displayWidth)), largestOf(rows.map((row) => displayWidth(cell(row))))),
  );
  const total = () => widths.reduce((sum, width) => sum + GAP.length + width, -GAP.length);
  const over = total() - options.width;
  const last = columns.length - 1;
  // Words give way before names do, and what is too wide even then goes on beneath.
  const isWords = last > 0 && columns[last]!.left === true;
  if (over > 0 && isWords) widths[last] = Math.min(widths[last]!, Math.max(WORDS_MIN, widths[last]! - over));
  widths[0] = Math.min(widths[0]!, Math.max(FIRST_MIN, widths[0]! - Math.max(0, total() - options.width)));
  if (total() > options.width && columns.length > 2) return renderBelow(columns, rows, options, widths);
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (columns[i]!.left ? padRight(cell, widths[i]!) : padLeft(cell, widths[i]!)))
      .join(GAP)
      .trimEnd();
  const lines: string[] = [];
  const heads = largestOf(columns.map(({ head }) => head.length));
  for (let i = 0; i < heads; i++) lines.push(style.dim(lineOf(columns.map(({ head }) => head[i] ?? ''))));
  for (const row of rows) {
    const paint = options.rowStyle?.(row) ?? PLAIN.bold;
    const [first, ...rest] = columns.map(({ cell }) => cell(row));
    const firstLines = wrapFirst(first!, widths[0]);
    const words = isWords ? wrap(rest.pop()!, widths[last]!) : [];
    const begin = [firstLines[0]!, ...rest];
    lines.push(paint(lineOf(isWords ? [...begin, words[0] ?? ''] : begin)));
    const more = Math.max(firstLines.length, words.length);
    for (let i = 1; i < more; i++) {
      const line = [
        firstLines[i] ?? '',
        ...(words[i] === undefined ? [] : [...rest.map(() => ''), words[i]!]),
      ];
      lines.push(paint(lineOf(line)));
    }
    const beneath = options.beneath?.(row);
    if (beneath)
      pushAll(
        lines,
        wrap(beneath, options.width, '    ', '    ').map((line) => paint(line)),
      );
  }
  return lines;
}

/** A table that is wider than the terminal, as several: each has the first column, and as many others as fit. */
function renderBelow<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions<Row>,
  widths: readonly number[],
): string[] {
  let used = widths[0]!;
  const isBeyond = columns.map((_, i) => {
    if (i > 0) used += GAP.length + widths[i]!;
    return used > options.width;
  });
  const fitting = Math.max(isBeyond.indexOf(true), 2);
  const { beneath: _, ...alone } = options;
  const [first] = columns;
  return [
    ...renderTable(columns.slice(0, fitting), rows, options),
    ...renderTable([first!, ...columns.slice(fitting)], rows, alone),
  ];
}

/** Keeps the signs that a first cell begins with, and indents its further lines behind them. */
function wrapFirst(cell: string, width: number): string[] {
  const begin = /^[ ✗]*/.exec(cell)![0];
  const indent = ' '.repeat(displayWidth(begin) + 2);
  const [first = '', ...rest] = wrap(cell.slice(begin.length), width - displayWidth(begin), '');
  if (rest.length === 0) return [begin + first];
  return [begin + first, ...wrap(rest.join(' '), width - indent.length).map((line) => indent + line)];
}

/** RFC 4180, with plain newlines. */
export function renderCsv<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const field = (value: string | number | null) => {
    const text = value === null ? '' : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [
    columns.map(({ name }) => field(name)).join(','),
    ...rows.map((row) => columns.map(({ raw }) => field(raw(row))).join(',')),
  ];
}

/** A table of GitHub's Markdown, aligned in its source too. */
export function renderMarkdown<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const field = (text: string) => text.trim().replaceAll('|', '\\|').replaceAll('\n', ' ');
  const heads = columns.map(({ head }) => field(head.join(' ')));
  const cells = rows.map((row) => columns.map(({ cell }) => field(cell(row))));
  const widths = heads.map((head, i) =>
    Math.max(3, displayWidth(head), largestOf(cells.map((row) => displayWidth(row[i]!)))),
  );
  const padded = (text: string, i: number) =>
    columns[i]!.left ? padRight(text, widths[i]!) : padLeft(text, widths[i]!);
  const lineOf = (row: readonly string[]) => `| ${row.map(padded).join(' | ')} |`;
  const rule = widths.map((width, i) => (columns[i]!.left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [lineOf(heads), lineOf(rule), ...cells.map(lineOf)];
}
