/**
 * Reading an address: what the driver's iova_to_phys computes, and the same step by step.
 */
import { blockAddress, isTable, isValid, type Level, spanOf, tableAddress } from './descriptor.js';
import { type Domain, l1Index, l2Index, readL1 } from './domain.js';
import { type DescriptorField, descriptorFields, type EntryKind, entryKind } from './fields.js';

/** One descriptor on the way. */
export interface WalkStep {
  readonly level: Level;
  /** Of the slot in its table. */
  readonly index: number;
  /** Physical address of the descriptor. */
  readonly entry: number;
  readonly descriptor: number;
  readonly kind: EntryKind;
  /** From the highest bit to the lowest, each bit in one of them. */
  readonly fields: readonly DescriptorField[];
  /** Physical address of the byte, at a step that ends there. */
  readonly output?: number;
  /** Physical address of the next table, at a step that leads to one. */
  readonly next?: number;
}

/** The physical address of a byte; 0 if nothing is mapped there. */
export function translate(domain: Domain, iova: number): number {
  const { bytes, mtk } = domain;
  const word = readL1(domain, l1Index(domain, iova));
  if (!isTable(word)) return output(word, 1, iova, mtk);
  return output(bytes.getU32(tableAddress(word, mtk) + 4 * l2Index(iova)), 2, iova, mtk);
}

/** Only bits below the block's size come from the input: what lies above the tables' reach does not leak in. */
function output(word: number, level: Level, iova: number, mtk: boolean): number {
  return isValid(word) ? blockAddress(word, level, mtk) + (iova % spanOf(word, level)) : 0;
}

/** One step if the first level ends it, two if it leads to a table. */
export function walkTables(domain: Domain, iova: number): WalkStep[] {
  const first = readStep(domain, 1, domain.l1, l1Index(domain, iova), iova);
  return first.next === undefined ? [first] : [first, readStep(domain, 2, first.next, l2Index(iova), iova)];
}

function readStep(
  { bytes, mtk, config }: Domain,
  level: Level,
  table: number,
  index: number,
  iova: number,
): WalkStep {
  const entry = table + 4 * index;
  const descriptor = bytes.getU32(entry);
  const kind = entryKind(descriptor, level);
  const step = { level, index, entry, descriptor, kind };
  const fields = descriptorFields(descriptor, level, config.quirks);
  if (kind === 'fault') return { ...step, fields };
  if (kind === 'table') return { ...step, fields, next: tableAddress(descriptor, mtk) };
  return { ...step, fields, output: output(descriptor, level, iova, mtk) };
}
