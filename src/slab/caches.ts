/**
 * The caches of a machine: rows of its ledger, each behind the one object that all its creations share, and the names that lead to them.
 */
import {
  C_SHEAF_CAPACITY,
  CACHE_WORDS,
  GFP,
  type Ledger,
  type ManagedBytes,
  type PhysicalMemory,
} from '../machine/index.js';
import type { PlainKmalloc, SheafSlub } from './barn/index.js';
import {
  addCache,
  type CacheRow,
  type CacheView,
  cacheIds,
  cacheName,
  linkCache,
  type MachineBoot,
  plainView,
  removeCache,
  unlinkCache,
} from './cache/index.js';
import { addSheaves } from './cache-sheaves.js';
import type { Constructors } from './constructors.js';
import type { KernelProfile } from './kernel/index.js';
import { type CacheHome, KmemCache } from './kmem-cache.js';
import type { SheafDefaults } from './machine-options.js';
import type { SheafAllocator } from './sheaf/index.js';
import type { Slab } from './slab/index.js';
import type { Slub } from './slub/index.js';
import { type TypedViews, typedViews } from './typed-view.js';
import { whileInTable } from './workers/index.js';

/** What of a machine its caches are made with and work on. */
interface CachesOptions {
  readonly memory: PhysicalMemory;
  readonly kernel: KernelProfile;
  readonly boot: MachineBoot;
  readonly faithful: boolean;
  readonly bytes: ManagedBytes | undefined;
  readonly allocator: Slub | Slab | SheafSlub;
  /** The same allocator where the machine has the library's sheaves, or barns. */
  readonly sheaves: SheafAllocator | undefined;
  readonly barns: SheafSlub | undefined;
  /** Makes the caches of kmalloc, if there are none yet: sheaves come from there. */
  readonly bootKmalloc: () => void;
  readonly sheafDefaults: SheafDefaults;
  readonly constructors: Constructors;
  /** Whether stacks are noted: then all calls go through `allocator`. */
  readonly noted: boolean;
}

export class Caches implements CacheHome {
  readonly memory: PhysicalMemory;
  readonly ledger: Ledger;
  readonly kernel: KernelProfile;
  readonly boot: MachineBoot;
  readonly faithful: boolean;
  readonly allocator: Slub | Slab | SheafSlub;
  readonly constructors: Constructors;
  readonly #bytes: ManagedBytes | undefined;
  readonly #sheaves: SheafAllocator | undefined;
  readonly #barns: SheafSlub | undefined;
  readonly #bootKmalloc: () => void;
  readonly #sheafDefaults: SheafDefaults;
  readonly #noted: boolean;
  /** The plain caches of kmalloc, once there are any. */
  plainKmalloc: PlainKmalloc = [];
  readonly #handles = new Map<number, KmemCache>();
  #typedViews: TypedViews | undefined;

  constructor(options: CachesOptions) {
    this.memory = options.memory;
    this.ledger = options.memory.ledger;
    this.kernel = options.kernel;
    this.boot = options.boot;
    this.faithful = options.faithful;
    this.allocator = options.allocator;
    this.constructors = options.constructors;
    this.#bytes = options.bytes;
    this.#sheaves = options.sheaves;
    this.#barns = options.barns;
    this.#bootKmalloc = options.bootKmalloc;
    this.#sheafDefaults = options.sheafDefaults;
    this.#noted = options.noted;
  }

  get ownCpu(): number {
    return this.memory.locks.cpu;
  }

  get hasBarns(): boolean {
    return this.#barns !== undefined;
  }

  get hasSheaves(): boolean {
    return this.#sheaves !== undefined;
  }

  viewOf(id: number, cpu = this.ownCpu): CacheView {
    // A view of its own would pass by the stacks.
    const own = this.#noted ? undefined : this.#sheaves?.view(id, cpu);
    return own ?? plainView(this.allocator, this.ledger, id, cpu);
  }

  typedViews(): TypedViews {
    this.#typedViews ??= typedViews(this.#bytes);
    return this.#typedViews;
  }

  /** The cache of a row. Throws DetachedError where this thread is no CPU any more. */
  of(id: number): KmemCache {
    let handle = this.#handles.get(id);
    // Another thread may have destroyed the cache of that row and made this one.
    if (handle?.id !== id) {
      // A thread that is no CPU has no line of it.
      this.memory.locks.check();
      handle = new KmemCache(id, this);
      this.#handles.set(id, handle);
    }
    return handle;
  }

  /** All of them, oldest first. */
  all(): KmemCache[] {
    return cacheIds(this.ledger).map((id) => this.of(id));
  }

  /** The newest of a name. */
  find(name: string): KmemCache | undefined {
    this.memory.locks.check();
    const id = cacheIds(this.ledger).findLast((candidate) => cacheName(this.ledger, candidate) === name);
    return id === undefined ? undefined : this.of(id);
  }

  /** Adds a cache as it is described; `isMade`: it is made now, and so are its sheaves. Throws LedgerFullError. */
  adopt(row: CacheRow, isMade = true): KmemCache {
    return whileInTable(this.memory, () => {
      const opens = isMade && this.#barns !== undefined && (row.sheafCapacity ?? 0) > 0;
      if (opens) this.#bootKmalloc();
      const id = addCache(this.ledger, row, (added) => this.addSheaves(added, row));
      // The row may have belonged to a cache that was destroyed.
      this.#handles.delete(id);
      this.constructors.forget(id);
      const cache = this.of(id);
      this.link(row.name, cache);
      if (opens) this.#openNew(id, row.name);
      return cache;
    });
  }

  /** A cache that is made gets its barn; where the ledger has no room for that, the cache is gone again. Throws LedgerFullError. */
  #openNew(id: number, name: string): void {
    try {
      this.openBarn(id);
    } catch (error) {
      this.of(id).close();
      this.#handles.delete(id);
      removeCache(this.ledger, id);
      unlinkCache(this.ledger, name);
      throw error;
    }
  }

  /** A new row gets its sheaves, where the machine has any. Throws LedgerFullError. */
  addSheaves(id: number, row: CacheRow): void {
    if (this.#sheaves !== undefined) addSheaves(this.#sheaves, this.#sheafDefaults, id, row);
  }

  /** The plain caches of kmalloc, which are made where there are none yet. */
  plain(): PlainKmalloc {
    if (this.plainKmalloc.length === 0) this.#bootKmalloc();
    return this.plainKmalloc;
  }

  /** A cache gets its barn, and every CPU its main sheaf, where the machine has such. Throws LedgerFullError. */
  openBarn(id: number, capacity = this.ledger.cache[id * CACHE_WORDS + C_SHEAF_CAPACITY]!): void {
    this.#barns?.open(id, capacity, GFP.KERNEL, Math.max(this.ownCpu, 0));
  }

  /** In /sys/kernel/slab, which only SLUB has, the name is the cache's directory, or a link to it. */
  link(name: string, { sysfsId }: KmemCache): void {
    if (this.boot.allocator === 'slab') return;
    if (sysfsId === name) return unlinkCache(this.ledger, name);
    const link = { name, target: sysfsId };
    linkCache(this.ledger, link, (target) => this.all().some((cache) => cache.sysfsId === target));
  }

  /** This thread is no CPU any more: fast paths ask nobody whether they may. */
  close(): void {
    for (const handle of this.#handles.values()) handle.close();
    this.#handles.clear();
  }
}
