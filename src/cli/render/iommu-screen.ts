/**
 * The screen of `slablab iommu`: what came of the load, the first level as a picture, the tables and their memory, where they lie, what
 * failed and which bugs of the kernel bit, walks, and where to go on.
 */
import { counted, formatAddress, formatBytes, formatCount, GIB, MIB } from '../../base/index.js';
import {
  formatRatio,
  type IommuFailure,
  type IommuResult,
  type IommuTable,
  ramWords,
  type SecondLevel,
} from '../../lab/index.js';
import type { Terminal } from '../terminal.js';
import {
  drawFirstLevel,
  drawRam,
  drawWalk,
  entriesPerSign,
  FIRST_LEVEL_LEGEND,
  fillBar,
  hasLimitLine,
} from './iommu-pictures.js';
import { type Column, renderTable } from './table.js';
import { wrap, wrapCommand, wrapParts } from './text.js';

interface IommuScreenOptions {
  readonly terminal: Pick<Terminal, 'width' | 'textWidth' | 'style'>;
  readonly wide: boolean;
  /** The command as it was typed. */
  readonly typed: string;
  /** The command that compares the strategies on this load, if there is one. */
  readonly compare: string | undefined;
}

const TABLE_BYTES = 1024;
const TABLE_ENTRIES = 256;
/** Rows of a list that is not `--wide`. */
const SHOWN = 8;

export function iommuScreen(result: IommuResult, options: IommuScreenOptions): string[] {
  const { style, textWidth } = options.terminal;
  const head = [
    ...wrap(headline(result), textWidth).map(isBad(result) ? style.bad : style.bold),
    ...computed(result)
      .flatMap((parts) => wrapParts(parts, textWidth))
      .map(style.dim),
  ];
  const sections =
    result.domain.refused === null
      ? [
          failures(result, options),
          bugs(result, options),
          firstLevel(result, options),
          fullness(result, options),
          memory(result, options),
          lookups(result, options),
          walks(result, options),
          freeEmpty(result, options),
        ]
      : [];
  const words = result.words.flatMap((sentence) => wrap(sentence, textWidth, '  '));
  return [
    ...[head, ...sections, words].filter((lines) => lines.length > 0).flatMap((lines) => [...lines, '']),
    ...next(result, options),
  ];
}

function isBad({ load, crash, domain }: IommuResult): boolean {
  return load.failed > 0 || crash !== null || domain.refused !== null;
}

/** What came of it, in one sentence. */
function headline({ load, crash, domain, secondLevel }: IommuResult): string {
  if (domain.refused !== null) return `✗ alloc_io_pgtable_ops returns NULL: ${domain.refused}.`;
  const { live, empty, peakLive } = secondLevel;
  if (crash !== null)
    return `✗ The kernel crashes at ${load.unit} ${formatCount(crash.line)}, with ${counted(live, 'table')} live.`;
  const tables =
    live === 0
      ? 'No second-level table is live at the end'
      : `${counted(live, 'second-level table')} live at the end`;
  const nothing = empty === 0 ? '' : `, ${empty === live ? 'all' : formatCount(empty)} of which map nothing`;
  const peak = peakLive > live ? `; at most ${formatCount(peakLive)} at any time` : '';
  const failed =
    load.failed === 0
      ? ''
      : ` ✗ ${formatCount(load.failed)} of ${counted(load.operations, 'operation')} failed.`;
  return `${tables}${nothing}${peak}.${failed}`;
}

/** What was computed: load, machine, domain. */
function computed({ load, machine, domain }: IommuResult): string[][] {
  const { registers } = domain;
  return [
    [`${counted(load.operations, 'operation')}: ${load.title}`, load.source],
    [`${machine.name}: ${ramWords(machine)}`, `Linux ${machine.kernel}`, counted(machine.cpus, 'CPU')],
    [
      `ARM_V7S: ${domain.ias} bits in, ${domain.oas} bits out`,
      ...(domain.quirks.length > 0 ? [domain.quirks.join(' ')] : []),
      ...(registers ? [`ttbr ${formatAddress(registers.ttbr)}`] : []),
      `tables from ${domain.tablesFromName}`,
      ...(domain.faults === 'fixed' ? ["the driver's bugs mended"] : []),
      ...(domain.era === 'v6' ? ['allocations of tables not checked'] : []),
    ],
  ];
}

