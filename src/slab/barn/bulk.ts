/**
 * Many objects at once, with sheaves (cpu-sheaves.ts, steps j and k): what CPU and barn hold first, and for the rest the slabs.
 */
import { ArgumentError, type Gfp, NULL, type PhysAddr } from '../../base/index.js';
import {
  __GFP,
  C_STATE,
  CACHE_ALIVE,
  CACHE_WORDS,
  LINK_LIVE,
  noSuchCpu,
  P_AVAIL,
  P_ENTRIES,
  P_LIMIT,
  type PhysicalMemory,
} from '../../machine/index.js';
import { type AllocatorOptions, createEventCounter, STAT, zeroTaken } from '../cache/index.js';
import { createEachGroup, firstBad, type ObjectAddresses } from '../slabs/index.js';
import type { DebuggedCaches, SlubNode } from '../slub/index.js';
import type { CpuSheaves } from './cpu-sheaves.js';

/** What it stands on, and what single objects have as well. `p` is the line of a CPU. */
interface SheafBulkParts {
  readonly addresses: ObjectAddresses;
  readonly checks: { askedSize(id: number, address: PhysAddr): number };
  readonly node: SlubNode;
  readonly debugged: DebuggedCaches;
  readonly cpuSheaves: CpuSheaves;
  isDebug(id: number): boolean;
  lineOf(id: number, cpu: number): number;
  hasSheaves(p: number): boolean;
  /** The link of the object of a cache that begins at an address. */
  linkOf(id: number, address: PhysAddr): number;
  putTop(p: number, address: PhysAddr, at: number): void;
  free(id: number, address: PhysAddr, cpu: number): void;
}

interface SheafBulk {
  /** All of them or, when there is no memory, none. */
  allocBulk(id: number, wanted: number, gfp: Gfp, cpu: number): PhysAddr[];
  freeBulk(id: number, objects: PhysAddr[], cpu: number): void;
}

export function createSheafBulk(
  memory: PhysicalMemory,
  { faithful, bytes }: AllocatorOptions,
  parts: SheafBulkParts,
): SheafBulk {
  const { ledger } = memory;
  const { addresses, checks, node, debugged, cpuSheaves, isDebug } = parts;
  const { lineOf, hasSheaves, linkOf, putTop, free } = parts;
  const { slabAt, indexIn, badFree } = addresses;
  const { cache, cpuCache, slabLinks, link, slotAddress, slotLink } = ledger;
  const { cpus } = ledger.shape;
  const count = createEventCounter(ledger);
  const eachGroup = createEachGroup(slabAt);

  function allocBulk(id: number, wanted: number, gfp: Gfp, cpu: number): PhysAddr[] {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpus, cpu);
    const c = id * CACHE_WORDS;
    if (cache[c + C_STATE] !== CACHE_ALIVE) throw new ArgumentError(`cache ${id} does not exist (any more)`);
    const p = lineOf(id, cpu);
    const objects: PhysAddr[] = [];
    try {
      if (isDebug(id)) takeSingly(id, p, gfp, wanted, objects);
      else {
        if (hasSheaves(p)) takeHeld(c, p, wanted, objects);
        if (objects.length < wanted) takeFromNode(id, p, gfp, wanted - objects.length, objects);
      }
      if (bytes !== undefined && gfp & __GFP.ZERO)
        for (const each of objects) zeroTaken(bytes, checks.askedSize(id, each), free, id, each, cpu);
    } finally {
      // Whatever ended it, the caller gets all or none.
      if (objects.length < wanted) freeBulk(id, objects.splice(0), cpu);
    }
    return objects;
  }

  function takeSingly(id: number, p: number, gfp: Gfp, wanted: number, objects: PhysAddr[]): void {
    while (objects.length < wanted) {
      const address = debugged.alloc(id, gfp, p);
      if (address === NULL) return;
      count(p, STAT.alloc_slowpath);
      objects.push(address);
    }
  }

  /** What the CPU and the barn have, in the order in which it lies. */
  function takeHeld(c: number, p: number, wanted: number, objects: PhysAddr[]): void {
    while (objects.length < wanted) {
      if (cpuCache[p + P_AVAIL] === 0 && !cpuSheaves.refillHeld(c, p)) return;
      const avail = cpuCache[p + P_AVAIL]!;
      const taken = Math.min(avail, wanted - objects.length);
      const first = cpuCache[p + P_ENTRIES]! + avail - taken;
      cpuCache[p + P_AVAIL] = avail - taken;
      for (let slot = first; slot < first + taken; slot++)
        objects.push(liveFrom(slotAddress, slotLink, slot));
      count(p, STAT.alloc_fastpath, taken);
    }
  }

  function liveFrom(from: Float64Array, links: Int32Array, slot: number): PhysAddr {
    if (links[slot]! >= 0) link[links[slot]!] = LINK_LIVE;
    return from[slot]! as PhysAddr;
  }

  function takeFromNode(id: number, p: number, gfp: Gfp, wanted: number, objects: PhysAddr[]): void {
    const found = new Float64Array(wanted);
    const links = new Int32Array(wanted);
    const came = node.take(id, id * CACHE_WORDS, p, gfp, wanted, found, links, 0);
    for (let i = 0; i < came; i++) objects.push(liveFrom(found, links, i));
    count(p, STAT.alloc_slowpath, came);
  }

  function freeBulk(id: number, objects: PhysAddr[], cpu: number): void {
    if (cpu >>> 0 !== cpu || cpu >= cpus) throw noSuchCpu(cpus, cpu);
    const bad = firstBad(ledger, addresses, id, objects, false);
    if (bad !== undefined && !faithful) throw badFree(id, bad);
    if (bad !== undefined) {
      for (const address of objects) free(id, address, cpu);
      return;
    }
    const p = lineOf(id, cpu);
    if (!hasSheaves(p)) return freeToNode(id, p, objects, true);
    freeToNode(id, p, putHeld(id, p, objects), false);
  }

  /** Puts as many as main and the barn take, from the array's start. Returns the rest. */
  function putHeld(id: number, p: number, objects: PhysAddr[]): PhysAddr[] {
    let done = 0;
    while (done < objects.length) {
      const full = cpuCache[p + P_AVAIL] === cpuCache[p + P_LIMIT];
      if (full && !cpuSheaves.makeRoomHeld(id * CACHE_WORDS, p)) break;
      putTop(p, objects[done]!, linkOf(id, objects[done]!));
      done++;
    }
    return objects.slice(done);
  }

  /** In groups of one slab. `turned`: of a group the array's last object becomes the head of its slab's list, else the first. */
  function freeToNode(id: number, p: number, objects: PhysAddr[], turned: boolean): void {
    if (objects.length === 0) return;
    const debug = isDebug(id);
    if (!debug) count(p, STAT.free_slowpath, objects.length);
    eachGroup(objects, (slab, from, to) => {
      const chain = objects.slice(from, to);
      if (turned) chain.reverse();
      if (debug) debugged.freeGroup(id, p, slab, chain);
      else giveChain(id * CACHE_WORDS, p, slab, chain);
    });
  }

  function giveChain(c: number, p: number, slab: number, chain: readonly PhysAddr[]): void {
    const links = slabLinks[slab]!;
    const head = indexIn(slab, chain[0]!);
    let at = links + head;
    for (let i = 1; i < chain.length; i++) {
      const index = indexIn(slab, chain[i]!);
      link[at] = index + 1;
      at = links + index;
    }
    node.giveGroup(c, p, slab, head + 1, at, chain.length);
  }

  return { allocBulk, freeBulk };
}
