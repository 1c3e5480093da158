/**
 * The bytes of debugged objects and slabs: what should lie where, and what is done where something else does. Damage is reported, then
 * repaired. Without bytes attached nothing of this is known, and all is well.
 */
import { COUNTERS_FROZEN, type ManagedBytes, type PhysicalMemory } from '../../machine/index.js';
import { type KernelProfile, SLAB, SLAB_OBJECT_POISON } from '../kernel/index.js';
import type { ObjectAddresses } from '../slabs/index.js';
import type { Freelist } from './freelist.js';
import {
  askedSize,
  initObject,
  NULL_WORD,
  type ObjectLayout,
  POISON_END,
  POISON_FREE,
  POISON_INUSE,
  RED_ACTIVE,
  RED_INACTIVE,
  readWord,
  wordOf,
} from './object.js';
import { type DebugReport, hexAddress, isObjectOrNull, type SlabFacts } from './report.js';
import type { Tracks } from './track.js';

interface ObjectBytes {
  /** The bytes of a new slab, before its objects are constructed. */
  setUp(id: number, slab: number): void;
  /** All that belongs to one object; `value` is what its red zones should hold. False if something counts as damage. */
  checkObject(
    id: number,
    objects: ObjectLayout,
    slab: number,
    address: number,
    value: number,
    onNode?: boolean,
  ): boolean;
  /** What lies behind the last object of a poisoned slab. */
  checkSlabPadding(id: number, objects: ObjectLayout, slab: number, onNode?: boolean): void;
  /** Whether the slab is usable; its padding is looked at too. */
  checkSlab(id: number, objects: ObjectLayout, slab: number, onNode?: boolean): boolean;
}

export interface ObjectBytesOptions {
  readonly profile: KernelProfile;
  readonly bytes: ManagedBytes | undefined;
  readonly tracks: Tracks | undefined;
  readonly report: DebugReport;
  readonly addresses: ObjectAddresses;
}

export function createObjectBytes(
  memory: PhysicalMemory,
  { facts, nextWord, setNext, layout }: Freelist,
  { profile, bytes, tracks, report, addresses }: ObjectBytesOptions,
): ObjectBytes {
  const { ledger, log } = memory;
  const { pageSize } = memory.profile;
  const { objectAddress } = addresses;
  const { debug } = profile;
  const { slabCounters } = ledger;

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

  return { setUp, checkObject, checkSlabPadding, checkSlab };
}
