/** `slablab sweep`: a trace under a matrix of what-ifs, on all cores, or one cell of it for a scheduler. */
import type { Command } from 'commander';
import { ArgumentError, counted, formatBytes, formatCount } from '../../base/index.js';
import { formatChange, readSnapshots } from '../../lab/index.js';
import {
  cellsOf,
  inputName,
  isRowOf,
  type OpenedTrace,
  openRows,
  openTrace,
  parseAxes,
  placeOfRow,
  type Row,
  type RowFile,
  readInput,
  replayCell,
  rowBytes,
  runSweep,
  STDOUT,
  type SweepAxis,
  type SweepCell,
  type SweepSubject,
  sweepColumns,
  sweepDigest,
  sweepRow,
} from '../../node/index.js';
import { withExamples, withExplanation } from '../examples.js';
import { EXIT } from '../exit.js';
import { wholeNumber } from '../options.js';
import { createMeter } from '../progress.js';
import {
  addRecordedOptions,
  openRecording,
  planOptions,
  planWords,
  type RecordedFlags,
} from '../recorded.js';
import { type Column, renderTable } from '../render/table.js';
import { wrap, wrapCommand } from '../render/text.js';
import type { OpenSession, Session } from '../session.js';
import type { Terminal } from '../terminal.js';
import { packageVersion } from '../version.js';
import { eachText, readWhatIf } from '../what-ifs.js';
import { SETTINGS_HELP } from './replay.js';

interface SweepFlags extends RecordedFlags {
  readonly set?: string[];
  readonly out?: string;
  readonly jobs?: number;
  readonly cell?: number;
  readonly list?: true;
  readonly json?: true;
}

/** What a sweep is asked for. */
interface Sweep {
  readonly path: string;
  readonly axes: readonly SweepAxis[];
  readonly cells: readonly SweepCell[];
  readonly flags: SweepFlags;
}

const AXES_HELP = `
An axis is a setting with several values: words with commas between them, and
ranges FIRST..LAST or FIRST..LAST..STEP. The value - is what was recorded.
  --set slub_max_order=0..3 --set cpus=1,2,4 --set dentry.size=192..256..16
Cells are numbered from 0, the last axis fastest.
`;

const ROWS_TOLD = 5;

export function addSweep(program: Command, open: OpenSession): void {
  const command = program
    .command('sweep')
    .description(
      'Replays a trace under all combinations of some settings, on all cores, a row of CSV or Parquet for each. A row that ' +
        'is in the file already is not computed again.',
    )
    .argument('<trace>', 'a trace of any format; .slt opens at once; - for standard input')
    .option('--set <axis>', 'a setting with several values; can be repeated', eachText)
    .option('-o, --out <file>', 'the file of rows: .csv or .parquet (default: CSV on standard output)')
    .option('--jobs <n>', 'cells at a time (default: a cell a core)', wholeNumber('--jobs'))
    .option('--cell <n>', 'just this cell, in this process', wholeNumber('--cell'))
    .option('--list', 'print the cells, a line each, and compute nothing');
  addRecordedOptions(command);
  withExamples(command, [
    ['slablab sweep boot.slt --set cpus=1..8', 'eight cells, as CSV'],
    ['slablab sweep boot.slt --set slub_max_order=0..3 --set cpus=1,2,4', 'twelve'],
    ['slablab sweep boot.slt --set dentry.size=192..256..8 -o size.parquet', 'for DuckDB'],
    ['slablab sweep boot.slt --set cpus=1..8 --cell 3', 'one, for a scheduler'],
    ['slablab sweep boot.slt --set cpus=1..8 --list', 'which are they?'],
  ]);
  withExplanation(command, AXES_HELP + SETTINGS_HELP);
  command.action(async (trace: string, flags: SweepFlags) => {
    await runCommand(trace, { ...command.optsWithGlobals<SweepFlags>(), ...flags }, open(command));
  });
}

