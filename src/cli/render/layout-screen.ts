/**
 * The screen of `slablab layout`: the call, what comes of it, the numbers, a slab and an object as pictures.
 * Numbers are written as /sys/kernel/slab writes them, to be compared and found.
 */
import { formatBytes } from '../../base/index.js';
import {
  type CacheLayout,
  formatShare,
  type LayoutReport,
  type Segment,
  type SegmentKind,
} from '../../lab/index.js';
import type { Terminal } from '../terminal.js';
import { drawObject, drawSlab, segmentLetter } from './slab-picture.js';
import { type Column, renderTable } from './table.js';
import { displayWidth, padRight, wrap, wrapCommand, wrapParts } from './text.js';

export interface LayoutScreenOptions {
  readonly terminal: Pick<Terminal, 'width' | 'textWidth' | 'style'>;
  /** The command as it was typed. */
  readonly typed: string;
}

export function layoutScreen(report: LayoutReport, { terminal, typed }: LayoutScreenOptions): string[] {
  const { style, textWidth } = terminal;
  const { merged, alone, refused, warnings } = report;
  const head = [
    ...wrap(callOf(report), textWidth, '    ').map(style.bold),
    ...wrapParts(machineParts(report), textWidth).map(style.dim),
    '',
    ...warnings.flatMap((line) => wrap(`The kernel warns: ${line}`, textWidth, '  ')),
  ];
  const layout = merged?.layout ?? alone;
  if (layout === null) {
    // The kernel's line stands whole, to be searched for.
    return [...head, style.bad('✗ The kernel refuses:'), `  ${refused}`];
  }
  const pictureWidth = textWidth - 2;
  const indented = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
  return [
    ...head,
    ...wrap(outcome(report, layout), textWidth).map(style.bold),
    ...wrap(placeWords(report, layout), textWidth),
    '',
    ...(merged && alone
      ? twoLayouts(merged.name, merged.layout, alone, terminal)
      : oneLayout(layout, terminal)),
    '',
    style.bold(`One slab: ${formatBytes(layout.slabBytes)}, ${layout.objects} × ${layout.slabSize} bytes`),
    ...indented(drawSlab(layout, pictureWidth)),
    '',
    style.bold(`One object: ${layout.slabSize} bytes`),
    ...indented(drawObject(layout.segments, pictureWidth)),
    '',
    ...segmentList(layout, terminal),
    '',
    'Next:',
    ...(report.machine.slubDebug === '' ? wrapCommand(`${typed} --debug FZPU`, terminal.width) : []),
    '  slablab compare',
  ];
}

/** The call as a driver writes it. */
function callOf({ request }: LayoutReport): string {
  const { name, size, align, flags, flagNames, ctor, useroffset, usersize } = request;
  const named = flagNames
    .replace(/\b(?=[A-Z])/g, 'SLAB_')
    .split('|')
    .join(' | ');
  const flagText = flags === 0 ? '0' : named;
  const last = ctor ? 'ctor' : 'NULL';
  const first = `"${name}", ${size}, ${align}, ${flagText}`;
  if (useroffset + usersize === 0) return `kmem_cache_create(${first}, ${last})`;
  return `kmem_cache_create_usercopy(${first}, ${useroffset}, ${usersize}, ${last})`;
}

function machineParts({ machine }: LayoutReport): string[] {
  const { slubMinOrder, slubMaxOrder, slubMinObjects, slubNomerge, slubDebug } = machine;
  return [
    `Linux ${machine.kernel}, SLUB`,
    machine.name,
    `${machine.cpus} CPU${machine.cpus === 1 ? '' : 's'}`,
    `pages of ${formatBytes(machine.pageSize)}`,
    ...(slubMinOrder === 0 ? [] : [`slub_min_order=${slubMinOrder}`]),
    `slub_max_order=${slubMaxOrder}`,
    ...(slubMinObjects === 0 ? [] : [`slub_min_objects=${slubMinObjects}`]),
    ...(slubNomerge ? ['slub_nomerge'] : []),
    ...(slubDebug === '' ? [] : [`slub_debug=${slubDebug}`]),
  ];
}

function outcome({ merged, request }: LayoutReport, layout: CacheLayout): string {
  const { objects, slabBytes, slabSize, wasteBytes, wasteShare } = layout;
  const own =
    merged === null
      ? 'A cache of its own.'
      : `No cache of its own: it joins ${merged.name}, which ${merged.sharedBy} creations then share.`;
  const waste =
    wasteBytes === 0 ? 'nothing wasted' : `${wasteBytes} bytes (${formatShare(wasteShare)}) wasted`;
  const each = slabSize === request.size ? '' : ` Each object of ${request.size} bytes takes ${slabSize}.`;
  return `${own} A slab is ${formatBytes(slabBytes)}: ${objectsWords(objects)}, ${waste}.${each}`;
}

