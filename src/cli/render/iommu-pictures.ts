/**
 * Pictures of an IOMMU's tables:
 *
 *     0x40000000 ····▃█○··■■■■■■■■··      what each address of the first level leads to
 *     ░░░░░░░█░░░░░│░░░░                  where in RAM the tables lie, and where 4 GiB are
 *     01111111 … 0 01                     a descriptor, bit by bit, with the names of its fields beneath
 *     │          │ └ type
 */
import { formatAddress, formatBytes, formatCount, GIB, largestOf, pushAll } from '../../base/index.js';
import type { IommuResult, IommuTable, IommuWalk } from '../../lab/index.js';
import { sparkline } from './chart.js';
import { displayWidth, padRight, wrap } from './text.js';

const ENTRY_BYTES = 2 ** 20;
/** Entries of a second-level table. */
const TABLE_ENTRIES = 256;
/** Signs of the picture, and of the whole one. */
const SIGNS = 1024;
const SIGNS_WIDE = 4096;
const COLUMNS_MAX = 64;

export const FIRST_LEVEL_LEGEND =
  '· nothing  ○ empty table  ▁…█ table, by how much it maps  ■ section  ◆ supersection';

type Level = Pick<IommuResult, 'tables'> & { readonly firstLevel: NonNullable<IommuResult['firstLevel']> };

/** How many first-level entries a sign stands for. */
export function entriesPerSign({ firstLevel }: Level, wide: boolean): number {
  return Math.max(1, Math.ceil(firstLevel.entries.length / (wide ? SIGNS_WIDE : SIGNS)));
}

/** Rows of signs, each with the address that it begins at. */
export function drawFirstLevel(level: Level, wide: boolean, width = 80): string[] {
  const { entries } = level.firstLevel;
  const used = new Map(
    level.tables.flatMap(({ iova, used }) => (iova === null ? [] : [[iova / ENTRY_BYTES, used]])),
  );
  const perSign = entriesPerSign(level, wide);
  const digits = Math.max(8, (entries.length * ENTRY_BYTES - 1).toString(16).length);
  const columns = 2 ** Math.floor(Math.log2(Math.min(COLUMNS_MAX, width - digits - 3)));
  const label = (entry: number) => `0x${(entry * ENTRY_BYTES).toString(16).padStart(digits, '0')}`;
  const rows: { readonly begin: number; readonly signs: string }[] = [];
  for (let begin = 0; begin < entries.length; begin += columns * perSign) {
    let signs = '';
    for (let at = begin; at < Math.min(entries.length, begin + columns * perSign); at += perSign)
      signs += signOf(entries, used, at, Math.min(entries.length, at + perSign));
    rows.push({ begin, signs });
  }
  const isEmpty = (row: number) => row >= 0 && row < rows.length && !/[^·]/.test(rows[row]!.signs);
  return rows.flatMap(({ begin, signs }, row) => {
    // Of empty rows one is drawn.
    if (isEmpty(row) && isEmpty(row - 1)) return [];
    return [`${label(begin)} ${isEmpty(row) && isEmpty(row + 1) ? '· …' : signs}`];
  });
}

/** The sign of what maps most in a run of entries. */
function signOf(entries: string, used: ReadonlyMap<number, number>, from: number, to: number): string {
  let [pages, sections, supers, tables] = [0, 0, 0, 0];
  for (let i = from; i < to; i++) {
    if (entries[i] === 's') sections += TABLE_ENTRIES;
    if (entries[i] === 'S') supers += TABLE_ENTRIES;
    if (entries[i] !== 't') continue;
    tables++;
    pages += used.get(i) ?? 0;
  }
  if (pages + sections + supers === 0) return tables === 0 ? '·' : '○';
  if (supers >= sections && supers >= pages) return '◆';
  if (sections >= pages) return '■';
  return sparkline([pages], 1, (to - from) * TABLE_ENTRIES);
}

/** Where the reach of a 32-bit entry ends. */
const LIMIT = 4 * GIB;

type Ram = Pick<IommuResult['machine'], 'ram'>;

/** The addresses that are drawn: from 0 to the end of RAM. */
function drawnSpan({ ram }: Ram): { begin: number; end: number } {
  const end = largestOf(ram.map((range) => range.end));
  const first = ram[0]!.start;
  // A little RAM far up would be a speck.
  return { begin: first > end / 2 ? first : 0, end };
}

/** Whether the picture of RAM has a line at 4 GiB. */
export function hasLimitLine(machine: Ram): boolean {
  const { begin, end } = drawnSpan(machine);
  return begin <= LIMIT && LIMIT < end;
}