async function runCommand(path: string, flags: SweepFlags, session: Session): Promise<void> {
  const { terminal } = session;
  if (flags.jobs === 0) throw new ArgumentError('--jobs 0 would compute nothing');
  const axes = parseAxes(flags.set ?? []);
  const cells = cellsOf(axes);
  // A mistake in a setting is found before anything is read.
  for (const { name, values } of axes)
    for (const value of values) if (value !== '') readWhatIf(`${name}=${value}`);
  if (flags.cell !== undefined && flags.cell >= cells.length)
    throw new ArgumentError(
      `there is no cell ${flags.cell} of ${counted(cells.length, 'cell')}, which are numbered from 0`,
    );
  if (flags.list) {
    if (flags.json) session.printJson({ axes, cells });
    else terminal.printFields(cells.map(({ index, settings }) => [String(index), settings.join(' ')]));
    return;
  }
  const sweep: Sweep = { path, axes, cells, flags };
  const begun = performance.now();
  const kept = await openKept(sweep);
  const { rows, computed } = await (flags.cell === undefined
    ? runAll(sweep, kept, terminal)
    : runOne(sweep, cells[flags.cell]!, kept, terminal));
  const refused = rows.filter(({ error }) => error !== '');
  if (refused.length > 0) session.exitCode = EXIT.differs;
  if (flags.json) session.printJson({ axes, rows });
  else if ((flags.out ?? STDOUT) === STDOUT) printRows(sweep, rows, terminal);
  else if (flags.cell === undefined) {
    const seconds = (performance.now() - begun) / 1000;
    terminal.print(sweepScreen(sweep, rows, computed, seconds, session));
  }
  if (refused.length > 0)
    terminal.complain(
      `slablab: ${refused.length} of ${rows.length} cells failed, the first because ${refused[0]!.error}`,
    );
}

/** Where the rows go, looked at before the trace is read; undefined for standard output. */
async function openKept({ path, axes, flags }: Sweep): Promise<RowFile | undefined> {
  const { out = STDOUT, snapshots, kallsyms } = flags;
  if (out === STDOUT) return undefined;
  return await openRows(out, sweepColumns(axes), {
    placeOf: (row) => placeOfRow(axes, row),
    inputs: [path, snapshots, kallsyms],
  });
}

/** All cells, on all cores. */
async function runAll(
  { path, axes, cells, flags }: Sweep,
  kept: RowFile | undefined,
  terminal: Terminal,
): Promise<{ rows: Row[]; computed: number }> {
  const plan = planOptions(flags);
  const { snapshots, kallsyms, jobs } = flags;
  const text = snapshots === undefined ? undefined : await readInput(snapshots);
  if (snapshots !== undefined && text !== undefined) readSnapshots(text, inputName(snapshots));
  const meter = createMeter(terminal, `reading ${inputName(path)}`);
  const opened = await openTrace(path, {
    rowsInMemory: 0,
    ...(kallsyms !== undefined && { kallsyms }),
    onProgress: meter.tell,
  }).finally(meter.done);
  const subject = subjectOf(opened, flags, digestOf(opened, text, flags));
  const begun = performance.now();
  let clear = terminal.progress(`sweeping ${counted(cells.length, 'cell')} …`);
  let computed = 0;
  try {
    const rows = await runSweep({
      axes,
      cells,
      subject,
      // Without rows in memory there is a file.
      spool: opened.spool!,
      plan,
      ...(text !== undefined && { snapshots: { text, file: inputName(snapshots!) } }),
      ...(jobs !== undefined && { jobs }),
      ...(kept !== undefined && { rows: kept }),
      onRow(_, done, of) {
        computed = done;
        clear();
        const left = Math.round(((performance.now() - begun) / 1000 / done) * (of - done));
        clear = terminal.progress(
          `sweeping: ${formatCount(done)} of ${formatCount(of)} cells, ${left} s left`,
        );
      },
    });
    return { rows, computed };
  } finally {
    clear();
    opened.close();
  }
}

function digestOf({ trace }: OpenedTrace, snapshots: string | undefined, flags: SweepFlags): string {
  return sweepDigest({ trace, snapshots, plan: planOptions(flags), version: packageVersion() });
}

function subjectOf({ file, trace }: OpenedTrace, flags: SweepFlags, inputDigest: string): SweepSubject {
  return { trace: file, events: trace.rows, machine: planWords(flags), inputDigest };
}

