/**
 * Where a machine's RAM lies and how a kernel divides it into zones.
 *
 *     address 0        16 MiB            4 GiB                        end
 *     x86_64  |  DMA   |  DMA32   (hole) |  Normal                     |
 *
 *     address 0     1 GiB                4 GiB         5 GiB
 *     mt8173  (no RAM)| DMA32            |  Normal      |
 *
 * A zone that a kernel was built without is absent, and a request for it goes to Normal: that is how arm64 lost `GFP_DMA` in 4.15,
 * and with it the memory below 4 GiB that the IOMMU driver relied on.
 */
import {
  ArgumentError,
  formatAddress,
  formatBytes,
  GIB,
  KIB,
  lookUp,
  MIB,
  parseSize,
  roundUp,
} from '../base/index.js';

/** A zone's name, as the kernel prints it. `Normal` is all that is above the others. */
export type ZoneName = 'DMA' | 'DMA32' | 'Normal';

/** Bytes, from `start` up to but not including `end`. */
export interface RamRange {
  readonly start: number;
  readonly end: number;
}

/** One zone of a memory map. */
export interface ZoneSpec {
  readonly name: ZoneName;
  /** The first byte behind the zone. */
  readonly end: number;
}

/** Where a machine has RAM, and how it is divided into zones. Bytes. */
export interface MemoryMap {
  readonly name: string;
  /** In one line, for people. */
  readonly title: string;
  /** Ascending, not touching. */
  readonly ram: readonly RamRange[];
  /** RAM that the kernel never hands out. */
  readonly reserved: readonly RamRange[];
  /** From low to high. The last one takes all that is above the others. */
  readonly zones: readonly ZoneSpec[];
  /**
   * `ARCH_DMA_MINALIGN`, bytes: what a device may write must share no unit of so many bytes with anything else, because devices do not see
   * the CPUs' caches. Left out where they do. What a kernel makes of it: slab/kernel/profile.ts, `kmallocBounces`.
   */
  readonly dmaAlign?: number;
}

/** A kind of machine: a memory map for any size of RAM. */
export interface Board {
  readonly name: string;
  readonly title: string;
  /** Bytes. */
  readonly defaultMemory: number;
  readonly zones: readonly ZoneSpec[];
  readonly reserved: readonly RamRange[];
  /** As in a memory map. */
  readonly dmaAlign?: number;
  ram(memory: number): RamRange[];
  /** Where these facts come from. */
  readonly source: string;
}

const above4GiB: readonly ZoneSpec[] = [
  { name: 'DMA32', end: 4 * GIB },
  { name: 'Normal', end: Number.POSITIVE_INFINITY },
];

/** The largest cache line that an arm64 machine may have: `ARCH_DMA_MINALIGN` of all arm64 kernels. */
const ARM64_DMA_ALIGN = 128;

const X86_64: Board = {
  name: 'x86_64',
  title: 'x86_64 PC: DMA up to 16 MiB, DMA32 up to 4 GiB, RAM hole below 4 GiB',
  defaultMemory: 6 * GIB,
  zones: [{ name: 'DMA', end: 16 * MIB }, ...above4GiB],
  // The first MiB belongs to the firmware and the real-mode trampoline.
  reserved: [{ start: 0, end: MIB }],
  ram(memory) {
    // A PC of 3.5 GiB or more keeps the last GiB below 4 GiB for devices; RAM goes on above 4 GiB.
    const low = memory < 3.5 * GIB ? memory : 3 * GIB;
    const ranges = [
      { start: 0x1000, end: 0x9f000 },
      { start: MIB, end: low },
    ];
    if (memory > low) ranges.push({ start: 4 * GIB, end: 4 * GIB + memory - low });
    return ranges;
  },
  source: 'zoneinfo and iomem of the recorded QEMU machines, truth/buddy-public.json.gz',
};

