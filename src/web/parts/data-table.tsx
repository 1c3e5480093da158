/**
 * A table of any number of rows: only those in sight are in the document. Heads sort; the arrow keys, Home, End and the page keys move
 * along the rows, Enter and Space pick one.
 */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';
import './data-table.css';
import { type OrderedColumn, orderAfter, type TableOrder } from './table-order.js';

export interface TableColumn<Row> extends OrderedColumn<Row> {
  readonly head: ComponentChildren;
  /** What the head means, in a few words. */
  readonly about?: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** What a cell says in full, shown when it is pointed at. */
  readonly title?: (row: Row) => string;
  /** Words, which stand on the left and begin with the first of the alphabet when they are sorted. */
  readonly left?: boolean;
  /** A width of CSS; where there is more room all become wider alike, where there is less the table is scrolled sideways. */
  readonly width: string;
  /** Stays away where there is little room. */
  readonly wide?: boolean;
}

interface DataTableProps<Row> {
  /** What the table is, for those who do not see it. */
  readonly label: string;
  readonly columns: readonly TableColumn<Row>[];
  /** In the order in which they are shown. */
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly order?: TableOrder;
  readonly onOrder?: (order: TableOrder) => void;
  /** The row that is picked, by its key. */
  readonly picked?: string | undefined;
  readonly onPick?: (row: Row) => void;
  readonly rowClass?: (row: Row) => string;
  /** What stands there without rows. */
  readonly empty?: ComponentChildren;
}

const ROW_HEIGHT = 26;
const OVERSCAN = 12;

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, columns, rows, keyOf, picked, onPick, rowClass, empty } = props;
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer(rows.length, scroller);
  const [active, setActive] = useState(-1);
  const pickedAt = picked === undefined ? -1 : rows.findIndex((row) => keyOf(row) === picked);
  const at = Math.min(active === -1 ? pickedAt : active, rows.length - 1);

  // What was picked elsewhere, in a link for one, comes into sight.
  useEffect(() => {
    if (pickedAt >= 0) virtualizer.scrollToIndex(pickedAt, { align: 'auto' });
    setActive(-1);
  }, [picked, pickedAt >= 0]);

  const page = () => Math.max(Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 2, 1);
  function onKeyDown(event: KeyboardEvent): void {
    // Heads and what stands in cells have keys of their own.
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = {
      ArrowDown: at + 1,
      ArrowUp: Math.max(at, 1) - 1,
      PageDown: at + page(),
      PageUp: at - page(),
      Home: 0,
      End: rows.length - 1,
    }[event.key];
    if (to !== undefined) {
      const row = Math.max(0, Math.min(to, rows.length - 1));
      setActive(row);
      virtualizer.scrollToIndex(row, { align: 'auto' });
    } else if ((event.key === 'Enter' || event.key === ' ') && rows[at] !== undefined) onPick?.(rows[at]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  const items = virtualizer.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const behind = virtualizer.getTotalSize() - (items.at(-1)?.end ?? 0);
  const rowId = (index: number) => `${id}-${index}`;
  const inSight = items.some(({ index }) => index === at);
  return (
    <div class="data-table" ref={scroller}>
      <table
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: its rows are picked with keys, which is what a grid is.
        role="grid"
        aria-label={label}
        aria-rowcount={rows.length + 1}
        aria-activedescendant={inSight ? rowId(at) : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <colgroup>
          {columns.map((column) => (
            <col key={column.id} class={column.wide ? 'wide' : ''} style={{ width: column.width }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.id} column={column} {...props} />
            ))}
          </tr>
        </thead>
        <tbody>
          {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it stands for rows out of sight. */}
          {before > 0 && <tr role="presentation" style={{ height: `${before}px` }} />}
          {items.map(({ index }) => {
            const row = rows[index]!;
            const key = keyOf(row);
            const marks = [index === at ? 'at' : '', rowClass?.(row) ?? '', index % 2 === 1 ? 'odd' : ''];
            return (
              <tr
                key={key}
                id={rowId(index)}
                class={marks.filter((mark) => mark !== '').join(' ')}
                aria-rowindex={index + 2}
                aria-selected={onPick ? key === picked : undefined}
                data-key={key}
                onClick={() => onPick?.(row)}
              >
                {columns.map((column) => (
                  <td
                    key={column.id}
                    class={cellClass(column)}
                    title={column.title?.(row)}
                    data-column={column.id}
                    data-value={column.value(row)}
                  >
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: as above. */}
          {behind > 0 && <tr role="presentation" style={{ height: `${behind}px` }} />}
        </tbody>
      </table>
      {rows.length === 0 && <p class="data-table-empty">{empty ?? 'Nothing to show.'}</p>}
    </div>
  );
}

function Head<Row>({
  column,
  order,
  onOrder,
}: { readonly column: TableColumn<Row> } & Pick<DataTableProps<Row>, 'order' | 'onOrder'>) {
  const isBy = order?.column === column.id;
  const way = isBy ? (order.descending ? 'descending' : 'ascending') : undefined;
  const sort = () =>
    onOrder?.(
      orderAfter(
        order ?? { column: '', descending: false },
        column.id,
        column.left ? 'ascending' : 'descending',
      ),
    );
  const arrow = (
    <span aria-hidden="true" class="way">
      {isBy ? (order.descending ? '▾' : '▴') : ''}
    </span>
  );
  return (
    <th scope="col" class={cellClass(column)} aria-sort={way} title={column.about}>
      {onOrder === undefined ? (
        column.head
      ) : (
        <button type="button" onClick={sort}>
          {!column.left && arrow}
          {column.head}
          {column.left && arrow}
        </button>
      )}
    </th>
  );
}

function cellClass<Row>({ left, wide }: TableColumn<Row>): string {
  return `${left ? 'left' : 'number'}${wide ? ' wide' : ''}`;
}

function useVirtualizer(
  count: number,
  scroller: { readonly current: HTMLDivElement | null },
): Virtualizer<HTMLDivElement, Element> {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
    // The heads stay on top and lie over what is scrolled to.
    scrollPaddingStart: ROW_HEIGHT + 4,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    initialRect: { width: 800, height: 600 },
    onChange: () => redraw(undefined as never),
  };
  const [virtualizer] = useState(() => new Virtualizer<HTMLDivElement, Element>(options));
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  return virtualizer;
}
