/**
 * # Sheaves of a CPU that may die
 *
 * Where several threads are at work, an object on its way between a sheaf and its slab is at each moment on one side of one write:
 *
 *     filled     J_FILLING   entries up ▸ from the top down, before the count says so; the journal says from which entry on
 *     in         sheafAddress[entry] = address
 *     leaving    sheafAddress[entry] = -address      it goes with the next group; J_SENT, which is written under the slab's lock,
 *                                                    says whether that group is on its slab's list
 *     gone       sheafAddress[entry] = 0
 *
 * A group is the objects of one slab, found as in a bulk free (bulk-free.ts). What is left moves down to the entries that are empty
 * then: who dies at that leaves some entries twice, and never one less.
 *
 * Objects that are leaving have links that say ARRAY, so that one that was freed twice, and lies in the sheaf twice, leaves once.
 */
import { formatAddress } from '../../base/index.js';
import {
  C_LIVE_CHECK,
  C_SHEAF_CAPACITY,
  CACHE_WORDS,
  CPU_WORDS,
  J_FILLED_FROM,
  J_FILLED_TO,
  J_FILLING,
  J_SENT,
  type Ledger,
  LINK_ARRAY,
  LINK_LIVE,
  P_AVAIL,
  P_ENTRIES,
  type PhysicalMemory,
} from '../../machine/index.js';
import { cacheName } from '../cache/index.js';
import { createObjectAddresses, findGroup } from '../slabs/index.js';
import type { Slub } from '../slub/index.js';

/** The line of the log for an object that lay in a sheaf twice. */
export function secondFree(ledger: Ledger, id: number, address: number): string {
  return `${cacheName(ledger, id)}: ${formatAddress(address)} was freed twice: the second free is dropped`;
}

export interface SheafFlush {
  /** The oldest `count` objects of a sheaf go back to their slabs. */
  flush(cache: number, cpu: number, count: number): void;
  /** A sheaf is being filled: entries `from` up to `to` hold objects, and its count does not say so. */
  filling(p: number, from: number, to: number): void;
  /** It is filled, and its count says so. */
  filled(): void;
  /** What was half done to the sheaf of a CPU that died is such that it can be flushed. Entries may be empty then. */
  mendSheaf(cache: number, cpu: number): void;
}

