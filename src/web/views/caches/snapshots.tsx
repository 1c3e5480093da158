/** What a kernel's /proc/slabinfo said, where there are snapshots and no trace. */
import { formatBytes, formatCount, formatShare } from '../../../base/index.js';
import type { SlabinfoRow } from '../../../text/index.js';
import { DataTable, type TableColumn } from '../../parts/data-table.js';
import { formatSeconds } from '../../parts/format.js';
import { orderedRows, orderFrom, orderText, passes, type TableOrder } from '../../parts/table-order.js';
import { extras, filter, setExtra } from '../../state/store.js';
import type { OpenedSnapshots } from '../../worker/open-calls.js';
import { FilterInput } from './filter-input.js';

const FIRST_ORDER: TableOrder = { column: 'bytes', descending: true };

/** slabinfo tells pages, not their size: this is that of the kernels whose files people mostly have. */
const PAGE_BYTES = 4096;

const bytesOf = ({ numSlabs, pagesPerSlab }: SlabinfoRow) => numSlabs * pagesPerSlab * PAGE_BYTES;
const useOf = ({ activeObjs, numObjs }: SlabinfoRow) => (numObjs === 0 ? 0 : activeObjs / numObjs);
const unusedOf = (row: SlabinfoRow) => Math.max(bytesOf(row) - row.activeObjs * row.objSize, 0);

function counted(
  id: string,
  head: string,
  about: string,
  value: (row: SlabinfoRow) => number,
): TableColumn<SlabinfoRow> {
  return { id, head, about, value, cell: (row) => formatCount(value(row)), width: '5.4rem' };
}

const COLUMNS: readonly TableColumn<SlabinfoRow>[] = [
  {
    id: 'name',
    head: 'cache',
    value: ({ name }) => name,
    cell: ({ name }) => <span class="mono">{name}</span>,
    title: ({ name }) => name,
    left: true,
    width: '13rem',
  },
  {
    id: 'bytes',
    head: 'memory',
    about: 'Slabs times their pages, of 4 KiB',
    value: bytesOf,
    cell: (row) => formatBytes(bytesOf(row)),
    width: '5.8rem',
  },
  {
    id: 'use',
    head: 'active',
    about:
      'The share of objects that the kernel calls active: with SLUB those of slabs that CPUs hold count in full',
    value: useOf,
    cell: (row) => (row.numObjs === 0 ? '–' : formatShare(useOf(row))),
    width: '6rem',
  },
  counted('activeObjs', 'active', 'active_objs', ({ activeObjs }) => activeObjs),
  counted('numObjs', 'objects', 'num_objs', ({ numObjs }) => numObjs),
  {
    id: 'unused',
    head: 'not active',
    about: 'Bytes of its slabs that are no active object’s',
    value: unusedOf,
    cell: (row) => formatBytes(unusedOf(row)),
    width: '5.8rem',
  },
  counted('objSize', 'size', 'objsize: bytes from one object to the next', ({ objSize }) => objSize),
  counted('numSlabs', 'slabs', 'num_slabs', ({ numSlabs }) => numSlabs),
  {
    id: 'shape',
    head: 'a slab',
    about: 'objperslab and pagesperslab',
    value: ({ objPerSlab }) => objPerSlab,
    cell: ({ objPerSlab, pagesPerSlab }) =>
      `${objPerSlab} in ${pagesPerSlab} page${pagesPerSlab === 1 ? '' : 's'}`,
    width: '8rem',
    wide: true,
  },
];

export function SnapshotCaches({ open }: { readonly open: OpenedSnapshots }) {
  const { all } = open;
  const chosen = Number(extras.value.get('snapshot') ?? all.length - 1);
  const at = all[chosen] ?? all.at(-1);
  if (at === undefined) return <p class="empty-state">{open.file} has no snapshot in it.</p>;
  const order = orderFrom(extras.value.get('sort'), COLUMNS) ?? FIRST_ORDER;
  const rows = orderedRows(
    at.rows.filter(({ name }) => passes(filter.value, [name])),
    COLUMNS,
    order,
  );
  const sum = (of: (row: SlabinfoRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  return (
    <section class="caches" aria-label="Caches of a snapshot">
      <div class="caches-list">
        <div class="toolbar">
          <FilterInput />
          {all.length > 1 && (
            <label>
              snapshot{' '}
              <select
                value={String(all.indexOf(at))}
                onChange={(event) => setExtra('snapshot', event.currentTarget.value)}
              >
                {all.map(({ name, time }, i) => (
                  <option key={name} value={String(i)}>
                    {name} {time > 0 ? `at ${formatSeconds(time, 3)}` : ''}
                  </option>
                ))}
              </select>
            </label>
          )}
          <p class="sum" role="status">
            <strong>{formatCount(rows.length)}</strong> caches · <strong>{formatBytes(sum(bytesOf))}</strong>{' '}
            in slabs, with pages of 4 KiB · {formatBytes(sum(unusedOf))} not active
            {open.kernel === '' ? '' : ` · Linux ${open.kernel}`}
          </p>
        </div>
        <DataTable<SlabinfoRow>
          label={`Caches of ${at.name}`}
          columns={COLUMNS}
          rows={rows}
          keyOf={({ name }) => name}
          order={order}
          onOrder={(next) => setExtra('sort', orderText(next))}
          empty={`No cache has '${filter.value}' in its name.`}
        />
      </div>
    </section>
  );
}
