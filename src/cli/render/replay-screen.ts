/** The screen of `slablab replay`: what was replayed, the machines side by side, curves, caches, words, and where to go on. */
import { formatBytes, formatCount, formatShare, KIB, largestOf, MIB } from '../../base/index.js';
import {
  type CacheResult,
  cacheDifferences,
  cacheLabel,
  cacheLabels,
  formatChange,
  labelsOf,
  type Pin,
  type ReplayResult,
  siteWords,
  taskWords,
} from '../../lab/index.js';
import { STDIN_NAME } from '../../node/index.js';
import type { Terminal } from '../terminal.js';
import { sparkline } from './chart.js';
import {
  assumptions,
  type NamedResult,
  namedResults,
  type ReplayReport,
  replayedParts,
  reportWords,
} from './replay-report.js';
import { type Column, renderTable } from './table.js';
import { displayWidth, padRight, wrap, wrapCommand, wrapParts } from './text.js';

interface ReplayScreenOptions {
  readonly terminal: Pick<Terminal, 'width' | 'textWidth' | 'style'>;
  readonly wide: boolean;
  /** The page that was written, if there was one. */
  readonly html?: string | undefined;
}

/** Caches that a screen tells of without --wide. */
const CACHES_TOLD = 8;
const PINS_TOLD = 10;
const ASSUMPTIONS_TOLD = 10;
const LOG_TOLD = 10;

export function replayScreen(report: ReplayReport, { terminal, wide, html }: ReplayScreenOptions): string[] {
  const { style, textWidth } = terminal;
  const several = report.others.length > 0;
  const title = several
    ? 'What would these allocations hold on another machine?'
    : 'What did these allocations hold?';
  return [
    style.bold(title),
    ...replayedParts(report)
      .flatMap((parts) => wrapParts(parts, textWidth))
      .map(style.dim),
    '',
    ...mainTable(report, terminal),
    '',
    ...chart(report, terminal),
    '',
    ...(several ? differences(report, terminal) : caches(report.base, terminal, wide)),
    ...(wide ? namedResults(report).flatMap((named) => details(named, several, terminal)) : []),
    ...reportWords(report).flatMap((words) => wrap(words, textWidth, '  ')),
    ...known(report, terminal, wide),
    '',
    'Next:',
    ...next(report, wide, html).flatMap((command) => wrapCommand(command, terminal.width)),
  ];
}

// ---- the machines --------------------------------------------------------------------------------------------------------

/** All sizes of a table in one unit. */
function sizesIn(largest: number): { unit: string; size: (bytes: number) => string } {
  if (largest < 8 * MIB) return { unit: 'KiB', size: (bytes) => formatCount(Math.round(bytes / KIB)) };
  return {
    unit: 'MiB',
    size: (bytes) => {
      const mib = bytes / MIB;
      if (mib > 0 && mib < 0.005) return '<0.01';
      return mib < 99.995 ? mib.toFixed(2) : mib < 999.95 ? mib.toFixed(1) : formatCount(Math.round(mib));
    },
  };
}

const orDash = (count: number) => (count === 0 ? '–' : formatCount(count));

function mainTable(report: ReplayReport, { width, style }: ReplayScreenOptions['terminal']): string[] {
  const rows = namedResults(report);
  const { base } = report;
  const { unit, size } = sizesIn(largestOf(rows.map(({ result }) => result.peak.bytes)));
  const column = (head: string, under: string, cell: (row: NamedResult) => string): Column<NamedResult> => ({
    name: head,
    head: [head, under],
    cell,
    raw: () => null,
  });
  const change = (of: (result: ReplayResult) => number) =>
    column('', '', ({ result, isBase }) => (isBase ? '' : formatChange(of(base), of(result))));
  const peak = ({ peak: { bytes } }: ReplayResult) => bytes;
  const end = ({ end: { bytes } }: ReplayResult) => bytes;
  const columns: Column<NamedResult>[] = [
    { name: 'name', head: [''], left: true, cell: ({ name }) => name, raw: () => null },
    column('peak', unit, ({ result }) => size(peak(result))),
    ...(rows.length > 1 ? [change(peak)] : []),
    column('end', unit, ({ result }) => size(end(result))),
    ...(rows.length > 1 ? [change(end)] : []),
    column('asked', unit, ({ result }) => size(result.end.requested)),
    column('packing', 'frees', ({ result }) => size(result.recoverable)),
    ...(rows.some(({ result }) => result.orderFallbacks > 0)
      ? [column('smaller', 'order', ({ result }) => orDash(result.orderFallbacks))]
      : []),
    ...(rows.some(({ result }) => result.failed > 0)
      ? [column('', 'failed', ({ result }) => orDash(result.failed))]
      : []),
  ];
  const table = renderTable(columns, rows, {
    width,
    style,
    rowStyle: ({ result, isBase }) => (result.failed > 0 ? style.bad : isBase ? style.bold : (text) => text),
  });
  const legend =
    'Bytes of slabs and of whole pages from kmalloc: at the peak and at the end; what was asked for at the end; what ' +
    'could be freed then by packing the live objects of each cache side by side.';
  return [...table, ...wrap(legend, Math.min(width, 100)).map(style.dim)];
}

