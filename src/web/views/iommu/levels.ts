/**
 * The two levels of an IOMMU's page tables as grids of cells: what each entry is, how full the table behind it is, which addresses it
 * stands for, and how it is said in words.
 */
import { formatAddress, formatBytes, KIB, largestOf, MIB } from '../../../base/index.js';
import type { IommuResult } from '../../../lab/index.js';
import type { WalkSteps } from '../../worker/iommu-calls.js';

/** Entries of a row, at either level. */
export const COLUMNS = { first: 64, second: 16 } as const;
/** Bytes of input addresses that an entry stands for. */
export const SPAN = { first: MIB, second: 4 * KIB } as const;
/** Entries of a second-level table. */
export const TABLE_ENTRIES = 256;

/** `empty` is a table that maps nothing. */
export type CellKind = 'fault' | 'empty' | 'table' | 'section' | 'supersection' | 'small page' | 'large page';

export interface Cell {
  readonly kind: CellKind;
  /** Of a table: its share of entries in use. */
  readonly share: number;
}

/** A letter for each kind, for who cannot see colours or shapes, and for cells that are large enough. */
export const LETTERS: Readonly<Record<CellKind, string>> = {
  fault: '·',
  empty: '○',
  table: 't',
  section: 's',
  supersection: 'S',
  'small page': 'p',
  'large page': 'L',
};

const FIRST_KINDS: Readonly<Record<string, CellKind>> = {
  '.': 'fault',
  t: 'table',
  s: 'section',
  S: 'supersection',
};

/** The first level, entry by entry. */
export function firstCells({ firstLevel, tables }: Pick<IommuResult, 'firstLevel' | 'tables'>): Cell[] {
  const used = new Map(
    tables.flatMap((table) => (table.iova === null ? [] : [[table.iova / MIB, table.used]])),
  );
  return [...(firstLevel?.entries ?? '')].map((letter, i): Cell => {
    const kind = FIRST_KINDS[letter] ?? 'fault';
    if (kind !== 'table') return { kind, share: 0 };
    const share = (used.get(i) ?? 0) / TABLE_ENTRIES;
    return { kind: share === 0 ? 'empty' : 'table', share };
  });
}

/** A second-level table, entry by entry. */
export function secondCells(steps: WalkSteps): Cell[] {
  return steps.map(({ kind }) => ({ kind: kind as CellKind, share: 0 }));
}

/** How many there are of each kind, those that there are. */
export function countKinds(cells: readonly Cell[]): [kind: CellKind, count: number][] {
  const counts = new Map<CellKind, number>();
  for (const { kind } of cells) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return (Object.keys(LETTERS) as CellKind[]).flatMap((kind) => {
    const count = counts.get(kind);
    return count === undefined ? [] : [[kind, count]];
  });
}

/** `0x10000000–0x100fffff`: the addresses of an entry, the last one included. */
export function rangeWords(start: number, span: number): string {
  return `${formatAddress(start)}–${formatAddress(start + span - 1)}`;
}

const WORDS: Readonly<Record<CellKind, string>> = {
  fault: 'nothing is mapped',
  empty: 'a table that maps nothing',
  table: 'a table',
  section: 'a section of 1 MiB',
  supersection: 'one of 16 slots of a supersection of 16 MiB',
  'small page': 'a small page of 4 KiB',
  'large page': 'one of 16 slots of a large page of 64 KiB',
};

/** What an entry of the first level is, in words. */
export function cellWords({ kind, share }: Cell): string {
  if (kind !== 'table') return WORDS[kind];
  return `a table, ${Math.round(share * TABLE_ENTRIES)} of ${TABLE_ENTRIES} entries in use`;
}

/** Where the cursor goes for a key; undefined for one that moves nothing. */
export function moved(key: string, at: number, cells: number, columns: number): number | undefined {
  const to = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    Home: at - (at % columns),
    End: at - (at % columns) + columns - 1,
    PageUp: at - 8 * columns,
    PageDown: at + 8 * columns,
  }[key];
  if (to === undefined) return undefined;
  // Sideways past an end is nowhere; up and down stay in the column.
  if (key === 'PageUp' || key === 'PageDown')
    return Math.max(at % columns, Math.min(to, cells - columns + (at % columns)));
  return to >= 0 && to < cells ? to : at;
}

/** What RAM is drawn as: where addresses begin and end, and the share of the line at 4 GiB, if it is inside. */
interface RamSpan {
  readonly begin: number;
  readonly end: number;
  readonly limit: number | undefined;
}

/** Where the reach of a 32-bit entry ends. */
export const LIMIT = 2 ** 32;

export function ramSpan(ram: IommuResult['machine']['ram']): RamSpan {
  const begin = ram[0]?.start ?? 0;
  const end = largestOf(ram.map((range) => range.end));
  return { begin, end, limit: begin <= LIMIT && LIMIT < end ? (LIMIT - begin) / (end - begin) : undefined };
}

/** Tables by where they lie: those that would be drawn at the same place of `width` are one mark. */
interface TableMark {
  /** From 0 to `width`. */
  readonly at: number;
  readonly tables: IommuResult['tables'];
}

export function tableMarks(
  { machine, tables }: Pick<IommuResult, 'machine' | 'tables'>,
  width: number,
): TableMark[] {
  const { begin, end } = ramSpan(machine.ram);
  const marks = new Map<number, IommuResult['tables'][number][]>();
  for (const table of tables) {
    const at = Math.min(width - 1, Math.floor(((table.address - begin) / (end - begin)) * width));
    const mark = marks.get(at);
    if (mark === undefined) marks.set(at, [table]);
    else mark.push(table);
  }
  return [...marks].sort(([a], [b]) => a - b).map(([at, found]) => ({ at, tables: found }));
}

/** The pages that tables lie on, in order, each with its four places: undefined where no live table is. */
interface TablePage {
  readonly address: number;
  readonly slots: readonly (IommuResult['tables'][number] | undefined)[];
}

const TABLE_BYTES = KIB;

export function tablePages(tables: IommuResult['tables']): TablePage[] {
  const pages = new Map<number, (IommuResult['tables'][number] | undefined)[]>();
  for (const table of tables) {
    const page = table.address - (table.address % SPAN.second);
    const slots = pages.get(page) ?? Array.from({ length: SPAN.second / TABLE_BYTES });
    slots[Math.floor((table.address - page) / TABLE_BYTES)] = table;
    pages.set(page, slots);
  }
  return [...pages].sort(([a], [b]) => a - b).map(([address, slots]) => ({ address, slots }));
}

/** `1 MiB at 0x10000000`, for a list of what is mapped. */
export function tableWords({ id, address, iova, used }: IommuResult['tables'][number]): string {
  const maps = iova === null ? 'lost: nothing points to it' : `maps from ${formatAddress(iova)}`;
  const mapped = formatBytes(used * SPAN.second);
  return `table ${id} at ${formatAddress(address)}, ${maps}, ${used} of ${TABLE_ENTRIES} entries in use (${mapped})`;
}
