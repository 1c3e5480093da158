/**
 * # From a plan and a what-if to a machine, and to where each class's objects come from
 *
 *     plan ──────╮
 *     what-if ───┼─▸ Machine with its caches,  route of class 0, route of class 1, …
 *     classes ───╯
 *
 * 1. What a what-if does not touch is adopted as it was recorded. If it changes what layouts follow from, they are made anew by the
 *    kernel's rules.
 * 2. A cache whose size or flags change is created after the others, by the kernel's own rule: it may now merge with another, or no
 *    longer.
 * 3. Caches that were merged are one in the events. Where a what-if parts them (slab_nomerge, a debug flag, a change of one of them) the
 *    classes are told apart by what their functions are known to allocate from (trace/class-sites.ts); the others stay with the cache
 *    whose name the frees gave.
 * 4. A class that no cache of the plan has gets one made from its bytes (evidence.ts). A free of something whose size nobody told frees
 *    nothing: no slab is made for it.
 * 5. Large kmallocs are whole pages. Where pages are traced their own events tell of them, just before; where one does not, they are taken
 *    all the same.
 * 6. kmalloc goes to the class of sizes that it went to; where the sizes are others now, to the smallest that is large enough.
 */

import {
  ArgumentError,
  isPowerOfTwo,
  lookUp,
  nearestNames,
  orderOf,
  UnknownNameError,
} from '../../base/index.js';
import { GFP, KMALLOC_TYPES, kmallocTypeIn, kmallocTypeOf, sizeSuffix } from '../../machine/index.js';
import {
  KERNELS,
  type KernelProfile,
  type KmemCache,
  kernelWith,
  Machine,
  type MachineOptions,
  SLAB,
  SLAB_DEBUG_FLAGS,
  SLAB_NEVER_MERGE,
  withBootDebug,
} from '../../slab/index.js';
import { CLASS_KIND, type ClassCache, cacheOfSite, type TraceClass } from '../../trace/index.js';
import { ledgerRoom } from '../boot/index.js';
import { STRATEGIES, type Strategy } from '../compare/index.js';
import {
  type CacheSpec,
  IN_THE_DISTANCE,
  layoutOf,
  type MachinePlan,
  SLABS_OWN,
  specFromEvents,
  withPageSize,
} from '../evidence/index.js';
import type { CacheChange, WhatIf } from '../what-if/index.js';

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

/** A cache of the replay's machine. */
export interface ReplayCache {
  readonly spec: CacheSpec;
  readonly cache: KmemCache;
}

/** A machine that was built for a replay, and where its classes allocate. */
export interface BuiltMachine {
  readonly machine: Machine;
  /** By class of the trace. */
  readonly routes: readonly Route[];
  /** In the order of their creation; one that two specs share is there once. */
  readonly caches: readonly ReplayCache[];
  readonly strategies: readonly Strategy[];
  /** The cache of a name of the plan: of several that a what-if parted, the first one's. */
  find(name: string): ReplayCache | undefined;
  /** Whether blocks of pages that are nobody's slab are replayed. */
  readonly replaysPages: boolean;
  /** What a person should know: one sentence each. */
  readonly notes: readonly string[];
}

export interface BuildOptions {
  readonly plan: MachinePlan;
  readonly whatIf: WhatIf;
  readonly classes: readonly TraceClass[];
  readonly names: readonly ClassCache[];
}

/** Throws UnknownNameError for a cache that there is none of, ArgumentError for settings that make no machine. */
export function buildMachine(options: BuildOptions): BuiltMachine {
  return new Builder(options).build();
}

/** Characters of a cache's name that is made from events; a damaged one may be long. */
const MADE_NAME_MAX = 90;
/** Caches that are made from events, at most: no kernel has so many, a damaged trace may. */
const MADE_MAX = 256;
/** Room for caches in any case. */
const CACHES_LEAST = 512;

const NO_PAGES = 'pages that are no slab are left out: their events are of another page size';

class Builder {
  readonly #plan: MachinePlan;
  readonly #whatIf: WhatIf;
  readonly #classes: readonly TraceClass[];
  readonly #names: readonly ClassCache[];
  readonly #machine: Machine;
  readonly #kernel: KernelProfile;
  readonly #notes: string[] = [];
  readonly #caches: ReplayCache[] = [];
  /** By any name of a spec; what was parted has its own names only. */
  readonly #byName = new Map<string, ReplayCache>();
  /** What the plan says, by any name. */
  readonly #specs: ReadonlyMap<string, CacheSpec>;
  readonly #strategies = new Map<ReplayCache, Strategy>();
  /** Caches that were made from events, and those that would have been too many. */
  #made = 0;
  readonly #tooMany = new Set<string>();
  #byUser: ReadonlyMap<string, readonly TraceClass[]> | undefined;
  /** Whether layouts must be made anew. */
  readonly #relayout: boolean;
  /** Whether the classes of sizes of kmalloc may be others. */
  readonly #resized: boolean;

