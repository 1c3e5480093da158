/**
 * What the recorder's module did in each misuse case, done on a machine (recorder/slab/oracle.c, cmd_mis).
 */
import {
  ArgumentError,
  type Gfp,
  KernelPanicError,
  KernelWouldCrashError,
  type PhysAddr,
} from '../../base/index.js';
import { GFP, parseGfp } from '../../machine/index.js';
import { type CacheInfo, type KmemCache, type Machine, SLAB, ZERO_SIZE_PTR } from '../../slab/index.js';
import type { RecordedKernel } from './recording.js';

/** Bytes of memory in an answer. `state` are ranges in it that are the machine's own: addresses, times. */
export interface Bytes {
  readonly hex: string;
  readonly state: readonly (readonly [from: number, to: number])[];
}

type Answer = Record<string, unknown>;

const TRACK = 32;
const WORD = 8;
const TRACK_PADDING = 20;

const doNothing = () => {};
const tell = (yes: boolean) => (yes ? 1 : 0);

/**
 * The parts of an object that no two machines have alike, in bytes from its start: its free pointer, and what tracks say. Where a
 * list of indices names the free objects, neither is in an object.
 */
function stateOf(machine: Machine, info: CacheInfo, object: PhysAddr): [from: number, to: number][] {
  if (machine.kernel.has.indexFreelist) return [];
  const ranges: [number, number][] = [[info.offset, info.offset + WORD]];
  if (!(info.flags & SLAB.STORE_USER)) return ranges;
  const first = tracksAt(info);
  for (const at of [first, first + TRACK]) {
    const empty = machine.bytes!.firstOther(object + at, TRACK, 0) < 0;
    if (empty) continue;
    ranges.push([at, at + TRACK_PADDING], [at + TRACK_PADDING + 4, at + TRACK]);
  }
  return ranges;
}

export function tracksAt(info: CacheInfo): number {
  return info.inuse + (info.offset >= info.inuse ? WORD : 0);
}

/** `length` bytes that begin `before` bytes in front of an object. */
function look(machine: Machine, cache: KmemCache, object: PhysAddr, before: number, length: number): Bytes {
  const bytes = machine.bytes!.read(object - before, length);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const state = stateOf(machine, cache.info, object).map(
    ([from, to]) => [from + before, to + before] as const,
  );
  return { hex, state };
}

function make(machine: Machine, size: number, ctor: boolean, name = 'mis_cache'): KmemCache {
  return machine.kmemCacheCreate(name, size, ctor ? { ctor: doNothing } : {})!;
}

function zoneAnswer(machine: Machine, objects: readonly PhysAddr[]): Answer {
  const count = { DMA: 0, DMA32: 0, Normal: 0 };
  for (const object of objects) count[machine.zoneOf(object)!]++;
  return { zone_DMA: count.DMA, zone_DMA32: count.DMA32, zone_other: count.Normal };
}

type Run = (machine: Machine, kernel: RecordedKernel, args: readonly string[]) => Answer;

function manyFromKmalloc(flag: number): Run {
  return (machine) => {
    const n = 4096;
    const keep = Array.from({ length: n }, () => machine.kmalloc(64, (GFP.KERNEL | flag) as Gfp));
    const answer = {
      n,
      null: keep.filter((object) => object === 0).length,
      cache: machine.whereIs(keep[0]!)!.cache.name,
      ...zoneAnswer(machine, keep),
    };
    for (const object of keep) machine.kfree(object);
    return answer;
  };
}

/** All of what is looked at. */
const NOBODYS: Bytes['state'] = [[0, Number.POSITIVE_INFINITY]];

/**
 * The first bytes of an object that was just handed out. Where a list of indices names the free objects and nothing filled them, they are
 * what the page's last owner left or such a list that once lay there, and no two machines have them alike.
 */
function firstBytes(machine: Machine, cache: KmemCache, object: PhysAddr, filled: boolean): Bytes {
  const bytes = look(machine, cache, object, 0, 64);
  return filled || !machine.kernel.has.indexFreelist ? bytes : { ...bytes, state: NOBODYS };
}