/** RAM, with the tables in it and a line where a 32-bit entry's reach ends, if that is in the picture. */
export function drawRam({ machine, firstLevel, tables }: IommuResult, width: number): string[] {
  const { begin, end } = drawnSpan(machine);
  const withLine = hasLimitLine(machine);
  const columns = width - (withLine ? 1 : 0);
  const scale = columns / (end - begin);
  const columnOf = (address: number) => Math.min(columns - 1, Math.floor((address - begin) * scale));
  const signs = Array.from({ length: columns }, (_, i): string => {
    const [from, to] = [begin + i / scale, begin + (i + 1) / scale];
    return machine.ram.some((range) => range.start < to && from < range.end) ? '░' : ' ';
  });
  for (const { address } of tables) signs[columnOf(address)] = '█';
  if (firstLevel !== null) signs[columnOf(firstLevel.address)] = '█';
  const beginLabel = begin === 0 ? '0' : formatAddress(begin);
  const endLabel = begin === 0 ? formatBytes(end) : formatAddress(end);
  if (!withLine) return [signs.join(''), padRight(beginLabel, columns - endLabel.length) + endLabel];
  const line = Math.round((LIMIT - begin) * scale);
  const label = '4 GiB';
  const latest = columns - endLabel.length - label.length - 1;
  const ruler = padRight(beginLabel, Math.max(beginLabel.length + 1, Math.min(line - 2, latest))) + label;
  return [
    `${signs.slice(0, line).join('')}│${signs.slice(line).join('')}`,
    `${padRight(ruler, columns + 1 - endLabel.length)}${endLabel}`,
  ];
}

/** A bar for how full a table is. */
export function fillBar({ used }: IommuTable, width: number): string {
  const full = Math.round((used / TABLE_ENTRIES) * width);
  return (
    '█'.repeat(used > 0 ? Math.max(1, full) : 0) + '·'.repeat(width - (used > 0 ? Math.max(1, full) : 0))
  );
}

/** How the hardware reads an address: each descriptor in binary, its fields beneath. */
export function drawWalk({ iova, steps }: IommuWalk, width: number): string[] {
  const lines: string[] = [];
  for (const { level, index, entry, descriptor, kind, fields, output, next } of steps) {
    const word = `0x${descriptor.toString(16).padStart(8, '0')}`;
    const where = `level ${level}, entry ${formatCount(index)} at ${formatAddress(entry)}: ${word}, ${kind}`;
    pushAll(lines, [where, ...drawDescriptor(descriptor, fields, width - 2).map((line) => `  ${line}`)]);
    if (next !== undefined) lines.push(`→ the table at ${formatAddress(next)}`);
    else if (output !== undefined)
      lines.push(`→ ${formatAddress(iova)} is physical ${formatAddress(output)}`);
    else lines.push(`→ nothing is mapped at ${formatAddress(iova)}: a fault`);
  }
  return lines;
}

type Fields = IommuWalk['steps'][number]['fields'];

/** 32 bits in groups, and for each group with a name a line that leads down to it. */
function drawDescriptor(descriptor: number, fields: Fields, width: number): string[] {
  const bits = (descriptor >>> 0).toString(2).padStart(32, '0');
  const sorted = [...fields].sort((a, b) => b.bits[0] - a.bits[0]);
  const groups: { text: string; words: string }[] = [];
  let next = 31;
  const fill = (below: number) => {
    if (next > below) groups.push({ text: bits.slice(31 - next, 31 - below), words: '' });
  };
  for (const {
    name,
    bits: [high, low],
    meaning,
  } of sorted) {
    fill(high);
    groups.push({ text: bits.slice(31 - high, 32 - low), words: `${name}: ${meaning}` });
    next = low - 1;
  }
  fill(-1);
  const at: number[] = [];
  let column = 0;
  for (const { text } of groups) {
    at.push(column);
    column += text.length + 1;
  }
  const named = groups.flatMap(({ words }, i) => (words === '' ? [] : [{ words, at: at[i]! }]));
  const lines = [groups.map(({ text }) => text).join(' ')];
  named.reverse().forEach(({ words, at: anchor }, i) => {
    const leaders = (until: number) =>
      named
        .slice(i + 1)
        .reverse()
        .reduce((line, other) => (other.at < until ? `${padRight(line, other.at)}│` : line), '');
    const first = `${padRight(leaders(anchor), anchor)}└ `;
    const indent = `${padRight(leaders(anchor), anchor)}  `;
    const wrapped = wrap(words, width - displayWidth(first));
    wrapped.forEach((line, k) => {
      lines.push((k === 0 ? first : indent) + line);
    });
  });
  return lines;
}
