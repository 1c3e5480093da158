/**
 * # What the IOMMU core does with a buffer
 *
 * Drivers map buffers of any length; a page-table driver maps `count` blocks of one size. Between them the core of Linux 6.1 cuts:
 *
 *     |4K|4K|    64K    |    64K    |        1M        |4K|        each run of equal blocks is one call
 *
 *  1. A block is the largest page size that is not more than what is left and that both addresses are a multiple of.
 *  2. If the two addresses lie alike in the next larger size, and after the blocks up to where that begins there is room for one of it,
 *     there are blocks up to there only. Otherwise as many as fit into what is left.
 *  3. A map that fails is undone. An unmap goes by the input address alone, hence in larger blocks than the buffer was mapped with where
 *     that was scattered: this is how second-level tables are freed at all.
 *
 * Addresses and length must be multiples of the smallest page size.
 *
 *     iommuMap(domain, 0x10000, 0x4001_0000, 3 * MIB, IOMMU.READ);            // { ret: 0, mapped: 3145728, calls: … }
 *     iommuUnmap(domain, 0x10000, 3 * MIB);
 *
 * Sources: `iommu_map` and `iommu_unmap` of Linux 6.1, held against the calls of the recorded workload.
 */
import { ArgumentError, formatAddress, type Gfp } from '../base/index.js';
import type { ArmV7sPageTable, Gather } from './armv7s.js';
import { ERRNO } from './config.js';

/** Equal blocks for one call of the driver. */
interface Pieces {
  /** Bytes of one. */
  readonly size: number;
  readonly count: number;
}

/** The blocks that the core asks for next, rules 1 and 2. `sizes` ascend, and both addresses and `length` are multiples of the first. */
export function nextPieces(sizes: readonly number[], iova: number, paddr: number, length: number): Pieces {
  // Page sizes have at most 24 bits, and `&` keeps the low 32 of any address.
  const both = iova | paddr;
  let i = sizes.length - 1;
  while (i > 0 && (sizes[i]! > length || (both & (sizes[i]! - 1)) !== 0)) i--;
  const size = sizes[i]!;
  const larger = sizes[i + 1];
  if (larger !== undefined && ((iova ^ paddr) & (larger - 1)) === 0) {
    const before = larger - (iova & (larger - 1));
    if (before + larger <= length) return { size, count: before / size };
  }
  return { size, count: Math.floor(length / size) };
}

/** What `iommu_map` came to. */
export interface IommuMapResult {
  /** 0, or a negative errno; then nothing of the buffer is mapped any more. */
  readonly ret: number;
  /** Bytes. */
  readonly mapped: number;
  /** Calls of the driver's map_pages. */
  readonly calls: number;
}

/**
 * `iommu_map`. Returns -ENODEV for a domain without a page size and -EINVAL for what is not aligned to the smallest, with the kernel's line
 * in the machine's log; otherwise what the driver returns.
 */
export function iommuMap(
  domain: ArmV7sPageTable,
  iova: number,
  paddr: number,
  length: number,
  prot: number,
  gfp?: Gfp,
): IommuMapResult {
  checkLength(length);
  const sizes = domain.pageSizes;
  const smallest = sizes[0];
  if (smallest === undefined) return { ret: -ERRNO.ENODEV, mapped: 0, calls: 0 };
  if (((iova | paddr | length) & (smallest - 1)) !== 0) {
    const pa = `pa 0x${paddr.toString(16).padStart(16, '0')} `;
    sayUnaligned(domain, iova, pa, length, smallest);
    return { ret: -ERRNO.EINVAL, mapped: 0, calls: 0 };
  }
  let mapped = 0;
  let calls = 0;
  while (mapped < length) {
    const { size, count } = nextPieces(sizes, iova + mapped, paddr + mapped, length - mapped);
    const step = domain.map(iova + mapped, paddr + mapped, size, count, prot, gfp);
    calls++;
    mapped += step.mapped;
    if (step.ret !== 0) {
      iommuUnmap(domain, iova, mapped);
      return { ret: step.ret, mapped: 0, calls };
    }
  }
  return { ret: 0, mapped, calls };
}

/** What `iommu_unmap` came to. */
export interface IommuUnmapResult {
  /** Bytes. */
  readonly unmapped: number;
  /** Calls of the driver's unmap_pages. */
  readonly calls: number;
}

/** `iommu_unmap`: until all of it is unmapped, or the driver finds nothing. */
export function iommuUnmap(
  domain: ArmV7sPageTable,
  iova: number,
  length: number,
  gather?: Gather,
): IommuUnmapResult {
  checkLength(length);
  const sizes = domain.pageSizes;
  const smallest = sizes[0];
  if (smallest === undefined) return { unmapped: 0, calls: 0 };
  if (((iova | length) & (smallest - 1)) !== 0) {
    sayUnaligned(domain, iova, '', length, smallest);
    return { unmapped: 0, calls: 0 };
  }
  let unmapped = 0;
  let calls = 0;
  while (unmapped < length) {
    const at = iova + unmapped;
    const { size, count } = nextPieces(sizes, at, at, length - unmapped);
    const step = domain.unmap(at, size, count, gather);
    calls++;
    if (step === 0) break;
    unmapped += step;
  }
  return { unmapped, calls };
}

function sayUnaligned(
  domain: ArmV7sPageTable,
  iova: number,
  pa: string,
  length: number,
  smallest: number,
): void {
  domain.machine.log.add(
    `iommu: unaligned: iova ${formatAddress(iova)} ${pa}size ${formatAddress(length)} min_pagesz ${formatAddress(smallest)}`,
  );
}

function checkLength(length: number): void {
  if (!Number.isSafeInteger(length) || length < 0)
    throw new ArgumentError(`a buffer's length is a whole number of bytes, not ${length}`);
}
