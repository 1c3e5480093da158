/**
 * # A machine: memory, CPUs, and the caches of its kernel
 *
 *     const machine = Machine.create({ machine: 'mt8173', cpus: 4 });
 *     const tables = machine.kmemCacheCreate('tables', 1024, { align: 1024, flags: SLAB.CACHE_DMA32 })!;
 *     const table = tables.alloc(GFP.ATOMIC);
 *     machine.validate();
 *
 * All of its state lies in `machine.ledger`; `Machine.open(copyOfTheBuffer)` is the same machine, and goes on from there.
 */
import {
  ArgumentError,
  type Gfp,
  KernelPanicError,
  KernelWouldCrashError,
  LedgerCorruptError,
  lookUp,
  type Order,
  type Pfn,
  type PhysAddr,
} from '../base/index.js';
import {
  C_BORN,
  C_CTOR,
  CACHE_WORDS,
  CPU_RESERVED,
  type CpuStatus,
  type CpuToken,
  checkReserved,
  checkToken,
  cpusTaken,
  createPhysicalMemory,
  type DetachOutcome,
  GFP,
  type KernelLog,
  type Ledger,
  LINK_LIVE,
  ledgerExtra,
  type ManagedBytes,
  openPhysicalMemory,
  type PhysicalMemory,
  takeCpu,
  type ZoneName,
  type ZoneView,
} from '../machine/index.js';
import {
  type AllocatorOptions,
  addCache,
  arrayEntries,
  type CacheLink,
  type CacheReports,
  type CacheRow,
  type Caller,
  cacheIds,
  cacheLayout,
  cacheLinks,
  cacheName,
  findMergeable,
  joinCache,
  linkCache,
  type MachineBoot,
  machineReports,
  plainView,
  unlinkCache,
  withBootDebug,
} from './cache/index.js';
import { checkMachine } from './check/index.js';
import { freeptrFits, refuseNonsense, usercopyRegion } from './create-checks.js';
import { type KernelProfile, LIBRARY, SLAB, SLAB_DEBUG_FLAGS } from './kernel/index.js';
import { addKmallocCaches, createKmalloc, type Kmalloc, kmallocNames } from './kmalloc/index.js';
import { KmemCache } from './kmem-cache.js';
import { eachLive, type MachineReport, machineReport, type Stacks, withStacks } from './leaks/index.js';
import {
  ALLOCATORS,
  type BootRecord,
  bootParameters,
  type CacheOptions,
  fingerprint,
  kernelFor,
  type MachineOptions,
  type OpenOptions,
  PROFILES,
  type SheafDefaults,
  sheafDefaults,
  USUAL_TUNABLES,
  withDebug,
} from './machine-options.js';
import {
  checkCapacity,
  createSheaves,
  isInSheaf,
  type SheafAllocator,
  type SheafOptions,
  sheafEntries,
  usualSheafCapacity,
} from './sheaf/index.js';
import { advanceClock, clockOf, createSlab, type Slab } from './slab/index.js';
import { createSlub, type Slub } from './slub/index.js';
import { addStandingCaches } from './standing.js';
import { type TypedViews, typedViews } from './typed-view.js';
import {
  adoptMemory,
  attachedBytes,
  bufferBytes,
  claimCpu,
  detachCpus,
  detachSelf,
  isBuffer,
  type MachineHandle,
  type ManagedBuffer,
  machineHandle,
  memoryOf,
  whileInTable,
} from './workers/index.js';

export type { CacheOptions, MachineOptions, OpenOptions } from './machine-options.js';

const EINVAL = 22;
const E2BIG = 7;
const ENOMEM = 12;

