/**
 * What a driver says when it makes a page table, which of it Linux accepts, and the register values that come out.
 */
import { ArgumentError, GIB, KernelWouldCrashError, KIB, MIB } from '../base/index.js';

/** `IO_PGTABLE_QUIRK_*`, those that short descriptors know. */
export const IO_PGTABLE_QUIRK = {
  /** The tables and what they map are non-secure. */
  ARM_NS: 1,
  /** Descriptors carry no access permissions: the bits mean something else, or nothing. */
  NO_PERMS: 2,
  /** MediaTek: physical addresses of 35 bits, input addresses of 34. */
  ARM_MTK_EXT: 8,
  /** MediaTek: the tables themselves may lie above 4 GiB. */
  ARM_MTK_TTBR_EXT: 16,
} as const;

/** `IOMMU_*`: what a mapping allows, and how its memory is accessed. */
export const IOMMU = { READ: 1, WRITE: 2, CACHE: 4, NOEXEC: 8, MMIO: 16, PRIV: 32 } as const;

/** The four sizes of an entry, in bytes, smallest first. The kernel's bitmap of page sizes is their sum. */
export const PAGE_SIZES = [4 * KIB, 64 * KIB, MIB, 16 * MIB] as const;

/** Negative numbers of these are what the kernel's functions return. */
export const ERRNO = { ENOMEM: 12, EEXIST: 17, ENODEV: 19, EINVAL: 22, ERANGE: 34 } as const;

/** What a driver asks of a domain, as the kernel's `struct io_pgtable_cfg` has it. */
export interface IoPgtableConfig {
  /** Bits of an input address (iova). 32 unless told. */
  ias?: number;
  /** Bits of an output (physical) address. 32 unless told. */
  oas?: number;
  /** A sum of IO_PGTABLE_QUIRK. */
  quirks?: number;
  /** A sum of page sizes in bytes; all four unless told. Only the IOMMU core looks at it: the driver itself takes any of the four. */
  pgsizeBitmap?: number;
  /** The IOMMU reads its tables through the caches. True unless told; otherwise each table is DMA-mapped. */
  coherentWalk?: boolean;
}

/** A configuration with all that was not told filled in. */
export type CompleteConfig = Readonly<Required<IoPgtableConfig>>;

const KNOWN_QUIRKS = Object.values(IO_PGTABLE_QUIRK).reduce((all: number, bit) => all | bit, 0);
const PAGE_SIZE_BITS = PAGE_SIZES.reduce((all: number, size) => all | size, 0);

/** Throws ArgumentError for what is no number at all. */
export function completeConfig(config: IoPgtableConfig): CompleteConfig {
  const whole = (what: string, value: number, most: number) => {
    if (!Number.isSafeInteger(value) || value < 0 || value > most)
      throw new ArgumentError(`${what} is a whole number from 0 to ${most}, not ${value}`);
    return value;
  };
  return {
    ias: whole('ias, the bits of an input address,', config.ias ?? 32, 64),
    oas: whole('oas, the bits of an output address,', config.oas ?? 32, 64),
    quirks: whole('quirks', config.quirks ?? 0, 0xffffffff),
    pgsizeBitmap: whole('pgsizeBitmap', config.pgsizeBitmap ?? PAGE_SIZE_BITS, Number.MAX_SAFE_INTEGER),
    coherentWalk: config.coherentWalk ?? true,
  };
}