function chart(report: ReplayReport, { width, style }: ReplayScreenOptions['terminal']): string[] {
  const rows = namedResults(report);
  const { base } = report;
  const label = 'asked for';
  const labels = Math.min(
    Math.max(largestOf(rows.map(({ name }) => displayWidth(name))), label.length),
    Math.floor(width / 3),
  );
  const columns = Math.min(width, 120) - labels - 4;
  const top = Math.max(largestOf(rows.map(({ result }) => result.peak.bytes)), 1);
  const line = (name: string, series: readonly number[]) => {
    const short = displayWidth(name) > labels ? `${[...name].slice(0, labels - 1).join('')}…` : name;
    return `  ${padRight(short, labels)}  ${sparkline(series, columns, top)}`.trimEnd();
  };
  if (base.series.most.length === 0) return [];
  const head = `Bytes held over the ${formatCount(base.rows)} events, on one scale: █ is ${formatBytes(top)}`;
  return [
    ...wrap(head, width).map(style.bold),
    style.dim(line(label, base.series.requested)),
    ...rows.map(({ name, result }) => line(name, result.series.most)),
  ];
}

// ---- caches --------------------------------------------------------------------------------------------------------------

function caches(result: ReplayResult, terminal: ReplayScreenOptions['terminal'], wide: boolean): string[] {
  const shown = wide ? result.caches : result.caches.slice(0, CACHES_TOLD);
  const rest = result.caches.length - shown.length;
  const size = (bytes: number) => formatCount(Math.round(bytes / KIB));
  const column = (head: readonly string[], cell: (cache: CacheResult) => string): Column<CacheResult> => ({
    name: head.join(' '),
    head,
    cell,
    raw: () => null,
  });
  const columns: Column<CacheResult>[] = [
    {
      name: 'cache',
      head: ['', '  cache'],
      left: true,
      cell: (cache) => `  ${cacheLabel(cache)}`,
      raw: () => null,
    },
    column(['', 'bytes'], (cache) => formatCount(cache.size)),
    column(['', 'a slab'], ({ objectsPerSlab, order }) => `${objectsPerSlab}/2^${order}`),
    column(['peak', 'KiB'], ({ peakBytes }) => size(peakBytes)),
    column(['end', 'KiB'], ({ bytes }) => size(bytes)),
    column(['', 'slabs'], ({ slabs }) => formatCount(slabs)),
    column(['', 'live'], ({ live }) => formatCount(live)),
    column(['live /', 'capacity'], ({ live, objects }) =>
      objects === 0 ? '–' : formatShare(live / objects),
    ),
    column(['packing', 'frees'], ({ recoverable }) => size(recoverable)),
  ];
  const head = rest > 0 ? `The ${shown.length} caches that held most, of ${result.caches.length}` : 'Caches';
  return [terminal.style.bold(head), ...renderTable(columns, shown, { ...terminal }), ''];
}

/** Caches that differ, a column a machine. */
function differences(report: ReplayReport, { width, style }: ReplayScreenOptions['terminal']): string[] {
  const all = cacheDifferences([report.base, ...report.others]);
  if (all.length === 0) return [];
  const shown = all.slice(0, CACHES_TOLD);
  const label = labelsOf([report.base, ...report.others]);
  const size = (bytes: number) => formatCount(Math.round(bytes / KIB));
  const columns: Column<(typeof all)[number]>[] = [
    { name: 'cache', head: ['  cache'], left: true, cell: ({ name }) => `  ${label(name)}`, raw: () => null },
    { name: 'base', head: ['peak KiB'], cell: ({ peaks }) => size(peaks[0]!), raw: () => null },
    ...report.others.map((_, i) => ({
      name: `[${i + 1}]`,
      head: [`[${i + 1}]`],
      cell: ({ peaks }: (typeof all)[number]) => {
        const by = Math.round(peaks[i + 1]! / KIB) - Math.round(peaks[0]! / KIB);
        return by === 0 ? '=' : `${by > 0 ? '+' : '-'}${formatCount(Math.abs(by))}`;
      },
      raw: () => null,
    })),
  ];
  const more = all.length > shown.length ? `, the first ${shown.length} of ${all.length}` : '';
  return [
    style.bold(`Caches whose peaks differ${more}`),
    ...renderTable(columns, shown, { width, style }),
    '',
  ];
}

