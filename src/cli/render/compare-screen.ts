/**
 * The screen of `slablab compare`: the question, what was computed, the table, the curves, the words, and
 * where to go on.
 */
import { formatBytes, formatCount, formatShare, KIB, largestOf, MIB, smallestOf } from '../../base/index.js';
import { type CompareResult, formatRatio, ramWords, type StrategyResult } from '../../lab/index.js';
import type { Terminal } from '../terminal.js';
import { ABOVE, sparkline } from './chart.js';
import { type Column, renderTable } from './table.js';
import { padRight, wrap, wrapCommand, wrapParts } from './text.js';

interface CompareScreenOptions {
  readonly terminal: Pick<Terminal, 'width' | 'textWidth' | 'style'>;
  readonly wide: boolean;
  /** The command as it was typed. */
  readonly typed: string;
}

export function compareScreen(result: CompareResult, options: CompareScreenOptions): string[] {
  const { terminal, wide, typed } = options;
  const { style, textWidth } = terminal;
  const { workload, machine } = result;
  const paragraph = (text: string) => wrap(text, textWidth, '  ');
  const layout = [
    `slablab layout --size ${workload.objectSize} --align ${workload.objectAlign}`,
    `--flags CACHE_DMA32 --cpus ${machine.cpus}`,
  ].join(' ');
  return [
    style.bold(`Where should ${formatBytes(workload.objectSize)} IOMMU tables come from?`),
    ...computed(result)
      .flatMap((parts) => wrapParts(parts, textWidth))
      .map(style.dim),
    '',
    ...mainTable(result, terminal),
    '',
    ...chart(result, terminal),
    '',
    ...(wide ? [...details(result, terminal), ''] : []),
    ...[...result.words, ...recordedWords(result)].flatMap(paragraph),
    '',
    'Next:',
    ...wrapCommand(layout, terminal.width),
    ...wrapCommand(`${typed} ${wide ? '--json' : '--wide'}`, terminal.width),
  ];
}

/** What was computed, in parts: the workload, the machine. */
function computed({ workload, machine }: CompareResult): string[][] {
  return [
    [
      `${formatCount(workload.events)} events: ${workload.title}`,
      `at most ${formatCount(workload.peakLive)} live`,
      workload.source,
    ],
    [
      `${machine.name}: ${ramWords(machine)}`,
      `Linux ${machine.kernel}`,
      `${machine.cpus} CPU${machine.cpus === 1 ? '' : 's'}`,
    ],
  ];
}

function fails({ refused, failed }: StrategyResult): boolean {
  return refused + failed > 0;
}

/** The unit that all sizes of a result share, and a size in it. */
function sizesOf({ strategies }: CompareResult): { unit: string; size: (bytes: number) => string } {
  const smallest = smallestOf(strategies.map((s) => s.peakBytes));
  if (smallest < MIB) {
    return {
      unit: 'KiB',
      size: (bytes) => (bytes > 0 && bytes < KIB / 2 ? '<1' : formatCount(Math.round(bytes / KIB))),
    };
  }
  const size = (bytes: number) => {
    const mib = bytes / MIB;
    if (mib > 0 && mib < 0.005) return '<0.01';
    if (mib >= 999.95) return formatCount(Math.round(mib));
    return mib.toFixed(mib < 99.995 ? 2 : 1);
  };
  return { unit: 'MiB', size };
}

/** The figures that every form of the table has. */
function figureColumns(result: CompareResult): Column<StrategyResult>[] {
  const { unit, size } = sizesOf(result);
  const bytes = (name: string, head: string, of: (s: StrategyResult) => number): Column<StrategyResult> => ({
    name,
    head: [head, unit],
    cell: (s) => size(of(s)),
    raw: of,
  });
  return [
    bytes('peakBytes', 'peak', (s) => s.peakBytes),
    bytes('meanBytes', 'mean', (s) => s.meanBytes),
    bytes('endBytes', 'end', (s) => s.endBytes),
    bytes('drainedBytes', 'freed', (s) => s.drainedBytes),
    {
      name: 'wastePeak',
      head: ['×', 'asked'],
      cell: (s) => formatRatio(s.wastePeak),
      raw: (s) => s.wastePeak,
    },
    {
      name: 'shareAbove4GiB',
      head: ['above', '4 GiB'],
      cell: (s) => formatShare(s.shareAbove4GiB),
      raw: (s) => s.shareAbove4GiB,
    },
  ];
}

