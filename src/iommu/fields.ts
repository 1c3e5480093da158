/**
 * The bits of a descriptor by name, and what they say. The layouts are those of descriptor.ts, told to people.
 */
import { formatAddress } from '../base/index.js';
import { IO_PGTABLE_QUIRK } from './config.js';
import { isContiguous, isTable, isValid, type Level } from './descriptor.js';

/** What a descriptor is, in words. */
export type EntryKind = 'fault' | 'table' | 'section' | 'supersection' | 'small page' | 'large page';

/** Some bits of a descriptor. */
export interface DescriptorField {
  /** The architecture's name; `PA[32]` and so on for MediaTek's address bits. */
  readonly name: string;
  readonly bits: readonly [high: number, low: number];
  readonly value: number;
  /** What this value says, in a few words. */
  readonly meaning: string;
}

type Meaning = (value: number, word: number) => string;
type FieldLayout = readonly [name: string, high: number, low: number, meaning: Meaning];

export function entryKind(word: number, level: Level): EntryKind {
  if (!isValid(word)) return 'fault';
  if (level === 2) return isContiguous(word, 2) ? 'large page' : 'small page';
  if (isTable(word)) return 'table';
  return isContiguous(word, 1) ? 'supersection' : 'section';
}

/** From the highest bit to the lowest; each bit is in one field. */
export function descriptorFields(word: number, level: Level, quirks: number): DescriptorField[] {
  return layoutOf(entryKind(word, level), quirks).map(([name, high, low, meaning]) => {
    const value = (word >>> low) & (2 ** (high - low + 1) - 1);
    return { name, bits: [high, low], value: value >>> 0, meaning: meaning(value >>> 0, word) };
  });
}

// ---- what values say ---------------------------------------------------------------------------------------------------------

const says =
  (words: string): Meaning =>
  () =>
    words;
const either =
  (set: string, clear: string): Meaning =>
  (value) =>
    value ? set : clear;

/** Address bits from a field's lowest bit on. */
const addressFrom =
  (low: number): Meaning =>
  (value) =>
    formatAddress(value * 2 ** low);

const UNUSED = says('not used');
/** Bits that an unaligned 16 MiB leave here count for hardware that knows large addresses; the driver reads none. */
const EXTENDED = either('more address to the architecture, none to the driver', 'not used');

/**
 * With TEX remap, TEX[0], C and B number one of eight regions, whose type is in the registers. The driver uses three.
 */
const REGIONS: ReadonlyMap<number, string> = new Map([
  [1, 'device'],
  [4, 'normal memory, not cached'],
  [7, 'normal memory, write-back'],
]);

const memoryType =
  (texBit: number): Meaning =>
  (_, word) => {
    const region = (((word >>> texBit) & 1) << 2) | ((word >>> 2) & 3);
    return `with C and B region ${region}: ${REGIONS.get(region) ?? 'none that the driver sets up'}`;
  };

// ---- fields that several layouts have ------------------------------------------------------------------------------------------

const CACHEABLE: readonly FieldLayout[] = [
  ['C', 3, 3, says('second bit of the region')],
  ['B', 2, 2, says('lowest bit of the region')],
];

const TYPES: Readonly<Record<EntryKind, string>> = {
  fault: 'nothing is mapped',
  table: 'pointer to a table',
  section: 'section, 1 MiB',
  supersection: 'supersection, one of 16 slots of 16 MiB',
  'large page': 'large page, one of 16 slots of 64 KiB',
  'small page': 'small page, 4 KiB',
};

function typeField(kind: EntryKind): FieldLayout {
  return kind === 'small page' ? ['type', 1, 1, says(TYPES[kind])] : ['type', 1, 0, says(TYPES[kind])];
}

function xnField(bit: number, permissions: boolean): FieldLayout {
  return ['XN', bit, bit, permissions ? either('no instructions', 'instructions may be fetched') : UNUSED];
}

/** nG and S. */
function sharing(nG: number): FieldLayout[] {
  return [
    ['nG', nG, nG, either('not global', 'global')],
    ['S', nG - 1, nG - 1, either('shareable', 'not shareable')],
  ];
}

