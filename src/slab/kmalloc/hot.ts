/**
 * kmalloc and kfree in front of sheaves, for a machine with one type of kmalloc caches and all addresses within 31 bits. The shape is that
 * of `hotView` in sheaf.ts, for its reasons: plain parameters around two functions. What is not common goes the slow way.
 */
import type { Gfp, PhysAddr } from '../../base/index.js';
import type { SheafAddresses } from '../../machine/index.js';

/** The general path of the same two calls. */
export interface SlowKmalloc {
  alloc(size: number, gfp: Gfp, cpu: number): PhysAddr;
  free(address: PhysAddr, cpu: number): void;
}

/** Who does not say for whom, or which CPU, means itself. */
export interface HotKmalloc {
  alloc(size: number, gfp?: Gfp, cpu?: number): PhysAddr;
  free(address: PhysAddr, cpu?: number): void;
}

/**
 * `LOW`: addresses are integers of 31 bits. `idOfWord`: the cache for so many words; `linesPerCpu` and `lineWords` say where a CPU's line
 * of a cache is, `AVAIL`, `LIMIT`, `ENTRIES`, `INVERSE`, `SHIFT`, `SLAB_MASK` and `SLAB_OBJECTS` which of its words are which (ledger.ts).
 */
export function hotKmalloc(
  cpuCache: Int32Array,
  sheafAddress: SheafAddresses,
  frameCache: Uint16Array,
  idOfWord: Int32Array,
  isKmalloc: Uint8Array,
  basePhys: number,
  pageShift: number,
  wordShift: number,
  largest: number,
  cpus: number,
  linesPerCpu: number,
  lineWords: number,
  AVAIL: number,
  LIMIT: number,
  ENTRIES: number,
  INVERSE: number,
  SHIFT: number,
  SLAB_MASK: number,
  SLAB_OBJECTS: number,
  ZERO: number,
  KERNEL: Gfp,
  ownCpu: number,
  LOW: boolean,
  slow: SlowKmalloc,
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