/** Columns that the table needs with its names on one or two lines. */
const NAMES_FIT = 79;

function mainTable(
  result: CompareResult,
  { width, style, textWidth }: CompareScreenOptions['terminal'],
): string[] {
  const columns: Column<StrategyResult>[] = [
    {
      name: 'name',
      head: [''],
      left: true,
      // A narrow terminal gets the words of --strategies, which do not wrap.
      cell: (s) => `${fails(s) ? '✗' : ' '} ${width < NAMES_FIT ? s.id : s.name}`,
      raw: (s) => s.name,
    },
    ...figureColumns(result),
    {
      name: 'lost',
      head: ['refused,', 'failed'],
      cell: (s) => (fails(s) ? formatShare((s.refused + s.failed) / s.allocations) : '–'),
      raw: (s) => s.refused + s.failed,
    },
  ];
  const best = result.strategies.find((s) => !fails(s));
  const table = renderTable(columns, result.strategies, {
    width,
    style,
    rowStyle: (s) => (fails(s) ? style.bad : s === best ? style.bold : (text) => text),
    beneath: (s) => (fails(s) ? (s.messages[0] ?? `no memory for ${formatCount(s.failed)} tables`) : ''),
  });
  const legend =
    'Held at the peak, on average over the events, after the last one, and when all is freed; ' +
    '× asked is the peak against what the live tables ask for.';
  return [...table, ...wrap(legend, textWidth).map(style.dim)];
}

/**
 * The chart reaches up to so many times what is asked for: whoever holds more does not flatten the others.
 */
const CHART_TOP = 4;

/** One line a strategy, and one for what was asked. */
function chart(
  { strategies, workload }: CompareResult,
  { width, style }: CompareScreenOptions['terminal'],
): string[] {
  const labels = Math.max(largestOf(strategies.map((s) => s.id.length)), 'asked for'.length);
  const columns = Math.min(width, 120) - labels - 4;
  const peak = largestOf(strategies.map((s) => s.peakBytes));
  const top = Math.min(peak, CHART_TOP * workload.askedPeakBytes);
  const line = (label: string, series: readonly number[]) =>
    `  ${padRight(label, labels)}  ${sparkline(series, columns, top)}`.trimEnd();
  const scale = `█ is ${formatBytes(top)}${peak > top ? `, ${ABOVE} is more` : ''}`;
  return [
    ...wrap(`Bytes held over the ${formatCount(workload.events)} events, on one scale: ${scale}`, width).map(
      style.bold,
    ),
    style.dim(line('asked for', workload.asked)),
    ...strategies.map((s) => (fails(s) ? style.bad : (text: string) => text)(line(s.id, s.series))),
  ];
}

/** How far the engine's cache is from the recorded kernel's own. */
function recordedWords({ strategies }: CompareResult): string[] {
  return strategies.flatMap(({ name, recorded }) => {
    if (recorded === null) return [];
    const { samples, agreed, slabsErrorMax } = recorded;
    const within =
      slabsErrorMax === 0
        ? 'the number of slabs at each'
        : `all within ${formatShare(slabsErrorMax)} of its slabs`;
    const how = agreed === samples ? 'all in every counter' : `${agreed} in every counter, ${within}`;
    return [
      `${name} was recorded too: its slabs agree with the recorded kernel's at ${samples} samples: ${how}.`,
    ];
  });
}

const zoneNames = ({ machine }: CompareResult) => machine.zones.map((zone) => zone.name);

