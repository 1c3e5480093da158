/**
 * `slablab verify`: one line a set, the first disagreements of each, and a last line that a script can read.
 * A file that is no recording never counts as passed.
 */
import { basename } from 'node:path';
import type { Command } from 'commander';
import {
  ArgumentError,
  EngineError,
  InputError,
  LedgerCorruptError,
  NotJsonError,
  parseJson,
  SlablabError,
} from '../../base/index.js';
import {
  type Disagreement,
  type SetResult,
  UnknownKernelError,
  UnknownRecordingError,
  verifyRecording,
} from '../../lab/index.js';
import {
  expandRecordings,
  inputName,
  NoPermissionError,
  readInput,
  shippedRecordings,
} from '../../node/index.js';
import { refuseOtherFile } from '../../trace/index.js';
import { withExamples } from '../examples.js';
import { EXIT } from '../exit.js';
import { explainError } from '../failure.js';
import { wrap } from '../render/text.js';
import type { OpenSession, Session } from '../session.js';
import { verifyTrace } from './verify-trace.js';

interface VerifyFlags {
  readonly snapshots?: string;
  readonly within?: number;
  readonly verbose?: true;
  readonly json?: true;
}

/** For `--within`. */
function percent(text: string): number {
  const [, number] = /^(\d+(?:\.\d+)?)\s*%?$/.exec(text) ?? [];
  if (number === undefined) throw new ArgumentError(`--within takes a percentage such as 2, not '${text}'`);
  return Number(number) / 100;
}

/** What became of one file. */
interface FileResult {
  readonly file: string;
  readonly sets: readonly SetResult[];
  /** Why it could not be compared. */
  readonly error: string | null;
  /** It lies beside recordings, and verify does not read it. */
  readonly passedOver: boolean;
}

/** Why a file that nobody named is passed over. */
const NOT_READ = 'verify does not read their kind';

/** How far slabs of a cache may be off unless told, as a share: 2 %. */
const WITHIN = 0.02;

/** Without --verbose. */
const DISAGREEMENTS_SHOWN = 3;

export function addVerify(program: Command, open: OpenSession): void {
  const command = program
    .command('verify')
    .description(
      'Holds the engine against recordings of real kernels, value by value. Exit code 1 if anything ' +
        'differs, 3 if a file is no recording that it understands. A folder stands for the recordings in it.',
    )
    .argument('[file...]', 'recordings, .json or .json.gz, - for standard input (default: all in truth/)')
    .option('--snapshots <file>', 'the file is a kmem trace: hold its replay against these, cache by cache')
    .option(
      '--within <percent>',
      'with --snapshots: how far slabs of a cache may be off (default: 2)',
      percent,
    )
    .option('--verbose', 'all disagreements that were kept, with whole values; all caches');
  withExamples(command, [
    ['slablab verify', 'all recordings that are here'],
    ['slablab verify truth/seq-slub-public.json.gz', 'one of them'],
    ['slablab verify mine.json --verbose', 'your own, with whole values'],
    ['zcat mine.json.gz | slablab verify -', 'from standard input'],
    ['slablab verify boot.slt --snapshots boot.snapshots.json', 'how near is a replay?'],
  ]);
  command.action(async (files: string[], flags: VerifyFlags) => {
    await runVerify(files, { ...command.optsWithGlobals<VerifyFlags>(), ...flags }, command, open(command));
  });
}

async function runVerify(
  files: readonly string[],
  flags: VerifyFlags,
  command: Command,
  session: Session,
): Promise<void> {
  const { terminal } = session;
  if (flags.snapshots !== undefined) {
    const [trace, another] = files;
    if (trace === undefined || another !== undefined)
      throw new ArgumentError('--snapshots belong to one trace: name just that');
    return verifyTrace(
      trace,
      { ...flags, snapshots: flags.snapshots, within: flags.within ?? WITHIN },
      session,
    );
  }
  if (flags.within !== undefined)
    throw new ArgumentError('--within is for a trace and its snapshots: give --snapshots with it');
  const shipped = files.length === 0;
  const results: FileResult[] = [];
  const exitCodes = new Set<number>();
  for (const { file, named } of shipped ? shippedRecordings() : expandRecordings(files)) {
    const done = terminal.progress(`comparing ${inputName(file)} …`);
    try {
      const sets = await verifyFile(file, named);
      done();
      results.push({ file, sets, error: null, passedOver: false });
      if (!flags.json) terminal.print(sets.flatMap((set) => setLines(set, flags.verbose === true, session)));
    } catch (thrown) {
      done();
      // Who names a file wants it compared; what only lies beside recordings may be something else.
      const reason = named ? undefined : whyPassedOver(file, thrown);
      const passedOver = reason !== undefined;
      const error = asInputError(file, thrown);
      const failure = explainError(error, command)!;
      results.push({ file, sets: [], error: reason ?? failure.message, passedOver });
      if (passedOver) continue;
      exitCodes.add(failure.exitCode);
      terminal.complain(`slablab: ${failure.message}`);
    }
  }
  const sets = results.flatMap((result) => result.sets);
  const passed = sets.reduce((sum, set) => sum + set.agreed, 0);
  const failed = sets.reduce((sum, set) => sum + set.total - set.agreed, 0);
  if (flags.json) session.printJson({ passed, failed, files: results });
  else
    terminal.print([...passedOverLines(results, terminal.textWidth), `${passed} passed, ${failed} failed`]);
  if (failed > 0) exitCodes.add(EXIT.differs);
  if (sets.length === 0 && exitCodes.size === 0) {
    const why = shipped
      ? 'the recordings are in the repository, not in the npm package'
      : `no recording that can be compared is in ${files.join(', ')}`;
    terminal.complain(`slablab: nothing was compared: ${why}`);
    exitCodes.add(EXIT.input);
  }
  // Two things may have gone wrong: what says most about the engine comes first.
  const order = [EXIT.internal, EXIT.differs, EXIT.permission, EXIT.input];
  session.exitCode = order.find((code) => exitCodes.has(code)) ?? EXIT.ok;
}

