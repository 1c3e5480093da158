/**
 * The hot path of one cache on one CPU: two functions with all that does not change in them. What is not common goes the slow way.
 */
import type { Gfp, PhysAddr } from '../../base/index.js';
import { __GFP, type SheafAddresses } from '../../machine/index.js';
import { type CacheView, type Named, named } from '../cache/index.js';

/** What the hot path leaves to others. */
export interface SlowPath {
  alloc(gfp: Gfp, cpu: number): PhysAddr;
  free(address: PhysAddr, cpu: number): void;
  zero(address: number): void;
}

/** What does not change for a cache on a CPU. */
interface HotView {
  /** The gfp of an alloc that names none. */
  readonly KERNEL: Gfp;
  /** What an object's link says: live, or in a sheaf. */
  readonly LIVE: number;
  readonly INSIDE: number;
  /** Views of the ledger. */
  readonly cpuCache: Int32Array;
  readonly sheafAddress: SheafAddresses;
  readonly sheafLink: Int32Array;
  readonly link: Uint16Array;
  readonly frameCache: Uint16Array;
  readonly frameSlab: Int32Array;
  readonly slabLinks: Int32Array;
  /** The address of the first byte of memory, and the logarithm of a page's bytes. */
  readonly basePhys: number;
  readonly pageShift: number;
  /** The bytes of a slab of the preferred order, less one, and its objects. */
  readonly slabMask: number;
  readonly slabObjects: number;
  /** How many objects the CPU's two sheaves hold, and the first of their entries. */
  readonly limit: number;
  readonly entries: number;
  /** What divides by the object's size (divide.ts). */
  readonly inverse: number;
  readonly shift: number;
  /** Whether each alloc and free looks at the object's link. */
  readonly CHECKED: boolean;
  /** Whether there are bytes that __GFP_ZERO writes to. */
  readonly ZEROES: boolean;
  /** Whether other threads come to the ledger. */
  readonly SHARED: boolean;
  /** Whether addresses are integers of 31 bits. */
  readonly LOW: boolean;
  /** The table of caches, where in it the cache's birth stands, and which that was; -1 once the view is closed. */
  readonly rows: Int32Array;
  readonly bornAt: number;
  readonly open: Int32Array;
  readonly slow: SlowPath;
  readonly ownCpu: number;
  /** Where in `cpuCache` it says how many objects the sheaves hold now. */
  readonly count: number;
  /** The cache. */
  readonly owner: number;
}

type Own = Named<HotView>;

export function hotView(values: HotView): CacheView {
  const own = named(values);
  // biome-ignore format: one line a kind.
  return closeOver(
    own.KERNEL, own.LIVE, own.INSIDE,
    own.cpuCache, own.sheafAddress, own.sheafLink, own.link, own.frameCache, own.frameSlab, own.slabLinks,
    own.basePhys, own.pageShift, own.slabMask, own.slabObjects, own.limit, own.entries, own.inverse, own.shift,
    own.CHECKED, own.ZEROES, own.SHARED, own.LOW,
    own.rows, own.bornAt, own.open, own.slow, own.ownCpu, own.count, own.owner,
  );
}

/**
 * The shape is measured. Everything that does not change is a plain parameter of the function around the two: no class, no object to look
 * into, nothing imported, nothing that could change, and none of the checks for use before its declaration that a `const` of a closure
 * costs at each use. That is worth a third of a pair. Of what is left, looking at the address is a quarter, and at the link (CHECKED) one
 * more.
 */
function closeOver(
  KERNEL: Own['KERNEL'],
  LIVE: Own['LIVE'],
  INSIDE: Own['INSIDE'],
  cpuCache: Own['cpuCache'],
  sheafAddress: Own['sheafAddress'],
  sheafLink: Own['sheafLink'],
  link: Own['link'],
  frameCache: Own['frameCache'],
  frameSlab: Own['frameSlab'],
  slabLinks: Own['slabLinks'],
  basePhys: Own['basePhys'],
  pageShift: Own['pageShift'],
  slabMask: Own['slabMask'],
  slabObjects: Own['slabObjects'],
  limit: Own['limit'],
  entries: Own['entries'],
  inverse: Own['inverse'],
  shift: Own['shift'],
  CHECKED: Own['CHECKED'],
  ZEROES: Own['ZEROES'],
  SHARED: Own['SHARED'],
  LOW: Own['LOW'],
  rows: Own['rows'],
  bornAt: Own['bornAt'],
  open: Own['open'],
  slow: Own['slow'],
  ownCpu: Own['ownCpu'],
  count: Own['count'],
  owner: Own['owner'],
): CacheView {
  return {
    alloc(gfp: Gfp = KERNEL, cpu = ownCpu): PhysAddr {
      const avail = cpuCache[count]! - 1;
      if (avail < 0 || cpu !== ownCpu || (SHARED && rows[bornAt] !== open[0])) {
        // The sign tells the compiler that a number comes back: else it would box the address of every object, for those of the slow path.
        return (LOW ? slow.alloc(gfp, cpu) | 0 : +slow.alloc(gfp, cpu)) as PhysAddr;
      }
      const entry = entries + avail;
      if (CHECKED) link[sheafLink[entry]!] = LIVE;
      cpuCache[count] = avail;
      if (ZEROES && gfp & __GFP.ZERO) slow.zero(sheafAddress[entry]!);
      return sheafAddress[entry]! as PhysAddr;
    },
    free(address: PhysAddr, cpu = ownCpu): void {
      const distance = address - basePhys;
      const offset = distance | 0;
      const frame = offset >>> pageShift;
      const product = Math.imul(offset & slabMask, inverse);
      const index = ((product >>> shift) | (product << (32 - shift))) >>> 0;
      const avail = cpuCache[count]!;
      const misses = index >= slabObjects || offset !== distance || frameCache[frame] !== owner;
      if (misses || avail === limit || cpu !== ownCpu || (SHARED && rows[bornAt] !== open[0]))
        return slow.free(address, cpu);
      const entry = entries + avail;
      if (CHECKED) {
        const at = slabLinks[frameSlab[frame]!]! + index;
        if (link[at] !== LIVE) return slow.free(address, cpu);
        sheafAddress[entry] = address;
        sheafLink[entry] = at;
        cpuCache[count] = avail + 1;
        link[at] = INSIDE;
        return;
      }
      sheafAddress[entry] = address;
      cpuCache[count] = avail + 1;
    },
    // The row of a cache that is gone holds nothing, and no slab names it: both go the slow way. Only in shared memory more is to be looked
    // at: the line is another's when this thread is no CPU any more, and the row when another thread destroyed the cache and made one.
    close() {
      open[0] = -1;
    },
  };
}
