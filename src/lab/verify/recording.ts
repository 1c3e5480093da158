/**
 * What all recordings of slab caches have in common, and how a machine is made that stands where the recorded one stood.
 */

import { ArgumentError, parseSize } from '../../base/index.js';
import {
  builtWith,
  type CacheInfo,
  type CacheRow,
  type FlagBit,
  freelistPlace,
  KERNELS,
  type KernelProfile,
  kernelWith,
  Machine,
  type MachineOptions,
  SLAB_FLAG_NAMES,
  withSlabPart,
} from '../../slab/index.js';
import { bootOptions } from '../boot/index.js';

/** A file that is no recording of a kind that is known here. */
export class UnknownRecordingError extends ArgumentError {}

/** A recording of a kernel that there is no profile of. */
export class UnknownKernelError extends ArgumentError {
  /** As the recording names it. */
  readonly kernel: string;

  constructor(kernel: string) {
    super(`this was recorded on Linux ${kernel}; known kernels: ${[...KERNELS.keys()].join(', ')}`);
    this.kernel = kernel;
  }
}

/** How the recorded machine was started. */
export interface RecordedBoot {
  readonly cmdline: string;
  readonly smp: number;
  /** Such as `6G`. */
  readonly mem: string;
}

/** A cache as the recorder read it from the kernel. Flags are hex without 0x. */
export type RecordedCache = RecordedSlubCache | RecordedSlabCache;

interface RecordedFields {
  /** The permutation of a shuffled list of free objects. */
  readonly random_seq?: readonly number[];
  readonly name: string;
  readonly flags: string;
  readonly size: number;
  readonly object_size: number;
  readonly align: number;
  readonly allocflags: string;
  readonly refcount: number;
  readonly useroffset: number;
  readonly usersize: number;
  readonly ctor: number;
}

export interface RecordedSlubCache extends RecordedFields {
  readonly inuse: number;
  readonly offset: number;
  readonly red_left_pad: number;
  readonly oo: readonly [order: number, objects: number];
  readonly min: readonly [order: number, objects: number];
  readonly min_partial: number;
  /** Both only of a kernel whose CPUs keep slabs. */
  readonly cpu_partial?: number;
  readonly cpu_partial_slabs?: number;
  /** Only of a kernel with sheaves. */
  readonly sheaf_capacity?: number;
}

export interface RecordedSlabCache extends RecordedFields {
  readonly num: number;
  readonly gfporder: number;
  readonly colour: number;
  readonly colour_off: number;
  readonly freelist_size: number;
  readonly limit: number;
  readonly batchcount: number;
  readonly shared: number;
  readonly free_limit: number;
  readonly off_slab: number;
  readonly objfreelist_slab: number;
}

/** The head that all recordings of caches have. */
export interface RecordingHead {
  readonly kernel: string;
  /** SLUB unless it says otherwise. */
  readonly allocator?: string;
  readonly boots: Readonly<Record<string, RecordedBoot>>;
  readonly config?: Readonly<Record<string, string>>;
  /** Names of flags and their values in that kernel, hex. */
  readonly constants?: { readonly slab_flags?: Readonly<Record<string, string>> };
  /** The reverse, with those that only the kernel sets (`__OBJECT_POISON`). */
  readonly flag_names?: Readonly<Record<string, string>>;
}

const hex = (flags: number) => (flags >>> 0).toString(16);

/**
 * A kernel's bits as its recording names them. Where bits depend on the configuration, one that it does not name has moved by as much as
 * the one before it.
 */
function recordedBits(
  profile: readonly FlagBit[],
  named: readonly (readonly [name: string, hex: string])[],
): FlagBit[] {
  const recorded = new Map<number, number>();
  for (const [name, bit] of named) {
    const ours = SLAB_FLAG_NAMES.get(name.replace(/^(SLAB_|__)/, ''));
    if (ours !== undefined && bit !== '0') recorded.set(ours, Number.parseInt(bit, 16));
  }
  let moved = 1;
  return profile.map(([theirs, ours]) => {
    const bit = recorded.get(ours);
    if (bit !== undefined) moved = bit / theirs;
    return [theirs * moved, ours];
  });
}