  constructor({ plan, whatIf, classes, names }: BuildOptions) {
    this.#plan = plan;
    this.#whatIf = whatIf;
    this.#classes = classes;
    this.#names = names;
    this.#specs = new Map(
      plan.caches.flatMap((spec) => [spec.name, ...spec.names].map((name) => [name, spec] as const)),
    );
    const caches = Math.max(this.#specs.size + MADE_MAX, CACHES_LEAST);
    const machineOptions = optionsOf(plan, whatIf);
    const room = ledgerRoom(machineOptions, whatIf.pageSize ?? plan.kernel.pageSize, this.#mostAtOnce());
    this.#machine = Machine.create({ ...machineOptions, ledger: { caches, ...room } });
    this.#kernel = this.#machine.kernel;
    const { allocator, pageSize, cpus, slubDebug, slubMinOrder, slubMaxOrder, slubMinObjects } = whatIf;
    this.#resized =
      (allocator ?? plan.options.allocator) !== plan.options.allocator ||
      (pageSize ?? plan.kernel.pageSize) !== plan.kernel.pageSize;
    this.#relayout =
      this.#resized ||
      [cpus, slubDebug, slubMinOrder, slubMaxOrder, slubMinObjects].some((set) => set !== undefined);
  }

  /** What there can be at most at the same time: all objects of before, each in a slab of its own, and a slab for each allocation. */
  #mostAtOnce(): { readonly slabs: number; readonly objects: number } {
    const { caches } = this.#plan;
    const before = caches.reduce((sum, { capacity = 0 }) => sum + capacity, 0);
    const slabs = this.#classes.reduce((sum, { allocs }) => sum + allocs, 0);
    // A what-if can make slabs twice as large, or pages: then there are as many fewer of them.
    const perSlab = caches.reduce((most, { layout }) => Math.max(most, layout.oo.objects), 64);
    return { slabs: before + slabs, objects: 2 * before + slabs * perSlab };
  }

  build(): BuiltMachine {
    const changes = this.#changes();
    const specs = this.#resized ? this.#resizedKmalloc() : this.#plan.caches;
    for (const spec of specs.flatMap((each) => this.#parted(each))) {
      const change = changes.find(({ name }) => spec.name === name || spec.names.includes(name));
      if (change !== undefined && remakes(change.change)) continue;
      this.#adopt(spec, this.#layoutNow(spec));
    }
    for (const { name, change } of changes) {
      const spec = this.#specOf(name);
      if (remakes(change)) this.#remake(spec, name, change);
      this.#tune(this.#byName.get(name)!, change);
    }
    this.#tuneAll();
    const routes = this.#classes.map((_, id) => this.#route(id));
    const replaysPages = this.#replaysPages();
    if (!replaysPages) this.#notes.push(NO_PAGES);
    if (this.#tooMany.size > 0) {
      const [first] = this.#tooMany;
      const which = `${this.#tooMany.size} kinds of objects that no known cache has, ${first} the first of them,`;
      this.#notes.push(`${which} were left out: more than ${MADE_MAX} caches are not made from events`);
    }
    return {
      machine: this.#machine,
      routes,
      caches: this.#caches,
      strategies: [...this.#strategies.values()],
      find: (name) => this.#find(name),
      replaysPages,
      notes: this.#notes,
    };
  }

  // ---- which caches ------------------------------------------------------------------------------------------------------

  /** The plan's caches with the sizes of kmalloc that this kernel has, for each type that there was, created as it creates them. */
  #resizedKmalloc(): CacheSpec[] {
    const { kmallocSizes, kmallocFlags, minAlign, kmallocAlignsToDivisor } = this.#kernel;
    const types = new Map<number, CacheSpec>();
    const others = this.#plan.caches.filter((spec) => {
      const type = kmallocTypeIn(spec.name);
      if (type >= 0 && !types.has(type)) types.set(type, spec);
      return type < 0;
    });
    const kmalloc = [...types].flatMap(([type, like]) =>
      kmallocSizes.map(([bytes, suffix]): CacheSpec => {
        const name = `${KMALLOC_TYPES[type]!.prefix}${suffix}`;
        const aligned = isPowerOfTwo(bytes) || kmallocAlignsToDivisor;
        return {
          ...like,
          name,
          names: [name],
          objectSize: bytes,
          grownSize: bytes,
          align: aligned ? bytes & -bytes : minAlign,
          flags: (like.flags & ~this.#plan.kernel.kmallocFlags) | kmallocFlags,
          derivable: true,
        };
      }),
    );
    return [...kmalloc, ...others];
  }

