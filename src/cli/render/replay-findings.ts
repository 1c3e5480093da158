/**
 * What a person must know of a trace before they believe anything that is computed from it: what could not be read, what is missing, what
 * was taken to have happened. One sentence each, the gravest first.
 */
import { formatCount, pushAll } from '../../base/index.js';
import { EVENT_NAMES, lostWords, type ReadReport, type ResolveReport } from '../../trace/index.js';

/** How many names a sentence tells of a list. */
const NAMES_TOLD = 3;

export function readWords({ damaged, damage, lost, notes, others }: ReadReport): string[] {
  const words: string[] = [];
  const [first] = damage;
  if (damaged > 0 && first !== undefined) {
    const where = first.line > 0 ? `line ${formatCount(first.line)}` : `byte ${formatCount(first.offset)}`;
    const which = damaged === 1 ? 'One place' : `${formatCount(damaged)} places`;
    words.push(
      `${which} could not be read and ${damaged === 1 ? 'was' : 'were'} left out, the first at ${where}: ${first.why}.`,
    );
  }
  if (lost > 0 && !notes.some((note) => note.includes('lost'))) words.push(lostWords(lost));
  pushAll(words, notes.map(sentence));
  if (others.size > 0) {
    const count = [...others.values()].reduce((sum, each) => sum + each, 0);
    words.push(
      `${formatCount(count)} other events, which say nothing of objects or pages, were passed over: ${told([...others])}.`,
    );
  }
  return words;
}

export function resolveWords({ backwards, objects, pages, marksLeftOut }: ResolveReport): string[] {
  const { failed, over, overSites, unseen, unseenAgain, unseenBy, zeroSizeLike, mixed } = objects;
  const all: (readonly [count: number, one: string, many: string, rest: string])[] = [
    [
      backwards,
      'event has',
      'events have',
      'a time before that of the event above on the same CPU: the order of the file was kept.',
    ],
    [
      over,
      'free is missing from the trace: its address was',
      'frees are missing from the trace: their addresses were',
      `handed out again (${told(overSites)}).`,
    ],
    [
      unseen,
      'free is',
      'frees are',
      `of objects whose allocation is not in the trace${unseenOrigins(unseen, unseenAgain)} (${told(unseenBy)}).`,
    ],
    [
      zeroSizeLike[1],
      'kfree is',
      'kfrees are',
      'of pointers that come again and again and that nobody allocated: what kmalloc(0) gives, behind a hash.',
    ],
    [mixed, 'object was', 'objects were', 'freed by the function of another allocator.'],
    [failed, 'allocation', 'allocations', 'of an object got no memory.'],
    [pages.failed, 'allocation', 'allocations', 'of pages got no memory.'],
    [pages.unseen, 'free is', 'frees are', 'of pages whose allocation is not in the trace.'],
    [marksLeftOut, 'marker is', 'markers are', 'left out: a program wrote very many.'],
  ];
  return all.flatMap(([count, one, many, rest]) => {
    if (count === 0) return [];
    return [`${count === 1 ? `1 ${one}` : `${formatCount(count)} ${many}`} ${rest}`];
  });
}

/** What is certain of objects that are freed and were not allocated in the trace: an address that comes twice was allocated within it. */
function unseenOrigins(unseen: number, again: number): string {
  const rest = unseen - again;
  const older = 'allocated so, or before the trace began';
  if (again === 0) return ': allocated without an event, or before the trace began';
  const sure = `: ${formatCount(again)} allocated without an event`;
  return rest === 0 ? sure : `${sure}, ${formatCount(rest)} ${older}`;
}

/** `maple_node 1,009, kfree_rcu 5 and 8 more`; a name alone where all are of it. */
function told(counts: readonly (readonly [name: string, count: number])[]): string {
  if (counts.length === 1) return counts[0]![0] || 'unnamed';
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const first = sorted
    .slice(0, NAMES_TOLD)
    .map(([name, count]) => `${name || 'unnamed'} ${formatCount(count)}`);
  const rest = sorted.length - first.length;
  return rest > 0 ? `${first.join(', ')} and ${rest} more` : first.join(', ');
}

/**
 * A note as a sentence. One that its writer ended is one already. The first letter of another becomes a capital, unless the first word is
 * a name: of a file, a field, an option.
 */
export function sentence(note: string): string {
  if (note.endsWith('.')) return note;
  const isWord = /^[a-z]+(?![\w.?=/-])/.test(note);
  return `${isWord ? note[0]!.toUpperCase() : note.slice(0, 1)}${note.slice(1)}.`;
}

/** A reader's report as it stands in `--json`: events by their names. */
export function readReportJson({ byKind, others, ...rest }: ReadReport): unknown {
  const events = byKind.flatMap((count, kind) => (count > 0 ? [[EVENT_NAMES[kind]!, count] as const] : []));
  return { ...rest, events: Object.fromEntries(events), others: Object.fromEntries(others) };
}
