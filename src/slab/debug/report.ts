/**
 * What the debug checks print, in the kernel's words and order:
 *
 *     =============================================================================
 *     BUG inodes (Not tainted): Right Redzone overwritten
 *     -----------------------------------------------------------------------------
 *     0x…-0x… @offset=68. First byte 0x5a instead of 0xcc        where, for damaged bytes
 *     Allocated in … / Freed in …                                with tracks
 *     Slab 0x… objects=26 used=1 fp=0x… flags=0x…(slab|zone=2)
 *     Object 0x… @offset=8 fp=0x…
 *     Redzone / Object / Redzone / Padding dumps                 with bytes attached
 *     FIX inodes: Restoring Right Redzone 0x…-0x…=0xcc
 *
 * Addresses are the machine's own, physical ones. Stacks, registers and what else a kernel adds are left out.
 */
import {
  FRAME_ORDER,
  type ManagedBytes,
  type PhysicalMemory,
  Z_END,
  ZONE_WORDS,
} from '../../machine/index.js';
import { cacheName } from '../cache/index.js';
import { type KernelProfile, SLAB } from '../kernel/index.js';
import { addressOf, isNull, type ObjectLayout, type Word } from './object.js';
import { TRACK_ALLOC, TRACK_FREE, type Tracks } from './track.js';

/** What the kernel would find in its own structures: they may have been cut or overwritten where the ledger was not. */
export interface SlabFacts {
  /** First byte. */
  readonly base: number;
  readonly frame: number;
  readonly order: number;
  readonly objects: number;
  readonly inUse: number;
  /** The first free object's address; 0 none. */
  readonly free: number;
  readonly onNode: boolean;
}

export interface DebugReport {
  /** A report about one object: headline, tracks, slab, object and dumps. `damage` stands in front of what is known of the object. */
  object(
    id: number,
    layout: ObjectLayout,
    slab: SlabFacts,
    address: number,
    fp: Word,
    text: string,
    damage?: string,
  ): void;
  /** A report about a slab, or about something that is no object. */
  slab(id: number, slab: SlabFacts, text: string): void;
  /** The report about a slab of a cache that is destroyed, with its objects in use. */
  remaining(id: number, layout: ObjectLayout, slab: SlabFacts, inUse: readonly number[]): void;
  leak(id: number): void;
  fix(id: number, text: string): void;
  /** A warning, with or without words. */
  warn(site: string, text?: string): void;
  /** An object freed to another cache than its own. */
  wrongCache(id: number, owner: number, layout: ObjectLayout, address: number): void;
  /** A free of something that lies in no slab: said once. */
  notSlabOnce(): void;
  trace(id: number, layout: ObjectLayout, slab: SlabFacts, address: number, alloc: boolean): void;
  padding(from: number, length: number): void;
}

const ZONE_NUMBERS: Readonly<Record<string, number>> = { DMA: 0, DMA32: 1, Normal: 2 };

export const hexAddress = (address: number) => `0x${address.toString(16).padStart(16, '0')}`;

function hexWord({ low, high }: Word): string {
  return `0x${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`;
}

/** One line of a dump: sixteen bytes, and what of them can be printed. */
function dumpLines(label: string, from: number, bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((b) => b.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('');
    lines.push(`${label}${(from + at).toString(16).padStart(16, '0')}: ${hex.padEnd(49)}${text}`);
  }
  return lines;
}

