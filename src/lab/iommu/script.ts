/**
 * # A script of an IOMMU's mappings, an operation a line
 *
 *     map 0x10000000 0x40000000 8M            # a frame buffer: physical 0x40000000 is seen at 0x10000000
 *     map 0x20000 0x51000000 64K prot=READ gfp=ATOMIC
 *     map 0x30000 0x60000000 32K chunk=4K stride=8K
 *     unmap 0x10000000 8M
 *     phys 0x20010
 *
 * | operation | |
 * | --- | --- |
 * | `map IOVA PADDR SIZE [chunk=N stride=N] [prot=…] [gfp=…]` | as a driver asks the IOMMU core, which cuts it into pieces |
 * | `map IOVA PADDR pgsize=N [count=N] [prot=…] [gfp=…]` | the driver's own `map_pages`: pages of one size, nothing cut |
 * | `unmap IOVA SIZE` | through the core |
 * | `unmap IOVA pgsize=N [count=N] [queued]` | the driver's `unmap_pages`; `queued`: invalidations wait, as with a flush queue |
 * | `phys IOVA` | `iova_to_phys` |
 * | `exhaust`, `release` | somebody takes every free page below 4 GiB; gives them back |
 *
 * With `chunk=` the memory of a buffer is scattered: chunk k lies at PADDR + k × stride, the last one cut to SIZE. A stride that is left
 * out is the chunk.
 *
 * Numbers are bytes: `4096`, `4K`, `0x1000`. prot is `READ|WRITE` unless told, of READ, WRITE, CACHE, NOEXEC, MMIO, PRIV, `none`; gfp is
 * KERNEL unless told, with or without `GFP_`. A page size is 4K, 64K, 1M or 16M. What the kernel refuses is no mistake of the script:
 * whoever runs it (run.ts) reports what the kernel says.
 */
import { ArgumentError, type Gfp, KIB, lookUp, MIB, parseSize, pushAll } from '../../base/index.js';
import { IOMMU, type IoPgtableConfig, PAGE_SIZES } from '../../iommu/index.js';
import { formatGfp, GFP, parseGfp } from '../../machine/index.js';
import { parseLines, type Verb, type Words } from '../script/index.js';

/** All sizes and addresses in bytes. */
export type IommuOperation =
  | {
      readonly kind: 'map';
      readonly iova: number;
      readonly paddr: number;
      readonly size: number;
      /** Chunk k of the memory lies at `paddr + k × stride`; one chunk of `size` where it is contiguous. */
      readonly chunk: number;
      readonly stride: number;
      readonly prot: number;
      readonly gfp: Gfp;
    }
  | {
      readonly kind: 'map_pages';
      readonly iova: number;
      readonly paddr: number;
      readonly pgsize: number;
      readonly count: number;
      readonly prot: number;
      readonly gfp: Gfp;
    }
  | { readonly kind: 'unmap'; readonly iova: number; readonly size: number }
  | {
      readonly kind: 'unmap_pages';
      readonly iova: number;
      readonly pgsize: number;
      readonly count: number;
      readonly queued: boolean;
    }
  | { readonly kind: 'phys'; readonly iova: number }
  | { readonly kind: 'exhaust' | 'release' };

/** An operation and its place: the line of a script, the number of an operation where there are no lines. From 1 on. */
export type IommuStep = IommuOperation & { readonly line: number };

/** What is done to a domain: a script, a generated load, or a recorded one. */
export interface IommuLoad {
  /** In a few words, for people. */
  readonly title: string;
  /** Where it comes from: a file's name, or how to make it again. */
  readonly source: string;
  /** What a step's number counts. */
  readonly unit: 'line' | 'operation';
  readonly steps: readonly IommuStep[];
  /** A driver stands behind it that unmaps only what it could map. A script is done as it is written. */
  readonly careful: boolean;
  /** The domain that it was recorded with. */
  readonly config?: IoPgtableConfig;
}

/** More pages in one call, and higher addresses, than the driver can be asked for. */
const PAGES_MAX = 2 ** 28;
const ADDRESS_MAX = 2 ** 52;

/** What drivers ask for, and the recorded one did. */
export const DEFAULT_PROT = IOMMU.READ | IOMMU.WRITE;

const PROTS: ReadonlyMap<string, number> = new Map([...Object.entries(IOMMU), ['none', 0]]);

/** `READ|WRITE`. Throws UnknownNameError. */
export function parseProt(text: string): number {
  const bit = (word: string) => lookUp('protection', word.trim().replace(/^IOMMU_/, ''), PROTS);
  return text.split('|').reduce((prot, word) => prot | bit(word), 0);
}

/** The names of IOMMU_* bits, such as `READ|WRITE`; `none` for none. */
export function formatProt(prot: number): string {
  const names = Object.entries(IOMMU).flatMap(([name, bit]) => (prot & bit ? [name] : []));
  return names.join('|') || 'none';
}

/** gfp flags by the kernel's names; `ATOMIC` is `GFP_ATOMIC`. */
function readGfp(text: string): Gfp {
  const full = (word: string) => (/^(__|GFP_|0x|none$)/i.test(word) ? word : `GFP_${word}`);
  return parseGfp(
    text
      .split('|')
      .map((word) => full(word.trim()))
      .join('|'),
  );
}

function pageSize(text: string): number {
  const size = parseSize(text);
  if (!PAGE_SIZES.some((each) => each === size))
    throw new ArgumentError(`expected a page size, 4K, 64K, 1M or 16M, but there stands '${text}'`);
  return size;
}

