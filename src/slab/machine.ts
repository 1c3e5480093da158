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
  LedgerCorruptError,
  type Order,
  type Pfn,
  type PhysAddr,
} from '../base/index.js';
import {
  type CpuStatus,
  type CpuToken,
  checkReserved,
  cpusTaken,
  type DetachOutcome,
  GFP,
  type KernelLog,
  type Ledger,
  LINK_LIVE,
  type ManagedBytes,
  openPhysicalMemory,
  type PhysicalMemory,
  type ZoneName,
  type ZoneView,
} from '../machine/index.js';
import { type Booted, type BootedAllocator, bootAllocator, bootedIn, bootMemory } from './boot.js';
import {
  type AllocatorOptions,
  type CacheLink,
  type CacheRow,
  type Caller,
  cacheLinks,
  type MachineBoot,
  machineReports,
} from './cache/index.js';
import { Caches } from './caches.js';
import { checkMachine } from './check/index.js';
import { createConstructors } from './constructors.js';
import { createCache } from './create.js';
import type { KernelProfile } from './kernel/index.js';
import type { Kmalloc } from './kmalloc/index.js';
import { openKmalloc } from './kmalloc-caches.js';
import type { KmemCache } from './kmem-cache.js';
import { eachLive, type MachineReport, machineReport, type Stacks, withStacks } from './leaks/index.js';
import { type CacheOptions, type MachineOptions, type OpenOptions, withDebug } from './machine-options.js';
import { isInSheaf } from './sheaf/index.js';
import { advanceClock, clockOf } from './slab/index.js';
import type { Slub } from './slub/index.js';
import { addStandingCaches } from './standing.js';
import type { TypedViews } from './typed-view.js';
import {
  type AttachedMemory,
  adoptMemory,
  attachedBytes,
  bufferBytes,
  checkEnded,
  claimCpu,
  detachCpus,
  detachSelf,
  isBuffer,
  type MachineHandle,
  type ManagedBuffer,
  machineHandle,
  reserveCpu,
  whileInTable,
} from './workers/index.js';

