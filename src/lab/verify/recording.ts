/**
 * What all recordings of slab caches have in common, and how a machine is made that stands where the recorded one stood.
 */
import { ArgumentError } from '../../base/index.js';
import { type CacheInfo, type CacheRow, KERNELS, Machine, type MachineOptions } from '../../slab/index.js';

/** How the recorded machine was started. */
export interface RecordedBoot {
  readonly cmdline: string;
  readonly smp: number;
  /** Such as `6G`. */
  readonly mem: string;
}

/** A cache as the recorder read it from the kernel. Flags are hex without 0x. */
export interface RecordedCache {
  readonly name: string;
  readonly flags: string;
  readonly size: number;
  readonly object_size: number;
  readonly inuse: number;
  readonly offset: number;
  readonly align: number;
  readonly red_left_pad: number;
  readonly oo: readonly [order: number, objects: number];
  readonly min: readonly [order: number, objects: number];
  readonly allocflags: string;
  readonly min_partial: number;
  readonly cpu_partial: number;
  readonly cpu_partial_slabs: number;
  readonly refcount: number;
  readonly useroffset: number;
  readonly usersize: number;
  readonly ctor: number;
}

const hex = (flags: number) => (flags >>> 0).toString(16);

/** The recorded fields of one of our caches, under the recording's names. */
export function recordedFields(info: CacheInfo): Record<string, unknown> {
  return {
    name: info.name,
    flags: hex(info.flags),
    size: info.size,
    object_size: info.objectSize,
    inuse: info.inuse,
    offset: info.offset,
    align: info.align,
    red_left_pad: info.redLeftPad,
    oo: [info.oo.order, info.oo.objects],
    min: [info.min.order, info.min.objects],
    allocflags: hex(info.allocflags),
    min_partial: info.minPartial,
    cpu_partial: info.cpuPartial,
    cpu_partial_slabs: info.cpuPartialSlabs,
    refcount: info.refcount,
    useroffset: info.useroffset,
    usersize: info.usersize,
    ctor: info.ctor ? 1 : 0,
  };
}

export function rowFromRecording(c: RecordedCache): CacheRow {
  return {
    name: c.name,
    flags: Number.parseInt(c.flags, 16),
    size: c.size,
    objectSize: c.object_size,
    inuse: c.inuse,
    offset: c.offset,
    align: c.align,
    redLeftPad: c.red_left_pad,
    oo: { order: c.oo[0], objects: c.oo[1] },
    min: { order: c.min[0], objects: c.min[1] },
    allocflags: Number.parseInt(c.allocflags, 16),
    minPartial: c.min_partial,
    cpuPartial: c.cpu_partial,
    cpuPartialSlabs: c.cpu_partial_slabs,
    refcount: c.refcount,
    useroffset: c.useroffset,
    usersize: c.usersize,
    ctor: c.ctor !== 0,
  };
}

/** What a kernel command line says to SLUB. Other words are not for us. */
export function bootOptions(cmdline: string): MachineOptions {
  const options: MachineOptions = {};
  for (const word of cmdline.split(/\s+/)) {
    const [key, value = ''] = word.split('=', 2);
    if (key === 'slub_min_order') options.slubMinOrder = Number(value);
    else if (key === 'slub_max_order') options.slubMaxOrder = Number(value);
    else if (key === 'slub_min_objects') options.slubMinObjects = Number(value);
    else if (key === 'slub_nomerge' || key === 'slab_nomerge') options.slubNomerge = true;
    else if (key === 'slub_debug') options.slubDebug = value;
  }
  return options;
}

/** The one boot of a recording that has a single one. */
export function onlyBoot(boots: Readonly<Record<string, RecordedBoot>>): RecordedBoot {
  const all = Object.values(boots);
  if (all.length !== 1)
    throw new ArgumentError(`expected one boot, found ${Object.keys(boots).join(', ') || 'none'}`);
  return all[0]!;
}

/** The profile's name for a recorded kernel. Throws ArgumentError for one that there is no profile of. */
export function kernelRelease(kernel: string): string {
  const release = kernel.split('.').slice(0, 2).join('.');
  if (KERNELS.has(release)) return release;
  throw new ArgumentError(
    `this was recorded on Linux ${kernel}; known kernels: ${[...KERNELS.keys()].join(', ')}`,
  );
}

/** A machine booted like the recorded one, with the caches that were there before the first case. */
export function recordedMachine(
  kernel: string,
  boot: RecordedBoot,
  standing: readonly RecordedCache[] = [],
): Machine {
  const machine = Machine.create({
    ...bootOptions(boot.cmdline),
    machine: 'x86_64',
    memory: Number.parseInt(boot.mem, 10) * (boot.mem.endsWith('G') ? 2 ** 30 : 2 ** 20),
    cpus: boot.smp,
    kernel: kernelRelease(kernel),
    faithful: true,
    ledger: { slabs: 1 << 16, linkPages: 1 << 12 },
  });
  for (const cache of [...standing].reverse()) machine.adoptCache(rowFromRecording(cache));
  return machine;
}

/** Runs `probe`, then puts the table of caches back as it was, as the recorder did between cases. */
export function undoing(machine: Machine, probe: () => void): void {
  const { ledger } = machine;
  const caches = ledger.cache.slice();
  const header = ledger.header.slice();
  probe();
  ledger.cache.set(caches);
  ledger.header.set(header);
}