function readOnlyField(bit: number, permissions: boolean): FieldLayout {
  return ['AP[2]', bit, bit, permissions ? either('read only', 'read and write') : UNUSED];
}

function accessField(low: number, permissions: boolean): FieldLayout {
  const meaning: Meaning = (value) =>
    `${value & 2 ? 'unprivileged too' : 'privileged only'}, access flag ${value & 1 ? 'set' : 'clear'}`;
  return ['AP[1:0]', low + 1, low, permissions ? meaning : UNUSED];
}

/** A bit of an output address above the 32 that a word has room for. */
function highField(address: number, bit: number): FieldLayout {
  return [`PA[${address}]`, bit, bit, either(`+ ${formatAddress(2 ** address)}`, '+ 0')];
}

/** Bits 9 to 4 of a first-level entry. */
function middleOfFirst(kind: EntryKind, mtk: boolean, permissions: boolean): FieldLayout[] {
  const name = kind === 'supersection' ? 'extended address' : 'domain';
  const domain: Meaning = kind === 'supersection' ? EXTENDED : (value) => `domain ${value}`;
  if (mtk) return [highField(32, 9), [name, 8, 6, domain], highField(34, 5), highField(33, 4)];
  const four: FieldLayout = kind === 'table' ? ['0', 4, 4, UNUSED] : xnField(4, permissions);
  return [['impl.', 9, 9, UNUSED], [name, 8, 5, domain], four];
}

// ---- the layouts ---------------------------------------------------------------------------------------------------------------

function layoutOf(kind: EntryKind, quirks: number): FieldLayout[] {
  const permissions = !(quirks & IO_PGTABLE_QUIRK.NO_PERMS);
  const mtk = (quirks & IO_PGTABLE_QUIRK.ARM_MTK_EXT) !== 0;
  if (kind === 'fault') return [['ignored', 31, 2, UNUSED], typeField(kind)];
  if (kind === 'table') {
    const anywhere = (quirks & IO_PGTABLE_QUIRK.ARM_MTK_TTBR_EXT) !== 0;
    return [
      ['table', 31, 10, addressFrom(10)],
      ...middleOfFirst(kind, anywhere, permissions),
      ['NS', 3, 3, either('non-secure', 'secure')],
      ['0', 2, 2, UNUSED],
      typeField(kind),
    ];
  }
  if (kind === 'section' || kind === 'supersection') {
    const address: FieldLayout[] =
      kind === 'section'
        ? [['address', 31, 20, addressFrom(20)]]
        : [
            ['address', 31, 24, addressFrom(24)],
            ['extended address', 23, 20, EXTENDED],
          ];
    return [
      ...address,
      ['NS', 19, 19, either('non-secure', 'secure')],
      ['supersection', 18, 18, either('one of 16 slots', 'a slot of its own')],
      ...sharing(17),
      readOnlyField(15, permissions),
      ['TEX', 14, 12, memoryType(12)],
      accessField(10, permissions),
      ...middleOfFirst(kind, mtk, permissions),
      ...CACHEABLE,
      typeField(kind),
    ];
  }
  const readOnly = mtk ? highField(32, 9) : readOnlyField(9, permissions);
  const access = mtk ? [highField(34, 5), highField(33, 4)] : [accessField(4, permissions)];
  if (kind === 'large page') {
    return [
      ['address', 31, 16, addressFrom(16)],
      xnField(15, permissions),
      ['TEX', 14, 12, memoryType(12)],
      ...sharing(11),
      readOnly,
      ['0', 8, 6, UNUSED],
      ...access,
      ...CACHEABLE,
      typeField(kind),
    ];
  }
  return [
    ['address', 31, 12, addressFrom(12)],
    ...sharing(11),
    readOnly,
    ['TEX', 8, 6, memoryType(6)],
    ...access,
    ...CACHEABLE,
    typeField(kind),
    xnField(0, permissions),
  ];
}
