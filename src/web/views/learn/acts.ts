/**
 * # What a learner does, as text
 *
 *     create tables 1024 align=1024 flags=CACHE_DMA32
 *     alloc tables 16 cpu=1 gfp=GFP_ATOMIC
 *     free 3 cpu=1
 *     free 5-8
 *     shrink tables
 *     destroy tables
 *     wait 2000
 *
 * Objects have the numbers in which they were handed out, from 1 on. What is said once here may be several acts: 16 allocations are 16
 * steps. A `;` parts lines as a line's end does, so that a lesson fits into an address.
 */
import { ArgumentError, type Gfp, parseSize } from '../../../base/index.js';
import { parseLines, readCount, type Verb, type Words } from '../../../lab/index.js';
import { formatGfp, GFP, parseGfp } from '../../../machine/index.js';
import { formatSlabFlags, parseSlabFlags } from '../../../slab/index.js';

/** One step. Sizes in bytes. */
export type Act =
  | {
      readonly kind: 'create';
      readonly name: string;
      readonly size: number;
      readonly align: number;
      readonly flags: number;
      readonly ctor: boolean;
    }
  | { readonly kind: 'alloc'; readonly name: string; readonly cpu: number; readonly gfp: Gfp }
  | { readonly kind: 'free'; readonly object: number; readonly cpu: number }
  | { readonly kind: 'shrink' | 'destroy'; readonly name: string }
  | { readonly kind: 'wait'; readonly milliseconds: number };

/** What one line asks for. */
type Line = { readonly acts: readonly Act[] };

/** A lesson is short: one that repeats an act more often than this is none. */
const REPEAT_MAX = 512;
/** What a lesson's script is called in messages. */
const FILE = 'lesson';

function wholeNumber(what: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,9}$/.test(text)) throw new ArgumentError(`expected ${what}, but there stands '${text}'`);
    return Number(text);
  };
}

const cpuOf = (words: Words) => words.option('cpu', wholeNumber('the number of a CPU'), 0);

function repeated(count: number, act: (i: number) => Act): Line {
  if (count > REPEAT_MAX)
    throw new ArgumentError(`a lesson does a thing at most ${REPEAT_MAX} times, not ${count} times`);
  return { acts: Array.from({ length: count }, (_, i) => act(i)) };
}

function readCreate(words: Words): Line {
  const ctor = words.has('ctor');
  const name = words.next('a name');
  const size = parseSize(words.next('a size'));
  const align = words.option('align', parseSize, 0);
  const flags = words.option<number>('flags', parseSlabFlags, 0);
  return { acts: [{ kind: 'create', name, size, align, flags, ctor }] };
}

function readAlloc(words: Words): Line {
  const name = words.next('a name');
  const count = readCount(words.optional() ?? '1');
  const cpu = cpuOf(words);
  const gfp = words.option<Gfp>('gfp', parseGfp, GFP.KERNEL);
  return repeated(count, () => ({ kind: 'alloc', name, cpu, gfp }));
}

function readFree(words: Words): Line {
  const text = words.next("an object's number, or two with - between");
  const [, from, to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text) ?? [];
  if (from === undefined || Number(to) < Number(from) || Number(from) < 1)
    throw new ArgumentError(`expected an object's number, such as 3, or 3-5, but there stands '${text}'`);
  const cpu = cpuOf(words);
  return repeated(Number(to) - Number(from) + 1, (i) => ({ kind: 'free', object: Number(from) + i, cpu }));
}

const VERBS: ReadonlyMap<string, Verb<Line>> = new Map(
  Object.entries({
    create: { usage: 'create NAME SIZE [align=N] [flags=A,B] [ctor]', read: readCreate },
    alloc: { usage: 'alloc NAME [COUNT] [cpu=N] [gfp=A|B]', read: readAlloc },
    free: { usage: 'free OBJECT, or free FROM-TO [cpu=N]', read: readFree },
    shrink: {
      usage: 'shrink NAME',
      read: (words: Words): Line => ({ acts: [{ kind: 'shrink', name: words.next('a name') }] }),
    },
    destroy: {
      usage: 'destroy NAME',
      read: (words: Words): Line => ({ acts: [{ kind: 'destroy', name: words.next('a name') }] }),
    },
    wait: {
      usage: 'wait MILLISECONDS',
      read: (words: Words): Line => ({
        acts: [{ kind: 'wait', milliseconds: wholeNumber('milliseconds')(words.next('milliseconds')) }],
      }),
    },
  } satisfies Record<string, Verb<Line>>),
);

/** Reads a lesson. Throws InputError with the line, what was expected there and what stands there. */
export function parseActs(text: string): Act[] {
  return parseLines(text.replaceAll(';', '\n'), FILE, VERBS).flatMap(({ acts }) => acts);
}

/** Acts as lines, in as few as say the same: `parseActs` reads them back. */
export function formatActs(acts: readonly Act[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < acts.length; ) {
    let next = i + 1;
    while (next < acts.length && next - i < REPEAT_MAX && goesOn(acts[next - 1]!, acts[next]!)) next++;
    lines.push(formatRun(acts[i]!, acts[next - 1]!, next - i));
    i = next;
  }
  return lines;
}

/** Whether two acts fit on one line. */
function goesOn(act: Act, next: Act): boolean {
  if (act.kind === 'alloc' && next.kind === 'alloc')
    return act.name === next.name && act.cpu === next.cpu && act.gfp === next.gfp;
  return (
    act.kind === 'free' && next.kind === 'free' && act.cpu === next.cpu && next.object === act.object + 1
  );
}

/** So many acts that fit on one line, by the first and the last of them. */
function formatRun(act: Act, last: Act, count: number): string {
  const words: (string | false)[] = [act.kind];
  switch (act.kind) {
    case 'create':
      words.push(act.name, String(act.size), act.align !== 0 && `align=${act.align}`);
      words.push(act.flags !== 0 && `flags=${formatSlabFlags(act.flags).replaceAll('|', ',')}`);
      words.push(act.ctor && 'ctor');
      break;
    case 'alloc':
      words.push(act.name, count > 1 && String(count), act.cpu !== 0 && `cpu=${act.cpu}`);
      words.push(act.gfp !== GFP.KERNEL && `gfp=${formatGfp(act.gfp)}`);
      break;
    case 'free': {
      const to = last.kind === 'free' ? last.object : act.object;
      words.push(to > act.object ? `${act.object}-${to}` : String(act.object));
      words.push(act.cpu !== 0 && `cpu=${act.cpu}`);
      break;
    }
    case 'wait':
      words.push(String(act.milliseconds));
      break;
    default:
      words.push(act.name);
  }
  return words.filter((word) => word !== false).join(' ');
}