  /** The changes of single caches, whose names are checked. */
  #changes(): { readonly name: string; readonly change: CacheChange }[] {
    return [...this.#whatIf.caches].map(([name, change]) => {
      const spec = this.#specOf(name);
      if (remakes(change) && spec.flags & SLAB.KMALLOC && change.size !== undefined)
        throw new ArgumentError(
          `${name}.size: kmalloc's sizes are the kernel's, one cache cannot have another`,
        );
      return { name, change };
    });
  }

  #specOf(name: string): CacheSpec {
    const spec = this.#specs.get(name);
    if (spec !== undefined) return spec;
    const known = [...this.#specs.keys()];
    throw new UnknownNameError('cache of the recorded machine', name, known, nearestNames(name, known));
  }

  /** A cache that several share, as as many caches where they cannot share it any more. */
  #parted(spec: CacheSpec): CacheSpec[] {
    if (spec.names.length < 2) return [spec];
    const { boot } = this.#machine;
    const debugged = withBootDebug(spec.flags, boot.debug, spec.names[0]) & SLAB_NEVER_MERGE;
    const alone = [...this.#whatIf.caches].flatMap(([name, change]) =>
      spec.names.includes(name) && remakes(change) ? [name] : [],
    );
    if (!boot.noMerge && debugged === 0) {
      // A change of the whole, by its directory, or of some of those who share it.
      if (alone.length === 0) return [spec];
      const rest = spec.names.filter((name) => !alone.includes(name));
      const parts = alone.map((name) => ({ ...spec, name, names: [name] }));
      if (rest.length > 0) parts.push({ ...spec, name: rest[0]!, names: rest });
      this.#noteParting(spec, alone);
      return parts;
    }
    this.#noteParting(spec, spec.names);
    return spec.names.map((name) => ({ ...spec, name, names: [name] }));
  }

  /** Says who of a merged cache is not known to any of its functions. */
  #noteParting(spec: CacheSpec, names: readonly string[]): void {
    const users = this.#classes.filter(
      ({ kind }, id) => kind === CLASS_KIND.CACHE && this.#names[id]!.name === spec.name,
    );
    const unknown = users.filter(({ site, bytesAlloc }) => {
      const creator = cacheOfSite(site, bytesAlloc);
      return creator === undefined || !spec.names.includes(creator);
    });
    const allocs = unknown.reduce((sum, each) => sum + each.allocs, 0);
    const [first] = spec.names;
    const [sample] = unknown;
    if (sample !== undefined && names.length > 0) {
      this.#notes.push(
        `${allocs} objects of ${spec.names.join(', ')}, which share a cache, could not be told apart ` +
          `(${sample.site}, …) and count as ${first}`,
      );
    }
  }

  // ---- making them -------------------------------------------------------------------------------------------------------

  /** What lies as far apart as a cache's objects do; under the other allocator, which adds other things, what was asked for. */
  #byDistance(spec: CacheSpec): CacheSpec {
    const isOther = this.#machine.boot.allocator !== this.#plan.kernel.allocator;
    const objectSize = isOther ? spec.objectSize : spec.layout.size;
    return { ...spec, objectSize, align: 0, ctor: false, flags: spec.flags & ~IN_THE_DISTANCE };
  }

  #layoutNow(spec: CacheSpec): CacheSpec['layout'] {
    if (!this.#relayout) return spec.layout;
    // The other allocator cannot have it.
    const fits = (spec.layout.slab !== undefined) === this.#kernel.has.cpuArrays;
    const isByDistance = !spec.derivable && (spec.source === 'events' || this.#resized);
    if (!spec.derivable && !isByDistance) {
      this.#notes.push(
        fits
          ? `${spec.name} keeps its recorded layout: the kernel's rules do not give it`
          : `${spec.name} has the layout of the kernel's rules, which do not give its recorded one`,
      );
      if (fits) return spec.layout;
    }
    const like = isByDistance ? this.#byDistance(spec) : spec;
    const flags = withBootDebug(like.flags, this.#machine.boot.debug, spec.names[0]);
    const layout = layoutOf({ ...like, flags }, this.#kernel, this.#machine.boot);
    if (layout === null) {
      throw new ArgumentError(
        `no slab of order ${this.#machine.boot.maxOrder} or less holds an object of ${spec.name}: ${spec.objectSize} bytes`,
      );
    }
    return layout;
  }

  #adopt(spec: CacheSpec, layout: CacheSpec['layout']): ReplayCache {
    const plain = /^kmalloc-\d/.test(spec.name);
    const cache = this.#machine.adoptCache({
      ...layout,
      name: spec.names[0]!,
      refcount: plain ? this.#kernel.plainKmalloc.refcount : spec.names.length,
      useroffset: spec.useroffset,
      usersize: spec.usersize,
      ctor: spec.ctor,
      ...(spec.flags & SLAB.KMALLOC && { kernelOwned: true }),
    });
    return this.#know({ spec: { ...spec, layout }, cache });
  }

  #know(made: ReplayCache): ReplayCache {
    this.#caches.push(made);
    for (const name of [made.spec.name, ...made.spec.names]) this.#byName.set(name, made);
    return made;
  }

  /** A cache with another size or other flags, by the kernel's rules for a new one. */
  #remake(old: CacheSpec, name: string, { size, addFlags = 0, removeFlags = 0 }: CacheChange): void {
    const whole = name === old.name;
    const objectSize = size ?? old.objectSize;
    const flags = ((old.flags & ~removeFlags) | addFlags) >>> 0;
    const spec: CacheSpec = {
      ...old,
      name,
      names: whole ? old.names : [name],
      objectSize,
      grownSize: objectSize,
      flags,
    };
    if (old.flags & SLAB.KMALLOC || flags & ~this.#kernel.permittedFlags) {
      // No caller could create it, so it can share no cache either.
      this.#noteRemade(old, spec, this.#adopt(spec, this.#ruled(spec)).cache);
      return;
    }
    const cache = this.#machine.kmemCacheCreate(spec.names[0]!, objectSize, {
      align: old.align,
      flags,
      useroffset: Math.min(old.useroffset, objectSize),
      usersize: Math.min(old.usersize, objectSize - Math.min(old.useroffset, objectSize)),
      ...(old.ctor && { ctor: () => {} }),
    });
    if (cache === null) throw new ArgumentError(`${name}: ${this.#machine.log.lines.at(-1)}`);
    const shared = this.#caches.find((made) => made.cache.id === cache.id);
    if (shared === undefined) {
      this.#know({ spec: { ...spec, layout: cache.info }, cache });
      this.#noteRemade(old, spec, cache);
      return;
    }
    for (const each of [spec.name, ...spec.names]) this.#byName.set(each, shared);
    this.#notes.push(`${name} of ${objectSize} bytes now shares ${shared.spec.name}`);
  }

  #ruled(spec: CacheSpec): CacheSpec['layout'] {
    const layout = layoutOf(spec, this.#kernel, this.#machine.boot);
    if (layout === null)
      throw new ArgumentError(`no slab holds an object of ${spec.name}: ${spec.objectSize} bytes`);
    return layout;
  }

  #noteRemade(old: CacheSpec, spec: CacheSpec, { info }: KmemCache): void {
    const others = old.names.filter((name) => !spec.names.includes(name));
    const alone = others.length > 0 ? ` and no longer shares a cache with ${others.join(', ')}` : '';
    const before = `${old.layout.size} bytes, ${old.layout.oo.objects} in a slab of order ${old.layout.oo.order}`;
    this.#notes.push(
      `${spec.name} takes ${info.size} bytes, ${info.oo.objects} in a slab of order ${info.oo.order} (recorded: ${before})${alone}`,
    );
  }

  // ---- limits and strategies ---------------------------------------------------------------------------------------------

  #tune(made: ReplayCache, { cpuPartial, minPartial, strategy }: CacheChange): void {
    if (cpuPartial !== undefined) made.cache.setCpuPartial(cpuPartial);
    if (minPartial !== undefined) made.cache.setMinPartial(minPartial);
    if (strategy === undefined) return;
    const { objectSize, align } = made.spec;
    const request = { size: objectSize, align: Math.max(align, 8), gfp: GFP.KERNEL };
    this.#strategies.set(made, lookUp('strategy', strategy, STRATEGIES).open(this.#machine, request));
  }

  #tuneAll(): void {
    const { cpuPartial, minPartial, caches } = this.#whatIf;
    for (const { spec, cache } of this.#caches) {
      const own = [spec.name, ...spec.names]
        .map((name) => caches.get(name))
        .find((change) => change !== undefined);
      const debugged = (cache.info.flags & SLAB_DEBUG_FLAGS) !== 0;
      if (cpuPartial !== undefined && own?.cpuPartial === undefined && !debugged)
        cache.setCpuPartial(cpuPartial);
      if (minPartial !== undefined && own?.minPartial === undefined) cache.setMinPartial(minPartial);
    }
  }

  /** The cache of a name of the plan; of one that was parted the one that the frees name. */
  #find(name: string): ReplayCache | undefined {
    return this.#byName.get(name) ?? this.#byName.get(this.#specs.get(name)?.names[0] ?? '');
  }

  // ---- routes ------------------------------------------------------------------------------------------------------------

  #route(id: number): Route {
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
        return this.#toCache(this.#find(this.#names[id]!.name) ?? this.#fromEvents(id));
      case CLASS_KIND.CACHE:
        return this.#toCache(this.#creator(id) ?? this.#find(this.#names[id]!.name) ?? this.#fromEvents(id));
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
    const bytes = Math.max(traced.bytesReq, this.#resized ? 0 : traced.bytesAlloc);
    const order = orderOf(bytes, this.#kernel.pageSize);
    return { to: 'pages', order, areTold: tracesPages && this.#replaysPages() };
  }

  #replaysPages(): boolean {
    return this.#kernel.pageSize === this.#plan.kernel.pageSize;
  }

  #kmalloc({ bytesReq, gfp }: TraceClass, recordedName: string): ReplayCache | undefined {
    const recorded = this.#byName.get(recordedName);
    if (!this.#resized) return recorded;
    const type = kmallocTypeOf(gfp);
    return this.#caches
      .filter(({ spec }) => kmallocTypeIn(spec.name) === type && spec.grownSize >= bytesReq)
      .sort((a, b) => a.spec.grownSize - b.spec.grownSize)[0];
  }

  /** The cache of one of several who had shared one, if the class's function tells. */
  #creator(id: number): ReplayCache | undefined {
    const { site, bytesAlloc } = this.#classes[id]!;
    const name = cacheOfSite(site, bytesAlloc);
    if (name === undefined) return undefined;
    const shared = this.#specs.get(this.#names[id]!.name);
    return shared?.names.includes(name) ? this.#byName.get(name) : undefined;
  }

  /** Whether a cache's objects have a size that a snapshot or an event told, for what is freed of it. */
  #isSizeTold(id: number): boolean {
    const { name } = this.#names[id]!;
    const spec = this.#specs.get(name);
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
    const known = this.#byName.get(shown);
    if (known !== undefined) return known;
    const largest = this.#kernel.pageSize * 2 ** (this.#kernel.orders - 1);
    if (Math.max(bytesAlloc, bytesReq) > largest) {
      this.#notes.push(
        `${shown} has objects of ${bytesAlloc} bytes, which no slab holds: they were left out`,
      );
      return undefined;
    }
    if (this.#made === MADE_MAX) {
      this.#tooMany.add(shown);
      return undefined;
    }
    this.#made++;
    const { boot } = this.#machine;
    const users = this.#users(shown);
    const spec = specFromEvents(shown, users, undefined, this.#plan, boot, this.#kernel);
    if (spec === undefined) {
      this.#notes.push(`${shown} has objects whose size no event tells: they were left out`);
      return undefined;
    }
    if (!this.#plan.isPreset)
      this.#notes.push(`${shown} is not in the list of caches; it was reconstructed from its events`);
    return this.#adopt(spec, spec.layout);
  }
}

