/** The page of `slablab replay --html`: the same figures as on the screen, with plots. */
import { formatBytes, formatCount, formatShare } from '../../base/index.js';
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
import { type ChartLine, type ChartMark, lineChart } from './html-chart.js';
import {
  command,
  escapeHtml,
  folded,
  type HtmlColumn,
  heading,
  htmlPage,
  htmlTable,
  note,
  paragraph,
} from './html-page.js';
import {
  assumptions,
  formatSeconds,
  type NamedResult,
  namedResults,
  type ReplayReport,
  replayedParts,
  reportWords,
} from './replay-report.js';

const MARKS_MAX = 16;
const CACHE_LINES = 7;
const PINS_TOLD = 25;

export function replayHtml(report: ReplayReport): string {
  const several = report.others.length > 0;
  const title = several
    ? `What would ${report.file} hold on another machine?`
    : `What did the allocations of ${report.file} hold?`;
  return htmlPage({
    title,
    body: [
      ...replayedParts(report).map((parts) => note(parts.join(' · '))),
      `<ul class="words">${reportWords(report)
        .map((words) => `<li>${escapeHtml(words)}</li>`)
        .join('\n')}</ul>`,
      heading(several ? 'The machines' : 'The machine'),
      machines(report),
      heading('Bytes over time'),
      overTime(report),
      heading(several ? `Caches over time, ${namedResults(report)[0]!.name}` : 'Caches over time'),
      cachesOverTime(report),
      ...(several ? [heading('Caches whose peaks differ'), differences(report)] : []),
      ...(several
        ? namedResults(report).map((named) => folded(`In detail: ${named.name}`, details(named)))
        : details(namedResults(report)[0]!)),
      heading('What the trace does not say, and what was assumed'),
      ...assumptions(report).map(paragraph),
      heading('The same again'),
      command(report.typed),
    ],
  });
}

function machines(report: ReplayReport): string {
  const { base } = report;
  const bytes = (head: string, of: (result: ReplayResult) => number): HtmlColumn<NamedResult> => ({
    head,
    cell: ({ result }) => formatBytes(of(result)),
  });
  const change = (of: (result: ReplayResult) => number): HtmlColumn<NamedResult> => ({
    head: '',
    cell: ({ result, isBase }) => (isBase ? '' : formatChange(of(base), of(result))),
  });
  const several = report.others.length > 0;
  const peak = ({ peak: { bytes } }: ReplayResult) => bytes;
  const end = ({ end: { bytes } }: ReplayResult) => bytes;
  return htmlTable<NamedResult>(
    [
      { head: '', left: true, cell: ({ name }) => name },
      bytes('peak', peak),
      ...(several ? [change(peak)] : []),
      bytes('end', end),
      ...(several ? [change(end)] : []),
      bytes('asked for at the end', ({ end: { requested } }) => requested),
      bytes('freed by packing', ({ recoverable }) => recoverable),
      bytes('in empty slabs', ({ emptyBytes }) => emptyBytes),
      { head: 'smaller order', cell: ({ result }) => formatCount(result.orderFallbacks) },
      { head: 'failed', cell: ({ result }) => formatCount(result.failed) },
    ],
    namedResults(report),
    'Bytes of slabs and of whole pages from kmalloc.',
  );
}

// ---- plots ---------------------------------------------------------------------------------------------------------------

/** Seconds since the trace began; the number of the event where no time passes. */
function timeAxis({ base }: ReplayReport): {
  x: readonly number[];
  formatX: (x: number) => string;
  unit: string;
} {
  const { times, rows } = base.series;
  const first = times[0] ?? 0;
  if (base.seconds <= 0) return { x: rows, formatX: (x) => formatCount(Math.round(x)), unit: 'events' };
  return {
    x: times.map((time) => (time - first) / 1e9),
    formatX: (x) => `${Number(x.toPrecision(6))} s`,
    unit: 'seconds since the first event',
  };
}

function marksOf({ trace, base }: ReplayReport): ChartMark[] {
  const first = base.series.times[0] ?? 0;
  const marks = trace.marks.filter(({ text }) => !/\bend$/.test(text.trim()));
  if (marks.length > MARKS_MAX) return [];
  const where = (row: number, time: number) => (base.seconds <= 0 ? row : (time - first) / 1e9);
  return marks.map(({ row, time, text }) => ({
    x: where(row, time),
    name: text
      .trim()
      .replace(/^SNAP /, '')
      .replace(/ begin$/, '')
      .slice(0, 18),
  }));
}

function overTime(report: ReplayReport): string {
  const results = namedResults(report);
  const { base } = report;
  const { x, formatX, unit } = timeAxis(report);
  const asked: ChartLine = { name: 'asked for', values: base.series.requested };
  const lines = results.map(({ name, result: { series } }): ChartLine => {
    const band = results.length === 1 ? { least: series.least, most: series.most } : {};
    return { name, values: series.last, ...band };
  });
  return lineChart({
    title: 'Bytes of slabs over time, of each machine',
    caption: `Bytes held against ${unit}: of each of ${formatCount(x.length)} stretches its end${
      results.length === 1 ? ', in the band of its least and most' : ''
    }.`,
    lines: [asked, ...lines],
    x,
    formatX,
    formatY: formatBytes,
    isBytes: true,
    marks: marksOf(report),
  });
}