function firstLevel(result: IommuResult, { terminal, wide }: IommuScreenOptions): string[] {
  const { style, textWidth } = terminal;
  const level = result.firstLevel;
  if (level === null) return [];
  const drawn = { firstLevel: level, tables: result.tables };
  const perSign = entriesPerSign(drawn, wide) * MIB;
  const about = [
    `First level: ${formatCount(level.entries.length)} entries of 1 MiB`,
    `one character is ${formatBytes(perSign)}`,
    `${formatBytes(level.mappedBytes)} mapped`,
  ];
  return [
    ...wrapParts(about, textWidth).map(style.bold),
    ...drawFirstLevel(drawn, wide, textWidth),
    ...wrap(FIRST_LEVEL_LEGEND, textWidth).map(style.dim),
  ];
}

/** How full tables are: so many entries in use, up to and with the last. */
const STEPS = [0, 63, 127, 191, 255, TABLE_ENTRIES];

function fullness({ tables }: IommuResult, { terminal, wide }: IommuScreenOptions): string[] {
  const { style, width } = terminal;
  if (tables.length === 0) return [];
  const heads = STEPS.map((most, i) => {
    const least = i === 0 ? 0 : STEPS[i - 1]! + 1;
    return least === most ? String(most) : `${least}–${most}`;
  });
  const counts = STEPS.map(
    (most, i) => tables.filter(({ used }) => used <= most && (i === 0 || used > STEPS[i - 1]!)).length,
  );
  const columns: Column<string>[] = [
    { name: 'what', head: ['entries in use'], left: true, cell: (row) => row, raw: () => null },
    ...heads.map(
      (head, i): Column<string> => ({
        name: head,
        head: [head],
        cell: () => formatCount(counts[i]!),
        raw: () => null,
      }),
    ),
  ];
  // Empty ones are all alike.
  const shown = wide ? tables : tables.filter(({ used }) => used > 0).slice(0, SHOWN);
  const rest = tables.length - shown.length;
  return [
    style.bold(`Second level: ${counted(tables.length, 'table')} of ${TABLE_ENTRIES} entries`),
    ...renderTable(columns, ['tables'], { width, style }),
    '',
    ...tableList(shown, terminal),
    ...(rest > 0 ? [style.dim(`… and ${counted(rest, 'table')} more: --wide`)] : []),
  ];
}

function tableList(
  tables: readonly IommuTable[],
  { style, width }: IommuScreenOptions['terminal'],
): string[] {
  const columns: Column<IommuTable>[] = [
    { name: 'id', head: ['table'], cell: ({ id }) => formatCount(id), raw: ({ id }) => id },
    {
      name: 'iova',
      head: ['maps from'],
      cell: ({ iova }) => (iova === null ? 'lost' : formatAddress(iova)),
      raw: ({ iova }) => iova,
    },
    {
      name: 'address',
      head: ['lies at'],
      cell: ({ address }) => formatAddress(address),
      raw: ({ address }) => address,
    },
    { name: 'used', head: ['in use'], cell: ({ used }) => String(used), raw: ({ used }) => used },
    {
      name: 'bar',
      head: [''],
      left: true,
      cell: (table) => fillBar(table, Math.max(8, Math.min(32, width - 44))),
      raw: () => null,
    },
  ];
  return renderTable(columns, tables, { width, style });
}

function memory(result: IommuResult, { terminal }: IommuScreenOptions): string[] {
  const { style, textWidth } = terminal;
  const { firstLevel: level, secondLevel, freed } = result;
  if (level === null) return [];
  const { live, peakLive, allocated, freed: given, endBytes, peakBytes, meanBytes } = secondLevel;
  const asked = live * TABLE_BYTES;
  const times = asked === 0 ? '' : `, ${formatRatio(endBytes / asked)} × what they need`;
  const held = live === 0 ? 'no live table' : `${counted(live, 'table')} of 1 KiB`;
  const where = `at ${formatAddress(level.address)} in zone ${level.zone}`;
  const way = [
    `at most ${formatBytes(peakBytes)}, with ${counted(peakLive, 'table')} live`,
    `${formatBytes(Math.round(meanBytes))} on average`,
    `${formatCount(allocated)} allocated, ${formatCount(given)} freed`,
  ];
  const lines = [
    `First level: ${formatBytes(level.bytes)}, order ${level.order}, ${where}.`,
    `Second level: ${formatBytes(endBytes)} for ${held}${times}${slabWords(secondLevel)}.`,
    `On the way: ${way.join('; ')}.`,
    ...(freed === null ? [] : [freedWords(freed, secondLevel)]),
  ];
  return [
    style.bold('Memory'),
    ...lines.flatMap((line) => wrap(line, textWidth, '  ')),
    '',
    ...drawRam(result, textWidth),
    ...wrap(whereWords(result), textWidth).map(style.dim),
  ];
}

