/** What `slablab replay` found as JSON, and as rows: one a cache of each machine, with a row for all of them. */
import { formatCount } from '../../base/index.js';
import {
  type CacheResult,
  compareReplays,
  type Fullness,
  type ReplayResult,
  resultWords,
} from '../../lab/index.js';
import { readReportJson } from './replay-findings.js';
import { assumptions, namedResults, type ReplayReport } from './replay-report.js';
import type { Column } from './table.js';

export function replayJson(report: ReplayReport): object {
  const { file, packed, source, snapshots, trace, base } = report;
  return {
    trace: {
      file,
      packed,
      convertedFrom: source.file === file ? null : source.file,
      events: trace.rows,
      cpus: trace.cpus,
      read: readReportJson(source.read),
      resolved: trace.report,
      marks: trace.marks,
    },
    snapshots,
    assumptions: assumptions(report),
    results: namedResults(report).map(({ name, result, isBase }) => ({
      name,
      isBase,
      words: isBase ? resultWords(result) : compareReplays(base, result),
      ...result,
    })),
  };
}

/** A row of the export; of all caches of a machine where `cache` is undefined. */
interface ExportRow {
  readonly whatIf: string;
  readonly result: ReplayResult;
  readonly cache: CacheResult | undefined;
}

export function replayRowsOf(report: ReplayReport): ExportRow[] {
  return namedResults(report).flatMap(({ result }) => {
    const whatIf = result.settings.join(' ');
    return [
      { whatIf, result, cache: undefined },
      ...result.caches.map((cache) => ({ whatIf, result, cache })),
    ];
  });
}

/** A figure of a row, of one cache and of all of a machine; null where one of the two has none. */
type Figure = readonly [
  name: string,
  ofCache: ((cache: CacheResult) => number) | null,
  ofAll: ((result: ReplayResult) => number) | null,
];

const sum = (of: (cache: CacheResult) => number) => (result: ReplayResult) =>
  result.caches.reduce((total, each) => total + of(each), 0);

const FULLNESS: readonly (keyof Fullness)[] = ['empty', 'quarter', 'half', 'threeQuarters', 'most', 'full'];

const FIGURES: readonly Figure[] = [
  ['sizeBytes', ({ size }) => size, null],
  ['objectsPerSlab', ({ objectsPerSlab }) => objectsPerSlab, null],
  ['order', ({ order }) => order, null],
  ['peakBytes', ({ peakBytes }) => peakBytes, ({ peak }) => peak.bytes],
  ['endBytes', ({ bytes }) => bytes, ({ end }) => end.bytes],
  ['endRequestedBytes', null, ({ end }) => end.requested],
  ['slabs', ({ slabs }) => slabs, sum(({ slabs }) => slabs)],
  ['live', ({ live }) => live, ({ end }) => end.live],
  ['objects', ({ objects }) => objects, ({ end }) => end.objects],
  ...FULLNESS.map(
    (name): Figure => [
      `slabs${name[0]!.toUpperCase()}${name.slice(1)}`,
      ({ fullness }) => fullness[name],
      ({ fullness }) => fullness[name],
    ],
  ),
  ['recoverableBytes', ({ recoverable }) => recoverable, ({ recoverable }) => recoverable],
  ['emptyBytes', ({ emptyBytes }) => emptyBytes, ({ emptyBytes }) => emptyBytes],
  ['allocs', ({ allocs }) => allocs, sum(({ allocs }) => allocs)],
  ['frees', ({ frees }) => frees, sum(({ frees }) => frees)],
  ['slabsMade', ({ slabsMade }) => slabsMade, sum(({ slabsMade }) => slabsMade)],
  ['orderFallbacks', ({ orderFallbacks }) => orderFallbacks, ({ orderFallbacks }) => orderFallbacks],
  ['failed', ({ failed }) => failed, ({ failed }) => failed],
  ['peakRequestedBytes', null, ({ peak }) => peak.requested],
  ['peakEvent', null, ({ peak }) => peak.row],
  ['peakNanoseconds', null, ({ peak }) => peak.time],
];

function nameIs({ isCertain, how }: CacheResult): string {
  if (how === 'unnamed') return 'unnamed';
  return isCertain ? 'told' : 'likely';
}

export function replayColumns(): Column<ExportRow>[] {
  const text = (name: string, of: (row: ExportRow) => string): Column<ExportRow> => ({
    name,
    head: [name],
    left: true,
    cell: of,
    raw: of,
  });
  return [
    text('whatIf', ({ whatIf }) => whatIf),
    text('cache', (row) => row.cache?.name ?? '(all)'),
    ...FIGURES.map(([name, ofCache, ofAll]): Column<ExportRow> => {
      const raw = ({ result, cache }: ExportRow) =>
        cache === undefined ? (ofAll?.(result) ?? null) : (ofCache?.(cache) ?? null);
      return {
        name,
        head: [name],
        cell: (row) => {
          const value = raw(row);
          return value === null ? '' : formatCount(value);
        },
        raw,
      };
    }),
    // Whether an event or a snapshot tells the name, or it is only likely, or nothing tells it.
    text('nameIs', ({ cache }) => (cache === undefined ? '' : nameIs(cache))),
  ];
}
