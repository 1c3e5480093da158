/**
 * How large a ledger must be, for a machine on which so much happens that the usual one is too small. What is never touched of it costs
 * nothing, so the question is only what can be needed at most.
 */
import { type LedgerLimits, type MemoryMap, memoryMapOf } from '../../machine/index.js';
import type { MachineOptions } from '../../slab/index.js';

/** Rows that a machine has anyway. */
const SLABS_LEAST = 2 ** 20;
const LINK_PAGES_LEAST = 2 ** 15;
/** Links are numbered with 31 bits, 2048 of them a page. */
const LINK_PAGES_MAX = 2 ** 20 - 1;
const LINKS_PER_PAGE = 2048;
/** The smallest objects have 8 bytes. */
const OBJECT_BYTES_LEAST = 8;
/** Slots for links are up to a quarter larger than what they hold, and a page's end may be left over. */
const LINKS_SLACK = 1.5;

/**
 * Limits for up to `slabs` slabs at a time that have room for up to `objects` objects together. No slab is smaller than a page, and no
 * object than 8 bytes: the machine's memory may say less.
 */
export function ledgerRoom(
  { machine, memory }: Pick<MachineOptions, 'machine' | 'memory'>,
  pageSize: number,
  { slabs, objects }: { readonly slabs: number; readonly objects: number },
): LedgerLimits {
  const bytes = bytesSpanned(memoryMapOf(machine, memory));
  const frames = Math.ceil(bytes / pageSize);
  const links = Math.min(objects, bytes / OBJECT_BYTES_LEAST) * LINKS_SLACK;
  return {
    slabs: Math.min(Math.max(slabs, SLABS_LEAST), frames),
    linkPages: Math.min(
      Math.max(Math.ceil(links / LINKS_PER_PAGE), Math.min(LINK_PAGES_LEAST, Math.ceil(frames / 3))) + 64,
      LINK_PAGES_MAX,
    ),
  };
}

function bytesSpanned({ ram }: MemoryMap): number {
  return ram.reduce((sum, { start, end }) => sum + end - start, 0);
}