function whyPassedOver(file: string, error: unknown): string | undefined {
  if (error instanceof UnknownKernelError) return `there is no profile of Linux ${error.kernel}`;
  return error instanceof UnknownRecordingError || isOtherText(file, error) ? NOT_READ : undefined;
}

/** A README, say: no JSON, and its name does not claim to be. */
function isOtherText(file: string, error: unknown): boolean {
  return error instanceof NotJsonError && !/\.json(\.gz)?$/.test(file);
}

async function verifyFile(file: string, named: boolean): Promise<SetResult[]> {
  const text = await readInput(file);
  try {
    return verifyRecording(parseJson(text, inputName(file)), setName(file));
  } catch (error) {
    if (named && (error instanceof NotJsonError || error instanceof UnknownRecordingError))
      refuseOtherFile(text, inputName(file), 'a recording');
    throw error;
  }
}

/** `create-slub-default` of `truth/create-slub-default-public.json.gz`. */
export function setName(file: string): string {
  if (file === '-') return 'stdin';
  return basename(file)
    .replace(/\.gz$/, '')
    .replace(/\.json$/, '')
    .replace(/-public$/, '');
}

/** What stops a comparison is the file's fault, unless the engine says that it is its own. */
function asInputError(file: string, error: unknown): unknown {
  const own = [InputError, NoPermissionError, EngineError, LedgerCorruptError].some(
    (kind) => error instanceof kind,
  );
  if (own) return error;
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof SlablabError;
  return new InputError(
    inputName(file),
    0,
    known ? message : `is not the recording that it looks like: ${message}`,
  );
}

function setLines(set: SetResult, verbose: boolean, { terminal }: Session): string[] {
  const { style } = terminal;
  const line = `${set.set}: ${set.agreed} of ${set.total} agree${set.note ? `; ${set.note}` : ''}`;
  const differ = set.total - set.agreed;
  if (differ === 0) return [line];
  const shown = verbose ? set.disagreements : set.disagreements.slice(0, DISAGREEMENTS_SHOWN);
  const told = shown.map(
    (disagreement) => `${disagreement.where}: ${disagreementWords(disagreement, verbose)}`,
  );
  const rest = differ - shown.length;
  if (rest > 0) told.push(`and ${rest} more`);
  // Whole values are for copying: they are not broken.
  const lines = told.flatMap((text) =>
    verbose ? [`  ${text}`] : wrap(text, terminal.textWidth, '    ', '  '),
  );
  return [style.bad(line), ...lines];
}

function disagreementWords({ field, expected, got }: Disagreement, verbose: boolean): string {
  const texts = [expected, got].map((value) => JSON.stringify(value) ?? 'nothing');
  const [before, now] = verbose ? texts : shortenPair(texts[0]!, texts[1]!);
  return `${field}: expected ${before}, got ${now}`;
}

/** Of two long texts, the parts around their first difference. */
export function shortenPair(a: string, b: string, width = 48): [string, string] {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const from = Math.max(a.length, b.length) > width ? Math.max(0, same - 16) : 0;
  const part = (text: string) => {
    const end = from + width;
    return `${from > 0 ? '…' : ''}${text.slice(from, end)}${text.length > end ? '…' : ''}`;
  };
  return [part(a), part(b)];
}

/** What was passed over, by the reason. */
function passedOverLines(results: readonly FileResult[], width: number): string[] {
  const byReason = new Map<string, string[]>();
  for (const { file, error, passedOver } of results) {
    if (!passedOver) continue;
    byReason.set(error!, [...(byReason.get(error!) ?? []), setName(file)]);
  }
  return [...byReason].flatMap(([reason, names]) =>
    wrap(`passed over, because ${reason}: ${names.join(', ')}`, width, '  '),
  );
}
