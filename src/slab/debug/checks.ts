/**
 * # What slub_debug looks at, and when
 *
 * At alloc, of the object that is next (SLAB_CONSISTENCY_CHECKS): is the slab usable, is its end padding whole, does the object's free
 * pointer name an object, are red zones and poison those of a free object? If not, the slab is given up: *marking all objects used*.
 *
 * At free, before anything changes: does the slab have that many objects in use (always); and, with SLAB_CONSISTENCY_CHECKS, is the
 * slab usable, is the pointer the start of an object, is the object not on the list already, are its red zones those of an object in
 * use? A free that fails is not done: the object stays in use for ever.
 *
 * Damaged bytes are reported, then repaired. Without bytes attached only what the ledger knows is checked.
 *
 * ## What the kernel would believe
 * The kernel's list of free objects runs through the objects, ours through the ledger. The checks walk the kernel's: with bytes attached
 * they read the words, else the links. Where the walk counts other objects than the slab does, the kernel takes the count of
 * its walk, and so does the ledger: objects that the walk does not reach are LOST (ledger.ts, object state 3), until a
 * later walk reaches them again. A live object that a damaged word leads to stays live.
 *
 * In a kernel where a free first ends the object's list (`freeCutsFirst`), a second free of an object cuts off all that was behind it: a
 * *cut*. The next allocation but one reads a word at NULL plus the free pointer's offset.
 */
