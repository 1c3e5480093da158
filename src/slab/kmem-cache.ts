import {
  ArgumentError,
  BadFreeError,
  type Gfp,
  LiveObjectsError,
  NULL,
  type PhysAddr,
} from '../base/index.js';
import {
  C_BORN,
  C_CPU_PARTIAL,
  C_CPU_PARTIAL_SLABS,
  C_EXTRA_FROM_NODE,
  C_KERNEL_OWNED,
  C_MIN_PARTIAL,
  C_REFCOUNT,
  C_STATE,
  CACHE_ALIVE,
  CACHE_WORDS,
  checkCpu,
  GFP,
  type Ledger,
} from '../machine/index.js';
import { type CacheSheaves, cacheSheaves, type SheafSlub } from './barn/index.js';
import {
  type BootParameters,
  type CacheInfo,
  type CacheView,
  cacheName,
  cpuPartialSlabsOf,
  isCache,
  isMergeable,
  leakCache,
  readCache,
  removeCache,
  type SlabTunables,
  sysfsId,
} from './cache/index.js';
import { type KernelProfile, SLAB_DEBUG_FLAGS } from './kernel/index.js';
import type { Slab } from './slab/index.js';
import type { Slub } from './slub/index.js';
import { type Cursor, createCursor, type Fields, type StructLayout, type TypedViews } from './typed-view.js';

/** What the caches of one machine share. */
export interface CacheHome {
  readonly allocator: Slub | Slab | SheafSlub;
  readonly ledger: Ledger;
  readonly boot: BootParameters;
  readonly kernel: KernelProfile;
  readonly faithful: boolean;
  /** The CPU that this thread is; -1 for none. */
  readonly ownCpu: number;
  /** A cache as one CPU sees it: the own one unless told. */
  viewOf(id: number, cpu?: number): CacheView;
  /** The memory as typed arrays. Throws ArgumentError unless it was attached as one array. */
  typedViews(): TypedViews;
}

/**
 * A kmem cache. Creations that merged hold the same object.
 *
 *     const cache = machine.kmemCacheCreate('inode', 600, { flags: SLAB.RECLAIM_ACCOUNT })!;
 *     const inode = cache.alloc();          // NULL (0) if there is no memory
 *     cache.free(inode);
 */
export class KmemCache {
  readonly #views: CacheView[] = [];
  readonly #home: CacheHome;
  #id: number;
  /** How many caches were made before it: the row may come to be another's. */
  readonly #born: number;
  readonly #shared: boolean;
  readonly #allocator: Slub | Slab | SheafSlub;
  readonly #ledger: Ledger;
  readonly #boot: BootParameters;
  readonly #kernel: KernelProfile;
  readonly #faithful: boolean;
  readonly #ownCpu: number;
  #deferred: PhysAddr[] = [];

  /** @internal A machine makes caches: `kmemCacheCreate`. */
  constructor(id: number, home: CacheHome) {
    const { allocator, ledger, boot, kernel, faithful, ownCpu } = home;
    this.#id = id;
    this.#home = home;
    this.#born = ledger.cache[id * CACHE_WORDS + C_BORN]!;
    this.#shared = !(ledger.buffer instanceof ArrayBuffer);
    this.#allocator = allocator;
    this.#ledger = ledger;
    this.#boot = boot;
    this.#kernel = kernel;
    this.#faithful = faithful;
    this.#ownCpu = ownCpu;
    // Of a model's hundreds of caches each is used a little: their functions are shared. A program uses few, and each has its own.
    if (!kernel.sheaves && ledger.shape.sheafEntries === 0) return;
    const { alloc, free } = this.cpu();
    this.alloc = alloc;
    this.free = free;
  }

