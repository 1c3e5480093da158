/** Where the objects lie that a Pin tells of: the sparse slabs that they keep. */
import { isSparse, type Pin } from '../replay/index.js';
import type { CacheSlab } from './look.js';
import type { Scene } from './scene.js';
import { whoAllocated } from './who.js';

/** The sparsest first, at most `limit`. Objects without a site are those of which no event tells. */
export function pinnedSlabs(
  scene: Scene,
  { cache: name, site, comm }: Pick<Pin, 'cache' | 'site' | 'comm'>,
  limit: number,
): CacheSlab[] {
  const { machine } = scene.built;
  const { slabFrame, slabSerial } = machine.ledger;
  const id = (scene.built.find(name)?.cache ?? machine.findCache(name))?.id ?? 0;
  const sparse = (scene.slabs.get(id) ?? []).filter(({ live, objects }) => isSparse(live, objects));
  const told = objectsIn(scene, new Set(sparse.map((slab) => slab.id)));
  const rows = [...told.values()].flat().flatMap((object) => (object.site === site ? [object.row] : []));
  const who = whoAllocated(scene.recorded, rows, scene.time);
  return sparse
    .filter((slab) => {
      const objects = told.get(slab.id) ?? [];
      if (site === '') return objects.length < slab.live;
      return objects.some((object) => object.site === site && who.get(object.row)!.comm === comm);
    })
    .sort((a, b) => a.live / a.objects - b.live / b.objects || a.id - b.id)
    .slice(0, limit)
    .map(({ id: slab, live, objects }) => ({
      frame: slabFrame[slab]!,
      serial: slabSerial[slab]!,
      live,
      objects,
    }));
}

interface ToldObject {
  readonly site: string;
  readonly row: number;
}

/** Objects of some slabs of which an event tells, by slab. */
function objectsIn(
  { recorded, built, state }: Scene,
  wanted: ReadonlySet<number>,
): Map<number, readonly ToldObject[]> {
  const { ledger, kernel, memory } = built.machine;
  const { addresses, slotClass, slotRow } = state;
  const found = new Map<number, ToldObject[]>();
  for (let slot = 0; slot < addresses.length; slot++) {
    const id = slotClass[slot]!;
    if (addresses[slot] === 0 || built.routes[id]!.to === 'pages') continue;
    const slab = ledger.frameSlab[Math.floor(addresses[slot]! / kernel.pageSize) - memory.basePfn] ?? 0;
    if (!wanted.has(slab)) continue;
    const object = { site: recorded.trace.classes[id]!.site, row: slotRow[slot]! };
    const list = found.get(slab);
    if (list === undefined) found.set(slab, [object]);
    else list.push(object);
  }
  return found;
}