/** `most`: objects that leave in one call at most. */
export function createSheafFlush(memory: PhysicalMemory, slub: Slub, most: number): SheafFlush {
  const { ledger, locks, log } = memory;
  const { cache, cpuCache, journal, link, sheafAddress, sheafLink } = ledger;
  const { slabCache, slabFrame, slabLinks } = ledger;
  const { slabAt, indexIn, linkOf } = createObjectAddresses(memory);
  const cacheRows = ledger.shape.caches + 1;
  // Of the objects that leave: slab, 0 once it has gone, its first frame, and index; and the indices and entries of those that go
  // together. Scratch.
  const slabs = new Int32Array(most);
  const indices = new Int32Array(most);
  const group = new Int32Array(most);
  const frames = new Int32Array(most);
  const entries = new Int32Array(most);
  const lineOf = (id: number, cpu: number) => (cpu * cacheRows + id) * CPU_WORDS;
  /** What the link of an object in a sheaf says. */
  const inSheaf = (id: number) => (cache[id * CACHE_WORDS + C_LIVE_CHECK] !== 0 ? LINK_ARRAY : LINK_LIVE);

  function flush(id: number, cpu: number, count: number): void {
    const p = lineOf(id, cpu);
    const first = cpuCache[p + P_ENTRIES]!;
    const avail = cpuCache[p + P_AVAIL]!;
    mark(id, first, count);
    try {
      for (let last = count - 1; last >= 0; last--) if (slabs[last] !== 0) send(id, cpu, first, last);
    } catch (error) {
      if (locks.cpu >= 0) stay(id, cpu, first);
      throw error;
    }
    sheafAddress.copyWithin(first, first + count, first + avail);
    sheafLink.copyWithin(first, first + count, first + avail);
    cpuCache[p + P_AVAIL] = avail - count;
  }

  /** A flush was cut off. The fast path takes from the sheaf what the count says: what has not left moves together. */
  function stay(id: number, cpu: number, first: number): void {
    mendSheaf(id, cpu);
    const p = lineOf(id, cpu);
    let kept = first;
    for (let entry = first; entry < first + cpuCache[p + P_AVAIL]!; entry++) {
      if (sheafAddress[entry] === 0) continue;
      sheafAddress[kept] = sheafAddress[entry]!;
      sheafLink[kept++] = sheafLink[entry]!;
    }
    cpuCache[p + P_AVAIL] = kept - first;
  }

  /** Notes where the objects of the first `count` entries lie, and that they leave. */
  function mark(id: number, first: number, count: number): void {
    const was = inSheaf(id);
    for (let i = 0; i < count; i++) {
      const address = sheafAddress[first + i]!;
      slabs[i] = 0;
      if (address === 0) continue;
      const slab = slabAt(address);
      const frame = slabFrame[slab]!;
      const index = slab !== 0 && slabCache[slab] === id ? indexIn(slab, address) : -1;
      const at = slabLinks[slab]! + index;
      // Its slab may be gone, and be another cache's by now.
      if (index < 0 || (was === LINK_LIVE && link[at] !== LINK_LIVE)) {
        drop(id, first + i);
        continue;
      }
      link[at] = LINK_ARRAY;
      slabs[i] = slab;
      frames[i] = frame;
      indices[i] = index;
    }
  }

  function drop(id: number, entry: number): void {
    log.add(secondFree(ledger, id, Math.abs(sheafAddress[entry]!)));
    sheafAddress[entry] = 0;
  }

  /** The group that the object of entry `last`, counted from the first, is the last of. */
  function send(id: number, cpu: number, first: number, last: number): void {
    const slab = slabs[last]!;
    journal[locks.journal + J_SENT] = 0;
    let sent = findGroup(slabs, last, entries);
    const lowest = first + entries[sent - 1]!;
    for (let k = 0; k < sent; k++) {
      const i = entries[k]!;
      sheafAddress[first + i] = -sheafAddress[first + i]!;
      slabs[i] = 0;
      group[k] = indices[i]!;
      entries[k] = first + i;
    }
    while (sent > 0) {
      const bad = slub.freeIndices(id, cpu, slab, frames[last]!, LINK_ARRAY, group, sent);
      if (bad < 0) break;
      // Another CPU freed it in the meantime; the others go without it.
      const at = group.indexOf(bad);
      drop(id, entries[at]!);
      group.copyWithin(at, at + 1, sent);
      entries.copyWithin(at, at + 1, sent--);
    }
    for (let entry = first + last; entry >= lowest; entry--)
      if (sheafAddress[entry]! < 0) sheafAddress[entry] = 0;
  }

  function filling(p: number, from: number, to: number): void {
    const j = locks.journal;
    journal[j + J_FILLED_FROM] = from;
    journal[j + J_FILLED_TO] = to;
    journal[j + J_FILLING] = p + 1;
  }

  function filled(): void {
    journal[locks.journal + J_FILLING] = 0;
  }

  function mendSheaf(id: number, cpu: number): void {
    if (cache[id * CACHE_WORDS + C_SHEAF_CAPACITY] === 0) return;
    const p = lineOf(id, cpu);
    const j = locks.journal;
    const first = cpuCache[p + P_ENTRIES]!;
    if (journal[j + J_FILLING] === p + 1) {
      sheafAddress.fill(0, first, journal[j + J_FILLED_FROM]!);
      cpuCache[p + P_AVAIL] = journal[j + J_FILLED_TO]! - first;
      filled();
    }
    const was = inSheaf(id);
    const met = new Set<number>();
    for (let entry = first; entry < first + cpuCache[p + P_AVAIL]!; entry++) {
      const address = Math.abs(sheafAddress[entry]!);
      if (address === 0) continue;
      // To its own CPU's active slab a group goes without a lock: then the links say how far it came.
      const leaving = sheafAddress[entry]! < 0;
      const gone = leaving && (journal[j + J_SENT] !== 0 || link[linkOf(address)] !== LINK_ARRAY);
      if (gone || met.has(address)) sheafAddress[entry] = 0;
      else {
        met.add(address);
        sheafAddress[entry] = address;
        link[linkOf(address)] = was;
      }
    }
  }

  return { flush, filling, filled, mendSheaf };
}