export type { CacheOptions, MachineOptions, OpenOptions } from './machine-options.js';

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
  readonly #allocator: BootedAllocator['allocator'];
  readonly #caches: Caches;
  readonly #stacks: Stacks | undefined;
  readonly #onLeak: MachineOptions['onLeak'];
  #kmalloc: Kmalloc | undefined;
  /** The memory itself as it came, where it came as a buffer. */
  readonly #buffer: ManagedBuffer | undefined;
  /** The address of its first byte. */
  readonly #bufferBase: number;

  private constructor(
    { memory, kernel, record }: Booted,
    { bytes, buffer, base = 0 }: AttachedMemory,
    { stacks, onLeak, freelistOrder }: Pick<MachineOptions, 'stacks' | 'onLeak' | 'freelistOrder'> = {},
  ) {
    const { boot, faithful, sheaves: sheafDefaults } = record;
    this.memory = memory;
    this.#onLeak = onLeak;
    this.bytes = bytes;
    this.#buffer = buffer;
    this.#bufferBase = base;
    this.kernel = kernel;
    this.boot = boot;
    this.faithful = faithful;
    const constructors = createConstructors(memory.ledger);
    const options: AllocatorOptions = {
      construct: constructors.construct,
      hasConstructor: constructors.hasConstructor,
      reports: machineReports(memory, (id) => this.#allocator.freeOnNode(id)),
      profile: kernel,
      faithful,
      bytes,
      caller: this.caller,
      freelistOrder,
      askedFor: () => this.#kmalloc?.asked() ?? 0,
    };
    const bootKmalloc = () => this.#kmallocCaches();
    const plain = () => this.#caches.plain();
    const late = (id: number) => this.#caches.openBarn(id);
    const booted = bootAllocator(boot.allocator, memory, options, bootKmalloc, plain, late);
    const noting = stacks === undefined ? undefined : withStacks(booted.allocator, stacks, this.caller);
    this.#stacks = noting?.stacks;
    this.#allocator = noting?.allocator ?? booted.allocator;
    this.#caches = new Caches({
      ...booted,
      memory,
      kernel,
      boot,
      faithful,
      bytes,
      allocator: this.#allocator,
      bootKmalloc,
      sheafDefaults,
      constructors,
      noted: noting !== undefined,
    });
    memory.locks.whenGone = () => {
      this.#caches.close();
      this.#kmalloc = undefined;
    };
  }

  /**
   * Throws UnknownNameError for a board or kernel that does not exist, ArgumentError for numbers that make no machine or an allocator that
   * the kernel lacks.
   */
  static create(given: MachineOptions = {}): Machine {
    const options = withDebug(given);
    const { map, ...booted } = bootMemory(options);
    const { memory, kernel } = booted;
    if (options.shared) claimCpu(memory);
    const bytes = attachedBytes(options.bytes, map, kernel.pageSize);
    const buffer = isBuffer(options.bytes) ? options.bytes : undefined;
    const machine = new Machine(booted, { bytes, buffer, base: map.ram[0]!.start }, options);
    if (options.standing) addStandingCaches(machine.#caches, () => machine.#kmallocCaches());
    return machine;
  }

  /**
   * The machine that a ledger describes. What is no data does not travel: constructors (new slabs' objects stay as they are), managed
   * bytes, and a kernel profile of the maker's own, which has to be given again. Throws ArgumentError for another one.
   */
  static open(buffer: ArrayBuffer | SharedArrayBuffer, options: OpenOptions = {}): Machine {
    const memory = openPhysicalMemory(buffer, options.log);
    const booted = bootedIn(memory, options.kernel, 'give the same one as `kernel`');
    return new Machine(booted, { bytes: options.bytes });
  }

  /**
   * In another thread: the machine that a handle leads to, and this thread as the CPU that was reserved for it, or as any that is absent
   * (attach.ts, docs/workers.md). Throws ReservationError for a reservation that was used or given back, NoCpuError when all are taken,
   * ArgumentError for what is no handle. What is no data does not travel, as with `open`.
   */
  static attach(handle: MachineHandle, options: Omit<OpenOptions, 'bytes'> = {}): Machine {
    const memory = adoptMemory(handle, options.log);
    const { bytes: buffer, base, cpu } = handle;
    const booted = bootedIn(memory, options.kernel, 'give the same one');
    const bytes = buffer === null ? undefined : bufferBytes(buffer, base);
    claimCpu(memory, cpu);
    return new Machine(booted, { bytes, buffer: buffer ?? undefined, base });
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
    return reserveCpu(this.memory);
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

  /**
   * Threads with these tokens have ended, however, or will not come: what they kept goes back to its caches, what they had locked is put in
   * order and unlocked (attach.ts), and others can be these CPUs. What they had been given stays live (`liveObjects`). A token of a
   * thread that was detached before reaches nobody, whoever is that CPU now. Returns what became of each, in their order. Throws
   * ArgumentError, before anything is changed, for what is no token, and for this thread's own.
   */
  detachCpu(...tokens: readonly CpuToken[]): DetachOutcome[] {
    checkEnded(this.memory, tokens);
    return detachCpus(this.memory, this.#slub(), tokens);
  }

  #slub(): Slub {
    if ('freeChain' in this.#allocator) return this.#allocator;
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
    return whileInTable(this.memory, () => createCache(this.#caches, name, size, options));
  }

  /** Adds a cache as it is described, without looking for a merge: for caches known from a real machine. */
  adoptCache(row: CacheRow): KmemCache {
    return this.#caches.adopt(row, false);
  }

  /** All caches, oldest first. */
  caches(): KmemCache[] {
    return this.#caches.all();
  }

  /** The newest cache of a name. */
  findCache(name: string): KmemCache | undefined {
    return this.#caches.find(name);
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
    return { cache: this.#caches.of(slabCache[slab]!), slab: slabSerial[slab]! >>> 0, index, live };
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
    return this.#caches.typedViews();
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

  // ---- inside --------------------------------------------------------------------------------------------------------------

  #kmallocCaches(): Kmalloc {
    this.#kmalloc ??= whileInTable(this.memory, () => openKmalloc(this.#caches, this.bytes));
    return this.#kmalloc;
  }
}