export function createDebugReport(
  memory: PhysicalMemory,
  profile: KernelProfile,
  bytes: ManagedBytes | undefined,
  tracks: Tracks | undefined,
): DebugReport {
  const { ledger, log } = memory;
  const { pageSize } = memory.profile;
  const { debug } = profile;
  let badPage = false;
  let warned = false;
  let saidNotSlab = false;

  function tainted(): string {
    if (!badPage && !warned) return 'Not tainted';
    return `Tainted: G    ${badPage ? 'B' : ' '}   ${warned ? 'W' : ' '}         `;
  }

  function headline(id: number, text: string): void {
    log.add('='.repeat(77));
    log.add(`BUG ${cacheName(ledger, id)} (${tainted()}): ${text}`);
    log.add('-'.repeat(77));
  }

  function dump(label: string, from: number, length: number): void {
    if (bytes === undefined || length <= 0) return;
    for (const line of dumpLines(label, from, bytes.read(from, length))) log.add(line);
  }

  function tracking(layout: ObjectLayout, address: number): void {
    if (tracks === undefined || !(layout.flags & SLAB.STORE_USER)) return;
    for (const [what, which] of [
      ['Allocated', TRACK_ALLOC],
      ['Freed', TRACK_FREE],
    ] as const) {
      const line = tracks.line(what, address + layout.tracks + which * profile.trackSize);
      if (line !== undefined) log.add(line);
    }
  }

  function slabInfo({ base, frame, order, objects, inUse, free, onNode }: SlabFacts): void {
    let z = 0;
    while (z < memory.zoneNames.length - 1 && frame >= ledger.zone[z * ZONE_WORDS + Z_END]!) z++;
    const zone = ZONE_NUMBERS[memory.zoneNames[z]!]!;
    const { slab, workingset, head } = debug.pageFlags;
    const names: string[] = [];
    let flags = 0;
    for (const [name, bit] of [
      ['slab', slab],
      ['workingset', onNode ? workingset : 0],
      ['head', (order & FRAME_ORDER) > 0 ? head : 0],
    ] as const) {
      if (bit === 0) continue;
      flags |= bit;
      names.push(name);
    }
    // The zone's number is in the two highest of 64 bits.
    const word = `${((zone << 2) & 0xf).toString(16)}${flags.toString(16).padStart(15, '0')}`.replace(
      /^0+(?=.)/,
      '',
    );
    log.add(
      `Slab ${hexAddress(base)} objects=${objects} used=${inUse} fp=${hexAddress(free)} ` +
        `flags=0x${word}(${[...names, `zone=${zone}`].join('|')})`,
    );
  }

  function trailer(layout: ObjectLayout, slab: SlabFacts, address: number, fp: Word): void {
    const { flags, objectSize, inuse, redLeftPad, infoEnd, end } = layout;
    tracking(layout, address);
    slabInfo(slab);
    log.add(`Object ${hexAddress(address)} @offset=${address - slab.base} fp=${hexWord(fp)}`);
    if (flags & SLAB.RED_ZONE) dump('Redzone  ', address - redLeftPad, redLeftPad);
    else if (address > slab.base + 16) dump('Bytes b4 ', address - 16, 16);
    dump('Object   ', address, Math.min(objectSize, pageSize));
    if (flags & SLAB.RED_ZONE) dump('Redzone  ', address + objectSize, inuse - objectSize);
    dump('Padding  ', address + infoEnd, end - infoEnd);
  }

  function warn(site: string, text?: string): void {
    warned = true;
    log.add('------------[ cut here ]------------');
    if (text !== undefined) log.add(text);
    log.add(`WARNING: CPU: 0 PID: 0 at ${site}`);
    log.add('---[ end trace 0000000000000000 ]---');
  }

  function finish(site: string): void {
    badPage = true;
    if (debug.reportsWarn) warn(site);
  }

  return {
    warn,
    wrongCache(id, owner, layout, address) {
      const [wanted, found] = [cacheName(ledger, id), cacheName(ledger, owner)];
      warn(debug.sites.wrongCache, `cache_from_obj: Wrong slab cache. ${wanted} but object is from ${found}`);
      tracking(layout, address);
    },
    notSlabOnce() {
      if (saidNotSlab) return;
      saidNotSlab = true;
      warn(debug.sites.notSlab, 'virt_to_cache: Object is not a Slab page!');
    },
    padding: (from, length) => dump('Padding ', from, length),
    fix: (id, text) => log.add(`FIX ${cacheName(ledger, id)}: ${text}`),
    object(id, layout, slab, address, fp, text, damage) {
      headline(id, text);
      if (damage !== undefined) log.add(damage);
      const at = address - slab.base - (layout.flags & SLAB.RED_ZONE ? layout.redLeftPad : 0);
      if (at >= 0 && at < slab.objects * layout.size && at % layout.size === 0) {
        trailer(layout, slab, address, fp);
      } else {
        slabInfo(slab);
        log.add(`Invalid pointer ${hexAddress(address)}`);
      }
      finish(debug.sites.objectReport);
    },
    slab(id, slab, text) {
      headline(id, text);
      slabInfo(slab);
      finish(debug.sites.slabReport);
    },
    remaining(id, layout, slab, inUse) {
      headline(id, debug.remaining(cacheName(ledger, id)));
      if (debug.remainingSlabFirst) slabInfo(slab);
      for (const address of inUse) {
        log.add(`Object ${hexAddress(address)} @offset=${address - slab.base}`);
        tracking(layout, address);
      }
      if (!debug.remainingSlabFirst) slabInfo(slab);
      finish(debug.sites.shutdown);
    },
    leak(id) {
      const text = `kmem_cache_destroy ${cacheName(ledger, id)}: Slab cache still has objects when called from caller`;
      warn(debug.sites.destroy, text);
    },
    trace(id, layout, slab, address, alloc) {
      log.add(
        `TRACE ${cacheName(ledger, id)} ${alloc ? 'alloc' : 'free'} ${hexAddress(address)} ` +
          `inuse=${slab.inUse} fp=${hexAddress(slab.free)}`,
      );
      if (!alloc) dump('Object ', address, layout.objectSize);
    },
  };
}

/** Whether a word is NULL or the address of one of a slab's objects. */
export function isObjectOrNull(layout: ObjectLayout, slab: SlabFacts, word: Word): boolean {
  if (isNull(word)) return true;
  const at = addressOf(word) - slab.base - (layout.flags & SLAB.RED_ZONE ? layout.redLeftPad : 0);
  return at >= 0 && at < slab.objects * layout.size && at % layout.size === 0;
}