const MT8173: Board = {
  name: 'mt8173',
  title: 'MediaTek MT8173 (Acer Chromebook R13), arm64 kernel 4.15 to 5.4: no ZONE_DMA',
  dmaAlign: ARM64_DMA_ALIGN,
  defaultMemory: 4 * GIB,
  zones: above4GiB,
  reserved: [],
  ram: (memory) => [{ start: GIB, end: GIB + memory }],
  source:
    'the discussion of "iommu/io-pgtable-arm-v7s: Use DMA32 zone for page tables": RAM starts at 1 GiB, ' +
    'so the last of 4 GiB lies above 4 GiB',
};

const ARM64: Board = {
  name: 'arm64',
  title: 'arm64 as Linux 6.1 divides it: DMA up to 4 GiB, DMA32 empty, Normal above',
  dmaAlign: ARM64_DMA_ALIGN,
  defaultMemory: 8 * GIB,
  // Unless the firmware names a narrower device, ZONE_DMA reaches as far as ZONE_DMA32, which is then empty: a DMA32 request falls
  // back to DMA ("arm64: mm: Set ZONE_DMA size based on early IORT scan" and its sibling for device trees, 5.11).
  zones: [{ name: 'DMA', end: 4 * GIB }, ...above4GiB],
  reserved: [],
  ram: (memory) => [{ start: GIB, end: GIB + memory }],
  source:
    'zone lines that Linux 5.11 and newer print at boot on machines without narrow DMA, RAM from 1 GiB as on QEMU virt',
};

/** Of the RK3568: devices hide what would be RAM from here up to 4 GiB. */
const RK3568_DEVICES = 0xf000_0000;

const RK3568: Board = {
  name: 'rk3568',
  title: 'Rockchip RK3568 (ROCK 3A, ODROID-M1): RAM from 2 MiB, devices below 4 GiB, RAM above',
  dmaAlign: ARM64_DMA_ALIGN,
  defaultMemory: 8 * GIB,
  zones: ARM64.zones,
  reserved: [],
  ram(memory) {
    // The first 2 MiB are the firmware's (TF-A) and not told to Linux.
    const ranges = [{ start: 2 * MIB, end: Math.min(memory, RK3568_DEVICES) }];
    if (memory > 4 * GIB) ranges.push({ start: 4 * GIB, end: memory });
    // What the devices hide is seen once more, behind the memory.
    const hidden = Math.min(memory, 4 * GIB) - RK3568_DEVICES;
    const again = roundUp(memory, 4 * GIB) + RK3568_DEVICES;
    if (hidden > 0) ranges.push({ start: again, end: again + hidden });
    return ranges;
  },
  source:
    'boot log of an ODROID-M1 with 4 GiB, in the discussion of "dma: replace zone_dma_bits by zone_dma_limit" (2024): RAM at ' +
    '0x200000-0xf0000000 and 0x1f0000000-0x200000000, zones DMA and Normal; U-Boot: SDRAM_MAX_SIZE 0xf0000000, 2 MiB for TF-A. ' +
    'A board of 8 GiB with its IOMMU tables at 0x10189a000: cover letter of "iommu: rockchip: Allocate tables from all ' +
    'available memory for IOMMU v2" (6.6). Not established for 8 GiB: where the hidden 256 MiB are seen again; here as on the ' +
    'RK3588S of a ROCK 5A, at 0x2f0000000',
};

const SUN50I: Board = {
  name: 'sun50i',
  title: 'Allwinner H616 (Orange Pi Zero 3), with 3 GiB an H6: RAM from 1 GiB on',
  dmaAlign: ARM64_DMA_ALIGN,
  defaultMemory: 4 * GIB,
  zones: ARM64.zones,
  // TF-A's.
  reserved: [{ start: GIB, end: GIB + 512 * KIB }],
  ram: (memory) => [{ start: GIB, end: GIB + memory }],
  source:
    'boot log of Linux 6.1 on an Orange Pi Zero 3 with 4 GiB: RAM at 0x40000000-0x140000000, zones DMA and Normal; ' +
    'sun50i-h616.dtsi: 512 KiB for TF-A. The H6 has 32-bit physical addresses, so 3 GiB of RAM at most: ' +
    '"iommu: sun50i: allocate page tables from below 4 GiB" (6.11), which says why the H616 needed what v7s needed',
};