/** Whether a cache is another one with this change. */
function remakes({ size, addFlags, removeFlags }: CacheChange): boolean {
  return size !== undefined || addFlags !== undefined || removeFlags !== undefined;
}

/** What the machine is made with. */
function optionsOf({ kernel, options }: MachinePlan, whatIf: WhatIf): MachineOptions {
  const allocator = whatIf.allocator ?? options.allocator ?? 'slub';
  const isOther = allocator !== kernel.allocator;
  let profile = isOther ? kernelWith(lookUp('kernel', kernel.name, KERNELS), allocator) : kernel;
  if (whatIf.pageSize !== undefined) profile = withPageSize(profile, whatIf.pageSize);
  const given = {
    slubMinOrder: 0,
    slubMaxOrder: 0,
    slubMinObjects: 0,
    slubNomerge: 0,
    slubDebug: 0,
    cpus: 0,
  };
  const changed = Object.fromEntries(
    Object.entries(whatIf).filter(([key, value]) => key in given && value !== undefined),
  );
  const { sheaves } = whatIf;
  if (sheaves === 'usual') profile = { ...profile, sheaves: true };
  return {
    ...options,
    kernel: profile,
    allocator,
    ...changed,
    ...(typeof sheaves === 'number' && { sheafCapacity: sheaves }),
    // What lies in a sheaf must not look live to whoever counts at the end.
    ...(sheaves !== undefined && { liveCheck: true }),
  };
}