/** Why Linux returns NULL for a configuration; undefined if it does not. Linux itself says nothing. */
export function refusal({ ias, oas, quirks }: CompleteConfig): string | undefined {
  const mtk = (quirks & IO_PGTABLE_QUIRK.ARM_MTK_EXT) !== 0;
  const by = mtk ? 'MediaTek short descriptors' : 'short descriptors';
  if (ias > (mtk ? 34 : 32)) return `ias ${ias} is more than the ${mtk ? 34 : 32} bits of ${by}`;
  if (oas > (mtk ? 35 : 32)) return `oas ${oas} is more than the ${mtk ? 35 : 32} bits of ${by}`;
  const unknown = (quirks & ~KNOWN_QUIRKS) >>> 0;
  if (unknown !== 0) return `quirks 0x${unknown.toString(16)} are none of short descriptors`;
  if (mtk && !(quirks & IO_PGTABLE_QUIRK.NO_PERMS))
    return 'ARM_MTK_EXT needs NO_PERMS: its address bits take the place of permissions';
  if (quirks & IO_PGTABLE_QUIRK.ARM_MTK_TTBR_EXT && !mtk) return 'ARM_MTK_TTBR_EXT needs ARM_MTK_EXT';
  return undefined;
}

/** Linux knows no lower limit. Throws KernelWouldCrashError for a table of less than an entry. */
export function checkFirstLevel({ ias }: CompleteConfig): void {
  if (ias >= 20) return;
  throw new KernelWouldCrashError(
    `a first level for ${ias} bits of input address has less than one entry of 1 MiB`,
    'silent nonsense: it shifts by a negative number',
  );
}

/** What the kernel leaves in the configuration: it masks the bitmap of page sizes, and takes an empty one. */
export function acceptedConfig(config: CompleteConfig): CompleteConfig {
  // Sizes above 2 GiB are none of the four.
  const low = config.pgsizeBitmap % (4 * GIB);
  return { ...config, pgsizeBitmap: (low & PAGE_SIZE_BITS) >>> 0 };
}

/** What the driver writes into the IOMMU's registers. Unsigned 32-bit numbers. */
export interface Registers {
  readonly ttbr: number;
  readonly tcr: number;
  readonly nmrr: number;
  readonly prrr: number;
}

// How the walker may access the tables, in the low bits of TTBR.
const TTBR_S = 1 << 1;
const TTBR_NOS = 1 << 5;
/** Write-back, write-allocate: one of the two bits of a region, and they lie apart for the inner one. */
const TTBR_IRGN_WBWA = 1 << 6;
const TTBR_ORGN_WBWA = 1 << 3;

/**
 * TEX remap: TEX[0], C and B of a descriptor number a region 0 to 7. PRRR gives its type in two bits each (1 device, 2 normal), NMRR the
 * caching of normal ones (inner from bit 0, outer from bit 16). The driver uses regions 1 (device), 4 (normal, not cached) and 7 (normal,
 * write-back). Bits 16 and up of PRRR say what is shareable.
 */
const PRRR_SHAREABLE = 0x800b_0000;
const PRRR = (PRRR_SHAREABLE | (1 << (1 * 2)) | (2 << (4 * 2)) | (2 << (7 * 2))) >>> 0;
const NMRR = ((1 << (7 * 2)) | (1 << (7 * 2 + 16))) >>> 0;

export function registers({ quirks, coherentWalk }: CompleteConfig, l1: number): Registers {
  const mtk = (quirks & IO_PGTABLE_QUIRK.ARM_MTK_EXT) !== 0;
  const cached = TTBR_NOS | TTBR_IRGN_WBWA | TTBR_ORGN_WBWA;
  // MediaTek's register has no attributes: address bits 32 and up come where they would be.
  const low = mtk ? Math.floor(l1 / (4 * GIB)) : TTBR_S | (coherentWalk ? cached : 0);
  return { ttbr: (l1 | low) >>> 0, tcr: 0, nmrr: NMRR, prrr: PRRR };
}

/** `ARM_NS|NO_PERMS`, or `none`; bits without a name in hex. */
export function formatQuirks(quirks: number): string {
  const names: string[] = Object.entries(IO_PGTABLE_QUIRK).flatMap(([name, bit]) =>
    quirks & bit ? [name] : [],
  );
  const unknown = (quirks & ~KNOWN_QUIRKS) >>> 0;
  if (unknown !== 0) names.push(`0x${unknown.toString(16)}`);
  return names.join('|') || 'none';
}
