/** Where the tables lie: on all of RAM, with the line that 32 bits reach to, and page by page. */
import { formatAddress, formatBytes, formatCount } from '../../../base/index.js';
import type { IommuResult } from '../../../lab/index.js';
import { LIMIT, ramSpan, TABLE_ENTRIES, tableMarks, tablePages, tableWords } from './levels.js';

interface RamProps {
  readonly result: IommuResult;
  /** The table behind the address that is looked at. */
  readonly chosen: number | undefined;
}

/** Of the drawing, in its own units. */
const WIDTH = 1000;
const TABLE_BYTES = 1024;

export function Ram({ result, chosen }: RamProps) {
  const { machine, firstLevel } = result;
  const { begin, end, limit } = ramSpan(machine.ram);
  const x = (address: number) => ((address - begin) / (end - begin)) * WIDTH;
  const words = whereWords(result);
  return (
    <section class="iommu-memory" aria-label="Memory">
      <svg
        class="iommu-ram"
        viewBox={`0 0 ${WIDTH} 26`}
        preserveAspectRatio="none"
        role="img"
        aria-label={words}
      >
        {machine.ram.map((range) => (
          <rect
            key={range.start}
            class="iommu-range"
            x={x(range.start)}
            y={4}
            width={x(range.end) - x(range.start)}
            height={18}
          />
        ))}
        {firstLevel && (
          <rect class="iommu-mark first" x={x(firstLevel.address)} y={1} width={3} height={24} />
        )}
        {tableMarks(result, WIDTH).map(({ at, tables }) => (
          <rect
            key={at}
            class={`iommu-mark ${tables.some(({ id }) => id === chosen) ? 'chosen' : ''}`}
            data-tables={tables.length}
            x={at}
            y={4}
            width={2}
            height={18}
          >
            <title>{markWords(tables)}</title>
          </rect>
        ))}
        {limit !== undefined && (
          <line class="iommu-limit" x1={limit * WIDTH} y1={0} x2={limit * WIDTH} y2={26} />
        )}
      </svg>
      <div class="iommu-ruler">
        <span>{formatBytes(begin)}</span>
        <span class="iommu-where">{words}</span>
        {limit !== undefined && (
          <span class="iommu-limit-words" style={{ left: `${limit * 100}%` }}>
            4 GiB
          </span>
        )}
        <span>{formatBytes(end)}</span>
      </div>
    </section>
  );
}

function whereWords({ machine, tables, firstLevel }: IommuResult): string {
  const above = tables.filter(({ address }) => address + TABLE_BYTES > LIMIT).length;
  const first =
    firstLevel === null
      ? ''
      : `; the first level at ${formatAddress(firstLevel.address)} in ${firstLevel.zone}`;
  const where =
    tables.length === 0
      ? 'no second-level table is live'
      : above > 0
        ? `${formatCount(above)} of ${formatCount(tables.length)} tables lie above 4 GiB`
        : `all ${formatCount(tables.length)} second-level tables lie below 4 GiB`;
  return `RAM of ${machine.name}: ${where}${first}`;
}

function markWords(tables: IommuResult['tables']): string {
  const [first] = tables;
  if (first === undefined) return '';
  return tables.length === 1
    ? tableWords(first)
    : `${formatCount(tables.length)} tables from ${formatAddress(first.address)} on`;
}

/** Pages in a row, and how large a table is drawn. */
const PER_ROW = 32;
const SLOT = 7;

export function Pages({
  result,
  chosen,
  onChoose,
}: RamProps & { readonly onChoose: (iova: number) => void }) {
  const pages = tablePages(result.tables);
  if (pages.length === 0) return null;
  const columns = Math.min(PER_ROW, pages.length);
  const pitch = 4 * SLOT + 4;
  const height = Math.ceil(pages.length / columns) * (SLOT + 5);
  return (
    <details class="iommu-pages" open>
      <summary>
        Page by page{' '}
        <span class="iommu-about">
          {formatCount(pages.length)} pages of {formatBytes(4096)} hold live tables, four fit on one; the
          fuller a table, the fuller its box
        </span>
      </summary>
      <svg
        viewBox={`0 0 ${columns * pitch} ${height}`}
        style={{ width: `${columns * pitch}px` }}
        role="img"
        aria-label={`${pages.length} pages with ${result.tables.length} live tables`}
      >
        {pages.map(({ address, slots }, i) => {
          const [x, y] = [(i % columns) * pitch, Math.floor(i / columns) * (SLOT + 5)];
          return (
            <g key={address}>
              <rect class="iommu-page" x={x + 0.5} y={y + 0.5} width={4 * SLOT + 1} height={SLOT + 2} />
              {slots.map((table, slot) => {
                if (table === undefined) return null;
                const { iova, used, id } = table;
                const full = (used / TABLE_ENTRIES) * SLOT;
                return (
                  // biome-ignore lint/a11y/noStaticElementInteractions: the grids lead to each of these with keys.
                  <g
                    key={id}
                    class={`iommu-slot ${used === 0 ? 'empty' : ''} ${id === chosen ? 'chosen' : ''}`}
                    data-table={id}
                    onClick={() => iova !== null && onChoose(iova)}
                  >
                    <title>{tableWords(table)}</title>
                    <rect
                      class="iommu-slot-box"
                      x={x + 1.5 + slot * SLOT}
                      y={y + 2}
                      width={SLOT - 1}
                      height={SLOT - 1}
                    />
                    {used > 0 && (
                      <rect
                        class="iommu-slot-full"
                        x={x + 1.5 + slot * SLOT}
                        y={y + 1 + SLOT - Math.max(full - 1, 1)}
                        width={SLOT - 1}
                        height={Math.max(full - 1, 1)}
                      />
                    )}
                  </g>
                );
              })}
            </g>
          );
        })}
      </svg>
    </details>
  );
}