/** One cell in this process, a row in its file: what a scheduler starts. */
async function runOne(
  { path, axes, flags }: Sweep,
  cell: SweepCell,
  kept: RowFile | undefined,
  terminal: Terminal,
): Promise<{ rows: Row[]; computed: number }> {
  const { recorded, opened, snapshots } = await openRecording(path, flags, terminal);
  const subject = subjectOf(opened, flags, digestOf(opened, snapshots, flags));
  const there = kept?.rows.findLast((row) => isRowOf(axes, row, cell, subject));
  const row = there ?? sweepRow(axes, cell, subject, replayCell(recorded, cell.settings));
  opened.close();
  if (there === undefined) kept?.add(row);
  await kept?.finishOne(row);
  return { rows: [row], computed: there === undefined ? 1 : 0 };
}

function printRows({ axes }: Sweep, rows: readonly Row[], terminal: Terminal): void {
  terminal.print([
    Buffer.from(rowBytes('rows.csv', sweepColumns(axes), rows))
      .toString()
      .trimEnd(),
  ]);
}

function sweepScreen(
  sweep: Sweep,
  rows: readonly Row[],
  computed: number,
  seconds: number,
  { terminal }: Session,
): string[] {
  const { axes, flags } = sweep;
  const out = flags.out!;
  const { width, textWidth, style } = terminal;
  const number = (row: Row, name: string) => Number(row[name] ?? 0);
  const good = rows.filter((row) => row.error === '');
  const best = [...good].sort((a, b) => number(a, 'peakBytes') - number(b, 'peakBytes'));
  const refused = rows.length - good.length;
  const found = rows.length - computed;
  const column = (head: string, cell: (row: Row) => string, left = false): Column<Row> => ({
    name: head,
    head: [head],
    cell,
    raw: () => null,
    left,
  });
  const least = best[0];
  const columns = [
    column('', (row) => `  ${settingsOf(axes, row)}`, true),
    column('peak', (row) => formatBytes(number(row, 'peakBytes'))),
    column('', (row) => formatChange(number(least!, 'peakBytes'), number(row, 'peakBytes'))),
    column('end', (row) => formatBytes(number(row, 'endBytes'))),
    column('packing frees', (row) => formatBytes(number(row, 'recoverableBytes'))),
  ];
  const told = best.length > 2 * ROWS_TOLD ? [...best.slice(0, ROWS_TOLD), ...best.slice(-ROWS_TOLD)] : best;
  const head = [
    `${out}: ${counted(rows.length, 'cell')} in ${seconds.toFixed(1)} s`,
    ...(found > 0 ? [`${formatCount(found)} ${found === 1 ? 'was' : 'were'} there already`] : []),
    ...(refused > 0 ? [`${counted(refused, 'cell')} could not be set up; see column error`] : []),
  ];
  if (good.length === 0) return wrap(`${head.join('; ')}.`, textWidth, '  ');
  const sql = `SELECT * FROM '${out}' ORDER BY peakBytes LIMIT 5`;
  return [
    ...wrap(`${head.join('; ')}.`, textWidth, '  '),
    '',
    style.bold(
      told.length < best.length
        ? `The ${ROWS_TOLD} that hold least and most at the peak`
        : 'Least at the peak first',
    ),
    ...renderTable(columns, told, { width, style }),
    '',
    'Next:',
    ...wrapCommand(`duckdb -c "${sql}"`, width),
    ...(least === undefined ? [] : wrapCommand(replayOf(sweep, least), width)),
  ];
}

/** The command that looks at a cell closely. */
function replayOf({ path, axes, flags }: Sweep, row: Row): string {
  const options = planWords(flags)
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => `--${word.replace('=', ' ')}`);
  const settings = settingsOf(axes, row);
  const set = settings === 'as recorded' ? [] : [`--set ${/ /.test(settings) ? `'${settings}'` : settings}`];
  return [path === '-' ? '… | slablab replay' : 'slablab replay', path, ...options, ...set].join(' ');
}

function settingsOf(axes: readonly SweepAxis[], row: Row): string {
  const settings = axes.flatMap(({ name }) => (row[name] === '' ? [] : [`${name}=${row[name]}`]));
  return settings.length === 0 ? 'as recorded' : settings.join(' ');
}
