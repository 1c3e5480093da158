/**
 * # The recorded machine, as a plan
 *
 * A replay needs a machine like the recorded one: its memory, its CPUs, its kernel with what it was booted with, and its caches. A plan
 * says all that as data, so that a what-if can change it before a machine is made (build.ts).
 *
 *     snapshots ─▸ planFromSnapshots ─╮
 *                                     ├─▸ plan ─▸ what-if ─▸ machine
 *     kernel's profile ─▸ planFromProfile ╯
 *
 * What is known of a cache comes from the fullest source, and the plan says which:
 *  1. /sys/kernel/slab in a full snapshot: sizes, order, alignment, most flags, limits;
 *  2. /proc/slabinfo: distance, objects and pages of a slab; with SLAB the tunables too;
 *  3. without a snapshot the trace's own events: distance, object size, sometimes the order (evidence.ts);
 *  4. the profile's own table of what a booted kernel has (a preset), for what the others leave out. It overrules none of them.
 *
 * Of the machine too: what a person says counts, then snapshots, then what the trace shows; what is left is assumed, and `evidence` says of
 * each fact which it was. An assumed one is marked where shown. Where a person says other than the snapshots do, `overruled` tells: the
 * replay is not of the machine as it was recorded.
 *
 * What a machine was recorded to have is taken as it is. A what-if that changes what layouts follow from (page size, orders, debugging)
 * makes them anew by the kernel's rules from object size, alignment and flags; `derivable` says where those rules give the recorded
 * numbers, and where they do not the what-if leaves the cache as it was.
 */

import { ArgumentError, formatBytes, isPowerOfTwo, largestOf } from '../../base/index.js';
import {
  CPUS_MAX,
  kmallocTypeIn,
  type MemoryMap,
  type RamRange,
  sizeSuffix,
  type ZoneName,
  type ZoneSpec,
} from '../../machine/index.js';
import {
  type CacheLayout,
  cacheLayout,
  cpuPartialSlabsOf,
  KERNELS,
  type KernelProfile,
  kernelBefore,
  kernelNamed,
  kernelWith,
  kmallocCacheFlags,
  Machine,
  type MachineBoot,
  type MachineOptions,
  SLAB,
  SLAB_CMPXCHG_DOUBLE,
  SLAB_OBJ_EXT_IN_OBJ,
  SLAB_OBJECT_POISON,
} from '../../slab/index.js';
import type { SlabinfoRow } from '../../text/index.js';
import type { KnownCache } from '../../trace/index.js';
import { bootOptions } from '../boot/index.js';
import type { Snapshot, SnapshotCache, Snapshots, SnapshotZone } from './snapshots.js';

/** What a cache is made from. */
export interface CacheSpec {
  /** The one name under which it is spoken of: its directory in sysfs, or its name. */
  readonly name: string;
  /** All names that lead to it; what shares it cannot be told apart in the events. */
  readonly names: readonly string[];
  /** Bytes, as it was created: what the layout follows from. */
  readonly objectSize: number;
  /** Bytes now: others that share it may have larger objects. */
  readonly grownSize: number;
  readonly align: number;
  /** SLAB_*, as far as they are known. */
  readonly flags: number;
  readonly ctor: boolean;
  readonly useroffset: number;
  readonly usersize: number;
  readonly freeptrOffset: number | undefined;
  /** The recorded layout, which the rules need not give. */
  readonly layout: CacheLayout;
  /** Whether the rules give it from what is above. */
  readonly derivable: boolean;
  /** Objects that it ever had room for in a snapshot, if there was one. */
  readonly capacity: number | undefined;
  readonly source: 'sysfs' | 'slabinfo' | 'profile' | 'events';
}

/** Where a fact of the recorded machine is from; `assumed` is made up. */
export type Evidence = 'given' | 'snapshots' | 'trace' | 'assumed';

/** Of each fact that a heading states, where it is from. */
export interface MachineEvidence {
  readonly kernel: Evidence;
  readonly allocator: Evidence;
  readonly cpus: Evidence;
  readonly memory: Evidence;
  readonly pageSize: Evidence;
}