/** A flag that no kernel permits stands for every recorded bit without a name that we know. */
const ILLEGAL_FLAG = 0x2000000;

/**
 * Between the recorded kernel's way of writing things and ours. Flags are translated by name: 6.1 fixes their values, from 6.9 on they
 * depend on the configuration.
 */
export class RecordedKernel {
  readonly profile: KernelProfile;
  readonly #flags: readonly FlagBit[];

  /** Throws UnknownKernelError for a kernel that there is no profile of. */
  constructor({ kernel, allocator, config, constants, flag_names = {} }: RecordingHead) {
    const release = kernel.split('.').slice(0, 2).join('.');
    const profile = KERNELS.get(release);
    if (profile === undefined) {
      throw new UnknownKernelError(kernel);
    }
    const option = (name: string) => (config?.[name] === undefined ? undefined : config[name] === 'y');
    const configured = builtWith(profile, {
      hardenedUsercopy: option('CONFIG_HARDENED_USERCOPY'),
      numa: option('CONFIG_NUMA'),
      kfence: option('CONFIG_KFENCE'),
    });
    this.profile = kernelWith(configured, allocator === 'SLAB' ? 'slab' : 'slub');
    const bits = Object.entries(constants?.slab_flags ?? {});
    for (const [bit, name] of Object.entries(flag_names)) bits.push([name, bit]);
    this.#flags = recordedBits(profile.flagBits, bits);
  }

  /** Our flags for recorded ones, hex. */
  flags(recorded: string): number {
    let rest = Number.parseInt(recorded, 16);
    let ours = 0;
    for (const [theirs, flag] of this.#flags) {
      if (theirs === 0 || (rest & theirs) === 0) continue;
      ours |= flag;
      rest &= ~theirs;
    }
    return (rest === 0 ? ours : ours | ILLEGAL_FLAG) >>> 0;
  }