function slabWords({ cache }: SecondLevel): string {
  if (cache === null) return '';
  const merged = cache.mergedWith === null ? '' : `, shared with ${cache.mergedWith}`;
  return `, in ${counted(cache.slabs, 'slab')} of ${cache.objectsPerSlab} (${cache.id}${merged})`;
}

function freedWords(
  { tables, leftBytes }: NonNullable<IommuResult['freed']>,
  { cache }: SecondLevel,
): string {
  const owner = cache?.mergedWith ?? null;
  const where = owner === null ? 'stay behind' : `stay in slabs of ${owner}`;
  const left = leftBytes === 0 ? 'everything is given back' : `${formatBytes(leftBytes)} ${where}`;
  return `Freed: the domain gives back ${counted(tables, 'table')}; ${left}.`;
}

function whereWords({ firstLevel, tables, machine }: IommuResult): string {
  const second = tables.filter(({ address }) => address + TABLE_BYTES > 4 * GIB).length;
  const first = firstLevel !== null && firstLevel.address + firstLevel.bytes > 4 * GIB;
  const line = hasLimitLine(machine) ? ', │ 4 GiB' : '';
  const anywhere = machine.ramAbove4GiB > 0 && machine.ramAbove4GiB < machine.ramBytes;
  const free = anywhere ? '' : ', where all of this RAM is';
  return `█ tables, ░ RAM${line}. ${sideWords(first, second, tables.length)}${free}.`;
}

/** Which side of 4 GiB: whether the first level lies above it, and how many second-level tables of all. */
function sideWords(first: boolean, second: number, all: number): string {
  if (all === 0) return `The first level lies ${first ? 'above' : 'below'} 4 GiB`;
  if (second > 0)
    return `${formatCount(second)} of ${counted(all, 'table')} ${all === 1 ? 'lies' : 'lie'} above 4 GiB`;
  return first
    ? 'All second-level tables lie below 4 GiB, the first level above it'
    : 'All tables lie below 4 GiB';
}

/** One of each kind, and how many there are like it. */
interface Kind<T> {
  readonly first: T;
  count: number;
}

/** Each by itself where everything is wanted, else the first of each kind. */
function kindsOf<T>(all: readonly T[], wide: boolean, kindOf: (each: T) => string): Kind<T>[] {
  const kinds = new Map<string, Kind<T>>();
  all.forEach((each, i) => {
    const key = wide ? String(i) : kindOf(each);
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { first: each, count: 1 });
    else kind.count++;
  });
  return [...kinds.values()];
}

function likeIt({ count }: Kind<unknown>): string[] {
  return count === 1 ? [] : [`    and ${formatCount(count - 1)} more like it`];
}

/** Those that were not kept, because there are too many. */
function notKept(all: number, kept: number, style: IommuScreenOptions['terminal']['style']): string[] {
  return all > kept ? [style.dim(`… and ${formatCount(all - kept)} more`)] : [];
}

function failures(result: IommuResult, { terminal, wide }: IommuScreenOptions): string[] {
  const { style, textWidth } = terminal;
  const { load, crash } = result;
  if (load.failed === 0 && crash === null) return [];
  const kinds = kindsOf(
    result.failures,
    wide,
    ({ error, messages }) => `${error} ${(messages[0] ?? '').replace(/0x[\da-f]+|\d+/g, '#')}`,
  );
  const skipped =
    load.skipped === 0 ? '' : `; ${counted(load.skipped, 'unmap')} of what was never mapped left out`;
  const end = crash === null ? '' : `${at(load, crash)} → ${crash.message}`;
  return [
    ...(load.failed > 0
      ? wrap(
          `✗ What failed: ${formatCount(load.failed)} of ${counted(load.done, 'operation')}${skipped}`,
          textWidth,
        ).map(style.bad)
      : []),
    ...kinds.flatMap((kind) => [
      ...wrap(`${at(load, kind.first)} → ${answer(kind.first)}`, textWidth, '    '),
      ...kind.first.messages
        .slice(0, wide ? undefined : 1)
        .flatMap((line) => wrap(line, textWidth, '    ', '    ').map(style.dim)),
      ...likeIt(kind),
    ]),
    ...notKept(load.failed, result.failures.length, style),
    ...wrap(end, textWidth, '    ').map(style.bad),
  ];
}

function at(
  { unit }: IommuResult['load'],
  { line, text }: { readonly line: number; readonly text: string },
): string {
  return `${unit} ${formatCount(line)}: ${text}`;
}

