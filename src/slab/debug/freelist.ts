/**
 * # The list of free objects as a kernel would find it
 *
 * The kernel's list runs through the objects, ours through the ledger. The debug checks walk the kernel's: with bytes attached they read
 * the words, else the links. Where the walk counts other objects than the slab does, the kernel takes the count of its walk, and so does
 * the ledger: objects that the walk does not reach are LOST (ledger.ts, object state 3), until a later walk reaches them again. A live
 * object that a damaged word leads to stays live.
 *
 * In a kernel where a free first ends the object's list (`freeCutsFirst`), a second free of an object cuts off all that was behind it: a
 * *cut*. The next allocation but one reads a word at NULL plus the free pointer's offset.
 */
import type { PhysAddr } from '../../base/index.js';
import {
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  countersInUse,
  LINK_END,
  LINK_LIVE,
  LINK_LOST,
  type ManagedBytes,
  type PhysicalMemory,
  packCounters,
  shapeObjects,
} from '../../machine/index.js';
import { type KernelProfile, SLAB_DEBUG_FLAGS } from '../kernel/index.js';
import type { NodeLists, ObjectAddresses } from '../slabs/index.js';
import {
  addressOf,
  isNull,
  NULL_WORD,
  type ObjectLayout,
  objectLayout,
  readWord,
  type Word,
  wordOf,
  writeWord,
} from './object.js';
import { type DebugReport, isObjectOrNull, type SlabFacts } from './report.js';
import type { Strays } from './strays.js';

export interface Freelist {
  /** What the kernel would find in its own structures. `onNode`: the slab is on its node's list. */
  facts(slab: number, onNode?: boolean): SlabFacts;
  /** The kernel would find NULL where the slab's next object should be. */
  isHeadless(slab: number, first: number): boolean;
  /** A free that ends the object's list before it is looked at. */
  cut(id: number, slab: number, address: PhysAddr): void;
  /** The slab's first object is about to be taken: remembers what the kernel would find behind it. */
  beforeTake(id: number, slab: number, first: number): void;
  /** An object was taken: whatever its link hid is of no account any more. */
  afterTake(slab: number, address: PhysAddr): void;
  /** Writes the words of a chain that is about to be put on the slab's list; the last gets `tail`. */
  linkChain(id: number, slab: number, chain: readonly PhysAddr[], tail: number): void;
  /** An object's free pointer. Without bytes an object in use has none. */
  nextWord(objects: ObjectLayout, slab: number, address: number): Word;
  setNext(objects: ObjectLayout, address: number, word: Word): void;
  /** Whether an object is on its slab's list. With 0 the list is counted only. What the walk finds wrong is reported and mended. */
  holds(id: number, objects: ObjectLayout, slab: number, search: number): boolean;
  /** All objects that the kernel's list does not reach. */
  inUseObjects(id: number, slab: number): PhysAddr[];
  /** The slab's pages go back. */
  forget(slab: number): void;
  layout(id: number): ObjectLayout;
}

export interface FreelistOptions {
  readonly profile: KernelProfile;
  readonly bytes: ManagedBytes | undefined;
  readonly report: DebugReport;
  readonly strays: Strays;
  readonly addresses: ObjectAddresses;
  readonly lists: NodeLists;
}