/** The machine that a trace was recorded on, as far as the trace and its snapshots tell. */
export interface MachinePlan {
  /** The kernel's profile, as its allocator has it. */
  readonly kernel: KernelProfile;
  /** Memory, CPUs, boot parameters. */
  readonly options: MachineOptions;
  /** Oldest first. */
  readonly caches: readonly CacheSpec[];
  /** Where all this comes from, in one sentence. */
  readonly source: string;
  readonly evidence: MachineEvidence;
  /** Whether no snapshot told which caches there were: they are what a booted kernel usually has, but for those that have events. */
  readonly isPreset: boolean;
  /** Whether the trace shows in which order pages are taken for slabs. */
  readonly showsOrders: boolean;
  /** What was assumed: a sentence each, without its full stop. */
  readonly assumed: readonly string[];
  /** What a person said against the snapshots: a sentence each, without its full stop. */
  readonly overruled: readonly string[];
}

/** What a person may say of the recorded machine, instead of a snapshot or against it. */
export interface PlanOptions {
  /** A board's name or a memory map, and bytes of RAM. */
  readonly machine?: string | MemoryMap;
  readonly memory?: number;
  readonly cpus?: number;
  /** A kernel's name: 6.1 unless a snapshot or this says otherwise. */
  readonly kernel?: string;
  readonly allocator?: 'slub' | 'slab';
  /** Bytes of a page, where the trace shows it; the kernel's own unless told. */
  readonly pageSize?: number | undefined;
  /** What else a trace shows, for what nobody says. */
  readonly shown?: {
    readonly allocator?: 'slab' | undefined;
    /** Bytes of memory that were live at once, and some more. */
    readonly memory?: number | undefined;
    readonly orders?: boolean;
  };
}

type StandingCache = KernelProfile['standing'][number];

/** The profile of a kernel, or of the last one before it that has one, with a few words where it is not the same. */
function profileOf(
  recorded: string,
  allocator: 'slub' | 'slab',
  { kernel, pageSize }: PlanOptions,
): { profile: KernelProfile; note: string } {
  const name = kernel ?? kernelBefore(recorded) ?? [...KERNELS.keys()][0]!;
  const known = kernelNamed(name);
  const isOther = kernel === undefined && recorded !== '' && !`${recorded}.`.startsWith(`${name}.`);
  const profile = kernelWith(known, allocator);
  return {
    profile:
      pageSize === undefined || pageSize === known.pageSize ? profile : withPageSize(profile, pageSize),
    note: isOther ? `; there is no profile of Linux ${recorded}, ${name} was taken` : '',
  };
}

/** A damaged line can name any CPU; events of those that a machine lacks go to the ones that it has. */
const cpusOf = (cpus: number) => Math.min(Math.max(cpus, 1), CPUS_MAX);

/** Bits that a layout sets, not a creator. */
const KERNELS_OWN = SLAB_CMPXCHG_DOUBLE | SLAB_OBJECT_POISON | SLAB_OBJ_EXT_IN_OBJ;

/** The recorded machine as its snapshots tell it. `cpus` is what the trace shows, where they do not tell. */
export function planFromSnapshots(
  snapshots: Snapshots,
  cpus: number,
  options: PlanOptions = {},
): MachinePlan {
  const allocator = options.allocator ?? snapshots.allocator;
  const { profile, note } = profileOf(snapshots.kernel, allocator, options);
  const full = snapshots.all.findLast(({ caches }) => caches.size > 0);
  const last = full ?? snapshots.all.at(-1)!;
  const machine: MachineOptions = {
    ...bootOptions(snapshots.cmdline, profile),
    ...memoryOptions(options, last.zones, profile.pageSize),
    kernel: profile,
    allocator,
    cpus:
      options.cpus ?? cpusOf(Math.max(0, largestOf(snapshots.all.map((snapshot) => snapshot.cpus))) || cpus),
  };
  const boot = bootOf(machine);
  const caches = specsOf(snapshots, last, profile, boot);
  const what = full === undefined ? 'slabinfo' : 'sysfs';
  const notes = note + leftOut(machine, last, profile.pageSize);
  const isZoned = last.zones.length > 0;
  const isTold = snapshots.all.some((snapshot) => snapshot.cpus > 0);
  const saysMemory = options.machine !== undefined || options.memory !== undefined;
  const evidence: MachineEvidence = {
    kernel: options.kernel !== undefined ? 'given' : snapshots.kernel === '' ? 'assumed' : 'snapshots',
    allocator: options.allocator === undefined ? 'snapshots' : 'given',
    cpus: options.cpus !== undefined ? 'given' : isTold ? 'snapshots' : 'trace',
    memory: saysMemory ? 'given' : isZoned ? 'snapshots' : 'assumed',
    pageSize: options.pageSize === undefined ? 'assumed' : 'trace',
  };
  return {
    kernel: profile,
    options: machine,
    caches,
    evidence,
    isPreset: false,
    showsOrders: false,
    assumed: [
      ...assumedWords(machine, profile, evidence),
      ...(note === '' ? [] : [`${note.slice(2)[0]!.toUpperCase()}${note.slice(3)}: its rules may differ`]),
      ...(profile.has.sheaves ? [] : sheavesLeftOut(full)),
    ],
    overruled: overruledBy(options, snapshots, last),
    source: `${caches.length} caches from ${what} of snapshot ${last.name} in ${snapshots.file}${notes}`,
  };
}