/** The boards that `machine` can name, each a MemoryMap of a real machine. */
export const BOARDS: ReadonlyMap<string, Board> = new Map(
  [MT8173, X86_64, ARM64, RK3568, SUN50I].map((board) => [board.name, board]),
);

/** The board where nobody names one: of what is about no board in particular. */
export const USUAL_BOARD = X86_64.name;
/** The recorded driver's: where nobody names one, its workloads and its tables are run on this board. */
export const DRIVER_BOARD = MT8173.name;

/** The memory map of a named board; `memory` in bytes, or as text such as `4G`. Throws UnknownNameError or ArgumentError. */
export function boardMap(name: string, memory?: number | string): MemoryMap {
  const board = lookUp('machine', name, BOARDS);
  const size = typeof memory === 'string' ? parseSize(memory) : (memory ?? board.defaultMemory);
  if (size < 4 * MIB || size > 4096 * GIB) {
    throw new ArgumentError(`${name} takes 4 MiB to 4 TiB of memory, not ${formatBytes(size)}`);
  }
  return checkedMap({ ...board, ram: board.ram(size) });
}

/** What `machine` and `memory` name, and the usual board where they name none. Throws as `boardMap` does. */
export function memoryMapOf(machine: string | MemoryMap = USUAL_BOARD, memory?: number | string): MemoryMap {
  return typeof machine === 'object' ? machine : boardMap(machine, memory);
}

/** `1G-5G,6G-8G`: a machine from a list of RAM ranges, with the zones of a board. */
export function rangesMap(text: string, zonesOf = USUAL_BOARD): MemoryMap {
  const board = lookUp('machine', zonesOf, BOARDS);
  const ram = text.split(',').map((part) => {
    const ends = part.split('-');
    if (ends.length !== 2)
      throw new ArgumentError(`'${part}' is no RAM range: expected START-END, such as 1G-5G`);
    const [start, end] = [parseSize(ends[0]!.trim()), parseSize(ends[1]!.trim())];
    if (end <= start) throw new ArgumentError(`RAM range '${part}' ends where it begins, or before`);
    return { start, end, part };
  });
  for (const [i, { start, part }] of ram.entries()) {
    const before = ram[i - 1];
    if (before !== undefined && start < before.end)
      throw new ArgumentError(
        `RAM ranges must ascend and not overlap: '${part}' begins before the end of '${before.part}'`,
      );
  }
  return checkedMap({
    name: `ram:${text}`,
    title: `RAM at ${text}`,
    ram: ram.map(({ start, end }) => ({ start, end })),
    reserved: [],
    ...layoutOf(board),
  });
}

/** What a machine with RAM of its own takes from a board. */
function layoutOf({ zones, dmaAlign }: Board): Pick<MemoryMap, 'zones' | 'dmaAlign'> {
  return { zones, ...(dmaAlign !== undefined && { dmaAlign }) };
}

/** Throws ArgumentError unless ranges ascend without touching and zones ascend up to infinity. */
function checkedMap(map: MemoryMap): MemoryMap {
  let before = 0;
  for (const { start, end } of map.ram) {
    if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= before && end > start)) {
      throw new ArgumentError(
        `RAM ranges must ascend and not overlap: ${formatAddress(start)}-${formatAddress(end)} comes after ${formatAddress(before)}`,
      );
    }
    before = end;
  }
  if (map.ram.length === 0) throw new ArgumentError('a machine needs at least one RAM range');
  let zoneEnd = 0;
  for (const zone of map.zones) {
    if (zone.end < zoneEnd) throw new ArgumentError(`zone ${zone.name} ends below the zone before it`);
    zoneEnd = zone.end;
  }
  if (zoneEnd < before) throw new ArgumentError('the last zone must reach behind the last byte of RAM');
  return map;
}

/** Bytes of RAM in the map. */
export function ramBytes(map: MemoryMap): number {
  return map.ram.reduce((sum, r) => sum + r.end - r.start, 0);
}
