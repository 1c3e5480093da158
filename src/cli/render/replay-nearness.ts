/** How near a replay is to what was recorded: errors in one table, and the caches that are beyond the limit. */
import { formatCount, formatShare } from '../../base/index.js';
import type { Compared, ErrorSummary, Nearness, NearnessRow } from '../../lab/index.js';
import type { Terminal } from '../terminal.js';
import { type Column, renderTable } from './table.js';
import { wrap } from './text.js';

interface NearnessReport {
  readonly file: string;
  readonly snapshots: string;
  /** How far the slabs of a cache may be off, as a share. */
  readonly within: number;
  readonly nearness: Nearness;
  readonly held: HeldRows;
}

/** Caches at the snapshots that are evidence, by whether the number of their slabs is near enough. */
interface HeldRows {
  readonly passed: readonly NearnessRow[];
  readonly failed: readonly NearnessRow[];
}

const FAILED_SHOWN = 12;
/** The number of slabs is what the kernel says exactly; which of them are on a node's list depends on moments. */
const COUNTS = 'What passes or fails is the first row, slabs; the other rows do not count.';

/** Small caches and the snapshot that the past was estimated from are no evidence either way. */
export function holdRows({ rows, leastSlabs, judgedAt }: Nearness, within: number): HeldRows {
  const judged = rows.filter(({ at, slabs }) => at === judgedAt && slabs.recorded >= leastSlabs);
  return {
    passed: judged.filter(({ slabs }) => slabs.error <= within),
    failed: judged.filter(({ slabs }) => slabs.error > within).sort((a, b) => b.slabs.error - a.slabs.error),
  };
}

export function nearnessJson({ file, snapshots, within, nearness, held }: NearnessReport): object {
  return {
    file,
    snapshots,
    withinPercent: within * 100,
    passed: held.passed.length,
    failed: held.failed.length,
    ...nearness,
  };
}

export function nearnessScreen(
  { file, snapshots, within, nearness, held }: NearnessReport,
  { terminal, verbose }: { readonly terminal: Terminal; readonly verbose: boolean },
): string[] {
  const { style, textWidth } = terminal;
  const { leastSlabs, rows, source, judgedAt, after } = nearness;
  const shown = verbose ? rows : held.failed.slice(0, FAILED_SHOWN);
  const rest = verbose ? 0 : held.failed.length - shown.length;
  const head = verbose
    ? 'All caches at all snapshots'
    : `Caches of ${leastSlabs} slabs and more that are off by more than ${formatShare(within)}`;
  return [
    ...wrap(`${file} replayed, held against ${snapshots}: ${source}.`, textWidth, '  '),
    ...(judgedAt === 'after' && after !== null
      ? wrap(
          `No other snapshot lies within the trace. Compared was its end with ${after.snapshot}, ` +
            `taken ${after.seconds.toFixed(1)} s after the last event; that one is no part of the estimate.`,
          textWidth,
          '  ',
        )
      : []),
    '',
    ...summaries(nearness, terminal),
    ...wrap(COUNTS, textWidth).map(style.dim),
    ...(shown.length > 0 ? ['', style.bold(head), ...rowTable(shown, terminal)] : []),
    ...(rest > 0 ? [`  and ${rest} more with --verbose`] : []),
    ...reaperWords(rows, judgedAt, leastSlabs).flatMap((words) => ['', ...wrap(words, textWidth, '  ')]),
    '',
    `${formatCount(held.passed.length)} passed, ${formatCount(held.failed.length)} failed`,
  ];
}

/** Rows that hang on when SLAB's reaper came first, which nothing tells. */
function reaperWords(
  rows: readonly NearnessRow[],
  judgedAt: NearnessRow['at'],
  leastSlabs: number,
): string[] {
  const all = rows.filter(
    ({ at, slabs, dependsOnReaper }) => dependsOnReaper && at === judgedAt && slabs.recorded >= leastSlabs,
  );
  if (all.length === 0) return [];
  const told = all.slice(0, FAILED_SHOWN).map(({ cache, snapshot }) => `${cache} at ${snapshot}`);
  const rest = all.length > told.length ? ` and ${formatCount(all.length - told.length)} more` : '';
  return [
    `${all.length === 1 ? '1 row depends' : `${formatCount(all.length)} rows depend`} on when SLAB's reaper came to the cache first, ` +
      `which nothing tells: ${told.join(', ')}${rest}. What was recorded is right there if it lies between what the two cases give.`,
  ];
}

function summaries(
  { slabs, objects, active, partial, slabsAfter, leastSlabs, judgedAt }: Nearness,
  { width, style }: Terminal,
): string[] {
  const all: (readonly [what: string, errors: ErrorSummary])[] = [
    ['slabs', slabs],
    ['objects, all', objects],
    ['objects, in use', active],
    ['slabs on the node (sysfs)', partial],
    ...(judgedAt === 'after' ? [] : [['slabs after the trace', slabsAfter] as const]),
  ];
  const share = (head: string, of: (errors: ErrorSummary) => number): Column<(typeof all)[number]> => ({
    name: head,
    head: [head],
    cell: ([, errors]) => formatShare(of(errors)),
    raw: () => null,
  });
  const columns: Column<(typeof all)[number]>[] = [
    {
      name: 'what',
      head: [`error of caches with ${leastSlabs} slabs and more`],
      left: true,
      cell: ([what]) => `  ${what}`,
      raw: () => null,
    },
    share('median', ({ median }) => median),
    share('90 %', ({ p90 }) => p90),
    share('most', ({ max }) => max),
    { name: 'of', head: ['compared'], cell: ([, { count }]) => formatCount(count), raw: () => null },
  ];
  return renderTable(
    columns,
    all.filter(([, { count }]) => count > 0),
    { width, style },
  );
}

function rowTable(rows: readonly NearnessRow[], { width, style }: Terminal): string[] {
  const numbers = ({ recorded, begin, end }: Compared) => {
    const replayed = begin === end ? formatCount(end) : `${formatCount(begin)}–${formatCount(end)}`;
    return replayed === formatCount(recorded) ? replayed : `${formatCount(recorded)} → ${replayed}`;
  };
  const column = (head: string, cell: (row: NearnessRow) => string, left = false): Column<NearnessRow> => ({
    name: head,
    head: [head],
    cell,
    raw: () => null,
    left,
  });
  const columns = [
    column('  cache', ({ cache }) => `  ${cache}`, true),
    column(
      'snapshot',
      ({ snapshot, at }) => (at === 'reference' ? `${snapshot} (reference)` : snapshot),
      true,
    ),
    column('slabs', ({ slabs }) => numbers(slabs)),
    column('off', ({ slabs }) => formatShare(slabs.error)),
    column('objects', ({ objects }) => numbers(objects)),
    column('on the node', ({ partial }) => (partial === undefined ? '–' : numbers(partial))),
  ];
  return renderTable(columns, rows, { width, style });
}
