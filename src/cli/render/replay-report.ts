/** What `slablab replay` found, and what its screen, its exports and its page say alike. */
import { counted, formatCount } from '../../base/index.js';
import { compareReplays, machineParts, type ReplayResult, replayName, resultWords } from '../../lab/index.js';
import { lostWords, type Trace, type TraceSource } from '../../trace/index.js';
import { readWords, sentence } from './replay-findings.js';

export interface ReplayReport {
  /** What messages call the trace. */
  readonly file: string;
  readonly packed: readonly string[];
  readonly source: TraceSource;
  readonly snapshots: string | null;
  readonly trace: Pick<Trace, 'rows' | 'cpus' | 'report' | 'marks'>;
  /** What the others are compared with. */
  readonly base: ReplayResult;
  readonly others: readonly ReplayResult[];
  /** The command as it was typed. */
  readonly typed: string;
}

/** One result with what it is called: `[1] dentry.size=200` where there are several. */
export interface NamedResult {
  readonly name: string;
  readonly result: ReplayResult;
  readonly isBase: boolean;
}

export function namedResults({ base, others }: ReplayReport): NamedResult[] {
  const named = others.map((result, i) => ({
    name: `[${i + 1}] ${replayName(result)}`,
    result,
    isBase: false,
  }));
  return [{ name: replayName(base), result: base, isBase: true }, ...named];
}

/** What was replayed and on what, in parts. */
export function replayedParts({ file, packed, source, trace, base }: ReplayReport): string[][] {
  const { format } = source.read;
  const from = source.file === file ? '' : `, converted from ${source.file}`;
  return [
    [
      `${counted(trace.rows, 'event')} of ${file} (${[format, ...packed].join(', ')}${from})`,
      counted(trace.report.objects.allocs, 'object'),
      base.seconds > 0 ? `${formatSeconds(base.seconds)} s` : 'no time passes in it',
    ],
    [...machineParts(base), base.machine.source],
    ...base.mismatch.slice(0, 1).map((why) => [`The snapshots are of another recording: ${why}`]),
    ...base.machine.overruled.map((words) => [`Not the recorded machine: ${words}`]),
  ];
}

/** What all of it means: of one machine by itself, and of each other against it in a paragraph. */
export function reportWords({ base, others }: ReplayReport): string[] {
  return [...resultWords(base), ...others.map((other) => compareReplays(base, other).join(' '))];
}

/** What a reader should know before believing it: damage, losses, assumptions. */
export function assumptions({ source, trace, base, others }: ReplayReport): string[] {
  const own = others.flatMap(({ settings, notes }) => {
    const mine = notes.filter((note) => !base.notes.includes(note));
    return mine.map((note) => `With ${settings.join(' ')}: ${note}.`);
  });
  const read = readWords(source.read);
  // What was lost is told once, in the words of whoever counted it first.
  const isTold = read.some((words) => /\blost\b/.test(words));
  const notUnderstood = base.notUnderstood.filter(
    (words) => !isTold || words !== lostWords(trace.report.lost),
  );
  const words = [...read, ...notUnderstood.map(sentence), ...alike(base.notes), ...own];
  // The resolver says more of what a reader says too.
  // A note may begin with the name of a cache, which is written as it is.
  return [...new Set(words)].map((each) => (/[.?!]$/.test(each) ? each : `${each}.`));
}

/** How many names a sentence tells of many. */
const ALIKE_TOLD = 3;

/** Notes that say the same of several caches, as one. */
function alike(notes: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  for (const note of notes) {
    const [, name = '', rest = ''] = /^(\S+) (.+)$/.exec(note) ?? [];
    groups.set(rest, [...(groups.get(rest) ?? []), name]);
  }
  return [...groups].flatMap(([rest, [first, ...others]]) => {
    if (others.length === 0) return [`${first} ${rest}`];
    const told = others.slice(0, ALIKE_TOLD);
    const more = others.length > told.length ? ` and ${formatCount(others.length - told.length)} more` : '';
    return [`${first} ${rest}; the same holds for ${told.join(', ')}${more}`];
  });
}

export function formatSeconds(seconds: number): string {
  return seconds < 100 ? seconds.toFixed(2) : formatCount(Math.round(seconds));
}
