/** Caches at a moment: a row each as slabtop has them, and one of them in full. */
import { type KmemCache, SLAB } from '../../slab/index.js';
import { flagLetters, formatSlabinfo, slabinfoRows, sysfsFiles } from '../../text/index.js';
import { layoutOfCache } from '../layout/index.js';
import { type SlabRow, sumOfSlabs } from '../replay/index.js';
import type { CacheAt, CacheDetail, SiteAt } from './look.js';
import { namesOf, type Scene } from './scene.js';

/** Slabs of a cache that are told one by one. */
const SLABS_MAX = 1000;

interface SiteSums {
  live: number;
  bytes: number;
  allocs: number;
  frees: number;
  readonly slabs: Set<number>;
}

export function cachesAt(scene: Scene): CacheAt[] {
  return scene.built.machine
    .caches()
    .map((cache) => cacheAt(scene, cache))
    .filter(({ slabsMade }) => slabsMade > 0)
    .sort((a, b) => b.bytes - a.bytes || b.live - a.live || (a.name < b.name ? -1 : 1));
}

function cacheAt({ built, slabs }: Scene, cache: KmemCache): CacheAt {
  const { info, id } = cache;
  const sums = sumOfSlabs(slabs.get(id) ?? [], info.oo, built.machine.kernel.pageSize);
  const names = namesOf(built, id, info.name);
  const flag = (bit: number) => (info.flags & bit) !== 0;
  return {
    id,
    name: names[0]!,
    names,
    flags: flagLetters({
      aliases: Math.max(info.refcount - 1, 0),
      cacheDma: flag(SLAB.CACHE_DMA),
      cacheDma32: flag(SLAB.CACHE_DMA32),
      hwcacheAlign: flag(SLAB.HWCACHE_ALIGN),
      poison: flag(SLAB.POISON),
      reclaimAccount: flag(SLAB.RECLAIM_ACCOUNT),
      redZone: flag(SLAB.RED_ZONE),
      sanityChecks: flag(SLAB.CONSISTENCY_CHECKS),
      storeUser: flag(SLAB.STORE_USER),
      trace: flag(SLAB.TRACE),
    }),
    objectSize: info.objectSize,
    size: info.size,
    objectsPerSlab: info.oo.objects,
    order: info.oo.order,
    ...sums,
    use: sums.objects === 0 ? 0 : sums.live / sums.objects,
    wasted: sums.bytes - sums.live * info.size,
    slabsMade: info.slabsMade,
    orderFallbacks: info.orderFallbacks,
    failed: info.failed,
  };
}

/** By any name of the cache. */
export function cacheDetail(scene: Scene, name: string): CacheDetail | undefined {
  const { recorded, built } = scene;
  const { machine } = built;
  const cache = built.find(name)?.cache ?? machine.findCache(name);
  if (cache === undefined) return undefined;
  const { ledger } = machine;
  const slabs = scene.slabs.get(cache.id) ?? [];
  const { sysfsTree } = machine.kernel.has;
  const row = slabinfoRows(machine).find((each) => each.name === cache.name);
  return {
    at: cacheAt(scene, cache),
    layout: layoutOfCache(machine, recorded.plan.options, cache, zoneOfOldest(scene, slabs)),
    histogram: histogramOf(slabs, cache.info.oo.objects),
    sites: sitesOf(scene, cache),
    files: sysfsTree ? [...sysfsFiles(machine, cache, { cacheDma32: true })].sort(byName) : [],
    directory: sysfsTree ? cache.sysfsId : null,
    slabinfo: row === undefined ? '' : formatSlabinfo([row]).trimEnd().split('\n').at(-1)!,
    slabs: slabs
      .map(({ id, live, objects }) => ({
        frame: ledger.slabFrame[id]!,
        serial: ledger.slabSerial[id]!,
        live,
        objects,
      }))
      .sort((a, b) => a.live / a.objects - b.live / b.objects || a.serial - b.serial)
      .slice(0, SLABS_MAX),
  };
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : 1);

function zoneOfOldest({ built: { machine } }: Scene, slabs: readonly SlabRow[]) {
  const { slabSerial, slabFrame } = machine.ledger;
  let oldest: SlabRow | undefined;
  for (const slab of slabs)
    if (oldest === undefined || slabSerial[slab.id]! < slabSerial[oldest.id]!) oldest = slab;
  if (oldest === undefined) return null;
  const pfn = slabFrame[oldest.id]! + machine.memory.basePfn;
  return machine.zoneOf(pfn * machine.kernel.pageSize) ?? null;
}

/** A slab of a smaller order than preferred has fewer objects, never more. */
function histogramOf(slabs: readonly SlabRow[], objects: number): number[] {
  const counts = new Array<number>(objects + 1).fill(0);
  for (const { live } of slabs) counts[live]!++;
  return counts;
}

/** Of objects of before the trace, and of those that came without an event, it is not known who allocated them: they are under ''. */
function sitesOf(
  { recorded: { trace }, built, state, slabs }: Scene,
  { id: cache, info }: KmemCache,
): SiteAt[] {
  const { ledger, kernel, memory } = built.machine;
  const isOurs = built.routes.map((route) => route.to === 'cache' && route.cache.cache.id === cache);
  const sites = new Map<string, SiteSums>();
  const at = (site: string) => {
    const found = sites.get(site) ?? { live: 0, bytes: 0, allocs: 0, frees: 0, slabs: new Set() };
    sites.set(site, found);
    return found;
  };
  trace.classes.forEach(({ site, allocs, frees }, id) => {
    if (!isOurs[id] || allocs === 0) return;
    const found = at(site);
    found.allocs += allocs;
    found.frees += frees;
  });
  const known = new Map<number, number>();
  const { addresses, slotClass } = state;
  for (let slot = 0; slot < addresses.length; slot++) {
    const id = slotClass[slot]!;
    if (addresses[slot] === 0 || !isOurs[id]) continue;
    const slab = ledger.frameSlab[Math.floor(addresses[slot]! / kernel.pageSize) - memory.basePfn]!;
    known.set(slab, (known.get(slab) ?? 0) + 1);
    const found = at(trace.classes[id]!.site);
    found.live++;
    found.bytes += trace.classes[id]!.bytesReq;
    found.slabs.add(slab);
  }
  for (const { id, live } of slabs.get(cache) ?? []) {
    const others = live - (known.get(id) ?? 0);
    if (others === 0) continue;
    const found = at('');
    found.live += others;
    found.bytes += others * info.objectSize;
    found.slabs.add(id);
  }
  return [...sites]
    .map(([site, found]) => ({ site, ...found, slabs: found.slabs.size }))
    .sort((a, b) => b.live - a.live || b.allocs - a.allocs);
}