// ---- --wide --------------------------------------------------------------------------------------------------------------

function details(named: NamedResult, several: boolean, terminal: ReplayScreenOptions['terminal']): string[] {
  const { name, result } = named;
  const { style, textWidth } = terminal;
  const { fullness, log } = result;
  const zones = result.zones.map(
    (zone) =>
      `${zone.name} ${formatBytes(zone.peakTaken)} of ${formatBytes(zone.managed)} at the peak, ${formatBytes(zone.taken)} at the end`,
  );
  const full = [
    `${formatCount(fullness.empty)} empty`,
    `${formatCount(fullness.quarter)} up to a quarter`,
    `${formatCount(fullness.half)} up to a half`,
    `${formatCount(fullness.threeQuarters)} up to three quarters`,
    `${formatCount(fullness.most)} less than full`,
    `${formatCount(fullness.full)} full`,
  ];
  return [
    ...(several ? [style.bold(name), ...caches(result, terminal, true)] : []),
    style.bold(`Zones${several ? ` of ${name}` : ''}, with what is no slab`),
    ...wrapParts(zones, textWidth - 2).map((line) => `  ${line}`),
    '',
    style.bold('Slabs at the end, by how many of their objects are live'),
    ...wrapParts(full, textWidth - 2, ', ').map((line) => `  ${line}`),
    '',
    ...pins(result, terminal),
    ...(log.length > 0
      ? [
          style.bold('What the kernel would have printed'),
          ...log.slice(0, LOG_TOLD).map((line) => `  ${line}`),
          '',
        ]
      : []),
  ];
}

function pins(result: ReplayResult, { width, style }: ReplayScreenOptions['terminal']): string[] {
  const { pins: all } = result;
  if (all.length === 0) return [];
  const label = cacheLabels(result);
  const columns: Column<Pin>[] = [
    {
      name: 'cache',
      head: ['  cache'],
      left: true,
      cell: ({ cache }) => `  ${label(cache)}`,
      raw: () => null,
    },
    {
      name: 'site',
      head: ['allocated by'],
      left: true,
      cell: ({ site }) => siteWords(site),
      raw: () => null,
    },
    {
      name: 'task',
      head: ['task'],
      left: true,
      cell: taskWords,
      raw: () => null,
    },
    { name: 'objects', head: ['objects'], cell: ({ objects }) => formatCount(objects), raw: () => null },
    { name: 'slabs', head: ['slabs'], cell: ({ slabs }) => formatCount(slabs), raw: () => null },
    {
      name: 'bytes',
      head: ['KiB'],
      cell: ({ bytes }) => formatCount(Math.round(bytes / KIB)),
      raw: () => null,
    },
  ];
  return [
    style.bold('Who keeps slabs of which at most a quarter is live'),
    ...renderTable(columns, all.slice(0, PINS_TOLD), { width, style }),
    '',
  ];
}

// ---- what is known -------------------------------------------------------------------------------------------------------

/** What to believe of it. Damage and losses are always told, the rest in full with --wide. */
function known(
  report: ReplayReport,
  { textWidth, style }: ReplayScreenOptions['terminal'],
  wide: boolean,
): string[] {
  const all = assumptions(report);
  const shown = wide ? all : all.slice(0, ASSUMPTIONS_TOLD);
  const rest = all.length - shown.length;
  if (all.length === 0) return [];
  return [
    '',
    style.bold('What the trace does not say, and what was assumed'),
    ...shown.flatMap((words) => wrap(words, textWidth, '    ', '  ')).map(style.dim),
    ...(rest > 0 ? [style.dim(`  and ${rest} more with --wide`)] : []),
  ];
}

function next(report: ReplayReport, wide: boolean, html: string | undefined): string[] {
  const { others, snapshots, typed, file } = report;
  // What came through a pipe is gone.
  if (file === STDIN_NAME)
    return ['slablab convert - -o trace.slt', 'slablab replay trace.slt --set slub_max_order=0'];
  const held = snapshots === null ? [] : [`slablab verify ${file} --snapshots ${snapshots}`];
  const ask = others.length > 0 ? [] : [`${typed} --set slub_max_order=0`];
  const more = wide ? [`${typed} --json`] : [`${typed} --wide`];
  const page = html === undefined ? [`${typed} --html report.html`] : [];
  return [...ask, ...held, ...more, ...page].slice(0, 3);
}
