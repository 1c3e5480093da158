/**
 * The slabinfo tool's totals: over the caches that have objects, the average, the least, the most and the sum of what one cache has, and
 * the same for what one object takes. Averages are whole numbers, rounded down; sizes as in the list.
 *
 * Two rows are not what their names say, and the tool prints them so: the average of `PartObjs` is the share of objects that lie in
 * partial slabs, and a share of a hundred or more counts as a hundred.
 */
import { largestOf, smallestOf } from '../base/index.js';
import { type SlabinfoCache, slabinfoCaches, slabinfoSize } from './slabinfo-report.js';
import type { SysfsTree } from './sysfs.js';

/** One quantity over the caches in use. */
export interface Spread {
  readonly average: number;
  readonly least: number;
  readonly most: number;
  readonly total: number;
}

/** The totals of all caches, as the kernel's slabinfo tool counts them (`slabinfo -T`). */
export interface SlabinfoTotals {
  readonly caches: number;
  /** Links, and directories that are there for links. */
  readonly aliases: number;
  readonly aliasTargets: number;
  /** Caches that have objects. */
  readonly active: number;
  readonly perCache: Readonly<Record<PerCache, Spread>>;
  /** Bytes. Their total is that of all objects. */
  readonly perObject: Readonly<Record<PerObject, Spread>>;
}

/** What is told of caches. */
export type PerCache =
  | 'objects'
  | 'slabs'
  | 'partialSlabs'
  | 'partialSlabShare'
  | 'partialObjects'
  | 'partialObjectShare'
  | 'memory'
  | 'used'
  | 'loss';
/** What is told of objects, in bytes. */
export type PerObject = 'memory' | 'user' | 'loss';

/** The totals, or undefined where no cache has an object. */
export function slabinfoTotals(tree: SysfsTree, pageSize: number): SlabinfoTotals | undefined {
  const caches = slabinfoCaches(tree, pageSize, { unnamed: true });
  const active = caches.filter(({ slabs, objects }) => slabs > 0 && objects > 0);
  if (active.length === 0) return undefined;
  const share = (part: number, all: number) => Math.min(Math.floor((part * 100) / all), 100);
  const spread = (of: (cache: SlabinfoCache) => number): Spread => {
    const values = active.map(of);
    const total = values.reduce((sum, value) => sum + value, 0);
    const average = Math.floor(total / active.length);
    return { average, least: smallestOf(values), most: largestOf(values), total };
  };
  const objects = spread((cache) => cache.objects);
  const slabs = spread((cache) => cache.slabs);
  const partialSlabs = spread(({ partial }) => partial);
  const partialObjects = spread(({ objectsPartial }) => objectsPartial);
  const perHundred = (part: number, all: number) => Math.floor((part * 100) / all);
  /** Averages of bytes an object are over objects, not over caches. */
  const each = (of: (cache: SlabinfoCache) => number): Spread => {
    const total = active.reduce((sum, cache) => sum + of(cache) * cache.objects, 0);
    return { ...spread(of), average: Math.floor(total / objects.total), total };
  };
  return {
    caches: tree.directories.size,
    aliases: [...tree.links.values()].filter((target) => tree.directories.has(target)).length,
    aliasTargets: [...tree.directories.keys()].filter((id) => id.startsWith(':')).length,
    active: active.length,
    perCache: {
      objects,
      slabs,
      partialSlabs,
      partialSlabShare: {
        ...spread((cache) => share(cache.partial, cache.slabs)),
        total: perHundred(partialSlabs.total, slabs.total),
      },
      partialObjects: { ...partialObjects, average: perHundred(partialObjects.total, objects.total) },
      partialObjectShare: {
        ...spread((cache) => share(cache.objectsPartial, cache.objects)),
        total: perHundred(partialObjects.total, objects.total),
      },
      memory: spread(({ space }) => space),
      used: spread(({ used }) => used),
      loss: spread(({ space, used }) => space - used),
    },
    perObject: {
      memory: each(({ size }) => size),
      user: each(({ objectSize }) => objectSize),
      loss: each(({ size, objectSize }) => size - objectSize),
    },
  };
}

const right = (value: number | string, width: number) => String(value).padStart(width);

/** The three lines at the top: a quantity, what of it is lost or partial, and the share of that in percent. */
function headLines(
  { caches, aliases, aliasTargets, active, perCache }: SlabinfoTotals,
  size: (value: number, width?: number) => string,
): string[] {
  const { memory, used, loss, objects, partialObjects } = perCache;
  const ratio = (part: number, all: number) => `${size(Math.floor((part * 100) / all), 6)}%`;
  const targets = String(aliasTargets).padEnd(3);
  return [
    `Slabcaches : ${right(caches, 15)}   Aliases  : ${right(aliases, 11)}->${targets}  Active:    ${right(active, 3)}`,
    `Memory used: ${size(memory.total)}   # Loss   : ${size(loss.total)}   MRatio:${ratio(loss.total, used.total)}`,
    `# Objects  : ${size(objects.total)}   # PartObj: ${size(partialObjects.total)}` +
      `   ORatio:${ratio(partialObjects.total, objects.total)}`,
  ];
}

/** The totals in the words of that tool, line by line. `bytes` asks for whole bytes instead of K, M and G. */
export function totalsLines(totals: SlabinfoTotals | undefined, bytes = false): string[] {
  if (totals === undefined) return ['No objects'];
  const { perCache, perObject } = totals;
  const size = (value: number, width = 15) => right(slabinfoSize(value, bytes), width);
  const row = (name: string, values: readonly number[], sign = ' ') =>
    `${name.padEnd(9)}${sign === '%' ? '' : ' '}${values.map((value) => size(value) + sign).join(' ')}`.trimEnd();
  const all = ({ average, least, most, total }: Spread) => [average, least, most, total];
  return [
    'Slabcache Totals',
    '----------------',
    ...headLines(totals, size),
    '',
    'Per Cache         Average              Min              Max            Total',
    '-'.repeat(76),
    row('#Objects', all(perCache.objects)),
    row('#Slabs', all(perCache.slabs)),
    row('#PartSlab', all(perCache.partialSlabs)),
    row('%PartSlab', all(perCache.partialSlabShare), '%'),
    row('PartObjs', all(perCache.partialObjects)),
    row('% PartObj', all(perCache.partialObjectShare), '%'),
    row('Memory', all(perCache.memory)),
    row('Used', all(perCache.used)),
    row('Loss', all(perCache.loss)),
    '',
    'Per Object        Average              Min              Max',
    '-'.repeat(59),
    ...(['memory', 'user', 'loss'] as const).map((what) =>
      row(`${what[0]!.toUpperCase()}${what.slice(1)}`, all(perObject[what]).slice(0, 3)),
    ),
  ];
}
