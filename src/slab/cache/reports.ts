/**
 * What a slab allocator prints when it is misused or finds no memory, in the kernel's words.
 */
import { type Gfp, orderOf } from '../../base/index.js';
import { formatGfp, type GfpNumbers, gfpHex, type PhysicalMemory } from '../../machine/index.js';
import { cacheName, readCache } from './table.js';

/** Where an allocator's messages go, and the names it needs for them. */
export interface CacheReports {
  warn(line: string): void;
  /** A constructed cache was asked for zeroed objects: said once. */
  zeroWithConstructor(): void;
  /** The block that a failed allocation prints; SLAB prints none. */
  outOfMemory(cache: number, gfp: Gfp): void;
  cacheName(cache: number): string;
}

/** The warning for zone bits in a slab request; the allocation goes on without them. */
export function unexpectedGfp(wrong: number, fixed: number, numbers?: GfpNumbers): string {
  // printk writes no name for no flags, where trace events write "none".
  const named = (flags: number) =>
    `${gfpHex(flags, numbers)} (${flags === 0 ? '' : formatGfp(flags, numbers)})`;
  return `Unexpected gfp: ${named(wrong)}. Fixing up to gfp: ${named(fixed)}. Fix your code!`;
}

/** What the out-of-memory block says of a cache. */
interface OutOfMemoryFacts {
  readonly name: string;
  readonly objectSize: number;
  readonly size: number;
  readonly order: number;
  readonly minOrder: number;
  readonly slabs: number;
  readonly objects: number;
  /** Free objects on the node's partial list. */
  readonly free: number;
  /** The order that the object alone would need, where debugging raised it. */
  readonly raisedByDebug: boolean;
}

/** What the kernel prints when SLUB gets no pages for a slab (`slab_out_of_memory`), line by line. */
function outOfMemoryBlock(gfp: Gfp, facts: OutOfMemoryFacts, numbers?: GfpNumbers): string[] {
  const lines = [
    `SLUB: Unable to allocate memory on node -1, gfp=${gfpHex(gfp, numbers)}(${formatGfp(gfp, numbers)})`,
    `  cache: ${facts.name}, object size: ${facts.objectSize}, buffer size: ${facts.size}, ` +
      `default order: ${facts.order}, min order: ${facts.minOrder}`,
  ];
  if (facts.raisedByDebug)
    lines.push(`  ${facts.name} debugging increased min order, use slub_debug=O to disable.`);
  lines.push(`  node 0: slabs: ${facts.slabs}, objs: ${facts.objects}, free: ${facts.free}`);
  return lines;
}

/** The reports of a machine's allocator, into its log. `freeOnNode` counts the free objects of a cache on its node's list. */
export function machineReports(
  { ledger, log, profile }: PhysicalMemory,
  freeOnNode: (cache: number) => number,
): CacheReports {
  let failures = 0;
  return {
    warn: (line) => log.add(line),
    zeroWithConstructor: () =>
      log.addOnce('zero-ctor', 'WARNING: __GFP_ZERO with a constructor: its work is overwritten'),
    outOfMemory: (id, gfp) => {
      // Rate-limited as in the kernel: ten blocks in a burst. There is no clock here that would let more through later.
      if (++failures > 10) return;
      const info = readCache(ledger, id);
      const facts = {
        name: info.name,
        objectSize: info.objectSize,
        size: info.size,
        order: info.oo.order,
        minOrder: info.min.order,
        slabs: info.nrSlabs,
        objects: info.totalObjects,
        free: freeOnNode(id),
        raisedByDebug: info.min.order > orderOf(info.objectSize, profile.pageSize),
      };
      const block = outOfMemoryBlock(gfp, facts, profile.gfp);
      for (const line of block) log.add(line);
    },
    cacheName: (id) => cacheName(ledger, id),
  };
}