/** A machine as a kernel's profile has it when it has just booted. */
export function planFromProfile(cpus: number, options: PlanOptions = {}): MachinePlan {
  const { shown } = options;
  const canBeSlab = options.kernel === undefined || kernelNamed(options.kernel).slab !== null;
  const allocator = options.allocator ?? (canBeSlab ? shown?.allocator : undefined) ?? 'slub';
  const { profile, note } = profileOf('', allocator, options);
  const saysMemory = options.machine !== undefined || options.memory !== undefined;
  const machine: MachineOptions = {
    ...memoryOptions(options, [], profile.pageSize),
    ...(!saysMemory && shown?.memory !== undefined && { memory: shown.memory }),
    kernel: profile,
    allocator,
    cpus: options.cpus ?? cpusOf(cpus),
  };
  const standing = Machine.create({ ...machine, standing: true, ledger: { slabs: 64, linkPages: 64 } });
  const links = standing.links();
  const boot = bootOf(machine);
  const caches = standing.caches().map(({ info, sysfsId }): CacheSpec => {
    const names = links.filter(({ target }) => target === sysfsId).map(({ name }) => name);
    const row = profile.standing.find(([name]) => name === info.name);
    const spec = {
      name: profile.has.sysfsTree ? sysfsId : info.name,
      names: [...new Set([info.name, ...names])],
      objectSize: row?.[1] ?? info.objectSize,
      grownSize: info.objectSize,
      align: row?.[3] ?? info.align,
      flags: info.flags & ~KERNELS_OWN,
      ctor: info.ctor,
      useroffset: info.useroffset,
      usersize: info.usersize,
      freeptrOffset: row?.[9],
      capacity: undefined,
      source: 'profile' as const,
    };
    return withLayout(spec, info, profile, boot);
  });
  const evidence: MachineEvidence = {
    kernel: options.kernel === undefined ? 'assumed' : 'given',
    allocator:
      options.allocator !== undefined ? 'given' : allocator === shown?.allocator ? 'trace' : 'assumed',
    cpus: options.cpus === undefined ? 'trace' : 'given',
    memory: saysMemory ? 'given' : 'assumed',
    pageSize: options.pageSize === undefined ? 'assumed' : 'trace',
  };
  return {
    kernel: profile,
    options: machine,
    caches,
    evidence,
    isPreset: true,
    showsOrders: shown?.orders === true,
    assumed: assumedWords(machine, profile, evidence),
    overruled: [],
    source: `caches by their events, the others as Linux ${profile.name} has them after booting${note}`,
  };
}

/** What of a machine was made up, in one sentence, and what its number of CPUs rests on. */
function assumedWords(
  machine: MachineOptions,
  { name, pageSize }: KernelProfile,
  evidence: MachineEvidence,
): string[] {
  const facts = [
    ['kernel', `Linux ${name}`, '--kernel'],
    ['allocator', String(machine.allocator).toUpperCase(), '--allocator'],
    ['memory', `${formatBytes(memoryOf(machine))} of memory`, '--memory'],
  ] as const;
  const made = facts.filter(([fact]) => evidence[fact] === 'assumed');
  const words: string[] = [];
  if (made.length > 0) {
    const what = made.map(([, value]) => value).join(', ');
    const how = made.map(([, , option]) => option).join(', ');
    words.push(
      `The recorded machine is not known: ${what} ${made.length === 1 ? 'is' : 'are'} assumed ` +
        `(${how} or --snapshots say otherwise)`,
    );
  }
  if (evidence.cpus === 'trace')
    words.push(
      `${machine.cpus === 1 ? '1 CPU is what has' : `${machine.cpus} CPUs are what have`} events: the machine may have had more, ` +
        'and then slabs of another order',
    );
  if (evidence.pageSize === 'assumed' && pageSize !== USUAL_PAGE)
    words.push(`Pages of ${formatBytes(pageSize)} are assumed`);
  return words;
}