/** A machine: memory in zones, CPUs, and the caches of its kernel. `Machine.create` makes one. */
export class Machine {
  readonly memory: PhysicalMemory;
  /** The kernel's profile, as its allocator has it. */
  readonly kernel: KernelProfile;
  readonly boot: MachineBoot;
  readonly faithful: boolean;
  /** The memory itself, where it was attached. */
  readonly bytes: ManagedBytes | undefined;
  /** Who the following calls come from and when, for caches that track their users. */
  readonly caller: Caller = { site: 'caller', pid: 0, now: 0 };
  readonly #allocator: Slub | Slab;
  /** The same allocator where the machine has sheaves. */
  readonly #sheaves: SheafAllocator | undefined;
  readonly #sheafDefaults: SheafDefaults;
  readonly #stacks: Stacks | undefined;
  readonly #onLeak: MachineOptions['onLeak'];
  /** By row; the row may have come to be another's, who was made after it. */
  readonly #constructors = new Map<number, { born: number; ctor: (address: PhysAddr) => void }>();
  readonly #handles = new Map<number, KmemCache>();
  #kmalloc: Kmalloc | undefined;
  #views: TypedViews | undefined;
  /** The memory itself as it came, where it came as a buffer. */
  #buffer: ManagedBuffer | undefined;
  /** The address of its first byte. */
  #bufferBase = 0;

