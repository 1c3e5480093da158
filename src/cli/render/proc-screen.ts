/** /proc/slabinfo for people: its columns without those that follow from others, as narrow as what stands in them. */
import { ArgumentError } from '../../base/index.js';
import type { SlabinfoRow, SlabinfoSort } from '../../text/index.js';
import type { Terminal } from '../terminal.js';
import { type Column, renderTable } from './table.js';

const column = (head: readonly string[], of: (row: SlabinfoRow) => number): Column<SlabinfoRow> => ({
  name: head.join(' '),
  head,
  cell: (row) => String(of(row)),
  raw: of,
});

const COLUMNS: readonly Column<SlabinfoRow>[] = [
  { name: 'name', head: ['', 'name'], left: true, cell: ({ name }) => name, raw: ({ name }) => name },
  column(['active', 'objs'], (row) => row.activeObjs),
  column(['num', 'objs'], (row) => row.numObjs),
  column(['obj', 'size'], (row) => row.objSize),
  column(['objs', '/slab'], (row) => row.objPerSlab),
  {
    name: 'tunables',
    head: ['limit/batch', '/shared'],
    cell: (row) => `${row.limit}/${row.batchCount}/${row.sharedFactor}`,
    raw: () => null,
  },
  column(['active', 'slabs'], (row) => row.activeSlabs),
  column(['num', 'slabs'], (row) => row.numSlabs),
  column(['shared', 'avail'], (row) => row.sharedAvail),
];

export function procScreen(
  rows: readonly SlabinfoRow[],
  { width, style }: Pick<Terminal, 'width' | 'style'>,
): string[] {
  return renderTable(COLUMNS, rows, { width, style });
}

/** What comes first, as far as these numbers say it. `name` keeps the kernel's order, newest first. */
const SORT_KEYS: Readonly<Partial<Record<SlabinfoSort, (row: SlabinfoRow) => number>>> = {
  name: () => 0,
  size: (row) => row.numSlabs * row.pagesPerSlab,
  loss: (row) => (row.numObjs - row.activeObjs) * row.objSize,
};

/** Throws ArgumentError for an order that the slabinfo tool has from /sys/kernel/slab. */
export function sortRows(rows: readonly SlabinfoRow[], sort: SlabinfoSort): SlabinfoRow[] {
  const key = SORT_KEYS[sort];
  if (key === undefined)
    throw new ArgumentError(`--sort ${sort} needs numbers that /proc/slabinfo does not have`);
  return [...rows].sort((a, b) => key(b) - key(a));
}
