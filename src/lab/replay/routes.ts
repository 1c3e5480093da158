/**
 * Where each class of a trace allocates on a replay's machine (steps 3 to 6 of build.ts).
 */
import { orderOf } from '../../base/index.js';
import { KMALLOC_TYPES, kmallocTypeIn, kmallocTypeOf, sizeSuffix } from '../../machine/index.js';
import { CLASS_KIND, type ClassCache, cacheOfSite, type TraceClass } from '../../trace/index.js';
import type { Strategy } from '../compare/index.js';
import { type MachinePlan, SLABS_OWN, specFromEvents } from '../evidence/index.js';
import type { PlanCaches, ReplayCache } from './plan-caches.js';

/** Characters of a cache's name that is made from events; a damaged one may be long. */
const MADE_NAME_MAX = 90;
/** Caches that are made from events, at most: no kernel has so many, a damaged trace may. */
export const MADE_MAX = 256;

/** Where a class's objects come from. */
export type Route =
  | { readonly to: 'cache'; readonly cache: ReplayCache }
  | { readonly to: 'strategy'; readonly cache: ReplayCache; readonly strategy: Strategy }
  /** Whole pages of the page allocator. */
  | {
      readonly to: 'pages';
      readonly order: number;
      /** Whether an event of their own tells of them, mostly. */
      readonly areTold?: boolean;
    }
  /** Not replayed: told by other events. */
  | { readonly to: 'nowhere' };

interface RouterOptions {
  readonly plan: MachinePlan;
  readonly classes: readonly TraceClass[];
  readonly names: readonly ClassCache[];
  /** Those of the plan. A class that none of them serves gets one more. */
  readonly caches: PlanCaches;
  readonly strategies: ReadonlyMap<ReplayCache, Strategy>;
}

export class Router {
  readonly #plan: MachinePlan;
  readonly #classes: readonly TraceClass[];
  readonly #names: readonly ClassCache[];
  readonly #caches: PlanCaches;
  readonly #strategies: ReadonlyMap<ReplayCache, Strategy>;
  /** Caches that were made from events, and those that would have been too many. */
  #made = 0;
  readonly #tooMany = new Set<string>();
  #byUser: ReadonlyMap<string, readonly TraceClass[]> | undefined;

  constructor({ plan, classes, names, caches, strategies }: RouterOptions) {
    this.#plan = plan;
    this.#classes = classes;
    this.#names = names;
    this.#caches = caches;
    this.#strategies = strategies;
  }

  /** Which kinds of objects were left out, because too many caches would have been made: a sentence, or none. */
  leftOut(): string | undefined {
    if (this.#tooMany.size === 0) return undefined;
    const [first] = this.#tooMany;
    const which = `${this.#tooMany.size} kinds of objects that no known cache has, ${first} the first of them,`;
    return `${which} were left out: more than ${MADE_MAX} caches are not made from events`;
  }

  route(id: number): Route {
    const traced = this.#classes[id]!;
    if (SLABS_OWN.has(traced.site)) return { to: 'nowhere' };
    switch (traced.kind) {
      case CLASS_KIND.PAGES:
        return { to: 'pages', order: traced.order };
      case CLASS_KIND.LARGE:
        return this.#routeLarge(traced);
      case CLASS_KIND.KMALLOC:
        return this.#toCache(this.#kmalloc(traced, this.#names[id]!.name) ?? this.#fromEvents(id));
      case CLASS_KIND.CACHE_FREE:
        if (!this.#isSizeTold(id)) return { to: 'nowhere' };
        return this.#toCache(this.#caches.find(this.#names[id]!.name) ?? this.#fromEvents(id));
      case CLASS_KIND.CACHE:
        return this.#toCache(
          this.#creator(id) ?? this.#caches.find(this.#names[id]!.name) ?? this.#fromEvents(id),
        );
      default:
        return { to: 'nowhere' };
    }
  }

  #toCache(cache: ReplayCache | undefined): Route {
    if (cache === undefined) return { to: 'nowhere' };
    const strategy = this.#strategies.get(cache);
    return strategy === undefined ? { to: 'cache', cache } : { to: 'strategy', cache, strategy };
  }