function objectsWords(objects: number): string {
  return `${objects} object${objects === 1 ? '' : 's'}`;
}

function placeWords({ machine }: LayoutReport, { firstZone, mayLieAbove4GiB }: CacheLayout): string {
  if (firstZone === null) return `${machine.name} has no memory for a slab of it.`;
  const where = mayLieAbove4GiB
    ? 'they may lie above 4 GiB, where a 32-bit entry cannot point'
    : 'they lie below 4 GiB';
  return `Its slabs come from zone ${firstZone} first: on ${machine.name} ${where}.`;
}

/** A number of a layout: its name in /sys/kernel/slab or in the kernel, and what it says. */
interface Fact {
  readonly name: string;
  readonly value: (layout: CacheLayout) => string;
  readonly note: (layout: CacheLayout) => string;
}

const FACTS: readonly Fact[] = [
  {
    name: 'slab_size',
    value: (l) => String(l.slabSize),
    note: () => 'bytes from one object to the next',
  },
  { name: 'object_size', value: (l) => String(l.objectSize), note: () => 'bytes of the object itself' },
  {
    name: 'inuse',
    value: (l) => String(l.inuse),
    note: () => 'bytes before what is kept behind the object',
  },
  { name: 'align', value: (l) => String(l.align), note: () => 'bytes' },
  {
    name: 'offset',
    value: (l) => String(l.freePointer.offset),
    note: (l) => `of the free pointer, ${l.freePointer.insideObject ? 'inside' : 'behind'} the object`,
  },
  {
    name: 'red_left_pad',
    value: (l) => String(l.redLeftPad),
    note: () => 'bytes of red zone in front of it',
  },
  {
    name: 'order',
    value: (l) => String(l.order),
    note: (l) => `${objectsWords(l.objects)} in ${formatBytes(l.slabBytes)}`,
  },
  {
    name: 'fallback order',
    value: (l) => String(l.fallback.order),
    note: (l) =>
      l.fallback.order === l.order
        ? 'the same: a smaller block would not hold one'
        : `${objectsWords(l.fallback.objects)}, where order ${l.order} is not to be had`,
  },
  {
    name: 'waste',
    value: (l) => String(l.wasteBytes),
    note: (l) => `bytes of each slab, ${formatShare(l.wasteShare)}`,
  },
  {
    name: 'min_partial',
    value: (l) => String(l.minPartial),
    note: () => 'slabs that a node keeps, even if they are empty',
  },
  {
    name: 'cpu_partial',
    value: (l) => String(l.cpuPartial),
    note: (l) =>
      l.cpuPartialSlabs === 0
        ? 'debugging takes them away'
        : `objects: ${l.cpuPartialSlabs} slab${l.cpuPartialSlabs === 1 ? '' : 's'} a CPU`,
  },
];

const NAMES: readonly { readonly name: string; readonly value: (layout: CacheLayout) => string }[] = [
  { name: 'unique id', value: (l) => l.id },
  { name: 'allocflags', value: (l) => l.allocflagNames },
  { name: 'flags', value: (l) => l.flagNames },
];

function oneLayout(
  layout: CacheLayout,
  { width, style, textWidth }: LayoutScreenOptions['terminal'],
): string[] {
  const columns: Column<Fact>[] = [
    { name: 'name', head: [], left: true, cell: (fact) => `  ${fact.name}`, raw: () => null },
    { name: 'value', head: [], cell: (fact) => fact.value(layout), raw: () => null },
    { name: 'note', head: [], left: true, cell: (fact) => style.dim(fact.note(layout)), raw: () => null },
  ];
  const names = NAMES.flatMap(({ name, value }) =>
    wrapParts(value(layout).split('|'), textWidth - 19, '|').map((line, i, lines) => {
      const begin = i === 0 ? padRight(`  ${name}`, 18) : ' '.repeat(18);
      return `${begin}${line}${i < lines.length - 1 ? '|' : ''}`;
    }),
  );
  return [...renderTable(columns, FACTS, { width }), ...names];
}

/** What is joined beside what it would have been alone; an = where both are the same. */
function twoLayouts(
  name: string,
  joined: CacheLayout,
  alone: CacheLayout,
  { width, style }: LayoutScreenOptions['terminal'],
): string[] {
  const rows = [...FACTS, ...NAMES];
  const same = (row: (typeof rows)[number]) => row.value(joined) === row.value(alone);
  const columns: Column<(typeof rows)[number]>[] = [
    { name: 'name', head: [''], left: true, cell: (row) => `  ${row.name}`, raw: () => null },
    { name: 'joined', head: [name], cell: (row) => row.value(joined), raw: () => null },
    { name: 'alone', head: ['alone'], cell: (row) => (same(row) ? '=' : row.value(alone)), raw: () => null },
  ];
  return renderTable(columns, rows, {
    width,
    style,
    rowStyle: (row) => (same(row) ? (text) => text : style.bold),
  });
}

