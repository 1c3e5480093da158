/**
 * kmalloc and kfree in front of sheaves, for a machine with one type of kmalloc caches and all addresses within 31 bits. The shape is that
 * of sheaf/hot.ts, for its reasons: plain parameters around two functions. What is not common goes the slow way.
 */
import type { Gfp, PhysAddr } from '../../base/index.js';
import type { SheafAddresses } from '../../machine/index.js';
import { type Named, named } from '../cache/index.js';

/** The general path of the same two calls. */
interface SlowKmalloc {
  alloc(size: number, gfp: Gfp, cpu: number): PhysAddr;
  free(address: PhysAddr, cpu: number): void;
}

/** The flags and the CPU may be left out: then the calls choose their own. */
export interface HotKmalloc {
  alloc(size: number, gfp?: Gfp, cpu?: number): PhysAddr;
  free(address: PhysAddr, cpu?: number): void;
}

/** What does not change for a thread. */
interface HotKmallocOptions {
  /** Views of the ledger. */
  readonly cpuCache: Int32Array;
  readonly sheafAddress: SheafAddresses;
  readonly frameCache: Uint16Array;
  /** The cache for so many words, and by cache whether it is one of kmalloc's. */
  readonly idOfWord: Int32Array;
  readonly isKmalloc: Uint8Array;
  /** The address of the first byte of memory, and the logarithms of a page's and a word's bytes. */
  readonly basePhys: number;
  readonly pageShift: number;
  readonly wordShift: number;
  /** Bytes of the largest of the caches' objects. */
  readonly largest: number;
  readonly cpus: number;
  /** Where in `cpuCache` a CPU's line of a cache is. */
  readonly linesPerCpu: number;
  readonly lineWords: number;
  /** Which of a line's words are which (ledger.ts). */
  readonly AVAIL: number;
  readonly LIMIT: number;
  readonly ENTRIES: number;
  readonly INVERSE: number;
  readonly SHIFT: number;
  readonly SLAB_MASK: number;
  readonly SLAB_OBJECTS: number;
  /** __GFP_ZERO, and the gfp of an alloc that names none. */
  readonly ZERO: number;
  readonly KERNEL: Gfp;
  readonly ownCpu: number;
  /** Whether addresses are integers of 31 bits. */
  readonly LOW: boolean;
  readonly slow: SlowKmalloc;
}

type Own = Named<HotKmallocOptions>;

export function hotKmalloc(options: HotKmallocOptions): HotKmalloc {
  const own = named(options);
  // biome-ignore format: one line a kind.
  return closeOver(
    own.cpuCache, own.sheafAddress, own.frameCache, own.idOfWord, own.isKmalloc,
    own.basePhys, own.pageShift, own.wordShift, own.largest, own.cpus, own.linesPerCpu, own.lineWords,
    own.AVAIL, own.LIMIT, own.ENTRIES, own.INVERSE, own.SHIFT, own.SLAB_MASK, own.SLAB_OBJECTS,
    own.ZERO, own.KERNEL, own.ownCpu, own.LOW, own.slow,
  );
}

function closeOver(
  cpuCache: Own['cpuCache'],
  sheafAddress: Own['sheafAddress'],
  frameCache: Own['frameCache'],
  idOfWord: Own['idOfWord'],
  isKmalloc: Own['isKmalloc'],
  basePhys: Own['basePhys'],
  pageShift: Own['pageShift'],
  wordShift: Own['wordShift'],
  largest: Own['largest'],
  cpus: Own['cpus'],
  linesPerCpu: Own['linesPerCpu'],
  lineWords: Own['lineWords'],
  AVAIL: Own['AVAIL'],
  LIMIT: Own['LIMIT'],
  ENTRIES: Own['ENTRIES'],
  INVERSE: Own['INVERSE'],
  SHIFT: Own['SHIFT'],
  SLAB_MASK: Own['SLAB_MASK'],
  SLAB_OBJECTS: Own['SLAB_OBJECTS'],
  ZERO: Own['ZERO'],
  KERNEL: Own['KERNEL'],
  ownCpu: Own['ownCpu'],
  LOW: Own['LOW'],
  slow: Own['slow'],
): HotKmalloc {
  const round = (1 << wordShift) - 1;
  const number = (address: number) => (LOW ? address | 0 : +address) as PhysAddr;
  return {
    alloc(size, gfp = KERNEL, cpu = ownCpu) {
      if (size > largest || size >>> 0 !== size || cpu >>> 0 !== cpu || cpu >= cpus || gfp & ZERO)
        return number(slow.alloc(size, gfp, cpu));
      const id = idOfWord[(size + round) >>> wordShift]!;
      const p = (cpu * linesPerCpu + id) * lineWords;
      const avail = cpuCache[p + AVAIL]! - 1;
      if (avail < 0) return number(slow.alloc(size, gfp, cpu));
      cpuCache[p + AVAIL] = avail;
      return sheafAddress[cpuCache[p + ENTRIES]! + avail]! as PhysAddr;
    },
    free(address, cpu = ownCpu) {
      const distance = address - basePhys;
      const offset = distance | 0;
      const id = frameCache[offset >>> pageShift]! | 0;
      const p = (cpu * linesPerCpu + id) * lineWords;
      const shift = cpuCache[p + SHIFT]!;
      const product = Math.imul(offset & cpuCache[p + SLAB_MASK]!, cpuCache[p + INVERSE]!);
      const index = ((product >>> shift) | (product << (32 - shift))) >>> 0;
      const misses = index >= cpuCache[p + SLAB_OBJECTS]! || offset !== distance || isKmalloc[id] === 0;
      const avail = cpuCache[p + AVAIL]!;
      if (misses || avail === cpuCache[p + LIMIT] || cpu >>> 0 !== cpu || cpu >= cpus)
        return slow.free(address, cpu);
      sheafAddress[cpuCache[p + ENTRIES]! + avail] = address;
      cpuCache[p + AVAIL] = avail + 1;
    },
  };
}
