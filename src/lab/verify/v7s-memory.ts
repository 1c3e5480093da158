/**
 * Memory that runs out where it ran out on the recorded machine.
 *
 * A `nomem` case has operations `exhaust`: the recorder takes every free page of ZONE_DMA32 and ZONE_DMA, or gives them back. When the
 * next allocation fails then depends on what the recorded cache had left, and on what the kernel found in the meantime: a case recorded
 * twice fails at other places. So the recording says *when* there is memory, and the engine must say everything else: what the call
 * returns, how much of it was done, what the tables look like, which were allocated.
 *
 * While memory is exhausted, this takes every page that the zones give and every object that the cache still has, and gives back just
 * before each operation as many objects as that operation is recorded to have got. An engine that asks for more fails, as does one that
 * asks for less: it returns something else.
 */
import { type Gfp, NO_PFN, NULL, type Order, type Pfn, type PhysAddr } from '../../base/index.js';
import { __GFP, GFP } from '../../machine/index.js';
import type { KmemCache, Machine } from '../../slab/index.js';
import type { TableEvent } from './v7s-recording.js';

const QUIET = (GFP.NOWAIT | __GFP.NOWARN) as Gfp;

export class ExhaustedMemory {
  readonly #machine: Machine;
  readonly #cache: KmemCache;
  readonly #pages: [Pfn, Order][] = [];
  readonly #objects: PhysAddr[] = [];
  #exhausted = false;

  constructor(machine: Machine, cache: KmemCache) {
    this.#machine = machine;
    this.#cache = cache;
  }

  /** `needed`: as many tables as the recording will get before memory is given back. */
  exhaust(needed: number): void {
    // Tables that may lie anywhere do not run out of memory that only others need.
    if (!this.#dependsOnLowMemory()) return;
    this.#exhausted = true;
    for (let i = 0; i < needed; i++) {
      const object = this.#cache.alloc(GFP.KERNEL);
      if (object !== NULL) this.#objects.push(object);
    }
    const gfp = (GFP.ATOMIC | GFP.DMA32 | __GFP.NOWARN) as Gfp;
    for (let order = this.#machine.kernel.orders - 1; order >= 0; order--) {
      for (let pfn = this.#take(gfp, order); pfn !== NO_PFN; pfn = this.#take(gfp, order))
        this.#pages.push([pfn, order]);
    }
  }

  release(): void {
    this.#exhausted = false;
    for (const object of this.#objects.splice(0)) this.#cache.free(object);
    for (const [pfn, order] of this.#pages.splice(0)) this.#machine.freePages(pfn, order);
  }

  /** Lets the next operation have what it got on the recorded machine. */
  before(events: readonly TableEvent[]): void {
    if (!this.#exhausted) return;
    for (let object = this.#cache.alloc(QUIET); object !== NULL; object = this.#cache.alloc(QUIET))
      this.#objects.push(object);
    let held = 0;
    let most = 0;
    for (const [kind] of events) {
      held += kind === 'a' ? 1 : -1;
      most = Math.max(most, held);
    }
    for (const object of this.#objects.splice(0, most)) this.#cache.free(object);
  }

  #take(gfp: Gfp, order: Order): Pfn {
    return this.#machine.allocPages(gfp, order);
  }

  #dependsOnLowMemory(): boolean {
    const { pages, zoneNames } = this.#machine.memory;
    const highest = pages.highestZone(this.#cache.info.allocflags as Gfp);
    const normal = zoneNames.indexOf('Normal');
    return highest < normal || this.#machine.zones()[normal]!.managed === 0;
  }
}
