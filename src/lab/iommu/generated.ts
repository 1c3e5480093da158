/**
 * # A load like a phone's: display, camera, video and apps
 *
 * Four users share a domain. Each keeps a number of buffers that depends on what the phone is being used for, and turns them over: it
 * unmaps a buffer when it has enough, and maps a new one when it has not.
 *
 *     phase      display  camera  video  apps      what it is
 *       1           3        0      0     30       idle
 *       2           3        8      0     40       preview
 *       3           3       16     10     60       recording
 *       …
 *
 * What the recorded driver did (truth/README.md, v7s-workload) gives the shape: buffers of 4 KiB to 32 MiB with odd
 * tails, 7 of 10 aligned to the power of two in their size (to 16 MiB at most) and the others to a page, memory scattered in pages, in
 * 64 KiB or 1 MiB pieces, or contiguous. The addresses are random, the numbers of buffers are ours. The memory of the buffers is only
 * named, never allocated: it lies between 1 and 4 GiB.
 */
import { ArgumentError, GIB, KIB, MIB, Random, roundUp } from '../../base/index.js';
import { GFP } from '../../machine/index.js';
import { DEFAULT_PROT, type IommuLoad, type IommuOperation, type IommuStep } from './script.js';

/** Which of the generated loads: the same numbers give the same load. */
export interface GeneratedOptions {
  /** Where the random numbers begin, 1 unless told. */
  readonly seed?: number;
  /** Maps and unmaps, 1000 unless told. */
  readonly ops?: number;
}

/** The memory behind a buffer. */
type Layout = 'contiguous' | typeof PAGE | typeof LARGE | typeof SECTION;

const PAGE = 4 * KIB;
const LARGE = 64 * KIB;
const SECTION = MIB;
const SUPERSECTION = 16 * MIB;

/** Input addresses are 32 bits; physical ones are in RAM of the boards that begins at 1 GiB. */
const IOVA_END = 4 * GIB;
const RAM_START = GIB;
const RAM_END = 4 * GIB;

interface User {
  /** Bytes of its buffers, drawn alike. */
  readonly sizes: readonly number[];
  /** Drawn alike. */
  readonly layouts: readonly Layout[];
  /** How many buffers it keeps in each phase. */
  readonly keeps: readonly number[];
  /** How often it is its turn, against the others. */
  readonly turns: number;
  /** The oldest buffer goes first; otherwise any. */
  readonly ring: boolean;
}

const kib = (...sizes: number[]) => sizes.map((size) => size * KIB);

const USERS: readonly User[] = [
  {
    // Frame buffers of 1080p, 1440p and 4K in 32 bits: one shown, one drawn, one waiting.
    sizes: kib(8160, 14400, 32400),
    layouts: ['contiguous', 'contiguous', SECTION],
    keeps: [3, 3, 3, 4, 4, 3, 4, 3],
    turns: 2,
    ring: true,
  },
  {
    // Camera: raw 12 MP and 1080p NV12 frames, statistics.
    sizes: kib(12288, 12300, 3040, 3072, 100, 16),
    layouts: [LARGE, LARGE, SECTION, 'contiguous'],
    keeps: [0, 8, 16, 24, 30, 4, 20, 0],
    turns: 3,
    ring: true,
  },
  {
    // Video: reference frames, bitstreams with odd tails.
    sizes: kib(4096, 4132, 4160, 6144, 1024, 512, 256),
    layouts: [LARGE, SECTION, PAGE, 'contiguous'],
    keeps: [0, 0, 10, 20, 40, 50, 20, 2],
    turns: 3,
    ring: true,
  },
  {
    // Apps and everything small.
    sizes: kib(4, 4, 8, 12, 16, 32, 64, 64, 100, 128, 256, 1028),
    layouts: [PAGE, PAGE, PAGE, LARGE, 'contiguous'],
    keeps: [30, 40, 60, 120, 200, 100, 160, 30],
    turns: 6,
    ring: false,
  },
];

