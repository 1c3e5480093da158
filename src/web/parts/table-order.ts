/** What a table shows: the rows that a filter lets through, in the order of a column. */

/** By which column, and whether its largest comes first. */
export interface TableOrder {
  readonly column: string;
  readonly descending: boolean;
}

/** What a column is sorted by. */
export interface OrderedColumn<Row> {
  readonly id: string;
  readonly value: (row: Row) => number | string;
}

/** A new list; rows that are equal keep the order they had. Of a column that is not there the rows stay as they are. */
export function orderedRows<Row>(
  rows: readonly Row[],
  columns: readonly OrderedColumn<Row>[],
  { column, descending }: TableOrder,
): Row[] {
  const of = columns.find(({ id }) => id === column)?.value;
  if (of === undefined) return [...rows];
  const sign = descending ? -1 : 1;
  return rows
    .map((row) => ({ row, value: of(row) }))
    .sort((a, b) => sign * compared(a.value, b.value))
    .map(({ row }) => row);
}

/** Names as people sort them: kmalloc-8 before kmalloc-16 before kmalloc-1k. */
const NAMES = new Intl.Collator('en', { numeric: true });
const SIZE = /(\d+)([kM])\b/g;

function compared(a: number | string, b: number | string): number {
  return typeof a === 'number' && typeof b === 'number'
    ? a - b
    : NAMES.compare(inBytes(String(a)), inBytes(String(b)));
}

function inBytes(name: string): string {
  return name.replace(SIZE, (_, count: string, unit: string) =>
    String(Number(count) * 1024 ** (unit === 'k' ? 1 : 2)),
  );
}

/** The order after a click on a column's head: another column begins with `first`, the same one turns round. */
export function orderAfter(order: TableOrder, column: string, first: 'ascending' | 'descending'): TableOrder {
  if (order.column === column) return { column, descending: !order.descending };
  return { column, descending: first === 'descending' };
}

/** `size-desc`, as an address has it, and back. */
export function orderText({ column, descending }: TableOrder): string {
  return `${column}-${descending ? 'desc' : 'asc'}`;
}

export function orderFrom(
  text: string | undefined,
  columns: readonly { readonly id: string }[],
): TableOrder | undefined {
  const [, column = '', way] = /^(.+)-(asc|desc)$/.exec(text ?? '') ?? [];
  return columns.some(({ id }) => id === column) ? { column, descending: way === 'desc' } : undefined;
}

/**
 * Whether one of some texts has every word of a filter in it, whatever the case. A word with a `-` in front must be in none; one that
 * begins with `^` or ends in `$` must stand there.
 */
export function passes(filter: string, texts: readonly string[]): boolean {
  const all = texts.map((text) => text.toLowerCase());
  const words = filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return words.every((word) => {
    const without = word.startsWith('-') && word.length > 1;
    return without ? !all.some((text) => has(text, word.slice(1))) : all.some((text) => has(text, word));
  });
}

function has(text: string, word: string): boolean {
  const begins = word.startsWith('^') && word.length > 1;
  const ends = word.endsWith('$') && word.length > 1;
  const what = word.slice(begins ? 1 : 0, ends ? -1 : undefined);
  if (begins && ends) return text === what;
  return begins ? text.startsWith(what) : ends ? text.endsWith(what) : text.includes(what);
}
