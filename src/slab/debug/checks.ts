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
 * What lies in the bytes is looked at by bytes.ts, the list that the kernel would find by freelist.ts.
 */
import type { PhysAddr } from '../../base/index.js';
import { type ManagedBytes, type PhysicalMemory, shapeObjects } from '../../machine/index.js';
import { SLAB } from '../kernel/index.js';
import { createObjectBytes, type ObjectBytesOptions } from './bytes.js';
import { createFreelist, type Freelist, type FreelistOptions } from './freelist.js';
import {
  askedSize,
  initObject,
  NULL_WORD,
  type ObjectLayout,
  RED_ACTIVE,
  RED_INACTIVE,
  setAsked,
  wordOf,
} from './object.js';
import { hexAddress, isObjectOrNull } from './report.js';
import { TRACK_ALLOC, TRACK_FREE } from './track.js';

export interface DebugChecks
  extends Pick<
    Freelist,
    'isHeadless' | 'cut' | 'beforeTake' | 'linkChain' | 'facts' | 'inUseObjects' | 'layout'
  > {
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
  /** Looks at a slab whose pages go back. */
  onDiscard(id: number, slab: number): void;
  /** Looks at everything in a slab. */
  validate(id: number, slab: number, onNode: boolean): void;
  /** How many of an object's bytes are its caller's. */
  askedSize(id: number, address: PhysAddr): number;
  /** From now on all of an object's bytes are its caller's. */
  useWhole(id: number, address: PhysAddr): void;
}

interface DebugChecksOptions extends FreelistOptions, ObjectBytesOptions {
  readonly bytes: ManagedBytes | undefined;
  readonly faithful: boolean;
  /** Bytes that kmalloc was asked for in the call that is going on; 0 if it was not kmalloc. */
  askedFor(): number;
}

export function createDebugChecks(memory: PhysicalMemory, options: DebugChecksOptions): DebugChecks {
  const { slabShape } = memory.ledger;
  const { profile, bytes, tracks, report } = options;
  const { objectAddress } = options.addresses;
  const { debug } = profile;
  const freelist = createFreelist(memory, options);
  const { facts, nextWord, holds, inUseObjects, layout } = freelist;
  const { setUp, checkObject, checkSlabPadding, checkSlab } = createObjectBytes(memory, freelist, options);
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);

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
    freelist.afterTake(slab, address);
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
    if (holds(id, objects, slab, address)) {
      const fp = debug.freeCutsFirst ? NULL_WORD : nextWord(objects, slab, address);
      report.object(id, objects, facts(slab), address, fp, 'Object already free');
      return false;
    }
    return checkObject(id, objects, slab, address, RED_ACTIVE);
  }

  function onDiscard(id: number, slab: number): void {
    const objects = layout(id);
    if (objects.flags & SLAB.CONSISTENCY_CHECKS) {
      checkSlabPadding(id, objects, slab, false);
      for (let i = 0; i < objectsOf(slab); i++)
        checkObject(id, objects, slab, objectAddress(slab, i), RED_INACTIVE, false);
    }
    freelist.forget(slab);
  }

  function validate(id: number, slab: number, onNode: boolean): void {
    const objects = layout(id);
    if (!checkSlab(id, objects, slab, onNode)) return;
    holds(id, objects, slab, 0);
    const inUse = new Set(inUseObjects(id, slab));
    for (let i = 0; i < objectsOf(slab); i++) {
      const address = objectAddress(slab, i);
      if (!checkObject(id, objects, slab, address, inUse.has(address) ? RED_ACTIVE : RED_INACTIVE, onNode))
        break;
    }
  }

  return {
    ...freelist,
    setUp,
    onAlloc,
    handOut,
    onFree,
    onDiscard,
    validate,
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