/** The kernel answers to none as well. */
function pageCount(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) > PAGES_MAX)
    throw new ArgumentError(`expected a number of pages up to ${PAGES_MAX}, but there stands '${text}'`);
  return Number(text);
}

function positive(what: string): (text: string) => number {
  return (text) => {
    const size = parseSize(text);
    if (size === 0) throw new ArgumentError(`expected ${what} above 0, but there stands '${text}'`);
    return size;
  };
}

function address(words: Words, what: string): number {
  const text = words.next(what);
  const value = parseSize(text);
  if (value > ADDRESS_MAX)
    throw new ArgumentError(
      `expected ${what} up to 0x${ADDRESS_MAX.toString(16)}, but there stands '${text}'`,
    );
  return value;
}

/** A request of the core names a SIZE, a call of the driver a page size. */
function sizeOf(words: Words): { size: number } | { pgsize: number; count: number } {
  const pgsize = words.option('pgsize', pageSize, 0);
  if (pgsize !== 0) return { pgsize, count: words.option('count', pageCount, 1) };
  return { size: parseSize(words.next('a size, or pgsize=')) };
}

function readMap(words: Words): IommuOperation {
  const iova = address(words, 'an input address');
  const paddr = address(words, 'a physical address');
  const how = sizeOf(words);
  const prot = words.option('prot', parseProt, DEFAULT_PROT);
  const gfp = words.option<Gfp>('gfp', readGfp, GFP.KERNEL);
  if ('pgsize' in how) return { kind: 'map_pages', iova, paddr, ...how, prot, gfp };
  const { size } = how;
  const chunk = words.option('chunk', positive('a chunk'), 0);
  if (chunk === 0) return { kind: 'map', iova, paddr, size, chunk: size, stride: size, prot, gfp };
  const stride = words.option('stride', positive('a stride'), chunk);
  return { kind: 'map', iova, paddr, size, chunk, stride, prot, gfp };
}

function readUnmap(words: Words): IommuOperation {
  const queued = words.has('queued');
  const iova = address(words, 'an input address');
  const how = sizeOf(words);
  if ('pgsize' in how) return { kind: 'unmap_pages', iova, ...how, queued };
  if (queued) throw new ArgumentError("'queued' belongs to a call with pgsize=");
  return { kind: 'unmap', iova, ...how };
}

const VERBS: ReadonlyMap<string, Verb<IommuOperation>> = new Map(
  Object.entries({
    map: {
      usage:
        'map IOVA PADDR SIZE [chunk=N stride=N] [prot=A|B] [gfp=A|B], or pgsize=4K|64K|1M|16M [count=N] instead of SIZE',
      read: readMap,
    },
    unmap: {
      usage: 'unmap IOVA SIZE, or unmap IOVA pgsize=4K|64K|1M|16M [count=N] [queued]',
      read: readUnmap,
    },
    phys: {
      usage: 'phys IOVA',
      read: (words) => ({ kind: 'phys', iova: address(words, 'an input address') }),
    },
    exhaust: { usage: 'exhaust', read: () => ({ kind: 'exhaust' }) },
    release: { usage: 'release', read: () => ({ kind: 'release' }) },
  } satisfies Record<string, Verb<IommuOperation>>),
);

/** Reads a script. Throws InputError with the line, what was expected there and what stands there. */
export function parseIommuScript(text: string, file: string): IommuLoad {
  const steps = parseLines(text, file, VERBS);
  return { title: 'a script', source: file, unit: 'line', steps, careful: false };
}

const hex = (address: number) => `0x${address.toString(16)}`;

/** `8M`, `64K`, `0x1001`: as a script's author writes it. */
function formatSize(bytes: number): string {
  if (bytes !== 0 && bytes % MIB === 0) return `${bytes / MIB}M`;
  return bytes !== 0 && bytes % KIB === 0 ? `${bytes / KIB}K` : hex(bytes);
}

/** An operation as its line in a script, with nothing said that goes without saying. */
export function formatIommuOperation(operation: IommuOperation): string {
  const words: string[] = [];
  switch (operation.kind) {
    case 'map':
    case 'map_pages': {
      const { iova, paddr, prot, gfp } = operation;
      words.push('map', hex(iova), hex(paddr));
      if (operation.kind === 'map_pages') pushAll(words, pagesOf(operation));
      else {
        const { size, chunk, stride } = operation;
        words.push(formatSize(size));
        if (chunk !== size) words.push(`chunk=${formatSize(chunk)}`);
        if (chunk !== size && stride !== chunk) words.push(`stride=${formatSize(stride)}`);
      }
      if (prot !== DEFAULT_PROT) words.push(`prot=${formatProt(prot)}`);
      if (gfp !== GFP.KERNEL) words.push(`gfp=${formatGfp(gfp).replace(/^GFP_/, '')}`);
      break;
    }
    case 'unmap':
      words.push('unmap', hex(operation.iova), formatSize(operation.size));
      break;
    case 'unmap_pages':
      pushAll(words, ['unmap', hex(operation.iova), ...pagesOf(operation)]);
      if (operation.queued) words.push('queued');
      break;
    case 'phys':
      words.push('phys', hex(operation.iova));
      break;
    default:
      words.push(operation.kind);
  }
  return words.join(' ');
}

function pagesOf({ pgsize, count }: { readonly pgsize: number; readonly count: number }): string[] {
  return [`pgsize=${formatSize(pgsize)}`, ...(count === 1 ? [] : [`count=${count}`])];
}