  /** Whole pages have events of their own, if pages are traced and replayed. With larger pages there may be a cache for them. */
  #routeLarge(traced: TraceClass): Route {
    const name = `${KMALLOC_TYPES[kmallocTypeOf(traced.gfp)]!.prefix}${sizeSuffix(traced.bytesAlloc)}`;
    const cache = this.#kmalloc(traced, name);
    if (cache !== undefined) return this.#toCache(cache);
    const tracesPages = this.#classes.some(({ kind }) => kind === CLASS_KIND.PAGES);
    const bytes = Math.max(traced.bytesReq, this.#caches.resized ? 0 : traced.bytesAlloc);
    const order = orderOf(bytes, this.#caches.kernel.pageSize);
    return { to: 'pages', order, areTold: tracesPages && this.replaysPages };
  }

  get replaysPages(): boolean {
    return this.#caches.kernel.pageSize === this.#plan.kernel.pageSize;
  }

  #kmalloc({ bytesReq, gfp }: TraceClass, recordedName: string): ReplayCache | undefined {
    const recorded = this.#caches.byName.get(recordedName);
    if (!this.#caches.resized) return recorded;
    const type = kmallocTypeOf(gfp);
    return this.#caches.list
      .filter(({ spec }) => kmallocTypeIn(spec.name) === type && spec.grownSize >= bytesReq)
      .sort((a, b) => a.spec.grownSize - b.spec.grownSize)[0];
  }

  /** The cache of one of several who had shared one, if the class's function tells. */
  #creator(id: number): ReplayCache | undefined {
    const { site, bytesAlloc } = this.#classes[id]!;
    const name = cacheOfSite(site, bytesAlloc);
    if (name === undefined) return undefined;
    const shared = this.#caches.specs.get(this.#names[id]!.name);
    return shared?.names.includes(name) ? this.#caches.byName.get(name) : undefined;
  }

  /** Whether a cache's objects have a size that a snapshot or an event told, for what is freed of it. */
  #isSizeTold(id: number): boolean {
    const { name } = this.#names[id]!;
    const spec = this.#caches.specs.get(name);
    if (spec !== undefined) return !this.#plan.isPreset || spec.source === 'events';
    return this.#users(name).some(({ bytesAlloc }) => bytesAlloc > 0);
  }

  /** Classes by the name of their cache, cut as names of made caches are. */
  #users(name: string): readonly TraceClass[] {
    if (this.#byUser === undefined) {
      const users = new Map<string, TraceClass[]>();
      for (const [id, traced] of this.#classes.entries()) {
        if (traced.kind === CLASS_KIND.PAGES || this.#names[id]!.name === '') continue;
        const known = users.get(this.#madeName(id));
        if (known === undefined) users.set(this.#madeName(id), [traced]);
        else known.push(traced);
      }
      this.#byUser = users;
    }
    return this.#byUser.get(name.slice(0, MADE_NAME_MAX)) ?? [];
  }

  #madeName(id: number): string {
    return this.#names[id]!.name.slice(0, MADE_NAME_MAX);
  }

  /**
   * A cache for a class that no cache of the plan has: of its bytes, and of the flags that its events show. Undefined where no slab could
   * hold its objects, as a damaged trace may have it: then they are left out, and a note says so.
   */
  #fromEvents(id: number): ReplayCache | undefined {
    const { bytesReq, bytesAlloc } = this.#classes[id]!;
    const shown = this.#madeName(id);
    const known = this.#caches.byName.get(shown);
    if (known !== undefined) return known;
    const largest = this.#caches.kernel.pageSize * 2 ** (this.#caches.kernel.orders - 1);
    if (Math.max(bytesAlloc, bytesReq) > largest) {
      this.#caches.notes.push(
        `${shown} has objects of ${bytesAlloc} bytes, which no slab holds: they were left out`,
      );
      return undefined;
    }
    if (this.#made === MADE_MAX) {
      this.#tooMany.add(shown);
      return undefined;
    }
    this.#made++;
    const { boot } = this.#caches.machine;
    const users = this.#users(shown);
    const spec = specFromEvents(shown, users, undefined, this.#plan, boot, this.#caches.kernel);
    if (spec === undefined) {
      this.#caches.notes.push(`${shown} has objects whose size no event tells: they were left out`);
      return undefined;
    }
    if (!this.#plan.isPreset)
      this.#caches.notes.push(`${shown} is not in the list of caches; it was reconstructed from its events`);
    return this.#caches.adopt(spec, spec.layout);
  }
}