/** alloc_…: flags of the cache, constructor, how many, gfp. */
const allocate: Run = (machine, kernel, [flags, ctor, count, gfp]) => {
  const write = (object: PhysAddr) => machine.bytes!.setU32(object, 0xc0ffee01);
  const cache = machine.kmemCacheCreate('mis_cache', 64, {
    flags: Number(flags),
    ...(Number(ctor) !== 0 && { ctor: write }),
  })!;
  const n = Number(count) || 1;
  const keep = Array.from({ length: n }, () => cache.alloc(gfp === '0' ? (0 as Gfp) : parseGfp(gfp!)));
  const answer = {
    cache_flags: kernel.recordedFlags(cache.info.flags),
    ctor: Number(ctor),
    n,
    null: keep.filter((object) => object === 0).length,
    ...zoneAnswer(machine, keep),
    first_bytes: firstBytes(machine, cache, keep[0]!, Number(ctor) !== 0 || gfp!.includes('__GFP_ZERO')),
  };
  for (const object of keep) cache.free(object);
  cache.destroy();
  return answer;
};

/** create: name, size, align, flags, constructor, usercopy offset and size. */
const create: Run = (machine, kernel, args) => {
  const [size, align, flags, ctor, useroffset, usersize] = args.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const name = args[0] === '-NULL-' ? null : args[0]!;
  const before = new Map(machine.caches().map((c) => [c.id, c.info]));
  const cache = machine.kmemCacheCreate(name, size, {
    align,
    flags,
    useroffset,
    usersize,
    ...(ctor !== 0 && { ctor: doNothing }),
  });
  if (cache === null) return { null: 1 };
  const was = before.get(cache.id);
  const { name: own, ...fields } = kernel.fields(cache.info);
  const { sysfsTree } = machine.kernel.has;
  const merged = was && { before: { object_size: was.objectSize, inuse: was.inuse, refcount: was.refcount } };
  return {
    null: 0,
    merged: tell(was !== undefined),
    ...merged,
    c: { name: own, ...fields, ...(sysfsTree && { id: cache.sysfsId }) },
    ...(sysfsTree && { link: cache.sysfsId }),
  };
};

/** One byte (or two) written where it does not belong, then a free. */
function overrun(size: number, at: readonly number[]): Run {
  return (machine) => {
    const cache = make(machine, size, false);
    const a = cache.alloc();
    machine.bytes!.fill(a, size, 0x41);
    at.forEach((offset, i) => {
      machine.bytes!.set(a + offset, 0x5a + i);
    });
    cache.free(a);
    return { returned: 1 };
  };
}