const USUAL_PAGE = 4096;

/** Bytes that a machine with these options manages. */
function memoryOf(options: MachineOptions): number {
  const machine = Machine.create({ ...options, ledger: { slabs: 1, linkPages: 1, caches: 1 } });
  return machine.zones().reduce((sum, { managed }) => sum + managed, 0) * machine.kernel.pageSize;
}

/** Sheaves that the snapshot tells of: the replay has none unless a what-if asks for them. */
function sheavesLeftOut(full: Snapshot | undefined): string[] {
  const all = [...(full?.caches ?? [])].filter(([, { sheafCapacity }]) => sheafCapacity > 0);
  if (all.length === 0) return [];
  const told = all.slice(0, 3).map(([name, { sheafCapacity }]) => `${name} ${sheafCapacity}`);
  const rest = all.length > told.length ? ` and ${all.length - told.length} more` : '';
  return [
    `${all.length === 1 ? '1 cache had' : `${all.length} caches had`} sheaves (sheaf_capacity: ${told.join(', ')}${rest}), ` +
      'which are not replayed: what lay free in them is missing',
  ];
}

/** What a person said that the snapshots contradict. */
function overruledBy(options: PlanOptions, snapshots: Snapshots, last: Snapshot): string[] {
  const { kernel, allocator, cpus, machine, memory } = options;
  const words: string[] = [];
  const recorded = /^\d+\.\d+/.exec(snapshots.kernel)?.[0];
  if (kernel !== undefined && recorded !== undefined && kernel !== recorded)
    words.push(`Linux ${kernel} was asked for, and the snapshots are of ${snapshots.kernel}`);
  if (allocator !== undefined && allocator !== snapshots.allocator)
    words.push(
      `${allocator.toUpperCase()} was asked for, and the snapshots are of ${snapshots.allocator.toUpperCase()}`,
    );
  if (cpus !== undefined && last.cpus > 0 && cpus !== last.cpus)
    words.push(`${cpus} CPUs were asked for, and the snapshots have ${last.cpus}`);
  if ((machine !== undefined || memory !== undefined) && last.zones.length > 0)
    words.push('other memory was asked for than the snapshots have');
  return words;
}

/** The caches of a plan, for those who look for the cache of a class. */
export function knownCaches({ caches, isPreset }: MachinePlan): KnownCache[] {
  return caches.map(({ name, names, layout, grownSize, flags, capacity, source }) => ({
    name,
    names,
    size: layout.size,
    objectSize: source === 'slabinfo' ? 0 : grownSize,
    // With a directory the name says it; else the flags come from a table or are not known.
    accounted: source === 'slabinfo' ? undefined : (flags & SLAB.ACCOUNT) !== 0 || undefined,
    capacity,
    isPreset,
  }));
}

// ---- memory --------------------------------------------------------------------------------------------------------------

function memoryOptions(
  { machine, memory }: PlanOptions,
  zones: readonly SnapshotZone[],
  pageSize: number,
): MachineOptions {
  if (machine !== undefined || memory !== undefined || zones.length === 0)
    return { ...(machine !== undefined && { machine }), ...(memory !== undefined && { memory }) };
  return { machine: memoryMap(zones, pageSize) };
}

const ZONES: readonly ZoneName[] = ['DMA', 'DMA32', 'Normal'];

const RECORDED = 'recorded';

/** Page frames that a replay keeps account of at most: 1 TiB in pages of 4 KiB. */
const FRAMES_MAX = 2 ** 28;

/** RAM of one kind of zone, of all nodes: pages. */
interface ZoneRam {
  readonly name: ZoneName;
  readonly startPfn: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
}

/**
 * RAM by zone: where in a zone its holes lie is not told, so its pages come first, the managed ones before the others. Nodes are no matter
 * here: what they have of a zone lies side by side.
 */
