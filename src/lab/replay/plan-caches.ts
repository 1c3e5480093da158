/**
 * The caches of a replay's machine: as they were recorded, by the kernel's rules where a what-if makes them others, and parted where they
 * cannot be shared any more (steps 1 to 3 of build.ts).
 */
import { ArgumentError, isPowerOfTwo, nearestNames, UnknownNameError } from '../../base/index.js';
import { KMALLOC_TYPES, kmallocTypeIn } from '../../machine/index.js';
import { type KernelProfile, type KmemCache, type Machine, SLAB, withBootDebug } from '../../slab/index.js';
import { CLASS_KIND, type ClassCache, cacheOfSite, type TraceClass } from '../../trace/index.js';
import { type CacheSpec, IN_THE_DISTANCE, layoutOf, type MachinePlan } from '../evidence/index.js';
import type { CacheChange, WhatIf } from '../what-if/index.js';

/** A cache of the replay's machine. */
export interface ReplayCache {
  readonly spec: CacheSpec;
  readonly cache: KmemCache;
}

interface NamedChange {
  readonly name: string;
  readonly change: CacheChange;
}

interface PlanCachesOptions {
  readonly plan: MachinePlan;
  readonly whatIf: WhatIf;
  readonly classes: readonly TraceClass[];
  readonly names: readonly ClassCache[];
  /** What the plan says of caches, by any name. */
  readonly specs: ReadonlyMap<string, CacheSpec>;
  /** Without any cache of the plan. */
  readonly machine: Machine;
}

export class PlanCaches {
  readonly machine: Machine;
  readonly kernel: KernelProfile;
  readonly specs: ReadonlyMap<string, CacheSpec>;
  /** In the order of their creation. */
  readonly list: ReplayCache[] = [];
  /** By any name of a spec; what was parted has its own names only. */
  readonly byName = new Map<string, ReplayCache>();
  /** What a person should know of them: one sentence each. */
  readonly notes: string[] = [];
  /** Whether the classes of sizes of kmalloc may be others. */
  readonly resized: boolean;
  /** Whether layouts must be made anew. */
  readonly #relayout: boolean;
  readonly #plan: MachinePlan;
  readonly #whatIf: WhatIf;
  readonly #classes: readonly TraceClass[];
  readonly #names: readonly ClassCache[];

  constructor({ plan, whatIf, classes, names, specs, machine }: PlanCachesOptions) {
    this.#plan = plan;
    this.#whatIf = whatIf;
    this.#classes = classes;
    this.#names = names;
    this.specs = specs;
    this.machine = machine;
    this.kernel = machine.kernel;
    const { allocator, pageSize, cpus, slubDebug, slubMinOrder, slubMaxOrder, slubMinObjects } = whatIf;
    this.resized =
      (allocator ?? plan.options.allocator) !== plan.options.allocator ||
      (pageSize ?? plan.kernel.pageSize) !== plan.kernel.pageSize;
    this.#relayout =
      this.resized ||
      [cpus, slubDebug, slubMinOrder, slubMaxOrder, slubMinObjects].some((set) => set !== undefined);
  }

  /** Adds those of the plan that no change makes others. */
  adoptUnchanged(changes: readonly NamedChange[]): void {
    const specs = this.resized ? this.#resizedKmalloc() : this.#plan.caches;
    for (const spec of specs.flatMap((each) => this.#parted(each))) {
      const change = changes.find(({ name }) => spec.name === name || spec.names.includes(name));
      if (change !== undefined && remakes(change.change)) continue;
      this.adopt(spec, this.#layoutNow(spec));
    }
  }

  // ---- which caches ------------------------------------------------------------------------------------------------------

  /** The plan's caches with the sizes of kmalloc that this kernel has, for each type that there was, created as it creates them. */
  #resizedKmalloc(): CacheSpec[] {
    const { kmallocSizes, kmallocFlags, minAlign, kmallocAlignsToDivisor } = this.kernel;
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
  changes(): NamedChange[] {
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
    const spec = this.specs.get(name);
    if (spec !== undefined) return spec;
    const known = [...this.specs.keys()];
    throw new UnknownNameError('cache of the recorded machine', name, known, nearestNames(name, known));
  }

  /** A cache that several share, as as many caches where they cannot share it any more. */
  #parted(spec: CacheSpec): CacheSpec[] {
    if (spec.names.length < 2) return [spec];
    const { boot } = this.machine;
    const debugged = withBootDebug(spec.flags, boot.debug, spec.names[0]) & this.kernel.neverMerge;
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
      this.notes.push(
        `${allocs} objects of ${spec.names.join(', ')}, which share a cache, could not be told apart ` +
          `(${sample.site}, …) and count as ${first}`,
      );
    }
  }

  // ---- making them -------------------------------------------------------------------------------------------------------