/** Several kernels' answers to the same call: a column each, an = where a later one answers as the first does. */
export function kernelsScreen(reports: readonly LayoutReport[], { terminal }: LayoutScreenOptions): string[] {
  const { style, textWidth, width } = terminal;
  const [first] = reports;
  const words = (report: LayoutReport): string => {
    const layout = report.merged?.layout ?? report.alone;
    return layout === null ? `The kernel refuses: ${report.refused}` : outcome(report, layout);
  };
  const outcomes = reports.flatMap((report) =>
    wrap(`${report.machine.kernel}: ${words(report)}`, textWidth, '  '),
  );
  // What the request is by itself: which standing cache it joins is said in words.
  const alone = reports.map((report) => report.alone);
  const counts = [
    { name: 'objects', value: (l: CacheLayout) => String(l.objects) },
    { name: 'cpu_partial slabs', value: (l: CacheLayout) => String(l.cpuPartialSlabs) },
  ];
  const rows = [...FACTS, ...counts, ...NAMES];
  type Row = (typeof rows)[number];
  const textOf = (row: Row, i: number) => (alone[i] ? row.value(alone[i]) : '–');
  const same = (row: Row) => alone.every((_, i) => textOf(row, i) === textOf(row, 0));
  const columns: Column<Row>[] = [
    { name: 'name', head: [''], left: true, cell: (row) => `  ${row.name}`, raw: () => null },
    ...reports.map(
      (report, i): Column<Row> => ({
        name: report.machine.kernel,
        head: [report.machine.kernel],
        cell: (row) => (i > 0 && textOf(row, i) === textOf(row, 0) ? '=' : textOf(row, i)),
        raw: () => null,
      }),
    ),
  ];
  const rowStyle = (row: Row) => (same(row) ? (text: string) => text : style.bold);
  const table = renderTable(columns, rows, { width, style, rowStyle });
  const differing = rows.filter((row) => !same(row)).map((row) => row.name);
  const summary =
    differing.length === 0
      ? 'Alone, the kernels make the same cache of it.'
      : `Alone, they differ in ${differing.join(', ')}.`;
  return [
    ...wrap(callOf(first!), textWidth, '    ').map(style.bold),
    ...wrapParts(machineParts(first!).slice(1), textWidth).map(style.dim),
    '',
    ...outcomes,
    '',
    ...table,
    '',
    ...wrap(summary, textWidth).map(style.bold),
  ];
}

/** The bytes of an object, a line a part. */
function segmentList(
  { segments, redLeftPad }: CacheLayout,
  { width, style }: LayoutScreenOptions['terminal'],
): string[] {
  const number = (head: string, of: (s: Segment) => number): Column<Segment> => ({
    name: head,
    head: [head],
    cell: (segment) => String(of(segment)),
    raw: of,
  });
  const columns: Column<Segment>[] = [
    {
      name: 'key',
      head: [''],
      left: true,
      cell: (s) => `  ${segmentLetter(segments.indexOf(s))}`,
      raw: () => null,
    },
    number('from', (s) => s.from),
    number('bytes', (s) => s.to - s.from),
    ...(redLeftPad > 0 ? [number('object +', (s) => s.from - redLeftPad)] : []),
    {
      name: 'what',
      head: [''],
      left: true,
      cell: (s) => s.what,
      raw: () => null,
    },
    { name: 'note', head: [''], left: true, cell: (s) => style.dim(noteOf(s)), raw: () => null },
  ];
  const lines = renderTable(columns, segments, { width, style });
  if (lines.every((line) => displayWidth(line) <= width)) return lines;
  return renderTable(columns.slice(0, -1), segments, { width, style });
}

const NOTES: Readonly<Record<SegmentKind, string>> = {
  'left red zone': 'a whole alignment wide',
  object: 'what callers see',
  alignment: 'up to a whole word',
  'red zone': 'a write behind the object shows here',
  'free pointer': 'behind the object, which stays whole',
  'alloc track': 'who allocated it',
  'free track': 'who freed it last',
  'requested size': 'what kmalloc was asked for',
  padding: 'up to the alignment',
};

function noteOf({ what, freePointer }: Segment): string {
  return freePointer && what !== 'free pointer' ? 'holds the free pointer while it is free' : NOTES[what];
}
