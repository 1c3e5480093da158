/**
 * How a machine comes to be: memory in which a kernel has been booted, as options say it or as a ledger that is there records it.
 */
import { ArgumentError, lookUp } from '../base/index.js';
import { createPhysicalMemory, ledgerExtra, type MemoryMap, type PhysicalMemory } from '../machine/index.js';
import { createSheafMemory, createSheafSlub, type PlainKmalloc, type SheafSlub } from './barn/index.js';
import { type AllocatorOptions, arrayEntries, type MachineBoot } from './cache/index.js';
import {
  type AllocatorName,
  type Capabilities,
  KERNELS,
  type KernelProfile,
  kernelOn,
  kernelWith,
  LIBRARY,
  SLAB_HAS,
} from './kernel/index.js';
import type { Kmalloc } from './kmalloc/index.js';
import { bootParameters, type MachineOptions, type SheafDefaults, sheafDefaults } from './machine-options.js';
import { createSheaves, type SheafAllocator, sheafEntries } from './sheaf/index.js';
import { createSlab, type Slab } from './slab/index.js';
import { createSlub, type Slub } from './slub/index.js';
import { withoutRunTime } from './without-run-time.js';
import { memoryOf } from './workers/index.js';

/** Kept in the ledger: what a machine was booted with. */
interface BootRecord {
  readonly kernel: string;
  /** Tells the profile from others of its name. */
  readonly fingerprint: number;
  readonly boot: MachineBoot;
  readonly faithful: boolean;
  readonly sheaves: SheafDefaults;
  /** Of its memory map. */
  readonly dmaAlign?: number;
}

/** Memory and the kernel that runs in it. */
export interface Booted {
  readonly memory: PhysicalMemory;
  /** As its allocator has it. */
  readonly kernel: KernelProfile;
  readonly record: BootRecord;
}

/** All that `kernel` may name: those of Linux, and the library's. */
const PROFILES: ReadonlyMap<string, KernelProfile> = new Map([...KERNELS, [LIBRARY.name, LIBRARY]]);

/** By the words that name them; the first is the usual one. */
export const ALLOCATORS: ReadonlyMap<string, AllocatorName> = new Map([
  ['slub', 'slub'],
  ['slab', 'slab'],
]);

/** What the arrays of a cache of small objects hold; those of larger objects hold less. */
const USUAL_TUNABLES = { limit: 120, batchcount: 60, sharedFactor: 8 };

/** A kernel as it runs on a machine: with its allocator, and kmalloc as the machine's devices need it. */
function kernelFor(
  kernel: KernelProfile,
  allocator: AllocatorName,
  dmaAlign: number | undefined,
): KernelProfile {
  return kernelWith(kernelOn(kernel, dmaAlign), allocator);
}

/**
 * What an allocator has in a kernel, before there is a machine with them (`machine.kernel.has`). Throws UnknownNameError for a kernel that
 * does not exist. Whether it has that allocator is for `Machine.create` to say: where it lacks SLAB, this is what SLAB has elsewhere.
 */
export function capabilitiesOf(kernel: string | KernelProfile, allocator: AllocatorName): Capabilities {
  const { has } = typeof kernel === 'object' ? kernel : lookUp('kernel', kernel, PROFILES);
  return allocator === 'slab' ? SLAB_HAS : has;
}

/** A profile is long and does not change; machines are made by the thousand. */
const fingerprints = new WeakMap<KernelProfile, number>();

/** FNV-1a over what of a profile is data. */
function fingerprint(kernel: KernelProfile): number {
  const known = fingerprints.get(kernel);
  if (known !== undefined) return known;
  let hash = 0x811c9dc5;
  for (const char of JSON.stringify(kernel)) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  fingerprints.set(kernel, hash >>> 0);
  return hash >>> 0;
}

/**
 * New memory with a kernel booted in it. Throws UnknownNameError for a board or kernel that does not exist, ArgumentError for numbers that
 * make no machine or an allocator that the kernel lacks.
 */
export function bootMemory(options: MachineOptions): Booted & { readonly map: MemoryMap } {
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
    ...(allocator === 'slub' && kernel.sheafRule !== null && { sheaves: true }),
    ...(record.sheaves.sheafCapacity !== 0 && {
      sheafEntriesPerCache: sheafEntries(cpus, record.sheaves.sheafCapacity),
    }),
    ...(options.shared !== undefined && { shared: options.shared }),
    ...(options.log && { log: options.log }),
  });
  return { memory, kernel, record, map };
}

/**
 * What was booted in memory that is there. A profile of its maker's own has to be `given` again: throws ArgumentError with `advice` for
 * another one.
 */
export function bootedIn(memory: PhysicalMemory, given: KernelProfile | undefined, advice: string): Booted {
  const record = ledgerExtra(memory.ledger) as BootRecord;
  const profile = given ?? lookUp('kernel', record.kernel, PROFILES);
  if (fingerprint(profile) !== record.fingerprint)
    throw new ArgumentError(`this machine was made with a profile '${record.kernel}' of its own: ${advice}`);
  return { memory, kernel: kernelFor(profile, record.boot.allocator, record.dmaAlign), record };
}

/** The allocator of a machine, and the same once more by what it has. */
export interface BootedAllocator {
  readonly allocator: Slub | Slab | SheafSlub;
  /** Where it has the library's sheaves. */
  readonly sheaves: SheafAllocator | undefined;
  /** Where it has sheaves and barns as Linux has since 7.0. */
  readonly barns: SheafSlub | undefined;
}

/** Makes a machine's allocator. From `kmalloc` SLAB has the memory of its freelists, and barns and sheaves have theirs from `plain`. */
export function bootAllocator(
  name: AllocatorName,
  memory: PhysicalMemory,
  options: AllocatorOptions,
  kmalloc: () => Kmalloc,
  plain: () => PlainKmalloc,
  openLate: (cache: number) => void,
): BootedAllocator {
  const none = { sheaves: undefined, barns: undefined };
  if (name === 'slab') return { ...none, allocator: createSlab(memory, options, kmalloc) };
  const { sheafRule } = options.profile;
  if (sheafRule !== null && memory.ledger.shape.sheaves === 0)
    return {
      ...none,
      allocator: withoutRunTime(createSlub(memory, options), memory.ledger, options.profile),
    };
  if (sheafRule !== null) {
    const source = createSheafMemory(memory, plain, () => slub);
    const slub: SheafSlub = createSheafSlub(memory, options, source, sheafRule, openLate);
    return { ...none, allocator: slub, barns: slub };
  }
  const slub = createSlub(memory, options);
  if (memory.ledger.shape.sheafEntries === 0) return { ...none, allocator: slub };
  const sheaves = createSheaves(memory, slub, options.bytes);
  return { ...none, allocator: sheaves, sheaves };
}