function memoryMap(zones: readonly SnapshotZone[], pageSize: number): MemoryMap {
  const known = zoneRam(zones);
  if (known.length === 0)
    throw new ArgumentError(
      `no zone of ${zones.map(({ name }) => name).join(', ')} is known: give a machine`,
    );
  const at = (pfn: number) => pfn * pageSize;
  const ram: RamRange[] = [];
  for (const { startPfn, present } of known) {
    const range = { start: at(startPfn), end: at(startPfn + present) };
    const before = ram.at(-1);
    if (before?.end === range.start) ram[ram.length - 1] = { start: before.start, end: range.end };
    else ram.push(range);
  }
  const reserved = known
    .filter(({ present, managed }) => managed < present)
    .map(({ startPfn, present, managed }) => ({
      start: at(startPfn + managed),
      end: at(startPfn + present),
    }));
  const total = known.reduce((sum, { managed }) => sum + managed, 0);
  return {
    name: RECORDED,
    title: `the recorded machine: ${Math.round(at(total) / 2 ** 20)} MiB in ${known.map(({ name }) => name).join(', ')}`,
    ram,
    reserved,
    zones: zoneSpecs(known, at),
  };
}

/** What nodes have of each kind of zone, as one. What is more than FRAMES_MAX is left out at the end. */
function zoneRam(zones: readonly SnapshotZone[]): ZoneRam[] {
  const found: ZoneRam[] = [];
  let left = FRAMES_MAX;
  for (const name of ZONES) {
    const parts = zones.filter((zone) => zone.name === name).sort((a, b) => a.startPfn - b.startPfn);
    const [first, ...others] = parts;
    if (first === undefined) continue;
    const sum = (field: 'present' | 'managed') => parts.reduce((pages, part) => pages + part[field], 0);
    const present = Math.min(sum('present'), left);
    const managed = Math.min(sum('managed'), present);
    left -= present;
    if (present === 0) continue;
    const before = found.at(-1);
    const startPfn = Math.max(first.startPfn, before === undefined ? 0 : before.startPfn + before.present);
    const spanned = Math.max(present, others.length === 0 ? first.spanned : 0);
    found.push({ name, startPfn, spanned, present, managed });
  }
  return found;
}

/** A few words where a replay has less memory than the recorded machine. */
function leftOut({ machine }: MachineOptions, { zones }: Snapshot, pageSize: number): string {
  const pages = pagesLeftOut(zones);
  const isRecorded = typeof machine === 'object' && machine.name === RECORDED;
  return isRecorded && pages > 0
    ? `; ${formatBytes(pages * pageSize)} of its memory is left out, for a replay accounts for ${formatBytes(FRAMES_MAX * pageSize)}`
    : '';
}

/** Managed pages of the recorded machine that a replay keeps no account of. */
export function pagesLeftOut(zones: readonly SnapshotZone[]): number {
  const all = zones.filter(({ name }) => ZONES.includes(name as ZoneName));
  const kept = zoneRam(zones).reduce((sum, { managed }) => sum + managed, 0);
  return all.reduce((sum, { managed }) => sum + managed, 0) - kept;
}

/** A zone ends where the next one begins. Normal is there also where no memory lies in it: requests that name no zone begin there. */
function zoneSpecs(known: readonly ZoneRam[], at: (pfn: number) => number): ZoneSpec[] {
  const specs = known.map(({ name, startPfn, spanned }, i): ZoneSpec => {
    const next = known[i + 1]?.startPfn ?? startPfn + spanned;
    return { name, end: name === 'Normal' ? Number.POSITIVE_INFINITY : at(next) };
  });
  return specs.at(-1)!.name === 'Normal'
    ? specs
    : [...specs, { name: 'Normal', end: Number.POSITIVE_INFINITY }];
}

// ---- caches --------------------------------------------------------------------------------------------------------------