  /** What lies as far apart as a cache's objects do; under the other allocator, which adds other things, what was asked for. */
  #byDistance(spec: CacheSpec): CacheSpec {
    const isOther = this.machine.boot.allocator !== this.#plan.kernel.allocator;
    const objectSize = isOther ? spec.objectSize : spec.layout.size;
    return { ...spec, objectSize, align: 0, ctor: false, flags: spec.flags & ~IN_THE_DISTANCE };
  }

  #layoutNow(spec: CacheSpec): CacheSpec['layout'] {
    if (!this.#relayout) return spec.layout;
    // The other allocator cannot have it.
    const fits = (spec.layout.slab !== undefined) === this.kernel.has.cpuArrays;
    const isByDistance = !spec.derivable && (spec.source === 'events' || this.resized);
    if (!spec.derivable && !isByDistance) {
      this.notes.push(
        fits
          ? `${spec.name} keeps its recorded layout: the kernel's rules do not give it`
          : `${spec.name} has the layout of the kernel's rules, which do not give its recorded one`,
      );
      if (fits) return spec.layout;
    }
    const like = isByDistance ? this.#byDistance(spec) : spec;
    const flags = withBootDebug(like.flags, this.machine.boot.debug, spec.names[0]);
    const layout = layoutOf({ ...like, flags }, this.kernel, this.machine.boot);
    if (layout === null) {
      throw new ArgumentError(
        `no slab of order ${this.machine.boot.maxOrder} or less holds an object of ${spec.name}: ${spec.objectSize} bytes`,
      );
    }
    return layout;
  }

  adopt(spec: CacheSpec, layout: CacheSpec['layout']): ReplayCache {
    const plain = /^kmalloc-\d/.test(spec.name);
    const cache = this.machine.adoptCache({
      ...layout,
      name: spec.names[0]!,
      refcount: plain ? this.kernel.plainKmalloc.refcount : spec.names.length,
      useroffset: spec.useroffset,
      usersize: spec.usersize,
      ctor: spec.ctor,
      ...(spec.flags & SLAB.KMALLOC && { kernelOwned: true }),
    });
    return this.#know({ spec: { ...spec, layout }, cache });
  }

  #know(made: ReplayCache): ReplayCache {
    this.list.push(made);
    for (const name of [made.spec.name, ...made.spec.names]) this.byName.set(name, made);
    return made;
  }

  /** A cache with another size or other flags, by the kernel's rules for a new one. */
  remake(name: string, { size, addFlags = 0, removeFlags = 0 }: CacheChange): void {
    const old = this.#specOf(name);
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
    const { permittedFlags, createAdds } = this.kernel;
    const asked = flags & ~createAdds;
    if (old.flags & SLAB.KMALLOC || asked & ~permittedFlags) {
      // No caller could create it, so it can share no cache either.
      this.#noteRemade(old, spec, this.adopt(spec, this.#ruled(spec)).cache);
      return;
    }
    const cache = this.machine.kmemCacheCreate(spec.names[0]!, objectSize, {
      align: old.align,
      flags: asked,
      useroffset: Math.min(old.useroffset, objectSize),
      usersize: Math.min(old.usersize, objectSize - Math.min(old.useroffset, objectSize)),
      ...(old.ctor && { ctor: () => {} }),
    });
    if (cache === null) throw new ArgumentError(`${name}: ${this.machine.log.lines.at(-1)}`);
    const shared = this.list.find((made) => made.cache.id === cache.id);
    if (shared === undefined) {
      this.#know({ spec: { ...spec, layout: cache.info }, cache });
      this.#noteRemade(old, spec, cache);
      return;
    }
    for (const each of [spec.name, ...spec.names]) this.byName.set(each, shared);
    this.notes.push(`${name} of ${objectSize} bytes now shares ${shared.spec.name}`);
  }

  #ruled(spec: CacheSpec): CacheSpec['layout'] {
    const layout = layoutOf(spec, this.kernel, this.machine.boot);
    if (layout === null)
      throw new ArgumentError(`no slab holds an object of ${spec.name}: ${spec.objectSize} bytes`);
    return layout;
  }

  #noteRemade(old: CacheSpec, spec: CacheSpec, { info }: KmemCache): void {
    const others = old.names.filter((name) => !spec.names.includes(name));
    const alone = others.length > 0 ? ` and no longer shares a cache with ${others.join(', ')}` : '';
    const before = `${old.layout.size} bytes, ${old.layout.oo.objects} in a slab of order ${old.layout.oo.order}`;
    this.notes.push(
      `${spec.name} takes ${info.size} bytes, ${info.oo.objects} in a slab of order ${info.oo.order} (recorded: ${before})${alone}`,
    );
  }

  /** The cache of a name of the plan; of one that was parted the one that the frees name. */
  find(name: string): ReplayCache | undefined {
    return this.byName.get(name) ?? this.byName.get(this.specs.get(name)?.names[0] ?? '');
  }
}

/** Whether a cache is another one with this change. */
export function remakes({ size, addFlags, removeFlags }: CacheChange): boolean {
  return size !== undefined || addFlags !== undefined || removeFlags !== undefined;
}