  /** The row in the ledger's table of caches; 0, the row of no cache, once it is destroyed, by whichever thread. */
  get id(): number {
    if (this.#shared && this.#id !== 0 && !isCache(this.#ledger, this.#id, this.#born)) this.close();
    return this.#id;
  }

  get name(): string {
    return cacheName(this.#ledger, this.id);
  }

  /** Everything that the ledger knows of it, copied now. */
  get info(): CacheInfo {
    return readCache(this.#ledger, this.id);
  }

  /** The directory in /sys/kernel/slab: `:D-0001024` for a mergeable cache, its own name for any other. */
  get sysfsId(): string {
    const { name, flags, size } = this.info;
    const mergeable = isMergeable(this.#ledger, this.#kernel, this.id);
    return sysfsId({ name, flags, size, mergeable }, this.#boot);
  }

  /** Objects handed out and not freed. Looks at every slab. */
  get live(): number {
    return this.#allocator.live(this.id);
  }

  /**
   * One object for a CPU, or NULL. `cpu` is the machine's own unless told. Throws ArgumentError for a CPU that the machine lacks or a cache
   * that was destroyed. On a library's machine it needs no `this`: `const { alloc, free } = cache`.
   */
  alloc(gfp: Gfp = GFP.KERNEL, cpu = this.#ownCpu): PhysAddr {
    return this.#allocator.alloc(this.id, gfp, cpu);
  }

  /**
   * Throws BadFreeError for what is not an object of this cache, or not live; then nothing changed. In front of sheaves a second free is
   * noticed at once only with `liveCheck` (sheaf.ts). On a library's machine it needs no `this`.
   */
  free(address: PhysAddr, cpu = this.#ownCpu): void {
    this.#allocator.free(this.id, address, cpu);
  }

  /**
   * `alloc` and `free` of one CPU, for who plays several: `const { alloc, free } = cache.cpu(2)`. The machine's own unless told. Throws
   * ArgumentError for a CPU that the machine lacks.
   */
  cpu(cpu?: number): Pick<CacheView, 'alloc' | 'free'> {
    if (cpu !== undefined) checkCpu(this.#ledger, cpu);
    const view = this.#home.viewOf(this.id, cpu);
    this.#views.push(view);
    return view;
  }

  /**
   * A cursor that reads and writes the fields of this cache's objects (typed-view.ts). Throws ArgumentError for a struct that is larger
   * than an object or needs a stricter alignment, and on a machine without one array of bytes.
   */
  cursor<F extends Fields>(layout: StructLayout<F>): Cursor<F> {
    const { objectSize, size, name } = this.info;
    if (layout.size > objectSize || size % layout.align !== 0) {
      throw new ArgumentError(
        `${name}: objects of ${objectSize} bytes, ${size} apart, do not hold a struct of ${layout.size} bytes aligned to ${layout.align}`,
      );
    }
    return createCursor(this.#home.typedViews(), layout);
  }

  /** `using cache = …`: the same as `destroy`. */
  [Symbol.dispose](): void {
    this.destroy();
  }

  /**
   * kfree_rcu: frees an object once no reader can hold it any more. In a cache with sheaves of Linux 7.0 and later it goes into the CPU's
   * rcu_free sheaf, and throws BadFreeError for what `free` refuses; a full one comes back when a grace period ends. Else it is freed when
   * `rcuBarrier` is called.
   */
  freeRcu(address: PhysAddr, cpu = this.#ownCpu): void {
    const { freeRcu } = this.#allocator as Partial<SheafSlub>;
    if (!freeRcu?.(this.id, address, cpu)) this.#deferred.push(address);
  }

  /** A grace period ends: what was handed over to wait for it comes back. On a machine without sheaves of 7.0 it is `rcuBarrier`. */
  synchronizeRcu(cpu = this.#ownCpu): void {
    (this.#allocator as Partial<SheafSlub>).endGracePeriod?.(this.id, cpu);
    this.#freeDeferred(cpu);
  }

  /**
   * All frees that were put off are made. Throws BadFreeError for those that are refused, when all others are made: a refused one is not
   * tried again. Whatever else ends it leaves in the queue what was not freed.
   */
  rcuBarrier(cpu = this.#ownCpu): void {
    const { flushRcu } = this.#allocator as Partial<SheafSlub>;
    for (let each = 0; flushRcu !== undefined && each < this.#ledger.shape.cpus; each++)
      flushRcu(this.id, each);
    this.synchronizeRcu(cpu);
  }

  #freeDeferred(cpu: number): void {
    const refused: BadFreeError[] = [];
    let done = 0;
    try {
      for (; done < this.#deferred.length; done++) {
        try {
          this.free(this.#deferred[done]!, cpu);
        } catch (error) {
          if (!(error instanceof BadFreeError)) throw error;
          refused.push(error);
        }
      }
    } finally {
      this.#deferred.splice(0, done);
    }
    const [first, ...others] = refused;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const message = [first, ...others].map((error) => error.message).join('\n');
    throw new BadFreeError(first.address, first.reason, message, first.cache, first);
  }

  /** `count` objects, or none: an empty array if memory ran out on the way. */
  allocBulk(count: number, gfp: Gfp = GFP.KERNEL, cpu = this.#ownCpu): PhysAddr[] {
    if (!Number.isInteger(count) || count < 0)
      throw new ArgumentError(`a bulk is a whole number of objects, not ${count}`);
    const { allocBulk } = this.#allocator as Partial<SheafSlub>;
    if (allocBulk !== undefined) return allocBulk(this.id, count, gfp, cpu);
    const objects: PhysAddr[] = [];
    try {
      while (objects.length < count) {
        const address = this.#allocator.alloc(this.id, gfp, cpu);
        if (address === NULL) break;
        objects.push(address);
      }
    } finally {
      // Whatever ended it, the caller gets all or none.
      if (objects.length < count) this.#allocator.freeBulk(this.id, objects.splice(0), cpu);
    }
    return objects;
  }

  /** Frees all of them, or throws BadFreeError and frees none. */
  freeBulk(addresses: readonly PhysAddr[], cpu = this.#ownCpu): void {
    this.#allocator.freeBulk(this.id, [...addresses], cpu);
  }

  /**
   * `cpu_partial`: how many objects a CPU may keep in partial slabs; the limit that counts is in slabs. All CPUs give up their slabs, in
   * the order of `cpus`: the kernel's works run in no fixed order. Throws ArgumentError for a debugged cache that should keep some.
   */
  setCpuPartial(objects: number, cpus: readonly number[] = [...Array(this.#ledger.shape.cpus).keys()]): void {
    if (this.#allocator.kind === 'slab')
      throw new ArgumentError(`${this.name}: SLAB has no cpu_partial, but a limit: see setTunables`);
    if (!this.#kernel.has.cpuSlabs)
      throw new ArgumentError(
        `Linux ${this.#kernel.name} has no cpu_partial: since 7.0 CPUs keep sheaves of objects instead of slabs (sheaf_capacity)`,
      );
    if (!Number.isInteger(objects) || objects < 0 || objects > 0xffffffff) {
      throw new ArgumentError(`cpu_partial is a whole number below 2^32, not ${objects}`);
    }
    const { flags, oo } = this.info;
    if (objects !== 0 && flags & SLAB_DEBUG_FLAGS) {
      throw new ArgumentError(`${this.name} is debugged: its CPUs keep no slabs`);
    }
    for (const cpu of cpus) checkCpu(this.#ledger, cpu);
    const c = this.id * CACHE_WORDS;
    const { cache } = this.#ledger;
    const slabs = cpuPartialSlabsOf(objects, oo.objects);
    cache[c + C_CPU_PARTIAL] = objects;
    cache[c + C_CPU_PARTIAL_SLABS] = slabs;
    cache[c + C_EXTRA_FROM_NODE] = this.#kernel.extraFromNode(slabs);
    for (const cpu of cpus) this.#allocator.flushCpu(this.id, cpu);
  }

  /** `min_partial`: how many partial slabs the node keeps even when they are empty. */
  setMinPartial(slabs: number): void {
    if (this.#allocator.kind === 'slab')
      throw new ArgumentError(`${this.name}: SLAB has no min_partial, but a limit for free objects`);
    if (!Number.isInteger(slabs) || slabs < 0 || slabs > 0xffffffff) {
      throw new ArgumentError(`min_partial is a whole number below 2^32, not ${slabs}`);
    }
    // More partial slabs than a ledger can count are as good as any number.
    this.#ledger.cache[this.id * CACHE_WORDS + C_MIN_PARTIAL] = Math.min(slabs, 0x7fffffff);
  }

  /**
   * SLAB's tunables, as a write to /proc/slabinfo sets them: how many objects a CPU's array holds, how many are moved at a time, and how
   * many such batches the array of all CPUs holds. New arrays take the place of the old ones, whose objects go back to their slabs: first
   * the CPUs', then, with the new limit for free objects, the shared ones. Throws ArgumentError for numbers that make no arrays (the kernel
   * takes such a write and does nothing) and with SLUB, which has no tunables; LedgerFullError where the ledger has no room for them.
   */
  setTunables(tunables: SlabTunables): void {
    if (this.#allocator.kind === 'slub') throw new ArgumentError(`${this.name}: SLUB has no tunables: -EIO`);
    if (this.#ledger.cache[this.id * CACHE_WORDS + C_STATE] !== CACHE_ALIVE)
      throw new ArgumentError('this cache was destroyed before');
    const { limit, batchcount, sharedFactor } = tunables;
    const good = [limit, batchcount, sharedFactor].every((n) => Number.isInteger(n) && n <= 0x7fffffff);
    if (!good || limit < 1 || batchcount < 1 || batchcount > limit || sharedFactor < 0) {
      throw new ArgumentError(
        `${this.name}: a limit from 1, a batchcount from 1 to the limit and a shared factor from 0 make arrays, ` +
          `not ${limit}, ${batchcount} and ${sharedFactor}`,
      );
    }
    this.#allocator.setTunables(this.id, tunables);
  }

  /** This CPU gives up the slabs and sheaves that it keeps of the cache, as it has to before another thread can destroy it. */
  flush(): void {
    this.#allocator.flushCpu(this.id, this.#ownCpu);
  }

  /** The sheaves of Linux 7.0 and later, for who uses them directly. Throws ArgumentError on a machine without them. */
  get sheaves(): CacheSheaves {
    return cacheSheaves(this.#allocator as Partial<SheafSlub>, this.name, this.id, this.#ownCpu);
  }

  /** This thread is no CPU any more: this handle and the views that it gave away reach nothing. */
  close(): void {
    this.#id = 0;
    for (const view of this.#views.splice(0)) view.close();
  }

  /** Gives empty slabs back to the page allocator. Returns true if slabs are left. Other threads keep theirs: see `flush`. */
  shrink(): boolean {
    return this.#allocator.shrink(this.id);
  }

  /**
   * Gives up one creation's share; the last one takes the cache away. Throws LiveObjectsError while objects of it are live, and nothing
   * changes. In the faithful mode they are reported instead, as the kernel does, and the cache is leaked. Throws ArgumentError while
   * another thread keeps slabs of it.
   */
  destroy(): void {
    this.#allocator.whileUnkept(this.id, () => this.#destroy());
  }

  #destroy(): void {
    const c = this.id * CACHE_WORDS;
    const { cache } = this.#ledger;
    if (cache[c + C_STATE] !== CACHE_ALIVE || cache[c + C_REFCOUNT] === 0)
      throw new ArgumentError('this cache was destroyed before');
    // A creation may have merged with a cache of kmalloc's: it gives up its own share.
    if (cache[c + C_REFCOUNT]! > 1) {
      cache[c + C_REFCOUNT]!--;
      return;
    }
    if (cache[c + C_KERNEL_OWNED] !== 0) {
      throw new ArgumentError(`${this.name} belongs to the kernel and cannot be destroyed`);
    }
    if (this.#kernel.debug.destroyWaitsForRcu) this.rcuBarrier();
    const live = this.live;
    if (live > 0 && !this.#faithful) throw new LiveObjectsError(this.name, live);
    if (this.#faithful) {
      for (let cpu = 0; cpu < this.#ledger.shape.cpus; cpu++) this.#allocator.flushCpu(this.id, cpu);
      this.#allocator.debug.reportRemaining(this.id);
    }
    const left = this.#allocator.shrink(this.id);
    if (left && this.#faithful) return this.#leak();
    // What is left has no live object: a debug check had given it up.
    if (left) this.#allocator.debug.dropLost(this.id);
    (this.#allocator as Partial<SheafSlub>).close?.(this.id, this.#ownCpu);
    removeCache(this.#ledger, this.id);
    // Another cache may get the row: this handle must not reach it, nor must the views that it gave away.
    this.close();
  }

  /** A destroy that found objects: they are reported, and the cache stays, with or without its name. Nobody can use it again. */
  #leak(): void {
    const { debug } = this.#kernel;
    this.#ledger.cache[this.id * CACHE_WORDS + C_REFCOUNT] = 0;
    this.#allocator.debug.reportLeak(this.id);
    if (debug.destroyUnlinks) leakCache(this.#ledger, this.id);
  }

  /**
   * Writes 1 to sysfs' `validate`: looks at every slab that a list holds, reports what is wrong into the machine's log and repairs it as
   * the kernel does. Returns how many slabs that were. Throws ArgumentError (-EINVAL) for a cache that is not debugged.
   */
  validate(): number {
    if (!(this.info.flags & SLAB_DEBUG_FLAGS))
      throw new ArgumentError(`${this.name} is not debugged: -EINVAL`);
    return this.#allocator.debug.validate(this.id);
  }
}