const PHASES = 8;
/** Of ten buffers so many lie where the largest entries fit. */
const ALIGNED_OF_TEN = 7;
/** Places tried for a buffer before the turn passes. */
const TRIES = 64;
const OPS_MAX = 1_000_000;

/** The same for the same seed and number of operations. Throws ArgumentError for numbers that make no load. */
export function generateIommuLoad({ seed = 1, ops = 1000 }: GeneratedOptions = {}): IommuLoad {
  if (!Number.isSafeInteger(ops) || ops < 1 || ops > OPS_MAX)
    throw new ArgumentError(`a generated load has 1 to 1,000,000 operations, not ${ops}`);
  const steps: IommuStep[] = [];
  const generator = new Generator(new Random(seed));
  while (steps.length < ops) {
    const operation = generator.turn(Math.floor((steps.length * PHASES) / ops));
    if (operation !== undefined) steps.push({ ...operation, line: steps.length + 1 });
  }
  return {
    title: 'display, camera, video and apps',
    source: `generated --seed ${seed} --ops ${ops}`,
    unit: 'operation',
    steps,
    careful: true,
  };
}

/** A mapped buffer. */
interface Buffer {
  readonly iova: number;
  readonly size: number;
}

class Generator {
  readonly #random: Random;
  /** Each user's buffers, oldest first. */
  readonly #buffers: Buffer[][] = USERS.map(() => []);
  readonly #turns: number[] = USERS.flatMap(({ turns }, user) => new Array<number>(turns).fill(user));

  constructor(random: Random) {
    this.#random = random;
  }

  /** One operation of some user, or none where its turn passes. */
  turn(phase: number): IommuOperation | undefined {
    const which = this.#pick(this.#turns);
    const user = USERS[which]!;
    const buffers = this.#buffers[which]!;
    if (buffers.length < user.keeps[phase]!) return this.#map(user, buffers);
    if (buffers.length === 0) return undefined;
    const [buffer] = buffers.splice(user.ring ? 0 : this.#random.below(buffers.length), 1);
    return { kind: 'unmap', ...buffer! };
  }

  #map(user: User, buffers: Buffer[]): IommuOperation | undefined {
    const size = this.#pick(user.sizes);
    const iova = this.#place(size);
    if (iova === undefined) return undefined;
    buffers.push({ iova, size });
    const layout = this.#pick(user.layouts);
    const scattered = layout !== 'contiguous' && layout < size;
    const chunk = scattered ? layout : size;
    // Every second piece belongs to somebody else, so that no two of ours make a larger one.
    const stride = scattered ? 2 * chunk : size;
    const span = stride * Math.ceil(size / chunk);
    const unit = scattered ? layout : this.#pick([LARGE, Math.min(powerOfTwoIn(size), SUPERSECTION)]);
    const paddr = RAM_START + this.#multipleBelow(unit, RAM_END - RAM_START - roundUp(span, unit));
    return { kind: 'map', iova, paddr, size, chunk, stride, prot: DEFAULT_PROT, gfp: GFP.KERNEL };
  }

  /** An input address for a buffer where nothing is mapped. */
  #place(size: number): number | undefined {
    const aligned = this.#random.below(10) < ALIGNED_OF_TEN;
    const unit = aligned ? Math.min(powerOfTwoIn(size), SUPERSECTION) : PAGE;
    for (let i = 0; i < TRIES; i++) {
      const iova = this.#multipleBelow(unit, IOVA_END - roundUp(size, unit));
      if (!this.#overlaps(iova, iova + size)) return iova;
    }
    return undefined;
  }

  #overlaps(start: number, end: number): boolean {
    return this.#buffers.some((list) => list.some(({ iova, size }) => iova < end && start < iova + size));
  }

  /** A multiple of `unit` from 0 up to `limit`. */
  #multipleBelow(unit: number, limit: number): number {
    return this.#random.below(Math.floor(limit / unit) + 1) * unit;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!;
  }
}

/** The largest power of two that is not above a size. */
function powerOfTwoIn(size: number): number {
  return 2 ** Math.floor(Math.log2(size));
}