function specsOf({ all }: Snapshots, from: Snapshot, profile: KernelProfile, boot: MachineBoot): CacheSpec[] {
  const capacity = new Map<string, number>();
  for (const { slabinfo } of all)
    for (const { name, numObjs } of slabinfo) capacity.set(name, Math.max(capacity.get(name) ?? 0, numObjs));
  const directories = new Set<string>();
  // slabinfo has the newest first.
  return [...from.slabinfo].reverse().flatMap((row) => {
    const directory = from.aliases.get(row.name) ?? row.name;
    if (directories.has(directory)) return [];
    directories.add(directory);
    const names = [...from.aliases].filter(([, target]) => target === directory).map(([name]) => name);
    const all = [...new Set([row.name, ...names])];
    const known = standingOf(profile, all);
    const cache = from.caches.get(directory);
    const spec = { name: directory, names: all, capacity: capacity.get(row.name) };
    return [
      cache === undefined
        ? specFromSlabinfo(spec, row, known, profile, boot)
        : specFromSysfs(spec, cache, known, profile, boot),
    ];
  });
}

function standingOf({ standing }: KernelProfile, names: readonly string[]): StandingCache | undefined {
  return standing.find(([name]) => names.includes(name));
}

type SpecName = Pick<CacheSpec, 'name' | 'names' | 'capacity'>;

function specFromSysfs(
  about: SpecName,
  cache: SnapshotCache,
  known: StandingCache | undefined,
  profile: KernelProfile,
  boot: MachineBoot,
): CacheSpec {
  let flags: number = kmallocFlags(about.name, profile) | ((known?.[4] ?? 0) & ~DECIDED_BY_SYSFS);
  if (cache.cacheDma) flags |= SLAB.CACHE_DMA;
  if (cache.reclaimAccount) flags |= SLAB.RECLAIM_ACCOUNT;
  if (cache.hwcacheAlign) flags |= SLAB.HWCACHE_ALIGN;
  if (cache.destroyByRcu) flags |= SLAB.TYPESAFE_BY_RCU;
  if (/^:\w*A\w*-/.test(about.name)) flags |= SLAB.ACCOUNT;
  const spec = {
    ...about,
    objectSize: known?.[2] === cache.objectSize ? known[1] : cache.objectSize,
    grownSize: cache.objectSize,
    align: cache.align,
    flags,
    ctor: cache.hasConstructor,
    useroffset: known?.[6] ?? 0,
    usersize: cache.usersize,
    freeptrOffset: known?.[9],
    source: 'sysfs' as const,
  };
  const recorded = {
    size: cache.slabSize,
    oo: { order: cache.order, objects: cache.objsPerSlab },
    minPartial: cache.minPartial,
    cpuPartial: cache.cpuPartial,
    // A kernel without sheaves says nothing of them, and the rules give what they would be.
    ...(cache.sheafCapacity > 0 && { sheafCapacity: cache.sheafCapacity }),
  };
  return withLayout(spec, recorded, profile, boot);
}

const DECIDED_BY_SYSFS = SLAB.CACHE_DMA | SLAB.RECLAIM_ACCOUNT | SLAB.HWCACHE_ALIGN | SLAB.TYPESAFE_BY_RCU;

/** Flags of the kmalloc cache of a name, 0 for any other. */
function kmallocFlags(name: string, profile: KernelProfile): number {
  const type = kmallocTypeIn(name);
  return type < 0 ? 0 : kmallocCacheFlags(type, profile);
}

function specFromSlabinfo(
  about: SpecName,
  row: SlabinfoRow,
  known: StandingCache | undefined,
  profile: KernelProfile,
  boot: MachineBoot,
): CacheSpec {
  const kmalloc = kmallocFlags(about.name, profile);
  const bytes = row.objSize;
  // What kmalloc can give is in the name; with SLAB its objects lie further apart.
  const suffix = /\d+[kM]?$/.exec(about.name)?.[0] ?? '';
  const given =
    kmalloc === 0 ? bytes : (profile.kmallocSizes.find(([, name]) => name === suffix)?.[0] ?? bytes);
  const spec = {
    ...about,
    objectSize: known?.[1] ?? given,
    grownSize: known?.[2] ?? given,
    align: known?.[3] ?? (kmalloc !== 0 && isPowerOfTwo(given) ? given : 0),
    flags: kmalloc | (known?.[4] ?? 0),
    ctor: known?.[5] === 1,
    useroffset: known?.[6] ?? 0,
    usersize: known?.[7] ?? 0,
    freeptrOffset: known?.[9],
    source: known === undefined && kmalloc === 0 ? ('slabinfo' as const) : ('profile' as const),
  };
  const recorded = {
    size: bytes,
    oo: { order: Math.log2(row.pagesPerSlab), objects: row.objPerSlab },
    ...(row.limit > 0 && {
      slab: { limit: row.limit, batchcount: row.batchCount, sharedFactor: row.sharedFactor },
    }),
  };
  const asKnown = withLayout(spec, recorded, profile, boot);
  if (asKnown.derivable) return asKnown;
  // The table is of another configuration.
  return withLayout({ ...spec, objectSize: bytes, grownSize: bytes }, recorded, profile, boot);
}