export function createFreelist(memory: PhysicalMemory, options: FreelistOptions): Freelist {
  const { ledger, basePfn } = memory;
  const { pageSize } = memory.profile;
  const { profile, bytes, report, strays, lists } = options;
  const { objectAddress, indexIn } = options.addresses;
  const { slabCache, slabCounters, slabShape, slabFrame, slabLinks, link } = ledger;
  /** Without bytes: links that the kernel's words would not have, as their place in `link`. */
  const cuts = new Set<number>();
  /** Slabs whose list the kernel would find empty once its first object is this one. */
  const headless = new Map<number, number>();

  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);
  const layout = (id: number) => objectLayout(ledger, profile, id);

  function facts(slab: number, onNode = (slabCounters[slab]! & COUNTERS_FREE) !== LINK_END): SlabFacts {
    const counters = slabCounters[slab]!;
    const first = counters & COUNTERS_FREE;
    const stray = strays.first(slab, first);
    const free = first === LINK_END || isHeadless(slab, first) ? 0 : objectAddress(slab, first - 1);
    return {
      base: (slabFrame[slab]! + basePfn) * pageSize,
      frame: slabFrame[slab]!,
      order: slabShape[slab]! >> 16,
      objects: objectsOf(slab),
      inUse: countersInUse(counters) - strays.count(slab),
      free: stray ?? free,
      onNode,
    };
  }

  function isHeadless(slab: number, first: number): boolean {
    return headless.get(slab) === first;
  }

  function cut(id: number, slab: number, address: PhysAddr): void {
    if (bytes !== undefined) return setNext(layout(id), address, NULL_WORD);
    const index = indexIn(slab, address);
    if (index < 0) return;
    const at = slabLinks[slab]! + index;
    // A live object's word says nothing, and the list's last object has none behind it.
    if (link[at] !== LINK_LIVE && link[at] !== LINK_END) cuts.add(at);
  }

  function beforeTake(id: number, slab: number, first: number): void {
    const next = link[slabLinks[slab]! + first - 1]!;
    if (next === LINK_END) return;
    if (isNull(nextWord(layout(id), slab, objectAddress(slab, first - 1)))) headless.set(slab, next);
  }

  function nextWord(objects: ObjectLayout, slab: number, address: number): Word {
    if (bytes !== undefined && objects.flags & SLAB_DEBUG_FLAGS)
      return readWord(bytes, address + objects.offset);
    const index = indexIn(slab, address);
    const at = slabLinks[slab]! + index;
    const next = link[at]!;
    if (index < 0 || next === LINK_END || next === LINK_LIVE || next === LINK_LOST || cuts.has(at))
      return NULL_WORD;
    return wordOf(objectAddress(slab, next - 1));
  }

  function setNext(objects: ObjectLayout, address: number, word: Word): void {
    if (bytes !== undefined) writeWord(bytes, address + objects.offset, word);
  }

  /** The kernel's list as far as it makes sense, by index; reports where it does not. */
  function walk(
    id: number,
    objects: ObjectLayout,
    slab: number,
    search: number,
  ): readonly number[] | 'found' {
    const view = facts(slab);
    const walked: number[] = [];
    let word = wordOf(view.free);
    let last = 0;
    while (!isNull(word) && walked.length <= view.objects) {
      const address = addressOf(word);
      if (address === search) return 'found';
      if (!isObjectOrNull(objects, view, word)) {
        report.object(id, objects, view, last, nextWord(objects, slab, last), 'Freechain corrupt');
        setNext(objects, last, NULL_WORD);
        break;
      }
      walked.push(indexIn(slab, address));
      last = address;
      word = nextWord(objects, slab, address);
    }
    return walked;
  }

  function holds(id: number, objects: ObjectLayout, slab: number, search: number): boolean {
    const walked = walk(id, objects, slab, search);
    if (walked === 'found') return true;
    const view = facts(slab);
    const counted = view.objects - walked.length;
    if (view.inUse !== counted) {
      report.slab(id, view, `Wrong object count. Counter is ${view.inUse} but counted were ${counted}`);
      adopt(id, slab, walked);
      report.fix(id, 'Object count adjusted');
    }
    return false;
  }

  /** The ledger takes over what a walk found: objects that it did not reach are lost. */
  function adopt(id: number, slab: number, walked: readonly number[]): void {
    const links = slabLinks[slab]!;
    const frozen = slabCounters[slab]! & COUNTERS_FROZEN;
    const wasEmpty = (slabCounters[slab]! & COUNTERS_FREE) === LINK_END;
    const list = [...new Set(walked)].filter((index) => link[links + index] !== LINK_LIVE);
    for (let i = 0; i < objectsOf(slab); i++) {
      if (link[links + i] !== LINK_LIVE) link[links + i] = LINK_LOST;
      cuts.delete(links + i);
    }
    list.forEach((index, i) => {
      link[links + index] = i + 1 < list.length ? list[i + 1]! + 1 : LINK_END;
    });
    headless.delete(slab);
    strays.drop(slab);
    const used = objectsOf(slab) - list.length;
    slabCounters[slab] = packCounters(list.length > 0 ? list[0]! + 1 : LINK_END, used, frozen);
    if (wasEmpty !== (list.length === 0)) relist(id, slab, list.length === 0);
  }

  /** A slab that a check left without free objects is full; one that got some back is partial again. */
  function relist(id: number, slab: number, empty: boolean): void {
    const c = id * CACHE_WORDS;
    if (empty) {
      lists.unlist(c, slab);
      lists.listFull(c, slab);
    } else if (slabCache[slab] === id && (slabCounters[slab]! & COUNTERS_FREE) !== 0) {
      lists.unlistFull(c, slab);
      lists.listLast(c, slab);
    }
  }

  function inUseObjects(id: number, slab: number): PhysAddr[] {
    const objects = layout(id);
    const free = new Set<number>();
    let word = wordOf(facts(slab).free);
    while (!isNull(word) && isObjectOrNull(objects, facts(slab), word)) {
      const index = indexIn(slab, addressOf(word));
      if (free.has(index)) break;
      free.add(index);
      word = nextWord(objects, slab, addressOf(word));
    }
    return Array.from({ length: objectsOf(slab) }, (_, i) => i)
      .filter((i) => !free.has(i))
      .map((i) => objectAddress(slab, i));
  }

  function linkChain(id: number, slab: number, chain: readonly PhysAddr[], tail: number): void {
    if (bytes === undefined) {
      const last = indexIn(slab, chain.at(-1)!);
      if (isHeadless(slab, slabCounters[slab]! & COUNTERS_FREE) && last >= 0)
        cuts.add(slabLinks[slab]! + last);
      return;
    }
    const objects = layout(id);
    chain.forEach((address, i) => {
      setNext(objects, address, wordOf(chain[i + 1] ?? tail));
    });
  }

  function forget(slab: number): void {
    for (let i = 0; i < objectsOf(slab); i++) cuts.delete(slabLinks[slab]! + i);
    headless.delete(slab);
    strays.drop(slab);
  }

  return {
    facts,
    isHeadless,
    cut,
    beforeTake,
    afterTake: (slab, address) => void cuts.delete(slabLinks[slab]! + indexIn(slab, address)),
    linkChain,
    nextWord,
    setNext,
    holds,
    inUseObjects,
    forget,
    layout,
  };
}