  /** Recorded flags for ours, hex. */
  recordedFlags(ours: number): string {
    let recorded = 0;
    for (const [theirs, flag] of this.#flags) if (ours & flag) recorded |= theirs;
    return hex(recorded);
  }

  /** The recorded fields of one of our caches, under the recording's names. */
  fields(info: CacheInfo): Record<string, unknown> {
    return {
      name: info.name,
      flags: this.recordedFlags(info.flags),
      size: info.size,
      object_size: info.objectSize,
      align: info.align,
      allocflags: hex(info.allocflags),
      refcount: info.refcount,
      useroffset: info.useroffset,
      usersize: info.usersize,
      ctor: info.ctor ? 1 : 0,
      ...(info.slab === undefined ? slubFields(info, this.profile.has.sheaves) : slabFields(info, info.slab)),
    };
  }

  /** Our row for a recorded cache. */
  row(c: RecordedCache): CacheRow {
    const common = {
      flags: this.flags(c.flags),
      size: c.size,
      objectSize: c.object_size,
      align: c.align,
      allocflags: Number.parseInt(c.allocflags, 16),
    };
    const { cpu_partial_slabs = 0 } = c as Partial<RecordedSlubCache>;
    return {
      ...('num' in c
        ? withSlabPart({ ...common, ...slabPart(c) })
        : { ...common, ...slubPart(c), extraFromNode: this.profile.extraFromNode(cpu_partial_slabs) }),
      name: c.name,
      refcount: c.refcount,
      useroffset: c.useroffset,
      usersize: c.usersize,
      ctor: c.ctor !== 0,
    };
  }

  /** A machine booted like the recorded one, with the caches that were there before the first case. */
  machine(
    boot: RecordedBoot,
    standing: readonly RecordedCache[] = [],
    more: Pick<MachineOptions, 'statistics' | 'freelistOrder'> & { readonly described?: boolean } = {},
  ): Machine {
    const { described = false, ...options } = more;
    const machine = Machine.create({
      ...bootOptions(boot.cmdline, this.profile),
      machine: 'x86_64',
      memory: parseSize(boot.mem),
      cpus: boot.smp,
      kernel: this.profile,
      faithful: true,
      ledger: { slabs: 1 << 16, linkPages: 1 << 12, ...(described && { sheaves: 0 }) },
      ...options,
    });
    for (const cache of [...standing].reverse()) machine.adoptCache(this.row(cache));
    return machine;
  }
}

// ---- the fields that only one allocator has --------------------------------------------------------------------------

function slubPart(c: RecordedSlubCache) {
  return {
    inuse: c.inuse,
    offset: c.offset,
    redLeftPad: c.red_left_pad,
    oo: { order: c.oo[0], objects: c.oo[1] },
    min: { order: c.min[0], objects: c.min[1] },
    minPartial: c.min_partial,
    cpuPartial: c.cpu_partial ?? 0,
    cpuPartialSlabs: c.cpu_partial_slabs ?? 0,
    ...(c.sheaf_capacity !== undefined && { sheafCapacity: c.sheaf_capacity }),
  };
}

function slubFields(info: CacheInfo, sheaves: boolean): Omit<RecordedSlubCache, keyof RecordedFields> {
  return {
    inuse: info.inuse,
    offset: info.offset,
    red_left_pad: info.redLeftPad,
    oo: [info.oo.order, info.oo.objects],
    min: [info.min.order, info.min.objects],
    min_partial: info.minPartial,
    ...(sheaves
      ? { sheaf_capacity: info.sheafCapacity ?? 0 }
      : { cpu_partial: info.cpuPartial, cpu_partial_slabs: info.cpuPartialSlabs }),
  };
}

function slabPart(c: RecordedSlabCache) {
  return {
    oo: { order: c.gfporder, objects: c.num },
    colours: c.colour,
    colourOff: c.colour_off,
    freelistSize: c.freelist_size,
    limit: c.limit,
    batchcount: c.batchcount,
    sharedFactor: c.shared,
    freeLimit: c.free_limit,
  };
}

function slabFields(
  { flags, oo }: CacheInfo,
  slab: NonNullable<CacheInfo['slab']>,
): Omit<RecordedSlabCache, keyof RecordedFields> {
  const place = freelistPlace(flags);
  return {
    num: oo.objects,
    gfporder: oo.order,
    colour: slab.colours,
    colour_off: slab.colourOff,
    freelist_size: slab.freelistSize,
    limit: slab.limit,
    batchcount: slab.batchcount,
    shared: slab.sharedFactor,
    free_limit: slab.freeLimit,
    off_slab: place === 'outside' ? 1 : 0,
    objfreelist_slab: place === 'object' ? 1 : 0,
  };
}

// ---- the boot ----------------------------------------------------------------------------------------------------------

/** The one boot of a recording that has a single one. */
export function onlyBoot(boots: Readonly<Record<string, RecordedBoot>>): RecordedBoot {
  const all = Object.values(boots);
  if (all.length !== 1)
    throw new ArgumentError(`expected one boot, found ${Object.keys(boots).join(', ') || 'none'}`);
  return all[0]!;
}

/** Returns what runs a probe, then puts the table of caches back as it was, as the recorder did between cases. */
export function undoing(machine: Machine): (probe: () => void) => void {
  const { cache, header } = machine.ledger;
  const [caches, head] = [cache.slice(), header.slice()];
  return (probe) => {
    caches.set(cache);
    head.set(header);
    probe();
    cache.set(caches);
    header.set(head);
  };
}

/** A machine whose caches are made and not used: a probe of one leaves nothing but rows, which can be put back. */
export const DESCRIBED = { described: true } as const;