/** `-EEXIST (-17)`, or how much of what was to be unmapped. */
function answer({ ret, error, asked, achieved }: IommuFailure): string {
  if (error === null)
    return `${achieved === 0 ? 0 : formatBytes(achieved)} of ${formatBytes(asked)} unmapped`;
  const mapped = achieved === 0 ? '' : `, ${formatBytes(achieved)} of ${formatBytes(asked)} stay mapped`;
  return `-${error} (${ret})${mapped}`;
}

function bugs({ bugs: all, load, domain }: IommuResult, { terminal, wide }: IommuScreenOptions): string[] {
  const { style, textWidth } = terminal;
  if (load.bugs === 0) return [];
  const mended = domain.faults === 'kernel' ? '; --faults fixed mends them' : '';
  const head = `✗ Bugs of the kernel's driver that bit: ${formatCount(load.bugs)}${mended}`;
  return [
    ...wrap(head, textWidth).map(style.bad),
    ...kindsOf(all, wide, ({ kind }) => kind).flatMap((kind) => [
      ...wrap(`${at(load, kind.first)}: ${kind.first.words}`, textWidth, '    '),
      ...likeIt(kind),
    ]),
    ...notKept(load.bugs, all.length, style),
  ];
}

function lookups({ lookups: all, load }: IommuResult, { terminal, wide }: IommuScreenOptions): string[] {
  if (all.length === 0) return [];
  const shown = wide ? all : all.slice(0, SHOWN);
  const rest = all.length - shown.length;
  return [
    terminal.style.bold('iova_to_phys'),
    ...shown.map(
      ({ line, iova, paddr }) =>
        `${load.unit} ${formatCount(line)}: ${formatAddress(iova)} → ${paddr === 0 ? '0, nothing' : formatAddress(paddr)}`,
    ),
    ...(rest > 0 ? [terminal.style.dim(`… and ${formatCount(rest)} more: --wide`)] : []),
  ];
}

function walks({ walks: all }: IommuResult, { terminal }: IommuScreenOptions): string[] {
  const { style, textWidth } = terminal;
  return all.flatMap((walk, i) => [
    ...(i > 0 ? [''] : []),
    style.bold(`Walk of ${formatAddress(walk.iova)}`),
    ...drawWalk(walk, textWidth),
  ]);
}

function freeEmpty({ freeEmpty: both }: IommuResult, { terminal }: IommuScreenOptions): string[] {
  const { style, width } = terminal;
  if (both === null) return [];
  const { kernel, freeing } = both;
  type Row = { readonly what: string; readonly of: (level: SecondLevel) => number; readonly bytes: boolean };
  const rows: Row[] = [
    { what: 'held at the end', of: (l) => l.endBytes, bytes: true },
    { what: 'held at the peak', of: (l) => l.peakBytes, bytes: true },
    { what: 'held on average', of: (l) => l.meanBytes, bytes: true },
    { what: 'tables live at the end', of: (l) => l.live, bytes: false },
    { what: 'of them empty', of: (l) => l.empty, bytes: false },
    { what: 'tables allocated', of: (l) => l.allocated, bytes: false },
  ];
  const cell = (row: Row, level: SecondLevel) =>
    row.bytes ? formatBytes(Math.round(row.of(level))) : formatCount(row.of(level));
  const columns: Column<Row>[] = [
    { name: 'what', head: [''], left: true, cell: (row) => `  ${row.what}`, raw: () => null },
    { name: 'kernel', head: ['kernel'], cell: (row) => cell(row, kernel), raw: () => null },
    { name: 'freeing', head: ['given back'], cell: (row) => cell(row, freeing), raw: () => null },
  ];
  return [
    style.bold('If tables were given back when they become empty'),
    ...renderTable(columns, rows, { width, style }),
  ];
}

function next(
  result: IommuResult,
  { terminal, wide, typed, compare: command }: IommuScreenOptions,
): string[] {
  const { width } = terminal;
  const table = result.tables.find(({ used, iova }) => used > 0 && iova !== null);
  const walk =
    result.walks.length === 0 && table !== undefined ? [`${typed} --walk ${formatAddress(table.iova!)}`] : [];
  const free = result.freeEmpty === null && result.secondLevel.empty > 0 ? [`${typed} --free-empty`] : [];
  const compare = result.secondLevel.allocated > 0 && command !== undefined ? [command] : [];
  const more = wide || result.firstLevel === null ? [] : [`${typed} --wide`];
  const commands = [...walk, ...free, ...compare, ...more].slice(0, 3);
  return [
    'Next:',
    ...(commands.length > 0 ? commands : ['slablab iommu']).flatMap((line) => wrapCommand(line, width)),
  ];
}