import type { PhysAddr } from '../../base/index.js';
import {
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
import { type KernelProfile, SLAB, SLAB_DEBUG_FLAGS, SLAB_OBJECT_POISON } from '../kernel/index.js';
import type { ObjectAddresses } from '../slabs/index.js';
import {
  addressOf,
  askedSize,
  initObject,
  isNull,
  NULL_WORD,
  type ObjectLayout,
  objectLayout,
  POISON_END,
  POISON_FREE,
  POISON_INUSE,
  RED_ACTIVE,
  RED_INACTIVE,
  readWord,
  setAsked,
  type Word,
  wordOf,
  writeWord,
} from './object.js';
import { type DebugReport, hexAddress, isObjectOrNull, type SlabFacts } from './report.js';
import type { Strays } from './strays.js';
import { TRACK_ALLOC, TRACK_FREE, type Tracks } from './track.js';

export interface DebugChecks {
  /** The bytes of a new slab, before its objects are constructed. */
  setUp(id: number, slab: number): void;
  /** Looks at an object that was just taken off its slab's list; `onNode` if the slab is on its node's. False: give the slab up. */
  onAlloc(id: number, slab: number, address: PhysAddr, onNode: boolean, cpu: number): boolean;
  /** The bytes of an object that is handed out. */
  handOut(id: number, address: PhysAddr, cpu: number): void;
  /**
   * Looks at objects that are freed together, the list's new head first. False: they are not freed. What is not `live` is written to
   * in the faithful mode only.
   */
  onFree(id: number, slab: number, chain: readonly PhysAddr[], cpu: number, live: boolean): boolean;
  /** Writes the words of a chain that is about to be put on the slab's list; the last gets `tail`. */
  linkChain(id: number, slab: number, chain: readonly PhysAddr[], tail: number): void;
  /** Looks at a slab whose pages go back. */
  onDiscard(id: number, slab: number): void;
  /** Looks at everything in a slab. */
  validate(id: number, slab: number, onNode: boolean): void;
  /** The kernel would find NULL where the slab's next object should be. */
  isHeadless(slab: number, first: number): boolean;
  /** A free that ends the object's list before it is looked at. */
  cut(id: number, slab: number, address: PhysAddr): void;
  /** The slab's first object is about to be taken: remembers what the kernel would find behind it. */
  beforeTake(id: number, slab: number, first: number): void;
  /** The address that the kernel has as its first free object. */
  facts(slab: number, onNode?: boolean): SlabFacts;
  /** All objects that the kernel's list does not reach. */
  inUseObjects(id: number, slab: number): PhysAddr[];
  layout(id: number): ObjectLayout;
  /** How many of an object's bytes are its caller's. */
  askedSize(id: number, address: PhysAddr): number;
  /** From now on all of an object's bytes are its caller's. */
  useWhole(id: number, address: PhysAddr): void;
}

export interface DebugChecksOptions {
  readonly profile: KernelProfile;
  readonly bytes: ManagedBytes | undefined;
  readonly tracks: Tracks | undefined;
  readonly report: DebugReport;
  readonly strays: Strays;
  readonly addresses: ObjectAddresses;
  readonly faithful: boolean;
  /** Bytes that kmalloc was asked for in the call that is going on; 0 if it was not kmalloc. */
  askedFor(): number;
  /** The slab's own list came to be empty, or no longer is. */
  relist(id: number, slab: number, empty: boolean): void;
}

export function createDebugChecks(memory: PhysicalMemory, options: DebugChecksOptions): DebugChecks {
  const { ledger, basePfn, log } = memory;
  const { pageSize } = memory.profile;
  const { profile, bytes, tracks, report, strays } = options;
  const { objectAddress, indexIn } = options.addresses;
  const { debug } = profile;
  const { slabCounters, slabShape, slabFrame, slabLinks, link } = ledger;
  /** Without bytes: links that the kernel's words would not have, as their place in `link`. */
  const cuts = new Set<number>();
  /** Slabs whose list the kernel would find empty once its first object is this one. */
  const headless = new Map<number, number>();

  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);
  const layout = (id: number) => objectLayout(ledger, profile, id);

  // ---- the kernel's view -----------------------------------------------------------------------------------------

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

  /** An object's free pointer. Without bytes an object in use has none. */
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

  /** Whether an object is on its slab's list. With 0 the list is counted only. */
  function onFreelist(id: number, objects: ObjectLayout, slab: number, search: number): boolean {
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
    if (wasEmpty !== (list.length === 0)) options.relist(id, slab, list.length === 0);
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

  // ---- bytes -----------------------------------------------------------------------------------------------------

  /** One range that should hold one value. Reports and repairs what does not. */
  function checkRange(
    id: number,
    objects: ObjectLayout,
    view: SlabFacts,
    address: number,
    what: string,
    [from, length, value]: readonly [number, number, number],
    show: boolean,
  ): boolean {
    if (bytes === undefined || length <= 0) return true;
    const first = bytes.firstOther(from, length, value);
    if (first < 0) return true;
    const end = bytes.endOfOther(first, from + length - first, value);
    const range = `${hexAddress(first)}-${hexAddress(end - 1)}`;
    const hex = (byte: number) => `0x${byte.toString(16)}`;
    const damage = `${range} @offset=${first - view.base}. First byte ${hex(bytes.get(first))} instead of ${hex(value)}`;
    const fp = readWord(bytes, address + objects.offset);
    if (debug.damageHeadline) {
      report.object(id, objects, view, address, fp, `${what} overwritten`, damage);
    } else {
      log.add(`[${what} overwritten] ${damage}`);
      if (show) report.object(id, objects, view, address, fp, 'Object corrupt');
    }
    report.fix(id, `Restoring ${what} ${range}=${hex(value)}`);
    bytes.fill(first, end - first, value);
    return false;
  }

  /** All that belongs to one object; `value` is what its red zones should hold. */
  function checkObject(
    id: number,
    objects: ObjectLayout,
    slab: number,
    address: number,
    value: number,
    onNode?: boolean,
  ): boolean {
    const view = facts(slab, onNode);
    const { flags, objectSize, inuse, redLeftPad, infoEnd, end } = objects;
    const active = value === RED_ACTIVE;
    let whole = true;
    const fails = (what: string, range: readonly [number, number, number], counts = true): boolean => {
      const good = checkRange(id, objects, view, address, what, range, whole);
      if (!good && counts) whole = false;
      return !good && counts && !debug.checksAll;
    };
    if (flags & SLAB.RED_ZONE) {
      if (fails('Left Redzone', [address - redLeftPad, redLeftPad, value])) return false;
      if (fails('Right Redzone', [address + objectSize, inuse - objectSize, value])) return false;
      if (active && bytes !== undefined) {
        const asked = askedSize(bytes, profile, objects, address);
        if (fails('kmalloc Redzone', [address + asked, objectSize - asked, value])) return false;
      }
    } else if (flags & SLAB.POISON) {
      const padding = [address + objectSize, inuse - objectSize, POISON_INUSE] as const;
      if (fails('Alignment padding', padding, debug.paddingFails)) return false;
    }
    if (flags & SLAB.POISON) {
      if (!active && flags & SLAB_OBJECT_POISON) {
        if (fails('Poison', [address, objectSize - 1, POISON_FREE])) return false;
        if (fails('End Poison', [address + objectSize - 1, 1, POISON_END])) return false;
      }
      if (fails('Object padding', [address + infoEnd, end - infoEnd, POISON_INUSE], debug.paddingFails))
        return false;
    }
    if (!objects.outside && active) return whole;
    const fp = nextWord(objects, slab, address);
    if (isObjectOrNull(objects, view, fp)) return whole;
    report.object(id, objects, view, address, fp, 'Freepointer corrupt');
    // There is no telling what came next: the rest of the list is given up.
    setNext(objects, address, NULL_WORD);
    return false;
  }

  /** What lies behind the last object of a poisoned slab. */
  function checkSlabPadding(id: number, objects: ObjectLayout, slab: number, onNode?: boolean): void {
    if (bytes === undefined || !(objects.flags & SLAB.POISON)) return;
    const view = facts(slab, onNode);
    const length = pageSize * 2 ** view.order;
    const remainder = length % objects.size;
    const from = view.base + length - remainder;
    const first = remainder === 0 ? -1 : bytes.firstOther(from, remainder, POISON_INUSE);
    if (first < 0) return;
    const end = bytes.endOfOther(first, from + remainder - first, POISON_INUSE);
    const range = `${hexAddress(first)}-${hexAddress(end - 1)}`;
    report.slab(id, view, `Padding overwritten. ${range} @offset=${first - view.base}`);
    report.padding(from, remainder);
    report.fix(id, `Restoring slab padding ${range}=0x${POISON_INUSE.toString(16)}`);
    bytes.fill(first, end - first, POISON_INUSE);
  }

  function checkSlab(id: number, objects: ObjectLayout, slab: number, onNode?: boolean): boolean {
    if (slabCounters[slab]! & COUNTERS_FROZEN) {
      report.slab(id, facts(slab, onNode), 'Slab disabled since SLUB metadata consistency check failed');
      return false;
    }
    checkSlabPadding(id, objects, slab, onNode);
    return true;
  }

  function setUp(id: number, slab: number): void {
    if (bytes === undefined) return;
    const objects = layout(id);
    const { base, order, objects: count } = facts(slab);
    if (objects.flags & SLAB.POISON) bytes.fill(base, pageSize * 2 ** order, POISON_INUSE);
    for (let i = 0; i < count; i++) {
      const address = objectAddress(slab, i);
      if (objects.flags & (SLAB.STORE_USER | SLAB.RED_ZONE | SLAB_OBJECT_POISON)) {
        initObject(bytes, profile, objects, address, RED_INACTIVE);
        if (objects.flags & SLAB.STORE_USER) {
          tracks?.clear(address + objects.tracks);
          tracks?.clear(address + objects.tracks + profile.trackSize);
        }
      }
      setNext(objects, address, i + 1 < count ? wordOf(objectAddress(slab, i + 1)) : NULL_WORD);
    }
  }

  // ---- alloc and free --------------------------------------------------------------------------------------------

  function onAlloc(id: number, slab: number, address: PhysAddr, onNode: boolean, cpu: number): boolean {
    const objects = layout(id);
    if (objects.flags & SLAB.CONSISTENCY_CHECKS) {
      const good =
        checkSlab(id, objects, slab, onNode) && checkObject(id, objects, slab, address, RED_INACTIVE, onNode);
      if (!good) {
        report.fix(id, 'Marking all objects used');
        return false;
      }
    }
    if (objects.flags & SLAB.TRACE) report.trace(id, objects, facts(slab, onNode), address, true);
    const index = indexIn(slab, address);
    cuts.delete(slabLinks[slab]! + index);
    handOut(id, address, cpu);
    return true;
  }

  function handOut(id: number, address: PhysAddr, cpu: number): void {
    if (bytes === undefined) return;
    const objects = layout(id);
    if (objects.asked !== 0) setAsked(bytes, objects, address, options.askedFor() || objects.objectSize);
    initObject(bytes, profile, objects, address, RED_ACTIVE);
    if (objects.flags & SLAB.STORE_USER)
      tracks?.write(address + objects.tracks + TRACK_ALLOC * profile.trackSize, cpu);
  }

  function onFree(id: number, slab: number, chain: readonly PhysAddr[], cpu: number, live: boolean): boolean {
    const objects = layout(id);
    const strict = (objects.flags & SLAB.CONSISTENCY_CHECKS) !== 0;
    const refuse = (address: number): false => {
      report.fix(id, `Object at ${hexAddress(address)} not freed`);
      return false;
    };
    if (strict && !checkSlab(id, objects, slab)) return refuse(chain[0]!);
    const view = facts(slab);
    if (view.inUse < chain.length) {
      report.slab(id, view, `Slab has ${view.inUse} allocated objects but ${chain.length} are to be freed`);
      return refuse(chain[0]!);
    }
    for (const address of chain) {
      if (strict && !mayFree(id, objects, slab, address)) return refuse(address);
      if (!live && !options.faithful) return false;
      if (objects.flags & SLAB.STORE_USER)
        tracks?.write(address + objects.tracks + TRACK_FREE * profile.trackSize, cpu);
      if (objects.flags & SLAB.TRACE) report.trace(id, objects, facts(slab), address, false);
      if (bytes !== undefined) initObject(bytes, profile, objects, address, RED_INACTIVE);
    }
    return true;
  }

  function mayFree(id: number, objects: ObjectLayout, slab: number, address: PhysAddr): boolean {
    if (!isObjectOrNull(objects, facts(slab), wordOf(address)) || !Number.isInteger(address)) {
      report.slab(id, facts(slab), `Invalid object pointer ${hexAddress(address)}`);
      return false;
    }
    if (onFreelist(id, objects, slab, address)) {
      const fp = debug.freeCutsFirst ? NULL_WORD : nextWord(objects, slab, address);
      report.object(id, objects, facts(slab), address, fp, 'Object already free');
      return false;
    }
    return checkObject(id, objects, slab, address, RED_ACTIVE);
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

  function onDiscard(id: number, slab: number): void {
    const objects = layout(id);
    if (objects.flags & SLAB.CONSISTENCY_CHECKS) {
      checkSlabPadding(id, objects, slab, false);
      for (let i = 0; i < objectsOf(slab); i++)
        checkObject(id, objects, slab, objectAddress(slab, i), RED_INACTIVE, false);
    }
    for (let i = 0; i < objectsOf(slab); i++) cuts.delete(slabLinks[slab]! + i);
    headless.delete(slab);
    strays.drop(slab);
  }

  function validate(id: number, slab: number, onNode: boolean): void {
    const objects = layout(id);
    if (!checkSlab(id, objects, slab, onNode)) return;
    onFreelist(id, objects, slab, 0);
    const inUse = new Set(inUseObjects(id, slab));
    for (let i = 0; i < objectsOf(slab); i++) {
      const address = objectAddress(slab, i);
      if (!checkObject(id, objects, slab, address, inUse.has(address) ? RED_ACTIVE : RED_INACTIVE, onNode))
        break;
    }
  }

  return {
    setUp,
    onAlloc,
    handOut,
    onFree,
    linkChain,
    onDiscard,
    validate,
    isHeadless,
    cut,
    beforeTake,
    facts,
    inUseObjects,
    layout,
    useWhole(id, address) {
      const objects = layout(id);
      if (bytes !== undefined && objects.asked !== 0) setAsked(bytes, objects, address, objects.objectSize);
    },
    askedSize: (id, address) => {
      const objects = layout(id);
      return bytes === undefined ? objects.objectSize : askedSize(bytes, profile, objects, address);
    },
  };
}
