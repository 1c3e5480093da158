/**
 * The screen of `slablab layout`: the call, what comes of it, the numbers, a slab and an object as pictures.
 * Numbers are written as /sys/kernel/slab writes them, to be compared and found.
 */
import { formatBytes, formatShare, largestOf } from '../../base/index.js';
import {
  type CacheLayout,
  freelistWords,
  LAYOUT_FACTS,
  LAYOUT_NAMES,
  type LayoutFact,
  type LayoutReport,
  objectsWords,
  type Segment,
  segmentLetter,
  segmentNote,
} from '../../lab/layout/index.js';
import { capabilitiesOf } from '../../slab/index.js';
import type { Terminal } from '../terminal.js';
import { drawObject, drawSlab } from './slab-picture.js';
import { type Column, renderTable } from './table.js';
import { displayWidth, padRight, wrap, wrapCommand, wrapParts } from './text.js';

interface LayoutScreenOptions {
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
    ...wrap(freelistWords(layout, alone), textWidth),
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
    ...nextCommands(report, typed, terminal.width),
  ];
}

function nextCommands({ machine }: LayoutReport, typed: string, width: number): string[] {
  if (!capabilitiesOf(machine.kernel, machine.allocator).debugFlags)
    return [
      ...wrapCommand(typed.replace(/(--allocator[ =])slab\b/, '$1slub,slab'), width),
      '  slablab compare',
    ];
  return [
    ...(machine.slubDebug === '' ? wrapCommand(`${typed} --debug FZPU`, width) : []),
    '  slablab compare',
  ];
}

/** The call as a driver writes it. */
function callOf({ request }: LayoutReport): string {
  const { name, size, align, flags, flagNames, ctor, useroffset, usersize, sheafCapacity = 0 } = request;
  const named = flagNames
    .replace(/\b(?=[A-Z])/g, 'SLAB_')
    .split('|')
    .join(' | ');
  const flagText = flags === 0 ? '0' : named;
  const last = ctor ? 'ctor' : 'NULL';
  if (sheafCapacity > 0) {
    const args = Object.entries({ align, useroffset, usersize, sheaf_capacity: sheafCapacity });
    const given = args.filter(([, value]) => value > 0).map(([field, value]) => `.${field} = ${value}`);
    if (ctor) given.push('.ctor = ctor');
    return `kmem_cache_create("${name}", ${size}, &(struct kmem_cache_args){ ${given.join(', ')} }, ${flagText})`;
  }
  const first = `"${name}", ${size}, ${align}, ${flagText}`;
  if (useroffset + usersize === 0) return `kmem_cache_create(${first}, ${last})`;
  return `kmem_cache_create_usercopy(${first}, ${useroffset}, ${usersize}, ${last})`;
}

function machineParts({ machine }: LayoutReport): string[] {
  return [
    `Linux ${machine.kernel}, ${machine.allocator.toUpperCase()}`,
    machine.name,
    `${machine.cpus} CPU${machine.cpus === 1 ? '' : 's'}`,
    `pages of ${formatBytes(machine.pageSize)}`,
    ...bootParts(machine),
  ];
}