function cachesOverTime(report: ReplayReport): string {
  const { caches } = report.base.series;
  const { x, formatX, unit } = timeAxis(report);
  if (caches.length === 0) return note('No cache had a slab.');
  const label = cacheLabels(report.base);
  return lineChart({
    title: 'Bytes of the caches that held most, over time',
    caption: `Bytes of slabs against ${unit}: the caches that held most.`,
    lines: caches.slice(0, CACHE_LINES).map(({ name, last }) => ({ name: label(name), values: last })),
    x,
    formatX,
    formatY: formatBytes,
    isBytes: true,
    marks: marksOf(report),
  });
}

// ---- tables --------------------------------------------------------------------------------------------------------------

function differences(report: ReplayReport): string {
  const results = namedResults(report);
  const all = cacheDifferences([report.base, ...report.others]);
  if (all.length === 0) return paragraph('None.');
  const label = labelsOf(results.map(({ result }) => result));
  return htmlTable(
    [
      { head: 'cache', left: true, cell: ({ name }) => label(name) },
      ...results.map(({ name }, i) => ({
        head: name,
        cell: ({ peaks }: (typeof all)[number]) =>
          i === 0
            ? formatBytes(peaks[0]!)
            : `${formatBytes(peaks[i]!)} (${formatChange(peaks[0]!, peaks[i]!)})`,
      })),
    ],
    all,
  );
}

function details({ result }: NamedResult): string[] {
  const { fullness } = result;
  const full = [
    ['none', fullness.empty],
    ['up to a quarter', fullness.quarter],
    ['up to a half', fullness.half],
    ['up to three quarters', fullness.threeQuarters],
    ['less than all', fullness.most],
    ['all', fullness.full],
  ] as const;
  return [
    heading('Caches'),
    cacheTable(result.caches),
    heading('Slabs at the end, by how many of their objects are live'),
    htmlTable(
      [
        { head: 'live', left: true, cell: ([words]) => words },
        { head: 'slabs', cell: ([, slabs]) => formatCount(slabs) },
      ],
      full,
    ),
    heading('Zones'),
    htmlTable(
      [
        { head: 'zone', left: true, cell: (zone) => zone.name },
        { head: 'memory', cell: ({ managed }) => formatBytes(managed) },
        { head: 'taken at the peak', cell: ({ peakTaken }) => formatBytes(peakTaken) },
        { head: 'taken at the end', cell: ({ taken }) => formatBytes(taken) },
      ],
      result.zones,
      'With pages that are no slab.',
    ),
    ...(result.pins.length > 0
      ? [heading('Who keeps slabs of which at most a quarter is live'), pinTable(result)]
      : []),
    ...(result.log.length > 0
      ? [heading('What the kernel would have printed'), command(result.log.join('\n'))]
      : []),
  ];
}

function cacheTable(caches: readonly CacheResult[]): string {
  return htmlTable<CacheResult>(
    [
      { head: 'cache', left: true, cell: cacheLabel },
      { head: 'bytes an object', cell: ({ size }) => formatCount(size) },
      { head: 'objects a slab', cell: ({ objectsPerSlab }) => formatCount(objectsPerSlab) },
      { head: 'order', cell: ({ order }) => String(order) },
      { head: 'peak', cell: ({ peakBytes }) => formatBytes(peakBytes) },
      { head: 'end', cell: ({ bytes }) => formatBytes(bytes) },
      { head: 'slabs', cell: ({ slabs }) => formatCount(slabs) },
      { head: 'live', cell: ({ live }) => formatCount(live) },
      {
        head: 'live / capacity',
        cell: ({ live, objects }) => (objects === 0 ? '–' : formatShare(live / objects)),
      },
      { head: 'freed by packing', cell: ({ recoverable }) => formatBytes(recoverable) },
      { head: 'allocations', cell: ({ allocs }) => formatCount(allocs) },
      { head: 'a second', cell: ({ allocsPerSecond }) => formatCount(Math.round(allocsPerSecond)) },
      { head: 'smaller order', cell: ({ orderFallbacks }) => formatCount(orderFallbacks) },
    ],
    caches,
  );
}

function pinTable(result: ReplayResult): string {
  const label = cacheLabels(result);
  return htmlTable<Pin>(
    [
      { head: 'cache', left: true, cell: ({ cache }) => label(cache) },
      { head: 'allocated by', left: true, cell: ({ site }) => siteWords(site) },
      { head: 'task', left: true, cell: taskWords },
      { head: 'objects', cell: ({ objects }) => formatCount(objects) },
      { head: 'slabs', cell: ({ slabs }) => formatCount(slabs) },
      { head: 'bytes', cell: ({ bytes }) => formatBytes(bytes) },
      { head: 'the oldest since', cell: ({ since }) => `${formatSeconds(since / 1e9)} s` },
    ],
    result.pins.slice(0, PINS_TOLD),
  );
}