/** What a recording says of a layout. */
type RecordedLayout = Pick<CacheLayout, 'size' | 'oo'> &
  Partial<Pick<CacheLayout, 'minPartial' | 'cpuPartial' | 'sheafCapacity'>> & {
    readonly slab?: { readonly limit: number; readonly batchcount: number; readonly sharedFactor: number };
  };

/** The layout by the rules, with what was recorded instead where the two differ. */
export function withLayout(
  spec: Omit<CacheSpec, 'layout' | 'derivable'>,
  recorded: RecordedLayout,
  profile: KernelProfile,
  boot: MachineBoot,
): CacheSpec {
  const ruled = layoutOf(spec, profile, boot);
  const derivable =
    ruled !== null &&
    ruled.size === recorded.size &&
    ruled.oo.order === recorded.oo.order &&
    ruled.oo.objects === recorded.oo.objects;
  // A layout that the rules do not give is one of objects of just that distance, with the rest as it is.
  const base = ruled ?? layoutOf({ ...spec, objectSize: recorded.size, align: 0 }, profile, boot);
  if (base === null)
    throw new ArgumentError(`no slab can hold an object of ${spec.name}: ${recorded.size} bytes`);
  const { size, oo } = recorded;
  const cpuPartial = recorded.cpuPartial ?? base.cpuPartial;
  const cpuPartialSlabs = profile.has.cpuSlabs ? cpuPartialSlabsOf(cpuPartial, oo.objects) : 0;
  const layout: CacheLayout = {
    ...base,
    size,
    oo,
    min: derivable ? base.min : oo,
    minPartial: recorded.minPartial ?? base.minPartial,
    cpuPartial,
    cpuPartialSlabs,
    ...(profile.has.sheaves && { sheafCapacity: recorded.sheafCapacity ?? base.sheafCapacity ?? 0 }),
    extraFromNode: profile.has.cpuSlabs ? profile.extraFromNode(cpuPartialSlabs) : 0,
    ...(base.slab && { slab: { ...base.slab, ...recorded.slab } }),
  };
  return { ...spec, layout, derivable };
}

/** The layout that the rules give a cache, or null where they give none. */
export function layoutOf(
  spec: Omit<CacheSpec, 'layout' | 'derivable'>,
  profile: KernelProfile,
  boot: MachineBoot,
): CacheLayout | null {
  const { objectSize: size, align, flags, ctor, freeptrOffset } = spec;
  return cacheLayout(profile, boot, { size, align, flags, ctor, freeptrOffset });
}

/** What a machine with these options would be booted with. */
export function bootOf(options: MachineOptions): MachineBoot {
  return Machine.create({ ...options, ledger: { slabs: 1, linkPages: 1, caches: 1 } }).boot;
}

/**
 * A kernel with larger pages: kmalloc has caches up to two pages, and what a CPU may keep of objects of a page and more starts there. With
 * SLAB a page may then have more objects of the least size than a byte can count, and indices in a slab's list take two.
 */
export function withPageSize(kernel: KernelProfile, pageSize: number): KernelProfile {
  const sizes = kernel.kmallocSizes.filter(([bytes]) => bytes <= 2 * pageSize);
  for (let bytes = 2 * sizes.at(-1)![0]; bytes <= 2 * pageSize; bytes *= 2)
    sizes.push([bytes, sizeSuffix(bytes)]);
  const [largest, ...smaller] = kernel.cpuPartialBySize;
  const slab = kernel.slab && {
    ...kernel.slab,
    ...(pageSize / 256 > kernel.slab.minObjectSize && { indexBytes: 2, maxObjects: 65535 }),
  };
  return {
    ...kernel,
    pageSize,
    kmallocSizes: sizes,
    cpuPartialBySize: largest === undefined ? [] : [[pageSize, largest[1]], ...smaller],
    slab,
  };
}