  private constructor(
    memory: PhysicalMemory,
    kernel: KernelProfile,
    record: BootRecord,
    bytes: ManagedBytes | undefined,
    { stacks, onLeak }: Pick<MachineOptions, 'stacks' | 'onLeak'> = {},
  ) {
    this.memory = memory;
    this.#onLeak = onLeak;
    this.bytes = bytes;
    this.kernel = kernel;
    this.boot = record.boot;
    this.faithful = record.faithful;
    const { cache } = memory.ledger;
    const options: AllocatorOptions = {
      construct: (id, address) => {
        const known = this.#constructors.get(id);
        if (known !== undefined && known.born === cache[id * CACHE_WORDS + C_BORN]) known.ctor(address);
      },
      hasConstructor: (id) => cache[id * CACHE_WORDS + C_CTOR] !== 0,
      reports: this.#reports(),
      profile: kernel,
      faithful: record.faithful,
      bytes,
      caller: this.caller,
      askedFor: () => this.#kmalloc?.asked() ?? 0,
    };
    this.#sheafDefaults = record.sheaves;
    let allocator: Slub | Slab;
    if (record.boot.allocator === 'slab')
      allocator = createSlab(memory, options, () => this.#kmallocCaches());
    else {
      allocator = createSlub(memory, options);
      if (memory.ledger.shape.sheafEntries > 0)
        allocator = this.#sheaves = createSheaves(memory, allocator, bytes);
    }
    const noting = stacks === undefined ? undefined : withStacks(allocator, stacks, this.caller);
    this.#stacks = noting?.stacks;
    this.#allocator = noting?.allocator ?? allocator;
    memory.locks.whenGone = () => this.#close();
  }

  /**
   * Throws UnknownNameError for a board or kernel that does not exist, ArgumentError for numbers that make no machine or an allocator that
   * the kernel lacks.
   */
  static create(given: MachineOptions = {}): Machine {
    const options = withDebug(given);
    const { workers, cpus = workers ?? 4 } = options;
    const profile =
      typeof options.kernel === 'object'
        ? options.kernel
        : lookUp('kernel', options.kernel ?? (workers === undefined ? '6.1' : LIBRARY.name), PROFILES);
    const allocator = lookUp('allocator', options.allocator ?? 'slub', ALLOCATORS);
    const map = memoryOf(options);
    const kernel = kernelFor(profile, allocator, map.dmaAlign);
    const record: BootRecord = {
      kernel: kernel.name,
      fingerprint: fingerprint(profile),
      boot: bootParameters(options, kernel, map, cpus),
      faithful: options.faithful ?? false,
      sheaves: sheafDefaults(options, kernel),
      ...(map.dmaAlign !== undefined && { dmaAlign: map.dmaAlign }),
    };
    const memory = createPhysicalMemory({
      map,
      profile: kernel,
      cpus,
      extra: record,
      ...(options.ledger && { ledger: options.ledger }),
      ...(allocator === 'slub' && options.statistics !== undefined && { statistics: options.statistics }),
      ...(allocator === 'slab' && { arrayEntriesPerCache: arrayEntries(cpus, USUAL_TUNABLES) }),
      ...(record.sheaves.sheafCapacity !== 0 && {
        sheafEntriesPerCache: sheafEntries(cpus, record.sheaves.sheafCapacity),
      }),
      ...(options.shared !== undefined && { shared: options.shared }),
      ...(options.log && { log: options.log }),
    });
    if (options.shared) claimCpu(memory);
    const bytes = attachedBytes(options.bytes, map, kernel.pageSize);
    const machine = new Machine(memory, kernel, record, bytes, options);
    if (isBuffer(options.bytes)) machine.#buffer = options.bytes;
    machine.#bufferBase = map.ram[0]!.start;
    if (options.standing)
      addStandingCaches({
        kernel,
        boot: machine.boot,
        ledger: machine.ledger,
        addKmalloc: () => machine.#kmallocCaches(),
        adopt: (row) => machine.adoptCache(row),
        find: (name) => machine.findCache(name),
        link: (name, cache) => machine.#link(name, cache),
      });
    return machine;
  }

  /**
   * The machine that a ledger describes. What is no data does not travel: constructors (new slabs' objects stay as they are), managed
   * bytes, and a kernel profile of the maker's own, which has to be given again. Throws ArgumentError for another one.
   */
  static open(buffer: ArrayBuffer | SharedArrayBuffer, options: OpenOptions = {}): Machine {
    const memory = openPhysicalMemory(buffer, options.log);
    const record = ledgerExtra(memory.ledger) as BootRecord;
    const kernel = options.kernel ?? lookUp('kernel', record.kernel, PROFILES);
    if (fingerprint(kernel) !== record.fingerprint) {
      throw new ArgumentError(
        `this machine was made with a profile '${record.kernel}' of its own: give the same one as \`kernel\``,
      );
    }
    const there = kernelFor(kernel, record.boot.allocator, record.dmaAlign);
    return new Machine(memory, there, record, options.bytes);
  }

  /**
   * In another thread: the machine that a handle leads to, and this thread as the CPU that was reserved for it, or as any that is absent
   * (attach.ts, docs/workers.md). Throws ReservationError for a reservation that was used or given back, NoCpuError when all are taken,
   * ArgumentError for what is no handle. What is no data does not travel, as with `open`.
   */
  static attach(handle: MachineHandle, options: Omit<OpenOptions, 'bytes'> = {}): Machine {
    const memory = adoptMemory(handle, options.log);
    const record = ledgerExtra(memory.ledger) as BootRecord;
    const kernel = options.kernel ?? lookUp('kernel', record.kernel, PROFILES);
    if (fingerprint(kernel) !== record.fingerprint)
      throw new ArgumentError(
        `this machine was made with a profile '${record.kernel}' of its own: give the same one`,
      );
    const bytes = handle.bytes === null ? undefined : bufferBytes(handle.bytes, handle.base);
    const there = kernelFor(kernel, record.boot.allocator, record.dmaAlign);
    claimCpu(memory, handle.cpu);
    const machine = new Machine(memory, there, record, bytes);
    machine.#buffer = handle.bytes ?? undefined;
    machine.#bufferBase = handle.base;
    return machine;
  }

  /**
   * What to post to a Worker that will attach. From the first time that it is read, slow paths lock what they change (machine/locks.ts).
   * Throws ArgumentError for a machine that is not `shared`, and for one that keeps something beside its ledger: SLAB, the faithful mode.
   */
  get handle(): MachineHandle {
    const { memory, boot, faithful } = this;
    return machineHandle(memory, this.#buffer, this.#bufferBase, boot.allocator, faithful);
  }

  /**
   * The same for the thread for which a CPU was reserved. Throws ReservationError for a token that reserves none (any more).
   */
  handleFor(token: CpuToken): MachineHandle {
    checkReserved(this.ledger, token);
    return { ...this.handle, cpu: { cpu: token.cpu, generation: token.generation } };
  }

  /** Which CPU this thread is; -1 after `detach`. */
  get cpu(): number {
    return this.memory.locks.cpu;
  }

  /**
   * By which this thread is a CPU: what `detachCpu` takes when it has ended. Undefined on a machine that is not `shared`, and when this
   * thread is no CPU any more.
   */
  get attachment(): CpuToken | undefined {
    return this.memory.locks.attachment;
  }

  /**
   * Keeps a CPU for a thread that will come: `handleFor(token)` is what to post to it, `detachCpu(token)` is what to call when it has
   * ended, whether it ever came or not. Throws NoCpuError when all are taken, ArgumentError on a machine that is not `shared`.
   */
  reserveCpu(): CpuToken {
    this.memory.locks.check();
    if (!this.memory.locks.shared)
      throw new ArgumentError('only a machine that was made with `shared: true` has CPUs for other threads');
    return takeCpu(this.ledger, CPU_RESERVED);
  }

  /** All CPUs that are attached, reserved, or left by a thread and not in order yet. */
  attachedCpus(): CpuStatus[] {
    return cpusTaken(this.ledger);
  }

  /**
   * This thread gives back what its CPU kept, and is no CPU any more: each later call that would change something throws DetachedError.
   * Throws LockHeldError; then it still is. Throws ArgumentError on a machine that is not `shared`, where nobody could come instead.
   */
  detach(): void {
    if (this.cpu < 0) return;
    detachSelf(this.memory, this.#slub());
  }

  /** Fast paths ask nobody whether they may. */
  #close(): void {
    for (const handle of this.#handles.values()) handle.close();
    this.#handles.clear();
    this.#kmalloc = undefined;
  }

  /**
   * Threads with these tokens have ended, however, or will not come: what they kept goes back to its caches, what they had locked is put in
   * order and unlocked (attach.ts), and others can be these CPUs. What they had been given stays live (`liveObjects`). A token of a
   * thread that was detached before reaches nobody, whoever is that CPU now. Returns what became of each, in their order. Throws
   * ArgumentError, before anything is changed, for what is no token, and for this thread's own.
   */
  detachCpu(...tokens: readonly CpuToken[]): DetachOutcome[] {
    for (const token of tokens) {
      checkToken(this.ledger, token);
      if (token.cpu === this.cpu && token.generation === this.attachment?.generation)
        throw new ArgumentError(`CPU ${this.cpu} is this thread: it calls detach()`);
    }
    return detachCpus(this.memory, this.#slub(), tokens);
  }

  #slub(): Slub {
    if (this.#allocator.kind === 'slub') return this.#allocator;
    throw new ArgumentError('a machine with SLAB has no other threads');
  }

  /** Every object of a cache that was handed out and not freed. Others must not be at work on it. */
  liveObjects(cache: KmemCache): PhysAddr[] {
    const found: PhysAddr[] = [];
    eachLive(this.memory, [cache.id], (id, address) => {
      if (id === cache.id) found.push(address);
    });
    return found;
  }

  get ledger(): Ledger {
    return this.memory.ledger;
  }

  /** What the kernel would have printed. */
  get log(): KernelLog {
    return this.memory.log;
  }

  /** Milliseconds since the machine was made. Time passes in `advance` alone. */
  get now(): number {
    return clockOf(this.ledger);
  }

  /**
   * Lets so many milliseconds pass. With SLAB the reaper of each CPU takes back what lies unused in arrays and free slabs (slab/reap.ts);
   * SLUB has nothing that time would change.
   */
  advance(milliseconds: number): void {
    const allocator = this.#allocator;
    advanceClock(this.ledger, milliseconds, allocator.kind === 'slab' ? allocator.reap : undefined);
  }

  get cpus(): number {
    return this.memory.ledger.shape.cpus;
  }

  zones(): ZoneView[] {
    return this.memory.zones();
  }

  /** The zone that an address lies in; undefined outside the machine's memory. */
  zoneOf(address: number): ZoneName | undefined {
    const pfn = Math.floor(address / this.kernel.pageSize) as Pfn;
    return this.memory.zoneNames[this.memory.pages.zoneOf(pfn)];
  }

  // ---- pages ---------------------------------------------------------------------------------------------------------------

  /** 2^order page frames, or NO_PFN. */
  allocPages(gfp: Gfp, order: Order): Pfn {
    this.memory.locks.check();
    return this.memory.pages.allocPages(gfp, order);
  }

  freePages(pfn: Pfn, order: Order): void {
    this.memory.locks.check();
    this.memory.pages.freePages(pfn, order);
  }

  // ---- caches --------------------------------------------------------------------------------------------------------------

  /**
   * A new cache, or the standing one that it merges with, or null where the kernel returns NULL: an illegal flag or an object that no
   * slab can hold (with a line in the log). With SLAB.PANIC that is a KernelPanicError. Throws KernelWouldCrashError where a real
   * kernel would not survive or not notice.
   */
  kmemCacheCreate(name: string | null, size: number, options: CacheOptions = {}): KmemCache | null {
    return whileInTable(this.memory, () => this.#create(name, size, options));
  }

  #create(name: string | null, size: number, options: CacheOptions): KmemCache | null {
    const { ctor, align = 0, flags: givenFlags = 0 } = options;
    if (givenFlags & ~this.kernel.permittedFlags) return this.#failCreate(name, givenFlags);
    if (name === null && this.faithful && ctor !== undefined)
      return this.#failCreate(name, givenFlags, ENOMEM);
    refuseNonsense(this, name, size, align, options);
    const flags = givenFlags & this.kernel.createMask;
    const { useroffset, usersize } = usercopyRegion(this.kernel, this.log, options, size);
    const sheaves = this.#sheavesOf(options);
    const request = { name: name!, size, align, flags, ctor: ctor !== undefined, usersize };
    // Who asks for sheaves of its own gets a cache of its own.
    const shared =
      sheaves && Object.keys(sheaves).length > 0
        ? 0
        : findMergeable(this.ledger, this.kernel, this.boot, request);
    if (shared !== 0) {
      this.#link(name!, this.#handle(shared));
      joinCache(this.ledger, this.kernel, shared, size);
      return this.#handle(shared);
    }
    if (name === null) return this.#failCreate(name, givenFlags, ENOMEM);
    if (!freeptrFits(this.kernel, size, options)) return this.#failCreate(name, givenFlags);
    const layout = cacheLayout(this.kernel, this.boot, {
      ...request,
      flags: withBootDebug(flags, this.boot.debug, name!),
      freeptrOffset: options.freeptrOffset,
    });
    if (layout === null)
      return this.#failCreate(name, givenFlags, this.boot.allocator === 'slab' ? E2BIG : EINVAL);
    if (!this.faithful && layout.size < size)
      throw new KernelWouldCrashError(
        `${name}: ${size} bytes wrap at 32 bits`,
        `silent nonsense: an object gets ${layout.size}`,
      );
    const cache = this.adoptCache({
      ...layout,
      name: name!,
      refcount: 1,
      useroffset,
      usersize,
      ctor: request.ctor,
      ...(sheaves && { sheaves }),
    });
    const born = this.ledger.cache[cache.id * CACHE_WORDS + C_BORN]!;
    if (ctor !== undefined) this.#constructors.set(cache.id, { born, ctor });
    return cache;
  }

  /** Adds a cache as it is described, without looking for a merge: for caches known from a real machine. */
  adoptCache(row: CacheRow): KmemCache {
    return whileInTable(this.memory, () => this.#adopt(row));
  }

  #adopt(row: CacheRow): KmemCache {
    const id = addCache(this.ledger, row, (added) => this.#addSheaves(added, row));
    // The row may have belonged to a cache that was destroyed.
    this.#handles.delete(id);
    this.#constructors.delete(id);
    const cache = this.#handle(id);
    this.#link(row.name, cache);
    return cache;
  }

  /** All caches, oldest first. */
  caches(): KmemCache[] {
    return cacheIds(this.ledger).map((id) => this.#handle(id));
  }

  /** The newest cache of a name. */
  findCache(name: string): KmemCache | undefined {
    this.memory.locks.check();
    const id = cacheIds(this.ledger).findLast((candidate) => cacheName(this.ledger, candidate) === name);
    return id === undefined ? undefined : this.#handle(id);
  }

  /** Every name that is a link in /sys/kernel/slab, to a cache's directory or, where that cache is gone, to nothing. */
  links(): CacheLink[] {
    return cacheLinks(this.ledger);
  }

  /** The cache that holds an address, the number of its slab counted over the cache's life, and the index there. */
  whereIs(address: PhysAddr): { cache: KmemCache; slab: number; index: number; live: boolean } | undefined {
    const slab = this.#allocator.slabAt(address);
    if (slab === 0) return undefined;
    const index = this.#allocator.indexIn(slab, address);
    const { slabCache, slabSerial, slabLinks, link } = this.ledger;
    const inUse = index >= 0 && link[slabLinks[slab]! + index] === LINK_LIVE;
    const live = inUse && !isInSheaf(this.ledger, slabCache[slab]!, address);
    return { cache: this.#handle(slabCache[slab]!), slab: slabSerial[slab]! >>> 0, index, live };
  }

  // ---- kmalloc -------------------------------------------------------------------------------------------------------------

  /** `size` bytes, NULL if there is no memory, ZERO_SIZE_PTR for none. */
  kmalloc(size: number, gfp?: Gfp, cpu?: number): PhysAddr {
    return (this.#kmalloc ?? this.#kmallocCaches()).alloc(size, gfp, cpu);
  }

  kfree(address: PhysAddr, cpu?: number): void {
    (this.#kmalloc ?? this.#kmallocCaches()).free(address, cpu);
  }

  /**
   * `size` bytes at a multiple of `align`, a power of two, or NULL. From the smallest kmalloc cache all of whose objects are so aligned, or
   * from pages.
   */
  kmallocAligned(size: number, align: number, gfp: Gfp = GFP.KERNEL, cpu = this.cpu): PhysAddr {
    return this.#kmallocCaches().allocAligned(size, align, gfp, cpu);
  }

  /**
   * At least `size` bytes with the contents of `address`, there or elsewhere: then that is freed. NULL if there is no memory, and `address`
   * stays. Contents are copied where bytes are attached; else they are the caller's to copy, before anything else is allocated.
   */
  krealloc(address: PhysAddr, size: number, gfp: Gfp = GFP.KERNEL, cpu = this.cpu): PhysAddr {
    return this.#kmallocCaches().realloc(address, size, gfp, cpu);
  }

  /** The memory as typed arrays, which all cursors share. Throws ArgumentError unless it was attached as one array. */
  get views(): TypedViews {
    this.#views ??= typedViews(this.bytes);
    return this.#views;
  }

  /** Bytes usable at an address that kmalloc returned. */
  ksize(address: PhysAddr): number {
    return this.#kmallocCaches().usableSize(address);
  }

  // ---- checks --------------------------------------------------------------------------------------------------------------

  /**
   * Checks the ledger's equation (ledger.ts). `cheap` adds up lists and counters, `full` looks at every block, slab and object that was
   * ever touched. Throws LedgerCorruptError at the first term that does not hold.
   */
  validate(level: 'cheap' | 'full' = 'full'): void {
    const fail = (term: string, message: string) => {
      throw new LedgerCorruptError(term, message);
    };
    checkMachine(this.memory, level, fail, this.faithful);
  }

  /** What is held and what is live, by cache and, where stacks were noted, by the place that allocated it (leaks.ts). */
  report(): MachineReport {
    return machineReport(this.memory, this.kernel.name, this.#stacks);
  }

  /** `using machine = …`: tells `onLeak` what is live, if anything is. The machine can be used on. */
  [Symbol.dispose](): void {
    if (this.#onLeak === undefined) return;
    const report = this.report();
    if (report.live.objects + report.live.pages.length > 0) this.#onLeak(report);
  }

  // ---- sheaves -----------------------------------------------------------------------------------------------------------------

  /** What a creation says of sheaves, checked; undefined if it says nothing and the machine's caches have none. */
  #sheavesOf({ sheafCapacity, liveCheck }: CacheOptions): Partial<SheafOptions> | undefined {
    if (sheafCapacity !== undefined) checkCapacity(sheafCapacity);
    if (this.#sheaves === undefined) {
      if (sheafCapacity !== undefined && sheafCapacity > 0)
        throw new ArgumentError('this machine has no sheaves: make it with `sheafCapacity` or as `library`');
      return undefined;
    }
    return {
      ...(sheafCapacity !== undefined && { sheafCapacity }),
      ...(liveCheck !== undefined && { liveCheck }),
    };
  }

  #addSheaves(id: number, { flags, size, sheaves }: CacheRow): void {
    if (this.#sheaves === undefined || flags & SLAB_DEBUG_FLAGS) return;
    const { sheafCapacity, liveCheck } = this.#sheafDefaults;
    this.#sheaves.addSheaves(id, {
      sheafCapacity: sheaves?.sheafCapacity ?? sheafCapacity ?? usualSheafCapacity(size),
      liveCheck: sheaves?.liveCheck ?? liveCheck,
    });
  }

  // ---- inside --------------------------------------------------------------------------------------------------------------

  #handle(id: number): KmemCache {
    let handle = this.#handles.get(id);
    // Another thread may have destroyed the cache of that row and made this one.
    if (handle?.id !== id) {
      // A thread that is no CPU has no line of it.
      this.memory.locks.check();
      const viewOf = (cache: number, cpu = this.cpu) =>
        // A view of its own would pass by the stacks.
        (this.#stacks ? undefined : this.#sheaves?.view(cache, cpu)) ??
        plainView(this.#allocator, this.ledger, cache, cpu);
      const { boot, kernel, faithful } = this;
      handle = new KmemCache(
        id,
        this.#allocator,
        this.ledger,
        boot,
        kernel,
        faithful,
        viewOf,
        () => this.views,
        this.cpu,
      );
      this.#handles.set(id, handle);
    }
    return handle;
  }

  #kmallocCaches(): Kmalloc {
    this.#kmalloc ??= whileInTable(this.memory, () => this.#findKmalloc());
    return this.#kmalloc;
  }

  #findKmalloc(): Kmalloc {
    const names = kmallocNames(this.kernel, this.memory.zoneNames.includes('DMA'));
    // The kernel's own are the oldest of their name, and no other cache of 6.1 can have their flag.
    const own = this.caches().filter((cache) => cache.info.flags & SLAB.KMALLOC);
    const known = names.map((row) => row.map((name) => own.find((cache) => cache.name === name)?.id));
    const ids = known.flat().includes(undefined)
      ? addKmallocCaches(this.memory, this.kernel, this.boot, (id, row) => this.#addSheaves(id, row))
      : (known as number[][]);
    for (const id of ids.flat()) this.#link(cacheName(this.ledger, id), this.#handle(id));
    return createKmalloc(this.memory, this.kernel, this.#allocator, ids, this.bytes, this.cpu);
  }

  /** In /sys/kernel/slab, which only SLUB has, the name is the cache's directory, or a link to it. */
  #link(name: string, { sysfsId }: KmemCache): void {
    if (this.boot.allocator === 'slab') return;
    if (sysfsId === name) return unlinkCache(this.ledger, name);
    const link = { name, target: sysfsId };
    linkCache(this.ledger, link, (target) => this.caches().some((cache) => cache.sysfsId === target));
  }

  #failCreate(name: string | null, flags: number, error = EINVAL): null {
    const { createFunction } = this.kernel;
    const shown = name ?? '(null)';
    if (flags & SLAB.PANIC) {
      throw new KernelPanicError(`${createFunction}: Failed to create slab '${shown}'. Error -${error}`);
    }
    this.log.add(`${createFunction}(${shown}) failed with error -${error}`);
    return null;
  }

  #reports(): CacheReports {
    return machineReports(this.memory, (id) => this.#allocator.freeOnNode(id));
  }
}
