/** A cell of a sweep by itself: how it is replayed, and the row that it becomes. */
import { SlablabError } from '../base/index.js';
import { type PlanOptions, parseWhatIf, type Recorded, type ReplayResult, replay } from '../lab/index.js';
import type { Row, RowColumn } from './row-files.js';
import type { SweepAxis, SweepCell } from './sweep-axes.js';

/** The results of a cell, each with how it is taken from a replay. */
const FIGURES: readonly (readonly [name: string, of: (result: ReplayResult) => number])[] = [
  ['peakBytes', ({ peak }) => peak.bytes],
  ['peakRequestedBytes', ({ peak }) => peak.requested],
  ['endBytes', ({ end }) => end.bytes],
  ['endRequestedBytes', ({ end }) => end.requested],
  ['endLive', ({ end }) => end.live],
  ['endObjects', ({ end }) => end.objects],
  ['recoverableBytes', ({ recoverable }) => recoverable],
  ['emptyBytes', ({ emptyBytes }) => emptyBytes],
  ['slabs', ({ caches }) => caches.reduce((sum, { slabs }) => sum + slabs, 0)],
  ['slabsMade', ({ caches }) => caches.reduce((sum, { slabsMade }) => sum + slabsMade, 0)],
  ['orderFallbacks', ({ orderFallbacks }) => orderFallbacks],
  ['failed', ({ failed }) => failed],
];

/** What a sweep is of. */
export interface SweepSubject {
  /** What messages call the trace, and its events. */
  readonly trace: string;
  readonly events: number;
  /** What was said of the machine it was recorded on. */
  readonly machine: string;
  /** Of what it is (sweep-digest.ts): files may keep their names. */
  readonly inputDigest: string;
}

/** The columns of a sweep's rows: a text for each axis, what it is of, figures, and why there are none. */
export function sweepColumns(axes: readonly SweepAxis[]): RowColumn[] {
  return [
    ...axes.map(({ name }): RowColumn => ({ name, type: 'text' })),
    { name: 'trace', type: 'text' },
    { name: 'machine', type: 'text' },
    { name: 'events', type: 'count' },
    { name: 'inputDigest', type: 'text', isDigest: true },
    ...FIGURES.map(([name]): RowColumn => ({ name, type: 'count' })),
    { name: 'error', type: 'text' },
  ];
}

/** Where a row belongs: its cell of a trace and a machine, by their names. */
export function placeOfRow(axes: readonly SweepAxis[], row: Row): string {
  return JSON.stringify([...axes.map(({ name }) => row[name]), row.trace, row.machine]);
}

/** Whether a row is the result of a cell: of the same place, and computed from the same. */
export function isRowOf(
  axes: readonly SweepAxis[],
  row: Row,
  cell: SweepCell,
  subject: SweepSubject,
): boolean {
  const wanted = sweepRow(axes, cell, subject, { refused: '' });
  return placeOfRow(axes, row) === placeOfRow(axes, wanted) && row.inputDigest === wanted.inputDigest;
}

/** What a Worker says of a cell. */
export type CellAnswer =
  | { readonly figures: readonly number[] }
  /** Why the cell has none. */
  | { readonly refused: string };

/** Replays one cell. Throws what is wrong with all cells alike. */
export function replayCell(recorded: Recorded, settings: readonly string[]): CellAnswer {
  try {
    const result = replay(recorded, parseWhatIf(settings));
    return { figures: FIGURES.map(([, of]) => of(result)) };
  } catch (error) {
    if (error instanceof SlablabError && REFUSALS.has(error.code))
      return { refused: error.message.replaceAll('\n', ' ') };
    throw error;
  }
}

/** Codes of errors by which a machine cannot be what a cell asks for. */
const REFUSALS: ReadonlySet<string> = new Set([
  'argument',
  'kernel-would-crash',
  'kernel-panic',
  'ledger-full',
]);

/** The row of a cell. */
export function sweepRow(
  axes: readonly SweepAxis[],
  { values }: SweepCell,
  { trace, events, machine, inputDigest }: SweepSubject,
  answer: CellAnswer,
): Row {
  const figures = 'figures' in answer ? answer.figures : undefined;
  return {
    ...Object.fromEntries(axes.map(({ name }, i) => [name, values[i]!])),
    trace,
    machine,
    events,
    inputDigest,
    ...Object.fromEntries(FIGURES.map(([name], i) => [name, figures?.[i] ?? null])),
    error: 'refused' in answer ? answer.refused : '',
  };
}

/** What a Worker is started with. */
export interface SweepWorkerData {
  readonly fd: number;
  readonly size: number;
  readonly file: string;
  readonly snapshots: { readonly text: string; readonly file: string } | undefined;
  readonly plan: PlanOptions;
}

/** What a Worker answers. Errors lose their class on the way: their code stays. */
export type SweepAnswer =
  | CellAnswer
  | { readonly code: string; readonly message: string; readonly stack: string | undefined };