/** What `--wide` adds: pages by zone, the slabs' shape, the caches, the reasons. */
function details(
  result: CompareResult,
  { width, style, textWidth }: CompareScreenOptions['terminal'],
): string[] {
  const { strategies } = result;
  const count = (
    name: string,
    head: readonly string[],
    of: (s: StrategyResult) => number | null,
  ): Column<StrategyResult> => ({
    name,
    head,
    cell: (s) => (of(s) === null ? '–' : formatCount(of(s)!)),
    raw: of,
  });
  const columns: Column<StrategyResult>[] = [
    { name: 'id', head: [''], left: true, cell: (s) => `${fails(s) ? '✗' : ' '} ${s.id}`, raw: (s) => s.id },
    ...zoneNames(result).map((zone) => count(zone, ['pages,', zone], (s) => s.peakPages[zone] ?? 0)),
    {
      name: 'slab',
      head: ['order ×', 'objects'],
      cell: ({ cache }) => (cache ? `${cache.order} × ${cache.objectsPerSlab}` : '–'),
      raw: () => null,
    },
    count('orderFallbacks', ['order', 'fallbacks'], (s) => s.cache?.orderFallbacks ?? null),
    count('refused', ['', 'refused'], (s) => s.refused),
    count('failed', ['', 'failed'], (s) => s.failed),
  ];
  const reasons = strategies.flatMap((s) =>
    wrap(`${s.id}: ${cacheWords(s)}${s.why}`, textWidth, '    ', '  '),
  );
  return [
    style.bold('Pages at the peak by zone, and slabs'),
    ...renderTable(columns, strategies, {
      width,
      style,
      rowStyle: (s) => (fails(s) ? style.bad : (text) => text),
    }),
    '',
    style.bold('Why'),
    ...reasons,
  ];
}

function cacheWords({ cache }: StrategyResult): string {
  if (cache === null) return '';
  const merged = cache.mergedWith === null ? '' : `, merged with ${cache.mergedWith}`;
  return `cache ${cache.id}${merged}, ${formatCount(cache.slabSize)} bytes an object; `;
}

/** The columns of CSV and Markdown: what a reader sees in several places stands in one row there. */
export function exportColumns(result: CompareResult, wide: boolean): Column<StrategyResult>[] {
  const text = (
    name: string,
    head: string,
    of: (s: StrategyResult) => string | null,
  ): Column<StrategyResult> => ({
    name,
    head: [head],
    left: true,
    cell: (s) => of(s) ?? '',
    raw: of,
  });
  const number = (
    name: string,
    head: string,
    of: (s: StrategyResult) => number | null,
  ): Column<StrategyResult> => ({
    name,
    head: [head],
    cell: (s) => (of(s) === null ? '' : formatCount(of(s)!)),
    raw: of,
  });
  const more = [
    ...zoneNames(result).map((zone) =>
      number(`peakPages${zone}`, `pages, ${zone}`, (s) => s.peakPages[zone] ?? 0),
    ),
    text('cacheId', 'cache', (s) => s.cache?.id ?? null),
    number('order', 'order', (s) => s.cache?.order ?? null),
    number('objectsPerSlab', 'objects a slab', (s) => s.cache?.objectsPerSlab ?? null),
    number('orderFallbacks', 'order fallbacks', (s) => s.cache?.orderFallbacks ?? null),
    text('mergedWith', 'merged with', (s) => s.cache?.mergedWith ?? null),
    text('why', 'why', (s) => s.why),
  ];
  return [
    text('id', 'id', (s) => s.id),
    text('name', 'where from', (s) => s.name),
    ...figureColumns(result),
    number('refused', 'refused', (s) => s.refused),
    number('failed', 'failed', (s) => s.failed),
    number('allocations', 'of', (s) => s.allocations),
    text('message', 'message', (s) => s.messages[0] ?? null),
    ...(wide ? more : []),
  ];
}