const CASES: Readonly<Record<string, Run>> = {
  kmalloc_dma32: manyFromKmalloc(GFP.DMA32),
  kmalloc_highmem: manyFromKmalloc(2),
  create,
  overrun: overrun(60, [60, 61]),
  overrun64: overrun(64, [64]),
  wrong_cache(machine) {
    const one = make(machine, 96, true, 'mis_one');
    const two = make(machine, 160, true, 'mis_two');
    const a = one.alloc();
    two.alloc();
    two.free(a);
    const owner = one.alloc();
    const wrong = two.alloc();
    return {
      returned: 1,
      next_alloc_owner_is_same_object: tell(owner === a),
      next_alloc_wrong_is_same_object: tell(wrong === a),
    };
  },
  double_free(machine) {
    const cache = make(machine, 64, true);
    const a = cache.alloc();
    cache.alloc();
    cache.free(a);
    cache.free(a);
    const b = cache.alloc();
    const c = cache.alloc();
    return {
      returned: 1,
      next1_is_freed: tell(b === a),
      next2_is_freed: tell(c === a),
      next_equal: tell(b === c),
    };
  },
  double_free_apart(machine) {
    const cache = make(machine, 64, true);
    const a = cache.alloc();
    const b = cache.alloc();
    cache.free(a);
    cache.free(b);
    cache.free(a);
    return { returned: 1 };
  },
  kfree_double(machine) {
    const a = machine.kmalloc(1000);
    machine.kfree(a);
    machine.kfree(a);
    return { returned: 1 };
  },
  misaligned(machine) {
    const cache = make(machine, 64, true);
    const a = cache.alloc();
    cache.free((a + 8) as PhysAddr);
    return { returned: 1, next_minus_freed: cache.alloc() - a };
  },
  not_slab(machine) {
    const cache = make(machine, 64, true);
    const page = machine.allocPages(GFP.KERNEL, 0);
    cache.free((page * machine.kernel.pageSize) as PhysAddr);
    return { returned: 1 };
  },
  underrun(machine) {
    const cache = make(machine, 64, false);
    cache.alloc();
    const b = cache.alloc();
    machine.bytes!.set(b - 1, 0x5a);
    cache.free(b);
    return { returned: 1 };
  },
  uaf_write(machine) {
    const cache = make(machine, 64, false);
    const a = cache.alloc();
    machine.bytes!.fill(a, 64, 0x41);
    cache.free(a);
    machine.bytes!.set(a + 5, 0x5a);
    const b = cache.alloc();
    return { returned: 1, same_object: tell(a === b), bytes: look(machine, cache, b, 0, 64) };
  },
  fresh_bytes(machine) {
    const cache = make(machine, 64, false);
    const { debugFlags, indexFreelist } = machine.kernel.has;
    const { redLeftPad, size } = cache.info;
    const a = cache.alloc();
    const fresh = look(machine, cache, a, redLeftPad, size);
    const alloc_left = indexFreelist ? { ...fresh, state: NOBODYS } : fresh;
    machine.bytes!.fill(a, 64, 0x41);
    cache.free(a);
    const freed_left = look(machine, cache, a, redLeftPad, size);
    // Where there are no red zones, the answer does not speak of one.
    return { alloc_left, freed_left, ...(debugFlags && { red_left_pad: redLeftPad }) };
  },
  destroy_busy(machine) {
    const cache = make(machine, 64, true);
    cache.alloc();
    cache.alloc();
    cache.destroy();
    const link = machine.caches().includes(cache) ? cache.sysfsId : null;
    return {
      returned: 1,
      ...(machine.kernel.has.sysfsTree && { link }),
      recreate_null: tell(make(machine, 64, true) === null),
    };
  },
  dup_name(machine) {
    const [first, second] = [make(machine, 64, true), make(machine, 64, true)];
    return { first_null: tell(first === null), second_null: tell(second === null) };
  },
  dup_name_mergeable(machine) {
    const [first, second] = [make(machine, 3000, false), make(machine, 3000, false)];
    return {
      first_null: tell(first === null),
      second_null: tell(second === null),
      same: tell(first === second),
    };
  },
  null_free(machine) {
    make(machine, 64, true);
    machine.kfree(0 as PhysAddr);
    machine.kfree(ZERO_SIZE_PTR);
    return { returned: 1 };
  },
  name_space: (machine) => ({ null: tell(make(machine, 64, true, 'mis cache') === null) }),
  kmalloc_huge(machine, _, [size]) {
    const a = machine.kmalloc(Number(size));
    machine.kfree(a);
    return { null: tell(a === 0) };
  },
  bulk0(machine) {
    const cache = make(machine, 64, true);
    const none = cache.allocBulk(0);
    const eight = cache.allocBulk(8);
    cache.freeBulk(eight);
    return { ret0: none.length, ret8: eight.length };
  },
  /** kmalloc_over: size, offset of the byte that is written, whether ksize is asked first. */
  kmalloc_over(machine, _, args) {
    const [size, offset, asks] = args.map(Number) as [number, number, number];
    const a = machine.kmalloc(size);
    const { cache } = machine.whereIs(a)!;
    const ksize = asks !== 0 ? { ksize: machine.ksize(a) } : {};
    const from = Math.floor(size / WORD) * WORD;
    const tail = look(machine, cache, a, -from, 48);
    machine.bytes!.set(a + offset, 0x5a);
    machine.kfree(a);
    const { size: csize, redLeftPad: redleft } = cache.info;
    return { cache: cache.name, csize, redleft, ...ksize, tail, returned: 1 };
  },
};

/** What came of a case: an answer, or none if the kernel did not survive it. */
export interface Outcome {
  readonly answer: Answer | null;
  readonly log: readonly string[];
}

/** Runs a recorded case, such as `alloc_dma32 0x8000 0 64 GFP_KERNEL`. Throws ArgumentError for one that it does not know. */
export function runCase(machine: Machine, kernel: RecordedKernel, text: string): Outcome {
  const [word = '', ...args] = text.split(' ');
  const run = CASES[word] ?? (word.startsWith('alloc_') ? allocate : undefined);
  if (run === undefined) throw new ArgumentError(`the case '${text}' is not known`);
  machine.log.clear();
  try {
    const answer = run(machine, kernel, args);
    const warns = machine.log.lines.filter((line) => line.startsWith('WARNING: ')).length;
    return { answer: { case: word, ...answer, warns }, log: machine.log.lines };
  } catch (error) {
    if (error instanceof KernelPanicError)
      return { answer: null, log: [...machine.log.lines, error.message] };
    if (error instanceof KernelWouldCrashError)
      return { answer: null, log: [...machine.log.lines, ...lastWords(error)] };
    throw error;
  }
}

/** What the kernel prints as it dies, where the engine has not logged it. */
function lastWords({ outcome }: KernelWouldCrashError): string[] {
  if (outcome.startsWith('divide error')) return ['divide error: 0000 [#1] SMP'];
  if (outcome.startsWith('oops in strlen'))
    return ['BUG: kernel NULL pointer dereference, address: 0000000000000000'];
  return [];
}