/** What the kernel was booted with. */
function bootParts(machine: LayoutReport['machine']): string[] {
  const { slubMinOrder, slubMaxOrder, slubMinObjects, slubNomerge, slubDebug, slabMaxOrder } = machine;
  if (!capabilitiesOf(machine.kernel, machine.allocator).orderRange)
    return [`slab_max_order=${slabMaxOrder}`, ...(slubNomerge ? ['slab_nomerge'] : [])];
  return [
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
      : `No cache of its own: it joins ${merged.name}, now shared by ${merged.sharedBy} caches.`;
  const colours = 'colours' in layout && layout.colours > 1 ? ` for ${layout.colours} colours` : '';
  const left = 'colours' in layout ? `left over${colours}` : 'wasted';
  const waste =
    wasteBytes === 0 ? 'nothing wasted' : `${wasteBytes} bytes (${formatShare(wasteShare)}) ${left}`;
  const each = slabSize === request.size ? '' : ` Each object of ${request.size} bytes takes ${slabSize}.`;
  return `${own} A slab is ${formatBytes(slabBytes)}: ${objectsWords(objects)}, ${waste}.${each}`;
}

function placeWords({ machine }: LayoutReport, { firstZone, mayLieAbove4GiB }: CacheLayout): string {
  if (firstZone === null) return `${machine.name} has no memory for a slab of it.`;
  const where = mayLieAbove4GiB
    ? 'they may lie above 4 GiB, where a 32-bit entry cannot point'
    : 'they lie below 4 GiB';
  return `Its slabs come from zone ${firstZone} first: on ${machine.name} ${where}.`;
}

function oneLayout(
  layout: CacheLayout,
  { width, style, textWidth }: LayoutScreenOptions['terminal'],
): string[] {
  const columns: Column<LayoutFact>[] = [
    { name: 'name', head: [], left: true, cell: (fact) => `  ${fact.name}`, raw: () => null },
    { name: 'value', head: [], cell: (fact) => fact.value(layout)!, raw: () => null },
    { name: 'note', head: [], left: true, cell: (fact) => style.dim(fact.note(layout)), raw: () => null },
  ];
  const has = ({ value }: Pick<LayoutFact, 'value'>) => value(layout) !== null;
  const names = LAYOUT_NAMES.filter(has).flatMap(({ name, value }) =>
    wrapParts(value(layout)!.split('|'), textWidth - 19, '|').map((line, i, lines) => {
      const begin = i === 0 ? padRight(`  ${name}`, 18) : ' '.repeat(18);
      return `${begin}${line}${i < lines.length - 1 ? '|' : ''}`;
    }),
  );
  return [...renderTable(columns, LAYOUT_FACTS.filter(has), { width }), ...names];
}

/** What is joined beside what it would have been alone; an = where both are the same. */
function twoLayouts(
  name: string,
  joined: CacheLayout,
  alone: CacheLayout,
  { width, style }: LayoutScreenOptions['terminal'],
): string[] {
  const rows = [...LAYOUT_FACTS, ...LAYOUT_NAMES].filter(({ value }) => value(joined) !== null);
  const same = (row: (typeof rows)[number]) => row.value(joined) === row.value(alone);
  const columns: Column<(typeof rows)[number]>[] = [
    { name: 'name', head: [''], left: true, cell: (row) => `  ${row.name}`, raw: () => null },
    { name: 'joined', head: [name], cell: (row) => row.value(joined)!, raw: () => null },
    { name: 'alone', head: ['alone'], cell: (row) => (same(row) ? '=' : row.value(alone)!), raw: () => null },
  ];
  return renderTable(columns, rows, {
    width,
    style,
    rowStyle: (row) => (same(row) ? (text) => text : style.bold),
  });
}

/** The longest name of a number, its indent and a gap. */
const NAME_WIDTH = '  cpu_partial slabs'.length + 2;

/** Several kernels' or allocators' answers to the same call: a column each, an = where a later one answers as the first does. */
export function sideBySideScreen(
  reports: readonly LayoutReport[],
  { terminal }: LayoutScreenOptions,
): string[] {
  const { style, textWidth, width } = terminal;
  const [first] = reports;
  const heads = columnHeads(reports);
  const words = (report: LayoutReport): string => {
    const layout = report.merged?.layout ?? report.alone;
    if (layout === null) return `The kernel refuses: ${report.refused}`;
    return [outcome(report, layout), freelistWords(layout, report.alone)].join(' ').trimEnd();
  };
  const outcomes = reports.flatMap((report, i) => wrap(`${heads[i]}: ${words(report)}`, textWidth, '  '));
  // What the request is by itself: which standing cache it joins is said in words.
  const alone = reports.map((report) => report.alone);
  const counts = [
    { name: 'objects', value: (l: CacheLayout) => String(l.objects) },
    {
      name: 'cpu_partial slabs',
      value: (l: CacheLayout) => ('cpuPartialSlabs' in l ? String(l.cpuPartialSlabs) : null),
    },
  ];
  type Row = (typeof counts)[number];
  const told = (row: Row) => alone.some((layout) => layout !== null && row.value(layout) !== null);
  const rows: Row[] = [...LAYOUT_FACTS, ...counts].filter(told);
  const names: Row[] = LAYOUT_NAMES.filter(told);
  const textOf = (row: Row, i: number) => (alone[i] && row.value(alone[i])) ?? '–';
  const same = (row: Row) => alone.every((_, i) => textOf(row, i) === textOf(row, 0));
  const columns: Column<Row>[] = [
    { name: 'name', head: [''], left: true, cell: (row) => `  ${row.name}`, raw: () => null },
    ...reports.map(
      (_, i): Column<Row> => ({
        name: heads[i]!,
        head: [heads[i]!],
        cell: (row) => (i > 0 && textOf(row, i) === textOf(row, 0) ? '=' : textOf(row, i)),
        raw: () => null,
      }),
    ),
  ];
  const rowStyle = (row: Row) => (same(row) ? (text: string) => text : style.bold);
  const head = [
    ...wrap(callOf(first!), textWidth, '    ').map(style.bold),
    ...wrapParts(commonParts(reports), textWidth).map(style.dim),
    '',
    ...outcomes,
  ];
  // Nobody makes a cache of it: there is nothing to compare.
  if (rows.length === 0) return head;
  // What only one of them has is no difference in what both have.
  const shared = (row: Row) => alone.every((layout) => layout === null || row.value(layout) !== null);
  const differing = [...rows, ...names].filter((row) => shared(row) && !same(row)).map(({ name }) => name);
  return [
    ...head,
    '',
    ...renderTable(columns, rows, { width, style, rowStyle }),
    ...names.flatMap((row) => {
      const texts = alone.map((layout) => layout && row.value(layout));
      return nameLines(row.name, same(row) ? texts.slice(0, 1) : texts, heads, textWidth).map(rowStyle(row));
    }),
    '',
    ...wrap(differenceWords(reports, differing), textWidth).map(style.bold),
  ];
}

/** A row of words, which would make columns too wide: a line a column that has one, or one line where all say the same. */
function nameLines(
  name: string,
  texts: readonly (string | null)[],
  heads: readonly string[],
  width: number,
): string[] {
  const headWidth = texts.length > 1 ? largestOf(heads.map(displayWidth)) + 2 : 0;
  const lines = texts.flatMap((text, column) => {
    if (text === null) return [];
    const parts = wrapParts(text.split('|'), width - NAME_WIDTH - headWidth - 1, '|');
    return parts.map((line, i) => {
      const head = padRight(i === 0 && headWidth > 0 ? heads[column]! : '', headWidth);
      return `${head}${line}${i < parts.length - 1 ? '|' : ''}`;
    });
  });
  return lines.map((line, i) => padRight(i === 0 ? `  ${name}` : '', NAME_WIDTH) + line);
}

/** What tells the columns apart: the kernel, the allocator, or both. */
function columnHeads(reports: readonly LayoutReport[]): string[] {
  const several = (of: (machine: LayoutReport['machine']) => string) =>
    new Set(reports.map(({ machine }) => of(machine))).size > 1;
  const byAllocator = several(({ allocator }) => allocator);
  const byKernel = several(({ kernel }) => kernel);
  return reports.map(({ machine: { kernel, allocator } }) =>
    [...(byKernel || !byAllocator ? [kernel] : []), ...(byAllocator ? [allocator.toUpperCase()] : [])].join(
      ' ',
    ),
  );
}

/** The machine as far as the columns have it in common, with what each was booted with. */
function commonParts(reports: readonly LayoutReport[]): string[] {
  const parts = reports.map((report) => machineParts(report));
  const [begin = []] = parts;
  const kernels = new Set(reports.map(({ machine }) => machine.kernel));
  const kernel = kernels.size === 1 ? [`Linux ${[...kernels][0]}`] : [];
  const boots = new Set(reports.flatMap(({ machine }) => bootParts(machine)));
  return [...kernel, ...begin.slice(1, 4), ...boots];
}

function differenceWords(reports: readonly LayoutReport[], differing: readonly string[]): string {
  const who = new Set(reports.map(({ machine }) => machine.allocator)).size > 1 ? 'allocators' : 'kernels';
  if (differing.length === 0) return `With no cache to merge with, the ${who} make the same of it.`;
  const shared = who === 'allocators' ? 'Of what both have, they' : 'With no cache to merge with, they';
  const [last, ...before] = [...differing].reverse();
  const list = before.length === 0 ? last : `${before.reverse().join(', ')} and ${last}`;
  return `${shared} differ in ${list}.`;
}

/** The bytes of an object, a line a part. */
function segmentList(layout: CacheLayout, { width, style }: LayoutScreenOptions['terminal']): string[] {
  const { segments } = layout;
  const redLeftPad = 'redLeftPad' in layout ? layout.redLeftPad : 0;
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
    { name: 'note', head: [''], left: true, cell: (s) => style.dim(segmentNote(s)), raw: () => null },
  ];
  const lines = renderTable(columns, segments, { width, style });
  if (lines.every((line) => displayWidth(line) <= width)) return lines;
  return renderTable(columns.slice(0, -1), segments, { width, style });
}
